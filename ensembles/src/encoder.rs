//! The network that maps samples to clusters: the ladder's encoder, and the whole of a plain network.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor, Var};
use consilience_data::{Features, Rng};

use crate::ops::{Statistics, linear, normalise, shift_relu};

/// Rows of data that go through a network at a time when nothing is learnt. Part of the result only through
/// the rounding of matrix products, hence fixed.
const CHUNK: usize = 1000;

/// One fully connected layer: product, batch normalisation, shift, rectifier. The last has no rectifier.
#[derive(Debug, Clone)]
struct Layer {
    /// (in, out)
    weight: Tensor,
    /// (out)
    shift: Tensor,
    /// (out); only of a normalised last layer: elsewhere the next product takes its place.
    scale: Option<Tensor>,
    normalised: bool,
    population: Option<Arc<Statistics>>,
}

/// Fully connected layers from features to logits.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    layers: Vec<Layer>,
}

/// What a layer's values are normalised with, and whether noise is added to them.
pub(crate) enum Mode<'a> {
    /// The batch's own statistics.
    Batch,
    /// The batch's own statistics; Gaussian noise on the input and on every layer.
    Corrupted { std: f32, rng: &'a mut Rng },
    /// Statistics stored by [`Encoder::fit_population`]: a sample's result doesn't depend on its batch.
    Population,
}

/// What a batch turned into on its way up. Index 0 is the input, the last the logits' layer.
pub(crate) struct Pass {
    /// z of every layer, noise included, shape (n, width) each.
    pub(crate) activations: Vec<Tensor>,
    /// What z was normalised with, where it was.
    pub(crate) statistics: Vec<Option<Arc<Statistics>>>,
    /// Shape (n, n_clusters).
    pub(crate) logits: Tensor,
}

impl Encoder {
    /// Layers of `widths` (features, hidden..., clusters), with weights after He et al. (2015); `parameters` collects
    /// what can be learnt, by name.
    pub(crate) fn new(
        widths: &[usize],
        normalise_last: bool,
        rng: &mut Rng,
        parameters: &mut Parameters,
    ) -> Result<Self> {
        let last = widths.len() - 2;
        let layer = |(index, pair): (usize, &[usize])| -> Result<Layer> {
            let (input, output) = (pair[0], pair[1]);
            let gain = if index == last { 1.0 } else { 2.0 };
            let normalised = index < last || normalise_last;
            let name = |part: &str| format!("encoder.{index}.{part}");
            let scale = (normalised && index == last)
                .then(|| parameters.add(name("scale"), vec![1.0; output], &[output]))
                .transpose()?;
            Ok(Layer {
                weight: parameters.add_random(name("weight"), input, output, gain, rng)?,
                shift: parameters.add(name("shift"), vec![0.0; output], &[output])?,
                scale,
                normalised,
                population: None,
            })
        };
        Ok(Self { layers: widths.windows(2).enumerate().map(layer).collect::<Result<_>>()? })
    }

    /// The same network with its weights held fixed: gradients flow to the input alone.
    pub(crate) fn frozen(&self) -> Self {
        let mut frozen = self.clone();
        for layer in &mut frozen.layers {
            layer.weight = layer.weight.detach();
            layer.shift = layer.shift.detach();
            layer.scale = layer.scale.as_ref().map(Tensor::detach);
        }
        frozen
    }

    /// Sends a batch, shape (n, n_features), up.
    pub(crate) fn forward(&self, input: &Tensor, mut mode: Mode<'_>) -> Result<Pass> {
        let input = corrupt(input.clone(), &mut mode)?;
        let mut activations = vec![input.clone()];
        let mut statistics = vec![None];
        let mut hidden = input;
        for (index, layer) in self.layers.iter().enumerate() {
            let product = linear(&hidden, &layer.weight)?;
            let used = match (&mode, layer.normalised) {
                (_, false) => None,
                (Mode::Population, true) => layer.population.clone(),
                _ => Some(Arc::new(Statistics::of(&product)?)),
            };
            let z = used.as_ref().map_or(Ok(product.clone()), |used| normalise(&product, used))?;
            let z = corrupt(z, &mut mode)?;
            hidden = if index + 1 < self.layers.len() {
                shift_relu(&z, &layer.shift)?
            } else {
                let shifted = z.broadcast_add(&layer.shift)?;
                layer
                    .scale
                    .as_ref()
                    .map_or(Ok(shifted.clone()), |scale| shifted.broadcast_mul(scale))?
            };
            activations.push(z);
            statistics.push(used);
        }
        Ok(Pass { activations, statistics, logits: hidden })
    }

    /// Computes and stores the statistics of every normalised layer over all samples, from the first layer up, each
    /// with the stored statistics of those below. O(layers) passes over the data.
    pub(crate) fn fit_population(&mut self, features: &Features) -> Result<()> {
        for index in 0..self.layers.len() {
            if !self.layers[index].normalised {
                continue;
            }
            let below = Self { layers: self.layers[..index].to_vec() }.frozen();
            let weight = self.layers[index].weight.detach();
            let width = weight.dim(1)?;
            let (mut sum, mut sum_of_squares) = (vec![0.0; width], vec![0.0; width]);
            for chunk in chunks(features) {
                let product = linear(&below.hidden(&chunk?)?, &weight)?;
                for row in product.to_vec2::<f32>()? {
                    for ((sum, squares), value) in sum.iter_mut().zip(&mut sum_of_squares).zip(row)
                    {
                        let value = f64::from(value);
                        *sum += value;
                        *squares += value * value;
                    }
                }
            }
            self.layers[index].population =
                Some(Arc::new(from_sums(&sum, &sum_of_squares, features)));
        }
        Ok(())
    }

    /// Hidden values of all layers, the last included as if it had a rectifier, with population statistics.
    fn hidden(&self, input: &Tensor) -> Result<Tensor> {
        let mut hidden = input.clone();
        for layer in &self.layers {
            let product = linear(&hidden, &layer.weight)?;
            let z = layer
                .population
                .as_ref()
                .map_or(Ok(product.clone()), |used| normalise(&product, used))?;
            hidden = shift_relu(&z, &layer.shift)?;
        }
        Ok(hidden)
    }

    /// Logits of all samples with population statistics, chunk by chunk.
    pub(crate) fn logits<'a>(
        &'a self,
        features: &'a Features,
    ) -> impl Iterator<Item = Result<Tensor>> + 'a {
        let frozen = self.frozen();
        chunks(features).map(move |chunk| Ok(frozen.forward(&chunk?, Mode::Population)?.logits))
    }

    /// Population statistics by name, for saving beside the parameters.
    pub(crate) fn population(&self) -> Result<Vec<(String, Tensor)>> {
        let mut named = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let Some(statistics) = &layer.population else { continue };
            let width = statistics.mean.len();
            let mean = Tensor::from_slice(&statistics.mean, width, &Device::Cpu)?;
            let variance = Tensor::from_vec(statistics.variance(), width, &Device::Cpu)?;
            named.push((format!("encoder.{index}.population.mean"), mean));
            named.push((format!("encoder.{index}.population.variance"), variance));
        }
        Ok(named)
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "f64 sums, f32 storage"
)]
fn from_sums(sum: &[f64], sum_of_squares: &[f64], features: &Features) -> Statistics {
    let n = features.n_samples() as f64;
    let mean = sum.iter().map(|sum| (sum / n) as f32).collect();
    let variance: Vec<f32> = sum
        .iter()
        .zip(sum_of_squares)
        .map(|(sum, squares)| (squares / n - (sum / n).powi(2)).max(0.0) as f32)
        .collect();
    Statistics::new(mean, &variance)
}

fn corrupt(z: Tensor, mode: &mut Mode<'_>) -> Result<Tensor> {
    let Mode::Corrupted { std, rng } = mode else { return Ok(z) };
    let noise = rng.normal(z.elem_count()).into_iter().map(|value| value * *std).collect();
    let noise = Tensor::from_vec(noise, z.shape(), &Device::Cpu)?;
    z + noise
}

/// All samples in order, [`CHUNK`] rows at a time.
fn chunks(features: &Features) -> impl Iterator<Item = Result<Tensor>> + '_ {
    let width = features.n_features();
    features
        .as_slice()
        .chunks(CHUNK * width)
        .map(move |rows| Tensor::from_slice(rows, (rows.len() / width, width), &Device::Cpu))
}

/// Everything of a network that can be learnt, by name.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Vec<(String, Var)>);

impl Parameters {
    pub(crate) fn add(
        &mut self,
        name: String,
        values: Vec<f32>,
        shape: &[usize],
    ) -> Result<Tensor> {
        let variable = Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu)?)?;
        let tensor = variable.as_tensor().clone();
        self.0.push((name, variable));
        Ok(tensor)
    }

    /// A weight of shape (input, output), normal with variance `gain` / `input`.
    pub(crate) fn add_random(
        &mut self,
        name: String,
        input: usize,
        output: usize,
        gain: f32,
        rng: &mut Rng,
    ) -> Result<Tensor> {
        #[expect(clippy::cast_precision_loss, reason = "a width")]
        let std = (gain / input as f32).sqrt();
        let values = rng.normal(input * output).into_iter().map(|value| value * std).collect();
        self.add(name, values, &[input, output])
    }

    pub(crate) fn variables(&self) -> Vec<Var> {
        self.0.iter().map(|(_, variable)| variable.clone()).collect()
    }

    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, variable)| (name.as_str(), variable.as_tensor()))
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::{Seed, Stream};
    use ndarray::Array2;

    use super::*;
    use crate::ops::testing::{assert_close, assert_gradients, random};

    fn rng() -> Rng {
        Seed(1).rng(Stream::Weights { model: 0 })
    }

    #[test]
    fn gradients_of_the_input_equal_finite_differences() {
        for normalise_last in [false, true] {
            let encoder =
                Encoder::new(&[3, 6, 4], normalise_last, &mut rng(), &mut Parameters::default())
                    .unwrap();
            assert_gradients(&[random(2, (8, 3))], |t| {
                Ok(encoder.forward(&t[0], Mode::Batch)?.logits)
            });
        }
    }

    #[test]
    fn a_batch_of_everything_is_the_population() {
        let mut encoder =
            Encoder::new(&[3, 6, 6, 4], true, &mut rng(), &mut Parameters::default()).unwrap();
        let values = Seed(2).rng(Stream::Subset).normal(30);
        let features =
            Features::new(Array2::from_shape_vec((10, 3), values).unwrap(), "x").unwrap();
        encoder.fit_population(&features).unwrap();
        let all = chunks(&features).next().unwrap().unwrap();
        let of_batch = encoder.forward(&all, Mode::Batch).unwrap().logits;
        let of_population = encoder.logits(&features).next().unwrap().unwrap();
        assert_close(&of_population, &of_batch, 1e-4);
    }
}
