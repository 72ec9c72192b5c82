//! The subset of samples on which an ensemble agrees, with a label for each.

use std::sync::Arc;

use serde::Serialize;

use crate::{ClusterId, SampleIdx, SoftAssignments};

/// A sample's label by agreement, with its evidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PseudoLabel {
    /// The sample.
    pub sample: SampleIdx,
    /// Its mini-cluster, 0-based in order of extraction.
    pub label: ClusterId,
    /// Number of models that put the sample with its mini-cluster's anchor.
    pub agreement: u16,
    /// How many models fewer put the sample with the anchor of its next best mini-cluster. With a single
    /// mini-cluster, the agreement itself; negative only where votes are missing.
    pub margin: i32,
    /// The lowest of the models' confidences in the sample, 0..=1.
    pub confidence: f32,
}

/// Labels for a part of the samples, in the order of samples, each sample at most once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PseudoLabels {
    entries: Vec<PseudoLabel>,
    n_clusters: usize,
    n_samples: usize,
    /// Those of the samples whose label a person gave, ascending.
    given: Vec<SampleIdx>,
    /// Of every sample.
    probabilities: Option<Arc<SoftAssignments>>,
}

impl PseudoLabels {
    /// Takes labels below `n_clusters` of samples below `n_samples`, at most one a sample, and sorts them.
    #[must_use]
    pub fn new(mut entries: Vec<PseudoLabel>, n_clusters: usize, n_samples: usize) -> Self {
        entries.sort_unstable_by_key(|entry| entry.sample);
        debug_assert!(entries.windows(2).all(|pair| pair[0].sample < pair[1].sample));
        debug_assert!(
            entries.iter().all(|entry| {
                entry.label.index() < n_clusters && entry.sample.index() < n_samples
            })
        );
        Self { entries, n_clusters, n_samples, given: Vec::new(), probabilities: None }
    }

    /// The same, with samples whose label isn't found but given by a person, ascending: who learns from labels learns from these all the
    /// time.
    #[must_use]
    pub fn with_given(mut self, given: Vec<SampleIdx>) -> Self {
        debug_assert!(given.is_sorted());
        self.given = given;
        self
    }

    /// The same, with how probable every label is, shape (n_samples, n_clusters): who learns from found labels learns from these in place of the one label.
    #[must_use]
    pub fn with_probabilities(mut self, probabilities: Arc<SoftAssignments>) -> Self {
        debug_assert_eq!(probabilities.view().dim(), (self.n_samples, self.n_clusters));
        self.probabilities = Some(probabilities);
        self
    }

    /// How probable every label is, shape (n_samples, n_clusters), where labels are learnt from as far as they are.
    #[must_use]
    pub fn probabilities(&self) -> Option<&Arc<SoftAssignments>> {
        self.probabilities.as_ref()
    }

    /// Whether a person gave the label of `sample`.
    #[must_use]
    pub fn is_given(&self, sample: SampleIdx) -> bool {
        self.given.binary_search(&sample).is_ok()
    }

    /// The samples whose label a person gave, ascending.
    #[must_use]
    pub fn given(&self) -> &[SampleIdx] {
        &self.given
    }

    /// The labelled samples, in the order of samples.
    #[must_use]
    pub fn entries(&self) -> &[PseudoLabel] {
        &self.entries
    }

    /// Number of mini-clusters.
    #[must_use]
    pub fn n_clusters(&self) -> usize {
        self.n_clusters
    }

    /// Number of samples, with a label or without.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.n_samples
    }

    /// Number of samples that have a label.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no sample has a label.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Share of all samples that have a label, 0..=1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub fn coverage(&self) -> f64 {
        self.len() as f64 / self.n_samples.max(1) as f64
    }

    /// Samples of each mini-cluster, shape (n_clusters, its size), each in the order of samples.
    #[must_use]
    pub fn by_cluster(&self) -> Vec<Vec<SampleIdx>> {
        let mut clusters = vec![Vec::new(); self.n_clusters];
        for entry in &self.entries {
            clusters[entry.label.index()].push(entry.sample);
        }
        clusters
    }

    /// Number of samples in each mini-cluster, length n_clusters.
    #[must_use]
    pub fn sizes(&self) -> Vec<usize> {
        self.by_cluster().iter().map(Vec::len).collect()
    }
}
