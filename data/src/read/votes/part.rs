//! A file's votes: what it is, and blocks of them.

use std::path::PathBuf;

use ndarray::Array2;
use serde::Serialize;

use super::beside::Beside;
use super::models::Models;
use crate::DataError;

/// Samples in a chunk, at most.
pub(super) const MAX_SAMPLES: usize = 1 << 16;
/// Votes in a chunk, about.
pub(super) const MAX_VOTES: usize = 1 << 22;
/// More models than this have no [`crate::ModelIdx`].
pub(super) const MAX_MODELS: usize = 65_535;

/// What a votes file was understood to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VotesInfo {
    /// The file; in a run folder, the one that was read.
    pub path: PathBuf,
    /// In words, such as `NPY, int32`.
    pub format: String,
    /// Number of models.
    pub n_models: usize,
    /// Number of samples; `None` for a table of text that hasn't been read to its end.
    pub n_samples: Option<usize>,
    /// Whether an array has its samples in rows, or a table of text in columns.
    pub is_transposed: bool,
    /// The member of an `.npz`, the dataset of an HDF5 file or the only column of a table that was read.
    pub member: Option<String>,
    /// Whether there are confidences beside the votes.
    pub has_confidences: bool,
    /// What a person should know about how the file was understood, if anything. All are there at the latest when the
    /// file has been read to its end.
    pub notes: Vec<String>,
}

/// All models' votes on some samples, in the order of the files.
#[derive(Debug, Clone, PartialEq)]
pub struct VotesChunk {
    /// Clusters, shape (n_models, n_samples of the chunk), [`crate::Votes::MISSING`] where a vote is missing.
    /// Each model's are numbered 0, 1, 2 ... in the order in which they appear.
    pub clusters: Array2<u16>,
    /// Confidences, of the same shape, as they are in the files; 1 for models of files without. `None` if no file
    /// has any.
    pub confidences: Option<Array2<f32>>,
}

/// A file's votes.
pub(super) trait Blocks {
    /// Votes on the next samples, about `limit`; `None` after the last.
    fn next(&mut self, limit: usize, models: &mut Models) -> Result<Option<VotesChunk>, DataError>;

    /// What the file says beside votes, after the last.
    fn beside(&mut self) -> Beside {
        Beside::default()
    }
}

/// A file, and the block of which the samples from `used` on aren't in a chunk yet.
pub(super) struct Part {
    pub(super) info: VotesInfo,
    /// Numbers of samples that it can be on, the other way round included; empty for a long table of text.
    pub(super) fits: Vec<usize>,
    pub(super) models: Models,
    /// Where models are columns: which, counted from 0.
    pub(super) columns: Option<Vec<usize>>,
    pub(super) blocks: Box<dyn Blocks>,
    /// What the run says of its samples, if the votes are a run's.
    pub(super) of_run: Option<Beside>,
    pub(super) block: Option<VotesChunk>,
    pub(super) used: usize,
    /// Number of samples read.
    pub(super) read: usize,
}

impl Part {
    /// Gets another block if the last one is used up; number of samples left in it.
    pub(super) fn refill(&mut self, limit: usize) -> Result<usize, DataError> {
        let left = |block: &Option<VotesChunk>| block.as_ref().map_or(0, |it| it.clusters.ncols());
        if self.used == left(&self.block) {
            self.block = self.blocks.next(limit, &mut self.models)?;
            self.used = 0;
            self.read += left(&self.block);
            check_samples(self.read, &self.info)?;
        }
        Ok(left(&self.block) - self.used)
    }

    /// Number of samples, for which the file may have to be read to its end.
    pub(super) fn n_samples(&mut self, limit: usize) -> Result<usize, DataError> {
        if let Some(known) = self.info.n_samples {
            return Ok(known);
        }
        while self.refill(limit)? > 0 {
            self.block = None;
            self.used = 0;
        }
        Ok(self.read)
    }

    /// Refuses a model without votes, and one that numbers the samples.
    pub(super) fn check_models(&self) -> Result<(), DataError> {
        // The header `,0,1,2` that pandas writes above a column of such numbers reads as one more sample.
        let one_more = self.columns.is_some() && self.read > 10;
        let least = self.read - usize::from(one_more);
        for (model, name) in self.models.names().iter().enumerate() {
            let n_clusters = self.models.n_clusters(model);
            if n_clusters > 0 && (n_clusters < least || self.read <= 2) {
                continue;
            }
            let source_name = self.info.path.display().to_string();
            let model = match &self.columns {
                Some(columns) => format!("column {}, counted from 1 ({name}),", columns[model] + 1),
                None => format!("model {name}"),
            };
            return Err(match n_clusters {
                0 => DataError::ModelWithoutVotes { source_name, model },
                _ => DataError::NumbersSamples { source_name, model },
            });
        }
        Ok(())
    }
}

impl Part {
    /// `fits`: numbers of samples that it can be on.
    pub(super) fn new(
        info: VotesInfo,
        fits: &[usize],
        models: Models,
        blocks: Box<dyn Blocks>,
    ) -> Self {
        let fits = fits.to_vec();
        let (columns, of_run, block) = (None, None, None);
        Self { info, fits, models, columns, blocks, of_run, block, used: 0, read: 0 }
    }

    /// What is said beside the votes, after the last.
    pub(super) fn beside(&mut self) -> Beside {
        self.of_run.take().unwrap_or_else(|| self.blocks.beside())
    }
}

/// The note on an array or table whose sides say which one the samples are.
pub(super) const TRANSPOSED: &str = "taken as transposed, with more samples than models";

/// The note on one that fits the known number of samples only like this: more models than samples, and more than one.
pub(super) fn turned(n_models: usize, n_samples: usize) -> String {
    format!("taken as {n_models} models on {n_samples} samples")
}

/// Votes that are in memory.
pub(super) struct Whole(pub(super) Option<VotesChunk>);

impl Blocks for Whole {
    fn next(&mut self, _: usize, _: &mut Models) -> Result<Option<VotesChunk>, DataError> {
        Ok(self.0.take())
    }
}

pub(super) fn check_samples(rows: usize, info: &VotesInfo) -> Result<(), DataError> {
    if u32::try_from(rows).is_ok() {
        return Ok(());
    }
    Err(DataError::TooManySamples { source_name: info.path.display().to_string(), rows })
}
