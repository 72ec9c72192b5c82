//! Writing NumPy's formats. The same arrays give the same bytes: no dates are written.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use ndarray::{ArrayView, ArrayViewD, Dimension};
use npyz::WriterBuilder;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::{DataError, Element};

/// From this size on, zip needs its 64-bit fields; a bit below 4 GiB, for the header.
const LARGE: usize = (1 << 32) - (1 << 16);

/// Writes an array, of any shape, as `.npy` in C order.
///
/// # Errors
///
/// [`DataError::Unwritable`].
pub fn npy<T: Element, D: Dimension>(
    path: &Path,
    array: ArrayView<'_, T, D>,
) -> Result<(), DataError> {
    let write = || {
        let mut writer = BufWriter::new(File::create(path)?);
        write_array(&mut writer, &array)?;
        writer.flush()
    };
    write().map_err(|error| unwritable(&error, path))
}

/// An array to be put into an `.npz`; made by `view.into()`, or of rows that are made one at a time, or of texts.
#[derive(Clone)]
#[non_exhaustive]
#[expect(missing_docs, reason = "named after the number types")]
pub enum Member<'a> {
    /// Rows made one at a time, so that no more are in memory: shape (rows, row_len), and what makes each.
    U16Rows((usize, usize), &'a dyn Fn(usize) -> Vec<u16>),
    /// As `U16Rows`.
    F32Rows((usize, usize), &'a dyn Fn(usize) -> Vec<f32>),
    /// Texts: NumPy's Unicode strings, all as wide as the longest, which are read without pickle.
    Texts(Vec<&'a str>),
    F32(ArrayViewD<'a, f32>),
    F64(ArrayViewD<'a, f64>),
    U8(ArrayViewD<'a, u8>),
    U16(ArrayViewD<'a, u16>),
    U32(ArrayViewD<'a, u32>),
    I32(ArrayViewD<'a, i32>),
    I64(ArrayViewD<'a, i64>),
}

macro_rules! member {
    ($($name:ident($type:ty)),*) => {
        $(impl<'a, D: Dimension> From<ArrayView<'a, $type, D>> for Member<'a> {
            fn from(view: ArrayView<'a, $type, D>) -> Self {
                Self::$name(view.into_dyn())
            }
        })*
    };
}

member!(F32(f32), F64(f64), U8(u8), U16(u16), U32(u32), I32(i32), I64(i64));

impl Member<'_> {
    fn write(&self, writer: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::U16Rows((rows, len), row) => write_made(writer, *rows, *len, row),
            Self::F32Rows((rows, len), row) => write_made(writer, *rows, *len, row),
            Self::Texts(texts) => write_texts(writer, texts),
            Self::F32(array) => write_array(writer, array),
            Self::F64(array) => write_array(writer, array),
            Self::U8(array) => write_array(writer, array),
            Self::U16(array) => write_array(writer, array),
            Self::U32(array) => write_array(writer, array),
            Self::I32(array) => write_array(writer, array),
            Self::I64(array) => write_array(writer, array),
        }
    }

    /// Bytes of values, at most.
    fn bytes(&self) -> usize {
        let len = match self {
            Self::U16Rows((rows, len), _) | Self::F32Rows((rows, len), _) => {
                rows.saturating_mul(*len)
            }
            Self::Texts(texts) => width(texts).saturating_mul(texts.len()),
            Self::F32(array) => array.len(),
            Self::F64(array) => array.len(),
            Self::U8(array) => array.len(),
            Self::U16(array) => array.len(),
            Self::U32(array) => array.len(),
            Self::I32(array) => array.len(),
            Self::I64(array) => array.len(),
        };
        len.saturating_mul(size_of::<f64>())
    }
}

/// Writes named arrays, of any shape, as a compressed `.npz` that `numpy.load` reads.
///
/// # Errors
///
/// [`DataError::Unwritable`], also if two members have the same name.
pub fn npz(path: &Path, members: &[(&str, Member<'_>)]) -> Result<(), DataError> {
    archive(path, members, CompressionMethod::Deflated)
}

/// As [`npz`], not compressed: written as fast as the disk is.
///
/// # Errors
///
/// As [`npz`].
pub fn npz_stored(path: &Path, members: &[(&str, Member<'_>)]) -> Result<(), DataError> {
    archive(path, members, CompressionMethod::Stored)
}

fn archive(
    path: &Path,
    members: &[(&str, Member<'_>)],
    method: CompressionMethod,
) -> Result<(), DataError> {
    let write = || {
        let mut zip = ZipWriter::new(FailsOnce::new(BufWriter::new(File::create(path)?)));
        for (name, member) in members {
            let options = SimpleFileOptions::default()
                .compression_method(method)
                .last_modified_time(DateTime::default())
                .large_file(member.bytes() >= LARGE);
            zip.start_file(format!("{name}.npy"), options).map_err(io::Error::from)?;
            // The packer is slow on values one at a time.
            let mut buffered = BufWriter::new(&mut zip);
            member.write(&mut buffered)?;
            buffered.flush()?;
        }
        zip.finish().map_err(io::Error::from)?.flush()
    };
    write().map_err(|error: io::Error| unwritable(&error, path))
}

/// A file that takes whatever comes after its first error, as if it were written. A [`ZipWriter`] that is dropped finishes its archive, and prints
/// where it can't.
struct FailsOnce<W> {
    writer: W,
    has_failed: bool,
    /// Where the next byte would be, after an error.
    position: u64,
    end: u64,
}

impl<W> FailsOnce<W> {
    fn new(writer: W) -> Self {
        Self { writer, has_failed: false, position: 0, end: 0 }
    }

    /// What `work` gives, or `None` once something has failed.
    fn once<T>(&mut self, work: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<Option<T>> {
        if self.has_failed {
            return Ok(None);
        }
        let result = work(&mut self.writer);
        self.has_failed = result.is_err();
        result.map(Some)
    }
}

impl<W: Write> Write for FailsOnce<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.once(|writer| writer.write(bytes))?.unwrap_or(bytes.len());
        self.position += written as u64;
        self.end = self.end.max(self.position);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.once(Write::flush).map(|_| ())
    }
}

impl<W: Seek> Seek for FailsOnce<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let pretended = match to {
            SeekFrom::Start(position) => position,
            SeekFrom::Current(by) => self.position.saturating_add_signed(by),
            SeekFrom::End(by) => self.end.saturating_add_signed(by),
        };
        self.position = self.once(|writer| writer.seek(to))?.unwrap_or(pretended);
        Ok(self.position)
    }
}

fn write_array<T: Element, D: Dimension>(
    writer: impl Write,
    array: &ArrayView<'_, T, D>,
) -> io::Result<()> {
    let shape: Vec<u64> = array.shape().iter().map(|&length| length as u64).collect();
    let mut npy =
        npyz::WriteOptions::new().default_dtype().shape(&shape).writer(writer).begin_nd()?;
    npy.extend(array.iter().copied())?;
    npy.finish()
}

fn write_made<T: Element>(
    writer: impl Write,
    rows: usize,
    row_len: usize,
    row: &dyn Fn(usize) -> Vec<T>,
) -> io::Result<()> {
    let shape = [rows as u64, row_len as u64];
    let mut npy =
        npyz::WriteOptions::new().default_dtype().shape(&shape).writer(writer).begin_nd()?;
    (0..rows).try_for_each(|number| npy.extend(row(number)))?;
    npy.finish()
}

/// Characters of the longest text. NumPy knows no texts of width 0.
fn width(texts: &[&str]) -> usize {
    texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1)
}

/// Writes texts as four bytes a character, filled up with zeros. The crate npyz has no such type.
fn write_texts(writer: &mut dyn Write, texts: &[&str]) -> io::Result<()> {
    let width = width(texts);
    let shape = texts.len();
    let header = format!("{{'descr': '<U{width}', 'fortran_order': False, 'shape': ({shape},), }}");
    // Magic, version and length take ten bytes; values start at a multiple of 64.
    let padded = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let length = u16::try_from(padded).map_err(io::Error::other)?;
    writer.write_all(b"\x93NUMPY\x01\x00")?;
    writer.write_all(&length.to_le_bytes())?;
    writer.write_all(format!("{header:width$}\n", width = padded - 1).as_bytes())?;
    for text in texts {
        let letters = text.chars().map(u32::from).chain(std::iter::repeat(0));
        for letter in letters.take(width) {
            writer.write_all(&letter.to_le_bytes())?;
        }
    }
    Ok(())
}

fn unwritable(error: &io::Error, path: &Path) -> DataError {
    DataError::Unwritable { source_name: path.display().to_string(), reason: error.to_string() }
}
