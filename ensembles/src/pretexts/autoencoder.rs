//! To give back a sample from a short code of it.

use candle_core::{Result, Tensor};
use consilience_data::Features;

use super::batch::{Draws, rows, spread, tensor};
use super::encoders::{DenseLayers, Network, Parameters};
use super::losses::{binary_cross_entropy, bounded, mean_squared_error, sparsity, variational};
use super::params::PretextParams;
use super::training::Task;
use crate::error::EnsembleError;

/// The share of samples for which a unit is to be active, with the term of divergence.
const ACTIVE: f64 = 0.05;

/// An encoder, with noise on what it sees (Vincent et al., JMLR 11, 2010), and a decoder that is to give back what had none.
pub(crate) struct Autoencoder<'a> {
    features: &'a Features,
    params: &'a PretextParams,
    encoder: &'a dyn Network,
    decoder: DenseLayers,
    /// Whether values are shares, as those of pixels are: then cross-entropy, else squared error.
    shares: bool,
    /// What noise is measured in: the root mean variance of the features.
    spread: f64,
}

impl<'a> Autoencoder<'a> {
    pub(crate) fn new(
        features: &'a Features,
        params: &'a PretextParams,
        encoder: &'a dyn Network,
        parameters: &mut Parameters<'_>,
    ) -> std::result::Result<Self, EnsembleError> {
        let hidden = params.hidden.iter().rev().copied();
        let widths: Vec<usize> =
            std::iter::once(params.width).chain(hidden).chain([features.n_features()]).collect();
        let decoder = DenseLayers::new(parameters, "decoder", &widths)?;
        let shares = params.image.is_some()
            && features.as_slice().iter().all(|value| (0.0..=1.0).contains(value));
        let spread = spread(features);
        Ok(Self { features, params, encoder, decoder, shares, spread })
    }

    /// What is added to the loss for codes that are simple, per feature.
    fn penalty(&self, codes: &Tensor, variances: Option<&Tensor>) -> Result<Option<Tensor>> {
        let mut terms = Vec::new();
        if self.params.l1 > 0.0 {
            terms.push((sparsity::l1(codes)? * self.params.l1)?);
        }
        if self.params.kl_sparsity > 0.0 {
            terms.push((sparsity::divergence(codes, ACTIVE)? * self.params.kl_sparsity)?);
        }
        if let Some(variances) = variances {
            #[expect(clippy::cast_precision_loss, reason = "a width")]
            let weight = self.params.variational / self.features.n_features() as f64;
            terms.push((variational(codes, variances)? * weight)?);
        }
        terms.into_iter().map(Ok).reduce(|a, b| a? + b?).transpose()
    }
}

impl Task for Autoencoder<'_> {
    fn n_items(&self) -> usize {
        self.features.n_samples()
    }

    fn loss(&self, samples: &[usize], draws: &mut Draws) -> Result<Tensor> {
        let width = self.features.n_features();
        let clean = rows(self.features, samples);
        let mut seen = clean.clone();
        draws.hide(&mut seen, self.params.hide);
        draws.add_noise(&mut seen, width, self.params.noise * self.spread);
        let told = self.encoder.forward(&tensor(seen, width)?)?;
        let codes = told.narrow(2, 0, self.params.width)?;
        let (variances, drawn) = if self.params.variational > 0.0 {
            let variances = bounded(&told.narrow(2, self.params.width, self.params.width)?)?;
            let noise = draws.normal((samples.len(), self.params.width))?;
            let drawn = (&codes + ((&variances / 2.0)?.exp()? * noise)?)?;
            (Some(variances), drawn)
        } else {
            (None, codes.contiguous()?)
        };
        let guess = self.decoder.forward(&drawn)?;
        let target = tensor(clean, width)?;
        let loss = if self.shares {
            binary_cross_entropy(&guess, &target)?
        } else {
            mean_squared_error(&guess, &target)?
        };
        match self.penalty(&codes, variances.as_ref())? {
            Some(penalty) => loss + penalty,
            None => Ok(loss),
        }
    }
}
