//! Nearest neighbours by blocks of matrix products: exact, but for rounding.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::numerics::elementary::vectorised;
use crate::numerics::matrix::{Write, multiply, row};
use crate::preparation::rows::Rows;
use crate::progress::{Progress, go_on};

/// Samples whose neighbours are sought at a time, and samples among which.
pub(crate) const QUERIES: usize = 500;
const CANDIDATES: usize = 2000;

/// Candidates that are compared with the farthest neighbour so far in one go.
const GLANCE: usize = 64;

/// A squared distance and the sample that is so far away.
pub(crate) type Found = (f32, u32);

/// Samples among which neighbours are sought, by Euclidean distance.
pub(crate) struct Search<'a> {
    rows: Rows<'a>,
    mean: Vec<f32>,
    squared_lengths: Vec<f32>,
    /// Those that can be found, ascending.
    among: &'a [u32],
}

impl<'a> Search<'a> {
    /// O(n d).
    pub(crate) fn new(rows: impl Into<Rows<'a>>, among: &'a [u32]) -> Self {
        let rows = rows.into();
        let (mean, squared_lengths) = centre(&rows);
        Self { rows, mean, squared_lengths, among }
    }

    /// The `count` nearest others of each of `queries`, nearest first (ties: the lowest sample), on the threads of the current
    /// pool; given up if `progress` says so. O(queries among d), and memory O(queries count).
    pub(crate) fn of_samples(
        &self,
        queries: &[u32],
        count: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<Found>>, EnsembleError> {
        let block = |queries: &[u32]| {
            go_on(progress)?;
            let lengths: Vec<f32> =
                queries.iter().map(|&query| self.squared_lengths[query as usize]).collect();
            Ok(self.block(&self.rows.select(queries, &self.mean), &lengths, Some(queries), count))
        };
        let blocks: Result<Vec<_>, EnsembleError> =
            queries.par_chunks(QUERIES).map(block).collect();
        Ok(blocks?.into_iter().flatten().collect())
    }

    /// The same of rows that aren't among the samples, shape (n, n_features): of those that are, each is its own nearest.
    pub(crate) fn of_rows(&self, rows: &ArrayView2<'_, f32>, count: usize) -> Vec<Vec<Found>> {
        let mut centred = rows.to_owned();
        for mut row in centred.rows_mut() {
            row.iter_mut().zip(&self.mean).for_each(|(value, mean)| *value -= mean);
        }
        let lengths: Vec<f32> =
            centred.rows().into_iter().map(|row| row.iter().map(|x| x * x).sum()).collect();
        self.block(&centred, &lengths, None, count)
    }

    fn block(
        &self,
        queries: &Array2<f32>,
        lengths: &[f32],
        own: Option<&[u32]>,
        count: usize,
    ) -> Vec<Vec<Found>> {
        let mut nearest = vec![Nearest::new(count); queries.nrows()];
        let mut products = Array2::zeros((queries.nrows(), CANDIDATES.min(self.among.len())));
        for candidates in self.among.chunks(CANDIDATES) {
            let rows = self.rows.select(candidates, &self.mean);
            let lengths_of: Vec<f32> =
                candidates.iter().map(|&sample| self.squared_lengths[sample as usize]).collect();
            let mut products = products.slice_mut(ndarray::s![.., ..candidates.len()]);
            multiply(queries.view(), rows.t(), products.view_mut(), Write::Replace, 1);
            for (query, nearest) in nearest.iter_mut().enumerate() {
                let except = own.map(|own| own[query]);
                let block = Candidates { ids: candidates, squared_lengths: &lengths_of, except };
                nearest.look_at(&block, lengths[query], row(&products, query));
            }
        }
        nearest.into_iter().map(Nearest::into_found).collect()
    }
}

/// The mean of every feature, and every sample's squared distance to it. Products of centred rows are small, so that
/// their differences, which distances are made of, keep their digits.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "f64 sums")]
pub(crate) fn centre(rows: &Rows<'_>) -> (Vec<f32>, Vec<f32>) {
    let n = rows.n_samples();
    let mut sum = vec![0.0; rows.n_features()];
    rows.each(|_, row| {
        sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
    });
    let mean: Vec<f32> = sum.iter().map(|sum| (sum / n as f64) as f32).collect();
    let mut squared_lengths = Vec::with_capacity(n);
    rows.each(|_, row| {
        let row = row.iter().zip(&mean);
        squared_lengths.push(row.map(|(value, mean)| (value - mean) * (value - mean)).sum());
    });
    (mean, squared_lengths)
}

/// The squared distance of two rows, by their differences.
pub(crate) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    vectorised(
        #[inline(always)]
        || {
            let mut sums = [0.0_f32; 16];
            for (a, b) in a.chunks(16).zip(b.chunks(16)) {
                for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
                    *sum += (a - b) * (a - b);
                }
            }
            sums.iter().sum()
        },
    )
}

/// Samples that a product was taken with.
pub(crate) struct Candidates<'a> {
    pub(crate) ids: &'a [u32],
    pub(crate) squared_lengths: &'a [f32],
    /// Which is none: the sample itself.
    pub(crate) except: Option<u32>,
}

/// The nearest so far, at most `limit`: nearest first, of equally near ones the lowest sample.
#[derive(Debug, Clone)]
pub(crate) struct Nearest {
    limit: usize,
    found: Vec<Found>,
}

impl Nearest {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, found: Vec::with_capacity(limit + 1) }
    }

    pub(crate) fn into_found(self) -> Vec<Found> {
        self.found
    }

    /// Takes in candidates, of which the sample has these `products`.
    pub(crate) fn look_at(
        &mut self,
        candidates: &Candidates<'_>,
        squared_length: f32,
        products: &[f32],
    ) {
        let Candidates { ids, squared_lengths, except } = candidates;
        for first in (0..ids.len()).step_by(GLANCE) {
            let block = first..(first + GLANCE).min(ids.len());
            let (products, lengths) = (&products[block.clone()], &squared_lengths[block.clone()]);
            let distance = |index: usize| (squared_length + lengths[index]) - 2.0 * products[index];
            let bound = self.bound();
            let any_near = vectorised(
                #[inline(always)]
                || {
                    let pairs = products.iter().zip(lengths);
                    let is_near = |(product, length): (&f32, &f32)| {
                        u32::from((squared_length + length) - 2.0 * product <= bound)
                    };
                    pairs.map(is_near).sum::<u32>()
                },
            ) > 0;
            // Lists that aren't full take whatever comes, distances that overflow too.
            if any_near || self.found.len() < self.limit {
                for (index, &id) in ids[block].iter().enumerate() {
                    if Some(id) != *except {
                        self.insert((distance(index), id));
                    }
                }
            }
        }
    }

    fn bound(&self) -> f32 {
        if self.found.len() < self.limit {
            return f32::INFINITY;
        }
        self.found.last().map_or(f32::NEG_INFINITY, |farthest| farthest.0)
    }

    pub(crate) fn insert(&mut self, (distance, id): Found) {
        let value = (if distance.is_nan() { f32::INFINITY } else { distance }, id);
        if self.found.len() == self.limit {
            if self.found.last().is_none_or(|farthest| !nearer(value, *farthest)) {
                return;
            }
            self.found.pop();
        }
        let position = self.found.partition_point(|&kept| nearer(kept, value));
        self.found.insert(position, value);
    }
}

fn nearer(a: Found, b: Found) -> bool {
    a.0 < b.0 || (a.0 == b.0 && a.1 < b.1)
}

#[cfg(test)]
mod tests {
    use consilience_data::{Seed, Stream};
    use proptest::prelude::*;

    use super::*;

    fn all_pairs(rows: &Array2<f32>, sample: usize) -> Vec<Found> {
        let others = (0..rows.nrows()).filter(|&other| other != sample);
        let distance = |other: usize| {
            let pairs = rows.row(sample).into_iter().zip(rows.row(other));
            let squares = pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
            (squares, u32::try_from(other).unwrap())
        };
        let mut all: Vec<Found> = others.map(distance).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all
    }

    #[test]
    fn equals_sorting_all_distances() {
        let values = Seed(1).rng(Stream::Subset).normal(2100 * 3);
        let rows = Array2::from_shape_vec((2100, 3), values).unwrap();
        let all: Vec<u32> = (0..2100).collect();
        let found = Search::new(rows.view(), &all).of_samples(&all, 10, &()).unwrap();
        for sample in (0..2100).step_by(97) {
            for (found, expected) in found[sample].iter().zip(all_pairs(&rows, sample)) {
                assert!((found.0 - expected.0).abs() < 1e-4, "sample {sample}");
            }
        }
    }

    /// Whole numbers, so that products are exact and ties are ties.
    #[test]
    fn ties_go_to_the_lowest_sample() {
        let rows = Array2::from_shape_fn((300, 2), |(row, column)| {
            f32::from(u8::try_from((row * 7 + column * row) % 5).unwrap())
        });
        let rows = &rows - 2.0;
        let all: Vec<u32> = (0..300).collect();
        let mut search = Search::new(rows.view(), &all);
        search.mean.fill(0.0);
        search.squared_lengths = rows.rows().into_iter().map(|row| row.dot(&row)).collect();
        let found = search.of_samples(&all, 7, &()).unwrap();
        for (sample, found) in found.iter().enumerate() {
            assert_eq!(found[..], all_pairs(&rows, sample)[..7], "sample {sample}");
        }
    }

    #[test]
    fn rows_from_elsewhere_find_themselves() {
        let values = Seed(1).rng(Stream::Subset).normal(50 * 3);
        let rows = Array2::from_shape_vec((50, 3), values).unwrap();
        let among: Vec<u32> = (0..50).step_by(2).collect();
        let found = Search::new(rows.view(), &among).of_rows(&rows.view(), 4);
        for sample in (0..50).step_by(2) {
            assert_eq!(found[sample][0].1 as usize, sample);
        }
        assert!(found.iter().flatten().all(|&(_, other)| other % 2 == 0));
    }

    #[test]
    fn distances_that_overflow_still_fill_the_list() {
        let rows =
            Array2::from_shape_fn((20, 2), |(row, _)| if row % 2 == 0 { 3e38 } else { -3e38 });
        let all: Vec<u32> = (0..20).collect();
        let found = Search::new(rows.view(), &all).of_samples(&all, 5, &()).unwrap();
        assert!(found.iter().all(|found| found.len() == 5), "{found:?}");
    }

    proptest! {
        #[test]
        fn the_smallest_are_kept(values in prop::collection::vec((0u8..20, 0u32..1000), 0..300), limit in 0usize..9) {
            let mut nearest = Nearest::new(limit);
            let mut values: Vec<Found> =
                values.into_iter().map(|(distance, id)| (f32::from(distance), id)).collect();
            values.iter().for_each(|&value| nearest.insert(value));
            values.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            values.truncate(limit);
            prop_assert_eq!(nearest.into_found(), values);
        }
    }
}
