//! One clustering of all samples, from votes.

use consilience_data::ClusterId;

use crate::Signatures;

/// A cluster for every sample on which a model voted.
#[derive(Debug, Clone, PartialEq)]
pub struct VoteConsensus {
    /// The cluster of each sample, length n_samples; `None` without votes, and for all if there was no cluster to start from.
    pub clusters: Vec<Option<ClusterId>>,
    /// How sure it is, 0..=1, length n_samples; 0 without votes. What it measures depends on the method.
    pub confidences: Vec<f32>,
    /// Number of clusters, K; some may be empty.
    pub n_clusters: usize,
}

impl VoteConsensus {
    /// From the cluster of each signature and how sure it is, shape (n_signatures).
    pub(crate) fn of_signatures(
        signatures: &Signatures,
        found: &[(Option<ClusterId>, f32)],
        n_clusters: usize,
    ) -> Self {
        let of_sample = signatures.of_sample.iter().map(|&signature| found[signature as usize]);
        let (clusters, confidences) = of_sample.unzip();
        Self { clusters, confidences, n_clusters }
    }

    /// Number of samples in each cluster, length K.
    #[must_use]
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.n_clusters];
        for cluster in self.clusters.iter().flatten() {
            sizes[cluster.index()] += 1;
        }
        sizes
    }
}
