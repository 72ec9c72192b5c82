//! From a path to votes.

use std::path::{Path, PathBuf};

use super::array::{Array, Bytes, Grid};
use super::models::Models;
use super::{Blocks, Part, VotesChunk, VotesInfo, table};
use crate::DataError;
use crate::read::npy::Header;
use crate::read::npz::Archive;
use crate::read::numbers::Encoding;
use crate::read::source::{self, Format, Location, Source, unreadable};
use crate::read::{self, idx};

/// What a run folder has to hold, in the order in which it is looked for.
const IN_FOLDER: &[&str] =
    if cfg!(feature = "hdf5") { &["run.h5", "assignments.npy"] } else { &["assignments.npy"] };
/// Names of files in a folder that a message lists.
const MAX_LISTED: usize = 12;

/// Opens a votes file or a run folder.
pub(super) fn open(argument: &Path) -> Result<Part, DataError> {
    let (path, dataset) = match Location::resolve(argument) {
        Location::File { path, .. } if path.is_dir() => (in_folder(&path)?, None),
        Location::File { path, dataset } => (path, dataset),
        Location::Embedded(name) => {
            return Err(DataError::Unsupported {
                source_name: name.into(),
                found: "features, and no votes".into(),
                supported: "the labels that a clustering gave",
            });
        }
    };
    let short = short_name(argument);
    let (source, format) = read::open(&path, dataset.as_deref())?;
    match format {
        Format::Npy => npy(source, &path, &short),
        Format::Npz => npz(&source, &path, &short),
        Format::Idx => idx(source, &path, &short),
        Format::Text => table::open(source, &short),
        Format::Hdf5 => hdf5(&path, dataset.as_deref(), &short),
    }
}

fn in_folder(folder: &Path) -> Result<PathBuf, DataError> {
    let mut found = IN_FOLDER.iter().map(|name| folder.join(name)).filter(|path| path.is_file());
    if let Some(path) = found.next() {
        return Ok(path);
    }
    let source_name = folder.display().to_string();
    let entries = folder.read_dir().map_err(|error| unreadable(&error, &source_name))?;
    let name = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut found: Vec<String> = entries.flatten().map(name).collect();
    found.sort();
    found.truncate(MAX_LISTED);
    Err(DataError::MissingMember { source_name, wanted: IN_FOLDER.join(" or "), found })
}

/// A file's name without its extensions; a run's is its folder's.
pub(super) fn short_name(argument: &Path) -> String {
    let path = match Location::resolve(argument) {
        Location::File { path, .. } => path,
        Location::Embedded(name) => name.into(),
    };
    let folder = if path.is_dir() {
        path.canonicalize()
    } else if path.ends_with("run.h5") {
        path.canonicalize().map(|path| path.with_file_name(""))
    } else {
        return source::stem(&path);
    };
    let name = folder.ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    name.unwrap_or_else(|| source::stem(&path))
}

/// Names for models that have none of their own.
pub(super) fn model_names(short: &str, n_models: usize) -> Vec<String> {
    match n_models {
        1 => vec![short.into()],
        _ => (0..n_models).map(|model| format!("{short}[{model}]")).collect(),
    }
}

impl Part {
    pub(super) fn new(info: VotesInfo, models: Models, blocks: Box<dyn Blocks>) -> Self {
        Self { info, models, first_column: None, blocks, block: None, used: 0, read: 0 }
    }
}

impl VotesInfo {
    pub(super) fn of_array(path: &Path, format: String, grid: &Grid) -> Self {
        Self {
            path: path.into(),
            format,
            n_models: grid.n_models,
            n_samples: Some(grid.n_samples),
            is_transposed: grid.is_transposed(),
            member: None,
            has_confidences: false,
        }
    }
}

/// Votes that are in memory.
pub(super) struct Whole(pub(super) Option<VotesChunk>);

impl Blocks for Whole {
    fn next(&mut self, _: usize, _: &mut Models) -> Result<Option<VotesChunk>, DataError> {
        Ok(self.0.take())
    }
}

fn npy(mut source: Source, path: &Path, short: &str) -> Result<Part, DataError> {
    source.expect_magic(Format::Npy, ".npy")?;
    let header = Header::read(&mut source.reader, &source.name)?;
    let encoding = header.encoding(&source.name)?;
    let gzip = if source.gzip { ", gzip" } else { "" };
    let format = format!("NPY{gzip}, {}", header.words(&source.name)?);
    let grid = Grid::new(&source.name, encoding.kind, &header.shape)?;
    let info = VotesInfo::of_array(path, format, &grid);
    array(source, grid, encoding, header.fortran_order, header.len, info, short)
}

fn idx(mut source: Source, path: &Path, short: &str) -> Result<Part, DataError> {
    let idx::Header { encoding, shape, len } = idx::Header::read(&mut source)?;
    let gzip = if source.gzip { ", gzip" } else { "" };
    let format = format!("IDX{gzip}, {}", encoding.kind.name());
    let grid = Grid::new(&source.name, encoding.kind, &shape)?;
    let info = VotesInfo::of_array(path, format, &grid);
    array(source, grid, encoding, false, len, info, short)
}

/// The array behind a header.
fn array(
    source: Source,
    grid: Grid,
    encoding: Encoding,
    fortran_order: bool,
    offset: u64,
    info: VotesInfo,
    short: &str,
) -> Result<Part, DataError> {
    let models = Models::new(&source.name, model_names(short, grid.n_models));
    let bytes = match source.gzip {
        true => Bytes::Packed(Box::new(source.reader)),
        false => Bytes::File(source::reopen(&info.path)?.into_inner()),
    };
    let array = Array::new(grid, encoding, fortran_order, offset, source.available, bytes)?;
    Ok(Part::new(info, models, Box::new(array)))
}

fn npz(source: &Source, path: &Path, short: &str) -> Result<Part, DataError> {
    let mut archive = Archive::open(source::reopen(path)?, source.len, &source.name)?;
    let member = match archive.first_of(&["votes"]) {
        Some(member) => member.into(),
        None => archive.only_one(1..=2, &["votes"])?,
    };
    archive.with_member(&member, |reader, available, name| {
        let header = Header::read(reader, name)?;
        let encoding = header.encoding(name)?;
        let grid = Grid::new(name, encoding.kind, &header.shape)?;
        let format = format!("NPZ, {}", header.words(name)?);
        let mut info = VotesInfo::of_array(path, format, &grid);
        info.member = Some(member.clone());
        let mut models = Models::new(name, model_names(short, grid.n_models));
        let bytes = Bytes::Packed(Box::new(reader));
        let mut array =
            Array::new(grid, encoding, header.fortran_order, header.len, available, bytes)?;
        // An archive gives its members only while it is borrowed.
        let votes = Whole(array.next(usize::MAX, &mut models)?);
        Ok(Part::new(info, models, Box::new(votes)))
    })
}

#[cfg(feature = "hdf5")]
fn hdf5(path: &Path, dataset: Option<&str>, short: &str) -> Result<Part, DataError> {
    super::h5::open(path, dataset, short)
}

#[cfg(not(feature = "hdf5"))]
fn hdf5(path: &Path, _: Option<&str>, _: &str) -> Result<Part, DataError> {
    Err(DataError::WithoutHdf5 { source_name: path.display().to_string() })
}
