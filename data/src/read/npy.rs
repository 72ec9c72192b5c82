//! NumPy's `.npy`: a header in Python's notation, then the values.
//!
//! The header is read here and not by a library: it is the part that a broken or hostile file can use to
//! overflow products of lengths, or the stack of a recursive parser.

use std::io::Read;

use ndarray::{ArrayD, IxDyn, ShapeBuilder};

use super::array::{Blocks, Opened, RowMajor, Stored};
use super::fortran::Columns;
use super::numbers::{Encoding, Kind, Target, count_values, fill, read_values};
use super::source::{Format, Source};
use crate::DataError;
use crate::records::{PartInfo, Records};

/// Opens an `.npy` file.
pub(super) fn open(mut source: Source) -> Result<Records, DataError> {
    source.expect_magic(Format::Npy, ".npy")?;
    let header = Header::read(&mut source.reader, &source.name)?;
    let gzip = source.packing();
    let format = format!("NPY{gzip}, {}", header.words(&source.name)?);
    let info = PartInfo::new(&source.name, format, &header.shape);
    let blocks = header.blocks(source.reader, source.available, &source.name)?;
    Opened::alone(source.name, info, blocks).records()
}

/// NumPy itself writes 128 bytes unless the type is a record.
const MAX_HEADER: usize = 1 << 20;

const SUPPORTED: &str = "a plain array of integers, floats or booleans";

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// NumPy's type string, such as `<f4`; a record's whole description.
    pub(crate) descr: String,
    pub(crate) fortran_order: bool,
    pub(crate) shape: Vec<usize>,
    /// Bytes up to the first value.
    pub(crate) len: u64,
}

impl Header {
    /// Reads a header, up to the first value.
    pub(crate) fn read(reader: &mut dyn Read, source_name: &str) -> Result<Self, DataError> {
        let mut start = [0; 8];
        let filled = fill(reader, &mut start, source_name)?;
        if !start.starts_with(b"\x93NUMPY") {
            return Err(DataError::BadMagic {
                source_name: source_name.into(),
                format: ".npy",
                found: format!("{:02x?}", &start[..filled]),
            });
        }
        let mut length = [0; 4];
        let length_size = if start[6] == 1 { 2 } else { 4 };
        let truncated = |found: usize, expected: usize| DataError::Truncated {
            source_name: source_name.into(),
            found: found as u64,
            expected: expected as u128,
        };
        let filled = filled + fill(reader, &mut length[..length_size], source_name)?;
        let before = start.len() + length_size;
        if filled < before {
            return Err(truncated(filled, before));
        }
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_HEADER {
            return Err(corrupt(source_name, &format!("a header of {length} bytes")));
        }
        let mut text = vec![0; length];
        let filled = before + fill(reader, &mut text, source_name)?;
        let len = before + length;
        if filled < len {
            return Err(truncated(filled, len));
        }
        Self::parse(&String::from_utf8_lossy(&text), len as u64)
            .map_err(|key| corrupt(source_name, &format!("no valid '{key}' in the header")))
    }

    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`; an error is the key at fault.
    fn parse(text: &str, len: u64) -> Result<Self, &'static str> {
        let fortran = value_of(text, "fortran_order").ok_or("fortran_order")?;
        let fortran_order = match (fortran.starts_with("True"), fortran.starts_with("False")) {
            (true, false) => true,
            (false, true) => false,
            _ => return Err("fortran_order"),
        };
        let descr = value_of(text, "descr").and_then(descr).ok_or("descr")?;
        let shape = value_of(text, "shape").and_then(shape).ok_or("shape")?;
        Ok(Self { descr, fortran_order, shape, len })
    }

    /// The type of the values, if they are numbers.
    pub(crate) fn encoding(&self, source_name: &str) -> Result<Encoding, DataError> {
        encoding(&self.descr).ok_or_else(|| DataError::Unsupported {
            source_name: source_name.into(),
            found: unsupported(&self.descr),
            supported: SUPPORTED,
        })
    }

    /// The type and the order of the values, for a description.
    pub(crate) fn words(&self, source_name: &str) -> Result<String, DataError> {
        let kind = self.encoding(source_name)?.kind.name();
        Ok(format!("{kind}{}", if self.fortran_order { ", Fortran order" } else { "" }))
    }

    /// The rows behind the header, in C order whatever the file's.
    ///
    /// `available`: bytes that the file can hold at most, its header included.
    pub(super) fn blocks(
        &self,
        reader: Box<dyn Read>,
        available: u64,
        source_name: &str,
    ) -> Result<Box<dyn Blocks>, DataError> {
        let encoding = self.encoding(source_name)?;
        let bytes = (self.len, available);
        let stored = Stored::new(source_name, &self.shape, encoding, bytes, reader)?;
        if !self.fortran_order || self.shape.len() < 2 {
            return Ok(Box::new(RowMajor::new(stored, &self.shape)?));
        }
        Ok(Box::new(Columns::new(stored, &self.shape)?))
    }

    /// Reads the values behind the header, in C order whatever the file's.
    ///
    /// `available`: bytes that the file can hold at most, its header included.
    pub(crate) fn read_values<T: Target>(
        &self,
        reader: &mut dyn Read,
        available: u64,
        source_name: &str,
    ) -> Result<Vec<T>, DataError> {
        let encoding = self.encoding(source_name)?;
        let room = available.saturating_sub(self.len);
        let count = count_values(&self.shape, encoding.kind.size(), self.len, room, source_name)?;
        let values = read_values(reader, encoding, count, self.len, source_name)?;
        if !self.fortran_order || self.shape.len() < 2 {
            return Ok(values);
        }
        let array = ArrayD::from_shape_vec(IxDyn(&self.shape).f(), values)
            .map_err(|error| corrupt(source_name, &error.to_string()))?;
        Ok(array.as_standard_layout().into_owned().into_raw_vec_and_offset().0)
    }
}

fn corrupt(source_name: &str, problem: &str) -> DataError {
    DataError::Corrupt { source_name: source_name.into(), problem: problem.into() }
}

/// What follows a key and its colon.
fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let quoted = [format!("'{key}'"), format!("\"{key}\"")];
    let (at, length) = quoted.iter().find_map(|key| Some((text.find(key)?, key.len())))?;
    Some(text[at + length..].trim_start().strip_prefix(':')?.trim_start())
}

fn descr(value: &str) -> Option<String> {
    match value.chars().next()? {
        quote @ ('\'' | '"') => Some(value[1..].split_once(quote)?.0.into()),
        '[' => Some(value.split_once(']')?.0.chars().skip(1).collect()),
        _ => None,
    }
}

fn shape(value: &str) -> Option<Vec<usize>> {
    let (inside, _) = value.strip_prefix('(')?.split_once(')')?;
    let lengths = inside.split(',').map(str::trim).filter(|length| !length.is_empty());
    // Python 2 wrote long integers with an L.
    lengths.map(|length| length.trim_end_matches('L').parse().ok()).collect()
}

/// A type's byte order, and the rest of its name.
fn order(descr: &str) -> (bool, &str) {
    match descr.split_at_checked(1) {
        Some(("<" | "|" | "=", code)) => (false, code),
        Some((">", code)) => (true, code),
        _ => (false, descr),
    }
}

/// A type of numbers.
pub(super) fn encoding(descr: &str) -> Option<Encoding> {
    let (big_endian, code) = order(descr);
    let kind = match code {
        "b1" | "?" => Kind::Bool,
        "u1" => Kind::U8,
        "i1" => Kind::I8,
        "u2" => Kind::U16,
        "i2" => Kind::I16,
        "u4" => Kind::U32,
        "i4" => Kind::I32,
        "u8" => Kind::U64,
        "i8" => Kind::I64,
        "f2" => Kind::F16,
        "f4" => Kind::F32,
        "f8" => Kind::F64,
        _ => return None,
    };
    Some(Encoding { kind, big_endian })
}

/// Says in words what a type is that we don't read.
pub(super) fn unsupported(descr: &str) -> String {
    let words = match order(descr).1.chars().next() {
        Some('U' | 'S' | 'a') => "strings",
        Some('O') => "Python objects",
        Some('c') => "complex numbers",
        Some('M' | 'm') => "dates or times",
        Some('(' | '[' | '{') => "records",
        _ => "another type",
    };
    format!("{words} (NumPy type {descr:?})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_all_ages_are_understood() {
        let header = |text| Header::parse(text, 0).unwrap();
        let new = header("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }\n");
        assert_eq!((new.shape.as_slice(), new.fortran_order), (&[3, 4][..], false));
        let old = header("{\"shape\": (3L,), \"fortran_order\": True, \"descr\": \">i8\"}");
        assert_eq!((old.shape.as_slice(), old.fortran_order), (&[3][..], true));
        let big_endian = Encoding { kind: Kind::I64, big_endian: true };
        assert_eq!(old.encoding("x").unwrap(), big_endian);
        assert!(header("{'descr': '<f4', 'fortran_order': False, 'shape': ()}").shape.is_empty());
    }

    #[test]
    fn a_bad_header_names_its_key() {
        let error = |text| Header::parse(text, 0).unwrap_err();
        assert_eq!(error("{'descr': '<f4', 'fortran_order': False}"), "shape");
        assert_eq!(error("{'fortran_order': False, 'shape': (-1,)}"), "descr");
        assert_eq!(error("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}"), "shape");
        assert_eq!(error("nonsense"), "fortran_order");
    }
}
