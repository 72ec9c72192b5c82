//! What one path holds: its format recognised, and read as that.

use std::io::Cursor;
use std::path::Path;

use ndarray::Array2;

use super::collection::{self, Store};
#[cfg(feature = "hdf5")]
use super::h5;
use super::no_panic::no_panic;
use super::numbers::{Number, Target};
use super::part::{Content, Part};
use super::source::{self, Format, Location, Source};
use super::{
    Raw, Role, Values, arrow, delimited, idx, json_lines, labels, npy, npz, parquet, text, texts,
};
use crate::records::{Features, Fitted, Records, Request, Samples, Table};
use crate::{DataError, ReadOptions, Truth, embedded};

/// Reads what one path holds, and checks it.
pub(super) fn read_part(path: &Path, request: Request<'_>) -> Result<Part, DataError> {
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
            texts::read(source, request.options.encoding.as_deref()).map(Some)
        }
        Format::Npz if is_zip_of_files(path)? => {
            collection::read(Store::Zip(path.into()), request).map(Some)
        }
        format => match open_table(format, path, request)? {
            Some(table) => read_all(table, request).map(Some),
            None => Ok(None),
        },
    }
}

/// All rows of a table.
fn read_all(mut table: Table, request: Request<'_>) -> Result<Part, DataError> {
    let (missing, fitted) = (request.options.missing, request.fitted.clone());
    let samples = Samples::read(&mut table, missing, fitted);
    let samples = samples.map_err(|error| table.explain(error))?;
    let mut info = table.info.clone();
    info.notes.extend(samples.notes(&table));
    let truth = samples.truth(&table, request.with_truth, &mut info)?;
    info.columns = table.columns(&samples);
    let (name, n_rows) = (table.schema.name.clone(), samples.n_rows);
    let feature_names = table.feature_names();
    let named = table.roles.id.is_some() || samples.names_rows(&table);
    let ids = named.then_some(samples.ids);
    let content = match table.roles.features {
        Features::Text(_) => Content::Texts(samples.texts),
        _ => Content::Dense(Samples::features(samples.values, n_rows, &name)?),
    };
    info.shape = match table.roles.features {
        Features::Text(_) => vec![n_rows],
        Features::List(_) => vec![n_rows, content.n_features().unwrap_or(0)],
        Features::Columns(_) => vec![n_rows, table.schema.columns.len()],
    };
    Ok(Part { info, name, content, truth, ids, feature_names, fitted: samples.fitted })
}

/// Opens a table of rows, and decides what its columns are for; `None` for an array.
pub(super) fn open_table(
    format: Format,
    path: &Path,
    request: Request<'_>,
) -> Result<Option<Table>, DataError> {
    if matches!(format, Format::Npy | Format::Npz | Format::Idx | Format::Hdf5) {
        return Ok(None);
    }
    let (path, options) = (path.to_owned(), request.options.clone());
    let again = move || open_records(Source::open(&path)?, format, &path, &options);
    Table::new(Box::new(again), request).map(Some)
}

/// Opens a source of rows.
fn open_records(
    source: Source,
    format: Format,
    path: &Path,
    options: &ReadOptions,
) -> Result<Records, DataError> {
    let name = source.name.clone();
    match format {
        Format::Text => delimited::open(source, options),
        Format::Parquet => no_panic(&name, parquet::WHAT, || parquet::open(source, path)),
        Format::Arrow => no_panic(&name, arrow::WHAT, || arrow::open(source, path)),
        Format::JsonLines => json_lines::open(source, options),
        Format::Npy | Format::Npz | Format::Idx | Format::Hdf5 => Err(not_an_array(&source)),
    }
}

/// Whether a zip archive holds something else than arrays, and isn't called as if it did.
pub(super) fn is_zip_of_files(path: &Path) -> Result<bool, DataError> {
    let is_npz = path.extension().is_some_and(|extension| extension == "npz");
    Ok(!is_npz && !npz::has_arrays(path)?)
}

/// Whether a text file may be one of texts rather than a table.
pub(super) fn may_be_texts(path: &Path) -> bool {
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
    Ok(Part { info, name, content, truth, ids, feature_names, fitted: Fitted::default() })
}

pub(super) fn not_a_table(source_name: &str, shape: &[usize]) -> DataError {
    DataError::Dimensions {
        source_name: source_name.into(),
        found: shape.to_vec(),
        expected: "two dimensions or more, samples first",
    }
}

pub(super) fn read_truth(path: &Path) -> Result<Truth, DataError> {
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
    let fitted = Fitted::default();
    let request = Request {
        options: &options,
        wanted: None,
        lenient: false,
        with_truth: true,
        fitted: &fitted,
    };
    read_part(path, request)?.truth.ok_or(DataError::NoLabels { source_name })
}

pub(super) fn read_raw<T: Target>(location: &Location, role: Role) -> Result<Raw<T>, DataError> {
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
pub(super) fn not_an_array(source: &Source) -> DataError {
    DataError::Unsupported {
        source_name: source.name.clone(),
        found: "a table with columns of several types".into(),
        supported: "an array of numbers (.npy, .npz, HDF5, CSV)",
    }
}

/// Opens a file and recognises its format; only HDF5 and `.npz` have something to choose from.
pub(super) fn open(path: &Path, dataset: Option<&str>) -> Result<(Source, Format), DataError> {
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
