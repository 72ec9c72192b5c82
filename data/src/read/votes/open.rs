//! From a path to votes.

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use super::array::{Array, Bytes, Grid, block};
use super::beside::Beside;
use super::candidates::{Candidate, stack};
use super::models::Models;
use super::part::{Blocks, Part, VotesInfo, Whole};
use super::request::{Request, model_names};
use super::table;
use crate::read::idx;
use crate::read::npy::Header;
use crate::read::npz::Archive;
use crate::read::numbers::Encoding;
use crate::read::path::open as open_file;
use crate::read::source::{self, Format, Location, Source, unreadable};
use crate::{DataError, ReadOptions};

/// What a run folder has to hold, in the order in which it is looked for.
const IN_FOLDER: [&str; 2] = ["votes.npz", "run.h5"];
/// What every run folder holds: the clusters of one model, and no votes.
const ASSIGNMENTS: &str = "assignments.npy";
/// What says which samples the votes of a run are of.
const SAMPLES: &str = "assignments.csv";
/// What a run has to which samples were added (`predict --append`).
const APPENDED: &str = "appended.json";
/// The member beside `votes` that says how sure each model is.
const CONFIDENCES: &str = "confidences";
/// The member with the version of the format, in the votes of runs, and the newest that is known.
const VERSION: &str = "format_version";
const NEWEST: f32 = 1.0;
/// Names of files in a folder that a message lists.
const MAX_LISTED: usize = 12;

/// Opens a votes file or a run folder; every part is an array of its own.
///
/// `samples`: their number if it is known, for arrays that fit it only the other way round.
pub(super) fn open(
    argument: &Path,
    samples: Option<usize>,
    options: &ReadOptions,
) -> Result<Vec<Part>, DataError> {
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
    let (source, format) = open_file(&path, dataset.as_deref())?;
    let request = Request { path: &path, member: dataset.as_deref(), short: &short, samples };
    let mut parts = match format {
        Format::Npy => vec![npy(source, &request)?],
        Format::Npz => archive(&source, &request)?,
        Format::Idx => vec![idx(source, &request)?],
        #[cfg(feature = "hdf5")]
        Format::Hdf5 => super::h5::open(&request)?,
        #[cfg(not(feature = "hdf5"))]
        Format::Hdf5 => return Err(crate::read::path::without(&source, "HDF5", "hdf5")),
        Format::Text | Format::Parquet | Format::Arrow | Format::JsonLines => {
            vec![table::open(&request, format == Format::Text, options)?]
        }
    };
    let table = path.with_file_name(SAMPLES);
    let is_run = IN_FOLDER.iter().any(|name| path.ends_with(name)) && table.is_file();
    if let Some(part) = parts.first_mut().filter(|_| is_run) {
        let mut of_run = Beside::of_assignments(&table)?;
        if path.with_file_name(APPENDED).is_file() {
            // Samples that came later have clusters, and no votes.
            of_run.truncate(part.info.n_samples.unwrap_or(usize::MAX));
        }
        part.of_run = Some(of_run);
    }
    Ok(parts)
}

fn in_folder(folder: &Path) -> Result<PathBuf, DataError> {
    let mut found = IN_FOLDER.iter().map(|name| folder.join(name)).filter(|path| path.is_file());
    if let Some(path) = found.next() {
        return Ok(path);
    }
    let source_name = folder.display().to_string();
    if folder.join(ASSIGNMENTS).is_file() {
        return Err(DataError::RunWithoutVotes { source_name });
    }
    let entries = folder.read_dir().map_err(|error| unreadable(&error, &source_name))?;
    let name = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut found: Vec<String> = entries.flatten().map(name).collect();
    found.sort();
    found.truncate(MAX_LISTED);
    Err(DataError::MissingMember { source_name, wanted: IN_FOLDER[0].into(), found })
}

/// A file's name without its extensions; a run's is its folder's.
pub(super) fn short_name(argument: &Path) -> String {
    let path = match Location::resolve(argument) {
        Location::File { path, .. } => path,
        Location::Embedded(name) => name.into(),
    };
    let folder = if path.is_dir() {
        path.canonicalize()
    } else if IN_FOLDER.iter().any(|name| path.ends_with(name)) {
        path.canonicalize().map(|path| path.with_file_name(""))
    } else {
        return source::stem(&path);
    };
    let name = folder.ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    name.unwrap_or_else(|| source::stem(&path))
}

fn npy(mut source: Source, request: &Request<'_>) -> Result<Part, DataError> {
    source.expect_magic(Format::Npy, ".npy")?;
    let header = Header::read(&mut source.reader, &source.name)?;
    let encoding = header.encoding(&source.name)?;
    let gzip = source.packing();
    let format = format!("NPY{gzip}, {}", header.words(&source.name)?);
    array(source, request, format, encoding, &header)
}

fn idx(mut source: Source, request: &Request<'_>) -> Result<Part, DataError> {
    let idx::Header { encoding, shape, len } = idx::Header::read(&mut source)?;
    let gzip = source.packing();
    let format = format!("IDX{gzip}, {}", encoding.kind.name());
    let header = Header { descr: String::new(), fortran_order: false, shape, len };
    array(source, request, format, encoding, &header)
}

/// The array behind a header.
fn array(
    source: Source,
    request: &Request<'_>,
    format: String,
    encoding: Encoding,
    header: &Header,
) -> Result<Part, DataError> {
    let grid = Grid::new(&source.name, encoding.kind, &header.shape, request.samples)?;
    let info = VotesInfo::of_array(request.path, format, &grid);
    let models = Models::new(&source.name, model_names(request.short, grid.n_models));
    let bytes = match source.packed.is_some() {
        true => Bytes::Packed(Box::new(source.reader)),
        false => Bytes::File(source::reopen(request.path)?.into_inner()),
    };
    let array =
        Array::new(grid, encoding, header.fortran_order, header.len, source.available, bytes)?;
    Ok(Part::new(info, Grid::fits(&header.shape), models, Box::new(array)))
}

fn archive(source: &Source, request: &Request<'_>) -> Result<Vec<Part>, DataError> {
    let mut archive = Archive::open(source::reopen(request.path)?, source.len, &source.name)?;
    let members = match (request.member, archive.first_of(&["votes"])) {
        (Some(member), _) => vec![archive.named(member)?],
        (None, Some(votes)) => vec![votes.into()],
        (None, None) => {
            let all = archive.headers()?.into_iter().map(|(name, header)| {
                let kind = header.encoding(&name).ok().map(|encoding| encoding.kind);
                Candidate { name, kind, shape: header.shape }
            });
            stack(all.collect(), 1..=2, "member", &source.name)?
        }
    };
    let is_one_of = members.len() > 1;
    let own = of_a_run(&mut archive, &members)?;
    let request = &Request { samples: own.or(request.samples), ..*request };
    let beside = members == ["votes"] && archive.first_of(&[CONFIDENCES]).is_some();
    let confidences = beside.then(|| archive.values::<f32>(CONFIDENCES)).transpose()?;
    let mut confidences = confidences.map(|(header, values)| (header.shape, values));
    let part = |name: &String| member(&mut archive, name, is_one_of, request, confidences.take());
    members.iter().map(part).collect()
}

/// Number of samples, if it is the votes of a run: models come first, however few the samples.
fn of_a_run<R: Read + Seek>(
    archive: &mut Archive<R>,
    members: &[String],
) -> Result<Option<usize>, DataError> {
    if members != ["votes"] || archive.first_of(&[VERSION]).is_none() {
        return Ok(None);
    }
    let (_, version) = archive.values::<f32>(VERSION)?;
    if version.first().is_none_or(|&version| version > NEWEST) {
        return Err(DataError::NewerVotes { source_name: archive.name().into() });
    }
    Ok(archive.header("votes")?.shape.get(1).copied())
}

fn member<R: Read + Seek>(
    archive: &mut Archive<R>,
    member: &str,
    is_one_of: bool,
    request: &Request<'_>,
    confidences: Option<(Vec<usize>, Vec<f32>)>,
) -> Result<Part, DataError> {
    archive.with_member(member, |reader, available, name| {
        let header = Header::read(reader, name)?;
        let encoding = header.encoding(name)?;
        let grid = Grid::new(name, encoding.kind, &header.shape, request.samples)?;
        let format = format!("NPZ, {}", header.words(name)?);
        let mut info = VotesInfo::of_array(request.path, format, &grid);
        info.member = Some(member.into());
        let names = request.model_names(member, is_one_of, grid.n_models);
        let mut models = Models::new(name, names);
        let (n_models, by_model) = (grid.n_models, grid.by_model());
        let confidences = confidences.filter(|(shape, _)| *shape == header.shape);
        info.has_confidences = confidences.is_some();
        let bytes = Bytes::Packed(Box::new(reader));
        let mut array =
            Array::new(grid, encoding, header.fortran_order, header.len, available, bytes)?;
        // An archive gives its members only while it is borrowed.
        let mut votes = array.next(usize::MAX, &mut models)?;
        if let Some(votes) = &mut votes {
            votes.confidences = confidences.map(|(_, values)| block(values, n_models, by_model));
        }
        let votes = Whole(votes);
        Ok(Part::new(info, Grid::fits(&header.shape), models, Box::new(votes)))
    })
}
