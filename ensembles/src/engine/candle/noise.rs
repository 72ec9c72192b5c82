//! Normal random numbers of a step, for every model from its own stream.

use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

use super::host;
use super::kernels::fused;
use super::ops::Way;

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
    pub(super) fn add_to(
        &self,
        way: Way,
        values: &Tensor,
        std: f64,
        place: Place,
    ) -> Result<Tensor> {
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        match way {
            Way::Composed => {}
            Way::Host => return host::add_noise(values, &self.streams, std as f32, place),
            Way::Kernels => return fused::add_noise(values, &self.keys, std as f32, place),
        }
        let (models, rows, width) = values.dims3()?;
        debug_assert_eq!(models, self.streams.len());
        let mut noise = vec![0.0; models * rows * width];
        noise.par_chunks_exact_mut(width).enumerate().for_each(|(index, noise)| {
            vectorised(
                #[inline(always)]
                || self.streams[index / rows].draw(place, index % rows, 0, noise),
            );
        });
        let noise = Tensor::from_vec(noise, (models, rows, width), values.device())?;
        values + (noise.to_dtype(values.dtype())? * std)?
    }
}
