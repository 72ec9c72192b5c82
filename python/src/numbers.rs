//! Arrays of Python's as features.

use consilience::RunError;
use consilience_data::{Features, Offsets};
use ndarray::{ArrayView2, Axis, Slice};
use numpy::{PyArray2, PyArrayMethods, PyReadonlyArray2};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// How messages call the data.
const NAME: &str = "X";

/// Numbers that Python lends, shape (n_samples, n_features).
pub(crate) enum Numbers<'py> {
    Bytes(PyReadonlyArray2<'py, u8>),
    Narrow(PyReadonlyArray2<'py, f32>),
    Wide(PyReadonlyArray2<'py, f64>),
}

/// The same without the interpreter's lock. Whoever passes an array that others write to meanwhile gets some mixture of the two.
#[derive(Clone, Copy)]
pub(crate) enum View<'a> {
    Bytes(ArrayView2<'a, u8>),
    Narrow(ArrayView2<'a, f32>),
    Wide(ArrayView2<'a, f64>),
}

impl<'py> Numbers<'py> {
    pub(crate) fn new(array: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(narrow) = array.cast::<PyArray2<f32>>() {
            return Ok(Self::Narrow(narrow.readonly()));
        }
        if let Ok(bytes) = array.cast::<PyArray2<u8>>() {
            return Ok(Self::Bytes(bytes.readonly()));
        }
        let wide = array.cast::<PyArray2<f64>>();
        let wide = wide.map_err(|_| {
            PyTypeError::new_err("need an array of float32, float64 or uint8 with two dimensions")
        })?;
        Ok(Self::Wide(wide.readonly()))
    }

    pub(crate) fn view(&self) -> View<'_> {
        match self {
            Self::Bytes(array) => View::Bytes(array.as_array()),
            Self::Narrow(array) => View::Narrow(array.as_array()),
            Self::Wide(array) => View::Wide(array.as_array()),
        }
    }
}

impl View<'_> {
    pub(crate) fn n_samples(&self) -> usize {
        match self {
            Self::Bytes(values) => values.nrows(),
            Self::Narrow(values) => values.nrows(),
            Self::Wide(values) => values.nrows(),
        }
    }

    /// Some of the rows.
    pub(crate) fn rows(&self, start: usize, end: usize) -> View<'_> {
        let slice = Slice::from(start..end);
        match self {
            Self::Bytes(values) => View::Bytes(values.slice_axis(Axis(0), slice)),
            Self::Narrow(values) => View::Narrow(values.slice_axis(Axis(0), slice)),
            Self::Wide(values) => View::Wide(values.slice_axis(Axis(0), slice)),
        }
    }

    /// Features, and what was taken off them: a copy, and the only one.
    pub(crate) fn features(&self) -> Result<(Features, Option<Offsets>), RunError> {
        Ok(match self {
            Self::Bytes(values) => (Features::new(values.mapv(f32::from), NAME)?, None),
            Self::Narrow(values) => Features::of_narrow(*values, NAME)?,
            Self::Wide(values) => Features::of_wide(*values, NAME)?,
        })
    }

    /// Features as other data became features.
    pub(crate) fn features_as(&self, offsets: Option<&Offsets>) -> Result<Features, RunError> {
        Ok(match (self, offsets) {
            (Self::Bytes(values), None) => Features::new(values.mapv(f32::from), NAME)?,
            (Self::Bytes(values), Some(_)) => {
                Features::of_wide_as(values.mapv(f64::from).view(), offsets, NAME)?
            }
            (Self::Narrow(values), None) => Features::new(values.to_owned(), NAME)?,
            (Self::Narrow(values), Some(_)) => {
                Features::of_wide_as(values.mapv(f64::from).view(), offsets, NAME)?
            }
            (Self::Wide(values), _) => Features::of_wide_as(*values, offsets, NAME)?,
        })
    }
}
