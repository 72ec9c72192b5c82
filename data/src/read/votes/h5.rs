//! Votes in a dataset of an HDF5 file.

use hdf5::{Dataset, File};

use super::array::{Grid, block};
use super::candidates::{Candidate, stack};
use super::models::Models;
use super::part::{Blocks, Part, VotesChunk, VotesInfo};
use super::request::Request;
use crate::DataError;
use crate::read::h5::{
    MAX_LISTED, check_size, datasets, format, kind, named, only_one, open as open_file, read_slab,
    whole_chunks,
};
use crate::read::numbers::{Kind, reserve};

/// Opens the dataset named, else `votes`, else the only 2-D one, else all 1-D ones.
pub(super) fn open(request: &Request<'_>) -> Result<Vec<Part>, DataError> {
    let file_name = request.path.display().to_string();
    let file = open_file(request.path)?;
    let chosen = match request.member {
        Some(name) => vec![named(&file, name, &file_name)?],
        None => chosen(&file, &file_name)?,
    };
    let is_one_of = chosen.len() > 1;
    chosen.into_iter().map(|votes| part(&file, votes, is_one_of, request)).collect()
}

fn part(
    file: &File,
    votes: Dataset,
    is_one_of: bool,
    request: &Request<'_>,
) -> Result<Part, DataError> {
    let (member, shape) = (votes.name(), votes.shape());
    let name = format!("{}:{member}", request.path.display());
    let grid = Grid::new(&name, kind(&votes, &name)?, &shape, request.samples)?;
    check_size(&votes, grid.kind.size(), &name)?;
    let confidences = confidences(file, &votes)?;

    let models = Models::new(&name, request.model_names(&member, is_one_of, grid.n_models));
    let mut info = VotesInfo::of_array(request.path, format(&votes, grid.kind), &grid);
    info.member = Some(member);
    info.has_confidences = confidences.is_some();
    let slabs = Slabs { votes, confidences, grid, next: 0 };
    Ok(Part::new(info, Grid::fits(&shape), models, Box::new(slabs)))
}

fn chosen(file: &File, file_name: &str) -> Result<Vec<Dataset>, DataError> {
    let mut all = datasets(file);
    if let Some(votes) = all.iter().find(|dataset| dataset.name() == "/votes") {
        return Ok(vec![votes.clone()]);
    }
    if all.iter().any(|dataset| dataset.ndim() == 2) {
        return Ok(vec![only_one(file, 2, file_name)?]);
    }
    if all.len() >= MAX_LISTED {
        // There may be more.
        return Ok(vec![only_one(file, 1, file_name)?]);
    }
    let mut seen = Vec::new();
    // A link is one that has been there.
    all.retain(|dataset| {
        let token = dataset.loc_info().ok().map(|info| info.token);
        let is_new = token.is_none() || !seen.contains(&token);
        seen.push(token);
        is_new
    });
    let candidate = |dataset: &Dataset| {
        let name = dataset.name();
        Candidate { kind: kind(dataset, &name).ok(), name, shape: dataset.shape() }
    };
    let names = stack(all.iter().map(candidate).collect(), 1..=1, "dataset", file_name)?;
    Ok(all.into_iter().filter(|dataset| names.contains(&dataset.name())).collect())
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
