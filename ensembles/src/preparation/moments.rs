//! Means and variances of columns.

use ndarray::ArrayView2;

/// Mean and (biased) variance of every column, length n_features each, in two passes.
pub(crate) fn moments(values: &ArrayView2<'_, f32>) -> (Vec<f64>, Vec<f64>) {
    moments_without(values, &[])
}

/// The same without some of the rows, which are ascending.
#[expect(clippy::cast_precision_loss, reason = "f64 sums")]
pub(crate) fn moments_without(
    values: &ArrayView2<'_, f32>,
    left_out: &[usize],
) -> (Vec<f64>, Vec<f64>) {
    let n = (values.nrows() - left_out.len()) as f64;
    let counts = |row: &usize| left_out.binary_search(row).is_err();
    let rows = || (0..values.nrows()).filter(counts).map(|row| values.row(row));
    let mut mean = vec![0.0; values.ncols()];
    for row in rows() {
        mean.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    mean.iter_mut().for_each(|sum| *sum /= n);
    let mut variance = vec![0.0; values.ncols()];
    for row in rows() {
        for ((sum, &value), mean) in variance.iter_mut().zip(row).zip(&mean) {
            *sum += (f64::from(value) - mean).powi(2);
        }
    }
    variance.iter_mut().for_each(|sum| *sum /= n);
    (mean, variance)
}
