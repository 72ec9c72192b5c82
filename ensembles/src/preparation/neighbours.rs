//! Distances to nearest neighbours.

use consilience_data::{Features, Seed, Stream};
use ndarray::Array2;
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::numerics::matrix::{Write, multiply};
use crate::progress::{Progress, go_on};

/// Samples whose neighbours are sought at a time, and samples among which.
const QUERIES: usize = 500;
const CANDIDATES: usize = 2000;

/// With more samples than this, neighbours are sought among a random subset of so many, and the rank falls with the
/// subset's share: what is wanted is the local scale, not the neighbour, and n^2 distances would take longer than
/// an epoch of training.
const REFERENCES: usize = 20_000;

/// Squared distances and neighbours of some samples, nearest first.
type Block = Vec<Vec<(f32, u32)>>;

/// What is near every sample.
#[derive(Debug, Clone)]
pub(crate) struct Neighbourhoods {
    /// Euclidean distance to the `rank`-th nearest other sample (the farthest, if there are fewer), length n_samples.
    pub(crate) distances: Vec<f32>,
    /// The nearest other samples, nearest first, `rank` a sample (fewer, if there are fewer samples).
    nearest: Vec<u32>,
    count: usize,
}

impl Neighbourhoods {
    /// The nearest other samples of `sample`, nearest first.
    pub(crate) fn of(&self, sample: usize) -> &[u32] {
        &self.nearest[sample * self.count..(sample + 1) * self.count]
    }
}

/// Every sample's `rank` nearest others of those `among` which they are sought, ascending, and the distance to the last of them. With more than 20,000 samples, of a random
/// subset of so many; the distance is then an estimate of that among all.
///
/// O(n min(n, 20,000) d) time, in blocks of matrix products; O(n rank) memory beside the references.
pub(crate) fn neighbourhoods(
    features: &Features,
    among: &[u32],
    rank: usize,
    seed: Seed,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Neighbourhoods, EnsembleError> {
    let n = features.n_samples();
    let mut references: Vec<usize> = among.iter().map(|&sample| sample as usize).collect();
    let count = rank.min(among.len().saturating_sub(1)).min(REFERENCES - 1);
    let mut rank = rank;
    if among.len() > REFERENCES {
        seed.rng(Stream::Subset).shuffle(&mut references);
        references.truncate(REFERENCES);
        references.sort_unstable();
        rank = ((rank * REFERENCES + among.len() / 2) / among.len()).max(1);
    }
    let pool = crate::threads::pool(threads)?;
    let (mean, squared_lengths) = centre(features);
    let references = &references;
    let search =
        Search { features, mean: &mean, references, squared_lengths: &squared_lengths, count };
    let blocks = n.div_ceil(QUERIES);
    let found: Result<Vec<Block>, EnsembleError> = pool.install(|| {
        (0..blocks).into_par_iter().map(|block| search.block(block, progress)).collect()
    });
    let found = found?;
    let of_samples = || found.iter().flatten();
    let distance = |nearest: &Vec<(f32, u32)>| {
        let last = rank.min(count).checked_sub(1).map(|last| nearest[last].0);
        last.map_or(0.0, |squared| squared.max(0.0).sqrt())
    };
    let ids = of_samples().flatten().map(|&(_, sample)| sample);
    Ok(Neighbourhoods {
        distances: of_samples().map(distance).collect(),
        nearest: ids.collect(),
        count,
    })
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
    /// How many are sought.
    count: usize,
}

impl Search<'_> {
    /// Squared distances and neighbours of [`QUERIES`] samples, nearest first.
    fn block(&self, block: usize, progress: &dyn Progress) -> Result<Block, EnsembleError> {
        let last = ((block + 1) * QUERIES).min(self.features.n_samples());
        let queries: Vec<usize> = (block * QUERIES..last).collect();
        let of_queries = self.rows(&queries);
        let mut nearest = vec![Vec::with_capacity(self.count + 1); queries.len()];
        for candidates in self.references.chunks(CANDIDATES) {
            go_on(progress)?;
            let rows = self.rows(candidates);
            let mut products = Array2::zeros((queries.len(), candidates.len()));
            multiply(of_queries.view(), rows.t(), products.view_mut(), Write::Replace, 1);
            let rows = products.rows().into_iter();
            for ((&query, nearest), products) in queries.iter().zip(&mut nearest).zip(rows) {
                for (&candidate, product) in candidates.iter().zip(products) {
                    let lengths = self.squared_lengths[query] + self.squared_lengths[candidate];
                    if candidate != query {
                        #[expect(
                            clippy::cast_possible_truncation,
                            reason = "samples are counted in u32"
                        )]
                        insert(nearest, (lengths - 2.0 * product, candidate as u32), self.count);
                    }
                }
            }
        }
        Ok(nearest)
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

/// Keeps the `limit` smallest values, ascending; of equal ones, those that came first.
fn insert(smallest: &mut Vec<(f32, u32)>, value: (f32, u32), limit: usize) {
    if smallest.len() == limit {
        if smallest.last().is_none_or(|largest| value.0 >= largest.0) {
            return;
        }
        smallest.pop();
    }
    let position = smallest.partition_point(|kept| kept.0 <= value.0);
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

    fn all(features: &Features) -> Vec<u32> {
        (0..u32::try_from(features.n_samples()).unwrap()).collect()
    }

    /// All others by their distance to `sample`.
    fn sorted(features: &Features, sample: usize) -> Vec<(f32, usize)> {
        let others = (0..features.n_samples()).filter(|&other| other != sample);
        let distance = |other| {
            let pairs = features.row(sample).iter().zip(features.row(other));
            (pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt(), other)
        };
        let mut all: Vec<_> = others.map(distance).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all
    }

    fn tenth(features: &Features, sample: usize) -> f32 {
        sorted(features, sample)[9].0
    }

    #[test]
    fn equals_sorting_all_distances() {
        let features = normal(1, 2100, 3);
        let found = neighbourhoods(&features, &all(&features), 10, Seed(1), 2, &()).unwrap();
        let other = neighbourhoods(&features, &all(&features), 10, Seed(1), 3, &()).unwrap();
        assert_eq!((&found.distances, &found.nearest), (&other.distances, &other.nearest));
        for sample in (0..2100).step_by(97) {
            let all = sorted(&features, sample);
            assert!((found.distances[sample] - all[9].0).abs() < 1e-3, "sample {sample}");
            assert_eq!(found.of(sample).len(), 10);
            for (&neighbour, expected) in found.of(sample).iter().zip(&all) {
                let (distance, _) =
                    all[all.iter().position(|&(_, s)| s == neighbour as usize).unwrap()];
                assert!((distance - expected.0).abs() < 1e-3, "sample {sample}: {neighbour}");
            }
        }
    }

    #[test]
    fn of_many_samples_the_scale_is_estimated() {
        let features = normal(2, 22_000, 2);
        let found =
            neighbourhoods(&features, &all(&features), 10, Seed(1), 2, &()).unwrap().distances;
        let ratios =
            (0..22_000).step_by(220).map(|sample| found[sample] / tenth(&features, sample));
        let mean = ratios.sum::<f32>() / 100.0;
        assert!((mean - 1.0).abs() < 0.05, "{mean}");
    }

    #[test]
    fn a_large_offset_costs_no_digits() {
        let values = [0.0, 0.1, 0.3].map(|value| 1000.0 + value).to_vec();
        let features = Features::new(Array2::from_shape_vec((3, 1), values).unwrap(), "x").unwrap();
        let found =
            neighbourhoods(&features, &all(&features), 1, Seed(1), 1, &()).unwrap().distances;
        assert!(found.iter().zip([0.1, 0.1, 0.2]).all(|(a, b)| (a - b).abs() < 1e-3), "{found:?}");
    }

    #[test]
    fn few_samples_have_their_farthest() {
        let features =
            Features::new(Array2::from_shape_vec((3, 1), vec![0.0, 1.0, 3.0]).unwrap(), "x");
        assert_eq!(
            neighbourhoods(&features.unwrap(), &[0, 1, 2], 10, Seed(1), 1, &()).unwrap().distances,
            [3.0, 2.0, 3.0]
        );
    }
}
