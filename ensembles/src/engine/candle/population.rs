//! Statistics of layers over all samples, with which a sample's prediction doesn't depend on its batch.

use candle_core::{Result, Tensor};

use super::Stack;
use super::ops::Statistics;
use super::parameters::to_host;
use super::train::Resident;
use crate::members::weights;

impl Stack {
    /// Computes and stores the statistics of every normalised layer over all samples, from the first layer up, each
    /// with the stored statistics of those below. O(layers) passes over the data.
    ///
    /// Chunks' means and squares about them are the device's; they are put together in f64 (Chan et al., 1979).
    pub(super) fn fit_population(&mut self, resident: &Resident) -> Result<()> {
        let mut fitted = self.encoder.frozen();
        for index in 0..fitted.layers.len() {
            if !fitted.layers[index].normalised {
                continue;
            }
            let models = fitted.layers[index].weight.dims()[0];
            let (mut rows, mut chunks) = (Vec::new(), Vec::new());
            for chunk in resident.chunks(models) {
                let product = fitted.product(&chunk?, index)?;
                let mean = product.mean_keepdim(1)?;
                let squares = product.broadcast_sub(&mean)?.sqr()?.sum_keepdim(1)?;
                rows.push(product.dims()[1]);
                chunks.push(Tensor::cat(&[mean, squares], 1)?);
            }
            // (chunks, models, 2, width)
            let values = to_host(&Tensor::stack(&chunks, 0)?)?;
            let width = values.len() / (rows.len() * models * 2);
            let merged = merge(&values, &rows, models, width);
            let merged = Tensor::from_vec(merged, (models, 2, width), &resident.device)?;
            fitted.layers[index].population = Some(Statistics(merged));
        }
        for (layer, fitted) in self.encoder.layers.iter_mut().zip(fitted.layers) {
            layer.population = fitted.population;
        }
        Ok(())
    }
}

/// Means and 1 / standard deviations from means and squares of chunks, shape (models, 2, width).
///
/// `values`: mean and sum of squares about it, shape (chunks, models, 2, width); `rows` of each chunk.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "f64 sums, f32 storage"
)]
fn merge(values: &[f32], rows: &[usize], models: usize, width: usize) -> Vec<f32> {
    let n = rows.iter().sum::<usize>() as f64;
    let mut merged = Vec::with_capacity(models * 2 * width);
    for model in 0..models {
        let (mut means, mut variances) = (Vec::new(), Vec::new());
        for unit in 0..width {
            let of_chunks = |part: usize| {
                let chunks = values.chunks_exact(models * 2 * width);
                let value =
                    move |chunk: &[f32]| f64::from(chunk[(model * 2 + part) * width + unit]);
                chunks.map(value).zip(rows.iter().map(|&rows| rows as f64))
            };
            let mean = of_chunks(0).map(|(mean, rows)| mean * rows).sum::<f64>() / n;
            let between: f64 =
                of_chunks(0).map(|(of_chunk, rows)| (of_chunk - mean).powi(2) * rows).sum();
            let within: f64 = of_chunks(1).map(|(squares, _)| squares).sum();
            means.push(mean as f32);
            variances.push(((between + within) / n) as f32);
        }
        let of_model = weights::Statistics::new(means, &variances);
        merged.extend([of_model.mean, of_model.inverse_std].concat());
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far from 0, where squares of values would lose the variance.
    #[test]
    fn chunks_of_different_sizes_make_the_whole() {
        let values = [1000.0_f32, 1001.0, 1002.0, 1005.0, 1007.0];
        let chunk = |values: &[f32]| {
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            [mean, values.iter().map(|value| (value - mean).powi(2)).sum()]
        };
        let chunks = [chunk(&values[..3]), chunk(&values[3..])].concat();
        let merged = merge(&chunks, &[3, 2], 1, 1);
        // numpy: mean 1003, variance 6.8
        assert!((merged[0] - 1003.0).abs() < 1e-4);
        assert!((merged[1] - (6.8f32 + 1e-5).sqrt().recip()).abs() < 1e-5, "{merged:?}");
    }
}
