//! Batch normalisation without scale and shift (Ioffe and Szegedy, 2015).

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::{slice, tensor, with_slices};

/// Added to variances, so that a unit that never changes is 0 and not a division by zero.
const EPSILON: f32 = 1e-5;

/// Mean and 1 / standard deviation of every unit, length width each: of a batch, or of the population.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statistics {
    pub(crate) mean: Vec<f32>,
    pub(crate) inverse_std: Vec<f32>,
}

impl Statistics {
    /// From means and (biased) variances.
    pub(crate) fn new(mean: Vec<f32>, variance: &[f32]) -> Self {
        let inverse_std =
            variance.iter().map(|variance| (variance + EPSILON).sqrt().recip()).collect();
        Self { mean, inverse_std }
    }

    /// Of a batch, shape (n, width).
    pub(crate) fn of(batch: &Tensor) -> Result<Self> {
        let (rows, width) = batch.dims2()?;
        with_slices([batch], |[values]| {
            #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
            let scale = 1.0 / rows as f32;
            let mut mean = vec![0.0; width];
            for row in values.chunks_exact(width) {
                mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
            mean.iter_mut().for_each(|sum| *sum *= scale);
            let mut variance = vec![0.0; width];
            for row in values.chunks_exact(width) {
                for ((sum, value), mean) in variance.iter_mut().zip(row).zip(&mean) {
                    *sum += (value - mean) * (value - mean);
                }
            }
            variance.iter_mut().for_each(|sum| *sum *= scale);
            Self::new(mean, &variance)
        })
    }

    /// The variance of every unit, as it was given to [`Statistics::new`] up to rounding.
    pub(crate) fn variance(&self) -> Vec<f32> {
        self.inverse_std.iter().map(|inverse| (inverse * inverse).recip() - EPSILON).collect()
    }
}

struct Normalise {
    statistics: Arc<Statistics>,
}

/// (`input` - mean) / standard deviation, shape (n, width). O(n width).
///
/// The gradient is that of a batch normalised with its own statistics, which `statistics` must be wherever a gradient
/// is asked for.
pub(crate) fn normalise(input: &Tensor, statistics: &Arc<Statistics>) -> Result<Tensor> {
    input.apply_op1(Normalise { statistics: Arc::clone(statistics) })
}

impl CustomOp1 for Normalise {
    fn name(&self) -> &'static str {
        "normalise"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let input = slice(storage, layout)?;
        let Statistics { mean, inverse_std } = &*self.statistics;
        let mut result = Vec::with_capacity(input.len());
        for row in input.chunks_exact(mean.len()) {
            let units = row.iter().zip(mean).zip(inverse_std);
            result.extend(units.map(|((value, mean), inverse_std)| (value - mean) * inverse_std));
        }
        Ok((CpuStorage::F32(result), layout.shape().clone()))
    }

    /// With y = (x - mean) / std and g the gradient of y: (g - mean(g) - y mean(g y)) / std.
    fn bwd(&self, input: &Tensor, result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (rows, width) = input.dims2()?;
        let inverse_std = &self.statistics.inverse_std;
        let of_input = with_slices([result, gradient], |[result, gradient]| {
            #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
            let scale = 1.0 / rows as f32;
            let (mut mean, mut mean_product) = (vec![0.0; width], vec![0.0; width]);
            for (y, g) in result.chunks_exact(width).zip(gradient.chunks_exact(width)) {
                for ((mean, product), (y, g)) in
                    mean.iter_mut().zip(&mut mean_product).zip(y.iter().zip(g))
                {
                    *mean += g * scale;
                    *product += g * y * scale;
                }
            }
            let mut of_input = Vec::with_capacity(result.len());
            for (y, g) in result.chunks_exact(width).zip(gradient.chunks_exact(width)) {
                let units = y.iter().zip(g).zip(mean.iter().zip(&mean_product)).zip(inverse_std);
                of_input.extend(units.map(|(((y, g), (mean, product)), inverse_std)| {
                    (g - mean - y * product) * inverse_std
                }));
            }
            of_input
        })?;
        Ok(Some(tensor(of_input, input.shape())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{assert_close, assert_gradients, random};

    fn normalise_batch(input: &Tensor) -> Result<Tensor> {
        normalise(input, &Arc::new(Statistics::of(input)?))
    }

    #[test]
    fn equals_candles_own() {
        let input = random(1, (6, 3));
        let centred = input.broadcast_sub(&input.mean_keepdim(0).unwrap()).unwrap();
        let variance = centred.sqr().unwrap().mean_keepdim(0).unwrap();
        let std = (variance + f64::from(EPSILON)).unwrap().sqrt().unwrap();
        let composed = centred.broadcast_div(&std).unwrap();
        assert_close(&normalise_batch(&input).unwrap(), &composed, 1e-5);
    }

    #[test]
    fn gradients_equal_finite_differences() {
        assert_gradients(&[random(2, (6, 3))], |t| normalise_batch(&t[0]));
    }

    #[test]
    fn a_constant_unit_stays_finite() {
        let input = tensor(vec![5.0; 8], (8, 1)).unwrap();
        let result =
            normalise_batch(&input).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(result, [0.0; 8]);
    }
}
