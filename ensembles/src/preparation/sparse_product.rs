//! Products of sparse rows and a dense matrix.

use consilience_data::SparseRows;
use ndarray::{Array2, Axis};
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::numerics::elementary::vectorised;
use crate::numerics::matrix::CHUNK;
use crate::progress::{Progress, go_on};

/// The product of rows, shape (n, n_features), and a `matrix` in standard layout, shape (n_features, width). One value after the other is added, in the order of their columns:
/// so the same row has the same bits, wherever it is and whatever the number of threads. O(values width), on those of the current pool.
pub(crate) fn product(
    rows: &SparseRows,
    matrix: &Array2<f32>,
    progress: &dyn Progress,
) -> Result<Array2<f32>, EnsembleError> {
    let width = matrix.ncols();
    let matrix = matrix.as_slice().expect("standard layout");
    let mut out = Array2::zeros((rows.n_samples(), width));
    let chunks: Vec<_> =
        out.axis_chunks_iter_mut(Axis(0), CHUNK).zip((0..).step_by(CHUNK)).collect();
    chunks.into_par_iter().try_for_each(|(mut out, first)| {
        go_on(progress)?;
        for (index, mut out) in out.rows_mut().into_iter().enumerate() {
            let out = out.as_slice_mut().expect("standard layout");
            vectorised(
                #[inline(always)]
                || {
                    for (column, value) in rows.entries(first + index) {
                        let factors = &matrix[column * width..(column + 1) * width];
                        out.iter_mut().zip(factors).for_each(|(sum, it)| *sum += value * it);
                    }
                },
            );
        }
        Ok::<_, EnsembleError>(())
    })?;
    Ok(out)
}
