//! Votes of any tool, a chunk of samples at a time.
//!
//! Every format gives [`Blocks`] of clusters, of whatever length suits it; the reader cuts chunks of equal length
//! from those of all files.

mod array;
mod beside;
mod candidates;
#[cfg(feature = "hdf5")]
mod h5;
mod models;
mod open;
mod part;
mod request;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;

use ndarray::{Array2, s};

use self::beside::Beside;
pub use self::models::Numbering;
use self::part::{MAX_MODELS, MAX_SAMPLES, MAX_VOTES, Part, check_samples};
pub use self::part::{VotesChunk, VotesInfo};
use crate::{DataError, ReadOptions, Truth};

/// Votes of any tool, read a chunk of samples at a time.
///
/// A votes file is an array of shape (n_models, n_samples), or (n_samples) for one model, in `.npy`, `.npz`, IDX or
/// HDF5, or a table (text, Parquet, Arrow, JSON Lines) with a sample a row and a model a column, and columns of ids and of the
/// truth, by their names. An array with more rows than columns, and a
/// table of text with more columns than rows, is taken as transposed, unless only the other way fits the other files. Our own
/// `assignments.csv` is a votes file, and a run folder stands for its `votes.npz` (of older runs: its `run.h5`).
///
/// Of several arrays in an `.npz` or HDF5 file, the one called `votes` is read. Without it, all members of an `.npz`, or
/// all 1-D datasets, are stacked and each is a part, if they are integers on the same samples. `file.npz:member` and
/// `file.h5:/dataset` choose one.
///
/// Ids may be any integers; each model's clusters are numbered anew in the order in which they appear. Negative ids
/// and NaN are missing votes, as are 65535 in arrays of 16 bits and, in text, empty cells, `NA`, `N/A`, `null` and `None`.
///
/// # Complexity
///
/// Time O(n_models x n_samples). Memory O(n_models) and a chunk of some million votes, but two bytes a vote for files
/// that can't be read piece by piece: packed arrays, and transposed tables of text. Of a chunked HDF5 dataset whole
/// chunks are held.
///
/// # Example
///
/// ```no_run
/// # use consilience_data::{DataError, VotesReader};
/// # fn main() -> Result<(), DataError> {
/// let mut reader = VotesReader::open(&["kmeans.npy".into(), "others.csv".into()])?;
/// while let Some(chunk) = reader.next_chunk()? {
///     assert_eq!(chunk.clusters.nrows(), reader.n_models());
/// }
/// let ids = reader.finish()?;
/// # Ok(())
/// # }
/// ```
pub struct VotesReader {
    name: String,
    /// What the files say beside votes, in their order: there after the last sample.
    beside: Vec<Beside>,
    infos: Vec<VotesInfo>,
    parts: Vec<Part>,
    /// Samples in a chunk, at most.
    limit: usize,
}

impl fmt::Debug for VotesReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("VotesReader").field("parts", &self.infos).finish_non_exhaustive()
    }
}

impl VotesReader {
    /// Opens all files, which have to be on the same samples; their models are stacked.
    ///
    /// # Errors
    ///
    /// [`DataError`] for no files, a file that can't be opened or understood, numbers of samples that differ, and
    /// over 65,535 models.
    pub fn open(paths: &[PathBuf]) -> Result<Self, DataError> {
        Self::open_on(paths, None, &ReadOptions::default())
    }

    /// As [`VotesReader::open`], with the number of samples where it is known from elsewhere: an array or a short table
    /// that fits it only the other way round is taken like that. Whether all fit is for the caller to check.
    ///
    /// # Errors
    ///
    /// As [`VotesReader::open`].
    pub fn open_on(
        paths: &[PathBuf],
        n_samples: Option<usize>,
        options: &ReadOptions,
    ) -> Result<Self, DataError> {
        Self::with_limit(paths, n_samples, options, MAX_SAMPLES)
    }

    fn with_limit(
        paths: &[PathBuf],
        n_samples: Option<usize>,
        options: &ReadOptions,
        limit: usize,
    ) -> Result<Self, DataError> {
        let first = paths.first().ok_or(DataError::NoVotesFiles)?;
        let files: Result<Vec<Vec<Part>>, DataError> =
            paths.iter().map(|path| open::open(path, None, options)).collect();
        let mut files = files?;
        if let Some(samples) = n_samples.or_else(|| agreed(&files)) {
            let differs = |part: &Part| part.info.n_samples.is_some_and(|other| other != samples);
            for (parts, path) in files.iter_mut().zip(paths) {
                if parts.iter().any(differs) {
                    *parts = open::open(path, Some(samples), options)?;
                }
            }
        }
        let parts: Vec<Part> = files.into_iter().flatten().collect();
        let infos: Vec<VotesInfo> = parts.iter().map(|part| part.info.clone()).collect();
        let models = infos.iter().map(|info| info.n_models).sum();
        if models > MAX_MODELS {
            return Err(DataError::TooManyModels { models });
        }
        let mut known = infos.iter().filter_map(|info| Some((info, info.n_samples?)));
        if let Some(first) = known.next() {
            check_samples(first.1, first.0)?;
            if let Some(other) = known.find(|other| other.1 != first.1) {
                return Err(mismatch(first, other));
            }
        }
        let limit = (MAX_VOTES / models).clamp(1, limit);
        Ok(Self { name: open::short_name(first), beside: Vec::new(), infos, parts, limit })
    }

    /// The first file's name without its extensions; for a run, the folder's.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of models of all files.
    #[must_use]
    pub fn n_models(&self) -> usize {
        self.infos.iter().map(|info| info.n_models).sum()
    }

    /// A name for each model: its column's, or that of an array chosen or stacked, else its file's; with a number counted
    /// from 0 if there are several.
    #[must_use]
    pub fn models(&self) -> Vec<String> {
        self.parts.iter().flat_map(|part| part.models.names().iter().cloned()).collect()
    }

    /// What each file is, in order; of a file with several arrays, what each of them is.
    #[must_use]
    pub fn parts(&self) -> &[VotesInfo] {
        &self.infos
    }

    /// Votes of all models on the next samples; `None` after the last.
    ///
    /// # Errors
    ///
    /// [`DataError`] for values that aren't whole numbers, damaged files, over 65,535 clusters in a model, and a file
    /// that ends before another.
    pub fn next_chunk(&mut self) -> Result<Option<VotesChunk>, DataError> {
        let left = self.parts.iter_mut().map(|part| part.refill(self.limit));
        let left = left.collect::<Result<Vec<usize>, DataError>>()?;
        let len = left.iter().fold(self.limit, |least, &left| least.min(left));
        if len > 0 {
            return Ok(Some(self.take(len)));
        }
        let ended = left.iter().position(|&left| left == 0).unwrap_or_default();
        if let Some(longer) = left.iter().position(|&left| left > 0) {
            let [a, b] = [ended.min(longer), ended.max(longer)];
            let samples = [a, b].map(|part| self.parts[part].n_samples(self.limit));
            let [in_a, in_b] = samples;
            return Err(mismatch((&self.infos[a], in_a?), (&self.infos[b], in_b?)));
        }
        if self.beside.is_empty() {
            self.beside = self.parts.iter_mut().map(Part::beside).collect();
            self.check_order()?;
            self.tell_ids();
        }
        for (info, part) in self.infos.iter_mut().zip(&self.parts) {
            info.clone_from(&part.info);
            info.n_samples = Some(part.read);
        }
        Ok(None)
    }

    /// Notes for files that don't say what samples are called, where others do.
    fn tell_ids(&mut self) {
        let Some(named) = self.beside.iter().position(|beside| !beside.ids.is_empty()) else {
            return;
        };
        let path = self.infos[named].path.display().to_string();
        for (part, beside) in self.parts.iter_mut().zip(&self.beside) {
            if beside.ids.is_empty() {
                part.info.notes.push(format!("has no ids, so taken to be in the order of {path}"));
            }
        }
    }

    /// Refuses files of other samples, or in another order, row by row: by ids where two files have them, else by the rows of the
    /// data. Files that say neither are taken to have all rows in order.
    fn check_order(&self) -> Result<(), DataError> {
        let path = |part: usize| self.infos[part].path.display().to_string();
        for part in 1..self.parts.len() {
            let named = |&first: &usize| !self.beside[first].ids.is_empty();
            let with_ids = (0..part).find(named).filter(|_| named(&part));
            let in_order = |part: usize| self.beside[part].own_rows().is_none();
            if with_ids.is_none() && in_order(0) && in_order(part) {
                continue;
            }
            let names = |part: usize| match with_ids {
                Some(_) => self.beside[part].ids.clone(),
                None => self.beside[part].row_names(self.parts[part].read),
            };
            let first = with_ids.unwrap_or(0);
            let (expected, found) = (names(first), names(part));
            let differs = |(found, expected): (&String, &String)| found != expected;
            if let Some(row) = found.iter().zip(&expected).position(differs) {
                return Err(DataError::OtherOrder {
                    first: path(first),
                    expected: expected[row].clone(),
                    other: path(part),
                    found: found[row].clone(),
                    row,
                });
            }
        }
        Ok(())
    }

    /// What samples are called, length n_samples, if a file says it. Known after the last sample.
    #[must_use]
    pub fn ids(&self) -> Option<&[String]> {
        self.beside.iter().map(|beside| &beside.ids[..]).find(|ids| !ids.is_empty())
    }

    /// Which row of the data each sample is, length n_samples, if a file says it and they aren't one after the other from 0. Known
    /// after the last sample.
    #[must_use]
    pub fn rows(&self) -> Option<&[usize]> {
        self.beside.iter().find_map(Beside::own_rows)
    }

    /// The true classes, if there is a column of them beside the votes. Known after the last sample. For scores only.
    ///
    /// # Errors
    ///
    /// A sample without a class.
    pub fn truth(&self) -> Result<Option<Truth>, DataError> {
        let name = |part: usize| self.infos[part].path.display().to_string();
        let mut found = self.beside.iter().enumerate();
        found.find_map(|(part, beside)| beside.truth(&name(part)).transpose()).transpose()
    }

    /// The next `len` samples of all blocks.
    fn take(&mut self, len: usize) -> VotesChunk {
        let shape = (self.n_models(), len);
        let mut clusters = Array2::zeros(shape);
        let with_confidences = self.infos.iter().any(|info| info.has_confidences);
        let mut confidences = with_confidences.then(|| Array2::ones(shape));
        let mut row = 0;
        for part in &mut self.parts {
            let (rows, columns) = (row..row + part.info.n_models, part.used..part.used + len);
            if let Some(block) = &part.block {
                let to = s![rows, ..];
                clusters.slice_mut(to).assign(&block.clusters.slice(s![.., columns.clone()]));
                if let (Some(all), Some(of_block)) = (&mut confidences, &block.confidences) {
                    all.slice_mut(to).assign(&of_block.slice(s![.., columns]));
                }
            }
            part.used += len;
            row += part.info.n_models;
        }
        VotesChunk { clusters, confidences }
    }

    /// Reads what hasn't been read, and gives each model's original ids: cluster `c` of the chunks is `ids[model][c]`
    /// in the file.
    ///
    /// # Errors
    ///
    /// As [`VotesReader::next_chunk`], and for a model without votes, or one that numbers the samples.
    pub fn finish(mut self) -> Result<Vec<Vec<i64>>, DataError> {
        while self.next_chunk()?.is_some() {}
        if self.parts.iter().all(|part| part.models.are_empty()) {
            let mut paths: Vec<_> =
                self.infos.iter().map(|info| info.path.display().to_string()).collect();
            paths.dedup();
            return Err(DataError::NoVotes { source_name: paths.join(", ") });
        }
        self.parts.iter().try_for_each(Part::check_models)?;
        Ok(self.parts.into_iter().flat_map(|part| part.models.into_ids()).collect())
    }
}

/// The number of samples that fits all files, one of them as it is by itself and others the other way round. A single
/// sample is no reason to turn a file.
fn agreed(files: &[Vec<Part>]) -> Option<usize> {
    let parts: Vec<&Part> = files.iter().flatten().filter(|part| !part.fits.is_empty()).collect();
    let mut found = parts.iter().filter_map(|part| match part.fits[..] {
        [only] => Some(only),
        _ => part.info.n_samples,
    });
    found.find(|&samples| samples > 1 && parts.iter().all(|part| part.fits.contains(&samples)))
}

fn mismatch(first: (&VotesInfo, usize), other: (&VotesInfo, usize)) -> DataError {
    let name = |info: &VotesInfo| match &info.member {
        Some(member) if first.0.path == other.0.path => {
            format!("{}:{member}", info.path.display())
        }
        _ => info.path.display().to_string(),
    };
    DataError::SampleMismatch {
        first: name(first.0),
        first_samples: first.1,
        other: name(other.0),
        other_samples: other.1,
    }
}
