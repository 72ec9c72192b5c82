//! How many clusters were found, in numbers.

use serde::Serialize;

use crate::granularity::{Granularity, KEvidence, LayerFound};
use crate::k_range::KRow;

/// How K was found, where it wasn't given.
#[derive(Debug, Clone, Serialize)]
pub struct GranularityMetrics {
    /// The number of clusters that was taken, K.
    pub n_clusters: usize,
    /// The least that was asked for.
    pub from: usize,
    /// The most.
    pub to: usize,
    /// The number that the tree of votes shows, whatever was asked for; 1: no structure.
    pub shown: usize,
    /// What speaks for 1, 2, ... clusters.
    pub candidates: Vec<KEvidence>,
    /// Clusterings that the tree shows, that with K clusters first, then the strongest.
    pub layers: Vec<LayerMetrics>,
    /// For votes that were given, where a range was asked for: the mini-clusters that each K of it gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mini_clusters: Option<Vec<KRow>>,
    /// Wall-clock seconds that it took, the neighbour graph excluded.
    pub seconds: f64,
}

/// A clustering that the tree shows, in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct LayerMetrics {
    /// What speaks for it.
    #[serde(flatten)]
    pub evidence: KEvidence,
    /// Number of samples in each cluster.
    pub sizes: Vec<usize>,
}

impl GranularityMetrics {
    /// The numbers of what was found.
    #[must_use]
    pub fn of(found: &Granularity) -> Self {
        let layer = |layer: &LayerFound| LayerMetrics {
            evidence: layer.evidence,
            sizes: layer.assignments.sizes(),
        };
        Self {
            n_clusters: found.k,
            from: *found.ks.start(),
            to: *found.ks.end(),
            shown: found.shown,
            candidates: found.candidates.clone(),
            layers: found.layers.iter().map(layer).collect(),
            mini_clusters: None,
            seconds: (found.seconds * 1000.0).round() / 1000.0,
        }
    }
}
