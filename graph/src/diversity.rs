//! How different the members of an ensemble are.

use consilience_data::Contingency;
use ndarray::Array2;
use rayon::prelude::*;

use crate::{Signatures, Threads};

/// Adjusted Rand index of every pair of models. An ensemble whose members all say the same (1) has nothing to
/// agree on.
#[derive(Debug, Clone, PartialEq)]
pub struct Diversity(Array2<f64>);

impl Diversity {
    /// Compares every pair of models, over the samples on which both voted.
    ///
    /// # Complexity
    ///
    /// O(n_models² * n_signatures), in parallel over pairs.
    #[must_use]
    pub fn of(signatures: &Signatures, threads: &Threads) -> Self {
        let n_models = signatures.n_models();
        let pairs: Vec<(usize, usize)> =
            (0..n_models).flat_map(|b| (0..b).map(move |a| (a, b))).collect();
        let indices: Vec<f64> = threads.run(|| {
            pairs.par_iter().map(|&(a, b)| adjusted_rand_index(signatures, a, b)).collect()
        });
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

    /// The mean over all pairs of different models; `None` if there is only one model.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    pub fn mean(&self) -> Option<f64> {
        let n_models = self.0.nrows();
        let n_pairs = n_models * n_models.saturating_sub(1) / 2;
        let sum: f64 = (0..n_models).flat_map(|b| (0..b).map(move |a| self.0[(a, b)])).sum();
        (n_pairs > 0).then(|| sum / n_pairs as f64)
    }
}

fn adjusted_rand_index(signatures: &Signatures, a: usize, b: usize) -> f64 {
    let layout = &signatures.layout;
    let voted = signatures.iter().filter_map(|node| {
        let words = signatures.words_of(node);
        let pair = (layout.get(words, a)?.into(), layout.get(words, b)?.into());
        Some((pair, signatures.multiplicity(node).into()))
    });
    Contingency::weigh(voted, layout.capacity(a), layout.capacity(b)).adjusted_rand_index()
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
    fn a_single_model_has_no_pairs() {
        assert_eq!(diversity(array![[0, 1]]).mean(), None);
    }
}
