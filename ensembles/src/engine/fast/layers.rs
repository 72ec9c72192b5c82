//! What an encoder's layer does to a product, and back: batch normalisation (Ioffe and Szegedy, 2015), noise, shift and
//! rectifier in one pass over each block of columns.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::members::weights::{Statistics, inverse_std};
use crate::numerics::elementary::vectorised;
use crate::numerics::matrix::{COLUMNS, by_columns, row, row_mut};

/// How a layer treats its product.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerKind {
    /// Whether it is batch-normalised: all but, by default, the last.
    pub(crate) normalised: bool,
    /// Whether values below 0 become 0: all but the last.
    pub(crate) rectified: bool,
}

/// Sends a batch through one layer.
pub(crate) struct Forward<'a> {
    /// The product on the way in, normalised (y) on the way out, shape (n, width).
    pub(crate) normalised: ArrayViewMut2<'a, f32>,
    /// Noise on the way in, y + noise (z) on the way out, shape (n, width), or no rows if there is no noise.
    pub(crate) noisy: ArrayViewMut2<'a, f32>,
    /// The result, z + shift, rectified, shape (n, width).
    pub(crate) hidden: ArrayViewMut2<'a, f32>,
    /// Mean and 1 / standard deviation of the product, shape (2, width).
    pub(crate) statistics: ArrayViewMut2<'a, f32>,
    /// (width)
    pub(crate) shift: &'a [f32],
}

impl Forward<'_> {
    /// O(n width).
    pub(crate) fn run(self, kind: LayerKind, threads: usize) {
        let shift = self.shift;
        let matrices = [self.normalised, self.noisy, self.hidden, self.statistics];
        by_columns(threads, matrices, |range, [mut y, mut z, mut hidden, mut statistics]| {
            vectorised(
                #[inline(always)]
                || {
                    if kind.normalised {
                        normalise(&mut y, &mut statistics);
                    }
                    let (noisy, shift) = (z.nrows() > 0, &shift[range.clone()]);
                    for index in 0..y.nrows() {
                        let mut z_row = row(&y, index);
                        if noisy {
                            let noise = row_mut(&mut z, index);
                            noise.iter_mut().zip(z_row).for_each(|(z, y)| *z += y);
                            z_row = noise;
                        }
                        let hidden = row_mut(&mut hidden, index).iter_mut();
                        for ((hidden, z), shift) in hidden.zip(z_row).zip(shift) {
                            let shifted = z + shift;
                            // Not `max`, which turns NaN into 0 and so would hide that training diverged.
                            *hidden = if kind.rectified && shifted < 0.0 { 0.0 } else { shifted };
                        }
                    }
                },
            );
        });
    }
}

/// Batch-normalises columns in place; `statistics` becomes their mean and 1 / standard deviation.
#[inline(always)]
pub(crate) fn normalise(
    values: &mut ArrayViewMut2<'_, f32>,
    statistics: &mut ArrayViewMut2<'_, f32>,
) {
    let (n, width) = values.dim();
    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    let scale = 1.0 / n as f32;
    let (mut mean, mut spread) = ([0.0_f32; COLUMNS], [0.0_f32; COLUMNS]);
    for index in 0..n {
        mean.iter_mut().zip(row(values, index)).for_each(|(sum, x)| *sum += x);
    }
    mean.iter_mut().for_each(|sum| *sum *= scale);
    for index in 0..n {
        let units = spread.iter_mut().zip(row(values, index)).zip(&mean);
        units.for_each(|((sum, x), mean)| *sum += (x - mean) * (x - mean));
    }
    spread.iter_mut().for_each(|sum| *sum = inverse_std(*sum * scale));
    for index in 0..n {
        let units = row_mut(values, index).iter_mut().zip(&mean).zip(&spread);
        units.for_each(|((x, mean), inverse_std)| *x = (*x - mean) * inverse_std);
    }
    row_mut(statistics, 0).copy_from_slice(&mean[..width]);
    row_mut(statistics, 1).copy_from_slice(&spread[..width]);
}

/// In place, from the gradient of normalised values y to that of what was normalised:
/// (g - mean(g) - y mean(g y)) / standard deviation.
#[inline(always)]
pub(crate) fn normalise_backward(
    gradient: &mut ArrayViewMut2<'_, f32>,
    y: &ArrayView2<'_, f32>,
    inverse_std: &[f32],
) {
    let n = gradient.nrows();
    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    let scale = 1.0 / n as f32;
    let (mut mean, mut product) = ([0.0_f32; COLUMNS], [0.0_f32; COLUMNS]);
    for index in 0..n {
        let units = row(gradient, index).iter().zip(row(y, index));
        for ((mean, product), (g, y)) in mean.iter_mut().zip(&mut product).zip(units) {
            *mean += g;
            *product += g * y;
        }
    }
    mean.iter_mut().chain(&mut product).for_each(|sum| *sum *= scale);
    for index in 0..n {
        let units = row_mut(gradient, index).iter_mut().zip(row(y, index));
        let sums = mean.iter().zip(&product).zip(inverse_std);
        for ((g, y), ((mean, product), inverse_std)) in units.zip(sums) {
            *g = (*g - mean - y * product) * inverse_std;
        }
    }
}

/// Sends a batch's gradient back through one layer.
pub(crate) struct Backward<'a> {
    /// That of the result on the way in, that of the product on the way out, shape (n, width).
    pub(crate) gradient: ArrayViewMut2<'a, f32>,
    /// The shift's is added to it, shape (1, width).
    pub(crate) of_shift: ArrayViewMut2<'a, f32>,
    /// What comes to z from elsewhere, shape (n, width), or no rows.
    pub(crate) extra: ArrayView2<'a, f32>,
    /// As [`Forward`] left them.
    pub(crate) normalised: ArrayView2<'a, f32>,
    pub(crate) hidden: ArrayView2<'a, f32>,
    pub(crate) statistics: ArrayView2<'a, f32>,
}

impl Backward<'_> {
    /// O(n width).
    pub(crate) fn run(self, kind: LayerKind, threads: usize) {
        let Self { extra, normalised, hidden, statistics, .. } = self;
        by_columns(threads, [self.gradient, self.of_shift], |range, [mut g, mut of_shift]| {
            vectorised(
                #[inline(always)]
                || {
                    let (hidden, extra) = (columns(&hidden, &range), columns(&extra, &range));
                    let of_shift = row_mut(&mut of_shift, 0);
                    for index in 0..g.nrows() {
                        let g = row_mut(&mut g, index);
                        if kind.rectified {
                            for (g, hidden) in g.iter_mut().zip(row(&hidden, index)) {
                                *g = if *hidden > 0.0 { *g } else { 0.0 };
                            }
                        }
                        of_shift.iter_mut().zip(&*g).for_each(|(sum, g)| *sum += g);
                        if extra.nrows() > 0 {
                            g.iter_mut().zip(row(&extra, index)).for_each(|(g, extra)| *g += extra);
                        }
                    }
                    if kind.normalised {
                        let y = columns(&normalised, &range);
                        normalise_backward(&mut g, &y, &row(&statistics, 1)[range.clone()]);
                    }
                },
            );
        });
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

/// In place: the product of a layer, shape (n, width), normalised with `population` if it is, plus shift, rectified.
pub(crate) fn apply(
    mut product: ArrayViewMut2<'_, f32>,
    population: Option<&Statistics>,
    shift: &[f32],
    rectified: bool,
) {
    vectorised(
        #[inline(always)]
        || {
            for index in 0..product.nrows() {
                let values = row_mut(&mut product, index);
                if let Some(Statistics { mean, inverse_std }) = population {
                    let units = values.iter_mut().zip(mean).zip(inverse_std);
                    units.for_each(|((x, mean), inverse_std)| *x = (*x - mean) * inverse_std);
                }
                for (x, shift) in values.iter_mut().zip(shift) {
                    let shifted = *x + shift;
                    *x = if rectified && shifted < 0.0 { 0.0 } else { shifted };
                }
            }
        },
    );
}
