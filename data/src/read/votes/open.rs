//! From a path to votes.

use std::io::{Read, Seek};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::array::{Array, Bytes, Grid, block};
use super::models::Models;
use super::{Blocks, Part, VotesChunk, VotesInfo, table};
use crate::read::npy::Header;
use crate::read::npz::Archive;
use crate::read::numbers::{Encoding, Kind};
use crate::read::source::{self, Format, Location, Source, unreadable};
use crate::read::{self, idx, npz};
use crate::{DataError, ReadOptions};

/// What a run folder has to hold, in the order in which it is looked for.
const IN_FOLDER: [&str; 2] = ["votes.npz", "run.h5"];
/// What every run folder holds: the clusters of one model, and no votes.
const ASSIGNMENTS: &str = "assignments.npy";
/// The member beside `votes` that says how sure each model is.
const CONFIDENCES: &str = "confidences";
/// The member with the version of the format, in the votes of runs, and the newest that is known.
const VERSION: &str = "format_version";
const NEWEST: f32 = 1.0;
/// Names of files in a folder that a message lists.
const MAX_LISTED: usize = 12;

/// What is asked for of a file.
pub(super) struct Request<'a> {
    pub(super) path: &'a Path,
    /// The member or dataset that the argument names.
    pub(super) member: Option<&'a str>,
    /// The file's name without its extensions, or the run's.
    pub(super) short: &'a str,
    /// Number of samples, if it is known and to decide what a row is.
    pub(super) samples: Option<usize>,
}

impl Request<'_> {
    /// Names for the models of a member; those of a file's only one, and of `votes`, are called like the file.
    ///
    /// `is_one_of`: whether there are several.
    pub(super) fn model_names(
        &self,
        member: &str,
        is_one_of: bool,
        n_models: usize,
    ) -> Vec<String> {
        let by_member = (is_one_of || self.member.is_some()) && last(member) != "votes";
        model_names(if by_member { member.trim_start_matches('/') } else { self.short }, n_models)
    }
}

/// The name of a dataset without its groups'.
fn last(member: &str) -> &str {
    member.rsplit('/').next().unwrap_or(member)
}

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
    let (source, format) = read::open(&path, dataset.as_deref())?;
    let request = Request { path: &path, member: dataset.as_deref(), short: &short, samples };
    match format {
        Format::Npy => Ok(vec![npy(source, &request)?]),
        Format::Npz => archive(&source, &request),
        Format::Idx => Ok(vec![idx(source, &request)?]),
        #[cfg(feature = "hdf5")]
        Format::Hdf5 => super::h5::open(&request),
        #[cfg(not(feature = "hdf5"))]
        Format::Hdf5 => Err(read::path::without(&source, "HDF5", "hdf5")),
        Format::Text | Format::Parquet | Format::Arrow | Format::JsonLines => {
            Ok(vec![table::open(&request, format == Format::Text, options)?])
        }
    }
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

/// Names for models that have none of their own.
pub(super) fn model_names(short: &str, n_models: usize) -> Vec<String> {
    match n_models {
        1 => vec![short.into()],
        _ => (0..n_models).map(|model| format!("{short}[{model}]")).collect(),
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
        Self { info, fits, models, columns: None, blocks, block: None, used: 0, read: 0 }
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
            notes: if grid.is_turned {
                vec![turned(grid.n_models, grid.n_samples)]
            } else if grid.is_transposed() {
                vec![TRANSPOSED.into()]
            } else {
                vec![]
            },
        }
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

/// An array of a file without one called `votes`.
pub(super) struct Candidate {
    pub(super) name: String,
    /// `None` if it isn't of numbers.
    pub(super) kind: Option<Kind>,
    pub(super) shape: Vec<usize>,
}

/// The arrays of so many dimensions to be read: the only one, or several that can be stacked. Otherwise an error lists
/// what there is.
///
/// `what`: what the format calls an array.
pub(super) fn stack(
    all: Vec<Candidate>,
    dimensions: RangeInclusive<usize>,
    what: &str,
    file_name: &str,
) -> Result<Vec<String>, DataError> {
    let fitting = || all.iter().filter(|array| dimensions.contains(&array.shape.len()));
    let reason = match fitting().count() {
        0 => Some("none is of one or two dimensions".into()),
        1 => None,
        _ => not_stackable(fitting()),
    };
    let Some(reason) = reason else {
        return Ok(fitting().map(|array| array.name.clone()).collect());
    };
    Err(DataError::MissingMember {
        source_name: file_name.into(),
        wanted: format!(
            "{what} votes, and others can't be stacked as models ({reason}); choose one by {file_name}:NAME"
        ),
        found: all.iter().map(|array| format!("{} {:?}", array.name, array.shape)).collect(),
    })
}

/// Why arrays aren't all votes on the same samples, if they aren't.
fn not_stackable<'a>(arrays: impl Iterator<Item = &'a Candidate>) -> Option<String> {
    let mut samples: Option<Vec<usize>> = None;
    for Candidate { name, kind, shape } in arrays {
        if npz::LABEL_MEMBERS.contains(&last(name)) {
            return Some(format!("{name} may be the truth"));
        }
        if !kind.is_some_and(Kind::is_integer) {
            return Some(format!("{name} is not of integers"));
        }
        let samples = samples.get_or_insert_with(|| shape.clone());
        samples.retain(|length| Grid::fits(shape).contains(length));
        if samples.is_empty() {
            return Some(format!("{name} is not on the samples of those before"));
        }
    }
    None
}
