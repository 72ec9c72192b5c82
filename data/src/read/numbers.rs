//! Number types of binary files, and their conversion.

use std::io::{ErrorKind, Read};

use half::f16;

use super::source::unreadable;
use crate::DataError;
use crate::memory::free_memory;
use crate::records::Numbers;

/// A number type as stored in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    F32,
    F64,
}

impl Kind {
    /// Bytes a value.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    pub(crate) fn is_integer(self) -> bool {
        !matches!(self, Self::Bool | Self::F16 | Self::F32 | Self::F64)
    }

    /// The narrowest type that holds all its values.
    pub(crate) fn width(self) -> Width {
        match self {
            Self::I64 | Self::U64 => Width::I64,
            Self::U32 | Self::I32 | Self::F64 => Width::F64,
            _ => Width::F32,
        }
    }

    /// NumPy's name for the type.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::U32 => "uint32",
            Self::I32 => "int32",
            Self::U64 => "uint64",
            Self::I64 => "int64",
            Self::F16 => "float16",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }
}

/// What [`Numbers`] can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    F32,
    F64,
    I64,
}

/// A number type and its byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Encoding {
    pub(crate) kind: Kind,
    pub(crate) big_endian: bool,
}

/// What stored numbers are converted to.
pub(crate) trait Target: Copy {
    fn from_signed(value: i64) -> Self;
    fn from_unsigned(value: u64) -> Self;
    fn from_float(value: f64) -> Self;
    /// `None` if `text` is no number.
    fn from_text(text: &str) -> Option<Self>;
}

/// Features: the nearest 32-bit float; too large values become infinite, which [`crate::Features`] refuses.
impl Target for f32 {
    #[expect(clippy::cast_precision_loss, reason = "features are 32-bit floats by design")]
    fn from_signed(value: i64) -> Self {
        value as Self
    }

    #[expect(clippy::cast_precision_loss, reason = "features are 32-bit floats by design")]
    fn from_unsigned(value: u64) -> Self {
        value as Self
    }

    #[expect(clippy::cast_possible_truncation, reason = "features are 32-bit floats by design")]
    fn from_float(value: f64) -> Self {
        value as Self
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// What a file has in 64 bits.
impl Target for f64 {
    #[expect(clippy::cast_precision_loss, reason = "integers of 64 bits become i64 where they fit")]
    fn from_signed(value: i64) -> Self {
        value as Self
    }

    #[expect(clippy::cast_precision_loss, reason = "integers of 64 bits become i64 where they fit")]
    fn from_unsigned(value: u64) -> Self {
        value as Self
    }

    fn from_float(value: f64) -> Self {
        value
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Any number without loss: labels, votes and the indices of sparse matrices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Signed(i64),
    Unsigned(u64),
    Float(f64),
}

impl Number {
    /// The whole number that this is, or what it is instead.
    pub(crate) fn whole(self) -> Result<i64, f64> {
        // Above 2^53 not every whole number is a 64-bit float.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match self {
            Self::Signed(value) => Ok(value),
            #[expect(clippy::cast_precision_loss, reason = "for a message")]
            Self::Unsigned(value) => i64::try_from(value).map_err(|_| value as f64),
            #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
            Self::Float(value) if value.fract() == 0.0 && value.abs() <= EXACT => Ok(value as i64),
            Self::Float(value) => Err(value),
        }
    }
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "beyond 2^53, which is counted as rounded")]
    pub(crate) fn float(self) -> f64 {
        match self {
            Self::Signed(value) => value as f64,
            Self::Unsigned(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    /// As a word, for ids and labels; `None` for what is no number.
    pub(crate) fn word(self) -> Option<String> {
        match self {
            Self::Signed(value) => Some(value.to_string()),
            Self::Unsigned(value) => Some(value.to_string()),
            Self::Float(value) => (!value.is_nan()).then(|| value.to_string()),
        }
    }
}

impl Target for Number {
    fn from_signed(value: i64) -> Self {
        Self::Signed(value)
    }

    fn from_unsigned(value: u64) -> Self {
        Self::Unsigned(value)
    }

    fn from_float(value: f64) -> Self {
        Self::Float(value)
    }

    fn from_text(text: &str) -> Option<Self> {
        let integer = text.parse().ok().map(Self::Signed);
        integer.or_else(|| text.parse().ok().map(Self::Float))
    }
}

/// All values as integers, or position and value of the first that is none.
pub(crate) fn whole_numbers(values: &[Number]) -> Result<Vec<i64>, (usize, f64)> {
    let whole = |(index, value): (usize, &Number)| value.whole().map_err(|value| (index, value));
    values.iter().enumerate().map(whole).collect()
}

/// Number of values of `shape`, after checking it against the bytes that can be there at all, so that a
/// header can't make us allocate what the file doesn't hold.
///
/// `size`: bytes a value. `before`: bytes before the values, for the message. `available`: bytes of values that
/// there can be.
pub(crate) fn count_values(
    shape: &[usize],
    size: usize,
    before: u64,
    available: u64,
    source_name: &str,
) -> Result<usize, DataError> {
    let mut count: u128 = 1;
    for &length in shape {
        count = count.saturating_mul(length as u128);
    }
    let bytes = count.saturating_mul(size as u128);
    if bytes > u128::from(available) {
        return Err(DataError::Truncated {
            source_name: source_name.into(),
            found: before + available,
            expected: bytes.saturating_add(u128::from(before)),
        });
    }
    usize::try_from(count).map_err(|_| too_large(source_name, bytes))
}

/// An empty vector with room for `len` values, or an error instead of an abort.
pub(crate) fn reserve<T>(len: usize, source_name: &str) -> Result<Vec<T>, DataError> {
    let bytes = len as u128 * size_of::<T>() as u128;
    // Linux promises more memory than there is, and ends the program when it is used.
    if bytes > 1 << 30 && free_memory().is_some_and(|available| bytes > available.into()) {
        return Err(too_large(source_name, bytes));
    }
    let mut values = Vec::new();
    values.try_reserve_exact(len).map_err(|_| too_large(source_name, bytes))?;
    Ok(values)
}

/// `len` zeros, or an error instead of an abort. Memory that nobody writes isn't touched.
pub(crate) fn zeros<T: Copy + Default>(len: usize, source_name: &str) -> Result<Vec<T>, DataError> {
    drop(reserve::<T>(len, source_name)?);
    Ok(vec![T::default(); len])
}

pub(crate) fn too_large(source_name: &str, bytes: u128) -> DataError {
    #[expect(clippy::cast_precision_loss, reason = "for a message")]
    let gibibytes = bytes as f64 / f64::from(1 << 30);
    DataError::TooLarge { source_name: source_name.into(), gibibytes }
}

/// Reads the next `count` values, in the narrowest type that holds what is stored exactly.
///
/// `bytes`: as for [`append_values`].
pub(crate) fn read_numbers(
    reader: &mut dyn Read,
    encoding: Encoding,
    count: usize,
    bytes: (u64, u64),
    source_name: &str,
) -> Result<Numbers, DataError> {
    macro_rules! read {
        ($numbers:path) => {{
            let mut values = reserve(count, source_name)?;
            append_values(reader, encoding, count, bytes, source_name, &mut values)?;
            $numbers(values)
        }};
    }
    Ok(match encoding.kind.width() {
        Width::F32 => read!(Numbers::F32),
        Width::F64 => read!(Numbers::F64),
        Width::I64 => {
            let mut values: Vec<Number> = reserve(count, source_name)?;
            append_values(reader, encoding, count, bytes, source_name, &mut values)?;
            integers(&values)
        }
    })
}

/// Integers of 64 bits.
pub(crate) fn integers(values: &[Number]) -> Numbers {
    let whole: Result<Vec<i64>, f64> = values.iter().map(|value| value.whole()).collect();
    let unsigned = |value: &Number| match *value {
        Number::Unsigned(value) => value,
        _ => 0,
    };
    whole.map_or_else(|_| Numbers::U64(values.iter().map(unsigned).collect()), Numbers::I64)
}

/// Reads exactly `count` values, the last ones of `reader`.
///
/// `before`: bytes already read, for messages.
pub(crate) fn read_values<T: Target>(
    reader: &mut dyn Read,
    encoding: Encoding,
    count: usize,
    before: u64,
    source_name: &str,
) -> Result<Vec<T>, DataError> {
    let mut values = reserve(count, source_name)?;
    let expected = before + (count * encoding.kind.size()) as u64;
    append_values(reader, encoding, count, (before, expected), source_name, &mut values)?;
    expect_end(reader, expected, source_name)?;
    Ok(values)
}

/// Reads the next `count` values, and appends them to `values`.
///
/// `bytes`: those already read, and those that there are to be in all, for messages.
pub(crate) fn append_values<T: Target>(
    reader: &mut dyn Read,
    encoding: Encoding,
    count: usize,
    bytes: (u64, u64),
    source_name: &str,
    values: &mut Vec<T>,
) -> Result<(), DataError> {
    let size = encoding.kind.size();
    let (mut position, expected) = bytes;
    let mut left = count * size;
    // A multiple of every size.
    let mut buffer = vec![0; left.min(1 << 16)];
    while left > 0 {
        let wanted = left.min(buffer.len());
        let filled = fill(reader, &mut buffer[..wanted], source_name)?;
        decode(encoding, &buffer[..filled], values);
        (position, left) = (position + filled as u64, left - filled);
        if filled < wanted {
            return Err(DataError::Truncated {
                source_name: source_name.into(),
                found: position,
                expected: expected.into(),
            });
        }
    }
    Ok(())
}

/// Checks that nothing follows byte `position`. This also makes unpackers compare their checksums.
pub(crate) fn expect_end(
    reader: &mut dyn Read,
    position: u64,
    source_name: &str,
) -> Result<(), DataError> {
    loop {
        match reader.read(&mut [0]) {
            Ok(0) => return Ok(()),
            Ok(_) => {
                let problem = format!(
                    "bytes follow the values declared by the header, which end at byte {position}"
                );
                return Err(DataError::Corrupt { source_name: source_name.into(), problem });
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(&error, source_name)),
        }
    }
}

/// Reads until `buffer` is full or the data end; returns the number of bytes read.
pub(crate) fn fill(
    reader: &mut dyn Read,
    buffer: &mut [u8],
    source_name: &str,
) -> Result<usize, DataError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // A compressed stream that stops in the middle: the caller says how much is missing.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(unreadable(&error, source_name)),
        }
    }
    Ok(filled)
}

/// Converts the values in `bytes`, which are whole, and appends them to `values`.
pub(crate) fn decode<T: Target>(encoding: Encoding, bytes: &[u8], values: &mut Vec<T>) {
    macro_rules! decode {
        ($type:ty, $convert:expr) => {{
            let (chunks, _) = bytes.as_chunks::<{ size_of::<$type>() }>();
            if encoding.big_endian {
                values.extend(chunks.iter().map(|&chunk| $convert(<$type>::from_be_bytes(chunk))));
            } else {
                values.extend(chunks.iter().map(|&chunk| $convert(<$type>::from_le_bytes(chunk))));
            }
        }};
    }
    match encoding.kind {
        Kind::Bool => values.extend(bytes.iter().map(|&byte| T::from_unsigned((byte != 0).into()))),
        Kind::U8 => decode!(u8, |value| T::from_unsigned(u64::from(value))),
        Kind::U16 => decode!(u16, |value| T::from_unsigned(u64::from(value))),
        Kind::U32 => decode!(u32, |value| T::from_unsigned(u64::from(value))),
        Kind::U64 => decode!(u64, T::from_unsigned),
        Kind::I8 => decode!(i8, |value| T::from_signed(i64::from(value))),
        Kind::I16 => decode!(i16, |value| T::from_signed(i64::from(value))),
        Kind::I32 => decode!(i32, |value| T::from_signed(i64::from(value))),
        Kind::I64 => decode!(i64, T::from_signed),
        Kind::F16 => decode!(f16, |value| T::from_float(f64::from(value))),
        Kind::F32 => decode!(f32, |value| T::from_float(f64::from(value))),
        Kind::F64 => decode!(f64, T::from_float),
    }
}
