//! What a run leaves behind: a record of every round, from which everything else is derived.

use consilience_data::{
    Assignments, ClusterId, Contingency, PseudoLabel, PseudoLabels, SampleIdx, SoftAssignments,
    Votes,
};
use consilience_ensembles::{Ensemble, Prepared, Profile};
use consilience_graph::{Alignment, Extraction, maximum_matching};
use serde::Serialize;

use crate::guard::Answer;

/// The result of a run.
pub struct Outcome {
    /// All rounds, at least one.
    pub rounds: Vec<Round>,
    /// Why there was no further round.
    pub stop: StopReason,
    /// What came out.
    pub answer: Answer,
    /// All models' probabilities in the last round, each in its own numbering, length n_models.
    pub probabilities: Vec<SoftAssignments>,
    /// The models as they were last trained.
    pub ensemble: Ensemble,
    /// Which of their clusters is which of the consensus in the last round.
    pub alignment: Alignment,
    /// The data as the models saw it.
    pub data: Prepared,
}

impl Outcome {
    /// The last round.
    #[must_use]
    pub fn last(&self) -> &Round {
        self.rounds.last().expect("a run has at least one round")
    }
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum StopReason {
    /// All rounds were done.
    RoundLimit,
    /// The consensus hardly changed any more.
    #[expect(missing_docs, reason = "adjusted Rand index of the last two rounds' consensus")]
    Stable { ari_to_previous: f64 },
    /// All rounds were done, and none found K mini-clusters.
    NoCluster,
    /// The votes were given: there was nothing to train.
    NoTraining,
}

/// How long a round took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seconds {
    /// Wall-clock seconds: training, votes, graph and consensus.
    pub total: f64,
    /// Wall-clock seconds, votes to pseudo-labels.
    pub graph: f64,
    /// Time of all models together since the start of the run, by what they did.
    pub models: Profile,
}

/// What one round did.
#[derive(Debug, Clone)]
pub struct Round {
    /// All models' votes.
    pub votes: Votes,
    /// The mini-clusters, numbered as the consensus is.
    pub pseudo_labels: PseudoLabels,
    /// Whether as many mini-clusters were found as asked for.
    pub complete: bool,
    /// Distinct signatures among the votes.
    pub n_signatures: usize,
    /// The cluster of every sample: the most probable by the mean of all models' aligned probabilities.
    pub consensus: Assignments,
    /// That mean probability, length n_samples.
    pub confidence: Vec<f32>,
    /// Mean pairwise adjusted Rand index of the models; `None` with one model. Agreement is evidence only between models
    /// that err differently, so near 1 from the first round on is a warning.
    pub diversity: Option<f64>,
    /// Adjusted Rand index of this round's consensus and the last one's.
    pub ari_to_previous: Option<f64>,
    /// What the consensus tells of neighbours' clusters, in nats: see [`Prepared::neighbour_information`].
    pub information: f64,
    /// How long it took.
    pub seconds: Seconds,
}

impl Round {
    /// Puts a round's results together. `consensus` is numbered as the mini-clusters are if all were found, and else in
    /// its own way, which they are given.
    pub(crate) fn record(
        votes: Votes,
        extraction: Extraction,
        consensus: &SoftAssignments,
        diversity: Option<f64>,
        previous: Option<&Self>,
        seconds: Seconds,
    ) -> Self {
        let (consensus, confidence) = consensus.harden();
        let ari_to_previous = previous
            .map(|previous| consensus.contingency(&previous.consensus).adjusted_rand_index());
        let complete = extraction.is_complete(consensus.n_clusters());
        let pseudo_labels = if complete {
            extraction.pseudo_labels
        } else {
            let cluster_of = |sample: SampleIdx| consensus.clusters()[sample.index()];
            renumber(&extraction.pseudo_labels, cluster_of, consensus.n_clusters())
        };
        Self {
            pseudo_labels,
            complete,
            n_signatures: extraction.n_signatures,
            votes,
            consensus,
            confidence,
            diversity,
            ari_to_previous,
            information: 0.0,
            seconds,
        }
    }
}

/// `pseudo_labels` with each mini-cluster's id that of the cluster it overlaps with, one-to-one.
pub(crate) fn renumber(
    pseudo_labels: &PseudoLabels,
    cluster_of: impl Fn(SampleIdx) -> ClusterId,
    n_clusters: usize,
) -> PseudoLabels {
    let entries = pseudo_labels.entries();
    let pairs = entries.iter().map(|entry| (entry.label.index(), cluster_of(entry.sample).index()));
    let n_clusters = n_clusters.max(pseudo_labels.n_clusters());
    let overlap = Contingency::count(pairs, pseudo_labels.n_clusters(), n_clusters);
    let partners = maximum_matching(overlap.counts().view());
    let renumbered = entries.iter().map(|entry| {
        let partner = partners[entry.label.index()].expect("no more mini-clusters than clusters");
        PseudoLabel { label: ClusterId::from_index(partner), ..*entry }
    });
    PseudoLabels::new(renumbered.collect(), n_clusters, pseudo_labels.n_samples())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mini_clusters_take_the_ids_of_the_consensus() {
        let consensus = [2, 2, 0, 1, 0].map(ClusterId);
        let labelled = [(0, 0), (2, 1), (4, 1)].map(|(sample, label)| PseudoLabel {
            sample: SampleIdx(sample),
            label: ClusterId(label),
            agreement: 3,
            margin: 1,
            confidence: 0.9,
        });
        let labels = PseudoLabels::new(labelled.to_vec(), 2, 5);
        let renumbered = renumber(&labels, |sample| consensus[sample.index()], 3);
        let found: Vec<_> = renumbered.entries().iter().map(|e| (e.sample.0, e.label.0)).collect();
        assert_eq!(found, [(0, 2), (2, 0), (4, 0)]);
        assert_eq!(renumbered.n_clusters(), 3);
    }
}
