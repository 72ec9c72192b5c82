//! To say which words of a text are hidden.

use candle_core::{Device, Result, Tensor};
use consilience_data::Features;

use super::batch::{Draws, rows, tensor};
use super::encoders::{DenseLayers, NOTHING, Network, Parameters, words};
use super::losses::masked_cross_entropy;
use super::params::PretextParams;
use super::training::Task;
use crate::error::EnsembleError;

/// A transformer, and a dense layer that says how probable each word is where one was hidden (Devlin et al., *BERT*, NAACL 2019, 3.1).
pub(crate) struct MaskedWords<'a> {
    texts: &'a Features,
    encoder: &'a dyn Network,
    decoder: DenseLayers,
    hide: f64,
    vocabulary: usize,
}

impl<'a> MaskedWords<'a> {
    pub(crate) fn new(
        texts: &'a Features,
        params: &PretextParams,
        encoder: &'a dyn Network,
        parameters: &mut Parameters<'_>,
    ) -> std::result::Result<Self, EnsembleError> {
        let vocabulary = params.vocabulary;
        let decoder = DenseLayers::new(parameters, "decoder", &[params.width, vocabulary])?;
        Ok(Self { texts, encoder, decoder, hide: params.hide, vocabulary })
    }

    /// Hides words, the last number of the vocabulary in their place, or, of one in ten, any other word, or nothing at all; which were chosen, at least one.
    fn hide(&self, seen: &mut [u32], draws: &mut Draws) -> Vec<u32> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "numbers of words"
        )]
        let any = |share: f64, of: usize| (share * of as f64) as u32;
        let mut places: Vec<u32> = Vec::new();
        let there = |word: u32| word != NOTHING;
        for (place, word) in (0..).zip(seen.iter_mut()) {
            if !there(*word) || draws.hidden.uniform() >= self.hide {
                continue;
            }
            places.push(place);
            let share = draws.hidden.uniform();
            if share < 0.8 {
                *word = any(1.0, self.vocabulary) - 1;
            } else if share < 0.9 {
                *word = 1 + any(draws.hidden.uniform(), self.vocabulary - 2);
            }
        }
        if places.is_empty() {
            places
                .extend((0..).zip(&*seen).find(|(_, word)| there(**word)).map(|(place, _)| place));
        }
        places
    }
}

impl Task for MaskedWords<'_> {
    fn n_items(&self) -> usize {
        self.texts.n_samples()
    }

    fn loss(&self, samples: &[usize], draws: &mut Draws) -> Result<Tensor> {
        let whole = words(&rows(self.texts, samples), self.vocabulary);
        let mut seen = whole.clone();
        let places = self.hide(&mut seen, draws);
        if places.is_empty() {
            // Texts without a word.
            return self.encoder.at_words(&seen)?.sum_all()? * 0.0;
        }
        let mut targets = vec![0.0; places.len() * self.vocabulary];
        for (row, &place) in places.iter().enumerate() {
            targets[row * self.vocabulary + whole[place as usize] as usize] = 1.0;
        }
        let chosen = Tensor::from_slice(&places, places.len(), &Device::Cpu)?;
        let states = self.encoder.at_words(&seen)?.index_select(&chosen, 1)?;
        masked_cross_entropy(&self.decoder.forward(&states)?, &tensor(targets, self.vocabulary)?)
    }
}
