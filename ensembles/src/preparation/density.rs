//! How near other samples are: among some of a run that are kept, so that it can be told of new samples, too.

use consilience_data::{Features, Stream};
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::numerics::matrix::{CHUNK, row};
use crate::preparation::exact_search::{Search, squared_distance};
use crate::preparation::prepared::Prepared;
use crate::progress::{Progress, go_on};

/// Samples that are kept, at most.
const KEPT: usize = 5000;
/// Neighbours over which distances are averaged: what is in a group of more has neighbours.
const NEIGHBOURS: usize = 10;

/// Samples of a run, as models see them, to which others' distances are measured.
///
/// In all directions, not in some principal ones: what is like nothing else differs in directions in which nothing else does.
#[derive(Debug, Clone, PartialEq)]
pub struct Density {
    /// Shape (n_kept, n_features).
    rows: Array2<f32>,
}

impl Density {
    /// Keeps up to 5,000 of the samples that can be trained on, drawn at random; which they are, ascending.
    #[must_use]
    pub fn of(data: &Prepared) -> (Self, Vec<u32>) {
        let mut kept = data.trainable().to_vec();
        if kept.len() > KEPT {
            data.rng(Stream::References { part: 3 }).shuffle(&mut kept);
            kept.truncate(KEPT);
            kept.sort_unstable();
        }
        let samples: Vec<usize> = kept.iter().map(|&sample| sample as usize).collect();
        (Self { rows: data.features().view().select(Axis(0), &samples) }, kept)
    }

    /// Of samples that were kept, shape (n_kept, n_features); `None` of none.
    #[must_use]
    pub fn from_rows(rows: Array2<f32>) -> Option<Self> {
        (!rows.is_empty()).then(|| Self { rows: rows.as_standard_layout().into_owned() })
    }

    /// The samples that are kept, shape (n_kept, n_features).
    #[must_use]
    pub fn rows(&self) -> ArrayView2<'_, f32> {
        self.rows.view()
    }

    /// The mean distance of every sample to the ten nearest that are kept, itself left out, length n_samples. It depends on the sample alone: of those
    /// that are kept and equal to it, one counts as itself. 0 if no other is kept.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Width`] for another number of features, [`EnsembleError::Threads`], [`EnsembleError::Cancelled`].
    ///
    /// # Complexity
    ///
    /// O(n_samples n_kept n_features), in parallel; the same for any number of threads.
    pub fn distances(
        &self,
        seen: &Features,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<f32>, EnsembleError> {
        let (found, expected) = (seen.n_features(), self.rows.ncols());
        if found != expected {
            return Err(EnsembleError::Width { found, expected });
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 5,000 are kept")]
        let all: Vec<u32> = (0..self.rows.nrows() as u32).collect();
        let search = Search::new(self.rows.view(), &all);
        let view = seen.view();
        let chunks: Vec<_> = view.axis_chunks_iter(Axis(0), CHUNK).collect();
        let of_chunk = |rows: ArrayView2<'_, f32>| {
            go_on(progress)?;
            Ok(self.of_rows(&search, &rows))
        };
        let pool = crate::threads::pool(threads)?;
        let found: Result<Vec<_>, EnsembleError> =
            pool.install(|| chunks.into_par_iter().map(of_chunk).collect());
        Ok(found?.concat())
    }

    /// The mean distance of each sample that is kept to the ten nearest of other clusters, length n_kept; infinite without any.
    ///
    /// # Arguments
    ///
    /// * `clusters`: of each sample that is kept, length n_kept.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Threads`], [`EnsembleError::Cancelled`].
    ///
    /// # Complexity
    ///
    /// O(n_kept² n_features), in parallel.
    pub fn to_others(
        &self,
        clusters: &[usize],
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<f32>, EnsembleError> {
        debug_assert_eq!(clusters.len(), self.rows.nrows());
        let pool = crate::threads::pool(threads)?;
        let mut found = vec![f32::INFINITY; clusters.len()];
        for cluster in 0..clusters.iter().max().map_or(0, |most| most + 1) {
            let samples = (0..).zip(clusters);
            let (own, others): (Vec<_>, Vec<_>) = samples.partition(|&(_, &it)| it == cluster);
            let [own, others] = [own, others].map(|samples: Vec<(u32, &usize)>| {
                samples.into_iter().map(|(sample, _)| sample).collect::<Vec<u32>>()
            });
            if own.is_empty() || others.is_empty() {
                continue;
            }
            let search = Search::new(self.rows.view(), &others);
            let nearest = pool.install(|| search.of_samples(&own, NEIGHBOURS, progress))?;
            for (sample, nearest) in own.into_iter().zip(nearest) {
                found[sample as usize] = mean_root(nearest.into_iter().map(|(squared, _)| squared));
            }
        }
        Ok(found)
    }

    fn of_rows(&self, search: &Search<'_>, rows: &ArrayView2<'_, f32>) -> Vec<f32> {
        let nearest = search.of_rows(rows, (NEIGHBOURS + 1).min(self.rows.nrows()));
        let mean = |(index, nearest): (usize, Vec<(f32, u32)>)| {
            // By differences, as those of equal rows are 0 then, and nothing is rounded by the block that a row is in.
            let distance = |&(_, kept): &(f32, u32)| {
                squared_distance(row(rows, index), row(&self.rows, kept as usize))
            };
            let mut near: Vec<f32> = nearest.iter().map(distance).collect();
            near.sort_by(f32::total_cmp);
            let others = if near.first() == Some(&0.0) { &near[1..] } else { &near[..] };
            let others = &others[..others.len().min(NEIGHBOURS)];
            mean_root(others.iter().copied())
        };
        nearest.into_iter().enumerate().map(mean).collect()
    }
}

/// The mean of the distances that have these squares; 0 of none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "f32 storage of a mean of ten"
)]
fn mean_root(squared: impl ExactSizeIterator<Item = f32>) -> f32 {
    let count = squared.len().max(1) as f64;
    // Rounding of products may make a small square negative.
    (squared.map(|squared| f64::from(squared.max(0.0)).sqrt()).sum::<f64>() / count) as f32
}

#[cfg(test)]
mod tests {
    use consilience_data::Seed;

    use super::*;
    use crate::preparation::transform::Scaling;

    fn points(n: usize) -> Features {
        let noise = Seed(4).rng(Stream::Subset).normal(3 * n);
        Features::new(Array2::from_shape_vec((n, 3), noise).unwrap(), "x").unwrap()
    }

    #[test]
    fn distances_are_those_to_the_ten_nearest_others() {
        let features = points(1300);
        let data = Prepared::new(&features, Scaling::None, Seed(1), 2).unwrap();
        let (density, kept) = Density::of(&data);
        assert_eq!(kept.len(), 1300);
        let found = density.distances(data.features(), 2, &()).unwrap();
        assert_eq!(found, density.distances(data.features(), 1, &()).unwrap());
        for sample in (0..1300).step_by(97) {
            let own = features.row(sample);
            let apart = |other: usize| {
                let pairs = own.iter().zip(features.row(other));
                pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
            };
            let mut all: Vec<f64> = (0..1300).filter(|&it| it != sample).map(apart).collect();
            all.sort_by(f64::total_cmp);
            let mean = all[..10].iter().sum::<f64>() / 10.0;
            assert!((mean - f64::from(found[sample])).abs() < 1e-5, "{sample}: {mean}");
        }
        let again = Density::from_rows(density.rows().to_owned()).unwrap();
        assert_eq!(again.distances(data.features(), 1, &()).unwrap(), found);
    }

    #[test]
    fn a_sample_is_no_neighbour_of_itself_but_its_copies_are() {
        let rows = ndarray::array![[0.0_f32], [0.0], [3.0]];
        let density = Density::from_rows(rows.clone()).unwrap();
        let seen = Features::new(rows, "x").unwrap();
        assert_eq!(density.distances(&seen, 1, &()).unwrap(), [1.5, 1.5, 3.0]);
        let to_others = density.to_others(&[0, 1, 1], 1, &()).unwrap();
        assert_eq!(to_others, [1.5, 0.0, 3.0], "distances to copies count, too");
        assert!(density.to_others(&[0; 3], 1, &()).unwrap().iter().all(|it| it.is_infinite()));
        let alone = Density::from_rows(ndarray::array![[1.0_f32]]).unwrap();
        let seen = Features::new(ndarray::array![[1.0_f32], [3.0]], "x").unwrap();
        assert_eq!(alone.distances(&seen, 1, &()).unwrap(), [0.0, 2.0]);
    }
}
