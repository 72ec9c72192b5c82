//! Settings of encoders, and their check.

use consilience_data::Features;
use serde::{Deserialize, Serialize};

use super::encoders::HEADS;
use super::pretext::Pretext;
use crate::error::EnsembleError;
use crate::preparation::data_kind::DataKind;
use crate::preparation::image::{Image, written};
use crate::preparation::transform::Scaling;

/// Steps that an encoder takes at least, where data are few.
const MIN_STEPS: usize = 1500;
/// Series are cut into windows of at most so many values in time, if nobody says how long they are.
const LONGEST_WINDOW: usize = 32;
/// Layers of more units aren't made.
const WIDEST: usize = 1 << 16;
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
    /// Steps after which training ends before the last pass, if it does: how far it went where the time was up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_steps: Option<usize>,
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
    /// Where features are the numbers of a text's words, in order: how many numbers there are, the last of which stands for a hidden word; 0 elsewhere.
    pub vocabulary: usize,
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
        let steps = (n_samples / batch_size).max(1);
        Self {
            pretext,
            kind: kind.name().into(),
            scaling: if pretext == Pretext::Forecast { Scaling::None } else { scaling },
            image: image.filter(|_| pretext != Pretext::Forecast),
            width,
            hidden: vec![500, 250],
            epochs: 20.max(MIN_STEPS.div_ceil(steps)),
            most_steps: None,
            batch_size,
            learning_rate: 1e-3,
            noise,
            hide,
            l1: 0.0,
            kl_sparsity: 0.0,
            variational: 0.0,
            temperature: 0.5,
            window: window_of(n_features),
            channels: 1,
            vocabulary: 0,
        }
    }

    /// Settings to start from where features are the numbers of a text's words, in order: 0 behind the last, 1 for any other word, then so many words.
    #[must_use]
    pub fn of_words(n_words: usize, shape: (usize, usize)) -> Self {
        // Those numbers, and that of a hidden word.
        let vocabulary = n_words + 3;
        let params = Self::new(Pretext::Masked, DataKind::Text, Scaling::None, None, shape);
        Self { width: 64, hide: 0.15, vocabulary, ..params }
    }

    /// Has so many values at a time, in windows that fit series of `n_features` values.
    #[must_use]
    pub fn with_channels(self, channels: usize, n_features: usize) -> Self {
        let window = window_of(n_features / channels.max(1));
        Self { channels, window, ..self }
    }

    /// Checks them against the samples. O(n).
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] with the first that can't be.
    pub fn check(&self, features: &Features) -> Result<(), EnsembleError> {
        self.check_shape(features.n_samples(), features.n_features())?;
        let single = self.vocabulary > 0 && features.view().column(1).iter().all(|&it| it == 0.0);
        refuse_if(single, "data", "texts of 2 words at least", "1 word at most")
    }

    /// Checks them against so many samples of so many features.
    pub(crate) fn check_shape(
        &self,
        n_samples: usize,
        n_features: usize,
    ) -> Result<(), EnsembleError> {
        self.check_counts()?;
        self.check_numbers()?;
        // A view is told apart from those of other samples.
        let least = if self.pretext == Pretext::Contrastive { 2 } else { 1 };
        let need = if least == 2 { "2 samples at least" } else { "1 sample at least" };
        for (name, count) in [("batch_size", self.batch_size), ("data", n_samples)] {
            refuse_if(count < least, name, need, count)?;
        }
        match self.pretext {
            Pretext::Forecast => self.check_series(n_features),
            _ if self.vocabulary > 0 => self.check_words(n_features),
            _ => self.check_image(n_features),
        }
    }

    fn check_counts(&self) -> Result<(), EnsembleError> {
        let hidden = self.hidden.iter().map(|&units| ("hidden", units));
        for (name, count) in hidden.chain([("width", self.width)]) {
            refuse_if(!(1..=WIDEST).contains(&count), name, "1 to 65,536", count)?;
        }
        refuse_if(self.epochs == 0, "epochs", "1 at least", 0)?;
        refuse_if(self.channels == 0, "channels", "1 at least", 0)
    }

    fn check_numbers(&self) -> Result<(), EnsembleError> {
        for (name, value) in
            [("learning_rate", self.learning_rate), ("temperature", self.temperature)]
        {
            refuse_if(!(value.is_finite() && value > 0.0), name, "more than 0", value)?;
        }
        let from_0 = [
            ("noise", self.noise),
            ("l1", self.l1),
            ("kl_sparsity", self.kl_sparsity),
            ("variational", self.variational),
        ];
        for (name, value) in from_0 {
            refuse_if(!(value.is_finite() && value >= 0.0), name, "0 or more", value)?;
        }
        let hide = self.hide;
        let nothing = self.pretext == Pretext::Masked && hide == 0.0;
        refuse_if(nothing, "hide", "more than 0 and less than 1", hide)?;
        refuse_if(!(0.0..1.0).contains(&hide), "hide", "0 or more and less than 1", hide)
    }

    fn check_image(&self, n_features: usize) -> Result<(), EnsembleError> {
        let Some(image) = self.image else { return Ok(()) };
        let Image { rows, columns, channels } = image;
        let got = format!("{rows} x {columns} x {channels} for {n_features} features");
        let fits = image.n_features() == Some(n_features);
        refuse_if(!fits, "image", "a pixel for every feature", got)
    }

    fn check_series(&self, n_features: usize) -> Result<(), EnsembleError> {
        let Self { channels, window, width, .. } = *self;
        let fits = n_features.is_multiple_of(channels);
        let got = format!("{channels} for {n_features}");
        refuse_if(!fits, "channels", "a divisor of the number of features", got)?;
        let need = "an even number: half of it are means, half deviations";
        refuse_if(!width.is_multiple_of(2), "width", need, width)?;
        let length = n_features / channels;
        let fits = (SHORTEST_WINDOW..=length).contains(&window) && window.is_multiple_of(2);
        let got = format!("{window} for series of {length}");
        refuse_if(!fits, "window", "an even number from 4 to the length of the series", got)
    }

    fn check_words(&self, length: usize) -> Result<(), EnsembleError> {
        let (need, got) = ("masked, where texts are sequences of words", self.pretext);
        refuse_if(got != Pretext::Masked, "pretext", need, got)?;
        refuse_if(length < 2, "words", "2 words of a text at least", length)?;
        let need = "a multiple of 4, the heads of a transformer";
        refuse_if(!self.width.is_multiple_of(HEADS), "width", need, self.width)
    }

    /// Whether they are counts of words.
    pub(crate) fn is_text(&self) -> bool {
        self.kind == DataKind::Text.name()
    }
}

fn refuse_if(
    it_is_so: bool,
    name: &'static str,
    need: &'static str,
    got: impl ToString,
) -> Result<(), EnsembleError> {
    if it_is_so { Err(EnsembleError::Setting { name, need, got: got.to_string() }) } else { Ok(()) }
}

/// The window to start from, of series of this length.
fn window_of(length: usize) -> usize {
    length.min(LONGEST_WINDOW) / 2 * 2
}
