//! What a step sees, and its random numbers.

use candle_core::{Device, Result, Tensor};
use consilience_data::{Features, Rng, Seed, Stream};

use crate::engine::noise::{Noise, Place};
use crate::numerics::elementary::vectorised;
use crate::preparation::moments::moments;

/// The random numbers of an epoch. An encoder is a single model.
pub(crate) struct Draws {
    /// How images are moved.
    pub(crate) moves: Rng,
    /// What is hidden.
    pub(crate) hidden: Rng,
    noise: Noise,
    step: u32,
    /// Matrices of noise so far in this step.
    matrix: usize,
}

impl Draws {
    pub(crate) fn new(seed: Seed, epoch: u64) -> Self {
        let model = 0;
        Self {
            moves: seed.rng(Stream::Move { model, epoch }),
            hidden: seed.rng(Stream::Hidden { model, epoch }),
            noise: Noise::new(seed.rng(Stream::Noise { model, epoch })),
            step: 0,
            matrix: 0,
        }
    }

    /// The next step begins.
    pub(crate) fn next_step(&mut self) {
        (self.step, self.matrix) = (self.step + 1, 0);
    }

    /// Adds normal noise of this standard deviation to rows of `width` values.
    pub(crate) fn add_noise(&mut self, values: &mut [f32], width: usize, std: f64) {
        if std == 0.0 {
            return;
        }
        let place = Place::corrupted(self.step, self.matrix, false);
        self.matrix += 1;
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        let std = std as f32;
        for (row, values) in values.chunks_mut(width).enumerate() {
            vectorised(
                #[inline(always)]
                || self.noise.add(place, row, std, values),
            );
        }
    }

    /// As many standard normal numbers as a tensor of this shape has.
    pub(crate) fn normal(&mut self, (rows, width): (usize, usize)) -> Result<Tensor> {
        let mut values = vec![0.0; rows * width];
        self.add_noise(&mut values, width, 1.0);
        tensor(values, width)
    }

    /// Sets each value to 0 with this probability; which were, 1 for each.
    pub(crate) fn hide(&mut self, values: &mut [f32], share: f64) -> Vec<f32> {
        if share == 0.0 {
            return vec![0.0; values.len()];
        }
        let hide = |value: &mut f32| {
            let hidden = self.hidden.uniform() < share;
            if hidden {
                *value = 0.0;
            }
            f32::from(u8::from(hidden))
        };
        values.iter_mut().map(hide).collect()
    }
}

/// The rows of some samples, one after the other.
pub(crate) fn rows(features: &Features, samples: &[usize]) -> Vec<f32> {
    samples.iter().flat_map(|&sample| features.row(sample)).copied().collect()
}

/// Rows of `width` values as a tensor of shape (1, n, width).
pub(crate) fn tensor(values: Vec<f32>, width: usize) -> Result<Tensor> {
    let n = values.len() / width;
    Tensor::from_vec(values, (1, n, width), &Device::Cpu)
}

/// The root mean variance of features: what noise is measured in.
#[expect(clippy::cast_precision_loss, reason = "a width")]
pub(crate) fn spread(features: &Features) -> f64 {
    let (_, variances) = moments(&features.view());
    (variances.iter().sum::<f64>() / variances.len() as f64).sqrt()
}
