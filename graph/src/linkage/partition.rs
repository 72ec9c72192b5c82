//! From votes to a tree, and from a cut of it to a cluster for every sample.

use consilience_data::ClusterId;
use rayon::prelude::*;

use super::chain::join;
use super::leaves::{Leaves, MISSING, narrow};
use super::means::Means;
use super::placer::{Placement, Placer};
use super::tree::Tree;
use super::weights::VoteWeights;
use crate::{GraphError, SignatureIdx, Signatures, Threads, vote_consensus::VoteConsensus};

/// Average linkage of samples on their co-association.
///
/// The similarity of two samples is their *co-association*: the weight of the models that put them in one cluster, as a share of the models
/// that voted on both; 0 if there are none. That of two groups is the mean over their pairs of samples (Fred and Jain,
/// *Combining multiple clusterings using evidence accumulation*, IEEE TPAMI 27, 2005). So models may have any numbers of clusters.
///
/// The tree is of the most frequent votes. Rarer ones join its clusters once it is cut.
///
/// # Example
///
/// ```
/// use consilience_data::{ClusterId, Votes};
/// use consilience_graph::{AgreementParams, Linkage, Signatures, Threads, VoteWeights};
/// use ndarray::{Array2, array};
///
/// // The second model splits a cluster, the third joins two.
/// let clusters = array![[0, 0, 0, 1, 1, 2, 2], [0, 0, 3, 1, 1, 2, 2], [0, 0, 0, 1, 1, 1, 1]];
/// let votes = Votes::new(clusters, Array2::ones((3, 7)))?;
/// let threads = Threads::new(1)?;
/// let signatures = Signatures::group(&votes, &AgreementParams::default().check(3)?, &threads)?;
/// let linkage = Linkage::new(&signatures, VoteWeights::equal(&signatures), 6000, &threads)?;
/// assert_eq!(linkage.tree().similarity(), [2.0 / 3.0, 1.0 / 3.0, 0.0]);
///
/// let partition = linkage.cut(3, 0.0)?;
/// let consensus = partition.consensus(&threads);
/// assert_eq!(consensus.clusters[0], consensus.clusters[2]);
/// assert_ne!(consensus.clusters[3], consensus.clusters[5]);
/// // A new sample, on which the second model didn't vote.
/// let new = partition.assign(&[Some(ClusterId(2)), None, Some(ClusterId(1))])?.unwrap();
/// assert_eq!(Some(new.cluster), consensus.clusters[5]);
/// assert_eq!((new.similarity, new.runner_up), (1.0, 0.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Linkage<'a> {
    signatures: &'a Signatures,
    weights: VoteWeights,
    leaves: Leaves,
    max_signatures: usize,
    tree: Tree,
}

impl<'a> Linkage<'a> {
    /// Joins all votes, but no more than the `max_signatures` most frequent.
    ///
    /// # Arguments
    ///
    /// * `weights`: of these votes.
    /// * `max_signatures`: n distinct votes take 4 n² bytes: 144 MB for 6,000.
    ///
    /// # Errors
    ///
    /// [`GraphError::NoVotes`] if there is none, or room for none; [`GraphError::Cancelled`].
    ///
    /// # Complexity
    ///
    /// O(n² * n_models), in parallel, and O(n²), on one thread, for the n votes in the tree.
    pub fn new(
        signatures: &'a Signatures,
        weights: VoteWeights,
        max_signatures: usize,
        threads: &Threads<'_>,
    ) -> Result<Self, GraphError> {
        debug_assert_eq!(weights.models.len(), signatures.n_models());
        let leaves = Leaves::new(signatures, &weights, max_signatures);
        if leaves.len() == 0 {
            return Err(GraphError::NoVotes);
        }
        let similarities = threads.run(|| leaves.similarities(&weights, threads))?;
        let tree = join(leaves.samples.clone(), similarities, || threads.go_on())?;
        Ok(Self { signatures, weights, leaves, max_signatures, tree })
    }

    /// The tree.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The leaf of each signature, length n_signatures: signatures with equal votes are in one. `None` of those without votes and of the
    /// rarer ones.
    #[must_use]
    pub fn leaf_of(&self, signature: SignatureIdx) -> Option<u32> {
        let leaf = self.leaves.of_signature[signature.index()];
        (leaf != Leaves::NONE).then_some(leaf)
    }

    /// Cuts the tree into `k` clusters, as [`Tree::cut`] does, and lets all that is in none of them join: the votes on islands, and the rarer
    /// ones. Each joins the cluster with whose samples it has the highest mean co-association.
    ///
    /// # Arguments
    ///
    /// * `min_share`: what a cluster has to have at least of the samples that there are for each of `k`, 0..=1. With 0 there are no islands.
    ///
    /// # Errors
    ///
    /// Those of [`Tree::cut`], [`GraphError::LinkageSize`] if the tree has no room for `k`, [`GraphError::MinShare`].
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a share of a number of samples"
    )]
    pub fn cut(&self, k: usize, min_share: f64) -> Result<Partition<'_>, GraphError> {
        if !(0.0..=1.0).contains(&min_share) {
            return Err(GraphError::MinShare { min_share });
        }
        if k > self.max_signatures && self.leaves.len() == self.max_signatures {
            return Err(GraphError::LinkageSize { k, max_signatures: self.max_signatures });
        }
        let n_samples: u64 = self.leaves.samples.iter().sum();
        let mean_size = n_samples as f64 / k.max(1) as f64;
        let cut = self.tree.cut(k, (min_share * mean_size) as u64)?;
        Ok(self.joined(cut.of_leaf, k, cut.min_samples))
    }

    /// A partition in which leaves without a cluster join the one with whose samples they have the highest mean co-association.
    pub(super) fn joined(
        &self,
        mut of_leaf: Vec<Option<u16>>,
        k: usize,
        min_samples: u64,
    ) -> Partition<'_> {
        if of_leaf.iter().any(Option::is_none) {
            let leaves = self.leaves.iter().zip(&of_leaf);
            let leaves = leaves.map(|((votes, samples), &cluster)| (votes, samples, cluster));
            let means = Means::new(leaves, k);
            let mut of_clusters = vec![0.0; k];
            for (leaf, cluster) in of_leaf.iter_mut().enumerate().filter(|(_, c)| c.is_none()) {
                means.of(self.leaves.votes_of(leaf), &self.weights, &mut of_clusters);
                *cluster = means.best(&of_clusters, |_| true).map(|best| best.cluster);
            }
        }
        Partition::new(self, of_leaf, k, min_samples)
    }
}

/// The tree, cut: a cluster for the votes of every sample, old or new.
#[derive(Debug, Clone)]
pub struct Partition<'a> {
    linkage: &'a Linkage<'a>,
    /// The cluster of each leaf.
    of_leaf: Vec<ClusterId>,
    placer: Placer,
    min_samples: u64,
}

impl<'a> Partition<'a> {
    fn new(
        linkage: &'a Linkage<'a>,
        of_leaf: Vec<Option<u16>>,
        n_clusters: usize,
        min_samples: u64,
    ) -> Self {
        let of_leaf: Vec<ClusterId> = of_leaf.into_iter().flatten().map(ClusterId).collect();
        debug_assert_eq!(of_leaf.len(), linkage.leaves.len(), "every leaf is in a cluster");
        let leaves = linkage.leaves.iter().zip(&of_leaf);
        let leaves = leaves.map(|((votes, samples), &cluster)| (votes, samples, cluster));
        let placer = Placer::new(linkage.weights.clone(), leaves, n_clusters);
        Self { linkage, of_leaf, placer, min_samples }
    }

    /// Number of clusters, K.
    #[must_use]
    pub fn n_clusters(&self) -> usize {
        self.placer.n_clusters()
    }

    /// Number of samples that every cluster had at least before others joined.
    #[must_use]
    pub fn min_samples(&self) -> u64 {
        self.min_samples
    }

    /// The cluster of each leaf of the tree, length n_leaves.
    #[must_use]
    pub fn of_leaf(&self) -> &[ClusterId] {
        &self.of_leaf
    }

    /// The rule alone, by which votes become clusters, to be kept.
    #[must_use]
    pub fn placer(&self) -> &Placer {
        &self.placer
    }

    /// The cluster of a sample, by its votes alone: see [`Placer::assign`].
    ///
    /// # Errors
    ///
    /// As [`Placer::assign`].
    pub fn assign(&self, votes: &[Option<ClusterId>]) -> Result<Option<Placement>, GraphError> {
        self.placer.assign(votes)
    }

    /// The cluster of each signature, length n_signatures; `None` without votes.
    ///
    /// # Complexity
    ///
    /// O(n_signatures * n_models * K), in parallel; times the number of different sets of models that voted on a sample of the tree, if
    /// votes are missing.
    #[must_use]
    pub fn placements(&self, threads: &Threads<'_>) -> Vec<Option<Placement>> {
        let Linkage { signatures, weights, leaves, .. } = self.linkage;
        let n_models = signatures.n_models();
        let nodes = (0..signatures.len()).into_par_iter();
        let place = |(numbered, means): &mut (Vec<u32>, Vec<f64>), node: usize| {
            let words = signatures.words_of(SignatureIdx::new(node));
            numbered.clear();
            numbered.extend((0..n_models).map(|model| {
                let own = signatures.layout.get(words, model).map(usize::from);
                own.map_or(MISSING, |own| narrow(weights.starts[model] + own))
            }));
            let leaf = leaves.of_signature[node];
            let known = (leaf != Leaves::NONE).then(|| self.of_leaf[leaf as usize]);
            self.placer.place(numbered, known, means)
        };
        let scratch = || (Vec::with_capacity(n_models), vec![0.0; self.n_clusters()]);
        threads.run(|| nodes.map_init(scratch, place).collect())
    }

    /// The cluster of each sample.
    #[must_use]
    pub fn consensus(&self, threads: &Threads<'_>) -> VoteConsensus {
        let places = self.placements(threads).into_iter();
        let found: Vec<(Option<ClusterId>, f32)> = places
            .map(|place| place.map_or((None, 0.0), |at| (Some(at.cluster), at.similarity)))
            .collect();
        VoteConsensus::of_signatures(self.linkage.signatures, &found, self.n_clusters())
    }
}
