//! How two clusterings of the same samples overlap.

use ndarray::Array2;
use serde::{Serialize, Serializer};

/// Counts of samples by their clusters in two clusterings, shape (n_clusters of the first, of the second).
///
/// Serialized as an array of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contingency(Array2<u64>);

impl Contingency {
    /// Counts pairs of (first, second) ids, each below its number of clusters. O(n).
    #[must_use]
    pub fn count(
        pairs: impl IntoIterator<Item = (usize, usize)>,
        n_first: usize,
        n_second: usize,
    ) -> Self {
        Self::weigh(pairs.into_iter().map(|pair| (pair, 1)), n_first, n_second)
    }

    /// As [`Contingency::count`], each pair for a number of samples.
    #[must_use]
    pub fn weigh(
        pairs: impl IntoIterator<Item = ((usize, usize), u64)>,
        n_first: usize,
        n_second: usize,
    ) -> Self {
        let mut counts = Array2::zeros((n_first, n_second));
        for (pair, n_samples) in pairs {
            counts[pair] += n_samples;
        }
        Self(counts)
    }

    /// The counts.
    #[must_use]
    pub fn counts(&self) -> &Array2<u64> {
        &self.0
    }

    /// Number of samples counted.
    #[must_use]
    pub fn n_samples(&self) -> u64 {
        self.0.sum()
    }

    /// [`adjusted_rand_index`] of the two clusterings.
    #[must_use]
    pub fn adjusted_rand_index(&self) -> f64 {
        adjusted_rand_index(
            self.0.iter().copied(),
            self.0.rows().into_iter().map(|row| row.sum()),
            self.0.columns().into_iter().map(|column| column.sum()),
        )
    }
}

/// Adjusted Rand index of two clusterings, at most 1; 0 is what chance gives (Hubert and Arabie, 1985).
///
/// Two clusterings without a pair to tell apart (one cluster each, or single samples each) are equal: 1.
///
/// # Arguments
///
/// Numbers of samples, empty clusters left out or not: in both a cluster of the first and one of the second; in each
/// cluster of the first; in each of the second.
#[must_use]
pub fn adjusted_rand_index(
    both: impl Iterator<Item = u64>,
    first: impl Iterator<Item = u64>,
    second: impl Iterator<Item = u64>,
) -> f64 {
    let pairs = |count: u64| {
        let count = u128::from(count);
        count * count.saturating_sub(1) / 2
    };
    let together: u128 = both.map(pairs).sum();
    let (mut n_samples, mut in_first) = (0, 0);
    for count in first {
        n_samples += count;
        in_first += pairs(count);
    }
    let in_second: u128 = second.map(pairs).sum();
    let all = pairs(n_samples);
    if all == 0 {
        return 1.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a ratio of pair counts")]
    let (together, first, second, all) =
        (together as f64, in_first as f64, in_second as f64, all as f64);
    let expected = first * second / all;
    let maximum = f64::midpoint(first, second);
    if maximum == expected { 1.0 } else { (together - expected) / (maximum - expected) }
}

impl Serialize for Contingency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.rows().into_iter().map(|row| row.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contingency(first: &[usize], second: &[usize]) -> Contingency {
        Contingency::count(first.iter().copied().zip(second.iter().copied()), 5, 5)
    }

    /// Pair by pair, straight from the definition.
    fn ari_by_pairs(first: &[usize], second: &[usize]) -> f64 {
        let (mut both, mut in_first, mut in_second, mut all) = (0.0, 0.0, 0.0, 0.0);
        for i in 0..first.len() {
            for j in 0..i {
                let (f, s) = (first[i] == first[j], second[i] == second[j]);
                all += 1.0;
                both += f64::from(f && s);
                in_first += f64::from(f);
                in_second += f64::from(s);
            }
        }
        if all == 0.0 {
            return 1.0;
        }
        let expected: f64 = in_first * in_second / all;
        let maximum = (in_first + in_second) / 2.0;
        if maximum == expected { 1.0 } else { (both - expected) / (maximum - expected) }
    }

    proptest! {
        #[test]
        fn ari_equals_the_definition(labels in prop::collection::vec((0..5usize, 0..5usize), 1..60)) {
            let (first, second): (Vec<_>, Vec<_>) = labels.into_iter().unzip();
            let fast = contingency(&first, &second).adjusted_rand_index();
            prop_assert!((fast - ari_by_pairs(&first, &second)).abs() < 1e-12);
        }
    }

    #[test]
    fn names_of_clusters_do_not_matter() {
        assert_eq!(contingency(&[0, 0, 1, 2], &[3, 3, 0, 1]).adjusted_rand_index(), 1.0);
    }
}
