//! NumPy's `.npz`: a zip of `.npy` members. Dense, or a sparse matrix saved by SciPy.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::RangeInclusive;
use std::path::Path;

use flate2::CrcReader;
use flate2::bufread::DeflateDecoder;
use ndarray::{ArrayD, IxDyn};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::archive_bytes::{Bytes, Opener};
use super::array::{Blocks, Opened, columns_alone};
use super::npy::Header;
use super::numbers::{Number, Target, whole_numbers};
use super::source::{Format, Role, Source, inflated_at_most, reopen, unreadable};
use super::sparse::{Csr, Stored};
use super::strings::{self, Cells};
use crate::DataError;
use crate::records::{Column, Kind, PartInfo, Records};

const DATA_MEMBERS: [&str; 2] = ["X", "x"];
/// Members that are the truth.
pub(crate) const LABEL_MEMBERS: [&str; 2] = ["y", "labels"];
/// Members with names of features.
const NAME_MEMBERS: [&str; 3] = ["feature_names", "vocabulary", "columns"];
/// Members that SciPy makes of a sparse matrix.
const SPARSE_MEMBERS: [&str; 9] =
    ["data", "indices", "indptr", "shape", "format", "offsets", "row", "col", "_is_array"];

fn archive_of(bytes: &Bytes, name: &str) -> Result<Archive<Opener>, DataError> {
    let mut reader = bytes.open()?;
    let len = reader.seek(SeekFrom::End(0)).map_err(|error| unreadable(&error, name))?;
    Archive::open(reader, len, name)
}

/// Opens the features of an archive with what is beside them, or a member as such.
pub(super) fn open(bytes: Bytes, name: &str, member: Option<&str>) -> Result<Records, DataError> {
    let mut archive = archive_of(&bytes, name)?;
    let chosen = archive.choose(member, Role::Data)?;
    let (info, blocks) = match &chosen {
        Some(chosen) => archive.dense(&bytes, chosen)?,
        None => archive.sparse()?,
    };
    let mut opened = Opened::alone(name.into(), info, blocks);
    if member.is_none() {
        archive.add_beside(&mut opened, chosen.as_deref())?;
        let members: Vec<String> =
            opened.columns.iter().map(|column| column.name.clone()).collect();
        let name = name.to_owned();
        opened.beside = Box::new(move |column| {
            Ok(archive_of(&bytes, &name)?.cells(&members[column])?.1.into_words())
        });
    }
    opened.records()
}

/// Opens the members with a value a sample as the columns of a table: as many values as the labels have, whatever else is beside
/// them.
pub(super) fn open_columns(bytes: Bytes, name: &str) -> Result<Records, DataError> {
    let mut archive = archive_of(&bytes, name)?;
    let labels = archive.choose(None, Role::Labels).ok().flatten();
    let mut headers = archive.headers()?;
    headers.retain(|(member, _)| !DATA_MEMBERS.contains(&member.as_str()));
    let count = |header: &Header| is_list(&header.shape).then(|| header.shape.iter().product());
    let counts = || headers.iter().map(|(member, header)| (member, count(header)));
    let n_rows = counts().find(|(member, _)| Some(*member) == labels.as_ref());
    let n_rows = n_rows.or_else(|| counts().find(|(_, count)| count.is_some()));
    let n_rows: usize = n_rows.and_then(|(_, count)| count).unwrap_or(0);
    let kind = |header: &Header| match count(header) {
        Some(count) if count == n_rows => strings::kind(&header.descr),
        _ => Kind::Other(format!("shape {:?}", header.shape)),
    };
    let columns: Vec<Column> =
        headers.iter().map(|(name, header)| Column::new(name.clone(), kind(header))).collect();
    let members: Vec<String> = headers.into_iter().map(|(member, _)| member).collect();
    let info = PartInfo::new(name, "NPZ".into(), &[n_rows]);
    let own = name.to_owned();
    let beside = Box::new(move |column: usize| {
        Ok(archive_of(&bytes, &own)?.cells(&members[column])?.1.into_words())
    });
    Ok(columns_alone(name.into(), info, (columns, n_rows), beside))
}

/// Whether an array has one value after the other, however it is turned.
fn is_list(shape: &[usize]) -> bool {
    !shape.is_empty() && shape.iter().filter(|&&length| length != 1).count() <= 1
}

/// The labels of an archive, or a member as such, and its shape.
pub(super) fn read_cells(
    bytes: &Bytes,
    name: &str,
    member: Option<&str>,
    role: Role,
) -> Result<(Vec<usize>, Cells), DataError> {
    let mut archive = archive_of(bytes, name)?;
    match archive.choose(member, role)? {
        Some(member) => archive.cells(&member),
        None => Err(DataError::Unsupported {
            source_name: name.into(),
            found: "a sparse matrix".into(),
            supported: "a dense array here",
        }),
    }
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
            Role::Data => (DATA_MEMBERS, 2..=2),
            Role::Labels => (LABEL_MEMBERS, 1..=1),
        };
        if let Some(member) = self.first_of(&named) {
            Ok(Some(member.into()))
        } else if role != Role::Labels && self.is_sparse() {
            Ok(None)
        } else {
            self.only_one(dimensions, &named).map(Some)
        }
    }

    /// A member as bytes that don't borrow the archive, and how many there can be at most.
    fn unpacker(&mut self, bytes: &Bytes, member: &str) -> Result<(Box<dyn Read>, u64), DataError> {
        let name = self.member_name(member);
        let file = self.zip.by_name(&format!("{member}.npy"));
        let file = file.map_err(|error| zip_error(error, &name))?;
        let (packed, available) = (file.compressed_size(), file.size().min(self.available));
        let (expected, method) = (file.crc32(), file.compression());
        let start = file.data_start().unwrap_or_default();
        let mut reader = bytes.open()?;
        reader.seek(SeekFrom::Start(start)).map_err(|error| unreadable(&error, &name))?;
        let bytes = BufReader::new(reader).take(packed);
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

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn header(&mut self, member: &str) -> Result<Header, DataError> {
        self.with_member(member, |reader, _, name| Header::read(reader, name))
    }

    pub(crate) fn values<T: Target>(
        &mut self,
        member: &str,
    ) -> Result<(Header, Vec<T>), DataError> {
        self.with_member(member, |reader, available, name| {
            let header = Header::read(reader, name)?;
            let values = header.read_values(reader, available, name)?;
            Ok((header, values))
        })
    }

    fn dense(
        &mut self,
        bytes: &Bytes,
        member: &str,
    ) -> Result<(PartInfo, Box<dyn Blocks>), DataError> {
        let name = self.member_name(member);
        let (mut reader, available) = self.unpacker(bytes, member)?;
        let header = Header::read(&mut reader, &name)?;
        let format = format!("NPZ, {}", header.words(&name)?);
        let mut info = PartInfo::new(&self.name, format, &header.shape);
        info.member = Some(member.into());
        Ok((info, header.blocks(reader, available, &name)?))
    }

    /// Finds what is beside the features: names of these, and members with a value a sample.
    fn add_beside(&mut self, opened: &mut Opened, chosen: Option<&str>) -> Result<(), DataError> {
        let n_rows = opened.info.shape.first().copied().unwrap_or(0);
        let width: usize = opened.info.shape.iter().skip(1).product();
        for member in self.members.clone() {
            let is_part = match chosen {
                Some(chosen) => member == chosen,
                None => SPARSE_MEMBERS.contains(&member.as_str()),
            };
            if is_part {
                continue;
            }
            let Ok(Header { shape, descr, .. }) = self.header(&member) else {
                opened.columns.push(Column::new(member, Kind::Other("damaged".into())));
                continue;
            };
            let is_names = NAME_MEMBERS.contains(&member.as_str()) && shape == [width];
            if is_names && let (_, Cells::Words(names)) = self.cells(&member)? {
                opened.item_names = Some(names);
                continue;
            }
            let count: usize = shape.iter().fold(1, |count, &length| count.saturating_mul(length));
            let kind = match strings::kind(&descr) {
                kind if is_list(&shape) && count == n_rows => kind,
                _ => Kind::Other(format!("shape {shape:?}")),
            };
            if matches!(kind, Kind::Other(_)) && LABEL_MEMBERS.contains(&member.as_str()) {
                opened.uneven_labels = Some(count).filter(|&count| count != n_rows);
            }
            opened.columns.push(Column::new(member, kind));
        }
        Ok(())
    }

    /// A member's shape and values.
    fn cells(&mut self, member: &str) -> Result<(Vec<usize>, Cells), DataError> {
        self.with_member(member, |reader, available, name| {
            let header = Header::read(reader, name)?;
            let cells = strings::read_cells(&header, reader, available, name)?;
            Ok((header.shape, cells))
        })
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

    fn is_sparse(&self) -> bool {
        ["format", "indptr", "row", "offsets"].iter().any(|name| self.first_of(&[name]).is_some())
            && self.first_of(&["data"]).is_some()
    }

    fn sparse(&mut self) -> Result<(PartInfo, Box<dyn Blocks>), DataError> {
        // Without a member `format`, it is CSR.
        let format = match self.first_of(&["format"]) {
            None => "csr".into(),
            Some(member) => match self.cells(member)?.1 {
                Cells::Words(words) => words.concat(),
                Cells::Numbers(_) => "numbers".into(),
            },
        };
        let of = |lengths: Vec<i64>| -> Option<[usize; 2]> {
            let lengths: Option<Vec<usize>> =
                lengths.into_iter().map(|length| usize::try_from(length).ok()).collect();
            lengths?.try_into().ok()
        };
        let shape = of(self.integers("shape")?)
            .ok_or_else(|| self.bad("member shape is not two lengths".into()))?;
        let (header, data) = self.sparse_member::<f64>("data")?;
        let stored = match format.as_str() {
            "csr" => {
                let (indptr, indices) = (self.integers("indptr")?, self.integers("indices")?);
                Stored::Csr { indptr, indices }
            }
            "csc" => {
                let (indptr, indices) = (self.integers("indptr")?, self.integers("indices")?);
                Stored::Csc { indptr, indices }
            }
            "coo" => Stored::Coo { row: self.integers("row")?, column: self.integers("col")? },
            "dia" => {
                let length = header.shape.get(1).copied().unwrap_or(0);
                Stored::Dia { offsets: self.integers("offsets")?, length }
            }
            "bsr" => {
                let &[_, height, width] = header.shape.as_slice() else {
                    return Err(self.bad("member data is not one of blocks".into()));
                };
                let (indptr, indices) = (self.integers("indptr")?, self.integers("indices")?);
                Stored::Bsr { indptr, indices, block: [height, width] }
            }
            _ => {
                return Err(DataError::Unsupported {
                    source_name: self.name.clone(),
                    found: format!("a sparse matrix of format {format:?}"),
                    supported: "a CSR, CSC, COO, DIA or BSR matrix (matrix.tocsr() in SciPy)",
                });
            }
        };
        let kind = header.encoding(&self.name)?.kind.name();
        let matrix = Csr::new(shape, stored, data, &self.name)?;
        let format = format!("NPZ, sparse ({}), {kind}", format.to_uppercase());
        let info = PartInfo::new(&self.name, format, &shape);
        Ok((info, matrix.blocks(&self.name)))
    }

    fn sparse_member<T: Target>(&mut self, member: &str) -> Result<(Header, Vec<T>), DataError> {
        if self.first_of(&[member]).is_some() {
            return self.values(member);
        }
        Err(DataError::MissingMember {
            source_name: self.name.clone(),
            wanted: format!("member {member} of a sparse matrix"),
            found: self.members.clone(),
        })
    }

    fn integers(&mut self, member: &str) -> Result<Vec<i64>, DataError> {
        let (_, values) = self.sparse_member::<Number>(member)?;
        whole_numbers(&values).map_err(|(index, value)| {
            self.bad(format!("member {member} holds {value} at position {index}, not an integer"))
        })
    }

    fn bad(&self, problem: String) -> DataError {
        DataError::BadSparse { source_name: self.name.clone(), problem }
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
