//! How different the members of an ensemble are.

use consilience_data::Contingency;
use ndarray::Array2;
use rayon::prelude::*;

use crate::{Signatures, Threads};

/// Adjusted Rand index of every pair of models. An ensemble whose members all say the same (1) has nothing to
/// agree on. Models that did not vote on two samples in common can't be compared: NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct Diversity(Array2<f64>);

impl Diversity {
    /// Compares every pair of models, over the samples on which both voted.
    ///
    /// # Complexity
    ///
    /// O(n_models² * n_signatures), in parallel over pairs.
    #[must_use]
    pub fn of(signatures: &Signatures, threads: &Threads<'_>) -> Self {
        let n_models = signatures.n_models();
        let pairs: Vec<(usize, usize)> =
            (0..n_models).flat_map(|b| (0..b).map(move |a| (a, b))).collect();
        let indices: Vec<f64> =
            threads.run(|| pairs.par_iter().map(|&(a, b)| compare(signatures, a, b)).collect());
        let mut matrix = Array2::ones((n_models, n_models));
        for ((a, b), index) in pairs.into_iter().zip(indices) {
            matrix[(a, b)] = index;
            matrix[(b, a)] = index;
        }
        Self(matrix)
    }

    /// Adjusted Rand indices, shape (n_models, n_models), with ones on the diagonal.
    #[must_use]
    pub fn matrix(&self) -> &Array2<f64> {
        &self.0
    }

    /// The mean over the pairs of different models that can be compared; `None` without any.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    pub fn mean(&self) -> Option<f64> {
        let indices: Vec<f64> = self.pairs().filter(|index| !index.is_nan()).collect();
        (!indices.is_empty()).then(|| indices.iter().sum::<f64>() / indices.len() as f64)
    }

    /// Number of pairs of different models that put the same samples together.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "the index of equal clusterings is 1 without rounding")]
    pub fn n_equal(&self) -> usize {
        self.pairs().filter(|&index| index == 1.0).count()
    }

    fn pairs(&self) -> impl Iterator<Item = f64> {
        (0..self.0.nrows()).flat_map(move |b| (0..b).map(move |a| self.0[(a, b)]))
    }
}

/// Of two models, over the samples on which both voted; NaN with fewer than two.
fn compare(signatures: &Signatures, a: usize, b: usize) -> f64 {
    let layout = &signatures.layout;
    let voted = signatures.iter().filter_map(|node| {
        let words = signatures.words_of(node);
        let pair = (usize::from(layout.get(words, a)?), usize::from(layout.get(words, b)?));
        Some((pair, u64::from(signatures.multiplicity(node))))
    });
    let (n_first, n_second) = (layout.capacity(a), layout.capacity(b));
    let overlap = Contingency::weigh(voted, n_first, n_second);
    if overlap.n_samples() < 2 { f64::NAN } else { overlap.adjusted_rand_index() }
}

#[cfg(test)]
mod tests {
    use consilience_data::Votes;
    use ndarray::array;

    use super::*;
    use crate::AgreementParams;

    fn diversity(clusters: Array2<u16>) -> Diversity {
        let agreement = AgreementParams::default().check(clusters.nrows()).unwrap();
        let votes = Votes::new(clusters.clone(), Array2::ones(clusters.raw_dim())).unwrap();
        let threads = Threads::new(2).unwrap();
        Diversity::of(&Signatures::group(&votes, &agreement, &threads).unwrap(), &threads)
    }

    #[test]
    fn pairs_are_compared_where_both_voted() {
        const NONE: u16 = Votes::MISSING;
        let clusters = array![[0, 0, 1, 1, 0], [1, 1, 0, 0, NONE], [0, 1, 0, 1, NONE]];
        let diversity = diversity(clusters);
        assert_eq!(diversity.matrix()[(0, 1)], 1.0, "names don't matter");
        assert!((diversity.matrix()[(0, 2)] + 0.5).abs() < 1e-12, "two halves across each other");
        assert!(diversity.mean().unwrap().abs() < 1e-12);
    }

    #[test]
    fn models_without_samples_in_common_are_not_compared() {
        const NONE: u16 = Votes::MISSING;
        let found = diversity(array![[0, 0, 1, NONE], [1, 1, 0, 0], [NONE, NONE, NONE, 1]]);
        assert_eq!((found.mean(), found.n_equal()), (Some(1.0), 1));
        assert!(found.matrix()[(0, 2)].is_nan());
    }

    #[test]
    fn a_single_model_has_no_pairs() {
        assert_eq!(diversity(array![[0, 1]]).mean(), None);
    }
}
