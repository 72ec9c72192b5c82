//! How two clusterings of the same samples overlap.

use std::collections::HashMap;

use ndarray::Array2;
use serde::{Serialize, Serializer};

/// Up to so many pairs of clusters, samples are counted in a table of all; beyond, nearly all pairs are empty.
const MAX_TABLE: usize = 1 << 20;

/// Counts of samples by their clusters in two clusterings, of shape (n_clusters of the first, of the second). Pairs of
/// clusters without a sample in common take no memory, so that there may be as many clusters as samples.
///
/// Serialized as an array of rows, or as null where that would be more than 2²⁰ numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contingency {
    n_first: usize,
    n_second: usize,
    /// Ascending; of each pair of clusters that shares samples, how many.
    cells: Vec<Cell>,
}

/// Two clusters that share samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The cluster in the first clustering.
    pub first: usize,
    /// The cluster in the second clustering.
    pub second: usize,
    /// Number of samples in both, at least 1.
    pub n_samples: u64,
}

impl Contingency {
    /// Counts pairs of (first, second) ids, each below its number of clusters. Expected O(n + c log c), and memory for c
    /// distinct pairs.
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
        let cell = |((first, second), n_samples)| Cell { first, second, n_samples };
        let is_some = |cell: &Cell| cell.n_samples > 0;
        let cells = if n_first.saturating_mul(n_second) <= MAX_TABLE {
            let mut counts = Array2::<u64>::zeros((n_first, n_second));
            pairs.into_iter().for_each(|(pair, n_samples)| counts[pair] += n_samples);
            counts.indexed_iter().map(|(pair, &n)| cell((pair, n))).filter(is_some).collect()
        } else {
            let mut counts: HashMap<(usize, usize), u64> = HashMap::new();
            for (pair, n_samples) in pairs {
                debug_assert!(pair.0 < n_first && pair.1 < n_second);
                *counts.entry(pair).or_default() += n_samples;
            }
            let mut cells: Vec<Cell> = counts.into_iter().map(cell).filter(is_some).collect();
            cells.sort_unstable();
            cells
        };
        Self { n_first, n_second, cells }
    }

    /// Number of clusters of the first and of the second clustering, empty ones included.
    #[must_use]
    pub fn dim(&self) -> (usize, usize) {
        (self.n_first, self.n_second)
    }

    /// The pairs of clusters that share samples, ascending by the first, then by the second.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The cells of each cluster of the first clustering, length n_first.
    pub fn rows(&self) -> impl Iterator<Item = &[Cell]> {
        let mut rest = self.cells.as_slice();
        (0..self.n_first).map(move |first| {
            let (row, later) = rest.split_at(rest.partition_point(|cell| cell.first == first));
            rest = later;
            row
        })
    }

    /// Number of samples in both clusters. O(log c).
    #[must_use]
    pub fn get(&self, first: usize, second: usize) -> u64 {
        let place = self.cells.binary_search_by_key(&(first, second), |c| (c.first, c.second));
        place.map_or(0, |place| self.cells[place].n_samples)
    }

    /// Number of samples in each cluster of the first clustering.
    #[must_use]
    pub fn first_sizes(&self) -> Vec<u64> {
        self.sums(self.n_first, |cell| cell.first)
    }

    /// Number of samples in each cluster of the second clustering.
    #[must_use]
    pub fn second_sizes(&self) -> Vec<u64> {
        self.sums(self.n_second, |cell| cell.second)
    }

    fn sums(&self, n_clusters: usize, of: impl Fn(&Cell) -> usize) -> Vec<u64> {
        let mut sums = vec![0; n_clusters];
        self.cells.iter().for_each(|cell| sums[of(cell)] += cell.n_samples);
        sums
    }

    /// Number of samples counted.
    #[must_use]
    pub fn n_samples(&self) -> u64 {
        self.cells.iter().map(|cell| cell.n_samples).sum()
    }

    /// The counts as a table, shape (n_first, n_second); `None` for one of more than 2²⁰ numbers.
    #[must_use]
    pub fn table(&self) -> Option<Array2<u64>> {
        (self.n_first.saturating_mul(self.n_second) <= MAX_TABLE).then(|| {
            let mut table = Array2::zeros(self.dim());
            self.cells.iter().for_each(|cell| table[(cell.first, cell.second)] = cell.n_samples);
            table
        })
    }

    /// Adjusted Rand index of the two clusterings, at most 1; 0 is what chance gives (Hubert and Arabie, 1985). O(c).
    ///
    /// Two clusterings without a pair to tell apart (one cluster each, or single samples each) are equal: 1.
    #[must_use]
    pub fn adjusted_rand_index(&self) -> f64 {
        let pairs = |count: u64| {
            let count = u128::from(count);
            count * count.saturating_sub(1) / 2
        };
        let in_one = |sizes: Vec<u64>| sizes.into_iter().map(pairs).sum::<u128>();
        let together: u128 = self.cells.iter().map(|cell| pairs(cell.n_samples)).sum();
        let all = pairs(self.n_samples());
        if all == 0 {
            return 1.0;
        }
        let (first, second) = (in_one(self.first_sizes()), in_one(self.second_sizes()));
        #[expect(clippy::cast_precision_loss, reason = "a ratio of pair counts")]
        let (together, first, second, all) =
            (together as f64, first as f64, second as f64, all as f64);
        let expected = first * second / all;
        let maximum = f64::midpoint(first, second);
        if maximum == expected { 1.0 } else { (together - expected) / (maximum - expected) }
    }
}

impl Serialize for Contingency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.table() {
            Some(table) => serializer.collect_seq(table.rows().into_iter().map(|row| row.to_vec())),
            None => serializer.serialize_none(),
        }
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

    proptest! {
        /// The two ways of counting, against each other; a million clusters take no table.
        #[test]
        fn many_clusters_are_counted_as_few_are(
            labels in prop::collection::vec((0..5usize, 0..5usize), 0..60),
        ) {
            let few = Contingency::count(labels.iter().copied(), 5, 5);
            let many = Contingency::count(labels.iter().copied(), 1_000_000, 1_000_000);
            prop_assert_eq!(few.cells(), many.cells());
            prop_assert_eq!(few.first_sizes(), &many.first_sizes()[..5]);
            prop_assert_eq!(few.adjusted_rand_index(), many.adjusted_rand_index());
            let table = few.table().unwrap();
            prop_assert!(table.indexed_iter().all(|((a, b), &n)| few.get(a, b) == n));
            prop_assert_eq!(few.rows().map(<[Cell]>::len).sum::<usize>(), few.cells().len());
            prop_assert!(many.table().is_none());
        }
    }

    #[test]
    fn names_of_clusters_do_not_matter() {
        assert_eq!(contingency(&[0, 0, 1, 2], &[3, 3, 0, 1]).adjusted_rand_index(), 1.0);
    }
}
