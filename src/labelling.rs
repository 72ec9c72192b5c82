//! What pseudo-labels come from: agreement, or one of the naive ways that it is compared with.
//!
//! The naive ways are the paper's (Gupta et al., ICLR 2020, on naive methods of pseudo-labelling). They take the labels of one model,
//! with all of its mistakes.

use consilience_data::Features;
use serde::{Deserialize, Serialize};

use crate::error::RunError;

/// Clusters of the model that over-clusters, for each of the K that are asked for.
pub(crate) const OVER_CLUSTERS: usize = 5;

/// What pseudo-labels come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Labelling {
    /// What the models agree on: the graph's mini-clusters.
    #[default]
    Agreement,
    /// The first model's clusters, all samples.
    Clusters,
    /// The K largest clusters of another model that has five times as many, trained once.
    OverClusters,
    /// The first model's clusters, of samples in which its confidence exceeds `agreement.min_confidence`. With one model, that
    /// is what the graph finds.
    Confidence,
}

impl Labelling {
    /// Checks that a model with more clusters than K can be trained, if there is to be one.
    pub(crate) fn check(self, k: usize, batch: usize, features: &Features) -> Result<(), RunError> {
        if self != Self::OverClusters {
            return Ok(());
        }
        let refused = |need, got: usize| {
            Err(RunError::Setting { name: "labelling", need, got: got.to_string() })
        };
        let most = batch.min(65_535) / OVER_CLUSTERS;
        if k > most {
            let why =
                format!("as batches of {batch} samples have to hold {OVER_CLUSTERS} K clusters");
            return refused(format!("K <= {most} for over-clusters, {why}"), k);
        }
        let clusters = OVER_CLUSTERS * k;
        let distinct = features.distinct_rows_up_to(clusters);
        if distinct < clusters {
            let need = format!("{clusters} distinct rows for over-clusters, {OVER_CLUSTERS} K");
            return refused(need, distinct);
        }
        Ok(())
    }
}
/// What the pseudo-labels that a run ends with come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelRule {
    /// Mini-clusters on which models agree, as the settings of the agreement graph say.
    MiniClusters,
    /// All samples on which most models of each kind stand behind the answer. The settings of the agreement graph decide only what networks
    /// learn from.
    Backed,
}
