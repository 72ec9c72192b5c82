//! The neighbour graph: every sample's nearest others. It is made once a run, and used wherever it matters what is near what.

use std::collections::BTreeSet;

use consilience_data::{Features, Seed, SparseRows, Stream};
use ndarray::Array2;
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::numerics::matrix::row;
use crate::preparation::directions::Directions;
use crate::preparation::exact_search::{Found, QUERIES, Search, centre, squared_distance};
use crate::preparation::inverted_lists::{InvertedLists, Points};
use crate::preparation::rows::Rows;
use crate::preparation::sparse_search::SparseSearch;
use crate::progress::{Progress, go_on};

/// Up to so many samples all distances are computed.
const EXACT: usize = 20_000;
/// Neighbours of so many random samples are sought exactly, to see what the others need.
const MEASURED: usize = QUERIES;
/// Of their neighbours, this share has to be found: of those in all features, in the principal directions; of all, in the lists
/// that are looked through.
const SHARE: f64 = 0.98;
/// Numbers of principal directions to try, unless there are fewer than twice as many features.
const DIRECTIONS: [usize; 3] = [64, 128, 256];
/// Candidates for each neighbour that is sought, of which the nearest in all features are taken.
const CANDIDATES: usize = 4;
/// Samples that a sample is compared with, at most: with more, where neighbourhoods are noise, the search would take hours. Then
/// fewer of the neighbours are found.
const COMPARED: usize = 20_000;
/// By which two ways to compute the same squared distance differ, as a share.
const ROUNDING: f32 = 1e-4;

/// Every sample's nearest others, by Euclidean distance.
///
/// Up to 20,000 samples, and of sparse rows, it is exact. Beyond, neighbours are sought in inverted lists; where there are many features, among
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
                approximate(rows.view(), among, k, seed, threads, progress)
            }
        };
        let (found, recall) = crate::threads::pool(threads)?.install(search)?;
        Ok(Self::of_found(found, recall, k, among))
    }

    /// As [`NeighbourGraph::new`], of sparse rows: exact for any number of them. The time is that of all products of values that are in one column, and a comparison for each
    /// pair; O(values + n k) memory.
    pub(crate) fn of_sparse(
        rows: &SparseRows,
        among: &[u32],
        k: usize,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        let k = k.min(among.len().saturating_sub(1));
        let search = || {
            let all = all(rows.n_samples());
            SparseSearch::new(rows, among).of_samples(&all, k, progress)
        };
        let found = crate::threads::pool(threads)?.install(search)?;
        Ok(Self::of_found(found, 1.0, k, among))
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

/// Squared distances and neighbours of all samples, and the share of those of some that are right.
fn approximate(
    rows: Rows<'_>,
    among: &[u32],
    k: usize,
    seed: Seed,
    threads: usize,
    progress: &dyn Progress,
) -> Result<(Vec<Vec<Found>>, f64), EnsembleError> {
    let rng = |part| seed.rng(Stream::NeighbourSearch { part });
    let mut measured = among.to_vec();
    rng(0).shuffle(&mut measured);
    measured.truncate(MEASURED);
    measured.sort_unstable();
    let truth = Search::new(rows.view(), among).of_samples(&measured, k, progress)?;
    let mut projected = None;
    for &count in DIRECTIONS.iter().filter(|&&count| rows.n_features() >= 2 * count) {
        let directions =
            Directions::fit(rows.view(), among, count, &mut rng(1), threads, progress)?;
        let points = directions.of(rows.view());
        let search = Search::new(points.view(), among);
        let candidates = search.of_samples(&measured, CANDIDATES * k, progress)?;
        if share_found(&candidates, &truth) >= SHARE {
            projected = Some(points);
            break;
        }
    }
    let is_projected = projected.is_some();
    let mean = if is_projected { Vec::new() } else { centre(&rows).0 };
    let points = projected.as_ref().map_or_else(|| rows.view(), |points| points.view().into());
    let points = Points { rows: points, mean: &mean };
    let lists = InvertedLists::new(points, among, &mut rng(2), progress)?;
    let probes = probes(&lists, &points.select(&measured), &truth, among.len());
    let count = if is_projected { CANDIDATES * k } else { k };
    let search = |queries: &Vec<u32>| {
        go_on(progress)?;
        let found = lists.search(queries, count, probes);
        let nearest = queries.iter().zip(found).map(|(&query, candidates)| {
            if is_projected { ranked(&rows, query, &candidates, k) } else { candidates }
        });
        Ok(nearest.collect::<Vec<_>>())
    };
    let blocks = lists.blocks(progress)?;
    let found: Result<Vec<_>, EnsembleError> = blocks.par_iter().map(search).collect();
    let mut of_samples = vec![Vec::new(); rows.n_samples()];
    for (&sample, found) in blocks.iter().flatten().zip(found?.into_iter().flatten()) {
        of_samples[sample as usize] = found;
    }
    let of_measured: Vec<Vec<Found>> =
        measured.iter().map(|&sample| of_samples[sample as usize].clone()).collect();
    let recall = share_right(&of_measured, &truth);
    Ok((of_samples, recall))
}

/// How many lists have to be looked through, so that enough of the true neighbours of those `measured` are in them.
fn probes(
    lists: &InvertedLists<'_>,
    measured: &Array2<f32>,
    truth: &[Vec<Found>],
    n_samples: usize,
) -> usize {
    let most = (COMPARED * lists.n_lists() / n_samples).clamp(1, lists.n_lists());
    let ranked = lists.nearest_lists(&measured.view(), most, 0);
    let list_of = lists.list_of_samples();
    // How many neighbours are in the nearest list, in the second nearest, ...
    let mut found = vec![0_usize; most];
    for (ranked, truth) in ranked.iter().zip(truth) {
        for &(_, neighbour) in truth {
            let list = list_of[neighbour as usize];
            if let Some(rank) = ranked.iter().position(|&ranked| Some(ranked) == list) {
                found[rank] += 1;
            }
        }
    }
    let mut so_far = 0;
    let enough = found.iter().position(|&count| {
        so_far += count;
        share(so_far, truth) >= SHARE
    });
    enough.map_or(most, |last| last + 1)
}

/// The share of true neighbours that are among those found, whatever their distances there.
fn share_found(found: &[Vec<Found>], truth: &[Vec<Found>]) -> f64 {
    let of_sample = |(found, truth): (&Vec<Found>, &Vec<Found>)| {
        let found: BTreeSet<u32> = found.iter().map(|&(_, id)| id).collect();
        truth.iter().filter(|(_, id)| found.contains(id)).count()
    };
    share(found.iter().zip(truth).map(of_sample).sum(), truth)
}

/// The share of those found that are true neighbours, or as near as one.
fn share_right(found: &[Vec<Found>], truth: &[Vec<Found>]) -> f64 {
    let of_sample = |(found, truth): (&Vec<Found>, &Vec<Found>)| {
        let farthest = truth.last().map_or(0.0, |farthest| farthest.0);
        // Products and differences are rounded in other ways.
        found.iter().filter(|found| found.0 <= farthest * (1.0 + ROUNDING)).count()
    };
    share(found.iter().zip(truth).map(of_sample).sum(), truth)
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn share(right: usize, truth: &[Vec<Found>]) -> f64 {
    right as f64 / truth.iter().map(Vec::len).sum::<usize>().max(1) as f64
}

/// The `k` nearest of some candidates, in all features.
fn ranked(rows: &Rows<'_>, query: u32, candidates: &[Found], k: usize) -> Vec<Found> {
    let ids: Vec<u32> = [query].into_iter().chain(candidates.iter().map(|found| found.1)).collect();
    let rows = rows.select(&ids, &[]);
    let distance = |index: usize| squared_distance(row(&rows, 0), row(&rows, index));
    let mut found: Vec<Found> =
        (1..).zip(&ids[1..]).map(|(index, &other)| (distance(index), other)).collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    found.truncate(k);
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

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
            let found = |rows| approximate(rows, &among, 10, Seed(1), 2, &()).unwrap();
            let (held, made) =
                (found(scaled.view().into()), found(Rows::Scaled(&data, &transform)));
            assert!(held == made, "rank {rank}");
        }
    }
}
