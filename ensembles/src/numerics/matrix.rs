//! Matrix products and work cut into blocks of columns.

use std::ops::Range;

use gemm::Parallelism;
use ndarray::{ArrayBase, ArrayView2, ArrayViewMut2, Axis, Data, Ix2};
use rayon::prelude::*;

use super::elementary::vectorised;
use crate::error::EnsembleError;
use crate::progress::{Progress, go_on};

/// Columns a block, a multiple of [`crate::engine::noise::BLOCK`]: a batch's block lies in a core's second cache. Part of nothing
/// but speed: no sum goes across columns.
pub(crate) const COLUMNS: usize = 128;

/// Rows that go through a product at a time where nothing is learnt. Part of the result only through the rounding of sums, hence
/// fixed: training and prediction cut samples alike, counted from the first.
pub const CHUNK: usize = 1000;

/// What happens to what `out` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    Replace,
    Add,
}

/// `out` = `a` `b`, or that added to it; shapes (m, k), (k, n), (m, n), in any layout. O(m k n).
///
/// # Panics
///
/// If the shapes don't fit together.
pub(crate) fn multiply(
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    mut out: ArrayViewMut2<'_, f32>,
    write: Write,
    threads: usize,
) {
    let ((m, k), (k_of_b, n)) = (a.dim(), b.dim());
    assert!(k == k_of_b && out.dim() == (m, n), "a product of {:?} and {:?}", a.dim(), b.dim());
    let parallelism = if threads > 1 { Parallelism::Rayon(threads) } else { Parallelism::None };
    let (of_a, of_b, of_out) = (a.strides(), b.strides(), [out.strides()[0], out.strides()[1]]);
    let (keep, keep_factor) = (write == Write::Add, 1.0);
    // SAFETY: the pointers and strides are those of views whose shapes were compared above; `out` is borrowed
    // exclusively, and gemm reads and writes no more than m x k, k x n and m x n places.
    #[allow(unsafe_code, reason = "gemm takes pointers")]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            of_out[1],
            of_out[0],
            keep,
            a.as_ptr(),
            of_a[1],
            of_a[0],
            b.as_ptr(),
            of_b[1],
            of_b[0],
            keep_factor,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// Multiplications between two looks at whether the work is given up: a few tenths of a second on one core.
const WATCHED: usize = 4_000_000_000;

/// As [`multiply`], given up if `progress` says so. A product of more than [`WATCHED`] multiplications goes a block of rows at a time.
///
/// # Errors
///
/// [`EnsembleError::Cancelled`].
pub(crate) fn multiply_watched(
    a: ArrayView2<'_, f32>,
    b: ArrayView2<'_, f32>,
    mut out: ArrayViewMut2<'_, f32>,
    write: Write,
    threads: usize,
    progress: &dyn Progress,
) -> Result<(), EnsembleError> {
    let (_, k) = a.dim();
    let rows = (WATCHED / (k * b.ncols()).max(1)).max(1);
    for (a, out) in a.axis_chunks_iter(Axis(0), rows).zip(out.axis_chunks_iter_mut(Axis(0), rows)) {
        go_on(progress)?;
        multiply(a, b, out, write, threads);
    }
    Ok(())
}

/// Calls `kernel` with every block of columns of `matrices`, which have as many columns each, and with its range.
///
/// Blocks are spread over the threads of the current pool if there is more than one.
pub(crate) fn by_columns<const N: usize>(
    threads: usize,
    mut matrices: [ArrayViewMut2<'_, f32>; N],
    kernel: impl for<'b> Fn(Range<usize>, [ArrayViewMut2<'b, f32>; N]) + Sync,
) {
    let width = matrices[0].ncols();
    debug_assert!(matrices.iter().all(|matrix| matrix.ncols() == width));
    let mut blocks = matrices.each_mut().map(|m| m.axis_chunks_iter_mut(Axis(1), COLUMNS));
    let ranges = (0..width)
        .step_by(COLUMNS)
        .map(|first| first..(first + COLUMNS).min(width))
        .map(|range| (range, blocks.each_mut().map(|b| b.next().expect("as many as ranges"))));
    if threads > 1 {
        let blocks: Vec<_> = ranges.collect();
        blocks.into_par_iter().for_each(|(range, block)| kernel(range, block));
    } else {
        ranges.for_each(|(range, block)| kernel(range, block));
    }
}

/// A block of a matrix's columns.
#[inline(always)]
pub(crate) fn columns<'a>(
    matrix: &'a ArrayView2<'_, f32>,
    range: &Range<usize>,
) -> ArrayView2<'a, f32> {
    matrix.slice(ndarray::s![.., range.clone()])
}

/// A row of a matrix whose rows are contiguous.
#[inline(always)]
pub(crate) fn row<S: Data<Elem = f32>>(matrix: &ArrayBase<S, Ix2>, index: usize) -> &[f32] {
    matrix.row(index).to_slice().expect("rows are contiguous")
}

/// As [`row`], to be written to.
#[inline(always)]
pub(crate) fn row_mut<'a>(matrix: &'a mut ArrayViewMut2<'_, f32>, index: usize) -> &'a mut [f32] {
    matrix.row_mut(index).into_slice().expect("rows are contiguous")
}

/// Gives each row the Euclidean length `length(row)`; a row of zeros stays.
pub(crate) fn set_lengths(values: &mut ArrayViewMut2<'_, f32>, length: impl Fn(usize) -> f32) {
    for index in 0..values.nrows() {
        let (row, length) = (row_mut(values, index), f64::from(length(index)));
        vectorised(
            #[inline(always)]
            || set_length(row, length),
        );
    }
}

#[inline(always)]
fn set_length(values: &mut [f32], length: f64) {
    // Gradients of confident samples are tiny: their squares would vanish in f32. Eight sums are a vector.
    let mut sums = [0.0_f64; 8];
    for values in values.chunks(8) {
        sums.iter_mut().zip(values).for_each(|(sum, &x)| *sum += f64::from(x) * f64::from(x));
    }
    let norm = sums.iter().sum::<f64>().sqrt();
    if norm > 0.0 {
        let factor = length / norm;
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        values.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::numerics::testing::{assert_close, random};

    #[test]
    fn products_equal_ndarrays_in_every_layout() {
        let (a, b) = (random(1, 7, 5), random(2, 5, 9));
        let exact = a.dot(&b);
        let a_turned = a.t().as_standard_layout().into_owned();
        let b_turned = b.t().as_standard_layout().into_owned();
        for a in [a.view(), a_turned.t()] {
            for b in [b.view(), b_turned.t()] {
                let mut out = Array2::from_elem((7, 9), f32::NAN);
                multiply(a, b, out.view_mut(), Write::Replace, 1);
                assert_close(&out, &exact, 1e-5);
                multiply(a, b, out.view_mut(), Write::Add, 1);
                assert_close(&out, &(&exact * 2.0), 1e-5);
            }
        }
    }

    #[test]
    fn threads_do_not_change_a_bit_of_a_product() {
        let (a, b) = (random(1, 300, 700), random(2, 700, 500));
        let product = |threads: usize| {
            let mut out = Array2::zeros((300, 500));
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| multiply(a.view(), b.view(), out.view_mut(), Write::Replace, threads));
            out
        };
        let one = product(1);
        assert!([2, 3, 5, 8].into_iter().all(|threads| product(threads) == one));
    }

    #[test]
    fn every_column_is_visited_once() {
        for threads in [1, 2] {
            let (mut a, mut b) = (Array2::<f32>::zeros((3, 300)), Array2::<f32>::zeros((1, 300)));
            by_columns(threads, [a.view_mut(), b.view_mut()], |range, [mut a, mut b]| {
                assert_eq!((a.ncols(), b.ncols()), (range.len(), range.len()));
                a += 1.0;
                b += range.start as f32;
            });
            assert!(a.iter().all(|&a| a == 1.0));
            assert_eq!(
                (b[[0, 0]], b[[0, 127]], b[[0, 128]], b[[0, 299]]),
                (0.0, 0.0, 128.0, 256.0)
            );
        }
    }
}
