//! To find, among others, the sample of which two views were made.

use candle_core::{Result, Tensor};
use consilience_data::Features;

use super::augmentation::Augmentation;
use super::batch::{Draws, spread, tensor};
use super::encoders::{DenseLayers, Network, Parameters};
use super::losses::nt_xent;
use super::params::PretextParams;
use super::training::Task;
use crate::error::EnsembleError;

/// Values of which cosines are taken.
const PROJECTED: usize = 64;

/// An encoder, and a head on its codes of which cosines are taken: what the head takes no notice of stays in the codes.
pub(crate) struct Contrastive<'a> {
    features: &'a Features,
    encoder: &'a dyn Network,
    head: DenseLayers,
    augmentation: Augmentation,
    temperature: f64,
}

impl<'a> Contrastive<'a> {
    pub(crate) fn new(
        features: &'a Features,
        params: &PretextParams,
        encoder: &'a dyn Network,
        parameters: &mut Parameters<'_>,
    ) -> std::result::Result<Self, EnsembleError> {
        let widths = [params.width, params.width, PROJECTED];
        let head = DenseLayers::new(parameters, "head", &widths)?;
        let augmentation = Augmentation::new(params, spread(features));
        Ok(Self { features, encoder, head, augmentation, temperature: params.temperature })
    }
}

impl Task for Contrastive<'_> {
    fn n_items(&self) -> usize {
        self.features.n_samples()
    }

    fn loss(&self, samples: &[usize], draws: &mut Draws) -> Result<Tensor> {
        let mut views = self.augmentation.view(self.features, samples, draws);
        views.extend(self.augmentation.view(self.features, samples, draws));
        let codes = self.encoder.forward(&tensor(views, self.features.n_features())?)?;
        nt_xent(&self.head.forward(&codes)?, self.temperature)
    }
}
