//! The ladder network's decoder: guesses every clean layer from the corrupted one and from the layer above
//! (Rasmus et al., 2015).

use candle_core::{Result, Tensor};

use super::Part;
use super::encoder::Pass;
use super::losses::softmax;
use super::ops::{combine, denoising_cost, linear, normalise};
use crate::members::weights::{DecoderWeights, Weights};

/// The decoders of all models.
#[derive(Debug, Clone)]
pub(super) struct Decoder {
    /// From each layer down to the one below, (models, width above, width); that to the input is the first.
    pub(super) downward: Vec<Tensor>,
    /// Of each layer, (models, 10, width), the input's first.
    pub(super) combinators: Vec<Tensor>,
    /// Weight of each layer's cost, the input's first.
    pub(super) costs: Vec<f64>,
}

impl Decoder {
    /// `upload` puts the same parameter of all models on the device; `first` is that of the first model.
    pub(super) fn upload(
        first: &DecoderWeights,
        upload: &mut dyn FnMut(Part<'_>) -> Result<Tensor>,
    ) -> Result<Self> {
        fn of(weights: &Weights) -> &DecoderWeights {
            weights.decoder.as_ref().expect("networks of one shape")
        }
        let downward =
            (0..first.downward.len()).map(|index| upload(&|weights| &of(weights).downward[index]));
        let downward = downward.collect::<Result<_>>()?;
        let combinators = (0..first.combinators.len())
            .map(|index| upload(&|weights| &of(weights).combinators[index]));
        Ok(Self {
            downward,
            combinators: combinators.collect::<Result<_>>()?,
            costs: first.costs.clone(),
        })
    }

    /// Weighted sum over layers of the mean squared denoising error, shape (models).
    ///
    /// The target learns too, as in the authors' code: of a last layer that isn't normalised, this keeps the logits from
    /// growing.
    pub(super) fn cost(&self, clean: &Pass, corrupted: &Pass) -> Result<Tensor> {
        let mut signal = softmax(&corrupted.logits)?;
        let mut total = corrupted.logits.detach().sum((1, 2))?.zeros_like()?;
        for (layer, combinator) in self.combinators.iter().enumerate().rev() {
            let (vertical, _) = normalise(&signal)?;
            let guess = combine(&corrupted.activations[layer], &vertical, combinator)?;
            let statistics = clean.statistics[layer].as_ref();
            let cost = denoising_cost(&clean.activations[layer], &guess, statistics)?;
            total = (total + (cost * self.costs[layer])?)?;
            if layer > 0 {
                signal = linear(&guess, &self.downward[layer - 1])?;
            }
        }
        Ok(total)
    }
}
