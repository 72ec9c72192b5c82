//! To say how a series goes on.

use candle_core::{Result, Tensor};
use consilience_data::Features;

use super::batch::Draws;
use super::encoders::{DenseLayers, Network, Parameters};
use super::losses::smooth_l1;
use super::params::PretextParams;
use super::training::Task;
use super::windows::Windows;
use crate::error::EnsembleError;

/// An encoder of the first halves of windows, and a decoder that says the second.
pub(crate) struct Forecast<'a> {
    series: &'a Features,
    encoder: &'a dyn Network,
    decoder: DenseLayers,
    windows: Windows,
    starts: Vec<usize>,
}

impl<'a> Forecast<'a> {
    pub(crate) fn new(
        series: &'a Features,
        params: &PretextParams,
        windows: Windows,
        encoder: &'a dyn Network,
        width: usize,
        parameters: &mut Parameters<'_>,
    ) -> std::result::Result<Self, EnsembleError> {
        let hidden = params.hidden.last().copied();
        let widths: Vec<usize> =
            std::iter::once(width).chain(hidden).chain([windows.half()]).collect();
        let decoder = DenseLayers::new(parameters, "decoder", &widths)?;
        Ok(Self { series, encoder, decoder, windows, starts: windows.starts() })
    }
}

impl Task for Forecast<'_> {
    /// An item is a window of a series.
    fn n_items(&self) -> usize {
        self.series.n_samples() * self.starts.len()
    }

    fn loss(&self, items: &[usize], _: &mut Draws) -> Result<Tensor> {
        let n = self.starts.len();
        let windows = items.iter().map(|&item| (item / n, self.starts[item % n]));
        let (first, second) = self.windows.halves(self.series, windows)?;
        smooth_l1(&self.decoder.forward(&self.encoder.forward(&first)?)?, &second)
    }
}
