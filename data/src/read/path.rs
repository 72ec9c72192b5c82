//! What one path holds: its format recognised, and read as that.

use std::path::Path;

use super::archive_bytes::Bytes;
use super::collection;
#[cfg(feature = "parquet")]
use super::columnar;
use super::part::{Content, Part};
use super::source::{Format, Location, Role, Source, Stamp, unpacked_name};
use super::store::Store;
use super::strings::Cells;
#[cfg(feature = "hdf5")]
use super::{anndata, h5};
use super::{delimited, idx, json_lines, npy, npz, strings, texts};
use crate::memory::budget;
use crate::records::{Features, Like, Records, Request, Samples, Table};
use crate::{DataError, Missing, ReadOptions, embedded};

/// Reads what one path holds.
pub(super) fn read_part(path: &Path, request: Request<'_>) -> Result<Part, DataError> {
    let location = Location::resolve(path);
    let stamp = Stamp::of(&location);
    let part = match files(&location, request)? {
        Some(Files::Many(store)) => collection::read(store, request)?,
        Some(Files::Texts(source)) => {
            let source = source.with_end(budget(request.options.max_memory));
            texts::read(source, request.options.encoding.as_deref())?
        }
        None => read_all(open_table(&location, request)?, request)?,
    };
    stamp.check(&location)?;
    Ok(part)
}

/// What is no table and no array.
pub(super) enum Files {
    /// Images or texts, a file each.
    Many(Store),
    /// A text a line.
    Texts(Box<Source>),
}

/// What a path holds, if it is no table and no array.
pub(super) fn files(location: &Location, request: Request<'_>) -> Result<Option<Files>, DataError> {
    let Location::File { path, dataset: None } = location else { return Ok(None) };
    if path.is_dir() {
        return Ok(Some(Files::Many(Store::Folder(path.into()))));
    }
    let mut source = Source::open(path)?;
    Ok(match source.format(path)? {
        Format::Text if may_be_texts(path) && texts::is_texts(&mut source, request)? => {
            Some(Files::Texts(Box::new(source)))
        }
        Format::Npz if is_zip_of_files(path)? => Some(Files::Many(Store::Zip(path.into()))),
        _ => None,
    })
}

/// Values that are kept of every column, whatever is stored in it, while sparse rows are read and looked at: about so many.
const OF_A_COLUMN: u64 = 256;

/// All rows of a table.
fn read_all(mut table: Table, request: Request<'_>) -> Result<Part, DataError> {
    if let (Some(rows), Some(width)) = (table.n_rows(), table.n_features()) {
        // Refused before it is read.
        let rows = if table.may_stay_sparse() { OF_A_COLUMN } else { rows as u64 };
        table.check_size(rows, width as u64)?;
    }
    let (missing, fitted) = (request.options.missing, request.fitted.clone());
    let samples = Samples::read(&mut table, missing, fitted);
    let samples = samples.map_err(|error| table.explain(error))?;
    let mut info = table.info.clone();
    info.notes.extend(samples.notes(&table));
    let truth = samples.truth(&table, request.with_truth, &mut info)?;
    if table.schema.array.is_none() {
        info.columns = samples.columns(&table);
    }
    let (name, n_rows) = (table.schema.name.clone(), samples.n_rows);
    let feature_names = table.feature_names();
    let ids = table.roles.id.map(|_| samples.ids);
    let rows = (missing == Missing::Drop).then_some(samples.rows);
    let content = match (&table.roles.features, samples.sparse) {
        (Features::Text(_), _) => Content::Texts(samples.texts),
        (_, Some(rows)) => Content::Sparse(rows),
        (_, None) => Content::Dense(Samples::features(samples.values, n_rows, &name)?),
    };
    info.shape = match table.roles.features {
        _ if table.schema.array.is_some() => info.shape,
        Features::Text(_) => vec![n_rows],
        Features::List(_) => vec![n_rows, content.n_features().unwrap_or(0)],
        Features::Columns(_) => vec![n_rows, table.schema.columns.len()],
    };
    let (n_rows, mut fitted) = (samples.n_read, samples.fitted);
    let [id_column, vector_column] = table.roles.names_for_others(&table.schema);
    fitted.id_column = fitted.id_column.or(id_column);
    fitted.vector_column = fitted.vector_column.or(vector_column);
    Ok(Part { info, name, content, truth, ids, rows, n_rows, feature_names, fitted })
}

/// Opens a table or an array, and decides what its columns are for.
pub(super) fn open_table(location: &Location, request: Request<'_>) -> Result<Table, DataError> {
    let (location, options, like) = (location.clone(), request.options.clone(), request.like());
    let again = Box::new(move || open_like(&location, &options, &like));
    let mut table = Table::new(again, request)?;
    table.budget = budget(request.options.max_memory);
    Ok(table)
}

/// Opens a table or an array, nothing decided.
pub(super) fn open_records(
    location: &Location,
    options: &ReadOptions,
) -> Result<Records, DataError> {
    open_like(location, options, &Like::default())
}

fn open_like(
    location: &Location,
    options: &ReadOptions,
    like: &Like,
) -> Result<Records, DataError> {
    let (path, dataset) = match location {
        Location::Embedded(name) => {
            let mut records = npz::open(Bytes::Embedded(embedded::DIGITS), name, None)?;
            records.info.format = format!("embedded set, {}", records.info.format);
            return Ok(records);
        }
        Location::File { path, dataset } => (path, dataset.as_deref()),
    };
    let (source, format) = open(path, dataset)?;
    let name = source.name.clone();
    let budget = budget(options.max_memory);
    match format {
        Format::Text => delimited::open(source.with_lines(budget), options, like),
        #[cfg(feature = "parquet")]
        Format::Parquet | Format::Arrow => columnar::open(source, path, format),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet | Format::Arrow => Err(without(&source, "Parquet and Arrow", "parquet")),
        Format::JsonLines => json_lines::open(source.with_lines(budget), options),
        Format::Npy => npy::open(source),
        Format::Idx => idx::open(source),
        Format::Npz => npz::open(Bytes::File(path.into()), &name, dataset),
        #[cfg(feature = "hdf5")]
        Format::Hdf5 => match anndata::open_records(path, dataset)? {
            Some(records) => Ok(records),
            None => h5::open_records(path, dataset),
        },
        #[cfg(not(feature = "hdf5"))]
        Format::Hdf5 => Err(without(&source, "HDF5", "hdf5")),
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
    unpacked_name(&name).ends_with(".txt")
}

/// Reads an array as such: its shape and its values.
pub(super) fn read_cells(
    location: &Location,
    role: Role,
) -> Result<(Vec<usize>, Cells), DataError> {
    let (path, dataset) = match location {
        Location::Embedded(name) => {
            return npz::read_cells(&Bytes::Embedded(embedded::DIGITS), name, None, role);
        }
        Location::File { path, dataset } => (path, dataset.as_deref()),
    };
    let (source, format) = open(path, dataset)?;
    match format {
        Format::Npy => strings::read_npy(source),
        Format::Idx => idx::read_cells(source),
        Format::Npz => npz::read_cells(&Bytes::File(path.into()), &source.name, dataset, role),
        #[cfg(feature = "hdf5")]
        Format::Hdf5 => h5::read_cells(path, dataset, role),
        #[cfg(not(feature = "hdf5"))]
        Format::Hdf5 => Err(without(&source, "HDF5", "hdf5")),
        Format::Text | Format::Parquet | Format::Arrow | Format::JsonLines => {
            Err(not_an_array(&source))
        }
    }
}

/// What a program without a feature says of files that need it.
#[cfg(not(all(feature = "hdf5", feature = "parquet")))]
pub(super) fn without(source: &Source, format: &'static str, feature: &'static str) -> DataError {
    DataError::WithoutFeature { source_name: source.name.clone(), format, feature }
}

/// A table with columns of several types in the place of an array.
pub(super) fn not_an_array(source: &Source) -> DataError {
    DataError::Unsupported {
        source_name: source.name.clone(),
        found: "a table".into(),
        supported: "an array of numbers (.npy, .npz, IDX, HDF5)",
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

/// Opens a file and checks that it starts like HDF5, for errors clearer than the library's.
#[cfg(feature = "hdf5")]
pub(crate) fn check_hdf5(path: &Path) -> Result<(), DataError> {
    Source::open(path)?.expect_magic(Format::Hdf5, "HDF5")
}
