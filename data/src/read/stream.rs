//! Features of files larger than memory, some rows at a time.
//!
//! Every format gives [`Rows`] as it can; the reader cuts chunks of equal length from those of all files, so that where one
//! file ends and the next begins changes nothing.

use std::collections::VecDeque;
use std::io::Read;
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayView2};

use super::numbers::{Encoding, append_values, count_values, expect_end, reserve};
use super::part::check_count;
use super::source::{Format, Location, Source};
use super::text::{Start, Table};
use super::{dataset_name, idx, not_a_table, npy, npz, open, read_dataset_as, read_labels};
use crate::{DataError, Features, Recipe, Truth};

/// Chunks are a multiple of so many rows, the last one apart.
const STEP: usize = 1000;
/// Values in a chunk, about, and rows in it, at most: 32 MB.
const MAX_VALUES: usize = 1 << 23;
const MAX_STEPS: usize = 20;

/// Some samples in a row.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FeaturesChunk {
    /// Their features.
    pub features: Features,
    /// What they are called, if the first file says it: a sample of a later one that doesn't is called by its row.
    pub ids: Option<Vec<String>>,
}

/// A file's rows.
trait Rows {
    /// Appends the values of the next rows, `limit` at most, and what these are called if the file says it; the number of rows.
    /// 0 after the last.
    fn next(
        &mut self,
        limit: usize,
        values: &mut Vec<f32>,
        ids: &mut Option<Vec<String>>,
    ) -> Result<usize, DataError>;
}

/// A file that was opened.
struct Part {
    name: String,
    width: usize,
    /// `None` for a table of text.
    n_rows: Option<usize>,
    rows: Box<dyn Rows>,
    /// From beside the data.
    truth: Option<Truth>,
    /// Rows given so far.
    given: usize,
}

/// Features of files of any size, read a chunk of rows at a time: those that [`read_dataset`](super::read_dataset) would
/// give, stacked in the same way.
///
/// # Complexity
///
/// Memory: a chunk of about 32 MB (a thousand rows, if these are more), and 4 bytes a sample for labels. Formats that
/// can't be read piece by piece are read whole, each file when its turn comes: sparse matrices, arrays in Fortran order,
/// and tables whose columns have to be chosen by name.
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
    n_samples: Option<usize>,
    width: Option<(String, usize)>,
    /// Files that haven't been read to their end; those that have to be read whole aren't open yet.
    waiting: VecDeque<Waiting>,
    /// Labels from files of their own; else from beside the data, of the files read so far.
    labels: Option<Truth>,
    beside: Vec<Option<Truth>>,
    given: usize,
    with_ids: bool,
}

enum Waiting {
    Open(Part),
    Whole(PathBuf),
}

impl std::fmt::Debug for FeaturesReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FeaturesReader").field("name", &self.name).finish_non_exhaustive()
    }
}

impl FeaturesReader {
    /// Opens all files, which became features as `recipe` says. The truth comes from the files `labels` if there are any,
    /// else from beside the data.
    ///
    /// # Errors
    ///
    /// [`DataError`] for a file that can't be opened or understood, and widths that differ.
    pub fn open(paths: &[PathBuf], labels: &[PathBuf], recipe: &Recipe) -> Result<Self, DataError> {
        let first = paths.first().ok_or(DataError::NoFiles)?;
        let labels = if labels.is_empty() { None } else { Some(read_labels(labels)?) };
        let mut reader = Self {
            name: dataset_name(first),
            recipe: recipe.clone(),
            n_samples: None,
            width: None,
            waiting: VecDeque::new(),
            with_ids: false,
            labels,
            beside: Vec::new(),
            given: 0,
        };
        let mut n_samples = Some(0);
        for path in paths {
            let with_truth = reader.labels.is_none();
            let part = match Part::open(path, recipe, with_truth)? {
                Some(part) => {
                    reader.check_width(&part.name, part.width)?;
                    n_samples = n_samples.zip(part.n_rows).map(|(before, rows)| before + rows);
                    Waiting::Open(part)
                }
                None => {
                    n_samples = None;
                    Waiting::Whole(path.clone())
                }
            };
            reader.waiting.push_back(part);
        }
        reader.n_samples = n_samples;
        if let (Some(labels), Some(samples)) = (&reader.labels, n_samples) {
            check_count(labels, samples, "labels")?;
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
            Waiting::Open(part) => part.truth.is_some(),
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
        let (mut values, mut ids) = (Vec::new(), None);
        let (mut rows, mut limit) = (0, usize::MAX);
        while rows < limit {
            let Some(part) = self.front()? else { break };
            let (width, before) = (part.width, values.len());
            if limit == usize::MAX {
                limit = STEP * (MAX_VALUES / width / STEP).clamp(1, MAX_STEPS);
                values = reserve(limit * width, &part.name)?;
            }
            let mut of_part = None;
            let read = part.rows.next(limit - rows, &mut values, &mut of_part)?;
            if read == 0 {
                if part.given == 0 {
                    return Err(DataError::Empty { source_name: part.name.clone() });
                }
                let truth = part.truth.take();
                self.beside.push(truth);
                self.waiting.pop_front();
                continue;
            }
            part.check(&values[before..])?;
            part.given += read;
            self.name_rows(read, of_part, &mut ids);
            self.given += read;
            rows += read;
        }
        if rows == 0 {
            return Ok(None);
        }
        let width = values.len() / rows;
        let values = Array2::from_shape_vec((rows, width), values).expect("whole rows");
        Ok(Some(FeaturesChunk { features: Features::new(values, &self.name)?, ids }))
    }

    /// The true classes of all samples, if known. For scores only.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] for another number of labels than samples: before the last chunk, that is so.
    pub fn truth(&self) -> Result<Option<Truth>, DataError> {
        let truth = match &self.labels {
            Some(labels) => Some(labels.clone()),
            None => {
                let beside: Option<Vec<Truth>> = self.beside.iter().cloned().collect();
                beside.map(|parts| Truth::stack(&parts)).transpose()?
            }
        };
        if let Some(truth) = &truth {
            check_count(truth, self.given, "labels")?;
        }
        Ok(truth)
    }

    /// The file that is being read, opened if it wasn't.
    fn front(&mut self) -> Result<Option<&mut Part>, DataError> {
        if let Some(Waiting::Whole(path)) = self.waiting.front() {
            let part = Part::whole(path, &self.recipe)?;
            self.check_width(&part.name, part.width)?;
            self.waiting[0] = Waiting::Open(part);
        }
        Ok(match self.waiting.front_mut() {
            Some(Waiting::Open(part)) => Some(part),
            _ => None,
        })
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

    /// Adds what `rows` further samples are called, if the first was called anything.
    fn name_rows(
        &mut self,
        rows: usize,
        found: Option<Vec<String>>,
        ids: &mut Option<Vec<String>>,
    ) {
        self.with_ids = if self.given == 0 { found.is_some() } else { self.with_ids };
        if self.with_ids {
            let numbers = || (self.given..self.given + rows).map(|row| row.to_string()).collect();
            ids.get_or_insert_default().extend(found.unwrap_or_else(numbers));
        }
    }
}

impl Part {
    /// Opens a file that can be read piece by piece; `None` for one that can't.
    fn open(path: &Path, recipe: &Recipe, with_truth: bool) -> Result<Option<Self>, DataError> {
        let Location::File { path, dataset } = Location::resolve(path) else { return Ok(None) };
        if path.is_dir() {
            return Ok(None);
        }
        let (source, format) = open(&path, dataset.as_deref())?;
        match format {
            Format::Npy => Self::of_npy(source),
            Format::Idx => Self::of_idx(source),
            Format::Npz => Self::of_npz(&path, dataset.as_deref(), with_truth),
            Format::Text => Self::of_text(source, recipe),
            Format::Hdf5 => Self::of_hdf5(&path, dataset.as_deref()),
            _ => Ok(None),
        }
    }

    /// Reads a whole file. Formats that could be read piece by piece one day are all here.
    fn whole(path: &Path, recipe: &Recipe) -> Result<Self, DataError> {
        let name = Location::resolve(path).name();
        let data = read_dataset_as(&[path.into()], &[], recipe)?;
        let (n_rows, width) = (data.features.n_samples(), data.features.n_features());
        let rows = Whole { features: data.features, ids: data.ids, next: 0 };
        let (rows, truth) = (Box::new(rows), data.truth);
        Ok(Self { name, width, n_rows: Some(n_rows), rows, truth, given: 0 })
    }

    fn of_npy(mut source: Source) -> Result<Option<Self>, DataError> {
        source.expect_magic(Format::Npy, ".npy")?;
        let header = npy::Header::read(&mut source.reader, &source.name)?;
        Self::of_array(source.name, header, source.available, source.reader)
    }

    fn of_idx(mut source: Source) -> Result<Option<Self>, DataError> {
        let idx::Header { encoding, shape, len } = idx::Header::read(&mut source)?;
        let values = Values { reader: source.reader, encoding, position: len, expected: 0 };
        Self::of_values(source.name, &shape, source.available, values)
    }

    fn of_npz(
        path: &Path,
        member: Option<&str>,
        with_truth: bool,
    ) -> Result<Option<Self>, DataError> {
        let Some(mut streamed) = npz::stream(path, member, with_truth)? else { return Ok(None) };
        let header = npy::Header::read(&mut streamed.reader, &streamed.name)?;
        let part = Self::of_array(streamed.name, header, streamed.available, streamed.reader)?;
        Ok(part.map(|part| Self { truth: streamed.truth, ..part }))
    }

    fn of_array(
        name: String,
        header: npy::Header,
        available: u64,
        reader: Box<dyn Read>,
    ) -> Result<Option<Self>, DataError> {
        if header.fortran_order {
            return Ok(None);
        }
        let (encoding, position) = (header.encoding(&name)?, header.len);
        let values = Values { reader, encoding, position, expected: 0 };
        Self::of_values(name, &header.shape, available, values)
    }

    /// `available`: bytes that there can be, those before the values included.
    fn of_values<R: Read + 'static>(
        name: String,
        shape: &[usize],
        available: u64,
        mut values: Values<R>,
    ) -> Result<Option<Self>, DataError> {
        let (n_rows, width) = table(shape, &name)?;
        let (size, before) = (values.encoding.kind.size(), values.position);
        let room = available.saturating_sub(before);
        let count = count_values(shape, size, before, room, &name)?;
        values.expected = before + (count * size) as u64;
        let rows = Box::new(Array { name: name.clone(), width, left: n_rows, values });
        Ok(Some(Self { name, width, n_rows: Some(n_rows), rows, truth: None, given: 0 }))
    }

    fn of_text(source: Source, recipe: &Recipe) -> Result<Option<Self>, DataError> {
        let start = Start::read(source, |_| false)?;
        let named = recipe.feature_names.as_ref();
        let same = named.is_none() || start.header.is_none() || named == start.header.as_ref();
        if recipe.options != crate::ReadOptions::default() || !same {
            return Ok(None);
        }
        let (name, width) = (start.lines.source.name.clone(), start.columns);
        let rows = Box::new(Text { name: name.clone(), start });
        Ok(Some(Self { name, width, n_rows: None, rows, truth: None, given: 0 }))
    }

    #[cfg(feature = "hdf5")]
    fn of_hdf5(path: &Path, dataset: Option<&str>) -> Result<Option<Self>, DataError> {
        let slabs = super::h5::Slabs::open(path, dataset)?;
        let (n_rows, width) = table(&slabs.shape(), slabs.name())?;
        let name = slabs.name().to_owned();
        let rows = Box::new(Hdf5 { slabs, width, block: Vec::new(), used: 0 });
        Ok(Some(Self { name, width, n_rows: Some(n_rows), rows, truth: None, given: 0 }))
    }

    #[cfg(not(feature = "hdf5"))]
    fn of_hdf5(path: &Path, _dataset: Option<&str>) -> Result<Option<Self>, DataError> {
        Err(DataError::WithoutHdf5 { source_name: path.display().to_string() })
    }

    /// Refuses values that aren't finite, in the rows that were read last.
    fn check(&self, values: &[f32]) -> Result<(), DataError> {
        let view = ArrayView2::from_shape((values.len() / self.width, self.width), values);
        Features::check(&view.expect("whole rows"), &self.name).map_err(|error| match error {
            DataError::NotFinite { source_name, row, column, value } => {
                DataError::NotFinite { source_name, row: row + self.given, column, value }
            }
            other => other,
        })
    }
}

/// Rows and columns of an array whose first axis is that of the samples.
fn table(shape: &[usize], name: &str) -> Result<(usize, usize), DataError> {
    let [rows, rest @ ..] = shape else { return Err(not_a_table(name, shape)) };
    if rest.is_empty() {
        return Err(not_a_table(name, shape));
    }
    let width = rest.iter().fold(1_usize, |width, &length| width.saturating_mul(length));
    if *rows == 0 || width == 0 {
        return Err(DataError::Empty { source_name: name.into() });
    }
    Ok((*rows, width))
}

/// Stored numbers, from one byte of a file on.
struct Values<R> {
    reader: R,
    encoding: Encoding,
    /// Bytes read so far, and those that there are.
    position: u64,
    expected: u64,
}

/// An array in C order.
struct Array<R> {
    name: String,
    width: usize,
    /// Rows that haven't been read.
    left: usize,
    values: Values<R>,
}

impl<R: Read> Rows for Array<R> {
    fn next(
        &mut self,
        limit: usize,
        values: &mut Vec<f32>,
        _ids: &mut Option<Vec<String>>,
    ) -> Result<usize, DataError> {
        let rows = limit.min(self.left);
        if rows == 0 {
            return Ok(0);
        }
        let Values { reader, encoding, position, expected } = &mut self.values;
        let count = rows * self.width;
        append_values(reader, *encoding, count, (*position, *expected), &self.name, values)?;
        *position += (count * encoding.kind.size()) as u64;
        self.left -= rows;
        if self.left == 0 {
            expect_end(reader, *expected, &self.name)?;
        }
        Ok(rows)
    }
}

/// A table of text.
struct Text {
    name: String,
    start: Start,
}

impl Rows for Text {
    fn next(
        &mut self,
        limit: usize,
        values: &mut Vec<f32>,
        _ids: &mut Option<Vec<String>>,
    ) -> Result<usize, DataError> {
        let Start { lines, separator, columns, .. } = &mut self.start;
        let mut table = Table::new(&self.name, *separator, *columns, std::mem::take(values));
        let mut rows = 0;
        while rows < limit {
            let Some(row) = lines.next()? else { break };
            table.push(&row)?;
            rows += 1;
        }
        *values = table.values;
        Ok(rows)
    }
}

/// A dataset of an HDF5 file, read in whole chunks, as each is unpacked every time that a part of it is asked for.
#[cfg(feature = "hdf5")]
struct Hdf5 {
    slabs: super::h5::Slabs,
    width: usize,
    /// Rows that were read, and how many of their values have been given.
    block: Vec<f32>,
    used: usize,
}

#[cfg(feature = "hdf5")]
impl Rows for Hdf5 {
    fn next(
        &mut self,
        limit: usize,
        values: &mut Vec<f32>,
        _ids: &mut Option<Vec<String>>,
    ) -> Result<usize, DataError> {
        if self.used == self.block.len() {
            self.block.clear();
            self.used = 0;
            self.slabs.next(&mut self.block)?;
        }
        let taken = (limit * self.width).min(self.block.len() - self.used);
        values.extend_from_slice(&self.block[self.used..self.used + taken]);
        self.used += taken;
        Ok(taken / self.width)
    }
}

/// A file that is in memory.
struct Whole {
    features: Features,
    ids: Option<Vec<String>>,
    next: usize,
}

impl Rows for Whole {
    fn next(
        &mut self,
        limit: usize,
        values: &mut Vec<f32>,
        ids: &mut Option<Vec<String>>,
    ) -> Result<usize, DataError> {
        let rows = self.next..(self.next.saturating_add(limit)).min(self.features.n_samples());
        let width = self.features.n_features();
        values.extend_from_slice(&self.features.as_slice()[rows.start * width..rows.end * width]);
        *ids = self.ids.as_ref().map(|ids| ids[rows.clone()].to_vec());
        self.next = rows.end;
        Ok(rows.len())
    }
}
