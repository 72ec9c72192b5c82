//! Settings of encoders, and their check.

use serde::{Deserialize, Serialize};

use super::pretext::Pretext;
use crate::error::EnsembleError;
use crate::preparation::data_kind::DataKind;
use crate::preparation::image::{Image, written};
use crate::preparation::transform::Scaling;

/// Steps that an encoder takes at least, where data are few.
const MIN_STEPS: usize = 1500;
/// Series are cut into windows of at most so many values in time, if nobody says how long they are.
const LONGEST_WINDOW: usize = 64;
/// A window has two halves of two values at least.
const SHORTEST_WINDOW: usize = 4;

/// How an encoder is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretextParams {
    /// What it is trained on.
    pub pretext: Pretext,
    /// What kind of data there are, as [`DataKind::name`] says it: how samples are augmented, and what of them is hidden, depends on it.
    pub kind: String,
    /// How features are brought to a common scale. Windows of series are scaled one by one, and not before.
    pub scaling: Scaling,
    /// How an image lies in the features, if convolutions are to look at it; `None`: layers are dense.
    #[serde(with = "written")]
    pub image: Option<Image>,
    /// Number of features of the embedding.
    pub width: usize,
    /// Widths of hidden layers of a dense encoder; in turn those of the decoder.
    pub hidden: Vec<usize>,
    /// Passes over the data.
    pub epochs: usize,
    /// Samples in a step.
    pub batch_size: usize,
    /// Adam's first learning rate, which falls linearly to 0.
    pub learning_rate: f64,
    /// Standard deviation of the normal noise on what the encoder sees, in units of the features' own.
    pub noise: f64,
    /// Share of features that are hidden from the encoder.
    pub hide: f64,
    /// Of an autoencoder: weight of the mean absolute value of codes.
    pub l1: f64,
    /// Of an autoencoder: weight of the divergence of units' mean activations from 0.05.
    pub kl_sparsity: f64,
    /// Of an autoencoder: weight of the divergence of codes, which are then drawn, from the standard normal distribution; 1 is that of the evidence lower bound.
    pub variational: f64,
    /// Of a contrastive encoder: what cosines are divided by.
    pub temperature: f64,
    /// Of series: values in time of a window, whose first half tells the second.
    pub window: usize,
    /// Of series: values at a time, which lie side by side.
    pub channels: usize,
}

impl PretextParams {
    /// Settings to start from, for so many samples of so many features of a kind.
    #[must_use]
    pub fn new(
        pretext: Pretext,
        kind: DataKind,
        scaling: Scaling,
        image: Option<Image>,
        (n_samples, n_features): (usize, usize),
    ) -> Self {
        let (width, noise, hide) = match (pretext, kind) {
            (Pretext::Autoencoder, DataKind::Text) => (64, 0.0, 0.2),
            (Pretext::Autoencoder, _) => (32, 0.2, 0.0),
            (Pretext::Contrastive, DataKind::Text) => (128, 0.0, 0.5),
            (Pretext::Contrastive, _) => (128, 0.5, 0.2),
            (Pretext::Masked, DataKind::Text) => (128, 0.0, 0.5),
            (Pretext::Masked, _) => (64, 0.0, 0.3),
            (Pretext::Forecast, _) => (32, 0.0, 0.0),
        };
        let batch_size = if pretext == Pretext::Contrastive { 256 } else { 128 };
        let window = n_features.min(LONGEST_WINDOW) / 2 * 2;
        let steps = (n_samples / batch_size).max(1);
        Self {
            pretext,
            kind: kind.name().into(),
            scaling: if pretext == Pretext::Forecast { Scaling::None } else { scaling },
            image,
            width,
            hidden: vec![500, 250],
            epochs: 20.max(MIN_STEPS.div_ceil(steps)),
            batch_size,
            learning_rate: 1e-3,
            noise,
            hide,
            l1: 0.0,
            kl_sparsity: 0.0,
            variational: 0.0,
            temperature: 0.5,
            window,
            channels: 1,
        }
    }

    /// Checks them against so many samples of so many features.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] with the first that can't be.
    pub fn check(&self, n_samples: usize, n_features: usize) -> Result<(), EnsembleError> {
        let setting = |name, need, got: String| Err(EnsembleError::Setting { name, need, got });
        let counts = [("width", self.width), ("epochs", self.epochs), ("channels", self.channels)];
        for (name, count) in counts {
            if count == 0 {
                return setting(name, "1 at least", "0".into());
            }
        }
        let least = if self.pretext == Pretext::Contrastive { 2 } else { 1 };
        if self.batch_size < least {
            let need = "2 samples in a batch at least, each among which others are told apart";
            let need = if least == 2 { need } else { "1 sample in a batch at least" };
            return setting("batch_size", need, self.batch_size.to_string());
        }
        if n_samples < least {
            return setting("data", "2 samples at least", n_samples.to_string());
        }
        let more_than_0 = |value: f64| value.is_finite() && value > 0.0;
        for (name, value) in
            [("learning_rate", self.learning_rate), ("temperature", self.temperature)]
        {
            if !more_than_0(value) {
                return setting(name, "more than 0", value.to_string());
            }
        }
        let weights = [
            ("noise", self.noise),
            ("l1", self.l1),
            ("kl_sparsity", self.kl_sparsity),
            ("variational", self.variational),
        ];
        for (name, value) in weights {
            if !value.is_finite() || value < 0.0 {
                return setting(name, "0 or more", value.to_string());
            }
        }
        if !(0.0..1.0).contains(&self.hide) || self.pretext == Pretext::Masked && self.hide == 0.0 {
            let need = if self.hide == 0.0 {
                "more than 0 and less than 1"
            } else {
                "0 or more and less than 1"
            };
            return setting("hide", need, self.hide.to_string());
        }
        if self.hidden.contains(&0) {
            return setting("hidden", "layers of 1 unit at least", "0".into());
        }
        self.check_shape(n_features)
    }

    fn check_shape(&self, n_features: usize) -> Result<(), EnsembleError> {
        if self.pretext != Pretext::Forecast {
            if let Some(image) = self.image.filter(|image| image.n_features() != Some(n_features)) {
                let Image { rows, columns, channels } = image;
                let got = format!("{rows} x {columns} x {channels} for {n_features} features");
                return Err(EnsembleError::Setting {
                    name: "image",
                    need: "a pixel for every feature",
                    got,
                });
            }
            return Ok(());
        }
        if !n_features.is_multiple_of(self.channels) {
            let (need, got) = (
                "a divisor of the number of features",
                format!("{} for {n_features}", self.channels),
            );
            return Err(EnsembleError::Setting { name: "channels", need, got });
        }
        if !self.width.is_multiple_of(2) {
            let need = "an even number: half of it are means, half deviations";
            return Err(EnsembleError::Setting {
                name: "width",
                need,
                got: self.width.to_string(),
            });
        }
        let length = n_features / self.channels;
        if self.window < SHORTEST_WINDOW || !self.window.is_multiple_of(2) || self.window > length {
            let got = format!("{} for series of {length}", self.window);
            let need = "an even number from 4 to the length of the series";
            return Err(EnsembleError::Setting { name: "window", need, got });
        }
        Ok(())
    }

    /// Whether they are counts of words.
    pub(crate) fn is_text(&self) -> bool {
        self.kind == DataKind::Text.name()
    }
}
