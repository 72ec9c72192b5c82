//! Rows in their principal directions: distances in these are nearly those in all features, at a fraction of the work.

use consilience_data::Rng;
use ndarray::{Array2, Axis};
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::numerics::matrix::{CHUNK, Write, multiply};
use crate::preparation::exact_search::centre;
use crate::preparation::reduction::principal_directions_watched;
use crate::preparation::rows::Rows;
use crate::progress::Progress;

/// Samples that directions are found from: more hardly change them.
pub(crate) const SAMPLES: usize = 10_000;

/// The directions in which samples lie farthest from their mean.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Directions {
    /// Length n_features.
    pub(crate) mean: Vec<f32>,
    /// Orthonormal columns, shape (n_features, n_directions).
    pub(crate) basis: Array2<f32>,
}

impl Directions {
    /// Of at most 10,000 of the samples in `among`. O(10,000 d directions), on `threads` threads of the current pool; given
    /// up if `progress` says so.
    pub(crate) fn fit<'a>(
        rows: impl Into<Rows<'a>>,
        among: &[u32],
        directions: usize,
        rng: &mut Rng,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        let mut samples = among.to_vec();
        if samples.len() > SAMPLES {
            rng.shuffle(&mut samples);
            samples.truncate(SAMPLES);
            samples.sort_unstable();
        }
        let mut rows = rows.into().select(&samples, &[]);
        let (mean, _) = centre(&rows.view().into());
        rows -= &ndarray::ArrayView1::from(&mean);
        let basis = principal_directions_watched(&rows.view(), directions, rng, threads, progress)?;
        Ok(Self { mean, basis })
    }

    /// Rows of shape (n, n_features) in these directions, shape (n, n_directions): the same bits for the same rows, cut into
    /// thousands in the same way. On the threads of the current pool.
    pub(crate) fn of<'a>(&self, rows: impl Into<Rows<'a>>) -> Array2<f32> {
        let rows = rows.into();
        let mut projected = Array2::zeros((rows.n_samples(), self.basis.ncols()));
        let chunks: Vec<_> =
            projected.axis_chunks_iter_mut(Axis(0), CHUNK).zip(rows.chunks()).collect();
        chunks.into_par_iter().for_each(|(out, chunk)| {
            let centred = &rows.chunk(chunk) - &ndarray::ArrayView1::from(&self.mean);
            multiply(centred.view(), self.basis.view(), out, Write::Replace, 1);
        });
        projected
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::{Seed, Stream};

    use super::*;

    #[test]
    fn distances_stay_where_samples_lie_in_a_plane() {
        let mut rng = Seed(1).rng(Stream::Projection);
        let normal = |rng: &mut Rng, rows: usize, columns: usize| {
            Array2::from_shape_vec((rows, columns), rng.normal(rows * columns)).unwrap()
        };
        let rows = normal(&mut rng, 300, 2).dot(&normal(&mut rng, 2, 40)) + 7.0;
        let all: Vec<u32> = (0..300).collect();
        let directions = Directions::fit(rows.view(), &all, 2, &mut rng, 1, &()).unwrap();
        let found = directions.of(rows.view());
        assert_eq!(found.dim(), (300, 2));
        for (a, b) in [(0, 1), (17, 250), (99, 100)] {
            let distance = |rows: &Array2<f32>| {
                let difference = &rows.row(a) - &rows.row(b);
                difference.dot(&difference).sqrt()
            };
            assert!((distance(&rows) - distance(&found)).abs() < 1e-2);
        }
    }
}
