//! Distances to nearest neighbours.

use consilience_data::{Features, Seed, Stream};
use ndarray::Array2;
use rayon::prelude::*;

use crate::EnsembleError;
use crate::cpu::{Write, multiply};

/// Samples whose neighbours are sought at a time, and samples among which.
const QUERIES: usize = 500;
const CANDIDATES: usize = 2000;

/// With more samples than this, neighbours are sought among a random subset of so many, and the rank falls with the
/// subset's share: what is wanted is the local scale, not the neighbour, and n^2 distances would take longer than
/// an epoch of training.
const REFERENCES: usize = 20_000;

/// Every sample's Euclidean distance to its `rank`-th nearest other sample (the farthest, if there are fewer), length
/// n_samples; estimated with more than 20,000 samples.
///
/// O(n min(n, 20,000) d) time, in blocks of matrix products; O(n rank) memory beside the references.
pub(crate) fn distances_to_neighbour(
    features: &Features,
    rank: usize,
    seed: Seed,
    threads: usize,
) -> Result<Vec<f32>, EnsembleError> {
    let n = features.n_samples();
    let mut references: Vec<usize> = (0..n).collect();
    let mut rank = rank;
    if n > REFERENCES {
        references = seed.rng(Stream::Subset).permutation(n);
        references.truncate(REFERENCES);
        references.sort_unstable();
        rank = ((rank * REFERENCES + n / 2) / n).max(1);
    }
    let pool = crate::ensemble::pool(threads)?;
    let (mean, squared_lengths) = centre(features);
    let references = &references;
    let search =
        Search { features, mean: &mean, references, squared_lengths: &squared_lengths, rank };
    let blocks = n.div_ceil(QUERIES);
    let found: Vec<Vec<f32>> =
        pool.install(|| (0..blocks).into_par_iter().map(|block| search.block(block)).collect());
    Ok(found.concat())
}

/// The mean of every feature, and every sample's squared distance to it. Products of centred rows are small, so that
/// their differences, which distances are made of, keep their digits.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "f64 sums")]
fn centre(features: &Features) -> (Vec<f32>, Vec<f32>) {
    let n = features.n_samples();
    let mut sum = vec![0.0; features.n_features()];
    for sample in 0..n {
        let row = features.row(sample);
        sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let mean: Vec<f32> = sum.iter().map(|sum| (sum / n as f64) as f32).collect();
    let squared_length = |sample| {
        let row = features.row(sample).iter().zip(&mean);
        row.map(|(value, mean)| (value - mean) * (value - mean)).sum()
    };
    let squared_lengths = (0..n).map(squared_length).collect();
    (mean, squared_lengths)
}

struct Search<'a> {
    features: &'a Features,
    mean: &'a [f32],
    /// Samples among which neighbours are sought, ascending.
    references: &'a [usize],
    squared_lengths: &'a [f32],
    rank: usize,
}

impl Search<'_> {
    /// The distances of [`QUERIES`] samples.
    fn block(&self, block: usize) -> Vec<f32> {
        let last = ((block + 1) * QUERIES).min(self.features.n_samples());
        let queries: Vec<usize> = (block * QUERIES..last).collect();
        let of_queries = self.rows(&queries);
        let mut nearest: Vec<Vec<f32>> = vec![Vec::with_capacity(self.rank + 1); queries.len()];
        for candidates in self.references.chunks(CANDIDATES) {
            let rows = self.rows(candidates);
            let mut products = Array2::zeros((queries.len(), candidates.len()));
            multiply(of_queries.view(), rows.t(), products.view_mut(), Write::Replace, 1);
            let rows = products.rows().into_iter();
            for ((&query, nearest), products) in queries.iter().zip(&mut nearest).zip(rows) {
                for (&candidate, product) in candidates.iter().zip(products) {
                    let lengths = self.squared_lengths[query] + self.squared_lengths[candidate];
                    if candidate != query {
                        insert(nearest, lengths - 2.0 * product, self.rank);
                    }
                }
            }
        }
        let farthest = |nearest: &Vec<f32>| nearest.last().map_or(0.0, |last| last.max(0.0).sqrt());
        nearest.iter().map(farthest).collect()
    }

    /// Centred rows of some samples, shape (samples, n_features).
    fn rows(&self, samples: &[usize]) -> Array2<f32> {
        let width = self.features.n_features();
        let mut values = Vec::with_capacity(samples.len() * width);
        for &sample in samples {
            let row = self.features.row(sample).iter().zip(self.mean);
            values.extend(row.map(|(value, mean)| value - mean));
        }
        Array2::from_shape_vec((samples.len(), width), values).expect("a row for every sample")
    }
}

/// Keeps the `limit` smallest values, ascending.
fn insert(smallest: &mut Vec<f32>, value: f32, limit: usize) {
    if smallest.len() == limit {
        if smallest.last().is_some_and(|&largest| value >= largest) {
            return;
        }
        smallest.pop();
    }
    let position = smallest.partition_point(|&kept| kept <= value);
    smallest.insert(position, value);
}

#[cfg(test)]
mod tests {
    use consilience_data::{Seed, Stream};
    use ndarray::Array2;

    use super::*;

    fn normal(seed: u64, n: usize, d: usize) -> Features {
        let values = Seed(seed).rng(Stream::Subset).normal(n * d);
        Features::new(Array2::from_shape_vec((n, d), values).unwrap(), "x").unwrap()
    }

    /// The distance of `sample` to its 10th neighbour, by sorting all.
    fn tenth(features: &Features, sample: usize) -> f32 {
        let others = (0..features.n_samples()).filter(|&other| other != sample);
        let distance = |other| {
            let pairs = features.row(sample).iter().zip(features.row(other));
            pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
        };
        let mut all: Vec<f32> = others.map(distance).collect();
        all.sort_by(f32::total_cmp);
        all[9]
    }

    #[test]
    fn equals_sorting_all_distances() {
        let features = normal(1, 2100, 3);
        let found = distances_to_neighbour(&features, 10, Seed(1), 2).unwrap();
        assert_eq!(found, distances_to_neighbour(&features, 10, Seed(1), 3).unwrap());
        for sample in (0..2100).step_by(97) {
            let expected = tenth(&features, sample);
            assert!((found[sample] - expected).abs() < 1e-3, "{} {expected}", found[sample]);
        }
    }

    #[test]
    fn of_many_samples_the_scale_is_estimated() {
        let features = normal(2, 22_000, 2);
        let found = distances_to_neighbour(&features, 10, Seed(1), 2).unwrap();
        let ratios =
            (0..22_000).step_by(220).map(|sample| found[sample] / tenth(&features, sample));
        let mean = ratios.sum::<f32>() / 100.0;
        assert!((mean - 1.0).abs() < 0.05, "{mean}");
    }

    #[test]
    fn a_large_offset_costs_no_digits() {
        let values = [0.0, 0.1, 0.3].map(|value| 1000.0 + value).to_vec();
        let features = Features::new(Array2::from_shape_vec((3, 1), values).unwrap(), "x").unwrap();
        let found = distances_to_neighbour(&features, 1, Seed(1), 1).unwrap();
        assert!(found.iter().zip([0.1, 0.1, 0.2]).all(|(a, b)| (a - b).abs() < 1e-3), "{found:?}");
    }

    #[test]
    fn few_samples_have_their_farthest() {
        let features =
            Features::new(Array2::from_shape_vec((3, 1), vec![0.0, 1.0, 3.0]).unwrap(), "x");
        assert_eq!(
            distances_to_neighbour(&features.unwrap(), 10, Seed(1), 1).unwrap(),
            [3.0, 2.0, 3.0]
        );
    }
}
