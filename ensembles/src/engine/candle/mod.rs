//! Networks of one shape trained as one: every tensor has a first dimension for the models, so that a GPU's matrix
//! products are large enough to keep it busy.
//!
//! Nothing is shared among the models of a stack: the loss is the sum of theirs, and a parameter's gradient that of its
//! own model's loss. Batches, noise and labels come from each model's own streams, so that a model becomes the same
//! whatever it is stacked with.

#![cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "used where there is a GPU"))]

mod adam;
mod decoder;
mod encoder;
#[cfg(all(feature = "cuda", test))]
mod gpu_tests;
#[cfg(any(feature = "cuda", test))]
pub(crate) mod kernels;
mod losses;
mod noise;
mod ops;
mod parameters;
mod perturbation;
mod population;
#[cfg(test)]
mod tests;
mod train;
#[cfg(test)]
mod train_tests;

use candle_core::{DType, Device, Result, Tensor};

use decoder::Decoder;
use encoder::{Corruption, Encoder};
use losses::{consistency, cross_entropy, dot_product, information_maximisation};
use parameters::{Parameter, to_host};

use crate::engine::noise::Place;
use crate::members::sizes::Prior;
use crate::members::weights::{self, Weights};
use crate::preparation::shift::Shift;
use crate::{Consistency, Objective, ValidNetworkParams};

pub(crate) use noise::Streams;
#[cfg_attr(not(feature = "cuda"), allow(unused_imports, reason = "used where there is a GPU"))]
pub(crate) use train::{Member, Resident, Trained, predict, train};

/// Networks of one shape, with one set of parameters, on a device.
#[derive(Debug)]
pub(crate) struct Stack {
    params: ValidNetworkParams,
    /// Over cluster sizes: ln(K prior), shape (models, 1, n_clusters).
    prior: Tensor,
    /// Feature values' spread (the root of their total variance), of which the probe's length is a multiple.
    spread: f32,
    encoder: Encoder,
    decoder: Option<Decoder>,
    /// In the order of [`Weights::parameters`].
    parameters: Vec<Parameter>,
}

/// What the models of a stack see in one step, each its own.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Counted within the epoch.
    pub(crate) step: u32,
    /// Whether the decoder works in this round.
    pub(crate) decoder: bool,
    /// Shape (models, n, n_features).
    pub(crate) samples: Tensor,
    /// Distances to a neighbour, by which samples are moved, shape (models, n, 1); needed if the consistency term moves
    /// samples.
    pub(crate) distances: Option<Tensor>,
    /// A neighbour of every sample, shape (models, n, n_features), if the loss has a term for them.
    pub(crate) neighbours: Option<Tensor>,
    /// By how many pixels images are moved, down and to the right.
    pub(crate) shift: [f32; 2],
    pub(crate) labelled: Option<Labelled>,
    /// Of corrupted encoders.
    pub(crate) noise: Streams,
    /// Of directions in which samples are moved.
    pub(crate) perturbation: Streams,
}

/// Samples with pseudo-labels.
#[derive(Debug)]
pub(crate) struct Labelled {
    /// Shape (models, n, n_features).
    pub(crate) samples: Tensor,
    /// Shape (models, n, 1), of type u32.
    pub(crate) labels: Tensor,
}

/// Values by the names of parameters, in the order of [`Weights::parameters`].
#[cfg(test)]
pub(crate) type Named = Vec<(String, Vec<f32>)>;

impl Stack {
    /// Copies what `members` have learnt to `device`. They have the same shape, and were trained for as many steps.
    ///
    /// `spread`: that of the data, of [`crate::Prepared`].
    pub(crate) fn new(
        params: &ValidNetworkParams,
        spread: f32,
        members: &[&Weights],
        device: &Device,
    ) -> Result<Self> {
        Self::of_type(params, spread, members, DType::F32, device)
    }

    /// Networks that don't learn any more, for predictions alone: without decoder and moments.
    fn fixed(params: &ValidNetworkParams, members: &[&Weights], device: &Device) -> Result<Self> {
        let mut upload = |part: Part<'_>| {
            let of_models: Vec<_> = members.iter().map(|weights| part(weights)).collect();
            parameters::values(&of_models, DType::F32, device)
        };
        let encoder = Encoder::upload(members, DType::F32, device, &mut upload)?;
        let prior = unlearned(params, members, DType::F32, device)?;
        let (params, parameters) = (params.clone(), Vec::new());
        Ok(Self { params, prior, spread: 0.0, encoder, decoder: None, parameters })
    }

    pub(crate) fn of_type(
        params: &ValidNetworkParams,
        spread: f32,
        members: &[&Weights],
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let mut parameters = Vec::new();
        let mut upload = |part: Part<'_>| {
            let of_models: Vec<_> = members.iter().map(|weights| part(weights)).collect();
            let parameter = Parameter::upload(&of_models, dtype, device)?;
            let tensor = parameter.value.as_tensor().clone();
            parameters.push(parameter);
            Ok(tensor)
        };
        let encoder = Encoder::upload(members, dtype, device, &mut upload)?;
        let decoder = match &members[0].decoder {
            None => None,
            Some(first) => Some(Decoder::upload(first, &mut upload)?),
        };
        let prior = unlearned(params, members, dtype, device)?;
        Ok(Self { params: params.clone(), prior, spread, encoder, decoder, parameters })
    }

    /// Writes everything back to where it came from.
    pub(crate) fn download(&self, members: &mut [&mut Weights]) -> Result<()> {
        let mut of_members: Vec<_> =
            members.iter_mut().map(|weights| weights.parameters_mut()).collect();
        for parameter in &self.parameters {
            let mut of_models: Vec<&mut weights::Parameter> = of_members
                .iter_mut()
                .map(|parameters| parameters.next().expect("as many parameters as were uploaded"))
                .collect();
            parameter.download(&mut of_models)?;
        }
        drop(of_members);
        for (index, layer) in self.encoder.layers.iter().enumerate() {
            let Some(statistics) = &layer.population else { continue };
            let values = to_host(&statistics.0)?;
            let width = values.len() / members.len() / 2;
            for (weights, values) in members.iter_mut().zip(values.chunks_exact(2 * width)) {
                let (mean, inverse_std) = values.split_at(width);
                weights.encoder[index].population = Some(weights::Statistics {
                    mean: mean.to_vec(),
                    inverse_std: inverse_std.to_vec(),
                });
            }
        }
        Ok(())
    }

    /// Every model's loss of one step, shape (models): the objective and consistency, and, where they are at work, the
    /// decoder's cost and the pseudo-labels' cross-entropy.
    fn losses(&self, batch: &Batch) -> Result<Tensor> {
        let params = &self.params;
        let decoder = self.decoder.as_ref().filter(|_| batch.decoder);
        let clean = self.encoder.forward(&batch.samples, None)?;
        let corrupted = match params.corrupts(decoder.is_some()) {
            true => Some(self.encoder.forward(&batch.samples, self.corruption(batch, false))?),
            false => None,
        };
        let of_corrupted = corrupted.as_ref().map(|corrupted| &corrupted.logits);
        let mut loss = self.objective(&clean.logits, of_corrupted)?;
        if let Some(corrupted) = corrupted {
            if params.consistency == Consistency::NoiseKl {
                let change = consistency(&clean.logits, &corrupted.logits)?;
                loss = (loss + (change * params.consistency_weight)?)?;
            }
            if let Some(decoder) = decoder {
                loss = (loss + decoder.cost(&clean, &corrupted)?)?;
            }
        }
        if let Some(moved) = self.moved(batch, &clean.logits)? {
            let answer = self.encoder.forward(&moved, None)?.logits;
            let change = consistency(&clean.logits, &answer)?;
            loss = (loss + (change * params.consistency_weight)?)?;
        }
        if let Some(neighbours) = &batch.neighbours {
            let answer = self.encoder.forward(neighbours, None)?.logits;
            let change = consistency(&clean.logits, &answer)?;
            loss = (loss + (change * params.neighbour_weight)?)?;
        }
        if let Some(image) = params.moved_image() {
            let shifted = Shift::new(image, batch.shift).of_tensor(&batch.samples)?;
            let answer = self.encoder.forward(&shifted, None)?.logits;
            let change = consistency(&clean.logits, &answer)?;
            loss = (loss + (change * params.shift_weight)?)?;
        }
        if let Some(labelled) = &batch.labelled {
            let corruption = self.corruption(batch, true);
            let corrupted = self.encoder.forward(&labelled.samples, corruption)?;
            let cost = cross_entropy(&corrupted.logits, &labelled.labels)?;
            loss = (loss + (cost * params.label_weight)?)?;
        }
        Ok(loss)
    }

    /// What makes answers clusters, from logits.
    fn objective(&self, clean: &Tensor, corrupted: Option<&Tensor>) -> Result<Tensor> {
        let (params, weight) = (&self.params, self.params.im_weight);
        let information =
            |logits: &Tensor| information_maximisation(logits, &self.prior, params.im_mu)? * weight;
        match (params.objective, corrupted) {
            (Objective::DotProduct, Some(corrupted)) => dot_product(clean, corrupted)? * weight,
            (_, Some(corrupted)) => information(clean)? + information(corrupted)?,
            (_, None) => information(clean),
        }
    }

    /// The batch moved by small steps, if the consistency term asks for it.
    fn moved(&self, batch: &Batch, logits: &Tensor) -> Result<Option<Tensor>> {
        let Some(distances) = &batch.distances else { return Ok(None) };
        if !self.params.consistency.moves_samples() {
            return Ok(None);
        }
        let samples = &batch.samples;
        let directions = samples.zeros_like()?;
        let directions =
            batch.perturbation.add_to(&directions, 1.0, Place::direction(batch.step))?;
        let radii = (distances * self.params.radius)?;
        let moved = if self.params.consistency == Consistency::Random {
            perturbation::random(samples, &directions, &radii)?
        } else {
            let probe = self.params.probe * f64::from(self.spread);
            let reach = (&radii, probe);
            perturbation::adversarial(&self.encoder, samples, logits, &directions, reach)?
        };
        Ok(Some(moved))
    }

    fn corruption<'a>(&self, batch: &'a Batch, labelled: bool) -> Option<Corruption<'a>> {
        let (std, step) = (self.params.noise_std, batch.step);
        (std > 0.0).then_some(Corruption { std, streams: &batch.noise, step, labelled })
    }

    #[cfg(test)]
    /// Every model's loss of one step, and the gradients of its parameters. A parameter that had no part in the loss is
    /// left out.
    pub(crate) fn loss_and_gradients(&self, batch: &Batch) -> Result<(Vec<f32>, Vec<Named>)> {
        let losses = self.losses(batch)?;
        let gradients = losses.sum_all()?.backward()?;
        let losses = to_host(&losses)?;
        let mut of_models = vec![Vec::new(); losses.len()];
        for parameter in &self.parameters {
            let Some(gradient) = gradients.get(&parameter.value) else { continue };
            let values = to_host(gradient)?;
            let length = values.len() / losses.len();
            for (named, values) in of_models.iter_mut().zip(values.chunks_exact(length)) {
                named.push((parameter.name.clone(), values.to_vec()));
            }
        }
        Ok((losses, of_models))
    }
}

/// One parameter of a model.
type Part<'a> = &'a dyn Fn(&Weights) -> &weights::Parameter;

/// Priors of models, from `params` alone, as [`Stack::prior`].
fn unlearned(
    params: &ValidNetworkParams,
    members: &[&Weights],
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    let prior = |weights: &&Weights| params.sizes.unlearned(weights.n_clusters());
    priors(&members.iter().map(prior).collect::<Vec<_>>(), dtype, device)
}

/// Shape (models, 1, n_clusters).
fn priors(of_models: &[Prior], dtype: DType, device: &Device) -> Result<Tensor> {
    let values: Vec<&[f32]> = of_models.iter().map(Prior::log_multiples).collect();
    Tensor::from_vec(values.concat(), (of_models.len(), 1, ()), device)?.to_dtype(dtype)
}

/// `tensor` held constant: no gradient flows into it.
fn held(tensor: &Tensor) -> Tensor {
    #[cfg(test)]
    let tensor = &tests::held(tensor);
    tensor.detach()
}
