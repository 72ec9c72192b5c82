//! `evaluate`: scores of clusters against classes.

use consilience::evaluation::Scores;
use consilience_data::Truth;
use numpy::{PyArray1, PyArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::of_data;

/// Scores labels, whole numbers or strings of length n_samples each, as JSON; and what clusters are called.
#[pyfunction]
pub(crate) fn evaluate(
    py: Python<'_>,
    truth: &Bound<'_, PyAny>,
    found: &Bound<'_, PyAny>,
) -> PyResult<(String, Vec<String>)> {
    let (truth, found) = (labels(truth, "y_true")?, labels(found, "y_pred")?);
    let scores = py.detach(|| Scores::of_labels(&truth, &found)).map_err(of_data)?;
    let told = serde_json::to_string(&scores);
    let told = told.map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok((told, found.names().to_vec()))
}

fn labels(labels: &Bound<'_, PyAny>, name: &str) -> PyResult<Truth> {
    let made = match labels.cast::<PyArray1<i64>>() {
        Ok(numbers) => Truth::from_integers(&numbers.to_vec()?),
        Err(_) => Truth::from_labels(&labels.extract::<Vec<String>>()?),
    };
    made.map_err(|_| PyValueError::new_err(format!("{name}: no labels")))
}
