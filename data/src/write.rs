//! Writing NumPy's formats. The same arrays give the same bytes: no dates are written.

use std::fs::File;
use std::io::{self, BufWriter, Write};
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

/// An array to be put into an `.npz`; made by `view.into()`.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[expect(missing_docs, reason = "named after the number types")]
pub enum Member<'a> {
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
    let write = || {
        let mut zip = ZipWriter::new(BufWriter::new(File::create(path)?));
        for (name, member) in members {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Deflated)
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

fn unwritable(error: &io::Error, path: &Path) -> DataError {
    DataError::Unwritable { source_name: path.display().to_string(), reason: error.to_string() }
}
