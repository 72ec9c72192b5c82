//! Distances to nearest neighbours, exactly.

use candle_core::{Device, Tensor};
use consilience_data::Features;
use rayon::prelude::*;

use crate::EnsembleError;

/// Samples whose neighbours are sought at a time, and samples among which.
const QUERIES: usize = 500;
const CANDIDATES: usize = 2000;

/// Every sample's Euclidean distance to its `rank`-th nearest other sample (the farthest, if there are fewer), length
/// n_samples. O(n^2 d) time, in blocks of matrix products; O(n rank) memory.
pub(crate) fn distances_to_neighbour(
    features: &Features,
    rank: usize,
    threads: usize,
) -> Result<Vec<f32>, EnsembleError> {
    let blocks = features.n_samples().div_ceil(QUERIES);
    let pool = crate::ensemble::pool(threads)?;
    let squared_lengths: Vec<f32> = (0..features.n_samples())
        .map(|sample| features.row(sample).iter().map(|value| value * value).sum())
        .collect();
    let found: Result<Vec<Vec<f32>>, EnsembleError> = pool.install(|| {
        let blocks = (0..blocks).into_par_iter();
        blocks.map(|block| block_distances(features, &squared_lengths, block, rank)).collect()
    });
    Ok(found?.concat())
}

fn block_distances(
    features: &Features,
    squared_lengths: &[f32],
    block: usize,
    rank: usize,
) -> Result<Vec<f32>, EnsembleError> {
    let n = features.n_samples();
    let queries = block * QUERIES..((block + 1) * QUERIES).min(n);
    let of_queries = rows(features, queries.clone())?;
    let mut nearest: Vec<Vec<f32>> = vec![Vec::with_capacity(rank + 1); queries.len()];
    for start in (0..n).step_by(CANDIDATES) {
        let candidates = start..(start + CANDIDATES).min(n);
        let products = of_queries.matmul(&rows(features, candidates.clone())?.t()?)?.flatten_all()?;
        let products = products.to_vec1::<f32>()?;
        for ((query, nearest), products) in
            queries.clone().zip(&mut nearest).zip(products.chunks_exact(candidates.len()))
        {
            for (candidate, product) in candidates.clone().zip(products) {
                let squared = squared_lengths[query] + squared_lengths[candidate] - 2.0 * product;
                if candidate != query {
                    insert(nearest, squared, rank);
                }
            }
        }
    }
    Ok(nearest.iter().map(|nearest| nearest.last().map_or(0.0, |last| last.max(0.0).sqrt())).collect())
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

fn rows(features: &Features, range: std::ops::Range<usize>) -> candle_core::Result<Tensor> {
    let width = features.n_features();
    let values = &features.as_slice()[range.start * width..range.end * width];
    Tensor::from_slice(values, (range.len(), width), &Device::Cpu)
}

#[cfg(test)]
mod tests {
    use consilience_data::{Seed, Stream};
    use ndarray::Array2;

    use super::*;

    #[test]
    fn equals_sorting_all_distances() {
        let values = Seed(1).rng(Stream::Subset).normal(2100 * 3);
        let features = Features::new(Array2::from_shape_vec((2100, 3), values).unwrap(), "x").unwrap();
        let found = distances_to_neighbour(&features, 10, 2).unwrap();
        for sample in (0..2100).step_by(97) {
            let mut all: Vec<f32> = (0..2100)
                .filter(|&other| other != sample)
                .map(|other| {
                    let pairs = features.row(sample).iter().zip(features.row(other));
                    pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
                })
                .collect();
            all.sort_by(f32::total_cmp);
            assert!((found[sample] - all[9]).abs() < 1e-3, "{} {}", found[sample], all[9]);
        }
    }

    #[test]
    fn few_samples_have_their_farthest() {
        let features = Features::new(Array2::from_shape_vec((3, 1), vec![0.0, 1.0, 3.0]).unwrap(), "x");
        assert_eq!(distances_to_neighbour(&features.unwrap(), 10, 1).unwrap(), [3.0, 2.0, 3.0]);
    }
}
