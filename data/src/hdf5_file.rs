//! HDF5 files with named arrays, for runs. The same arrays give the same bytes: no dates are written.

use std::cell::Cell;
use std::mem;
use std::path::Path;

use hdf5::types::VarLenUnicode;
use hdf5::{File, Location};
use ndarray::{Array, Array2, ArrayView, CowArray, Dimension, Ix2, s};

use crate::read::h5;
use crate::{DataError, Element};

/// Writes named arrays into a new file.
#[derive(Debug)]
pub struct Writer {
    file: Option<File>,
    name: String,
    has_failed: Cell<bool>,
}

/// After an error of writing, the library crashes when it closes the file (HDF5 1.14, `H5D__flush_all_cb`): so it stays open until the process
/// ends.
impl Drop for Writer {
    fn drop(&mut self) {
        if self.has_failed.get() {
            mem::forget(self.file.take());
        }
    }
}

impl Writer {
    /// Creates a file; one that is there is replaced.
    ///
    /// # Errors
    ///
    /// [`DataError::Unwritable`].
    pub fn create(path: &Path) -> Result<Self, DataError> {
        let name = path.display().to_string();
        let file = File::with_options()
            .with_fcpl(|properties| properties.obj_track_times(false))
            .create(path)
            .map_err(|error| unwritable(&error, &name))?;
        Ok(Self { file: Some(file), name, has_failed: Cell::new(false) })
    }

    /// Writes an array, of any shape. A name such as `rounds/0/votes` makes the groups it needs.
    ///
    /// # Errors
    ///
    /// [`DataError::Unwritable`], also if the name is taken.
    pub fn write<T: Element, D: Dimension>(
        &self,
        name: &str,
        array: ArrayView<'_, T, D>,
    ) -> Result<(), DataError> {
        let values = array.as_standard_layout();
        self.file()
            .new_dataset_builder()
            .obj_track_times(false)
            .create_intermediate_group(true)
            .with_data(values.view())
            .create(name)
            .map(|_| ())
            .map_err(|error| self.failed(&error, &format!("{}:{name}", self.name)))
    }

    /// Writes a 2-D array of `n_rows` rows of `row_len` values, one row after the other, so that only one has to be
    /// in memory.
    ///
    /// # Errors
    ///
    /// [`DataError::Unwritable`], also if the name is taken or a row has another length.
    pub fn write_rows<T: Element>(
        &self,
        name: &str,
        row_len: usize,
        rows: impl ExactSizeIterator<Item = Vec<T>>,
    ) -> Result<(), DataError> {
        let write = || {
            let dataset = self
                .file()
                .new_dataset_builder()
                .obj_track_times(false)
                .create_intermediate_group(true)
                .empty::<T>()
                .shape((rows.len(), row_len))
                .create(name)?;
            for (number, row) in rows.enumerate() {
                dataset.write_slice(&row, s![number, ..])?;
            }
            Ok(())
        };
        write().map_err(|error| self.failed(&error, &format!("{}:{name}", self.name)))
    }

    /// Writes a 3-D array of `n_planes` planes of shape (`n_rows`, `n_columns`), one after the other; a plane with fewer
    /// columns is filled up with zeros. No more than such a plane is copied.
    ///
    /// # Errors
    ///
    /// [`DataError::Unwritable`], also if the name is taken or a plane has another number of rows, or more columns.
    pub fn write_planes<'a, T: Element>(
        &self,
        name: &str,
        (n_rows, n_columns): (usize, usize),
        planes: impl ExactSizeIterator<Item = CowArray<'a, T, Ix2>>,
    ) -> Result<(), DataError> {
        let write = || {
            let dataset = self
                .file()
                .new_dataset_builder()
                .obj_track_times(false)
                .create_intermediate_group(true)
                .empty::<T>()
                .shape((planes.len(), n_rows, n_columns))
                .create(name)?;
            for (number, plane) in planes.enumerate() {
                if plane.ncols() >= n_columns {
                    dataset.write_slice(plane.as_standard_layout().view(), s![number, .., ..])?;
                } else {
                    let mut filled = Array2::<T>::default((n_rows, n_columns));
                    filled.slice_mut(s![.., ..plane.ncols()]).assign(&plane);
                    dataset.write_slice(&filled, s![number, .., ..])?;
                }
            }
            Ok(())
        };
        write().map_err(|error| self.failed(&error, &format!("{}:{name}", self.name)))
    }

    /// Writes texts, as UTF-8 of variable length. HDF5 ends a text at a zero byte, so U+FFFD takes the place of any.
    ///
    /// # Errors
    ///
    /// [`DataError::Unwritable`], also if the name is taken.
    pub fn write_texts(&self, name: &str, texts: &[&str]) -> Result<(), DataError> {
        let write = || {
            let texts: Result<Vec<VarLenUnicode>, _> =
                texts.iter().map(|text| text.replace('\0', "\u{fffd}").parse()).collect();
            self.file()
                .new_dataset_builder()
                .obj_track_times(false)
                .create_intermediate_group(true)
                .with_data(&texts.map_err(|error| format!("{error:?}"))?)
                .create(name)
        };
        write()
            .map(|_| ())
            .map_err(|error: hdf5::Error| self.failed(&error, &format!("{}:{name}", self.name)))
    }

    /// Attaches a text to the array `name`, such as `shape` and `(n_models, n_samples)`; to the file itself if
    /// `name` is `/`.
    ///
    /// # Errors
    ///
    /// [`DataError::Unwritable`], also without such an array, and for a text with a zero byte.
    pub fn attribute(&self, name: &str, key: &str, text: &str) -> Result<(), DataError> {
        let write = || {
            let text: VarLenUnicode = text.parse().map_err(|error| format!("{error:?}"))?;
            let attribute = location(self.file(), name)?.new_attr::<VarLenUnicode>().create(key)?;
            attribute.write_scalar(&text)
        };
        write().map_err(|error| self.failed(&error, &format!("{}:{name}, {key}", self.name)))
    }

    /// Writes everything out and closes the file.
    ///
    /// # Errors
    ///
    /// [`DataError::Unwritable`].
    pub fn finish(mut self) -> Result<(), DataError> {
        self.file().flush().map_err(|error| self.failed(&error, &self.name))?;
        let closed = self.file.take().map_or(Ok(()), File::close);
        closed.map_err(|error| unwritable(&error, &self.name))
    }

    fn file(&self) -> &File {
        self.file.as_ref().expect("open until it is finished")
    }

    fn failed(&self, error: &hdf5::Error, name: &str) -> DataError {
        self.has_failed.set(true);
        unwritable(error, name)
    }
}

/// Reads named arrays back.
#[derive(Debug)]
pub struct Reader {
    file: File,
    name: String,
}

impl Reader {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// [`DataError`] if it isn't there or isn't HDF5.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        crate::read::check_hdf5(path)?;
        Ok(Self { file: h5::open(path)?, name: path.display().to_string() })
    }

    /// Full names of all arrays, such as `/votes`, in alphabetical order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        h5::datasets(&self.file).iter().map(|dataset| dataset.name()).collect()
    }

    /// Reads an array of exactly the type `T` and the number of dimensions of `D`; nothing is converted.
    ///
    /// # Errors
    ///
    /// [`DataError::MissingMember`] without such an array, [`DataError::Unsupported`] for another type or
    /// number of dimensions, [`DataError::Corrupt`].
    pub fn read<T: Element, D: Dimension>(&self, name: &str) -> Result<Array<T, D>, DataError> {
        let dataset = h5::named(&self.file, name, &self.name)?;
        let source_name = format!("{}:{name}", self.name);
        let found = dataset.dtype().and_then(|datatype| datatype.to_descriptor());
        let found = found.map_err(|error| h5::unreadable(&error, &source_name))?;
        let expected = T::type_descriptor();
        let dimensions = dataset.ndim();
        if found != expected || D::NDIM.is_some_and(|expected| expected != dimensions) {
            return Err(DataError::Unsupported {
                source_name,
                found: format!("{dimensions}-D {found}"),
                supported: "the type that is asked for",
            });
        }
        h5::check_size(&dataset, expected.size(), &source_name)?;
        dataset.read().map_err(|error| h5::unreadable(&error, &source_name))
    }

    /// Reads texts written by [`Writer::write_texts`].
    ///
    /// # Errors
    ///
    /// [`DataError::MissingMember`] without such an array, [`DataError::Corrupt`] if it holds anything else.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, DataError> {
        let dataset = h5::named(&self.file, name, &self.name)?;
        let texts = dataset.read_raw::<VarLenUnicode>();
        let texts = texts.map_err(|error| h5::unreadable(&error, &format!("{}:{name}", self.name)));
        Ok(texts?.iter().map(ToString::to_string).collect())
    }

    /// Reads a text attached by [`Writer::attribute`].
    ///
    /// # Errors
    ///
    /// [`DataError::MissingMember`] if it isn't there.
    pub fn attribute(&self, name: &str, key: &str) -> Result<String, DataError> {
        let read = || location(&self.file, name)?.attr(key)?.read_scalar::<VarLenUnicode>();
        read().map(|text| text.to_string()).map_err(|error| DataError::MissingMember {
            source_name: format!("{}:{name}", self.name),
            wanted: format!("text {key} ({})", h5::one_line(&error)),
            found: location(&self.file, name)
                .and_then(|location| location.attr_names())
                .unwrap_or_default(),
        })
    }
}

fn location(file: &File, name: &str) -> hdf5::Result<Location> {
    if name == "/" {
        return file.as_location();
    }
    file.dataset(name)?.as_location()
}

fn unwritable(error: &hdf5::Error, name: &str) -> DataError {
    DataError::Unwritable { source_name: name.into(), reason: h5::one_line(error) }
}
