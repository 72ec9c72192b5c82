//! Flags that say how an encoder is trained.

use clap::Args;
use consilience_ensembles::PretextParams;

/// Settings of an encoder that replace those that go with the data.
#[derive(Debug, Args)]
pub(super) struct SettingArgs {
    /// Features of the embedding [default: 32 to 128]
    #[arg(long, value_name = "N")]
    width: Option<usize>,
    /// Units of hidden layers where layers are dense: 500,250
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    hidden: Vec<usize>,
    /// Take dense layers for images, too, in place of convolutions
    #[arg(long)]
    dense: bool,
    /// Passes over the data [default: 20, and more for few samples]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Samples in a step [default: 128; contrastive: 256]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// First learning rate of Adam, which falls to 0 [default: 0.001]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Noise on what the encoder sees, in units of the features' own standard deviation
    #[arg(long, value_name = "STD")]
    noise: Option<f64>,
    /// Share of features that are hidden from the encoder
    #[arg(long, value_name = "SHARE")]
    hide: Option<f64>,
    /// Autoencoder: weight of codes' mean absolute value, for codes that are sparse [default: 0]
    #[arg(long, value_name = "WEIGHT")]
    l1: Option<f64>,
    /// Autoencoder: weight of the divergence of units' mean activations from 0.05 [default: 0]
    #[arg(long, value_name = "WEIGHT")]
    kl_sparsity: Option<f64>,
    /// Autoencoder: weight of the divergence of codes from the standard normal distribution, a variational autoencoder; 1 is the evidence
    /// lower bound [default: 0]
    #[arg(long, value_name = "WEIGHT")]
    variational: Option<f64>,
    /// Contrastive: what cosines are divided by [default: 0.5]
    #[arg(long, value_name = "T")]
    temperature: Option<f64>,
    /// Masked: take texts as sequences of their first N words, in order, and a transformer, in place of TF-IDF
    #[arg(long, value_name = "N")]
    pub(super) words: Option<usize>,
    /// Forecast: values in time of a window, whose first half tells the second [default: 32, or the length of the series]
    #[arg(long, value_name = "N")]
    window: Option<usize>,
    /// Forecast: values at a time, side by side in the data [default: those of an array (n, length, values), else 1]
    #[arg(long, value_name = "N")]
    channels: Option<usize>,
}

impl SettingArgs {
    /// Writes what was said over the settings.
    pub(super) fn apply(&self, mut params: PretextParams, n_features: usize) -> PretextParams {
        if let Some(channels) = self.channels {
            params = params.with_channels(channels, n_features);
        }
        let numbers = [
            (&mut params.width, self.width),
            (&mut params.epochs, self.epochs),
            (&mut params.batch_size, self.batch_size),
            (&mut params.window, self.window),
        ];
        for (number, said) in numbers {
            *number = said.unwrap_or(*number);
        }
        let values = [
            (&mut params.learning_rate, self.learning_rate),
            (&mut params.noise, self.noise),
            (&mut params.hide, self.hide),
            (&mut params.l1, self.l1),
            (&mut params.kl_sparsity, self.kl_sparsity),
            (&mut params.variational, self.variational),
            (&mut params.temperature, self.temperature),
        ];
        for (value, said) in values {
            *value = said.unwrap_or(*value);
        }
        if !self.hidden.is_empty() {
            params.hidden.clone_from(&self.hidden);
        }
        if self.dense {
            params.image = None;
        }
        params
    }
}
