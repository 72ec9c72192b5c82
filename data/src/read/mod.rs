//! Reading data and labels, whatever the format.
//!
//! Every reader gives a [`Raw`] array; only this module decides what becomes [`Features`] and what [`Truth`].

mod csr;
#[cfg(feature = "hdf5")]
pub(crate) mod h5;
mod idx;
mod labels;
mod npy;
mod npz;
mod numbers;
mod source;
mod stream;
mod text;
mod votes;

use std::io::Cursor;
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayD, IxDyn};
use serde::Serialize;

pub use self::npz::read_npz;
use self::numbers::{Number, Target};
use self::source::{Format, Location, Source};
pub use self::stream::{FeaturesChunk, FeaturesReader};
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

/// What a file was understood to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PartInfo {
    /// The file, or the name of an embedded set.
    pub path: PathBuf,
    /// In words, such as `IDX, gzip, uint8`.
    pub format: String,
    /// As stored, samples first.
    pub shape: Vec<usize>,
    /// The member of an `.npz` or the dataset of an HDF5 file that was read.
    pub member: Option<String>,
    /// What separates the cells of a text file; `None` if there is one column.
    pub delimiter: Option<char>,
    /// Whether a text file starts with a header line; `None` for other formats.
    pub header: Option<bool>,
    /// Whether the file has labels beside the features.
    pub has_truth: bool,
}

impl PartInfo {
    fn new(path: &str, format: String, shape: &[usize]) -> Self {
        Self {
            path: path.into(),
            format,
            shape: shape.to_vec(),
            member: None,
            delimiter: None,
            header: None,
            has_truth: false,
        }
    }
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
    /// In C order.
    pub(crate) values: Vec<T>,
    /// From beside the data.
    pub(crate) truth: Option<Truth>,
}

/// Reads data and stacks them by rows.
///
/// A path is a file (`.npy`, `.npz`, IDX, CSV, HDF5), one of its arrays (`file.h5:/dataset`, `file.npz:member`), or the
/// name of an embedded set where no such file exists. Arrays of more than two dimensions are flattened to samples x
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
    let first = paths.first().ok_or(DataError::NoFiles)?;
    let mut parts = Vec::new();
    for path in paths {
        parts.push(read_part(path, labels.is_empty())?);
    }
    let beside: Option<Vec<Truth>> = parts.iter_mut().map(|part| part.truth.take()).collect();
    let infos: Vec<PartInfo> = parts.iter().map(|part| part.info.clone()).collect();
    let image = parts.first().and_then(|part| image(&part.info.shape));
    let image =
        image.filter(|_| parts.iter().all(|part| part.info.shape[1..] == infos[0].shape[1..]));
    let recipe = Recipe { options: options.clone(), image, ..Recipe::default() };
    let values = stack(parts)?;
    let name = dataset_name(first);
    let features = Features::new(values, &name)?;
    let truth = if labels.is_empty() {
        beside.map(|parts| Truth::stack(&parts)).transpose()?
    } else {
        let truth = read_labels(labels)?;
        let names: Vec<_> = labels.iter().map(|path| path.display().to_string()).collect();
        check_count(&truth, features.n_samples(), &names.join(", "))?;
        Some(truth)
    };
    let embedded = |path: &PathBuf| matches!(Location::resolve(path), Location::Embedded(_));
    let n_clusters = paths.iter().all(embedded).then_some(embedded::DIGITS_CLUSTERS);
    Ok(Dataset { name, features, truth, ids: None, recipe, n_clusters, parts: infos })
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
    let values = labels::whole_numbers(&raw.values).map_err(|(index, value)| {
        let source_name = source_name.clone();
        DataError::NotWhole { source_name, index, value }
    })?;
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
    paths.iter().map(|path| Ok(read_part(path, true)?.info)).collect()
}

/// One path's features and truth, both checked.
struct Part {
    info: PartInfo,
    name: String,
    values: Array2<f32>,
    truth: Option<Truth>,
}

fn read_part(path: &Path, with_truth: bool) -> Result<Part, DataError> {
    let location = Location::resolve(path);
    let name = location.name();
    let raw = read_raw::<f32>(&location, Role::Data { with_truth })?;
    let [rows, rest @ ..] = raw.shape.as_slice() else {
        return Err(not_a_table(&name, &raw.shape));
    };
    if rest.is_empty() {
        return Err(not_a_table(&name, &raw.shape));
    }
    let columns = if raw.values.is_empty() { 0 } else { rest.iter().product() };
    let values = Array2::from_shape_vec((*rows, columns), raw.values)
        .map_err(|_| not_a_table(&name, &raw.shape))?;
    Features::check(&values.view(), &name)?;
    if let Some(truth) = &raw.truth {
        check_count(truth, *rows, &format!("{name}, labels beside the data"))?;
    }
    Ok(Part { info: raw.info, name, values, truth: raw.truth })
}

/// Rows, columns and channels, if an array's shape is that of images.
fn image(shape: &[usize]) -> Option<[usize; 3]> {
    match *shape {
        [_, rows, columns] => Some([rows, columns, 1]),
        [_, rows, columns, channels @ 1..=4] => Some([rows, columns, channels]),
        _ => None,
    }
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
    if let Location::File { path, dataset: None } = &location {
        let mut source = Source::open(path)?;
        if source.format(path)? == Format::Text {
            let words = path.extension().is_some_and(|extension| extension == "txt");
            return labels::from_text(source, !words);
        }
    }
    let raw = read_raw::<Number>(&location, Role::Labels)?;
    labels::truth(&raw.shape, &raw.values, &location.name())
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

/// Stacks by rows. Parts are dropped as they are copied; a single one isn't copied at all.
fn stack(mut parts: Vec<Part>) -> Result<Array2<f32>, DataError> {
    if parts.len() == 1
        && let Some(part) = parts.pop()
    {
        return Ok(part.values);
    }
    let rows: usize = parts.iter().map(|part| part.values.nrows()).sum();
    let (first, columns) =
        parts.first().map_or((String::new(), 0), |part| (part.name.clone(), part.values.ncols()));
    let mut stacked: Vec<f32> = numbers::reserve(rows * columns, &first)?;
    for part in parts {
        if part.values.ncols() != columns {
            return Err(DataError::WidthMismatch {
                first,
                first_columns: columns,
                other: part.name,
                other_columns: part.values.ncols(),
            });
        }
        stacked.extend(part.values.iter());
    }
    let expected = stacked.len();
    Array2::from_shape_vec((rows, columns), stacked).map_err(|_| DataError::ShapeMismatch {
        what: "stacked files",
        found: vec![expected],
        expected: vec![rows, columns],
    })
}

fn check_count(truth: &Truth, samples: usize, source_name: &str) -> Result<(), DataError> {
    if truth.n_samples() == samples {
        return Ok(());
    }
    let source_name = source_name.into();
    Err(DataError::LabelCount { source_name, labels: truth.n_samples(), samples })
}

fn dataset_name(path: &Path) -> String {
    match Location::resolve(path) {
        Location::Embedded(name) => name.into(),
        Location::File { path, .. } => source::stem(&path),
    }
}
