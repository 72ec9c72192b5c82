//! Votes in a dataset of an HDF5 file.

use std::path::Path;

use hdf5::{Dataset, File};

use super::array::{Grid, block};
use super::models::Models;
use super::open::model_names;
use super::{Blocks, Part, VotesChunk, VotesInfo};
use crate::DataError;
use crate::read::h5::{
    check_size, datasets, format, kind, named, only_one, open as open_file, read_slab, whole_chunks,
};
use crate::read::numbers::{Kind, reserve};

/// Opens the dataset named, else `votes`, else the only 2-D one, or the only 1-D one if there is no other.
pub(super) fn open(path: &Path, dataset: Option<&str>, short: &str) -> Result<Part, DataError> {
    let file_name = path.display().to_string();
    let file = open_file(path)?;
    let votes = match dataset {
        Some(name) => named(&file, name, &file_name)?,
        None => chosen(&file, &file_name)?,
    };
    let name = format!("{file_name}:{}", votes.name());
    let grid = Grid::new(&name, kind(&votes, &name)?, &votes.shape())?;
    check_size(&votes, grid.kind.size(), &name)?;
    let confidences = confidences(&file, &votes)?;

    let models = Models::new(&name, model_names(short, grid.n_models));
    let mut info = VotesInfo::of_array(path, format(&votes, grid.kind), &grid);
    info.member = Some(votes.name());
    info.has_confidences = confidences.is_some();
    Ok(Part::new(info, models, Box::new(Slabs { votes, confidences, grid, next: 0 })))
}

fn chosen(file: &File, file_name: &str) -> Result<Dataset, DataError> {
    let all = datasets(file);
    if let Some(votes) = all.iter().find(|dataset| dataset.name() == "/votes") {
        return Ok(votes.clone());
    }
    let table = all.iter().any(|dataset| dataset.ndim() == 2);
    only_one(file, if table { 2 } else { 1 }, file_name)
}

/// The dataset `confidences` beside one that is called `votes`, if it is of the same shape.
fn confidences(file: &File, votes: &Dataset) -> Result<Option<(Dataset, Kind)>, DataError> {
    let name = votes.name();
    let Some(group) = name.strip_suffix("votes").filter(|group| group.ends_with('/')) else {
        return Ok(None);
    };
    let beside = file.dataset(&format!("{group}confidences")).ok();
    let Some(beside) = beside.filter(|beside| beside.shape() == votes.shape()) else {
        return Ok(None);
    };
    let name = format!("{}:{}", file.filename(), beside.name());
    let kind = kind(&beside, &name)?;
    check_size(&beside, kind.size(), &name)?;
    Ok(Some((beside, kind)))
}

struct Slabs {
    votes: Dataset,
    confidences: Option<(Dataset, Kind)>,
    grid: Grid,
    /// The first sample that hasn't been read.
    next: usize,
}

impl Blocks for Slabs {
    fn next(&mut self, limit: usize, models: &mut Models) -> Result<Option<VotesChunk>, DataError> {
        let Grid { ref source_name, kind, n_models, n_samples, axis, .. } = self.grid;
        let len = whole_chunks(&self.votes, axis, limit).min(n_samples - self.next);
        if len == 0 {
            return Ok(None);
        }
        let samples = self.next..self.next + len;
        let by_model = self.grid.by_model();
        let mut votes = reserve(n_models * len, source_name)?;
        read_slab(&self.votes, kind, axis, samples.clone(), source_name, &mut votes)?;
        let mut clusters = reserve(votes.len(), source_name)?;
        if by_model {
            for (model, votes) in votes.chunks_exact(len).enumerate() {
                let model = model..model + 1;
                self.grid.number(votes, samples.start, model, models, &mut clusters)?;
            }
        } else {
            self.grid.number(&votes, samples.start, 0..n_models, models, &mut clusters)?;
        }
        let mut confidences = None;
        if let Some((dataset, kind)) = &self.confidences {
            let mut values = reserve(clusters.len(), source_name)?;
            read_slab(dataset, *kind, axis, samples.clone(), source_name, &mut values)?;
            confidences = Some(block(values, n_models, by_model));
        }
        self.next = samples.end;
        Ok(Some(VotesChunk { clusters: block(clusters, n_models, by_model), confidences }))
    }
}
