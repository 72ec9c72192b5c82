//! The ladder network's decoder: guesses every clean layer from the corrupted one and from the layer above
//! (Rasmus et al., 2015).

use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use super::combinator::{Guess, GuessBackward};
use super::encoder::{Encoder, Pass};
use super::losses::{Answers, softmax_backward};
use super::optimiser::Learn;
use crate::members::weights::{DecoderWeights, N_COMBINATOR, Weights};
use crate::numerics::matrix::{Write, multiply};

/// Buffers for one network's steps, one matrix a layer, the input's first.
#[derive(Debug)]
pub(super) struct Decoder {
    /// The signal from above, normalised; on the way back, the gradient of what it was before.
    vertical: Vec<Array2<f32>>,
    /// Its mean and 1 / standard deviation, shape (2, width).
    statistics: Vec<Array2<f32>>,
    guess: Vec<Array2<f32>>,
    of_guess: Vec<Array2<f32>>,
    of_combinator: Vec<Array2<f32>>,
    of_weight: Vec<f32>,
    errors: Vec<Array2<f32>>,
    /// Gradients of the clean activations, below them those of the corrupted ones, shape (2 n, width). The target learns
    /// too, as in the authors' code. Of a last layer that isn't normalised, this keeps the logits from growing: with the
    /// target held constant, retraining was seen to fall apart. Nothing learns at the input.
    pub(super) of_activations: Vec<Array2<f32>>,
}

impl Decoder {
    /// For batches of `n` samples.
    pub(super) fn new(weights: &Weights, n: usize) -> Self {
        let widths = weights.widths();
        let matrices = |rows: usize| -> Vec<Array2<f32>> {
            widths.iter().map(|&width| Array2::zeros((rows, width))).collect()
        };
        let mut of_activations = matrices(2 * n);
        of_activations[0] = Array2::zeros((0, widths[0]));
        let largest = widths.windows(2).map(|pair| pair[0] * pair[1]).max().unwrap_or(0);
        Self {
            vertical: matrices(n),
            statistics: matrices(2),
            guess: matrices(n),
            of_guess: matrices(n),
            of_combinator: matrices(N_COMBINATOR),
            of_weight: vec![0.0; largest],
            errors: matrices(1),
            of_activations,
        }
    }

    /// The denoising cost of all layers, weighted, from the encoder's clean and corrupted passes.
    pub(super) fn forward(
        &mut self,
        encoder: &Encoder,
        weights: &Weights,
        decoder: &DecoderWeights,
        corrupted: &Answers,
        threads: usize,
    ) -> f64 {
        let top = decoder.downward.len();
        let mut total = 0.0;
        self.vertical[top].assign(&corrupted.p);
        for layer in (0..=top).rev() {
            let [clean, lateral] = encoder.activations(layer);
            let normalised = layer > 0 && weights.encoder[layer - 1].normalised;
            #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
            let cost = decoder.costs[layer] as f32;
            let rows = self.of_activations[layer].nrows() / 2;
            let guess = Guess {
                vertical: self.vertical[layer].view_mut(),
                statistics: self.statistics[layer].view_mut(),
                guess: self.guess[layer].view_mut(),
                of_guess: self.of_guess[layer].view_mut(),
                of_clean: self.of_activations[layer].slice_mut(s![..rows, ..]),
                errors: self.errors[layer].view_mut(),
                lateral,
                clean,
                clean_statistics: normalised.then(|| encoder.clean_statistics(layer)),
                parameters: decoder.combinators[layer].matrix(),
                cost,
            };
            total += f64::from(guess.run(threads));
            if let Some(below) = layer.checked_sub(1) {
                let (weight, guess) = (decoder.downward[below].matrix(), &self.guess[layer]);
                let out = self.vertical[below].view_mut();
                multiply(guess.view(), weight, out, Write::Replace, threads);
            }
        }
        total
    }

    /// The cost's gradients: of the decoder's parameters, to `learn`; of the encoder's activations, into
    /// `of_activations`; of the corrupted logits, added to the encoder's.
    pub(super) fn backward(
        &mut self,
        encoder: &mut Encoder,
        decoder: &mut DecoderWeights,
        corrupted: &Answers,
        learn: &mut dyn Learn,
        threads: usize,
    ) {
        let top = decoder.downward.len();
        for layer in 0..=top {
            if let Some(below) = layer.checked_sub(1) {
                let weight = &mut decoder.downward[below];
                let signal = self.vertical[below].view();
                let of_guess = self.of_guess[layer].view_mut();
                multiply(signal, weight.matrix().reversed_axes(), of_guess, Write::Add, threads);
                let guess: ArrayView2<'_, f32> = self.guess[layer].view();
                let of_weight = &mut self.of_weight[..weight.value.len()];
                let shape = (guess.ncols(), signal.ncols());
                let out = ArrayViewMut2::from_shape(shape, &mut *of_weight).expect("its size");
                multiply(guess.reversed_axes(), signal, out, Write::Replace, threads);
                learn.learn(weight, of_weight);
            }
            let rows = self.of_activations[layer].nrows() / 2;
            let [_, lateral] = encoder.activations(layer);
            let combinator = &mut decoder.combinators[layer];
            let backward = GuessBackward {
                vertical: self.vertical[layer].view_mut(),
                of_lateral: self.of_activations[layer].slice_mut(s![rows.., ..]),
                of_parameters: self.of_combinator[layer].view_mut(),
                of_guess: self.of_guess[layer].view_mut(),
                statistics: self.statistics[layer].view(),
                lateral,
                parameters: combinator.matrix(),
            };
            backward.run(threads);
            learn.learn(combinator, self.of_combinator[layer].as_slice().expect("its layout"));
        }
        let gradient = encoder.gradient(Pass::Corrupted);
        softmax_backward(corrupted, &self.vertical[top].view(), gradient);
    }
}
