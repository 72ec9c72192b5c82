//! IDX, the format of MNIST: two zero bytes, a type, a number of dimensions, their lengths, the values; big-endian.

use super::array::{Opened, RowMajor, Stored};
use super::numbers::{Encoding, Kind, count_values, fill, read_values};
use super::source::{Format, Source};
use super::strings::Cells;
use crate::DataError;
use crate::records::{PartInfo, Records};

/// Opens an IDX file.
pub(super) fn open(mut source: Source) -> Result<Records, DataError> {
    let Header { encoding, shape, len } = Header::read(&mut source)?;
    let gzip = source.packing();
    let Source { name, available, reader, .. } = source;
    let info = PartInfo::new(&name, format!("IDX{gzip}, {}", encoding.kind.name()), &shape);
    let stored = Stored::new(&name, &shape, encoding, (len, available), reader)?;
    let rows = RowMajor::new(stored, &shape)?;
    Opened::alone(name, info, Box::new(rows)).records()
}

/// Reads an IDX file whole: its shape and its values.
pub(super) fn read_cells(mut source: Source) -> Result<(Vec<usize>, Cells), DataError> {
    let Header { encoding, shape, len } = Header::read(&mut source)?;
    let room = source.available.saturating_sub(len);
    let count = count_values(&shape, encoding.kind.size(), len, room, &source.name)?;
    let values = read_values(&mut source.reader, encoding, count, len, &source.name)?;
    Ok((shape, Cells::Numbers(values)))
}

/// What a header says.
pub(crate) struct Header {
    pub(crate) encoding: Encoding,
    pub(crate) shape: Vec<usize>,
    /// Bytes up to the first value.
    pub(crate) len: u64,
}

impl Header {
    /// Reads a header, up to the first value.
    pub(crate) fn read(source: &mut Source) -> Result<Self, DataError> {
        source.expect_magic(Format::Idx, "IDX")?;
        let name = source.name.clone();
        let mut magic = [0; 4];
        fill(&mut source.reader, &mut magic, &name)?;
        let kind = match magic[2] {
            8 => Kind::U8,
            9 => Kind::I8,
            11 => Kind::I16,
            12 => Kind::I32,
            13 => Kind::F32,
            _ => Kind::F64,
        };
        let mut shape = Vec::new();
        for dimension in 0..usize::from(magic[3]) {
            let mut length = [0; 4];
            let filled = fill(&mut source.reader, &mut length, &name)?;
            if filled < length.len() {
                return Err(DataError::Truncated {
                    source_name: name,
                    found: (4 + 4 * dimension + filled) as u64,
                    expected: 4 + 4 * u128::from(magic[3]),
                });
            }
            shape.push(u32::from_be_bytes(length) as usize);
        }
        let len = 4 + 4 * shape.len() as u64;
        Ok(Self { encoding: Encoding { kind, big_endian: true }, shape, len })
    }
}
