//! The votes that the tree is of.

use rayon::prelude::*;

use super::chain::{Triangle, count};
use super::weights::VoteWeights;
use crate::{
    GraphError, SignatureIdx, Signatures, Threads,
    packing::Layout,
    word_table::{WordTable, hash},
};

/// Stands for a vote that is missing.
pub(super) const MISSING: u32 = u32::MAX;
/// Stands for a vote for a cluster that no sample was in before.
pub(super) const UNKNOWN: u32 = u32::MAX - 1;

/// The most frequent of the distinct votes, most frequent first; ties in the order of their votes, whatever the samples' order.
#[derive(Debug, Clone)]
pub(super) struct Leaves {
    pub(super) n_models: usize,
    /// Votes by the number of a cluster among those of all models, or [`MISSING`], shape (n_leaves, n_models).
    pub(super) votes: Vec<u32>,
    /// Number of samples, length n_leaves.
    pub(super) samples: Vec<u64>,
    /// The leaf of each signature, length n_signatures; [`Leaves::NONE`] of those without votes and of the rarer ones.
    pub(super) of_signature: Vec<u32>,
}

impl Leaves {
    /// Stands for a signature that is in no leaf.
    pub(super) const NONE: u32 = u32::MAX;

    /// At most `max_leaves` of all signatures.
    pub(super) fn new(signatures: &Signatures, weights: &VoteWeights, max_leaves: usize) -> Self {
        let mut distinct = Distinct::of(signatures);
        let kept = distinct.most_frequent(signatures, max_leaves);
        let mut rank = vec![Self::NONE; distinct.samples.len()];
        for (leaf, &number) in (0..).zip(&kept) {
            rank[number as usize] = leaf;
        }
        for number in distinct.of_signature.iter_mut().filter(|number| **number != Self::NONE) {
            *number = rank[*number as usize];
        }
        let n_models = signatures.n_models();
        let mut votes = Vec::with_capacity(kept.len() * n_models);
        for &number in &kept {
            let words = signatures.words_of(distinct.first[number as usize]);
            votes.extend((0..n_models).map(|model| {
                let own = signatures.layout.get(words, model).map(usize::from);
                own.map_or(MISSING, |own| narrow(weights.starts[model] + own))
            }));
        }
        let samples = kept.iter().map(|&number| distinct.samples[number as usize]).collect();
        Self { n_models, votes, samples, of_signature: distinct.of_signature }
    }

    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    /// Votes and number of samples of each.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u32], u64)> {
        self.votes.chunks_exact(self.n_models).zip(self.samples.iter().copied())
    }

    pub(super) fn votes_of(&self, leaf: usize) -> &[u32] {
        &self.votes[leaf * self.n_models..][..self.n_models]
    }

    /// Sums of the co-association of the pairs of samples of each two leaves: the weight of the votes in which they agree, as a share of that
    /// of the models that voted on both; 0 without such models. Rows in parallel, models in order.
    pub(super) fn similarities(
        &self,
        weights: &VoteWeights,
        threads: &Threads<'_>,
    ) -> Result<Triangle, GraphError> {
        let n = self.len();
        let by_model: Vec<Vec<u32>> = (0..self.n_models)
            .map(|model| self.votes.iter().skip(model).step_by(self.n_models).copied().collect())
            .collect();
        let mut triangle = Triangle::new(n);
        let rows = triangle.rows_mut().into_par_iter().enumerate();
        rows.try_for_each_init(
            || vec![0.0; n],
            |common, (leaf, agree)| {
                threads.go_on()?;
                let common = &mut common[..leaf];
                common.fill(0.0);
                for (model, votes) in by_model.iter().enumerate() {
                    let own = votes[leaf];
                    if own == MISSING {
                        continue;
                    }
                    let voter = weights.models[model];
                    let vote = voter * weights.clusters[own as usize];
                    for ((agree, common), &other) in agree.iter_mut().zip(&mut *common).zip(votes) {
                        *agree += if other == own { vote } else { 0.0 };
                        *common += if other == MISSING { 0.0 } else { voter };
                    }
                }
                let samples = count(self.samples[leaf]);
                for ((agree, &common), &others) in agree.iter_mut().zip(&*common).zip(&self.samples)
                {
                    if common > 0.0 {
                        *agree *= samples * count(others) / common;
                    }
                }
                Ok::<_, GraphError>(())
            },
        )?;
        Ok(triangle)
    }
}

/// Signatures that differ in their gates alone as one, and without those that have no votes.
struct Distinct {
    of_signature: Vec<u32>,
    /// By number: the first signature.
    first: Vec<SignatureIdx>,
    /// By number: the samples.
    samples: Vec<u64>,
}

impl Distinct {
    fn of(signatures: &Signatures) -> Self {
        let mut distinct = Self {
            of_signature: Vec::with_capacity(signatures.len()),
            first: Vec::new(),
            samples: Vec::new(),
        };
        let n_words = signatures.layout.n_words();
        let mut table = WordTable::new(n_words);
        // With equal gates, signatures differ in their votes.
        let voted = signatures.iter().filter(|&node| signatures.has_votes(node));
        let mut gates = voted.map(|node| signatures.passes_gate(node));
        let has_one_gate = gates.next().is_none_or(|first| gates.all(|gate| gate == first));
        let mut key = Vec::with_capacity(n_words);
        for node in signatures.iter() {
            if !signatures.has_votes(node) {
                distinct.of_signature.push(Leaves::NONE);
                continue;
            }
            let n_numbers = narrow(distinct.first.len());
            let number = if has_one_gate {
                n_numbers
            } else {
                key.clear();
                key.extend(Layout::without_gate(signatures.words_of(node)));
                table.intern(&key, hash(&key))
            };
            if number == n_numbers {
                distinct.first.push(node);
                distinct.samples.push(0);
            }
            distinct.samples[number as usize] += u64::from(signatures.multiplicity(node));
            distinct.of_signature.push(number);
        }
        distinct
    }

    /// The most frequent, in order.
    fn most_frequent(&self, signatures: &Signatures, at_most: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..narrow(self.first.len())).collect();
        let votes =
            |number: u32| Layout::without_gate(signatures.words_of(self.first[number as usize]));
        let compare = |&a: &u32, &b: &u32| {
            let by_samples = self.samples[b as usize].cmp(&self.samples[a as usize]);
            by_samples.then_with(|| votes(a).cmp(votes(b)))
        };
        if at_most < order.len() {
            order.select_nth_unstable_by(at_most, compare);
            order.truncate(at_most);
        }
        order.sort_unstable_by(compare);
        order
    }
}

/// There are at most 2^32 - 2 signatures and clusters of all models.
pub(super) fn narrow(number: usize) -> u32 {
    u32::try_from(number).expect("numbers of signatures and clusters fit 32 bits")
}
