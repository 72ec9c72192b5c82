//! What is written of an encoder beside its weights.

use consilience_data::{Recipe, Seed};
use serde::{Deserialize, Serialize};

use super::encoders::Architecture;
use super::params::PretextParams;
use super::pretext::Pretext;
use super::windows::Windows;

/// The version of the format of files. Another is refused.
pub(crate) const FORMAT: u32 = 1;

/// All that new data need to be embedded, but for the numbers: the text `consilience` in the metadata of a safetensors file, as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Description {
    pub(crate) format: u32,
    /// The version of the program.
    pub(crate) version: String,
    pub(crate) params: PretextParams,
    pub(crate) seed: Seed,
    pub(crate) architecture: Architecture,
    /// How files became features.
    pub(crate) recipe: Recipe,
}

impl Description {
    /// Of an encoder of so many features.
    pub(crate) fn new(
        params: &PretextParams,
        n_features: usize,
        seed: Seed,
        recipe: &Recipe,
    ) -> Self {
        // With the variational term, a code's means are followed by the logarithms of its variances.
        let doubled = params.pretext == Pretext::Autoencoder && params.variational > 0.0;
        let output = if doubled { 2 * params.width } else { params.width };
        let architecture = match (params.pretext, params.image) {
            _ if params.vocabulary > 0 => {
                let vocabulary = params.vocabulary;
                Architecture::Transformer { vocabulary, length: n_features, output }
            }
            (Pretext::Forecast, _) => {
                Architecture::series(params.window / 2, params.channels, params.width / 2)
            }
            (_, Some(image)) => Architecture::image(image, output),
            (_, None) => Architecture::dense(n_features, &params.hidden, output),
        };
        let version = env!("CARGO_PKG_VERSION").into();
        Self {
            format: FORMAT,
            version,
            // How far training went is no part of what an encoder is.
            params: PretextParams { most_steps: None, ..params.clone() },
            seed,
            architecture,
            recipe: recipe.clone(),
        }
    }

    /// How series are cut, if it is an encoder of series.
    pub(crate) fn windows(&self, n_features: usize) -> Option<Windows> {
        let PretextParams { pretext, window, channels, .. } = self.params;
        let length = n_features / channels;
        (pretext == Pretext::Forecast).then_some(Windows { window, channels, length })
    }

    /// Why it can't be of an encoder of so many features, if it can't.
    pub(crate) fn problem(&self, n_features: usize) -> Option<String> {
        if let Err(error) = self.params.check_shape(usize::MAX, n_features) {
            return Some(error.to_string());
        }
        let expected = Self::new(&self.params, n_features, self.seed, &self.recipe).architecture;
        let fits = self.architecture.is_sound()
            && self.architecture.input() == expected.input()
            && self.architecture.output() == expected.output();
        (!fits).then(|| format!("its layers don't fit {n_features} features"))
    }
}
