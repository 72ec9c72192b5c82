//! Samples with equal votes of all models are one node.

use consilience_data::{ClusterId, ModelIdx, SampleIdx};
use petgraph::graph::NodeIndex;

use crate::{
    GraphError,
    packing::{Layout, Pair},
};

/// A node of the agreement graph: a signature, numbered by the first sample that has it.
pub type SignatureIdx = NodeIndex<u32>;

/// The distinct columns of votes with their gate, and the samples that have them.
///
/// Samples with the same column of votes that pass or fail the gate alike are treated alike by every step of
/// the graph, so working on distinct signatures with a multiplicity is exact. Signatures are numbered in
/// the order of their first samples; so "the lowest signature" is "the lowest sample", which is what ties of
/// the extraction ask for.
#[derive(Debug, Clone)]
pub struct Signatures {
    pub(crate) layout: Layout,
    /// Packed votes and gates, shape (n_signatures, n_words).
    pub(crate) words: Vec<u64>,
    pub(crate) multiplicities: Vec<u32>,
    pub(crate) first_samples: Vec<SampleIdx>,
    /// Shape (n_samples); empty if signatures were counted elsewhere, as is the next.
    pub(crate) of_sample: Vec<u32>,
    /// Lowest confidence of the models that voted, shape (n_samples); 0 without votes.
    pub(crate) lowest_confidences: Vec<f32>,
    pub(crate) min_confidence: f32,
    /// Whether no vote is missing.
    pub(crate) is_complete: bool,
}

impl Signatures {
    /// Number of distinct signatures, the nodes of the graph.
    #[must_use]
    pub fn len(&self) -> usize {
        self.multiplicities.len()
    }

    /// Whether there are no signatures.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.multiplicities.is_empty()
    }

    /// Number of samples; 0 if signatures were counted elsewhere ([`Signatures::of_counts`]).
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.of_sample.len()
    }

    /// Number of models.
    #[must_use]
    pub fn n_models(&self) -> usize {
        self.layout.n_models()
    }

    /// All signatures, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = SignatureIdx> + use<> {
        (0..self.len()).map(SignatureIdx::new)
    }

    /// A sample's signature.
    #[must_use]
    pub fn of_sample(&self, sample: SampleIdx) -> SignatureIdx {
        self.of_sample[sample.index()].into()
    }

    /// Number of samples that have a signature.
    #[must_use]
    pub fn multiplicity(&self, signature: SignatureIdx) -> u32 {
        self.multiplicities[signature.index()]
    }

    /// The lowest sample that has a signature.
    #[must_use]
    pub fn first_sample(&self, signature: SignatureIdx) -> SampleIdx {
        self.first_samples[signature.index()]
    }

    /// The models' votes, length n_models; `None` where a vote is missing.
    #[must_use]
    pub fn votes(&self, signature: SignatureIdx) -> Vec<Option<ClusterId>> {
        let words = self.words_of(signature);
        (0..self.n_models()).map(|model| self.layout.get(words, model).map(ClusterId)).collect()
    }

    /// A model's vote on every sample, length n_samples; `None` where it is missing.
    #[must_use]
    pub fn votes_of(&self, model: ModelIdx) -> Vec<Option<ClusterId>> {
        let vote = |node| self.layout.get(self.words_of(node), model.index()).map(ClusterId);
        let votes: Vec<_> = self.iter().map(vote).collect();
        self.of_sample.iter().map(|&signature| votes[signature as usize]).collect()
    }

    /// Whether the samples of a signature pass the gate.
    #[must_use]
    pub fn passes_gate(&self, signature: SignatureIdx) -> bool {
        Layout::passes_gate(self.words_of(signature))
    }

    /// Number of models that put two signatures in the same cluster.
    #[must_use]
    pub fn agreement(&self, first: SignatureIdx, second: SignatureIdx) -> u16 {
        self.pair(first, second).agree
    }

    /// The lowest confidence of the models that voted on a sample, 0..=1; 0 if none did.
    #[must_use]
    pub fn lowest_confidence(&self, sample: SampleIdx) -> f32 {
        self.lowest_confidences[sample.index()]
    }

    /// Number of samples on which no model voted. They have no edges, not even among themselves.
    #[must_use]
    pub fn n_without_votes(&self) -> usize {
        let no_votes = self.iter().filter(|&signature| !self.has_votes(signature));
        no_votes.map(|signature| self.multiplicity(signature) as usize).sum()
    }

    /// Number of samples that pass the gate.
    #[must_use]
    pub fn n_passing_gate(&self) -> usize {
        let passing = self.iter().filter(|&signature| self.passes_gate(signature));
        passing.map(|signature| self.multiplicity(signature) as usize).sum()
    }

    /// Checks that `k` clusters can be told apart at all.
    ///
    /// # Errors
    ///
    /// [`GraphError::ClusterCount`] unless 1 <= k <= 65535, [`GraphError::TooManyClusters`] if there are fewer
    /// signatures than clusters.
    pub fn check_k(&self, k: usize) -> Result<(), GraphError> {
        if !(1..=usize::from(u16::MAX)).contains(&k) {
            return Err(GraphError::ClusterCount { k });
        }
        if k > self.len() {
            return Err(GraphError::TooManyClusters { k, n_signatures: self.len() });
        }
        Ok(())
    }

    /// Whether every model voted on every sample.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Whether any model voted on the samples of a signature.
    pub(crate) fn has_votes(&self, signature: SignatureIdx) -> bool {
        let words = self.words_of(signature);
        self.layout.pair(words, words).common > 0
    }

    /// Where each model's clusters start among those of all models, length n_models + 1. O(n_signatures * n_models).
    pub(crate) fn cluster_starts(&self) -> Vec<usize> {
        let mut starts = vec![0; self.n_models() + 1];
        for node in self.iter() {
            for (model, start) in starts[1..].iter_mut().enumerate() {
                let own = self.layout.get(self.words_of(node), model);
                *start = own.map_or(0, |own| usize::from(own) + 1).max(*start);
            }
        }
        for model in 0..self.n_models() {
            starts[model + 1] += starts[model];
        }
        starts
    }

    /// Looks whether every model voted on every sample.
    pub(crate) fn has_all_votes(&self) -> bool {
        self.iter().all(|node| {
            let words = self.words_of(node);
            usize::from(self.layout.pair(words, words).common) == self.n_models()
        })
    }

    /// Whether each signature has as many votes as half of the samples that have any, or more, shape (n_signatures).
    pub(crate) fn with_enough_votes(&self) -> Vec<bool> {
        if self.is_complete {
            return vec![true; self.len()];
        }
        let n_votes: Vec<u16> = self.iter().map(|node| self.pair(node, node).common).collect();
        let mut samples = vec![0u64; self.n_models() + 1];
        for (&n_votes, &multiplicity) in n_votes.iter().zip(&self.multiplicities) {
            samples[usize::from(n_votes)] += u64::from(multiplicity);
        }
        samples[0] = 0;
        let all: u64 = samples.iter().sum();
        let more_than = |n_votes: u16| samples[usize::from(n_votes) + 1..].iter().sum::<u64>();
        n_votes.into_iter().map(|n_votes| 2 * more_than(n_votes) <= all).collect()
    }

    #[inline]
    pub(crate) fn words_of(&self, signature: SignatureIdx) -> &[u64] {
        let n_words = self.layout.n_words();
        &self.words[signature.index() * n_words..][..n_words]
    }

    #[inline]
    pub(crate) fn pair(&self, first: SignatureIdx, second: SignatureIdx) -> Pair {
        let (first, second) = (self.words_of(first), self.words_of(second));
        if !self.is_complete {
            return self.layout.pair(first, second);
        }
        #[expect(clippy::cast_possible_truncation, reason = "there are at most 65,535 models")]
        let common = self.n_models() as u16;
        Pair { agree: self.layout.agree_of_complete(first, second), common }
    }
}
