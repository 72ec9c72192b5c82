//! Principal directions of sparse rows of which there are fewer than columns.
//!
//! Bases of the space of samples are as long as there are samples: of texts, which have ten times as many words, an orthonormal one is found in a tenth of
//! the time and the memory.

use consilience_data::{Features, Rng, SparseRows};
use ndarray::{Array2, Axis, s};
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::numerics::elementary::vectorised;
use crate::numerics::matrix::CHUNK;
use crate::preparation::reduction::{Products, directions};
use crate::preparation::sparse_product::product;
use crate::preparation::sparse_reduction::{WATCHED, WIDTH, sparse_directions};
use crate::preparation::transform::{Scaling, Transform};
use crate::progress::{Progress, go_on};

/// A direction with less of the largest's length than this is rounding.
const LEAST: f64 = 1e-6;

/// The `components` directions of largest mean square, as [`sparse_directions`] finds them, but for how sums are rounded; where rows span fewer, the others are zeros.
/// O(values components) for each of nine passes, and O(min(n, d) components²), on the threads of the current pool, which change no bit.
pub(crate) fn directions_of_sparse(
    rows: &SparseRows,
    components: usize,
    rng: &mut Rng,
    progress: &dyn Progress,
) -> Result<Array2<f32>, EnsembleError> {
    if rows.n_samples() >= rows.n_features() {
        return sparse_directions(rows, components, rng, progress);
    }
    // Orthonormal, and so are the directions that they stand for, once these have length 1 (the singular value decomposition).
    let of_samples = directions(&mut Samples { rows }, components, rng, progress)?;
    let mut found = Array2::zeros((rows.n_features(), components));
    let mut lengths = vec![0.0; components];
    for first in (0..of_samples.ncols()).step_by(WIDTH) {
        let block = block_of(&of_samples, first);
        for (mut to, from) in found.rows_mut().into_iter().zip(back(rows, &block, progress)?) {
            for ((to, length), from) in to.iter_mut().zip(&mut lengths).skip(first).zip(&from) {
                #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
                (*to = *from as f32);
                *length += from * from;
            }
        }
    }
    let lengths: Vec<f64> = lengths.into_iter().map(f64::sqrt).collect();
    let longest = lengths.iter().copied().fold(0.0, f64::max);
    for (mut direction, length) in found.columns_mut().into_iter().zip(lengths) {
        let scale = if length > LEAST * longest { length.recip() } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        direction.mapv_inplace(|value| (f64::from(value) * scale) as f32);
    }
    Ok(found)
}

/// Sparse features along the `components` directions of their largest mean square, shape (n_samples, components), brought to a scale before; with zeros
/// where there are fewer directions. `scaling`: those that go by feature are left out. The same for any number of threads, those of the current pool. O(values components).
#[must_use]
pub fn sparse_components(
    features: &Features,
    scaling: Scaling,
    components: usize,
    rng: &mut Rng,
) -> Array2<f32> {
    let rows = matches!(scaling, Scaling::Rows | Scaling::CentredRows);
    let scaling = if rows { Scaling::Rows } else { Scaling::None };
    let rows = Transform::of_scaling(features, scaling).0.scaled_sparse(features);
    let directions = directions_of_sparse(&rows, components, rng, &());
    let found = directions.and_then(|directions| product(&rows, &directions, &()));
    found.expect("nobody is there to give it up")
}

/// Bases of the space of samples.
struct Samples<'a> {
    rows: &'a SparseRows,
}

/// Some columns of a basis, those that there are.
fn block_of(basis: &Array2<f32>, first: usize) -> Vec<[f32; WIDTH]> {
    let width = WIDTH.min(basis.ncols() - first);
    let mut rows = vec![[0.0; WIDTH]; basis.nrows()];
    for (to, from) in rows.iter_mut().zip(basis.slice(s![.., first..first + width]).rows()) {
        to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
    }
    rows
}

/// What a sample's values in a basis are in the space of features: of shape (n_samples), of shape (n_features).
fn back(
    rows: &SparseRows,
    basis: &[[f32; WIDTH]],
    progress: &dyn Progress,
) -> Result<Vec<[f64; WIDTH]>, EnsembleError> {
    let mut sums = vec![[0.0_f64; WIDTH]; rows.n_features()];
    for (index, some) in basis.chunks(WATCHED).enumerate() {
        go_on(progress)?;
        vectorised(
            #[inline(always)]
            || {
                for (row, of_basis) in (index * WATCHED..).zip(some) {
                    for (column, value) in rows.entries(row) {
                        for (sum, of_basis) in sums[column].iter_mut().zip(of_basis) {
                            *sum += f64::from(value * of_basis);
                        }
                    }
                }
            },
        );
    }
    Ok(sums)
}

/// And there again.
fn there(rows: &SparseRows, basis: &[[f64; WIDTH]]) -> Vec<[f64; WIDTH]> {
    let mut sums = vec![[0.0_f64; WIDTH]; rows.n_samples()];
    vectorised(
        #[inline(always)]
        || {
            for (row, sums) in sums.iter_mut().enumerate() {
                for (column, value) in rows.entries(row) {
                    for (sum, of_basis) in sums.iter_mut().zip(&basis[column]) {
                        *sum += f64::from(value) * of_basis;
                    }
                }
            }
        },
    );
    sums
}

impl Products for Samples<'_> {
    fn n_features(&self) -> usize {
        self.rows.n_samples()
    }

    /// A block of columns goes there and back by itself.
    fn there_and_back(
        &mut self,
        basis: &mut Array2<f32>,
        progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        let block = |first: usize| {
            let in_features = back(self.rows, &block_of(basis, first), progress)?;
            Ok(there(self.rows, &in_features))
        };
        let firsts: Vec<usize> = (0..basis.ncols()).step_by(WIDTH).collect();
        let blocks: Result<Vec<_>, EnsembleError> =
            firsts.par_iter().map(|&first| block(first)).collect();
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
        let mut in_features = Array2::<f32>::zeros((self.rows.n_features(), width));
        for first in (0..width).step_by(WIDTH) {
            let block = back(self.rows, &block_of(basis, first), progress)?;
            for (mut to, from) in in_features.rows_mut().into_iter().zip(block) {
                #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
                to.iter_mut().skip(first).zip(from).for_each(|(to, from)| *to = from as f32);
            }
        }
        let mut gram = Array2::zeros((width, width));
        let chunks: Vec<_> = in_features.axis_chunks_iter(Axis(0), CHUNK).collect();
        // Some at a time: what is added up has the same order for any number of threads.
        for chunks in chunks.chunks(WIDTH) {
            go_on(progress)?;
            let of_chunk = |chunk: &ndarray::ArrayView2<'_, f32>| {
                let wide = chunk.mapv(f64::from);
                wide.t().dot(&wide)
            };
            let of_chunks: Vec<Array2<f64>> = chunks.par_iter().map(of_chunk).collect();
            of_chunks.into_iter().for_each(|part| gram += &part);
        }
        Ok(gram)
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::{Seed, Stream};

    use super::*;
    use crate::preparation::reduction::principal_directions;

    /// Rows of a few words each, of six kinds.
    fn rows(n_samples: usize, n_features: usize) -> (SparseRows, Array2<f32>) {
        let draws = Seed(1).rng(Stream::Subset).normal(n_samples * 8);
        let mut dense = Array2::zeros((n_samples, n_features));
        for (row, draws) in draws.chunks(8).enumerate() {
            for (place, draw) in draws.iter().enumerate() {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a column"
                )]
                let column = ((draw.abs() * 60.0) as usize + 31 * (row % 6)) % n_features;
                dense[[row, column]] += 1.0 + place as f32 / 4.0;
            }
        }
        let mut rows = SparseRows::with_capacity(n_samples, 0, n_features);
        dense.rows().into_iter().for_each(|row| rows.push((0..).zip(row.iter().copied())));
        (rows, dense)
    }

    #[test]
    fn directions_are_those_of_all_values() {
        let (rows, dense) = rows(300, 900);
        let rng = || Seed(2).rng(Stream::Projection);
        let found = directions_of_sparse(&rows, 40, &mut rng(), &()).unwrap();
        let expected = principal_directions(&dense.view(), 40, &mut rng(), 1);
        assert_eq!(found.dim(), (900, 40));
        let square =
            |values: &Array2<f32>| values.iter().map(|&it| f64::from(it).powi(2)).sum::<f64>();
        let [kept, most] = [&found, &expected].map(|directions| square(&dense.dot(directions)));
        assert!((kept / most - 1.0).abs() < 1e-3, "{kept} of {most}");
        for (index, (a, b)) in
            found.columns().into_iter().zip(expected.columns()).enumerate().take(6)
        {
            assert!((a.dot(&b).abs() - 1.0).abs() < 1e-2, "direction {index}: {}", a.dot(&b));
        }
        let products = found.t().dot(&found) - Array2::<f32>::eye(40);
        assert!(products.iter().all(|value| value.abs() < 1e-3), "orthonormal");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let again = pool.install(|| directions_of_sparse(&rows, 40, &mut rng(), &()).unwrap());
        assert_eq!(found, again, "threads");
    }

    #[test]
    fn fewer_rows_than_directions_span_as_many_as_they_are() {
        let (rows, dense) = rows(12, 500);
        let mut rng = Seed(2).rng(Stream::Projection);
        let found = directions_of_sparse(&rows, 40, &mut rng, &()).unwrap();
        assert!(found.dim() == (500, 40) && found.iter().all(|value| value.is_finite()));
        let seen = dense.dot(&found);
        let is_kept = |row: usize| {
            let [all, kept] = [dense.row(row), seen.row(row)].map(|row| row.dot(&row));
            (all / kept - 1.0).abs() < 1e-4
        };
        assert!((0..12).all(is_kept));
    }
}
