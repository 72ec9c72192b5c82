//! Which layers an encoder has, as it is written down.

use serde::{Deserialize, Serialize};

use super::convolution::Convolutions;
use super::dense::DenseLayers;
use super::network::Network;
use super::parameters::Parameters;
use super::patches::Grid;
use super::transformer::{HEADS, Transformer};
use crate::error::EnsembleError;
use crate::preparation::image::Image;

/// Convolutions go on down to so many rows and columns of an image, or places of a series.
const SMALL_IMAGE: usize = 4;
const SHORT_SERIES: usize = 8;
/// Channels of the first convolution; every later one has twice as many, up to the most.
const CHANNELS: usize = 32;
const MOST_CHANNELS: usize = 128;
/// Rows and columns of a patch of an image; places of a patch of a series.
const KERNEL: usize = 3;
const LONG_KERNEL: usize = 5;

/// The layers of an encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Architecture {
    /// Dense layers through these widths, that of the input first; all but the last rectified.
    Dense { widths: Vec<usize> },
    /// Rectified convolutions over a grid (rows, columns, channels) with patches of `kernel` rows and columns, then a dense layer.
    Convolution { grid: [usize; 3], kernel: [usize; 2], channels: Vec<usize>, output: usize },
    /// A transformer of two blocks that reads texts of `length` words, of numbers below `vocabulary`.
    Transformer { vocabulary: usize, length: usize, output: usize },
}

impl Architecture {
    /// Dense layers.
    pub(crate) fn dense(input: usize, hidden: &[usize], output: usize) -> Self {
        let widths = [&[input][..], hidden, &[output]].concat();
        Self::Dense { widths }
    }

    /// Convolutions over an image, of half as many rows and columns each, down to four.
    pub(crate) fn image(image: Image, output: usize) -> Self {
        let channels = channels(image.shorter_side(), SMALL_IMAGE);
        let grid = [image.rows, image.columns, image.channels];
        Self::Convolution { grid, kernel: [KERNEL; 2], channels, output }
    }

    /// Convolutions along a series, of half as many places each, down to eight.
    pub(crate) fn series(length: usize, channels_of_series: usize, output: usize) -> Self {
        let channels = channels(length, SHORT_SERIES);
        let grid = [1, length, channels_of_series];
        Self::Convolution { grid, kernel: [1, LONG_KERNEL], channels, output }
    }

    /// Values that a row has.
    pub(crate) fn input(&self) -> usize {
        match self {
            Self::Dense { widths } => widths.first().copied().unwrap_or(0),
            Self::Convolution { grid, .. } => grid.iter().product(),
            Self::Transformer { length, .. } => *length,
        }
    }

    /// Values that come out of a row.
    pub(crate) fn output(&self) -> usize {
        match self {
            Self::Dense { widths } => widths.last().copied().unwrap_or(0),
            Self::Convolution { output, .. } | Self::Transformer { output, .. } => *output,
        }
    }

    /// Whether it says what layers can be.
    pub(crate) fn is_sound(&self) -> bool {
        let sound = |number: &usize| (1..1 << 24).contains(number);
        match self {
            Self::Dense { widths } => widths.len() > 1 && widths.iter().all(sound),
            Self::Convolution { grid, kernel, channels, output } => {
                let fits = |(side, kernel): (&usize, &usize)| kernel / 2 <= *side;
                grid.iter().chain(kernel).chain(channels).chain([output]).all(sound)
                    && grid.iter().zip(kernel).all(fits)
            }
            Self::Transformer { vocabulary, length, output } => {
                [vocabulary, length, output].into_iter().all(sound)
                    && *vocabulary > 2
                    && output.is_multiple_of(HEADS)
            }
        }
    }

    /// The layers, whose parameters are called `name.0.weight` and so on.
    pub(crate) fn build(
        &self,
        parameters: &mut Parameters<'_>,
        name: &str,
    ) -> Result<Box<dyn Network>, EnsembleError> {
        Ok(match self {
            Self::Dense { widths } => Box::new(DenseLayers::new(parameters, name, widths)?),
            Self::Convolution { grid: [rows, columns, inner], kernel, channels, output } => {
                let grid = Grid { rows: *rows, columns: *columns, channels: *inner };
                Box::new(Convolutions::new(parameters, name, grid, *kernel, channels, *output)?)
            }
            Self::Transformer { vocabulary, length, output } => {
                Box::new(Transformer::new(parameters, name, [*vocabulary, *length, *output])?)
            }
        })
    }
}

/// Channels of convolutions that each halve a side, until it is `small`.
fn channels(side: usize, small: usize) -> Vec<usize> {
    let sides = std::iter::successors(Some(side), |side| Some(side.div_ceil(2)));
    let n = sides.take_while(|&side| side > small).count().clamp(1, 4);
    let channels = std::iter::successors(Some(CHANNELS), |n| Some((2 * n).min(MOST_CHANNELS)));
    channels.take(n).collect()
}
