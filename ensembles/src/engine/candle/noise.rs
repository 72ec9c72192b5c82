//! Normal random numbers of a step, for every model from its own stream.

use candle_core::{Device, Result, Tensor};

use crate::engine::noise::{Noise, Place};
use crate::numerics::elementary::vectorised;

/// One epoch's streams of one kind, a stream a model.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    streams: Vec<Noise>,
    /// The streams' keys on the device, shape (models, 2).
    keys: Tensor,
}

impl Streams {
    pub(crate) fn new(streams: Vec<Noise>, device: &Device) -> Result<Self> {
        let keys = streams.iter().flat_map(|stream| stream.key).collect();
        let keys = Tensor::from_vec(keys, (streams.len(), 2), device)?;
        Ok(Self { streams, keys })
    }

    /// `values`, shape (models, n, width), and `std` times normal numbers.
    pub(super) fn add_to(&self, values: &Tensor, std: f64, place: Place) -> Result<Tensor> {
        #[cfg(any(feature = "cuda", test))]
        if super::ops::has_kernels(values) {
            #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
            return super::kernels::fused::add_noise(values, &self.keys, std as f32, place);
        }
        let (models, rows, width) = values.dims3()?;
        debug_assert_eq!(models, self.streams.len());
        let mut noise = vec![0.0; models * rows * width];
        vectorised(
            #[inline(always)]
            || {
                let of_models = noise.chunks_exact_mut(rows * width);
                for (stream, noise) in self.streams.iter().zip(of_models) {
                    for (row, noise) in noise.chunks_exact_mut(width).enumerate() {
                        stream.draw(place, row, 0, noise);
                    }
                }
            },
        );
        let noise = Tensor::from_vec(noise, (models, rows, width), values.device())?;
        values + (noise.to_dtype(values.dtype())? * std)?
    }
}
