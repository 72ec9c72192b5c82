//! The encoder's passes of one step, stacked: all that a batch turns into on its way up, and its gradients' way down.
//!
//! One step sends the same weights several batches: the clean one, its corrupted copy, labelled samples, moved ones. They
//! lie below one another in the same matrices, so that each weight meets them in one product, and its gradient is one
//! product too. Only batch statistics are taken for each pass alone.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, s};

use super::layers::{Backward, Forward, LayerKind};
use super::optimiser::Learn;
use crate::members::weights::{EncoderLayer, Weights};
use crate::numerics::matrix::{Write, multiply};

/// One batch's way up, as rows of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pass {
    Clean,
    /// With noise on every layer.
    Corrupted,
    /// Pseudo-labelled samples, with noise on every layer.
    Labelled,
    /// A neighbour of every clean sample.
    Neighbour,
    /// The clean samples as images, moved by fractions of pixels.
    Shifted,
    /// Small steps away; before that, where those steps are looked for.
    Moved,
}

const N_PASSES: usize = 6;
const PASSES: [Pass; N_PASSES] =
    [Pass::Clean, Pass::Corrupted, Pass::Labelled, Pass::Neighbour, Pass::Shifted, Pass::Moved];

/// Buffers for one network's steps. Matrices have a row for every sample of every pass; layer 0 is the input.
#[derive(Debug)]
pub(super) struct Encoder {
    rows: [Range<usize>; N_PASSES],
    /// Of every layer, what the next one takes; of the last, logits before they are scaled.
    hidden: Vec<Array2<f32>>,
    /// Of every layer but the input, y: batch-normalised where the layer is.
    normalised: Vec<Array2<f32>>,
    /// Of every layer but the input, z: y and noise; the corrupted and the labelled rows only.
    noisy: Vec<Array2<f32>>,
    /// Of every layer but the input, for each pass mean and 1 / standard deviation, shape (12, width).
    statistics: Vec<Array2<f32>>,
    logits: Array2<f32>,
    /// By logits.
    pub(super) gradient: Array2<f32>,
    /// The gradient of a layer and of the one below.
    flowing: [Vec<f32>; 2],
    of_weight: Vec<f32>,
}

impl Encoder {
    /// Room for passes of as many rows as each of `n`, in the order of [`Pass`].
    pub(super) fn new(weights: &Weights, n: [usize; N_PASSES]) -> Self {
        let mut start = 0;
        let rows = n.map(|n| {
            start += n;
            start - n..start
        });
        let widths = weights.widths();
        let zeros = |rows: usize, layers: &[usize]| -> Vec<Array2<f32>> {
            layers.iter().map(|&width| Array2::zeros((rows, width))).collect()
        };
        let largest = widths.iter().copied().max().unwrap_or(0);
        let largest_weight = weights.encoder.iter().map(|layer| layer.weight.value.len()).max();
        Self {
            rows,
            hidden: zeros(start, &widths),
            normalised: zeros(start, &widths[1..]),
            noisy: zeros(n[1] + n[2], &widths[1..]),
            statistics: zeros(2 * N_PASSES, &widths[1..]),
            logits: Array2::zeros((start, weights.n_clusters())),
            gradient: Array2::zeros((start, weights.n_clusters())),
            flowing: [vec![0.0; start * largest], vec![0.0; start * largest]],
            of_weight: vec![0.0; largest_weight.unwrap_or(0)],
        }
    }

    pub(super) fn rows(&self, pass: Pass) -> Range<usize> {
        self.rows[pass as usize].clone()
    }

    /// A pass's samples, shape (n, n_features), to be filled in before [`Encoder::forward`], noise included.
    pub(super) fn input(&mut self, pass: Pass) -> ArrayViewMut2<'_, f32> {
        let rows = self.rows(pass);
        self.hidden[0].slice_mut(s![rows, ..])
    }

    /// Noise of the layers above the input, shape (n, width), to be filled in before [`Encoder::forward`].
    pub(super) fn noise(&mut self, pass: Pass) -> impl Iterator<Item = ArrayViewMut2<'_, f32>> {
        let rows = noisy_rows(&self.rows, pass);
        self.noisy.iter_mut().map(move |noisy| noisy.slice_mut(s![rows.clone(), ..]))
    }

    /// Shape (n, n_clusters).
    pub(super) fn logits(&self, pass: Pass) -> ArrayView2<'_, f32> {
        self.logits.slice(s![self.rows(pass), ..])
    }

    /// To be added to, shape (n, n_clusters).
    pub(super) fn gradient(&mut self, pass: Pass) -> ArrayViewMut2<'_, f32> {
        let rows = self.rows(pass);
        self.gradient.slice_mut(s![rows, ..])
    }

    /// z of the clean pass and of the corrupted one, shape (n, width) each; layer 0 is the input.
    pub(super) fn activations(&self, layer: usize) -> [ArrayView2<'_, f32>; 2] {
        let [clean, corrupted] = [self.rows(Pass::Clean), self.rows(Pass::Corrupted)];
        match layer.checked_sub(1) {
            None => [clean, corrupted].map(|rows| self.hidden[0].slice(s![rows, ..])),
            Some(above) => [
                self.normalised[above].slice(s![clean, ..]),
                self.noisy[above].slice(s![noisy_rows(&self.rows, Pass::Corrupted), ..]),
            ],
        }
    }

    /// What the clean pass of a layer above the input was normalised with, shape (2, width).
    pub(super) fn clean_statistics(&self, layer: usize) -> ArrayView2<'_, f32> {
        self.statistics[layer - 1].slice(s![..2, ..])
    }

    /// Sends passes `first` to `last` up, those of them that have samples.
    pub(super) fn forward(&mut self, weights: &Weights, first: Pass, last: Pass, threads: usize) {
        let all = self.rows(first).start..self.rows(last).end;
        let top = weights.encoder.len() - 1;
        for (index, layer) in weights.encoder.iter().enumerate() {
            let (below, above) = self.hidden.split_at_mut(index + 1);
            let input = below[index].slice(s![all.clone(), ..]);
            let product = self.normalised[index].slice_mut(s![all.clone(), ..]);
            multiply(input, layer.weight.matrix(), product, Write::Replace, threads);
            for pass in PASSES.into_iter().filter(|pass| (first..=last).contains(pass)) {
                let rows = self.rows[pass as usize].clone();
                if rows.is_empty() {
                    continue;
                }
                let noisy = noisy_rows(&self.rows, pass);
                let forward = Forward {
                    normalised: self.normalised[index].slice_mut(s![rows.clone(), ..]),
                    noisy: self.noisy[index].slice_mut(s![noisy, ..]),
                    hidden: above[0].slice_mut(s![rows, ..]),
                    statistics: statistics_mut(&mut self.statistics[index], pass),
                    shift: &layer.shift.value,
                };
                forward.run(kind(layer, index, top), threads);
            }
        }
        let mut logits = self.logits.slice_mut(s![all.clone(), ..]);
        logits.assign(&self.hidden[top + 1].slice(s![all, ..]));
        if let Some(scale) = &weights.encoder[top].scale {
            logits *= &scale.matrix();
        }
    }

    /// Sends the gradient of all passes' logits down, and every parameter's to `learn` as soon as it is known.
    ///
    /// `extra` is what comes to each layer's z from elsewhere, the input's first: rows of the clean pass, then of the
    /// corrupted one; or nothing.
    pub(super) fn backward(
        &mut self,
        weights: &mut Weights,
        extra: &[Array2<f32>],
        learn: &mut dyn Learn,
        threads: usize,
    ) {
        let all = 0..self.rows(Pass::Moved).end;
        self.unscale(&weights.encoder, all.clone());
        self.of_scale(weights, learn);
        let top = weights.encoder.len() - 1;
        for (index, layer) in weights.encoder.iter_mut().enumerate().rev() {
            let mut of_shift = Array2::zeros((1, layer.shift.value.len()));
            let extra = extra.get(index + 1);
            self.layer_backward(
                index,
                kind(layer, index, top),
                all.clone(),
                extra,
                &mut of_shift,
                threads,
            );
            if index > 0 {
                self.flow_down(index, layer, all.len(), threads);
            }
            let [flowing, below] = &mut self.flowing;
            let gradient = matrix(flowing, all.len(), of_shift.ncols());
            let of_weight = &mut self.of_weight[..layer.weight.value.len()];
            let input = self.hidden[index].slice(s![all.clone(), ..]);
            let out = ArrayViewMut2::from_shape((input.ncols(), of_shift.ncols()), &mut *of_weight);
            multiply(input.t(), gradient, out.expect("its size"), Write::Replace, threads);
            learn.learn(&mut layer.weight, of_weight);
            learn.learn(&mut layer.shift, of_shift.as_slice().expect("one row"));
            std::mem::swap(flowing, below);
        }
    }

    /// Replaces one pass's input with the loss's gradient by it; the weights are held fixed.
    pub(super) fn turn_into_gradient(&mut self, weights: &Weights, pass: Pass, threads: usize) {
        let rows = self.rows(pass);
        self.unscale(&weights.encoder, rows.clone());
        let top = weights.encoder.len() - 1;
        for (index, layer) in weights.encoder.iter().enumerate().rev() {
            let mut unused = Array2::zeros((1, layer.shift.value.len()));
            let kind = kind(layer, index, top);
            self.layer_backward(index, kind, rows.clone(), None, &mut unused, threads);
            self.flow_down(index, layer, rows.len(), threads);
            let [flowing, below] = &mut self.flowing;
            std::mem::swap(flowing, below);
        }
        let mut input = self.hidden[0].slice_mut(s![rows, ..]);
        input.assign(&matrix(&self.flowing[0], input.nrows(), input.ncols()));
    }

    /// The gradient of logits, on its way: that of logits before they are scaled.
    fn unscale(&mut self, encoder: &[EncoderLayer], rows: Range<usize>) {
        let gradient = self.gradient.slice(s![rows.clone(), ..]);
        let mut flowing = matrix_mut(&mut self.flowing[0], rows.len(), gradient.ncols());
        flowing.assign(&gradient);
        if let Some(scale) = encoder.last().and_then(|layer| layer.scale.as_ref()) {
            flowing *= &scale.matrix();
        }
    }

    /// The last layer's scale, if it has one.
    fn of_scale(&mut self, weights: &mut Weights, learn: &mut dyn Learn) {
        let last = weights.encoder.last_mut().expect("at least one layer");
        if let Some(scale) = &mut last.scale {
            let unscaled = self.hidden.last().expect("at least one layer");
            let of_scale = (unscaled * &self.gradient).sum_axis(Axis(0));
            learn.learn(scale, of_scale.as_slice().expect("one row"));
        }
    }

    /// From the gradient of a layer's hidden values to that of its product, in place, pass by pass.
    fn layer_backward(
        &mut self,
        index: usize,
        kind: LayerKind,
        all: Range<usize>,
        extra: Option<&Array2<f32>>,
        of_shift: &mut Array2<f32>,
        threads: usize,
    ) {
        let mut gradient = matrix_mut(&mut self.flowing[0], all.len(), of_shift.ncols());
        let none = Array2::zeros((0, of_shift.ncols()));
        for pass in PASSES {
            let rows = self.rows[pass as usize].clone();
            if rows.is_empty() || rows.start < all.start || rows.end > all.end {
                continue;
            }
            let extra_rows = match pass {
                Pass::Clean | Pass::Corrupted => rows.clone(),
                Pass::Labelled | Pass::Neighbour | Pass::Shifted | Pass::Moved => 0..0,
            };
            let backward = Backward {
                gradient: gradient.slice_mut(s![rows.start - all.start..rows.end - all.start, ..]),
                of_shift: of_shift.view_mut(),
                extra: extra.map_or(none.view(), |extra| extra.slice(s![extra_rows, ..])),
                normalised: self.normalised[index].slice(s![rows.clone(), ..]),
                hidden: self.hidden[index + 1].slice(s![rows, ..]),
                statistics: statistics(&self.statistics[index], pass),
            };
            backward.run(kind, threads);
        }
    }

    /// From the gradient of a layer's product to that of the hidden values below.
    fn flow_down(&mut self, index: usize, layer: &EncoderLayer, n: usize, threads: usize) {
        let [flowing, below] = &mut self.flowing;
        let (input, output) = (self.hidden[index].ncols(), layer.shift.value.len());
        let gradient = matrix(flowing, n, output);
        let below = matrix_mut(below, n, input);
        multiply(gradient, layer.weight.matrix().reversed_axes(), below, Write::Replace, threads);
    }
}

/// Where a pass is in matrices that have rows for noise alone.
fn noisy_rows(rows: &[Range<usize>; N_PASSES], pass: Pass) -> Range<usize> {
    let first = rows[Pass::Corrupted as usize].start;
    match pass {
        Pass::Corrupted | Pass::Labelled => {
            let rows = &rows[pass as usize];
            rows.start - first..rows.end - first
        }
        Pass::Clean | Pass::Neighbour | Pass::Shifted | Pass::Moved => 0..0,
    }
}

fn kind(layer: &EncoderLayer, index: usize, top: usize) -> LayerKind {
    LayerKind { normalised: layer.normalised, rectified: index < top }
}

fn statistics(statistics: &Array2<f32>, pass: Pass) -> ArrayView2<'_, f32> {
    let first = 2 * pass as usize;
    statistics.slice(s![first..first + 2, ..])
}

fn statistics_mut(statistics: &mut Array2<f32>, pass: Pass) -> ArrayViewMut2<'_, f32> {
    let first = 2 * pass as usize;
    statistics.slice_mut(s![first..first + 2, ..])
}

/// The first values of a buffer as a matrix.
fn matrix(buffer: &[f32], rows: usize, columns: usize) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((rows, columns), &buffer[..rows * columns]).expect("its size")
}

fn matrix_mut(buffer: &mut [f32], rows: usize, columns: usize) -> ArrayViewMut2<'_, f32> {
    ArrayViewMut2::from_shape((rows, columns), &mut buffer[..rows * columns]).expect("its size")
}
