//! Strings in NumPy's arrays: labels, names of features and of samples.

use std::io::Read;

use super::npy::{Header, encoding, unsupported};
use super::numbers::{Encoding, Kind, Number, count_values, expect_end, fill, reserve};
use super::source::{Format, Source};
use crate::{DataError, records};

/// Bytes of a letter of NumPy's Unicode strings.
const LETTER: usize = 4;

/// The values of an array, in C order.
pub(super) enum Cells {
    Numbers(Vec<Number>),
    Words(Vec<String>),
}

impl Cells {
    /// `None` for what is no number.
    pub(super) fn into_words(self) -> Vec<Option<String>> {
        match self {
            Self::Numbers(numbers) => numbers.into_iter().map(Number::word).collect(),
            Self::Words(words) => words.into_iter().map(Some).collect(),
        }
    }
}

/// What an array of a NumPy type holds.
pub(super) fn kind(descr: &str) -> records::Kind {
    match (width(descr), encoding(descr)) {
        (Some(_), _) => records::Kind::Words,
        (_, Some(Encoding { kind: Kind::Bool, .. })) => records::Kind::Booleans,
        (_, Some(_)) => records::Kind::Numbers,
        _ => records::Kind::Other(unsupported(descr)),
    }
}

/// Reads an `.npy` file whole: its shape and its values.
pub(super) fn read_npy(mut source: Source) -> Result<(Vec<usize>, Cells), DataError> {
    source.expect_magic(Format::Npy, ".npy")?;
    let header = Header::read(&mut source.reader, &source.name)?;
    let cells = read_cells(&header, &mut source.reader, source.available, &source.name)?;
    Ok((header.shape, cells))
}

/// Reads the numbers, bytes or Unicode strings behind a header.
pub(super) fn read_cells(
    header: &Header,
    reader: &mut dyn Read,
    available: u64,
    name: &str,
) -> Result<Cells, DataError> {
    let Some(width) = width(&header.descr) else {
        return Ok(Cells::Numbers(header.read_values(reader, available, name)?));
    };
    let big_endian = header.descr.starts_with('>');
    let unicode = header.descr.contains('U');
    let size = if unicode { width.saturating_mul(LETTER) } else { width };
    let room = available.saturating_sub(header.len);
    let count = count_values(&header.shape, size, header.len, room, name)?;
    let mut strings = reserve(count, name)?;
    let mut bytes = vec![0; size];
    for read in 0..count {
        let filled = fill(reader, &mut bytes, name)?;
        if filled < size {
            return Err(DataError::Truncated {
                source_name: name.into(),
                found: header.len + (read * size + filled) as u64,
                expected: u128::from(header.len) + count as u128 * size as u128,
            });
        }
        strings.push(if unicode { letters(&bytes, big_endian) } else { text(&bytes) });
    }
    expect_end(reader, header.len + (count * size) as u64, name)?;
    Ok(Cells::Words(strings))
}

/// Letters or bytes of each string, if the type is one of strings: `|S12`, `<U12`.
fn width(descr: &str) -> Option<usize> {
    let code = descr.trim_start_matches(['<', '>', '|', '=']);
    code.strip_prefix(['U', 'S', 'a'])?.parse().ok()
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn letters(bytes: &[u8], big_endian: bool) -> String {
    let (letters, _) = bytes.as_chunks::<LETTER>();
    let code = |&letter: &[u8; LETTER]| match big_endian {
        true => u32::from_be_bytes(letter),
        false => u32::from_le_bytes(letter),
    };
    let letters = letters
        .iter()
        .map(code)
        .map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
    letters.collect::<String>().trim_end_matches('\0').into()
}
