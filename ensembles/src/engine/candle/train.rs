//! Phases of training, and predictions, of as many models at once as a stack may hold.

use candle_core::{DType, Device, Result as TensorResult, Tensor};
use consilience_data::{ModelIdx, PseudoLabels, SoftAssignments, Stream};
use ndarray::Array2;

use super::noise::Streams;
use super::parameters::to_host;
use super::{Batch, Labelled, Stack, adam, priors};
use crate::device::while_training;
use crate::engine::batches::{Epoch, rates};
use crate::members::labels::LabelCycle;
use crate::members::sizes::Prior;
use crate::members::weights::Weights;
use crate::{EnsembleError, EpochEnd, Phase, Prepared, Progress, ValidNetworkParams};

/// Rows of data that go through a stack at a time when nothing is learnt.
const CHUNK: usize = 1000;

/// Data on a device, there for a whole run.
#[derive(Debug)]
pub(crate) struct Resident {
    pub(super) device: Device,
    /// Scaled features, shape (n_samples, n_features).
    features: Tensor,
    /// Every sample's distance to its neighbour, shape (n_samples, 1).
    distances: Option<Tensor>,
}

/// A model to be trained.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    pub(crate) model: ModelIdx,
    pub(crate) params: &'a ValidNetworkParams,
    pub(crate) weights: &'a mut Weights,
    /// Epochs over all phases, which number the random streams.
    pub(crate) epochs_done: u64,
}

/// A model to predict with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trained<'a> {
    pub(crate) model: ModelIdx,
    pub(crate) params: &'a ValidNetworkParams,
    pub(crate) weights: &'a Weights,
    pub(crate) epochs_done: u64,
}

impl Resident {
    /// Copies features and distances to `device`. O(n d).
    pub(crate) fn new(data: &Prepared, device: &Device) -> Result<Self, EnsembleError> {
        let features = data.features();
        let shape = (features.n_samples(), features.n_features());
        let distances = data.neighbour_distances();
        let upload = |distances: &[f32]| Tensor::from_slice(distances, (shape.0, 1), device);
        Ok(Self {
            device: device.clone(),
            features: Tensor::from_slice(features.as_slice(), shape, device)?,
            distances: distances.map(upload).transpose()?,
        })
    }

    /// Samples of every model, shape (models, n, n_features), and their distances, (models, n, 1).
    ///
    /// `samples`: (models, n), of type u32.
    fn gather(&self, samples: &Tensor) -> TensorResult<(Tensor, Option<Tensor>)> {
        let (models, rows) = samples.dims2()?;
        let samples = samples.flatten_all()?;
        let of = |values: &Tensor| values.index_select(&samples, 0)?.reshape((models, rows, ()));
        Ok((of(&self.features)?, self.distances.as_ref().map(of).transpose()?))
    }

    /// All samples in order, [`CHUNK`] at a time, the same for every model: shape (models, n, n_features).
    pub(super) fn chunks(&self, models: usize) -> impl Iterator<Item = TensorResult<Tensor>> + '_ {
        let n = self.features.dims()[0];
        (0..n).step_by(CHUNK).map(move |first| {
            let rows = self.features.narrow(0, first, CHUNK.min(n - first))?;
            rows.broadcast_left(models)?.contiguous()
        })
    }
}

/// Trains all `members` for one phase, at most `stack` of them at a time, and computes their population statistics.
/// A member's result doesn't depend on how many that are, but for the rounding of matrix products, which may differ from
/// one size to the other on a GPU.
///
/// `labels`: of every member, in its own numbering.
///
/// # Errors
///
/// [`EnsembleError::Diverged`] with the first member whose loss isn't finite, [`EnsembleError::Setting`] if distances are
/// missing or cluster sizes don't fit, [`EnsembleError::DeviceMemory`] if the stack is too large for the device,
/// [`EnsembleError::Tensor`] if it gives up. Members that were at work keep what they knew.
pub(crate) fn train(
    members: &mut [Member<'_>],
    data: &Prepared,
    resident: &Resident,
    phase: &Phase,
    labels: &[&PseudoLabels],
    stack: usize,
    progress: &dyn Progress,
) -> Result<(), EnsembleError> {
    debug_assert_eq!(members.len(), labels.len());
    need_distances(members, data)?;
    for member in &*members {
        member.params.check_clusters(member.weights.n_clusters())?;
        member.params.check_features(data.features().n_features())?;
    }
    let mut waiting: Vec<(&mut Member<'_>, Option<LabelCycle>)> = Vec::new();
    for (member, labels) in members.iter_mut().zip(labels) {
        let model = member.model.0.into();
        let mut rng = data.rng(Stream::Labels { model, epoch: member.epochs_done });
        let cycle = LabelCycle::new(labels, member.params.label_batch_size, &mut rng);
        waiting.push((member, cycle));
    }
    while let Some((first, cycle)) = waiting.first() {
        let like = Shape::of(first, cycle.as_ref());
        let mut together = Vec::new();
        let mut rest = Vec::new();
        for (member, cycle) in waiting {
            if together.len() < stack.max(1) && Shape::of(member, cycle.as_ref()) == like {
                together.push((member, cycle));
            } else {
                rest.push((member, cycle));
            }
        }
        waiting = rest;
        let (mut members, mut cycles): (Vec<_>, Vec<_>) = together.into_iter().unzip();
        let models = members.len();
        train_stack(&mut members, data, resident, phase, &mut cycles, progress)
            .map_err(|error| explained(error, models))?;
    }
    Ok(())
}

/// Every member's probabilities of all samples, with population statistics.
///
/// # Errors
///
/// As [`train`].
pub(crate) fn predict(
    members: &[Trained<'_>],
    data: &Prepared,
    resident: &Resident,
    stack: usize,
) -> Result<Vec<SoftAssignments>, EnsembleError> {
    let n = data.features().n_samples();
    let mut found = Vec::with_capacity(members.len());
    let mut rest = members;
    while let Some(first) = rest.first() {
        let like = |member: &&Trained<'_>| {
            member.params == first.params && member.weights.widths() == first.weights.widths()
        };
        let together = rest.iter().take(stack.max(1)).take_while(like).count();
        let (stacked, later) = rest.split_at(together);
        let weights: Vec<&Weights> = stacked.iter().map(|member| member.weights).collect();
        let probabilities = Stack::fixed(first.params, &weights, &resident.device)
            .and_then(|stack| stack.probabilities(resident))
            .map_err(|error| while_training(error, together))?;
        let n_clusters = first.weights.n_clusters();
        for (member, values) in stacked.iter().zip(probabilities) {
            // The last step's weights have no loss that would show it.
            if !values.iter().all(|value| value.is_finite()) {
                return Err(diverged(member.model, member.params, member.epochs_done));
            }
            let values = Array2::from_shape_vec((n, n_clusters), values);
            found.push(SoftAssignments::new(values.expect("a row for every sample")));
        }
        rest = later;
    }
    Ok(found)
}

/// What models of one stack have in common.
#[derive(PartialEq)]
struct Shape {
    params: ValidNetworkParams,
    widths: Vec<usize>,
    labelled: Option<usize>,
    /// Steps of every parameter.
    steps: Vec<i32>,
}

impl Shape {
    fn of(member: &Member<'_>, cycle: Option<&LabelCycle>) -> Self {
        Self {
            params: member.params.clone(),
            widths: member.weights.widths(),
            labelled: cycle.map(LabelCycle::batch_len),
            steps: member.weights.parameters().map(|parameter| parameter.steps).collect(),
        }
    }
}

fn train_stack(
    members: &mut [&mut Member<'_>],
    data: &Prepared,
    resident: &Resident,
    phase: &Phase,
    cycles: &mut [Option<LabelCycle>],
    progress: &dyn Progress,
) -> Result<(), EnsembleError> {
    let params = members[0].params;
    let n = data.trainable().len();
    let steps = phase.epochs * (n / params.batch_size.min(n));
    let mut rates = rates(params.learning_rate, steps, phase.anneal);
    let weights: Vec<&Weights> = members.iter().map(|member| &*member.weights).collect();
    let mut stack = Stack::new(params, data.spread(), &weights, &resident.device)?;
    if params.sizes.learns_in(phase.round) && weights.iter().all(|weights| weights.is_fitted()) {
        stack.learn_sizes(&weights, resident)?;
    }
    for epoch in 1..=phase.epochs {
        let plan = Plan::new(members, data, resident, phase, cycles)?;
        let losses = stack.epoch(&plan, resident, &mut rates)?;
        for (member, &loss) in members.iter_mut().zip(&losses) {
            member.epochs_done += 1;
            if !loss.is_finite() {
                return Err(diverged(member.model, params, member.epochs_done));
            }
        }
        for (member, loss) in members.iter().zip(losses) {
            let (model, epochs) = (member.model, phase.epochs);
            progress.epoch_end(EpochEnd { model, epoch, epochs, loss });
        }
    }
    stack.fit_population(resident)?;
    let mut weights: Vec<&mut Weights> =
        members.iter_mut().map(|member| &mut *member.weights).collect();
    Ok(stack.download(&mut weights)?)
}

/// Which samples each model sees in which step of an epoch, on the device.
struct Plan {
    decoder: bool,
    steps: usize,
    /// Shape (steps, models, n).
    samples: Tensor,
    /// A neighbour of each, in the same shape.
    neighbours: Option<Tensor>,
    /// Of every step.
    shifts: Vec<[f32; 2]>,
    /// Samples and labels, shape (steps, models, n) each.
    labelled: Option<(Tensor, Tensor)>,
    noise: Streams,
    perturbation: Streams,
}

impl Plan {
    #[expect(clippy::cast_possible_truncation, reason = "a sample's index is a u32")]
    fn new(
        members: &[&mut Member<'_>],
        data: &Prepared,
        resident: &Resident,
        phase: &Phase,
        cycles: &mut [Option<LabelCycle>],
    ) -> TensorResult<Self> {
        let (device, models, params) = (&resident.device, members.len(), members[0].params);
        let epoch =
            |member: &&mut Member<'_>| Epoch::new(data, member.model, member.epochs_done, params);
        let epochs: Vec<Epoch> = members.iter().map(epoch).collect();
        let steps = epochs[0].batches().count();
        let mut batches: Vec<_> = epochs.iter().map(Epoch::batches).collect();
        let (mut samples, mut neighbours) = (Vec::new(), Vec::new());
        let (mut labelled, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..steps {
            for (batches, epoch) in batches.iter_mut().zip(&epochs) {
                let (_, batch) = batches.next().expect("as many steps for every model");
                samples.extend(batch.iter().map(|&sample| sample as u32));
                let near = |&sample: &usize| epoch.neighbours.get(sample).map(|&near| near as u32);
                neighbours.extend(batch.iter().filter_map(near));
            }
            for (batch, of_batch) in cycles.iter_mut().flatten().map(LabelCycle::next_batch) {
                labelled.extend(batch.into_iter().map(|sample| sample as u32));
                labels.extend(of_batch);
            }
        }
        let upload = |values: Vec<u32>| Tensor::from_vec(values, (steps, models, ()), device);
        let streams = |of: fn(&Epoch) -> crate::engine::noise::Noise| {
            Streams::new(epochs.iter().map(of).collect(), device)
        };
        Ok(Self {
            decoder: phase.round >= params.decoder_from_round,
            steps,
            samples: upload(samples)?,
            neighbours: match params.neighbour_weight > 0.0 {
                true => Some(upload(neighbours)?),
                false => None,
            },
            shifts: epochs[0].shifts.clone(),
            labelled: match labelled.is_empty() {
                true => None,
                false => Some((upload(labelled)?, upload(labels)?)),
            },
            noise: streams(|epoch| epoch.noise)?,
            perturbation: streams(|epoch| epoch.perturbation)?,
        })
    }

    #[expect(clippy::cast_possible_truncation, reason = "noise counts steps in 32 bits")]
    fn batch(&self, step: usize, resident: &Resident) -> TensorResult<Batch> {
        let (samples, distances) = resident.gather(&self.samples.get(step)?)?;
        let neighbours = match &self.neighbours {
            None => None,
            Some(neighbours) => Some(resident.gather(&neighbours.get(step)?)?.0),
        };
        let labelled = match &self.labelled {
            None => None,
            Some((samples, labels)) => Some(Labelled {
                samples: resident.gather(&samples.get(step)?)?.0,
                labels: labels.get(step)?.unsqueeze(2)?,
            }),
        };
        Ok(Batch {
            step: step as u32,
            decoder: self.decoder,
            samples,
            distances,
            neighbours,
            shift: self.shifts[step],
            labelled,
            noise: self.noise.clone(),
            perturbation: self.perturbation.clone(),
        })
    }
}

impl Stack {
    /// One pass over the data; every model's mean loss. Nothing is read from the device before its end.
    fn epoch(
        &mut self,
        plan: &Plan,
        resident: &Resident,
        rates: &mut impl Iterator<Item = f64>,
    ) -> TensorResult<Vec<f64>> {
        let models = plan.samples.dims()[1];
        let mut sum = Tensor::zeros(models, DType::F64, &resident.device)?;
        for step in 0..plan.steps {
            let losses = self.losses(&plan.batch(step, resident)?)?;
            sum = (sum + losses.detach().to_dtype(DType::F64)?)?;
            let rate = rates.next().unwrap_or(self.params.learning_rate);
            adam::step(&mut self.parameters, &losses.sum_all()?.backward()?, rate)?;
        }
        #[expect(clippy::cast_precision_loss, reason = "a number of steps")]
        let steps = plan.steps as f64;
        Ok(sum.to_vec1::<f64>()?.into_iter().map(|sum| sum / steps).collect())
    }

    /// Takes the prior over cluster sizes from what the models, which are `weights`, say of all samples.
    pub(super) fn learn_sizes(
        &mut self,
        weights: &[&Weights],
        resident: &Resident,
    ) -> TensorResult<()> {
        // Without the variables of this stack, through which candle would remember all that led to an answer.
        let fixed = Stack::fixed(&self.params, weights, &resident.device)?;
        let probabilities = fixed.probabilities(resident)?.into_iter().zip(weights);
        let learned = probabilities.map(|(p, of)| Prior::learned(&p, of.n_clusters()));
        self.prior = priors(&learned.collect::<Vec<_>>(), DType::F32, &resident.device)?;
        Ok(())
    }

    /// Probabilities of all samples, (n_samples, n_clusters) of each model.
    fn probabilities(&self, resident: &Resident) -> TensorResult<Vec<Vec<f32>>> {
        let models = self.encoder.layers[0].weight.dims()[0];
        let mut chunks = Vec::new();
        for chunk in resident.chunks(models) {
            chunks.push(super::losses::softmax(&self.encoder.logits(&chunk?)?)?);
        }
        let all = Tensor::cat(&chunks, 1)?;
        (0..models).map(|model| to_host(&all.get(model)?)).collect()
    }
}

fn need_distances(members: &[Member<'_>], data: &Prepared) -> Result<(), EnsembleError> {
    let moved = members.iter().find(|member| member.params.needs_neighbours());
    match moved {
        Some(member) if data.neighbour_distances().is_none() => Err(EnsembleError::Setting {
            name: "consistency",
            need: "data on which Prepared::measure_distances was called",
            got: format!("{:?}", member.params.consistency),
        }),
        _ => Ok(()),
    }
}

/// An error of the device, where it is one of memory, says how many models it was too small for.
fn explained(error: EnsembleError, models: usize) -> EnsembleError {
    match error {
        EnsembleError::Tensor(error) => while_training(error, models),
        other => other,
    }
}

fn diverged(model: ModelIdx, params: &ValidNetworkParams, epoch: u64) -> EnsembleError {
    EnsembleError::Diverged { model: model.0, epoch, rate: params.learning_rate }
}
