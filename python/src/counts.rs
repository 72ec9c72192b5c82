//! Counted signatures, from Python and back.

use consilience::from_counts::{Counts, LabelledCounts};
use consilience_data::ClusterId;
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A table of counted signatures, a list for each column.
#[derive(Debug, FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct GivenCounts {
    signature: Vec<String>,
    cluster: Vec<u16>,
    count: Vec<u64>,
    first: Vec<String>,
}

impl From<GivenCounts> for Counts {
    fn from(given: GivenCounts) -> Self {
        Self {
            signatures: given.signature,
            clusters: given.cluster.into_iter().map(ClusterId).collect(),
            counts: given.count,
            firsts: given.first,
        }
    }
}

/// Labels as lists and arrays by name.
pub(crate) fn labelled(py: Python<'_>, found: LabelledCounts) -> PyResult<Bound<'_, PyDict>> {
    let numbers = |number: fn(&consilience::from_counts::LabelledSignature) -> i64| {
        found.labels.iter().map(number).collect::<Vec<_>>().into_pyarray(py)
    };
    let dict = PyDict::new(py);
    dict.set_item("label", numbers(|label| label.label.0.into()))?;
    dict.set_item("agreement", numbers(|label| label.agreement.into()))?;
    dict.set_item("margin", numbers(|label| label.margin.into()))?;
    let sizes: Vec<u64> = found.sizes.clone();
    dict.set_item("sizes", sizes)?;
    dict.set_item("n_found", found.n_found)?;
    dict.set_item("n_signatures", found.n_signatures)?;
    dict.set_item("n_samples", found.n_samples)?;
    dict.set_item("n_labelled", found.n_labelled())?;
    let signatures = found.labels.into_iter().map(|label| label.signature);
    dict.set_item("signature", signatures.collect::<Vec<_>>())?;
    Ok(dict)
}
