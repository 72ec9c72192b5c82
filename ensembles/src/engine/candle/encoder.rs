//! The networks that map samples to clusters: the ladder's encoder, and the whole of a plain network.

use candle_core::{DType, Device, Result, Tensor};

use super::Part;
use super::noise::Streams;
use super::ops::{Statistics, linear, normalise, shift_relu};
use crate::engine::noise::Place;
use crate::members::weights::{self, Weights};

/// One fully connected layer of every model: product, batch normalisation, shift, rectifier. The last has no rectifier.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    /// (models, in, out)
    pub(super) weight: Tensor,
    /// (models, 1, out)
    pub(super) shift: Tensor,
    /// (models, 1, out); only of a normalised last layer.
    pub(super) scale: Option<Tensor>,
    pub(super) normalised: bool,
    pub(super) population: Option<Statistics>,
}

/// Fully connected layers from features to logits.
#[derive(Debug, Clone)]
pub(super) struct Encoder {
    pub(super) layers: Vec<Layer>,
}

/// Gaussian noise on the input and on every layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Corruption<'a> {
    pub(super) std: f64,
    pub(super) streams: &'a Streams,
    pub(super) step: u32,
    /// Whether the batch is that of labelled samples.
    pub(super) labelled: bool,
}

/// What a batch turned into on its way up. Index 0 is the input, the last the logits' layer.
pub(super) struct Pass {
    /// z of every layer, noise included, shape (models, n, width) each.
    pub(super) activations: Vec<Tensor>,
    /// What z was normalised with, where it was.
    pub(super) statistics: Vec<Option<Statistics>>,
    /// Shape (models, n, n_clusters).
    pub(super) logits: Tensor,
}

impl Encoder {
    /// `upload` puts the same parameter of all `members` on the device.
    pub(super) fn upload(
        members: &[&Weights],
        dtype: DType,
        device: &Device,
        upload: &mut dyn FnMut(Part<'_>) -> Result<Tensor>,
    ) -> Result<Self> {
        let mut layers = Vec::new();
        for (index, layer) in members[0].encoder.iter().enumerate() {
            layers.push(Layer {
                weight: upload(&|weights| &weights.encoder[index].weight)?,
                shift: upload(&|weights| &weights.encoder[index].shift)?,
                scale: match &layer.scale {
                    None => None,
                    Some(_) => Some(upload(&|weights| {
                        weights.encoder[index].scale.as_ref().expect("networks of one shape")
                    })?),
                },
                normalised: layer.normalised,
                population: population(members, index, dtype, device)?,
            });
        }
        Ok(Self { layers })
    }

    /// The same networks with their weights held fixed: gradients flow to the input alone.
    pub(super) fn frozen(&self) -> Self {
        let mut frozen = self.clone();
        for layer in &mut frozen.layers {
            layer.weight = layer.weight.detach();
            layer.shift = layer.shift.detach();
            layer.scale = layer.scale.as_ref().map(Tensor::detach);
        }
        frozen
    }

    /// Sends a batch, shape (models, n, n_features), up, normalised with its own statistics.
    pub(super) fn forward(
        &self,
        input: &Tensor,
        corruption: Option<Corruption<'_>>,
    ) -> Result<Pass> {
        let corrupt = |layer: usize, z: Tensor| match corruption {
            Some(corruption) => corruption.add_to(&z, layer),
            None => Ok(z),
        };
        let mut hidden = corrupt(0, input.clone())?;
        let mut activations = vec![hidden.clone()];
        let mut statistics = vec![None];
        for (index, layer) in self.layers.iter().enumerate() {
            let product = linear(&hidden, &layer.weight)?;
            let (z, used) = if layer.normalised {
                let (z, used) = normalise(&product)?;
                (z, Some(used))
            } else {
                (product, None)
            };
            let z = corrupt(index + 1, z)?;
            hidden = if index + 1 < self.layers.len() {
                shift_relu(&z, &layer.shift)?
            } else {
                layer.to_logits(&z)?
            };
            activations.push(z);
            statistics.push(used);
        }
        Ok(Pass { activations, statistics, logits: hidden })
    }

    /// Products of layer `index` with its weight, shape (models, n, width), with the population statistics of all layers
    /// below. `input`: (models, n, n_features).
    pub(super) fn product(&self, input: &Tensor, index: usize) -> Result<Tensor> {
        let mut hidden = input.clone();
        for layer in &self.layers[..index] {
            let z = layer.with_population(&linear(&hidden, &layer.weight)?)?;
            hidden = shift_relu(&z, &layer.shift)?;
        }
        linear(&hidden, &self.layers[index].weight)
    }

    /// Logits with population statistics, shape (models, n, n_clusters): a sample's don't depend on its batch.
    pub(super) fn logits(&self, input: &Tensor) -> Result<Tensor> {
        let last = self.layers.len() - 1;
        let layer = &self.layers[last];
        layer.to_logits(&layer.with_population(&self.product(input, last)?)?)
    }
}

impl Layer {
    fn with_population(&self, product: &Tensor) -> Result<Tensor> {
        match &self.population {
            Some(statistics) => statistics.apply(product),
            None => Ok(product.clone()),
        }
    }

    /// Of the last layer.
    fn to_logits(&self, z: &Tensor) -> Result<Tensor> {
        let shifted = z.broadcast_add(&self.shift)?;
        match &self.scale {
            Some(scale) => shifted.broadcast_mul(scale),
            None => Ok(shifted),
        }
    }
}

impl Corruption<'_> {
    /// `z`, shape (models, n, width), with noise; layer 0 is the input.
    fn add_to(self, z: &Tensor, layer: usize) -> Result<Tensor> {
        let place = Place::corrupted(self.step, layer, self.labelled);
        self.streams.add_to(z, self.std, place)
    }
}

/// Population statistics of layer `index`, where all models have them.
fn population(
    members: &[&Weights],
    index: usize,
    dtype: DType,
    device: &Device,
) -> Result<Option<Statistics>> {
    let of_models: Option<Vec<&weights::Statistics>> =
        members.iter().map(|weights| weights.encoder[index].population.as_ref()).collect();
    let Some(of_models) = of_models else { return Ok(None) };
    let values: Vec<f32> =
        of_models.iter().flat_map(|of| [&of.mean, &of.inverse_std]).flatten().copied().collect();
    let stacked = Tensor::from_vec(values, (of_models.len(), 2, ()), device)?;
    Ok(Some(Statistics(stacked.to_dtype(dtype)?)))
}
