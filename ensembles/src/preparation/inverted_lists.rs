//! Nearest neighbours among many samples: these are put into lists by the nearest of some centroids, and each query looks
//! through the lists whose centroids are nearest to it (J. Sivic and A. Zisserman, *Video Google*, ICCV 2003; H. Jégou, M. Douze
//! and C. Schmid, *Product Quantization for Nearest Neighbor Search*, TPAMI 2011, section IV).
//!
//! All queries of a list go through its members in one product. Work is cut by lists and blocks, never by threads.

use consilience_data::Rng;
use ndarray::{Array2, ArrayView2, Axis, CowArray, s};
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::numerics::matrix::{CHUNK, Write, multiply, row};
use crate::preparation::exact_search::{Candidates, Found, Nearest};
use crate::preparation::rows::Rows;
use crate::progress::{Progress, go_on};

/// Lists are this many times as many as the root of the number of samples: looking for a list then takes about as long as looking
/// through those that are near.
const LISTS: f64 = 2.0;
/// Samples that centroids are found from, for each of them, and passes over these.
const SAMPLES_PER_LIST: usize = 32;
const PASSES: usize = 6;
/// A list of more than so many times the mean is cut in pieces, so that many equal samples don't all look at one another.
const LONGEST: usize = 3;
/// Queries that go through their lists together.
pub(crate) const QUERIES: usize = 256;
const BLOCK: usize = 500;

/// Rows and what is taken off each of them.
#[derive(Clone, Copy)]
pub(crate) struct Points<'a> {
    pub(crate) rows: Rows<'a>,
    /// Length n_features, or empty.
    pub(crate) mean: &'a [f32],
}

impl Points<'_> {
    pub(crate) fn select(&self, samples: &[u32]) -> Array2<f32> {
        self.rows.select(samples, self.mean)
    }
}

/// Samples in lists.
pub(crate) struct InvertedLists<'a> {
    points: Points<'a>,
    /// Of every list, shape (n_lists, n_features); pieces of one list share it.
    centroids: Array2<f32>,
    /// Half of their squared lengths.
    half_lengths: Vec<f32>,
    /// Of all members, list after list, if they fit into memory twice.
    rows: Option<Array2<f32>>,
    squared_lengths: Vec<f32>,
    ids: Vec<u32>,
    /// Where each list begins, and the end, length n_lists + 1.
    starts: Vec<usize>,
}

impl<'a> InvertedLists<'a> {
    /// Of those samples in `points` that are `among` those to be found, ascending; on the threads of
    /// the current pool; given up if `progress` says so. O(n sqrt(n) d).
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of lists"
    )]
    pub(crate) fn new(
        points: Points<'a>,
        among: &[u32],
        rng: &mut Rng,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        let n_lists = ((among.len() as f64).sqrt() * LISTS).ceil().max(1.0) as usize;
        let centroids = centroids(points, among, n_lists.min(among.len()), rng, progress)?;
        let half_lengths = half_lengths(&centroids);
        let of_members = nearest_of(points, among, &centroids, &half_lengths, progress)?;
        let mut members = vec![Vec::new(); centroids.nrows()];
        for (&sample, list) in among.iter().zip(of_members) {
            members[list as usize].push(sample);
        }
        let longest = LONGEST * among.len().div_ceil(centroids.nrows());
        let (mut ids, mut starts, mut of_list) = (Vec::new(), vec![0], Vec::new());
        for (list, members) in members.iter().enumerate() {
            for piece in members.chunks(longest) {
                ids.extend(piece);
                starts.push(ids.len());
                of_list.push(list);
            }
        }
        let rows = points.rows.are_held().then(|| points.select(&ids));
        let squared_lengths = match &rows {
            Some(rows) => squared_lengths(rows),
            None => {
                ids.chunks(CHUNK).flat_map(|ids| squared_lengths(&points.select(ids))).collect()
            }
        };
        let centroids = centroids.select(Axis(0), &of_list);
        let half_lengths = of_list.iter().map(|&list| half_lengths[list]).collect();
        Ok(Self { points, centroids, half_lengths, rows, squared_lengths, ids, starts })
    }

    pub(crate) fn n_lists(&self) -> usize {
        self.centroids.nrows()
    }

    fn len(&self, list: usize) -> usize {
        self.starts[list + 1] - self.starts[list]
    }

    /// The list of each sample; `None` for those that can't be found.
    pub(crate) fn list_of_samples(&self) -> Vec<Option<u32>> {
        let mut lists = vec![None; self.points.rows.n_samples()];
        for list in 0..self.n_lists() {
            for &sample in &self.ids[self.starts[list]..self.starts[list + 1]] {
                lists[sample as usize] = u32::try_from(list).ok();
            }
        }
        lists
    }

    /// The lists whose centroids are nearest to each of `queries`, nearest first: `probes` of them, and more if they have fewer than
    /// `wanted` members together.
    pub(crate) fn nearest_lists(
        &self,
        queries: &ArrayView2<'_, f32>,
        probes: usize,
        wanted: usize,
    ) -> Vec<Vec<u32>> {
        let mut products = Array2::zeros((queries.nrows(), self.n_lists()));
        multiply(queries.view(), self.centroids.t(), products.view_mut(), Write::Replace, 1);
        let lists = |products: &[f32]| {
            let by_distance = |&a: &u32, &b: &u32| {
                let distance =
                    |list: u32| self.half_lengths[list as usize] - products[list as usize];
                distance(a).total_cmp(&distance(b)).then(a.cmp(&b))
            };
            #[expect(clippy::cast_possible_truncation, reason = "fewer lists than samples")]
            let mut order: Vec<u32> = (0..self.n_lists() as u32).collect();
            let probes = probes.clamp(1, order.len());
            if probes < order.len() {
                order.select_nth_unstable_by(probes, by_distance);
            }
            order[..probes].sort_unstable_by(by_distance);
            let mut members: usize = order[..probes].iter().map(|&l| self.len(l as usize)).sum();
            let mut taken = probes;
            if members < wanted {
                order[probes..].sort_unstable_by(by_distance);
                while members < wanted && taken < order.len() {
                    members += self.len(order[taken] as usize);
                    taken += 1;
                }
            }
            order.truncate(taken);
            order
        };
        (0..queries.nrows()).map(|query| lists(row(&products, query))).collect()
    }

    /// All samples in blocks of those that are near one another, so that they have lists in common.
    pub(crate) fn blocks(&self, progress: &dyn Progress) -> Result<Vec<Vec<u32>>, EnsembleError> {
        #[expect(clippy::cast_possible_truncation, reason = "samples are counted in u32")]
        let mut order: Vec<u32> = (0..self.points.rows.n_samples() as u32).collect();
        let nearest =
            nearest_of(self.points, &order, &self.centroids, &self.half_lengths, progress)?;
        order.sort_by_key(|&sample| nearest[sample as usize]);
        Ok(order.chunks(QUERIES).map(<[u32]>::to_vec).collect())
    }

    /// The `count` nearest others, as far as they are in the `probes` nearest lists, of a block of samples.
    pub(crate) fn search(&self, queries: &[u32], count: usize, probes: usize) -> Vec<Vec<Found>> {
        let of_queries = self.points.select(queries);
        let lengths = squared_lengths(&of_queries);
        let mut of_lists: Vec<Vec<usize>> = vec![Vec::new(); self.n_lists()];
        let lists = self.nearest_lists(&of_queries.view(), probes, count + 1);
        for (query, lists) in lists.into_iter().enumerate() {
            lists.into_iter().for_each(|list| of_lists[list as usize].push(query));
        }
        let mut nearest = vec![Nearest::new(count); queries.len()];
        for (list, of_list) in
            of_lists.iter().enumerate().filter(|(_, queries)| !queries.is_empty())
        {
            let members = self.starts[list]..self.starts[list + 1];
            let rows = of_queries.select(Axis(0), of_list);
            let mut products = Array2::zeros((of_list.len(), members.len()));
            let of_members = match &self.rows {
                Some(rows) => CowArray::from(rows.slice(s![members.clone(), ..])),
                None => self.points.select(&self.ids[members.clone()]).into(),
            };
            multiply(rows.view(), of_members.t(), products.view_mut(), Write::Replace, 1);
            for (index, &query) in of_list.iter().enumerate() {
                let candidates = Candidates {
                    ids: &self.ids[members.clone()],
                    squared_lengths: &self.squared_lengths[members.clone()],
                    except: Some(queries[query]),
                };
                nearest[query].look_at(&candidates, lengths[query], row(&products, index));
            }
        }
        nearest.into_iter().map(Nearest::into_found).collect()
    }
}

fn squared_lengths(rows: &Array2<f32>) -> Vec<f32> {
    rows.rows().into_iter().map(|row| row.iter().map(|x| x * x).sum()).collect()
}

fn half_lengths(rows: &Array2<f32>) -> Vec<f32> {
    squared_lengths(rows).into_iter().map(|length| length / 2.0).collect()
}

/// The nearest centroid of each of some samples (ties: the first), in blocks on the threads of the current pool.
fn nearest_of(
    points: Points<'_>,
    samples: &[u32],
    centroids: &Array2<f32>,
    half_lengths: &[f32],
    progress: &dyn Progress,
) -> Result<Vec<u32>, EnsembleError> {
    let block = |samples: &[u32]| -> Result<Vec<u32>, EnsembleError> {
        go_on(progress)?;
        let rows = points.select(samples);
        let mut products = Array2::zeros((samples.len(), centroids.nrows()));
        multiply(rows.view(), centroids.t(), products.view_mut(), Write::Replace, 1);
        let nearest = |index: usize| {
            let mut best = (f32::INFINITY, 0);
            for (list, (product, half)) in (0..).zip(row(&products, index).iter().zip(half_lengths))
            {
                if half - product < best.0 {
                    best = (half - product, list);
                }
            }
            best.1
        };
        Ok((0..samples.len()).map(nearest).collect())
    };
    let blocks: Result<Vec<_>, EnsembleError> = samples.par_chunks(BLOCK).map(block).collect();
    Ok(blocks?.concat())
}

/// Centroids by k-means on a random part of the samples, from random samples. One that becomes empty stays where it is.
#[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
fn centroids(
    points: Points<'_>,
    among: &[u32],
    n_lists: usize,
    rng: &mut Rng,
    progress: &dyn Progress,
) -> Result<Array2<f32>, EnsembleError> {
    let mut samples = among.to_vec();
    rng.shuffle(&mut samples);
    samples.truncate(SAMPLES_PER_LIST * n_lists);
    let mut centroids = points.select(&samples[..n_lists]);
    for _ in 0..PASSES {
        let nearest =
            nearest_of(points, &samples, &centroids, &half_lengths(&centroids), progress)?;
        let mut sums = Array2::<f64>::zeros(centroids.raw_dim());
        let mut counts = vec![0_u32; n_lists];
        for (samples, lists) in samples.chunks(CHUNK).zip(nearest.chunks(CHUNK)) {
            let rows = points.select(samples);
            for (index, &list) in lists.iter().enumerate() {
                counts[list as usize] += 1;
                let sums = sums.row_mut(list as usize);
                sums.into_iter().zip(row(&rows, index)).for_each(|(sum, &x)| *sum += f64::from(x));
            }
        }
        for (list, &count) in counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
            let mean = sums.row(list).mapv(|sum| (sum / f64::from(count)) as f32);
            centroids.row_mut(list).assign(&mean);
        }
    }
    Ok(centroids)
}
