//! One layer of the decoder: the vertical signal normalised, the combinator (Rasmus et al., 2015, equation 2; Pezeshki et
//! al., 2016: "vanilla"), and the denoising cost (Rasmus et al., equation 3), in one pass over each block of columns.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2};

use super::layers::{columns, normalise, normalise_backward};
use crate::members::weights::N_COMBINATOR;
use crate::numerics::elementary::{sigmoid, vectorised};
use crate::numerics::matrix::{COLUMNS, by_columns, row, row_mut};

/// Guesses a layer's clean activations as `(lateral - mu(u)) v(u) + mu(u)`, with `mu(u) = a1 sigmoid(a2 u + a3) + a4 u + a5`,
/// `v` alike with a6..a10.
pub(super) struct Guess<'a> {
    /// What comes from above on the way in, normalised (u) on the way out, shape (n, width).
    pub(super) vertical: ArrayViewMut2<'a, f32>,
    /// Mean and 1 / standard deviation of what came, shape (2, width).
    pub(super) statistics: ArrayViewMut2<'a, f32>,
    /// The result, shape (n, width).
    pub(super) guess: ArrayViewMut2<'a, f32>,
    /// The cost's gradient by the guess, shape (n, width).
    pub(super) of_guess: ArrayViewMut2<'a, f32>,
    /// The cost's gradient by the clean activations, shape (n, width), or no rows if nobody asks for it.
    pub(super) of_clean: ArrayViewMut2<'a, f32>,
    /// Each unit's sum of squared errors, shape (1, width).
    pub(super) errors: ArrayViewMut2<'a, f32>,
    /// Corrupted activations, shape (n, width).
    pub(super) lateral: ArrayView2<'a, f32>,
    /// Clean activations, shape (n, width).
    pub(super) clean: ArrayView2<'a, f32>,
    /// Mean and 1 / standard deviation that the clean layer was normalised with, shape (2, width); held constant.
    pub(super) clean_statistics: Option<ArrayView2<'a, f32>>,
    /// a1..a10, shape ([`N_COMBINATOR`], width).
    pub(super) parameters: ArrayView2<'a, f32>,
    /// What the mean squared error is multiplied with.
    pub(super) cost: f32,
}

impl Guess<'_> {
    /// The weighted mean squared error. O(n width).
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a mean")]
    pub(super) fn run(mut self, threads: usize) -> f32 {
        let cells = self.guess.len() as f32;
        let slope_of_cost = 2.0 * self.cost / cells;
        let (lateral, clean, parameters) = (self.lateral, self.clean, self.parameters);
        let clean_statistics = self.clean_statistics;
        let matrices = [
            self.vertical.view_mut(),
            self.statistics.view_mut(),
            self.guess.view_mut(),
            self.of_guess.view_mut(),
            self.of_clean.view_mut(),
            self.errors.view_mut(),
        ];
        by_columns(
            threads,
            matrices,
            |range, [mut u, mut s, mut guess, mut of_guess, mut of_clean, mut of_units]| {
                vectorised(
                    #[inline(always)]
                    || {
                        normalise(&mut u, &mut s);
                        let (width, a) =
                            (range.len().min(COLUMNS), parameter_rows(&parameters, &range));
                        let (lateral, clean) = (columns(&lateral, &range), columns(&clean, &range));
                        let (mut mean, mut slope) = ([0.0_f32; COLUMNS], [1.0_f32; COLUMNS]);
                        if let Some(statistics) = &clean_statistics {
                            mean[..width].copy_from_slice(&row(statistics, 0)[range.clone()]);
                            slope[..width].copy_from_slice(&row(statistics, 1)[range.clone()]);
                        }
                        let mut sums = [0.0_f32; COLUMNS];
                        let mut errors = [0.0_f32; COLUMNS];
                        for index in 0..u.nrows() {
                            let (u, z) = (&row(&u, index)[..width], &row(&lateral, index)[..width]);
                            let clean = &row(&clean, index)[..width];
                            let guess = &mut row_mut(&mut guess, index)[..width];
                            let of_guess = &mut row_mut(&mut of_guess, index)[..width];
                            for unit in 0..width {
                                let (mu, v) = curves(&a, unit, u[unit]);
                                let value = (z[unit] - mu) * v + mu;
                                let error = clean[unit] - (value - mean[unit]) * slope[unit];
                                guess[unit] = value;
                                sums[unit] += error * error;
                                errors[unit] = slope_of_cost * error;
                                of_guess[unit] = -slope_of_cost * error * slope[unit];
                            }
                            if of_clean.nrows() > 0 {
                                row_mut(&mut of_clean, index).copy_from_slice(&errors[..width]);
                            }
                        }
                        row_mut(&mut of_units, 0).copy_from_slice(&sums[..width]);
                    },
                );
            },
        );
        let total: f64 = self.errors.iter().map(|&error| f64::from(error)).sum();
        (total * f64::from(self.cost) / f64::from(cells)) as f32
    }
}

/// A guess's gradient on its way back.
pub(super) struct GuessBackward<'a> {
    /// As [`Guess`] left it on the way in; on the way out the gradient of what came from above, shape (n, width).
    pub(super) vertical: ArrayViewMut2<'a, f32>,
    /// The gradient of the corrupted activations, shape (n, width), or no rows if nobody asks for it.
    pub(super) of_lateral: ArrayViewMut2<'a, f32>,
    /// That of a1..a10, shape ([`N_COMBINATOR`], width).
    pub(super) of_parameters: ArrayViewMut2<'a, f32>,
    /// That of the guess, shape (n, width), spent on the way.
    pub(super) of_guess: ArrayViewMut2<'a, f32>,
    /// As [`Guess`] left it.
    pub(super) statistics: ArrayView2<'a, f32>,
    pub(super) lateral: ArrayView2<'a, f32>,
    pub(super) parameters: ArrayView2<'a, f32>,
}

impl GuessBackward<'_> {
    /// O(n width).
    pub(super) fn run(self, threads: usize) {
        let (lateral, parameters, statistics) = (self.lateral, self.parameters, self.statistics);
        let matrices = [self.vertical, self.of_lateral, self.of_parameters, self.of_guess];
        by_columns(threads, matrices, |range, [mut u, mut of_lateral, mut of_a, mut g]| {
            vectorised(
                #[inline(always)]
                || {
                    let (width, a) =
                        (range.len().min(COLUMNS), parameter_rows(&parameters, &range));
                    let lateral = columns(&lateral, &range);
                    let mut sums = [[0.0_f32; COLUMNS]; N_COMBINATOR];
                    let mut of_z = [0.0_f32; COLUMNS];
                    for index in 0..u.nrows() {
                        let (u, z) = (&row(&u, index)[..width], &row(&lateral, index)[..width]);
                        let g = &mut row_mut(&mut g, index)[..width];
                        for unit in 0..width {
                            let slopes = slopes(&a, unit, z[unit], u[unit], g[unit]);
                            of_z[unit] = slopes.of_lateral;
                            g[unit] = slopes.of_vertical;
                            for (sums, slope) in sums.iter_mut().zip(slopes.of_parameters) {
                                sums[unit] += slope;
                            }
                        }
                        if of_lateral.nrows() > 0 {
                            row_mut(&mut of_lateral, index).copy_from_slice(&of_z[..width]);
                        }
                    }
                    for (index, sums) in sums.iter().enumerate() {
                        row_mut(&mut of_a, index).copy_from_slice(&sums[..width]);
                    }
                    normalise_backward(&mut g, &u.view(), &row(&statistics, 1)[range.clone()]);
                    u.assign(&g);
                },
            );
        });
    }
}

/// A block of every parameter's row.
type Parameters = [[f32; COLUMNS]; N_COMBINATOR];

#[inline(always)]
fn parameter_rows(parameters: &ArrayView2<'_, f32>, range: &Range<usize>) -> Parameters {
    let mut rows = [[0.0; COLUMNS]; N_COMBINATOR];
    for (index, values) in rows.iter_mut().enumerate() {
        values[..range.len()].copy_from_slice(&row(parameters, index)[range.clone()]);
    }
    rows
}

/// mu(u) and v(u) of one unit.
#[inline(always)]
fn curves(a: &Parameters, unit: usize, u: f32) -> (f32, f32) {
    let mu = a[0][unit] * sigmoid(a[1][unit] * u + a[2][unit]) + a[3][unit] * u + a[4][unit];
    let v = a[5][unit] * sigmoid(a[6][unit] * u + a[7][unit]) + a[8][unit] * u + a[9][unit];
    (mu, v)
}

struct Slopes {
    of_lateral: f32,
    of_vertical: f32,
    of_parameters: [f32; N_COMBINATOR],
}

/// What changes in a guess, times its gradient `g`.
#[inline(always)]
fn slopes(a: &Parameters, unit: usize, z: f32, u: f32, g: f32) -> Slopes {
    let s_mu = sigmoid(a[1][unit] * u + a[2][unit]);
    let s_v = sigmoid(a[6][unit] * u + a[7][unit]);
    let mu = a[0][unit] * s_mu + a[3][unit] * u + a[4][unit];
    let v = a[5][unit] * s_v + a[8][unit] * u + a[9][unit];
    // Slopes of the sigmoids' outer terms with respect to their arguments.
    let slope_mu = a[0][unit] * s_mu * (1.0 - s_mu);
    let slope_v = a[5][unit] * s_v * (1.0 - s_v);
    let (g_mu, g_v) = (g * (1.0 - v), g * (z - mu));
    Slopes {
        of_lateral: g * v,
        of_vertical: g_mu * (slope_mu * a[1][unit] + a[3][unit])
            + g_v * (slope_v * a[6][unit] + a[8][unit]),
        of_parameters: [
            g_mu * s_mu,
            g_mu * slope_mu * u,
            g_mu * slope_mu,
            g_mu * u,
            g_mu,
            g_v * s_v,
            g_v * slope_v * u,
            g_v * slope_v,
            g_v * u,
            g_v,
        ],
    }
}
