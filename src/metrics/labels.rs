//! Pseudo-labels in numbers.

use consilience_data::{DataError, PseudoLabels, Truth};
use serde::Serialize;

use crate::evaluation::Scores;

/// Pseudo-labels in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct PseudoLabelMetrics {
    /// Number of samples with a label.
    pub count: usize,
    /// Their share of all samples.
    pub coverage: f64,
    /// Accuracy over them alone; `None` also if there are none.
    pub acc: Option<f64>,
    /// Number of samples in each mini-cluster, length n_clusters.
    pub sizes: Vec<usize>,
}

impl PseudoLabelMetrics {
    /// Counts labels, and scores them if there is `truth`.
    pub(super) fn of(labels: &PseudoLabels, truth: Option<&Truth>) -> Result<Self, DataError> {
        let scores = truth.map(|truth| Scores::of_pseudo_labels(truth, labels)).transpose()?;
        Ok(Self {
            count: labels.len(),
            coverage: labels.coverage(),
            acc: scores.map(|scores| scores.acc).filter(|acc| acc.is_finite()),
            sizes: labels.sizes(),
        })
    }
}
