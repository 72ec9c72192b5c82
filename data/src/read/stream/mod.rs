//! Features of files larger than memory, some rows at a time.
//!
//! Every format gives rows as it can; the reader cuts chunks of equal length from those of all files, so that where one
//! file ends and the next begins changes nothing.

mod part;

use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;

use ndarray::Array2;

use self::part::{Names, Part};
use super::assemble::{check_ids, complete_words};
use super::dataset::{Dataset, dataset_name};
use super::labels::read_sample_labels;
use super::numbers::reserve;
use super::part::check_count;
use crate::records::{Fitted, LabelsAs, PairedBy, Request, SampleKeys, SampleLabels};
use crate::{DataError, DataHash, Features, Recipe, SparseRows, Truth};

/// Chunks are a multiple of so many rows, the last one apart.
const STEP: usize = 1000;
/// Values in a chunk, about, and rows in it, at most: 32 MB.
const MAX_VALUES: usize = 1 << 23;
const MAX_STEPS: usize = 20;
/// Features from which on a chunk takes 256 MiB, and may be sparse.
const WIDE: usize = (1 << 26) / STEP;

/// Some samples in a row.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FeaturesChunk {
    /// Their features.
    pub features: Features,
    /// What they are called, if the files say it.
    pub ids: Option<Vec<String>>,
    /// Which row each is, counted from 0 over all files, if rows with missing values are left out.
    pub rows: Option<Vec<usize>>,
}

impl FeaturesChunk {
    /// Some samples of data that were read whole.
    ///
    /// # Errors
    ///
    /// [`DataError`] if there are none.
    pub fn of(data: &Dataset, rows: Range<usize>) -> Result<Self, DataError> {
        let ids = data.ids.as_ref().map(|ids| ids[rows.clone()].to_vec());
        let numbers = data.rows.as_ref().map(|numbers| numbers[rows.clone()].to_vec());
        Ok(Self { features: data.features.rows(rows, &data.name)?, ids, rows: numbers })
    }
}

/// Features of files of any size, read a chunk of rows at a time: those that
/// [`read_dataset_as`](super::read_dataset_as) would give, stacked in the same way.
///
/// # Complexity
///
/// Memory: a chunk of about 32 MB (a thousand rows, if these are more; of these the values that aren't zero, if a recipe's options have `keep_sparse` and
/// there are more than 67,000 features), 4 bytes a sample for labels, each distinct label, and all ids
/// if there are labels with ids.
/// Of an Arrow file a batch, as long as its writer made it, and of an `.npz` all ids. A sparse matrix is held as it is stored, and its rows are filled with zeros
/// a chunk at a time. What can't be read piece by piece is read whole, each file when its turn comes: arrays in Fortran order, texts and images.
///
/// # Example
///
/// ```
/// use consilience_data::{FeaturesReader, Recipe};
///
/// let mut reader = FeaturesReader::open(&["digits".into()], &[], &Recipe::default())?;
/// let mut samples = 0;
/// while let Some(chunk) = reader.next_chunk()? {
///     samples += chunk.features.n_samples();
/// }
/// assert_eq!(samples, 1797);
/// assert!(reader.truth()?.is_some());
/// # Ok::<(), consilience_data::DataError>(())
/// ```
pub struct FeaturesReader {
    name: String,
    recipe: Recipe,
    /// How numbers become features, as the recipe or the first file says.
    fitted: Fitted,
    n_samples: Option<usize>,
    width: Option<(String, usize)>,
    /// Files that haven't been read to their end; those that have to be read whole aren't open yet.
    waiting: VecDeque<Waiting>,
    /// Labels from files of their own, and what tells the samples so far apart, if there are such.
    labels: Option<SampleLabels>,
    names: Names,
    /// Labels from beside the data, of the files read so far.
    beside: Vec<Option<Truth>>,
    given: usize,
    /// Rows of the files that were read to their end, those included that were left out.
    n_read: usize,
    hash: DataHash,
    /// The files so far, and whether they say what samples are called.
    with_ids: Vec<(String, bool)>,
    notes: Vec<String>,
}

enum Waiting {
    Open(Box<Part>),
    Whole(PathBuf),
}

impl std::fmt::Debug for FeaturesReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FeaturesReader").field("name", &self.name).finish_non_exhaustive()
    }
}

impl FeaturesReader {
    /// Opens all files, which become features as `recipe` says. The truth comes from the files `labels` if there are any,
    /// else from beside the data.
    ///
    /// # Errors
    ///
    /// [`DataError`] for a file that can't be opened or understood, and widths that differ.
    pub fn open(paths: &[PathBuf], labels: &[PathBuf], recipe: &Recipe) -> Result<Self, DataError> {
        let first = paths.first().ok_or(DataError::NoFiles)?;
        let mut recipe = recipe.clone();
        complete_words(paths, &mut recipe)?;
        let recipe = &recipe;
        let labels = match labels {
            [] => None,
            labels => {
                Some(read_sample_labels(labels, &recipe.for_labels(), LabelsAs::Truth, true)?)
            }
        };
        let mut reader = Self {
            name: dataset_name(first),
            recipe: recipe.clone(),
            fitted: Fitted::of(recipe, true),
            n_samples: None,
            width: None,
            waiting: VecDeque::new(),
            with_ids: Vec::new(),
            notes: Vec::new(),
            n_read: 0,
            labels,
            names: Names::default(),
            beside: Vec::new(),
            given: 0,
            hash: DataHash::default(),
        };
        let words = recipe.inverse_document_frequencies.is_some();
        let mut known = recipe.feature_names.clone().filter(|_| !words);
        let mut n_samples = Some(0);
        for path in paths {
            let (options, wanted) = (&recipe.options, known.as_deref());
            let with_truth = reader.labels.is_none();
            let request =
                Request { options, wanted, lenient: true, with_truth, fitted: &reader.fitted };
            let is_first = reader.waiting.is_empty();
            let part = match Part::open(path, request)? {
                None if is_first => Some(Part::whole(path, recipe)?),
                part => part,
            };
            let Some(part) = part else {
                n_samples = None;
                reader.waiting.push_back(Waiting::Whole(path.clone()));
                continue;
            };
            if let Some(width) = part.width {
                reader.check_width(&part.name, width)?;
            }
            n_samples = n_samples.zip(part.n_rows).map(|(before, rows)| before + rows);
            reader.check_ids(&part)?;
            if is_first && !words && known.is_none() {
                // Columns are found by the names of the first file.
                known = part.feature_names.clone();
                reader.recipe.feature_names = known.clone();
            }
            reader.waiting.push_back(Waiting::Open(Box::new(part)));
        }
        reader.n_samples = n_samples;
        if let (Some(labels), Some(samples)) = (&reader.labels, n_samples) {
            labels.check_count(&reader.name, samples)?;
        }
        Ok(reader)
    }

    /// The first file's name without its extensions, or the embedded set's.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of samples of all files, if their headers say it.
    #[must_use]
    pub fn n_samples(&self) -> Option<usize> {
        self.n_samples
    }

    /// Number of features, and the first file whose header says it.
    #[must_use]
    pub fn width(&self) -> Option<(&str, usize)> {
        self.width.as_ref().map(|(name, columns)| (name.as_str(), *columns))
    }

    /// Whether there may be a truth at the end. Files that are read whole don't say it before.
    #[must_use]
    pub fn may_have_truth(&self) -> bool {
        let may_have = |waiting: &Waiting| match waiting {
            Waiting::Open(part) => part.may_have_truth,
            Waiting::Whole(_) => true,
        };
        self.labels.is_some() || self.waiting.iter().all(may_have)
    }

    /// The next samples; `None` after the last. All chunks but the last have the same number of rows, a multiple of 1,000.
    ///
    /// # Errors
    ///
    /// [`DataError`] for a file that is damaged, has no rows or another width, and values that aren't finite (rows counted within
    /// their file).
    pub fn next_chunk(&mut self) -> Result<Option<FeaturesChunk>, DataError> {
        let (mut values, mut names) = (Vec::new(), Names::default());
        let (mut rows, mut limit) = (0, usize::MAX);
        let (mut sparse, mut at_a_time) = (None::<SparseRows>, usize::MAX);
        let keeps_sparse = self.recipe.options.keep_sparse;
        while rows < limit {
            let n_read = self.n_read;
            let Some(part) = self.front()? else { break };
            if limit == usize::MAX {
                let width = part.width.unwrap_or(1).max(1);
                limit = STEP * (MAX_VALUES / width / STEP).clamp(1, MAX_STEPS);
                if keeps_sparse && width >= WIDE {
                    sparse = Some(SparseRows::with_capacity(limit, 0, width));
                    at_a_time = (MAX_VALUES / width).max(1);
                }
                values = reserve(at_a_time.min(limit) * width, &part.name)?;
            }
            let named = names.rows.len();
            let read = part.next((limit - rows).min(at_a_time), &mut values, &mut names)?;
            if let Some(sparse) = &mut sparse {
                for row in values.chunks(sparse.n_features()) {
                    sparse.push((0..).zip(row.iter().copied()));
                }
                values.clear();
            }
            names.rows[named..].iter_mut().for_each(|row| *row += n_read);
            if read == 0 {
                if part.given == 0 {
                    return Err(DataError::Empty { source_name: part.name.clone() });
                }
                let name = part.name.clone();
                let (truth, notes, of_part) = (part.truth()?, part.notes(), part.n_read());
                self.beside.push(truth);
                self.notes.extend(notes.into_iter().map(|note| format!("{name}: {note}")));
                self.n_read += of_part;
                self.waiting.pop_front();
                continue;
            }
            self.given += read;
            rows += read;
        }
        if rows == 0 {
            return Ok(None);
        }
        if let Some(labels) = &self.labels {
            self.names.rows.extend_from_slice(&names.rows);
            if labels.has_ids() {
                self.names.ids.extend_from_slice(&names.ids);
            }
        }
        let features = match sparse {
            Some(rows) => Features::sparse(rows, &self.name)?,
            None => {
                let shape = (rows, values.len() / rows);
                let values = Array2::from_shape_vec(shape, values).expect("whole rows");
                Features::new(values, &self.name)?
            }
        };
        self.hash.push(&features);
        let Names { ids, rows } = names;
        let (ids, rows) =
            (Some(ids).filter(|ids| !ids.is_empty()), Some(rows).filter(|rows| !rows.is_empty()));
        Ok(Some(FeaturesChunk { features, ids, rows }))
    }

    /// What a person should know of how the files were read, as far as they were read to their end.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The hash of all features so far.
    #[must_use]
    pub fn data_hash(&self) -> String {
        self.hash.finish()
    }

    /// The true classes of all samples, if known, and how labels of other files were paired with them. For scores only.
    ///
    /// # Errors
    ///
    /// As [`SampleLabels::truth_of`], and another number of labels than samples: before the last chunk, that is so.
    pub fn truth(&self) -> Result<Option<(Truth, Option<PairedBy>)>, DataError> {
        if let Some(labels) = &self.labels {
            let Names { ids, rows } = &self.names;
            let ids = Some(&ids[..]).filter(|ids| ids.len() == self.given);
            let rows = Some(&rows[..]).filter(|rows| rows.len() == self.given);
            let samples = SampleKeys::new(self.given, ids, rows);
            let (truth, by) = labels.truth_of(&self.name, &samples)?;
            return Ok(Some((truth, Some(by))));
        }
        let beside: Option<Vec<Truth>> = self.beside.iter().cloned().collect();
        let truth = beside.map(|parts| Truth::stack(&parts)).transpose()?;
        if let Some(truth) = &truth {
            check_count(truth, self.given, "labels")?;
        }
        Ok(truth.map(|truth| (truth, None)))
    }

    /// The file that is being read, opened if it wasn't.
    fn front(&mut self) -> Result<Option<&mut Part>, DataError> {
        if let Some(Waiting::Whole(path)) = self.waiting.front() {
            let part = Part::whole(path, &self.recipe)?;
            self.check_ids(&part)?;
            self.waiting[0] = Waiting::Open(Box::new(part));
        }
        if let Some(Waiting::Open(part)) = self.waiting.front_mut()
            && part.given == 0
        {
            let (name, width) = (part.name.clone(), part.find_width()?);
            self.check_width(&name, width)?;
        }
        Ok(match self.waiting.front_mut() {
            Some(Waiting::Open(part)) => Some(part),
            _ => None,
        })
    }

    /// Refuses a file that doesn't say what samples are called, where others do, or the other way round.
    fn check_ids(&mut self, part: &Part) -> Result<(), DataError> {
        self.with_ids.push((part.name.clone(), part.has_ids));
        check_ids(self.with_ids.iter().map(|(name, has_ids)| (name.as_str(), *has_ids)))
    }

    fn check_width(&mut self, name: &str, width: usize) -> Result<(), DataError> {
        let (first, first_columns) = self.width.get_or_insert_with(|| (name.into(), width));
        if *first_columns == width {
            return Ok(());
        }
        Err(DataError::WidthMismatch {
            first: first.clone(),
            first_columns: *first_columns,
            other: name.into(),
            other_columns: width,
        })
    }
}
