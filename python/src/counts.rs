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
    /// Negative ones are of samples that belong nowhere, and have no label.
    cluster: Vec<i64>,
    count: Vec<u64>,
    first: Vec<String>,
}

impl From<GivenCounts> for Counts {
    fn from(given: GivenCounts) -> Self {
        let GivenCounts { signature, cluster, count, first } = given;
        let rows = signature.into_iter().zip(cluster).zip(count).zip(first);
        let rows = rows.filter(|(((_, cluster), _), _)| *cluster >= 0);
        let mut counts =
            Self { signatures: vec![], clusters: vec![], counts: vec![], firsts: vec![] };
        for (((signature, cluster), count), first) in rows {
            counts.signatures.push(signature);
            // There are no so many clusters, which is refused later.
            counts.clusters.push(ClusterId(u16::try_from(cluster).unwrap_or(u16::MAX)));
            counts.counts.push(count);
            counts.firsts.push(first);
        }
        counts
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
