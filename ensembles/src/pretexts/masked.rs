//! To say what features that are hidden are.

use candle_core::{Result, Tensor};
use consilience_data::Features;

use super::batch::{Draws, rows, tensor};
use super::encoders::{DenseLayers, Network, Parameters};
use super::losses::{masked_cross_entropy, mean_squared_error};
use super::params::PretextParams;
use super::training::Task;
use crate::error::EnsembleError;

/// An encoder of what is left of samples, and a decoder that says what is hidden.
///
/// Of a text, words are hidden, and the decoder says how probable each is: cross-entropy. Elsewhere it says their values: squared error, on what is hidden
/// alone.
pub(crate) struct Masked<'a> {
    features: &'a Features,
    encoder: &'a dyn Network,
    decoder: DenseLayers,
    hide: f64,
    text: bool,
}

impl<'a> Masked<'a> {
    pub(crate) fn new(
        features: &'a Features,
        params: &PretextParams,
        encoder: &'a dyn Network,
        parameters: &mut Parameters<'_>,
    ) -> std::result::Result<Self, EnsembleError> {
        let n_features = features.n_features();
        let text = params.is_text();
        let widths = match (text, params.hidden.last()) {
            // Codes that say words by a product alone are near where words are alike.
            (true, _) | (_, None) => vec![params.width, n_features],
            (false, Some(&hidden)) => vec![params.width, hidden, n_features],
        };
        let decoder = DenseLayers::new(parameters, "decoder", &widths)?;
        Ok(Self { features, encoder, decoder, hide: params.hide, text })
    }
}

impl Task for Masked<'_> {
    fn n_items(&self) -> usize {
        self.features.n_samples()
    }

    fn loss(&self, samples: &[usize], draws: &mut Draws) -> Result<Tensor> {
        let width = self.features.n_features();
        let whole = rows(self.features, samples);
        let mut seen = whole.clone();
        let mask = draws.hide(&mut seen, self.hide);
        let guess = self.decoder.forward(&self.encoder.forward(&tensor(seen, width)?)?)?;
        let target: Vec<f32> = whole.iter().zip(&mask).map(|(value, mask)| value * mask).collect();
        if self.text {
            return masked_cross_entropy(&guess, &tensor(target, width)?);
        }
        // Mean over what is hidden, of all values as many as are expected to be.
        let guess = (guess * tensor(mask, width)?)?;
        mean_squared_error(&guess, &tensor(target, width)?)? / self.hide
    }
}
