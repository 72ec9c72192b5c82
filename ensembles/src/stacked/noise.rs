//! Normal random numbers of a step, for every model from its own stream.

use candle_core::{Device, Result, Tensor};

use crate::math::vectorised;
use crate::noise::{Noise, Place};

/// One epoch's streams of one kind, a stream a model.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    streams: Vec<Noise>,
    device: Device,
}

impl Streams {
    pub(crate) fn new(streams: Vec<Noise>, device: &Device) -> Result<Self> {
        Ok(Self { streams, device: device.clone() })
    }

    /// Shape (models, `rows`, `width`).
    pub(super) fn draw(&self, place: Place, rows: usize, width: usize) -> Result<Tensor> {
        let models = self.streams.len();
        let mut values = vec![0.0; models * rows * width];
        vectorised(
            #[inline(always)]
            || {
                let of_models = values.chunks_exact_mut(rows * width);
                for (stream, values) in self.streams.iter().zip(of_models) {
                    for (row, values) in values.chunks_exact_mut(width).enumerate() {
                        stream.draw(place, row, 0, values);
                    }
                }
            },
        );
        Tensor::from_vec(values, (models, rows, width), &self.device)
    }
}
