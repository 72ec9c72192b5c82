//! Nearest neighbours among many samples: candidates from principal directions and inverted lists, as many as the neighbours of some samples show to be needed.

use std::collections::BTreeSet;

use consilience_data::{Rng, Seed, SparseRows, Stream};
use ndarray::Array2;
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::numerics::matrix::row;
use crate::preparation::directions::{Directions, SAMPLES};
use crate::preparation::exact_search::{Found, QUERIES, Search, centre, squared_distance};
use crate::preparation::inverted_lists::{InvertedLists, Points};
use crate::preparation::rows::Rows;
use crate::preparation::sparse_product::product;
use crate::preparation::sparse_search::SparseSearch;
use crate::preparation::wide_reduction::directions_of_sparse;
use crate::progress::{Progress, go_on};

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

/// Samples, and those among which neighbours are sought, ascending.
pub(crate) trait Space: Sync {
    fn n_samples(&self) -> usize;

    fn n_features(&self) -> usize;

    fn among(&self) -> &[u32];

    /// The `count` nearest of some samples, in all features.
    fn exact(
        &self,
        samples: &[u32],
        count: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<Found>>, EnsembleError>;

    /// All samples in `count` principal directions, shape (n_samples, count).
    fn projected(
        &self,
        count: usize,
        rng: &mut Rng,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Array2<f32>, EnsembleError>;

    /// Of some samples, the `k` nearest of their candidates, in all features.
    fn ranked(&self, samples: &[u32], candidates: Vec<Vec<Found>>, k: usize) -> Vec<Vec<Found>>;

    /// Rows that lists can be made of without directions; `None`: the most directions are taken however few neighbours are found in them.
    fn rows(&self) -> Option<Rows<'_>>;
}

/// Squared distances and neighbours of all samples, and the share of those of some that are right.
pub(crate) fn approximate(
    space: &impl Space,
    k: usize,
    seed: Seed,
    threads: usize,
    progress: &dyn Progress,
) -> Result<(Vec<Vec<Found>>, f64), EnsembleError> {
    let rng = |part| seed.rng(Stream::NeighbourSearch { part });
    let among = space.among();
    let mut measured = among.to_vec();
    rng(0).shuffle(&mut measured);
    measured.truncate(MEASURED);
    measured.sort_unstable();
    let truth = space.exact(&measured, k, progress)?;
    let mut projected = None;
    let fitting = DIRECTIONS.iter().copied().filter(|&count| space.n_features() >= 2 * count);
    let fitting: Vec<usize> = fitting.collect();
    for &count in &fitting {
        let points = space.projected(count, &mut rng(1), threads, progress)?;
        let search = Search::new(points.view(), among);
        let candidates = search.of_samples(&measured, CANDIDATES * k, progress)?;
        let is_last = fitting.last() == Some(&count) && space.rows().is_none();
        if is_last || share_found(&candidates, &truth) >= SHARE {
            projected = Some(points);
            break;
        }
    }
    if projected.is_none() && space.rows().is_none() {
        let few = (space.n_features() / 2).max(1);
        projected = Some(space.projected(few, &mut rng(1), threads, progress)?);
    }
    let is_projected = projected.is_some();
    let rows = space.rows().filter(|_| !is_projected);
    let mean = rows.map_or_else(Vec::new, |rows| centre(&rows).0);
    let points = projected.as_ref().map(|points| points.view().into()).or(rows);
    let points = Points { rows: points.expect("there are rows, or points"), mean: &mean };
    let lists = InvertedLists::new(points, among, &mut rng(2), progress)?;
    let probes = probes(&lists, &points.select(&measured), &truth, among.len());
    let count = if is_projected { CANDIDATES * k } else { k };
    let search = |queries: &Vec<u32>| {
        go_on(progress)?;
        let found = lists.search(queries, count, probes);
        Ok(if is_projected { space.ranked(queries, found, k) } else { found })
    };
    let blocks = lists.blocks(progress)?;
    let found: Result<Vec<_>, EnsembleError> = blocks.par_iter().map(search).collect();
    let mut of_samples = vec![Vec::new(); space.n_samples()];
    for (&sample, found) in blocks.iter().flatten().zip(found?.into_iter().flatten()) {
        of_samples[sample as usize] = found;
    }
    let of_measured: Vec<Vec<Found>> =
        measured.iter().map(|&sample| of_samples[sample as usize].clone()).collect();
    let recall = share_right(&of_measured, &truth);
    Ok((of_samples, recall))
}

/// Rows of all features.
pub(crate) struct Dense<'a> {
    pub(crate) rows: Rows<'a>,
    pub(crate) among: &'a [u32],
}

impl Space for Dense<'_> {
    fn n_samples(&self) -> usize {
        self.rows.n_samples()
    }

    fn n_features(&self) -> usize {
        self.rows.n_features()
    }

    fn among(&self) -> &[u32] {
        self.among
    }

    fn exact(
        &self,
        samples: &[u32],
        count: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<Found>>, EnsembleError> {
        Search::new(self.rows.view(), self.among).of_samples(samples, count, progress)
    }

    fn projected(
        &self,
        count: usize,
        rng: &mut Rng,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Array2<f32>, EnsembleError> {
        let directions =
            Directions::fit(self.rows.view(), self.among, count, rng, threads, progress)?;
        Ok(directions.of(self.rows.view()))
    }

    fn ranked(&self, samples: &[u32], candidates: Vec<Vec<Found>>, k: usize) -> Vec<Vec<Found>> {
        let found = samples.iter().zip(candidates);
        found.map(|(&sample, found)| ranked(&self.rows, sample, &found, k)).collect()
    }

    fn rows(&self) -> Option<Rows<'_>> {
        Some(self.rows.view())
    }
}

/// Rows of the values that aren't zero. Directions are those of largest mean square, as what is taken off all rows would have to be dense.
pub(crate) struct Sparse<'a> {
    pub(crate) rows: &'a SparseRows,
    pub(crate) among: &'a [u32],
    pub(crate) search: SparseSearch<'a>,
}

impl Space for Sparse<'_> {
    fn n_samples(&self) -> usize {
        self.rows.n_samples()
    }

    fn n_features(&self) -> usize {
        self.rows.n_features()
    }

    fn among(&self) -> &[u32] {
        self.among
    }

    fn exact(
        &self,
        samples: &[u32],
        count: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<Found>>, EnsembleError> {
        self.search.of_samples(samples, count, progress)
    }

    fn projected(
        &self,
        count: usize,
        rng: &mut Rng,
        _: usize,
        progress: &dyn Progress,
    ) -> Result<Array2<f32>, EnsembleError> {
        let mut samples: Vec<usize> = self.among.iter().map(|&sample| sample as usize).collect();
        rng.shuffle(&mut samples);
        samples.truncate(SAMPLES);
        samples.sort_unstable();
        let directions = directions_of_sparse(&self.rows.select(&samples), count, rng, progress)?;
        product(self.rows, &directions, progress)
    }

    fn ranked(&self, samples: &[u32], candidates: Vec<Vec<Found>>, k: usize) -> Vec<Vec<Found>> {
        self.search.ranked(samples, candidates, k)
    }

    fn rows(&self) -> Option<Rows<'_>> {
        None
    }
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
pub(crate) fn share_found(found: &[Vec<Found>], truth: &[Vec<Found>]) -> f64 {
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
