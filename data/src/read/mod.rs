//! Reading data and labels, whatever the format.
//!
//! Every reader gives a [`Raw`] array; only this module decides what becomes [`Features`] and what [`Truth`].

mod arrow;
mod arrow_cells;
mod arrow_lengths;
mod assemble;
mod collection;
mod columns;
mod csr;
mod delimited;
#[cfg(feature = "hdf5")]
pub(crate) mod h5;
mod idx;
mod images;
mod json_lines;
mod labels;
mod no_panic;
mod npy;
mod npz;
mod numbers;
mod parquet;
mod part;
mod record_batches;
mod source;
mod stop_words;
mod stream;
mod strings;
mod table;
mod text;
mod texts;
mod tf_idf;
mod votes;

use std::io::Cursor;
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayD, IxDyn};

use self::collection::Store;
use self::csr::Csr;
use self::no_panic::no_panic;
pub use self::npz::read_npz;
use self::numbers::{Number, Target};
use self::part::{Content, Part, Request};
pub use self::part::{ImagesInfo, PartInfo};
use self::source::{Format, Location, Source};
pub use self::stream::{FeaturesChunk, FeaturesReader};
use self::table::OpenTable;
pub use self::votes::{VotesChunk, VotesInfo, VotesReader};
use crate::{DataError, Features, ReadOptions, Recipe, Truth, embedded};

/// Samples to be clustered, with what their files say about them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Dataset {
    /// Name of the first file without its extensions, or of the embedded set.
    pub name: String,
    /// The features of all files, one file's rows after the other's.
    pub features: Features,
    /// The classes, if known. For scores only.
    pub truth: Option<Truth>,
    /// What samples are called, length n_samples, if files say it; else a sample is its row.
    pub ids: Option<Vec<String>>,
    /// How the files became features.
    pub recipe: Recipe,
    /// Number of clusters that an embedded set declares.
    pub n_clusters: Option<usize>,
    /// What each file is, in order.
    pub parts: Vec<PartInfo>,
}

/// What a file is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Features, and the labels beside them if asked for.
    Data { with_truth: bool },
    /// Labels alone.
    Labels,
}

/// An array as read.
pub(crate) struct Raw<T> {
    pub(crate) info: PartInfo,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Values<T>,
    /// From beside the data.
    pub(crate) truth: Option<Truth>,
    /// What samples are called, from beside the data.
    pub(crate) ids: Option<Vec<String>>,
    /// What features are called, from beside the data.
    pub(crate) feature_names: Option<Vec<String>>,
}

impl<T> Raw<T> {
    /// Values alone, in C order.
    pub(crate) fn new(info: PartInfo, shape: Vec<usize>, values: Vec<T>) -> Self {
        let values = Values::Dense(values);
        Self { info, shape, values, truth: None, ids: None, feature_names: None }
    }
}

/// The values of an array.
pub(crate) enum Values<T> {
    /// All of them, in C order.
    Dense(Vec<T>),
    /// Those of a matrix that aren't zero.
    Sparse(Csr),
}

impl<T: Target> Values<T> {
    /// All values in C order.
    pub(crate) fn into_dense(self, source_name: &str) -> Result<Vec<T>, DataError> {
        match self {
            Self::Dense(values) => Ok(values),
            Self::Sparse(matrix) => {
                let dense = matrix.into_dense(source_name)?.into_iter();
                Ok(dense.map(|value| T::from_float(f64::from(value))).collect())
            }
        }
    }
}

/// Reads data and stacks them by rows.
///
/// A path is a file (`.npy`, `.npz`, IDX, CSV, HDF5, Parquet, Arrow, JSON Lines, texts), one of its arrays (`file.h5:/dataset`,
/// `file.npz:member`), a folder or `.zip` of images or texts, or the name of an embedded set where no such file exists. Arrays of more than two dimensions are flattened to samples x
/// features. Values are converted to `f32` as they are, without scaling.
///
/// The truth comes from the files `labels` if there are any, else from beside the data if it is there for
/// every path. Nothing is beside an array that was chosen.
///
/// # Errors
///
/// [`DataError`] for a file that can't be read or understood, values that aren't finite (rows counted within
/// their file), widths that differ, and another number of labels than samples.
pub fn read_dataset(paths: &[PathBuf], labels: &[PathBuf]) -> Result<Dataset, DataError> {
    read_dataset_with(paths, labels, &ReadOptions::default())
}

/// As [`read_dataset`], for files that don't say everything themselves.
///
/// # Errors
///
/// As [`read_dataset`].
pub fn read_dataset_with(
    paths: &[PathBuf],
    labels: &[PathBuf],
    options: &ReadOptions,
) -> Result<Dataset, DataError> {
    let recipe = Recipe { options: options.clone(), ..Recipe::default() };
    assemble::dataset(paths, labels, recipe, false)
}

/// Reads data as other data were read: the same columns (found by name where there are names), the same words with the same
/// weights, images of the same size and channels. Columns of ids and labels may be missing.
///
/// # Errors
///
/// As [`read_dataset`]; and [`DataError::MissingColumn`] for a feature that isn't there.
pub fn read_dataset_as(
    paths: &[PathBuf],
    labels: &[PathBuf],
    recipe: &Recipe,
) -> Result<Dataset, DataError> {
    assemble::dataset(paths, labels, recipe.clone(), true)
}

/// Reads labels and stacks them: whole numbers of shape (n), (n, 1) or (1, n) from any format, or words
/// from a text file with one a line.
///
/// # Errors
///
/// [`DataError`] for a file that can't be read or understood, and labels that are missing or not whole.
pub fn read_labels(paths: &[PathBuf]) -> Result<Truth, DataError> {
    if paths.is_empty() {
        return Err(DataError::NoFiles);
    }
    let parts: Result<Vec<Truth>, DataError> = paths.iter().map(|path| read_truth(path)).collect();
    match parts?.as_mut_slice() {
        [only] => Ok(only.clone()),
        parts => Truth::stack(parts),
    }
}

/// Reads an array of whole numbers in any format, of its own shape: votes of other tools, for example.
///
/// # Errors
///
/// [`DataError`] for a file that can't be read or understood, and for values that aren't whole numbers.
pub fn read_integers(path: &Path) -> Result<ArrayD<i64>, DataError> {
    let location = Location::resolve(path);
    let raw = read_raw::<Number>(&location, Role::Data { with_truth: false })?;
    let source_name = location.name();
    let values = labels::whole_numbers(&raw.values.into_dense(&source_name)?).map_err(
        |(index, value)| {
            let source_name = source_name.clone();
            DataError::NotWhole { source_name, index, value }
        },
    )?;
    let corrupt = |error: ndarray::ShapeError| DataError::Corrupt {
        source_name: location.name(),
        problem: error.to_string(),
    };
    ArrayD::from_shape_vec(IxDyn(&raw.shape), values).map_err(corrupt)
}

/// Reads every file as [`read_dataset`] does, and says what it is. Widths may differ.
///
/// # Errors
///
/// [`DataError`] for the first file that can't be read or understood.
pub fn describe(paths: &[PathBuf]) -> Result<Vec<PartInfo>, DataError> {
    let mut parts = Vec::new();
    for path in paths {
        parts.extend(read_dataset(std::slice::from_ref(path), &[])?.parts);
    }
    Ok(parts)
}

/// Reads what one path holds, and checks it.
fn read_part(path: &Path, request: Request<'_>) -> Result<Part, DataError> {
    let location = Location::resolve(path);
    let part = match &location {
        Location::File { path, dataset: None } => read_table(path, request)?,
        _ => None,
    };
    let part = part.map_or_else(|| read_array(&location, request), Ok)?;
    part.check()?;
    Ok(part)
}

/// Reads what isn't an array alone: columns that can be ids, labels or texts. `None` if the path is no such thing.
fn read_table(path: &Path, request: Request<'_>) -> Result<Option<Part>, DataError> {
    if path.is_dir() {
        return collection::read(Store::Folder(path.into()), request).map(Some);
    }
    let mut source = Source::open(path)?;
    match source.format(path)? {
        Format::Text if may_be_texts(path) && texts::is_texts(&mut source, request)? => {
            texts::read(source).map(Some)
        }
        Format::Npz if is_zip_of_files(path)? => {
            collection::read(Store::Zip(path.into()), request).map(Some)
        }
        format => match open_table(source, format, path, request)? {
            Some(table) => table.read(request.with_truth).map(Some),
            None => Ok(None),
        },
    }
}

/// Opens a table of rows; `None` for an array.
fn open_table(
    source: Source,
    format: Format,
    path: &Path,
    request: Request<'_>,
) -> Result<Option<OpenTable>, DataError> {
    let name = source.name.clone();
    match format {
        Format::Text => delimited::open(source, request),
        Format::Parquet => no_panic(&name, parquet::WHAT, || parquet::open(source, path, request)),
        Format::Arrow => no_panic(&name, arrow::WHAT, || arrow::open(source, path, request)),
        Format::JsonLines => json_lines::open(source, request),
        Format::Npy | Format::Npz | Format::Idx | Format::Hdf5 => return Ok(None),
    }
    .map(Some)
}

/// Whether a zip archive holds something else than arrays, and isn't called as if it did.
fn is_zip_of_files(path: &Path) -> Result<bool, DataError> {
    let is_npz = path.extension().is_some_and(|extension| extension == "npz");
    Ok(!is_npz && !npz::has_arrays(path)?)
}

/// Whether a text file may be one of texts rather than a table.
fn may_be_texts(path: &Path) -> bool {
    let name = path.to_string_lossy().to_lowercase();
    name.strip_suffix(".gz").unwrap_or(&name).ends_with(".txt")
}

/// Reads an array of numbers, samples first, with the names, ids and labels beside it.
fn read_array(location: &Location, request: Request<'_>) -> Result<Part, DataError> {
    let name = location.name();
    let raw = read_raw::<f32>(location, Role::Data { with_truth: request.with_truth })?;
    let [rows, rest @ ..] = raw.shape.as_slice() else {
        return Err(not_a_table(&name, &raw.shape));
    };
    if rest.is_empty() {
        return Err(not_a_table(&name, &raw.shape));
    }
    let content = match raw.values {
        Values::Sparse(matrix) => Content::Sparse(matrix),
        Values::Dense(values) => {
            let columns = if values.is_empty() { 0 } else { rest.iter().product() };
            let values = Array2::from_shape_vec((*rows, columns), values);
            Content::Dense(values.map_err(|_| not_a_table(&name, &raw.shape))?)
        }
    };
    let Raw { info, truth, ids, feature_names, .. } = raw;
    Ok(Part { info, name, content, truth, ids, feature_names })
}

fn not_a_table(source_name: &str, shape: &[usize]) -> DataError {
    DataError::Dimensions {
        source_name: source_name.into(),
        found: shape.to_vec(),
        expected: "two dimensions or more, samples first",
    }
}

fn read_truth(path: &Path) -> Result<Truth, DataError> {
    let location = Location::resolve(path);
    let name = location.name();
    if let Location::File { path, dataset: None } = &location {
        if path.is_dir() {
            return truth_beside(path, name);
        }
        let mut source = Source::open(path)?;
        match source.format(path)? {
            Format::Text => {
                let words = path.extension().is_some_and(|extension| extension == "txt");
                return labels::from_text(source, !words);
            }
            Format::Parquet | Format::Arrow | Format::JsonLines => return truth_beside(path, name),
            Format::Npz if is_zip_of_files(path)? => return truth_beside(path, name),
            Format::Npy | Format::Npz | Format::Idx | Format::Hdf5 => {}
        }
    }
    let raw = read_raw::<Number>(&location, Role::Labels)?;
    labels::truth(&raw.shape, &raw.values.into_dense(&name)?, &name)
}

/// The labels beside data of other formats than arrays.
fn truth_beside(path: &Path, source_name: String) -> Result<Truth, DataError> {
    let options = ReadOptions::default();
    let request = Request { options: &options, wanted: None, lenient: false, with_truth: true };
    read_part(path, request)?.truth.ok_or(DataError::NoLabels { source_name })
}

fn read_raw<T: Target>(location: &Location, role: Role) -> Result<Raw<T>, DataError> {
    let (path, dataset) = match location {
        Location::Embedded(name) => {
            let bytes = embedded::DIGITS;
            let mut raw = npz::read(Cursor::new(bytes), bytes.len() as u64, name, None, role)?;
            raw.info.format = format!("embedded set, {}", raw.info.format);
            return Ok(raw);
        }
        Location::File { path, dataset } => (path, dataset),
    };
    let (source, format) = open(path, dataset.as_deref())?;
    match format {
        Format::Npy => npy::read(source),
        Format::Idx => idx::read(source),
        Format::Text => text::read(source),
        Format::Npz => {
            let member = dataset.as_deref();
            npz::read(source::reopen(path)?, source.len, &source.name, member, role)
        }
        Format::Hdf5 => read_hdf5(path, dataset.as_deref(), role),
        Format::Parquet | Format::Arrow | Format::JsonLines => Err(not_an_array(&source)),
    }
}

/// A table with columns of several types in the place of an array.
fn not_an_array(source: &Source) -> DataError {
    DataError::Unsupported {
        source_name: source.name.clone(),
        found: "a table with columns of several types".into(),
        supported: "an array of numbers (.npy, .npz, HDF5, CSV)",
    }
}

/// Opens a file and recognises its format; only HDF5 and `.npz` have something to choose from.
fn open(path: &Path, dataset: Option<&str>) -> Result<(Source, Format), DataError> {
    let mut source = Source::open(path)?;
    let format = source.format(path)?;
    match (format, dataset) {
        (Format::Hdf5, _) => source.expect_magic(format, "HDF5")?,
        (Format::Npz, _) => source.expect_magic(format, ".npz (a zip archive)")?,
        (_, Some(dataset)) => {
            let source_name = format!("{}:{dataset}", source.name);
            return Err(DataError::NothingToChoose { source_name });
        }
        _ => {}
    }
    Ok((source, format))
}

#[cfg(feature = "hdf5")]
fn read_hdf5<T: Target>(
    path: &Path,
    dataset: Option<&str>,
    role: Role,
) -> Result<Raw<T>, DataError> {
    h5::read(path, dataset, role)
}

/// Opens a file and checks that it starts like HDF5, for errors clearer than the library's.
#[cfg(feature = "hdf5")]
pub(crate) fn check_hdf5(path: &Path) -> Result<(), DataError> {
    Source::open(path)?.expect_magic(Format::Hdf5, "HDF5")
}

#[cfg(not(feature = "hdf5"))]
fn read_hdf5<T: Target>(
    path: &Path,
    _dataset: Option<&str>,
    _role: Role,
) -> Result<Raw<T>, DataError> {
    Err(DataError::WithoutHdf5 { source_name: path.display().to_string() })
}

fn dataset_name(path: &Path) -> String {
    match Location::resolve(path) {
        Location::Embedded(name) => name.into(),
        // `.` has a name, too, and a folder no extension.
        Location::File { path, .. } if path.is_dir() => {
            let path = path.canonicalize().unwrap_or(path);
            path.file_name().map_or("data".into(), |name| name.to_string_lossy().into())
        }
        Location::File { path, .. } => source::stem(&path),
    }
}
