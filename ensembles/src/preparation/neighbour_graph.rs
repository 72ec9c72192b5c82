//! The neighbour graph: every sample's nearest others. It is made once a run, and used wherever it matters what is near what.

use consilience_data::{Features, Seed, SparseRows};
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::preparation::approximate_search::{Dense, Sparse, approximate};
use crate::preparation::exact_search::{Found, QUERIES, Search};
use crate::preparation::rows::Rows;
use crate::preparation::sparse_search::{SparseSearch, n_products};
use crate::progress::Progress;

/// Up to so many samples all distances are computed.
const EXACT: usize = 20_000;
/// Of sparse rows, all distances are computed also where that takes no more products than this: a few minutes of a core.
const PRODUCTS: f64 = 2e11;

/// Every sample's nearest others, by Euclidean distance.
///
/// Up to 20,000 samples it is exact, and of sparse rows up to as many as there is time for. Beyond, neighbours are sought in inverted lists; where there are many features, among
/// candidates from principal directions. How many directions and lists is found by looking for the neighbours of 500 samples exactly:
/// 98 % of them have to be found in each step.
#[derive(Debug, Clone)]
pub struct NeighbourGraph {
    /// `k` a sample, nearest first.
    nearest: Vec<u32>,
    /// Euclidean, in the same places.
    distances: Vec<f32>,
    k: usize,
    n_samples: usize,
    /// Samples that can be found, ascending.
    among: Vec<u32>,
    recall: f64,
}

impl NeighbourGraph {
    /// The `k` nearest others of every sample (fewer, if there are fewer), of those `among` which they are sought, ascending, on
    /// `threads` threads. The same for any number of them.
    ///
    /// O(n^2 d) time up to 20,000 samples, then O(n sqrt(n) d) if samples lie in crowds, at worst O(20,000 n d); O(n (k + d)) memory.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Threads`] if the threads can't be started, [`EnsembleError::Cancelled`] if `progress` says so.
    pub fn new(
        features: &Features,
        among: &[u32],
        k: usize,
        seed: Seed,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        Self::of_rows(features.view().into(), among, k, seed, threads, progress)
    }

    /// As [`NeighbourGraph::new`], of rows that may have to be made.
    pub(crate) fn of_rows(
        rows: Rows<'_>,
        among: &[u32],
        k: usize,
        seed: Seed,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        let k = k.min(among.len().saturating_sub(1));
        let search = || {
            if among.len() <= EXACT {
                let all = all(rows.n_samples());
                Ok((Search::new(rows.view(), among).of_samples(&all, k, progress)?, 1.0))
            } else {
                approximate(&Dense { rows: rows.view(), among }, k, seed, threads, progress)
            }
        };
        let (found, recall) = crate::threads::pool(threads)?.install(search)?;
        Ok(Self::of_found(found, recall, k, among))
    }

    /// As [`NeighbourGraph::new`], of sparse rows: exact, too, where that takes no more than a few minutes. The time is then that of all products of values that are in
    /// one column, and a comparison for each pair; O(values + n k) memory.
    pub(crate) fn of_sparse(
        rows: &SparseRows,
        among: &[u32],
        k: usize,
        seed: Seed,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        let products = if among.len() <= EXACT { 0.0 } else { n_products(rows, among) };
        Self::of_sparse_within(products <= PRODUCTS, rows, among, k, seed, threads, progress)
    }

    fn of_sparse_within(
        is_exact: bool,
        rows: &SparseRows,
        among: &[u32],
        k: usize,
        seed: Seed,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        let k = k.min(among.len().saturating_sub(1));
        let search = || {
            let search = SparseSearch::new(rows, among);
            if is_exact {
                let all = all(rows.n_samples());
                Ok((search.of_samples(&all, k, progress)?, 1.0))
            } else {
                approximate(&Sparse { rows, among, search }, k, seed, threads, progress)
            }
        };
        let (found, recall) = crate::threads::pool(threads)?.install(search)?;
        Ok(Self::of_found(found, recall, k, among))
    }

    /// Of squared distances and neighbours of all samples.
    fn of_found(found: Vec<Vec<Found>>, recall: f64, k: usize, among: &[u32]) -> Self {
        let n_samples = found.len();
        let found = found.into_iter().flatten();
        let (distances, nearest) =
            found.map(|(squared, sample)| (squared.max(0.0).sqrt(), sample)).unzip();
        Self { nearest, distances, k, n_samples, among: among.to_vec(), recall }
    }

    /// Number of neighbours of every sample.
    #[must_use]
    pub fn k(&self) -> usize {
        self.k
    }

    /// Number of samples.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.n_samples
    }

    /// The nearest others of `sample`, nearest first (ties: the lowest sample).
    #[must_use]
    pub fn of(&self, sample: usize) -> &[u32] {
        &self.nearest[sample * self.k..(sample + 1) * self.k]
    }

    /// Their distances.
    #[must_use]
    pub fn distances(&self, sample: usize) -> &[f32] {
        &self.distances[sample * self.k..(sample + 1) * self.k]
    }

    /// Samples that can be found, ascending.
    #[must_use]
    pub fn among(&self) -> &[u32] {
        &self.among
    }

    /// The share of their true neighbours that 500 random samples have; 1 where the search was exact.
    #[must_use]
    pub fn recall(&self) -> f64 {
        self.recall
    }

    /// Pairs of samples of which at least one is among the `k` nearest of the other, the lower sample first, each with the
    /// similarity of their neighbourhoods: the Jaccard index of the two sets of `k` nearest and the sample itself (R. A. Jarvis and
    /// E. A. Patrick, *Clustering Using a Similarity Measure Based on Shared Near Neighbors*, 1973). More than 0, and 1 only where the sets are the same.
    ///
    /// In a fixed order. O(n k^2) on the threads of the current pool, and memory for the pairs and the neighbours once more.
    #[must_use]
    pub fn edges(&self, k: usize) -> Vec<(u32, u32, f32)> {
        let k = k.min(self.k);
        let width = k + 1;
        let mut sets = vec![0_u32; self.n_samples() * width];
        sets.par_chunks_mut(width).zip(all(self.n_samples())).for_each(|(set, sample)| {
            set[0] = sample;
            set[1..].copy_from_slice(&self.of(sample as usize)[..k]);
            set.sort_unstable();
        });
        let set = |sample: u32| &sets[sample as usize * width..(sample as usize + 1) * width];
        let of_sample = |&sample: &u32| {
            let own = set(sample);
            self.of(sample as usize)[..k].iter().filter_map(move |&other| {
                let others = set(other);
                // The other has this edge, too, if each is near the other; the lower sample then keeps it.
                if other < sample && others.binary_search(&sample).is_ok() {
                    return None;
                }
                let shared = shared(own, others);
                #[expect(clippy::cast_precision_loss, reason = "a few neighbours")]
                let similarity = shared as f32 / (2 * width - shared) as f32;
                Some((sample.min(other), sample.max(other), similarity))
            })
        };
        let block = |samples: &[u32]| samples.iter().flat_map(of_sample).collect::<Vec<_>>();
        self.among.par_chunks(QUERIES).map(block).collect::<Vec<_>>().concat()
    }
}

/// How many numbers two ascending lists have in common.
fn shared(a: &[u32], b: &[u32]) -> usize {
    let (mut count, mut rest) = (0, b);
    for value in a {
        rest = &rest[rest.iter().take_while(|&other| other < value).count()..];
        count += usize::from(rest.first() == Some(value));
    }
    count
}

fn all(n_samples: usize) -> Vec<u32> {
    #[expect(clippy::cast_possible_truncation, reason = "samples are counted in u32")]
    (0..n_samples as u32).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use consilience_data::Stream;
    use ndarray::Array2;

    use super::*;
    use crate::preparation::approximate_search::share_found;
    use crate::preparation::exact_search::squared_distance;

    fn features(values: Array2<f32>) -> Features {
        Features::new(values, "x").unwrap()
    }

    /// Groups of samples in `d` features, of which the first few directions have most of the spread.
    fn groups(n: usize, d: usize) -> Features {
        let mut rng = Seed(1).rng(Stream::Subset);
        let (centres, noise) = (rng.normal(40 * d), rng.normal(n * d));
        let value = |(sample, feature): (usize, usize)| {
            let scale = 0.97_f32.powi(i32::try_from(feature).unwrap());
            scale * (2.0 * centres[sample % 40 * d + feature] + noise[sample * d + feature])
        };
        features(Array2::from_shape_fn((n, d), value))
    }

    fn graph(features: &Features, k: usize, threads: usize) -> NeighbourGraph {
        NeighbourGraph::new(features, &all(features.n_samples()), k, Seed(1), threads, &()).unwrap()
    }

    /// The share of true neighbours of some samples that the graph has.
    fn recall(graph: &NeighbourGraph, features: &Features) -> f64 {
        let among = all(features.n_samples());
        let some: Vec<u32> = among.iter().copied().step_by(101).collect();
        let truth = Search::new(features.view(), &among).of_samples(&some, graph.k(), &()).unwrap();
        let own = |&sample: &u32| graph.of(sample as usize).iter().map(|&id| (0.0, id)).collect();
        share_found(&some.iter().map(own).collect::<Vec<_>>(), &truth)
    }

    #[test]
    fn many_samples_find_nearly_all_of_their_neighbours() {
        for (n, d) in [(22_000, 16), (21_000, 300)] {
            let features = groups(n, d);
            let graph = graph(&features, 30, 2);
            let (found, said) = (recall(&graph, &features), graph.recall());
            assert!(found >= 0.95 && (found - said).abs() < 0.02, "{d} features: {found} {said}");
            for sample in (0..n).step_by(1009) {
                assert!(graph.distances(sample).is_sorted());
                assert!(!graph.of(sample).contains(&u32::try_from(sample).unwrap()));
                let nearest = graph.of(sample)[0] as usize;
                let squared = squared_distance(features.row(sample), features.row(nearest));
                assert!((graph.distances(sample)[0] - squared.sqrt()).abs() < 1e-2);
            }
        }
    }

    #[test]
    fn images_of_digits_find_nearly_all_of_their_neighbours() {
        let mnist = ["mnist/train-images-idx3-ubyte.gz"];
        let Some(paths) = consilience_testing::benchmark_files(&mnist) else { return };
        let images = consilience_data::read_dataset(&paths, &[]).unwrap().features;
        let graph = graph(&images, 30, 2);
        let (found, said) = (recall(&graph, &images), graph.recall());
        assert!(found >= 0.95 && said >= 0.95, "{found} {said}");
    }

    #[test]
    fn threads_change_nothing() {
        for features in [groups(3000, 5), groups(21_000, 130)] {
            let (one, three) = (graph(&features, 10, 1), graph(&features, 10, 3));
            assert_eq!((one.nearest, one.distances), (three.nearest, three.distances));
        }
    }

    #[test]
    fn equal_samples_are_neighbours_and_do_not_take_for_ever() {
        for n in [300, 40_000] {
            let graph = graph(&features(Array2::ones((n, 3))), 5, 2);
            assert!((0..n).all(|sample| graph.distances(sample).iter().all(|&d| d == 0.0)));
            assert_eq!((graph.of(0), graph.of(2)), (&[1, 2, 3, 4, 5][..], &[0, 1, 3, 4, 5][..]));
        }
    }

    #[test]
    fn few_samples_have_few_neighbours_and_those_left_out_are_in_no_list() {
        let line =
            |n| features(Array2::from_shape_fn((n, 1), |(sample, _)| (sample * sample) as f32));
        let few = graph(&line(3), 10, 1);
        assert_eq!((few.k(), few.of(0), few.of(2)), (2, &[1, 2][..], &[1, 0][..]));
        assert_eq!(few.distances(0), [1.0, 4.0]);
        let one = graph(&line(1), 10, 1);
        assert_eq!((one.k(), one.n_samples(), one.of(0), one.edges(10)), (0, 1, &[][..], vec![]));
        let some = NeighbourGraph::new(&line(5), &[0, 2, 4], 10, Seed(1), 1, &()).unwrap();
        assert_eq!((some.k(), some.of(0), some.of(1)), (2, &[2, 4][..], &[0, 2][..]));
        let edges = some.edges(2);
        assert!(edges.iter().all(|edge| edge.0 % 2 == 0 && edge.1 % 2 == 0), "{edges:?}");
    }

    #[test]
    fn edges_are_those_of_the_definition() {
        let features = groups(400, 4);
        let (graph, k) = (graph(&features, 12, 2), 7);
        let set = |sample: usize| -> BTreeSet<usize> {
            let near = graph.of(sample)[..k].iter().map(|&other| other as usize);
            near.chain([sample]).collect()
        };
        let mut expected = BTreeMap::new();
        for a in 0..400 {
            for b in a + 1..400 {
                if set(a).contains(&b) || set(b).contains(&a) {
                    let shared = set(a).intersection(&set(b)).count() as f32;
                    expected.insert((a, b), shared / set(a).union(&set(b)).count() as f32);
                }
            }
        }
        let found = graph.edges(k);
        assert_eq!(found.len(), expected.len(), "none twice");
        for (a, b, similarity) in found {
            assert_eq!(expected[&(a as usize, b as usize)], similarity);
            assert!(similarity > 0.0);
        }
    }

    #[test]
    fn rows_that_are_scaled_again_have_the_same_neighbours() {
        use crate::preparation::transform::{Scaling, Transform};

        let among: Vec<u32> = (0..2300).filter(|sample| sample % 11 != 3).collect();
        // In a plane, so that directions are enough; and not.
        for rank in [2, 150] {
            let mut rng = Seed(5).rng(Stream::Subset);
            let mut normal = |rows: usize, columns: usize| {
                Array2::from_shape_vec((rows, columns), rng.normal(rows * columns)).unwrap()
            };
            let data = features(normal(2300, rank).dot(&normal(rank, 150)));
            let (transform, _) = Transform::of_scaling(&data, Scaling::Rows);
            let scaled = transform.scaled(&data.view());
            let found = |rows| {
                let space = Dense { rows, among: &among };
                approximate(&space, 10, Seed(1), 2, &()).unwrap()
            };
            let (held, made) =
                (found(scaled.view().into()), found(Rows::Scaled(&data, &transform)));
            assert!(held == made, "rank {rank}");
        }
    }

    /// Samples of forty kinds, of which each has columns of its own.
    #[test]
    fn sparse_rows_find_nearly_all_of_their_neighbours() {
        let (n, d) = (3000, 300);
        let mut rng = Seed(7).rng(Stream::Subset);
        let mut rows = SparseRows::with_capacity(n, 0, d);
        for sample in 0..n {
            let draws = rng.normal(12);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "columns")]
            let column = |draw: &f32| ((draw.abs() * 4.0) as usize + sample % 40 * 7) as u32 % 300;
            let mut columns: Vec<u32> = draws.iter().map(column).collect();
            columns.sort_unstable();
            columns.dedup();
            let draws = rng.normal(columns.len());
            rows.push(columns.into_iter().zip(draws.into_iter().map(|draw| 2.0 + draw.abs())));
        }
        let among: Vec<u32> = (0..3000).filter(|sample| sample % 11 != 3).collect();
        let graph = |is_exact, threads| {
            let graph = NeighbourGraph::of_sparse_within;
            graph(is_exact, &rows, &among, 10, Seed(1), threads, &()).unwrap()
        };
        let (exact, found, again) = (graph(true, 2), graph(false, 2), graph(false, 3));
        assert_eq!((&found.nearest, &found.distances), (&again.nearest, &again.distances));
        let is_true = |sample: usize| {
            let farthest = exact.distances(sample).last().unwrap() * (1.0 + 1e-5);
            found.distances(sample).iter().filter(|&&distance| distance <= farthest).count()
        };
        let share = (0..n).map(is_true).sum::<usize>() as f64 / (10 * n) as f64;
        assert!(share > 0.9 && (share - found.recall()).abs() < 0.05, "{share} {}", found.recall());
        assert_eq!(exact.recall(), 1.0);
    }
}
