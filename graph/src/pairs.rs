//! How clearly an ensemble separates or joins pairs of samples.

use rayon::prelude::*;

use crate::{
    SignatureIdx, Signatures, Threads,
    patterns::{Patterns, binomial, subsets},
    shards::for_totals,
};

/// Numbers of pairs of samples by how many models put them together.
///
/// Where most pairs are agreed on by nearly all models or by nearly none, the models cut the data where it falls
/// apart; a help to choose K among voters that have it in common (cf. the proportion of ambiguous clustering:
/// Senbabaoglu et al., Scientific Reports 4, 2014).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairCounts(Vec<u64>);

impl PairCounts {
    /// Numbers of pairs, by the number of models that agree, length n_models + 1.
    #[must_use]
    pub fn by_agreement(&self) -> &[u64] {
        &self.0
    }

    /// Share of the pairs in which at most `tolerance` models differ from all others, 0..=1; 1 without pairs.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub fn share_unambiguous(&self, tolerance: usize) -> f64 {
        let n_models = self.0.len() - 1;
        let all: u64 = self.0.iter().sum();
        let clear = self
            .0
            .iter()
            .enumerate()
            .filter(|&(agree, _)| agree <= tolerance || agree + tolerance >= n_models);
        if all == 0 { 1.0 } else { clear.map(|(_, count)| count).sum::<u64>() as f64 / all as f64 }
    }
}

/// How many comparisons of a pair take as long as one signature in one subset: measured, about.
const PAIRS_PER_ENTRY: u64 = 6;

impl Signatures {
    /// Counts all pairs of samples by the number of models that put them together. The gate has no say in it.
    ///
    /// # Complexity
    ///
    /// The smaller of O(n_signatures²) and O(n_signatures * 2^n_models): near-linear for few models.
    #[must_use]
    pub fn pair_counts(&self, threads: &Threads<'_>) -> PairCounts {
        let n_subsets = 1u64.checked_shl(u32::try_from(self.n_models()).unwrap_or(u32::MAX));
        let by_subsets =
            n_subsets.map_or(u64::MAX, |n| n.saturating_mul(PAIRS_PER_ENTRY * self.len() as u64));
        let by_pairs = (self.len() as u64).saturating_mul(self.len() as u64) / 2;
        threads.run(|| {
            if by_subsets < by_pairs { self.count_by_subsets() } else { self.count_by_pairs() }
        })
    }

    fn count_by_pairs(&self) -> PairCounts {
        let zeros = || vec![0; self.n_models() + 1];
        let rows = (0..self.len()).into_par_iter().map(SignatureIdx::new);
        let add = |mut counts: Vec<u64>, row: SignatureIdx| {
            let own = u64::from(self.multiplicity(row));
            counts[usize::from(self.agreement(row, row))] += own * (own - 1) / 2;
            for column in (0..row.index()).map(SignatureIdx::new) {
                let pairs = own * u64::from(self.multiplicity(column));
                counts[usize::from(self.agreement(row, column))] += pairs;
            }
            counts
        };
        PairCounts(rows.fold(zeros, add).reduce(zeros, |mut counts, others| {
            counts.iter_mut().zip(others).for_each(|(count, other)| *count += other);
            counts
        }))
    }

    /// With `S_j` the number of (pair, subset of j models in all of which it agrees), exactly r models agree on
    /// the sum over j from r of (-1)^(j-r) * binomial(j, r) * S_j pairs (Feller I, IV.3). Modulo 2⁶⁴.
    fn count_by_subsets(&self) -> PairCounts {
        let all: Vec<SignatureIdx> = self.iter().collect();
        let patterns = Patterns::of(self, &all);
        let models: Vec<usize> = (0..self.n_models()).collect();
        let by_size: Vec<u64> = (0..=models.len())
            .map(|size| {
                let subsets = subsets(&models, size);
                let pairs = subsets.par_iter().map(|subset| self.pairs_equal_in(&patterns, subset));
                pairs.reduce(|| 0, u64::wrapping_add)
            })
            .collect();
        let exactly = |agree: usize| {
            (agree..by_size.len()).fold(0u64, |sum, size| {
                let pairs = binomial(size, agree).wrapping_mul(by_size[size]);
                let is_added = (size - agree).is_multiple_of(2);
                if is_added { sum.wrapping_add(pairs) } else { sum.wrapping_sub(pairs) }
            })
        };
        PairCounts((0..by_size.len()).map(exactly).collect())
    }

    /// Number of pairs of samples that all of `models` voted on and put together.
    fn pairs_equal_in(&self, patterns: &Patterns, models: &[usize]) -> u64 {
        let voted =
            patterns.models.iter().zip(&patterns.nodes).filter(|(pattern, _)| {
                models.iter().all(|model| pattern.binary_search(model).is_ok())
            });
        let nodes: Vec<SignatureIdx> = voted.flat_map(|(_, nodes)| nodes).copied().collect();
        let samples_of = |at: usize| u64::from(self.multiplicity(nodes[at]));
        let mask = self.layout.mask(models.iter().copied());
        let mut ordered = 0;
        for_totals(self, &nodes, &mask, samples_of, |at, total| {
            ordered += samples_of(at) * (total - 1);
        });
        ordered / 2
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::Votes;
    use proptest::prelude::*;

    use super::*;
    use crate::{AgreementParams, common::votes};

    fn brute_force(votes: &Votes) -> Vec<u64> {
        let mut counts = vec![0; votes.n_models() + 1];
        let clusters = votes.clusters();
        for j in 0..votes.n_samples() {
            for i in 0..j {
                let pairs = clusters.column(i).into_iter().zip(clusters.column(j));
                counts[pairs.filter(|&(&a, &b)| a == b && a != Votes::MISSING).count()] += 1;
            }
        }
        counts
    }

    proptest! {
        #[test]
        fn pairs_are_counted_by_agreement(votes in votes()) {
            let agreement = AgreementParams::default().check(votes.n_models()).unwrap();
            let threads = Threads::new(2).unwrap();
            let signatures = Signatures::group(&votes, &agreement, &threads).unwrap();
            let expected = PairCounts(brute_force(&votes));
            prop_assert_eq!(&signatures.count_by_pairs(), &expected);
            prop_assert_eq!(&signatures.count_by_subsets(), &expected);
            prop_assert_eq!(&signatures.pair_counts(&threads), &expected);
            prop_assert_eq!(expected.share_unambiguous(votes.n_models()), 1.0);
        }
    }

    #[test]
    fn ambiguous_pairs_are_those_in_between() {
        let counts = PairCounts(vec![4, 2, 1, 0, 3]);
        assert_eq!(counts.share_unambiguous(0), 0.7);
        assert_eq!(counts.share_unambiguous(1), 0.9);
    }
}
