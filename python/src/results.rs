//! What came out, as arrays.

use consilience_data::{ClusterId, PseudoLabels};
use numpy::IntoPyArray;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// What stands for no cluster.
const NONE: i64 = -1;

/// What a run says of every sample, each of length n_samples.
pub(crate) struct Results {
    labels: Vec<i64>,
    confidences: Vec<f32>,
    pseudo_labels: Vec<i64>,
    /// Models that put the sample with its mini-cluster's anchor; 0 without a pseudo-label.
    agreement: Vec<i64>,
    margin: Vec<i64>,
}

impl Results {
    pub(crate) fn new(
        clusters: impl Iterator<Item = Option<ClusterId>>,
        confidences: Vec<f32>,
        found: &PseudoLabels,
    ) -> Self {
        let n_samples = found.n_samples();
        let labels = clusters.map(|cluster| cluster.map_or(NONE, |cluster| i64::from(cluster.0)));
        let mut results = Self {
            labels: labels.collect(),
            confidences,
            pseudo_labels: vec![NONE; n_samples],
            agreement: vec![0; n_samples],
            margin: vec![0; n_samples],
        };
        for entry in found.entries() {
            let sample = entry.sample.index();
            results.pseudo_labels[sample] = i64::from(entry.label.0);
            results.agreement[sample] = i64::from(entry.agreement);
            results.margin[sample] = i64::from(entry.margin);
        }
        results
    }

    /// A dictionary of arrays.
    pub(crate) fn into_dict(self, py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("labels", self.labels.into_pyarray(py))?;
        dict.set_item("confidences", self.confidences.into_pyarray(py))?;
        dict.set_item("pseudo_labels", self.pseudo_labels.into_pyarray(py))?;
        dict.set_item("agreement", self.agreement.into_pyarray(py))?;
        dict.set_item("margin", self.margin.into_pyarray(py))?;
        Ok(dict)
    }
}
