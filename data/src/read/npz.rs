//! NumPy's `.npz`: a zip of `.npy` members. Dense, or a sparse matrix saved by scipy.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::RangeInclusive;
use std::path::Path;

use flate2::CrcReader;
use flate2::bufread::DeflateDecoder;
use ndarray::{ArrayD, IxDyn};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::csr::Csr;
use super::npy::Header;
use super::numbers::{Number, Target};
use super::source::{Format, Source, inflated_at_most, reopen, unreadable};
use super::{Raw, Role, Values, labels, strings};
use crate::records::PartInfo;
use crate::{DataError, Truth};

const DATA_MEMBERS: [&str; 2] = ["X", "x"];
/// Members that are the truth.
pub(crate) const LABEL_MEMBERS: [&str; 2] = ["y", "labels"];
/// Members with names of features.
const NAME_MEMBERS: [&str; 3] = ["feature_names", "vocabulary", "columns"];
/// Members with names of samples.
const ID_MEMBERS: [&str; 2] = ["ids", "id"];
const CSR_MEMBERS: [&str; 4] = ["data", "indices", "indptr", "shape"];

/// Reads the features (with the labels beside them, if asked for) or the labels of an archive, or a member as such.
///
/// `len`: the archive's size in bytes.
pub(crate) fn read<T: Target>(
    reader: impl Read + Seek,
    len: u64,
    name: &str,
    member: Option<&str>,
    role: Role,
) -> Result<Raw<T>, DataError> {
    let mut archive = Archive::open(reader, len, name)?;
    let mut raw = match archive.choose(member, role)? {
        Some(member) => archive.dense(&member)?,
        None => archive.sparse()?,
    };
    if member.is_some() {
        return Ok(raw);
    }
    if let (Role::Data { with_truth }, Some(member)) = (role, archive.first_of(&LABEL_MEMBERS)) {
        raw.info.has_truth = true;
        raw.info.truth_from = Some(format!("member {member}"));
        if with_truth {
            raw.truth = Some(archive.truth(member)?);
        }
    }
    if let (Role::Data { .. }, &[rows, columns]) = (role, raw.shape.as_slice()) {
        raw.feature_names = archive.strings(&NAME_MEMBERS, columns)?.map(|(_, names)| names);
        if let Some((member, ids)) = archive.strings(&ID_MEMBERS, rows)? {
            raw.info.ids_from = Some(format!("member {member}"));
            raw.ids = Some(ids);
        }
    }
    Ok(raw)
}

/// A member that is unpacked while it is read.
pub(crate) struct Streamed {
    pub(crate) name: String,
    pub(crate) reader: Box<dyn Read>,
    /// How many bytes the reader can give at most.
    pub(crate) available: u64,
    /// From beside the member, if asked for.
    pub(crate) truth: Option<Truth>,
    /// What samples and features are called, from beside the member.
    pub(crate) ids: Option<Vec<String>>,
    pub(crate) feature_names: Option<Vec<String>>,
}

/// The features that [`read`] would give, to be read piece by piece; `None` if they are a sparse matrix.
pub(crate) fn stream(
    path: &Path,
    member: Option<&str>,
    with_truth: bool,
) -> Result<Option<Streamed>, DataError> {
    let source = Source::open(path)?;
    let mut archive = Archive::open(reopen(path)?, source.len, &source.name)?;
    let Some(chosen) = archive.choose(member, Role::Data { with_truth })? else { return Ok(None) };
    let beside = archive.first_of(&LABEL_MEMBERS).filter(|_| with_truth && member.is_none());
    let truth = beside.map(|labels| archive.truth(labels)).transpose()?;
    let (mut ids, mut feature_names) = (None, None);
    if let (None, &[rows, columns]) = (member, archive.header(&chosen)?.shape.as_slice()) {
        feature_names = archive.strings(&NAME_MEMBERS, columns)?.map(|(_, names)| names);
        ids = archive.strings(&ID_MEMBERS, rows)?.map(|(_, ids)| ids);
    }
    let name = archive.member_name(&chosen);
    let (reader, available) = archive.unpacker(path, &chosen)?;
    Ok(Some(Streamed { name, reader, available, truth, ids, feature_names }))
}

/// Reads a packed member, and compares its checksum at the end.
struct Checked<R> {
    reader: CrcReader<R>,
    expected: u32,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        if read == 0 && !buffer.is_empty() && self.reader.crc().sum() != self.expected {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a checksum doesn't match"));
        }
        Ok(read)
    }
}

/// All arrays of an archive, by name, their values as the nearest 32-bit floats.
///
/// # Errors
///
/// [`DataError`] for a file that can't be read or understood.
pub fn read_npz(path: &Path) -> Result<BTreeMap<String, ArrayD<f32>>, DataError> {
    let mut source = Source::open(path)?;
    source.expect_magic(Format::Npz, ".npz (a zip archive)")?;
    let mut archive = Archive::open(reopen(path)?, source.len, &source.name)?;
    let mut arrays = BTreeMap::new();
    for member in archive.members.clone() {
        let (header, values) = archive.values(&member)?;
        let array = ArrayD::from_shape_vec(IxDyn(&header.shape), values);
        arrays.insert(member, array.expect("as many values as the header says"));
    }
    Ok(arrays)
}

/// Whether a zip archive has any arrays.
pub(super) fn has_arrays(path: &Path) -> Result<bool, DataError> {
    let name = path.display().to_string();
    let zip = ZipArchive::new(reopen(path)?).map_err(|error| zip_error(error, &name))?;
    Ok(zip.file_names_raw().any(|member| member.ends_with(b".npy")))
}

/// An archive that was opened.
pub(crate) struct Archive<R> {
    zip: ZipArchive<R>,
    name: String,
    /// Names of the arrays, in the order of the archive.
    members: Vec<String>,
    /// How many bytes a member can have at most.
    available: u64,
}

impl<R: Read + Seek> Archive<R> {
    /// Reads the list of members.
    ///
    /// `len`: the archive's size in bytes.
    pub(crate) fn open(reader: R, len: u64, name: &str) -> Result<Self, DataError> {
        let zip = ZipArchive::new(reader).map_err(|error| zip_error(error, name))?;
        let members = zip
            .file_names_raw()
            .filter_map(|member| {
                Some(std::str::from_utf8(member).ok()?.strip_suffix(".npy")?.into())
            })
            .collect::<Vec<_>>();
        if members.is_empty() {
            return Err(DataError::MissingMember {
                source_name: name.into(),
                wanted: "arrays".into(),
                found: zip.file_names().flatten().map(String::from).collect(),
            });
        }
        Ok(Self { zip, name: name.into(), members, available: inflated_at_most(len) })
    }

    /// The member to be read: the one named, else what it is called as a rule, else the only one; `None` for a sparse matrix.
    fn choose(&mut self, member: Option<&str>, role: Role) -> Result<Option<String>, DataError> {
        if let Some(member) = member {
            return self.named(member).map(Some);
        }
        let (named, dimensions) = match role {
            Role::Data { .. } => (DATA_MEMBERS, 2..=2),
            Role::Labels => (LABEL_MEMBERS, 1..=1),
        };
        if let Some(member) = self.first_of(&named) {
            Ok(Some(member.into()))
        } else if role != Role::Labels && self.first_of(&["indptr"]).is_some() {
            Ok(None)
        } else {
            self.only_one(dimensions, &named).map(Some)
        }
    }

    /// A member as bytes that don't borrow the archive, and how many there can be at most.
    fn unpacker(&mut self, path: &Path, member: &str) -> Result<(Box<dyn Read>, u64), DataError> {
        let name = self.member_name(member);
        let file = self.zip.by_name(&format!("{member}.npy"));
        let file = file.map_err(|error| zip_error(error, &name))?;
        let (packed, available) = (file.compressed_size(), file.size().min(self.available));
        let (expected, method) = (file.crc32(), file.compression());
        let start = file.data_start().unwrap_or_default();
        let mut reader = reopen(path)?;
        reader.seek(SeekFrom::Start(start)).map_err(|error| unreadable(&error, &name))?;
        let bytes = reader.take(packed);
        let checked: Box<dyn Read> = if method == CompressionMethod::Stored {
            Box::new(Checked { reader: CrcReader::new(bytes), expected })
        } else {
            // `by_name` has refused everything but deflate.
            Box::new(Checked { reader: CrcReader::new(DeflateDecoder::new(bytes)), expected })
        };
        Ok((checked, available))
    }

    /// The first of `names` that is there.
    pub(crate) fn first_of<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|&name| self.members.iter().any(|member| member == name))
    }

    /// The member that an argument such as `file.npz:member` names.
    pub(crate) fn named(&self, name: &str) -> Result<String, DataError> {
        let wanted = name.trim_start_matches('/');
        let found = self.members.iter().find(|&member| member == wanted);
        found.cloned().ok_or_else(|| DataError::MissingMember {
            source_name: self.name.clone(),
            wanted: format!("member {wanted}"),
            found: self.members.clone(),
        })
    }

    /// All members' headers, in the order of the archive.
    pub(crate) fn headers(&mut self) -> Result<Vec<(String, Header)>, DataError> {
        let members = self.members.clone();
        members.into_iter().map(|member| Ok((member.clone(), self.header(&member)?))).collect()
    }

    /// Runs `read` on a member, with its size as declared by the archive and its name for messages.
    pub(crate) fn with_member<A>(
        &mut self,
        member: &str,
        read: impl FnOnce(&mut dyn Read, u64, &str) -> Result<A, DataError>,
    ) -> Result<A, DataError> {
        let name = self.member_name(member);
        let mut file =
            self.zip.by_name(&format!("{member}.npy")).map_err(|error| zip_error(error, &name))?;
        let available = file.size().min(self.available);
        read(&mut file, available, &name)
    }

    fn member_name(&self, member: &str) -> String {
        format!("{}, member {member}", self.name)
    }

    fn header(&mut self, member: &str) -> Result<Header, DataError> {
        self.with_member(member, |reader, _, name| Header::read(reader, name))
    }

    fn values<T: Target>(&mut self, member: &str) -> Result<(Header, Vec<T>), DataError> {
        self.with_member(member, |reader, available, name| {
            let header = Header::read(reader, name)?;
            let values = header.read_values(reader, available, name)?;
            Ok((header, values))
        })
    }

    fn dense<T: Target>(&mut self, member: &str) -> Result<Raw<T>, DataError> {
        let (header, values) = self.values(member)?;
        let name = self.member_name(member);
        let format = format!("NPZ, {}", header.words(&name)?);
        let mut info = PartInfo::new(&self.name, format, &header.shape);
        info.member = Some(member.into());
        Ok(Raw::new(info, header.shape, values))
    }

    /// The name of the only member with so many dimensions; none or several are an error that lists what there
    /// is.
    fn only_one(
        &mut self,
        dimensions: RangeInclusive<usize>,
        named: &[&str],
    ) -> Result<String, DataError> {
        let mut fitting = Vec::new();
        let mut found = Vec::new();
        for (member, header) in self.headers()? {
            found.push(format!("{member} {:?}", header.shape));
            if dimensions.contains(&header.shape.len()) {
                fitting.push(member);
            }
        }
        match fitting.as_slice() {
            [member] => Ok(member.clone()),
            _ => Err(DataError::MissingMember {
                source_name: self.name.clone(),
                wanted: format!(
                    "member {} and no {} member that is the only one; choose one by {}:NAME",
                    named.join(" or "),
                    dimensions.map(|count| format!("{count}-D")).collect::<Vec<_>>().join(" or "),
                    self.name,
                ),
                found,
            }),
        }
    }

    fn sparse<T: Target>(&mut self) -> Result<Raw<T>, DataError> {
        self.check_sparse_format()?;
        if let Some(missing) = CSR_MEMBERS.iter().find(|name| self.first_of(&[name]).is_none()) {
            return Err(DataError::MissingMember {
                source_name: self.name.clone(),
                wanted: format!("member {missing} of a CSR matrix"),
                found: self.members.clone(),
            });
        }
        let shape: Vec<Option<usize>> = self
            .integers("shape")?
            .into_iter()
            .map(|length| usize::try_from(length).ok())
            .collect();
        let [Some(rows), Some(columns)] = shape[..] else {
            return Err(DataError::BadSparse {
                source_name: self.name.clone(),
                problem: "member shape is not two lengths".into(),
            });
        };
        let (header, data) = self.values("data")?;
        let kind = header.encoding(&self.name)?.kind.name();
        let indptr = self.integers("indptr")?;
        let indices = self.integers("indices")?;
        let matrix = Csr { rows, columns, indptr, indices, data };
        let shape = vec![rows, columns];
        let info = PartInfo::new(&self.name, format!("NPZ, sparse (CSR), {kind}"), &shape);
        Ok(Raw { values: Values::Sparse(matrix), ..Raw::new(info, shape, Vec::new()) })
    }

    /// Refuses formats other than CSR. Without a member `format`, CSR is assumed.
    fn check_sparse_format(&mut self) -> Result<(), DataError> {
        if self.first_of(&["format"]).is_none() {
            return Ok(());
        }
        let format = self.with_member("format", |reader, _, name| {
            Header::read(reader, name)?;
            let mut text = [0; 64];
            let filled = super::numbers::fill(reader, &mut text, name)?;
            // Bytes, or four bytes a letter: the letters are the same.
            let letters = text[..filled].iter().filter(|byte| **byte != 0);
            Ok(letters.map(|&byte| char::from(byte)).collect::<String>())
        })?;
        if format == "csr" {
            return Ok(());
        }
        Err(DataError::Unsupported {
            source_name: self.name.clone(),
            found: format!("a sparse matrix of format {format:?}"),
            supported: "a CSR matrix (matrix.tocsr() in scipy)",
        })
    }

    fn integers(&mut self, member: &str) -> Result<Vec<i64>, DataError> {
        let (_, values) = self.values::<Number>(member)?;
        labels::whole_numbers(&values).map_err(|(index, value)| DataError::BadSparse {
            source_name: self.name.clone(),
            problem: format!("member {member} holds {value} at position {index}, not an integer"),
        })
    }

    /// The first of `names` that holds as many strings or whole numbers as are wanted. Others are passed over.
    fn strings<'a>(
        &mut self,
        names: &[&'a str],
        count: usize,
    ) -> Result<Option<(&'a str, Vec<String>)>, DataError> {
        let Some(member) = self.first_of(names) else { return Ok(None) };
        let read = |reader: &mut dyn Read, available: u64, name: &str| {
            let header = Header::read(reader, name)?;
            if header.shape != [count] {
                return Ok(None);
            }
            strings::read(&header, reader, available, name)
        };
        Ok(self.with_member(member, read)?.map(|strings| (member, strings)))
    }

    fn truth(&mut self, member: &str) -> Result<Truth, DataError> {
        let (header, values) = self.values(member)?;
        labels::truth(&header.shape, &values, &self.member_name(member))
    }
}

pub(super) fn zip_error(error: ZipError, name: &str) -> DataError {
    match error {
        ZipError::Io(error) => unreadable(&error, name),
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            DataError::Unsupported {
                source_name: name.into(),
                found: format!("a zip archive of a kind ({error})"),
                supported: "one that numpy.savez or numpy.savez_compressed wrote",
            }
        }
        error => DataError::Corrupt {
            source_name: name.into(),
            problem: format!("no complete zip archive ({error})"),
        },
    }
}
