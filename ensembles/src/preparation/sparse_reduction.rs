//! Principal directions of rows that are mostly zeros, of which the others alone are kept.

use std::ops::Range;

use consilience_data::{Features, Rng, SparseRows};
use ndarray::{Array2, s};
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::numerics::elementary::vectorised;
use crate::numerics::matrix::CHUNK;
use crate::preparation::reduction::{Products, directions};
use crate::preparation::rows::Rows;
use crate::preparation::transform::Scaling;
use crate::progress::{Progress, go_on};

/// Rows with more other values than this share aren't mostly zeros: kept one by one, these take twice the memory each.
const MOST: f64 = 0.05;
/// Directions that are gone through the rows with at a time.
pub(crate) const WIDTH: usize = 32;
/// Rows between two looks at whether the work is given up.
pub(crate) const WATCHED: usize = 10_000;

/// Whether features are mostly zeros, which stay so when they are scaled. O(n d).
#[must_use]
pub fn mostly_zeros(features: &Features, scaling: Scaling) -> bool {
    let stay = matches!(scaling, Scaling::None | Scaling::Range | Scaling::Rows);
    stay && features.n_values() <= most(features.n_samples(), features.n_features())
}

/// How many other values may be in what is mostly zeros.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share"
)]
fn most(n_samples: usize, n_features: usize) -> usize {
    (MOST * n_samples as f64 * n_features as f64) as usize
}

/// The values of rows that aren't zero; `None` if the rows aren't mostly zeros. O(n d).
pub(crate) fn gathered(
    rows: &Rows<'_>,
    progress: &dyn Progress,
) -> Result<Option<SparseRows>, EnsembleError> {
    let most = most(rows.n_samples(), rows.n_features());
    let mut sparse = SparseRows::with_capacity(rows.n_samples(), 0, rows.n_features());
    for samples in rows.chunks() {
        go_on(progress)?;
        let chunk = rows.chunk(samples);
        chunk.rows().into_iter().for_each(|row| sparse.push((0..).zip(row.iter().copied())));
        if sparse.n_values() > most {
            return Ok(None);
        }
    }
    Ok(Some(sparse))
}

/// The `components` directions of largest mean square, as [`principal_directions`](super::reduction::principal_directions) finds them, but for
/// how sums are rounded. O(values components) for each of eight passes, and O(d components²), on the threads of the current pool, which change no bit.
pub(crate) fn sparse_directions(
    rows: &SparseRows,
    components: usize,
    rng: &mut Rng,
    progress: &dyn Progress,
) -> Result<Array2<f32>, EnsembleError> {
    directions(&mut Columns { rows }, components, rng, progress)
}

/// Bases of the space of columns, that of features.
struct Columns<'a> {
    rows: &'a SparseRows,
}

impl Columns<'_> {
    /// What some columns of a basis become, shape (n_features) of them each.
    fn block(
        &self,
        basis: &[[f32; WIDTH]],
        progress: &dyn Progress,
    ) -> Result<Vec<[f64; WIDTH]>, EnsembleError> {
        let mut sums = vec![[0.0_f64; WIDTH]; self.rows.n_features()];
        for first in (0..self.rows.n_samples()).step_by(WATCHED) {
            go_on(progress)?;
            let rows = first..self.rows.n_samples().min(first + WATCHED);
            vectorised(
                #[inline(always)]
                || self.add(rows, basis, &mut sums),
            );
        }
        Ok(sums)
    }

    #[inline(always)]
    fn add(&self, rows: Range<usize>, basis: &[[f32; WIDTH]], sums: &mut [[f64; WIDTH]]) {
        for row in rows {
            let mut projected = [0.0_f32; WIDTH];
            for (column, value) in self.rows.entries(row) {
                for (sum, of_basis) in projected.iter_mut().zip(&basis[column]) {
                    *sum += value * of_basis;
                }
            }
            for (column, value) in self.rows.entries(row) {
                for (sum, projected) in sums[column].iter_mut().zip(&projected) {
                    *sum += f64::from(value * projected);
                }
            }
        }
    }
}

impl Products for Columns<'_> {
    fn n_features(&self) -> usize {
        self.rows.n_features()
    }

    /// A block of columns goes through all rows by itself.
    fn there_and_back(
        &mut self,
        basis: &mut Array2<f32>,
        progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        let block = |first: usize| {
            let width = WIDTH.min(basis.ncols() - first);
            let of_block = basis.slice(s![.., first..first + width]);
            let mut rows = vec![[0.0; WIDTH]; self.rows.n_features()];
            for (to, from) in rows.iter_mut().zip(of_block.rows()) {
                to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
            }
            self.block(&rows, progress)
        };
        let firsts: Vec<usize> = (0..basis.ncols()).step_by(WIDTH).collect();
        let blocks: Result<Vec<_>, _> = firsts.par_iter().map(|&first| block(first)).collect();
        for (first, block) in firsts.into_iter().zip(blocks?) {
            let width = WIDTH.min(basis.ncols() - first);
            let mut of_block = basis.slice_mut(s![.., first..first + width]);
            for (mut to, from) in of_block.rows_mut().into_iter().zip(block) {
                #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
                to.iter_mut().zip(from).for_each(|(to, from)| *to = from as f32);
            }
        }
        Ok(())
    }

    fn gram(
        &mut self,
        basis: &Array2<f32>,
        progress: &dyn Progress,
    ) -> Result<Array2<f64>, EnsembleError> {
        let width = basis.ncols();
        let starts: Vec<usize> = (0..self.rows.n_samples()).step_by(CHUNK).collect();
        let mut gram = Array2::zeros((width, width));
        // Some at a time: what is added up has the same order for any number of threads.
        for starts in starts.chunks(WIDTH) {
            go_on(progress)?;
            let of_chunk = |&first: &usize| {
                let rows = first..self.rows.n_samples().min(first + CHUNK);
                let mut projected = Array2::<f64>::zeros((rows.len(), width));
                for (row, mut projected) in rows.zip(projected.rows_mut()) {
                    for (column, value) in self.rows.entries(row) {
                        projected.zip_mut_with(&basis.row(column), |sum, &of_basis| {
                            *sum += f64::from(value) * f64::from(of_basis);
                        });
                    }
                }
                projected.t().dot(&projected)
            };
            let of_chunks: Vec<Array2<f64>> = starts.par_iter().map(of_chunk).collect();
            of_chunks.into_iter().for_each(|part| gram += &part);
        }
        Ok(gram)
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::{Seed, Stream};
    use ndarray::Array2;

    use super::*;
    use crate::preparation::reduction::principal_directions;

    /// Rows of few values, of some kinds.
    fn rows() -> Array2<f32> {
        let mut rng = Seed(1).rng(Stream::Subset);
        let draws = rng.normal(2300 * 4);
        let mut rows = Array2::zeros((2300, 150));
        for (row, draws) in draws.chunks(4).enumerate() {
            for (place, draw) in draws.iter().enumerate() {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a column"
                )]
                let column = ((draw.abs() * 40.0) as usize + 7 * (row % 5)) % 150;
                rows[[row, column]] += 1.0 + place as f32 / 4.0;
            }
        }
        rows
    }

    #[test]
    fn directions_are_those_of_all_values() {
        let rows = rows();
        let sparse = gathered(&rows.view().into(), &()).unwrap().unwrap();
        let rng = || Seed(2).rng(Stream::Projection);
        let found = sparse_directions(&sparse, 40, &mut rng(), &()).unwrap();
        let expected = principal_directions(&rows.view(), 40, &mut rng(), 1);
        assert_eq!(found.dim(), (150, 40));
        for (index, (a, b)) in found.columns().into_iter().zip(expected.columns()).enumerate() {
            // The last of them aren't far from those that are left out.
            let bound = if index < 20 { 1e-3 } else { 2e-2 };
            assert!((a.dot(&b).abs() - 1.0).abs() < bound, "direction {index}: {}", a.dot(&b));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let again = || sparse_directions(&sparse, 40, &mut rng(), &()).unwrap();
        let again = pool.install(again);
        assert_eq!(found, again, "threads");
    }

    #[test]
    fn what_is_not_mostly_zeros_is_left() {
        let dense = Array2::from_elem((30, 20), 1.0);
        assert!(gathered(&dense.view().into(), &()).unwrap().is_none());
    }
}
