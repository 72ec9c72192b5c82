//! Greedy extraction of mini-clusters from the agreement graph.

use consilience_data::{ClusterId, PseudoLabel, PseudoLabels, SampleIdx, Votes};
use rayon::prelude::*;

use crate::{
    AgreementGraph, GraphError, SignatureIdx, Signatures, Threads, ValidAgreement,
    degrees::{self, Counting},
    packing::Pair,
    queue::Queue,
    removal::{self, Members},
};

/// The mini-clusters of one set of votes.
///
/// Fewer than asked for is a normal outcome, to be asked about with [`Extraction::is_complete`].
#[derive(Debug, Clone, PartialEq)]
pub struct Extraction {
    /// A label for every sample of a mini-cluster, with its evidence.
    pub pseudo_labels: PseudoLabels,
    /// Each mini-cluster's anchor: the lowest sample of those with the most strong positive edges.
    pub anchors: Vec<SampleIdx>,
    /// Number of distinct signatures.
    pub n_signatures: usize,
    /// Number of samples on which no model voted. They stay without a label.
    pub n_without_votes: usize,
}

impl Extraction {
    /// Whether all `k` mini-clusters were found.
    #[must_use]
    pub fn is_complete(&self, k: usize) -> bool {
        self.anchors.len() >= k
    }

    /// Number of samples in the smallest mini-cluster; 0 if there is none.
    #[must_use]
    pub fn smallest(&self) -> usize {
        self.pseudo_labels.sizes().into_iter().min().unwrap_or(0)
    }
}

/// Takes `k` mini-clusters out of `votes`: groups, then [`AgreementGraph::extract`].
///
/// # Errors
///
/// [`GraphError::OtherModelCount`] if the settings are for another number of models,
/// [`GraphError::ClusterCount`] unless 1 <= k <= 65535.
pub fn extract(
    votes: &Votes,
    k: usize,
    agreement: &ValidAgreement,
    threads: &Threads<'_>,
) -> Result<Extraction, GraphError> {
    let signatures = Signatures::group(votes, agreement, threads)?;
    AgreementGraph::new(&signatures, agreement)?.extract(k, threads)
}

/// The mini-clusters of one set of votes, by signature. Of samples that were counted elsewhere, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureExtraction {
    /// The label of each signature, and so of all samples that have it, shape (n_signatures); `None`: in no mini-cluster.
    pub labels: Vec<Option<SignatureLabel>>,
    /// The signature of each mini-cluster's anchor, in the order in which they were taken.
    pub anchors: Vec<SignatureIdx>,
}

/// What all samples of a signature have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureLabel {
    /// The mini-cluster.
    pub label: ClusterId,
    /// Number of models that put the signature with the mini-cluster's anchor.
    pub agreement: u16,
    /// By how many models that is ahead of the next best mini-cluster.
    pub margin: i32,
}

impl AgreementGraph<'_> {
    /// Takes up to `k` mini-clusters, greedily (Kingdra; Gupta et al., ICLR 2020, algorithm 1).
    ///
    /// Repeatedly, the sample with the most strong positive edges among those left (counting itself; ties:
    /// the lowest sample) becomes an *anchor*; it and its strong positive neighbours among those left become a
    /// mini-cluster, and every sample that is not strongly negative to all of its members is removed.
    ///
    /// In signatures that is the same, as the samples of one signature
    /// - have the same edges: a signature's degree is counted in samples, and its lowest sample stands for it;
    /// - are strong positive neighbours of each other, and join their anchor, provided that so few votes as they
    ///   have suffice; if not, they have no strong positive edges at all, not even each with itself, and are
    ///   never an anchor or a member;
    /// - fail the gate together. Then they are never an anchor; under [`Gate::Both`](crate::Gate) they are in no
    ///   mini-cluster either and keep no one from one. Under [`Gate::Anchor`](crate::Gate) they are members like
    ///   others, also those that share all votes with the anchor.
    ///
    /// Where votes are missing, an anchor has at least as many votes as half of the samples that have any: the fewer votes a
    /// sample has, the more others it agrees with, so that samples with few votes would come first.
    ///
    /// It ends early if no sample that is left has a strong positive edge, or if the largest mini-cluster has fewer
    /// than `min_size` samples.
    ///
    /// # Errors
    ///
    /// [`GraphError::ClusterCount`] unless 1 <= k <= 65535, [`GraphError::Cancelled`] if whoever watches the threads says so.
    pub fn extract(&self, k: usize, threads: &Threads<'_>) -> Result<Extraction, GraphError> {
        let found = self.extract_signatures(k, threads)?;
        Ok(threads.run(|| self.of_samples(&found)))
    }

    /// As [`AgreementGraph::extract`], by signature: also where these were counted elsewhere ([`Signatures::of_counts`](crate::Signatures::of_counts)).
    ///
    /// # Errors
    ///
    /// As [`AgreementGraph::extract`].
    pub fn extract_signatures(
        &self,
        k: usize,
        threads: &Threads<'_>,
    ) -> Result<SignatureExtraction, GraphError> {
        if !(1..=usize::from(u16::MAX)).contains(&k) {
            return Err(GraphError::ClusterCount { k });
        }
        let mut queue = Queue::new(self.degrees(threads), self.signatures().with_enough_votes());
        let mut left: Vec<SignatureIdx> =
            self.signatures().iter().filter(|&node| self.can_be_member(node)).collect();
        let mut minis: Vec<Vec<SignatureIdx>> = Vec::new();
        threads.run(|| {
            while minis.len() < k {
                threads.go_on()?;
                let Some((anchor, degree)) = queue.pop(self, &left) else {
                    break;
                };
                if degree < self.agreement().min_size() as u64 {
                    break;
                }
                let mini = Members::of(self, anchor, &left);
                let removed = mini.touched(removal::Method::Cheapest);
                minis.push(mini.into_members());
                queue.remove(&removed);
                left.retain(|&node| queue.is_left(node));
            }
            Ok::<_, GraphError>(())
        })?;
        Ok(threads.run(|| self.labelled(&minis)))
    }

    /// How many nanoseconds [`AgreementGraph::extract`] takes on one thread, about: to count strong positive edges, to compare
    /// whoever is left with `k` anchors, and to label samples. By counting what there is to do, so that it is always the same.
    #[must_use]
    pub fn extraction_work(&self, k: usize) -> u64 {
        let signatures = self.signatures();
        let all: Vec<SignatureIdx> = signatures.iter().collect();
        let edges = Counting::among(self, &all, degrees::Method::Cheapest).nanoseconds();
        let anchors = (signatures.len() as u64).saturating_mul(64 * k as u64);
        edges.saturating_add(anchors).saturating_add(32 * signatures.n_samples() as u64)
    }

    /// Labels the signatures of the mini-clusters, each given as its anchor and its other members.
    fn labelled(&self, minis: &[Vec<SignatureIdx>]) -> SignatureExtraction {
        let anchors: Vec<SignatureIdx> = minis.iter().map(|members| members[0]).collect();
        let mut labels: Vec<Option<SignatureLabel>> = vec![None; self.signatures().len()];
        for (mini, members) in minis.iter().enumerate() {
            let found: Vec<SignatureLabel> =
                members.par_iter().map(|&node| self.label(node, mini, &anchors)).collect();
            for (node, label) in members.iter().zip(found) {
                labels[node.index()] = Some(label);
            }
        }
        SignatureExtraction { labels, anchors }
    }

    /// Gives samples the labels of their signatures.
    fn of_samples(&self, found: &SignatureExtraction) -> Extraction {
        let signatures = self.signatures();
        let entries: Vec<PseudoLabel> = (signatures.of_sample.par_iter())
            .enumerate()
            .filter_map(|(sample, &signature)| {
                let label = found.labels[signature as usize]?;
                let sample = SampleIdx::from_index(sample);
                Some(PseudoLabel {
                    sample,
                    label: label.label,
                    agreement: label.agreement,
                    margin: label.margin,
                    confidence: signatures.lowest_confidence(sample),
                })
            })
            .collect();
        let n_clusters = found.anchors.len();
        let anchors = found.anchors.iter().map(|&anchor| signatures.first_sample(anchor));
        Extraction {
            pseudo_labels: PseudoLabels::new(entries, n_clusters, signatures.n_samples()),
            anchors: anchors.collect(),
            n_signatures: signatures.len(),
            n_without_votes: signatures.n_without_votes(),
        }
    }

    fn label(&self, node: SignatureIdx, mini: usize, anchors: &[SignatureIdx]) -> SignatureLabel {
        let agreement_with = |anchor| -> Pair { self.signatures().pair(anchor, node) };
        let agreement = agreement_with(anchors[mini]).agree;
        let others = anchors.iter().enumerate().filter(|&(other, _)| other != mini);
        let next = others.map(|(_, &anchor)| agreement_with(anchor).agree).max().unwrap_or(0);
        let margin = i32::from(agreement) - i32::from(next);
        SignatureLabel { label: ClusterId::from_index(mini), agreement, margin }
    }
}
