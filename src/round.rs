//! The record of a round.

use consilience_data::{
    Assignments, ClusterId, ModelIdx, PseudoLabels, SampleIdx, SoftAssignments, Votes,
};
use consilience_ensembles::Profile;
use consilience_graph::Extraction;

use crate::evidence::Evidence;
use crate::renumber::renumber;

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

/// What a model said in a round, in a byte a sample; two if it has more than 255 clusters. So a round takes n_models bytes a
/// sample, where its [`Votes`] took six times as many.
#[derive(Debug, Clone)]
pub struct ModelVotes {
    clusters: Packed,
    n_clusters: usize,
    /// Mean confidence of all samples; those without a vote have 0.
    pub mean_confidence: f64,
}

/// One more than the cluster of each sample; 0 without a vote.
#[derive(Debug, Clone)]
enum Packed {
    Bytes(Vec<u8>),
    Words(Vec<u16>),
}

impl ModelVotes {
    fn of(votes: &Votes) -> Vec<Self> {
        let models = (0..votes.n_models()).map(ModelIdx::from_index);
        models.map(|model| Self::of_model(votes, model)).collect()
    }

    fn of_model(votes: &Votes, model: ModelIdx) -> Self {
        let n_clusters = votes.n_clusters(model);
        // A missing vote is the largest number, and becomes 0.
        let clusters = votes.of_model(model).into_iter().map(|cluster| cluster.wrapping_add(1));
        let clusters = if n_clusters <= usize::from(u8::MAX) {
            let byte = |cluster| u8::try_from(cluster).expect("at most 255");
            Packed::Bytes(clusters.map(byte).collect())
        } else {
            Packed::Words(clusters.collect())
        };
        let confidences = votes.confidences();
        let confidences = confidences.row(model.index());
        #[expect(clippy::cast_precision_loss, reason = "a mean")]
        let mean_confidence =
            confidences.iter().map(|&confidence| f64::from(confidence)).sum::<f64>()
                / confidences.len() as f64;
        Self { clusters, n_clusters, mean_confidence }
    }

    /// The cluster of each sample, length n_samples; `None` without a vote.
    #[must_use]
    pub fn clusters(&self) -> Vec<Option<ClusterId>> {
        let cluster = |number: u16| number.checked_sub(1).map(ClusterId);
        match &self.clusters {
            Packed::Bytes(numbers) => numbers.iter().map(|&n| cluster(n.into())).collect(),
            Packed::Words(numbers) => numbers.iter().map(|&n| cluster(n)).collect(),
        }
    }

    /// Number of clusters that the model can name.
    #[must_use]
    pub fn n_clusters(&self) -> usize {
        self.n_clusters
    }
}

/// What one round did.
#[derive(Debug, Clone)]
pub struct Round {
    /// Each model's votes, length n_models.
    pub models: Vec<ModelVotes>,
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
    /// What the consensus tells of neighbours' clusters, in nats: see [`Prepared::neighbour_information`](consilience_ensembles::Prepared::neighbour_information).
    pub information: f64,
    /// What speaks for the answer of all kinds with this round's models in it; `None` where no other kind can be evidence.
    pub with_all_kinds: Option<Evidence>,
    /// How long it took.
    pub seconds: Seconds,
}

impl Round {
    /// Puts a round's results together. `consensus` is numbered as the mini-clusters are if all were found, and else in
    /// its own way, which they are given.
    pub(crate) fn record(
        votes: &Votes,
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
            models: ModelVotes::of(votes),
            consensus,
            confidence,
            diversity,
            ari_to_previous,
            information: 0.0,
            with_all_kinds: None,
            seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn votes_are_read_back_as_they_were() {
        for largest in [1, 254, 255, 65_534] {
            let votes = array![[0, Votes::MISSING, largest, 1]];
            let votes = Votes::new(votes, array![[0.5, 0.0, 1.0, 0.5]]).unwrap();
            let [packed] = &ModelVotes::of(&votes)[..] else { panic!("one model") };
            let clusters = [Some(0), None, Some(largest), Some(1)].map(|id| id.map(ClusterId));
            assert_eq!(packed.clusters(), clusters);
            assert_eq!(
                (packed.mean_confidence, packed.n_clusters()),
                (0.5, usize::from(largest) + 1)
            );
            assert_eq!(matches!(packed.clusters, Packed::Bytes(_)), largest < 255);
        }
        let none = Votes::new(array![[Votes::MISSING]], Array2::zeros((1, 1))).unwrap();
        assert_eq!(ModelVotes::of(&none)[0].clusters(), [None]);
    }
}
