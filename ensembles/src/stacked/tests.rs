//! Losses and gradients of a stack, held against finite differences and against each model alone.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Mutex;

use candle_core::{DType, Device, Tensor};
use consilience_data::{
    ClusterId, Features, ModelIdx, PseudoLabel, PseudoLabels, SampleIdx, Seed, SoftAssignments,
    Stream,
};
use ndarray::Array2;

use super::*;
use crate::noise::Noise;
use crate::sizes::Prior;
use crate::{
    Clusterer, EnsembleError, EpochEnd, Image, Network, NetworkParams, Phase, Prepared, Progress,
    Scaling, SizePrior,
};

const FEATURES: usize = 5;
const CLUSTERS: u8 = 3;
const ROWS: usize = 8;
/// More than a kernel's thread adds up, and layers wider than a block of noise.
pub(super) const MANY: (usize, [usize; 2]) = (70, [130, 4]);
const LABELLED: u8 = 6;

/// What is held constant in a loss: as it comes, or, for finite differences, as it was at the point of departure.
enum Held {
    Now,
    Recorded(VecDeque<Tensor>),
    Replayed(VecDeque<Tensor>),
}

thread_local! {
    static HELD: RefCell<Held> = const { RefCell::new(Held::Now) };
}

pub(super) fn held(tensor: &Tensor) -> Tensor {
    HELD.with_borrow_mut(|held| match held {
        Held::Now => tensor.clone(),
        Held::Recorded(tensors) => {
            tensors.push_back(tensor.detach());
            tensor.clone()
        }
        Held::Replayed(tensors) => {
            let tensor = tensors.pop_front().unwrap();
            tensors.push_back(tensor.clone());
            tensor
        }
    })
}

fn normal(seed: u64, shape: &[usize], dtype: DType) -> Tensor {
    let values = Seed(seed).rng(Stream::Subset).normal(shape.iter().product());
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
}

/// Weights away from the start, where many slopes are 0.
pub(super) fn weights(params: &ValidNetworkParams, model: u8) -> Weights {
    let model = u64::from(model);
    let mut rng = Seed(model).rng(Stream::Weights { model });
    let mut weights = Weights::new(params, FEATURES, CLUSTERS.into(), &mut rng);
    for parameter in weights.parameters_mut() {
        let moves = rng.normal(parameter.value.len());
        parameter.value.iter_mut().zip(moves).for_each(|(value, by)| *value += 0.3 * by);
    }
    weights
}

/// A batch of the given models, each with its own samples, noise and labels.
pub(super) fn batch(
    models: &[u8],
    rows: usize,
    labelled: bool,
    dtype: DType,
    device: &Device,
) -> Batch {
    let each = |make: &dyn Fn(u8) -> Tensor| {
        let tensors: Vec<_> = models.iter().map(|&model| make(model)).collect();
        Tensor::stack(&tensors, 0).unwrap().to_device(device).unwrap()
    };
    let streams = |offset: u32| {
        let keys = models.iter().map(|&model| Noise { key: [model.into(), offset] });
        Streams::new(keys.collect(), device).unwrap()
    };
    let labels = |model| {
        let labels: Vec<u32> =
            (0..LABELLED).map(|row| u32::from((row + model) % CLUSTERS)).collect();
        Tensor::from_vec(labels, (usize::from(LABELLED), 1), &Device::Cpu).unwrap()
    };
    let distances = |model| normal(100 + u64::from(model), &[rows, 1], dtype).abs().unwrap();
    Batch {
        step: 2,
        decoder: true,
        samples: each(&|model| normal(model.into(), &[rows, FEATURES], dtype)),
        distances: Some(each(&distances)),
        neighbours: labelled
            .then(|| each(&|model| normal(300 + u64::from(model), &[rows, FEATURES], dtype))),
        shift: [-0.6, 1.1],
        labelled: labelled.then(|| Labelled {
            samples: each(&|model| {
                normal(200 + u64::from(model), &[LABELLED.into(), FEATURES], dtype)
            }),
            labels: each(&labels),
        }),
        noise: streams(1),
        perturbation: streams(2),
    }
}

/// Every kind of loss: settings, and whether there are labels.
pub(super) fn cases(hidden: [usize; 2]) -> Vec<(ValidNetworkParams, bool)> {
    let mut cases = Vec::new();
    for consistency in
        [Consistency::None, Consistency::NoiseKl, Consistency::Random, Consistency::Adversarial]
    {
        for denoising in [vec![], vec![3.0, 2.0, 1.0]] {
            for labelled in [false, true] {
                let params = NetworkParams {
                    hidden: hidden.into(),
                    consistency,
                    denoising: denoising.clone(),
                    im_weight: 0.7,
                    label_weight: 1.5,
                    consistency_weight: 2.0,
                    neighbour_weight: 0.6,
                    shift_weight: 0.8,
                    image: Some(Image { rows: 1, columns: FEATURES, channels: 1 }),
                    normalise_last: labelled != denoising.is_empty(),
                    probe: 0.5,
                    ..NetworkParams::default()
                };
                let other = if labelled == denoising.is_empty() {
                    NetworkParams { objective: Objective::DotProduct, ..params.clone() }
                } else {
                    let sizes = SizePrior::Given(vec![5.0, 0.1, 2.0]);
                    NetworkParams { sizes, ..params.clone() }
                };
                cases.push((params.check().unwrap(), labelled));
                cases.push((other.check().unwrap(), labelled));
            }
        }
    }
    cases
}

pub(super) fn describe(params: &ValidNetworkParams, labelled: bool) -> String {
    let NetworkParams { objective, sizes, consistency, denoising, .. } = &**params;
    format!(
        "{objective:?}, {sizes:?}, {consistency:?}, denoising {denoising:?}, labelled {labelled}"
    )
}

#[test]
fn gradients_equal_finite_differences() {
    const STEP: f64 = 1e-5;
    for (params, labelled) in cases([7, 4]) {
        let case = describe(&params, labelled);
        let members = [weights(&params, 1), weights(&params, 2)];
        let stack =
            Stack::of_type(&params, 1.5, &[&members[0], &members[1]], DType::F64, &Device::Cpu)
                .unwrap();
        let batch = batch(&[1, 2], ROWS, labelled, DType::F64, &Device::Cpu);
        HELD.replace(Held::Recorded(VecDeque::new()));
        let gradients = stack.losses(&batch).unwrap().sum_all().unwrap().backward().unwrap();
        let Held::Recorded(recorded) = HELD.replace(Held::Now) else { unreachable!() };
        HELD.replace(Held::Replayed(recorded));
        let mut checked = 0;
        for parameter in &stack.parameters {
            let Some(gradient) = gradients.get(&parameter.value) else {
                panic!("{case}: no gradient of {}", parameter.name);
            };
            let found = gradient.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let start = parameter.value.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            let set = |values: Vec<f64>| {
                let shape = parameter.value.shape();
                let values = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
                parameter.value.set(&values).unwrap();
            };
            for (index, &gradient) in found.iter().enumerate() {
                let at = |step: f64| {
                    let mut moved = start.clone();
                    moved[index] += step;
                    set(moved);
                    stack.losses(&batch).unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap()
                };
                let numeric = (at(STEP) - at(-STEP)) / (2.0 * STEP);
                let error = (gradient - numeric).abs();
                assert!(
                    error <= 1e-6 + 1e-6 * numeric.abs(),
                    "{case}: {} [{index}]: gradient {gradient}, difference {numeric}",
                    parameter.name
                );
                checked += 1;
            }
            set(start);
        }
        HELD.replace(Held::Now);
        assert!(checked > 0);
    }
}

#[test]
fn a_model_in_a_stack_is_as_it_is_alone() {
    for (params, labelled) in cases([7, 4]) {
        let case = describe(&params, labelled);
        let members = [1, 2, 3].map(|model| weights(&params, model));
        let run = |models: &[u8]| {
            let members: Vec<&Weights> =
                models.iter().map(|&model| &members[usize::from(model) - 1]).collect();
            let stack = Stack::new(&params, 1.5, &members, &Device::Cpu).unwrap();
            stack
                .loss_and_gradients(&batch(models, ROWS, labelled, DType::F32, &Device::Cpu))
                .unwrap()
        };
        let (losses, gradients) = run(&[1, 2, 3]);
        for model in [1, 2, 3] {
            let (alone, of_alone) = run(&[model]);
            let index = usize::from(model) - 1;
            assert_eq!(alone[0].to_bits(), losses[index].to_bits(), "{case}");
            assert_eq!(of_alone[0], gradients[index], "{case}");
        }
    }
}

/// Losses relative to each, and gradients relative to a parameter's whole gradient: a rectifier's argument that rounds to the
/// other side of 0 changes a few values by much.
pub(super) fn assert_close(
    (losses, gradients): &(Vec<f32>, Vec<Named>),
    (expected_losses, expected_gradients): &(Vec<f32>, Vec<Named>),
    [of_losses, of_gradients]: [f32; 2],
    case: &str,
) {
    let length = |values: &mut dyn Iterator<Item = f32>| values.map(|x| x * x).sum::<f32>().sqrt();
    for (found, expected) in losses.iter().zip(expected_losses) {
        let bound = of_losses * expected.abs().max(0.1);
        assert!((found - expected).abs() <= bound, "{case}: loss {found}, expected {expected}");
    }
    for (found, expected) in gradients.iter().zip(expected_gradients) {
        assert_eq!(found.len(), expected.len(), "{case}");
        for ((name, found), (_, expected)) in found.iter().zip(expected) {
            let error = length(&mut found.iter().zip(expected).map(|(a, b)| a - b));
            let error = error / length(&mut expected.iter().copied()).max(1e-3);
            assert!(error <= of_gradients, "{case}: gradient of {name} is off by {error}");
        }
    }
}

/// The kernels, as the host's C compiler understands them, against the composed operations.
#[test]
fn kernels_make_the_same_losses_and_gradients() {
    for (params, labelled) in cases(MANY.1) {
        let case = describe(&params, labelled);
        let members = [weights(&params, 1), weights(&params, 2)];
        let stack = Stack::new(&params, 1.5, &[&members[0], &members[1]], &Device::Cpu).unwrap();
        let batch = batch(&[1, 2], MANY.0, labelled, DType::F32, &Device::Cpu);
        let run = || stack.loss_and_gradients(&batch).unwrap();
        let Some(found) = emulator::with_kernels(run) else { return };
        assert_close(&found, &run(), [1e-5, 1e-2], &case);
    }
}

#[test]
fn what_is_uploaded_comes_back() {
    let (params, _) = cases([7, 4]).pop().unwrap();
    let mut members = [weights(&params, 1), weights(&params, 2)];
    for (number, parameter) in members.iter_mut().flat_map(Weights::parameters_mut).enumerate() {
        parameter.first.fill(number as f32);
        parameter.second.fill(0.5 * number as f32);
        parameter.steps = 9;
    }
    let expected = members.clone();
    let stack = Stack::new(&params, 1.0, &[&members[0], &members[1]], &Device::Cpu).unwrap();
    for parameter in members.iter_mut().flat_map(Weights::parameters_mut) {
        parameter.value.fill(0.0);
        parameter.first.fill(0.0);
    }
    let [one, two] = &mut members;
    stack.download(&mut [one, two]).unwrap();
    assert_eq!(members, expected);
}

/// Sample i is in blob i % 3.
pub(super) fn blobs() -> Prepared {
    const SAMPLES: usize = 1100; // more than goes through a stack at a time
    let noise = Seed(5).rng(Stream::Subset).normal(SAMPLES * 4);
    let values = Array2::from_shape_fn((SAMPLES, 4), |(sample, feature)| {
        let centre = if sample % 3 == feature { 8.0 } else { 0.0 };
        centre + noise[sample * 4 + feature]
    });
    let features = Features::new(values, "blobs").unwrap();
    let mut data = Prepared::new(&features, Scaling::Standardise, Seed(3), 2).unwrap();
    data.measure_distances(2).unwrap();
    data
}

/// Share of samples whose cluster is that of most of their blob.
fn accuracy(soft: &SoftAssignments) -> f64 {
    let (found, _) = soft.harden();
    let mut counts = [[0usize; 3]; 3];
    for (sample, cluster) in found.clusters().iter().enumerate() {
        counts[sample % 3][cluster.index()] += 1;
    }
    let hits: usize = counts.iter().map(|row| row.iter().max().unwrap()).sum();
    hits as f64 / found.clusters().len() as f64
}

/// The true blobs of some samples, in the numbering that `soft` has.
pub(super) fn labels(soft: &SoftAssignments) -> PseudoLabels {
    let (found, _) = soft.harden();
    let entries = (0..60).map(|sample| PseudoLabel {
        sample: SampleIdx::from_index(sample),
        label: ClusterId(found.clusters()[sample].0),
        agreement: 1,
        margin: 1,
        confidence: 1.0,
    });
    PseudoLabels::new(entries.collect(), 3, found.clusters().len())
}

pub(super) fn learner() -> NetworkParams {
    NetworkParams {
        hidden: vec![32],
        batch_size: 100,
        label_batch_size: 30,
        ..NetworkParams::default()
    }
}

#[derive(Default)]
pub(super) struct Losses(pub(super) Mutex<Vec<EpochEnd>>);

impl Progress for Losses {
    fn epoch_end(&self, epoch: EpochEnd) {
        self.0.lock().unwrap().push(epoch);
    }
}

/// Networks as an ensemble keeps them between phases.
pub(super) struct Networks {
    pub(super) params: ValidNetworkParams,
    pub(super) weights: Vec<Weights>,
    epochs_done: u64,
    device: Device,
}

impl Networks {
    pub(super) fn new(params: NetworkParams, data: &Prepared, models: u16) -> Self {
        Self::of_clusters(params, data, models, 3)
    }

    pub(super) fn of_clusters(
        params: NetworkParams,
        data: &Prepared,
        models: u16,
        n_clusters: usize,
    ) -> Self {
        let params = params.check().unwrap();
        let weights = (0..models).map(|model| {
            let mut rng = data.rng(Stream::Weights { model: model.into() });
            Weights::new(&params, data.features().n_features(), n_clusters, &mut rng)
        });
        Self { weights: weights.collect(), params, epochs_done: 0, device: Device::Cpu }
    }

    #[cfg(feature = "cuda")]
    pub(super) fn on(self, device: &Device) -> Self {
        Self { device: device.clone(), ..self }
    }

    pub(super) fn train(
        &mut self,
        data: &Prepared,
        phase: Phase,
        labels: &[PseudoLabels],
        stack: usize,
    ) -> std::result::Result<Vec<EpochEnd>, EnsembleError> {
        let losses = Losses::default();
        self.train_with(data, phase, labels, stack, &losses)?;
        Ok(losses.0.into_inner().unwrap())
    }

    pub(super) fn train_with(
        &mut self,
        data: &Prepared,
        phase: Phase,
        labels: &[PseudoLabels],
        stack: usize,
        progress: &dyn Progress,
    ) -> std::result::Result<(), EnsembleError> {
        let resident = Resident::new(data, &self.device)?;
        let none = PseudoLabels::default();
        let labels: Vec<_> =
            (0..self.weights.len()).map(|model| labels.get(model).unwrap_or(&none)).collect();
        let (params, epochs_done) = (&self.params, self.epochs_done);
        let member =
            |(model, weights)| Member { model: ModelIdx(model), params, weights, epochs_done };
        let mut members: Vec<_> = (0..).zip(&mut self.weights).map(member).collect();
        train(&mut members, data, &resident, &phase, &labels, stack, progress)?;
        self.epochs_done = members[0].epochs_done;
        Ok(())
    }

    pub(super) fn predict(&self, data: &Prepared, stack: usize) -> Vec<SoftAssignments> {
        let resident = Resident::new(data, &self.device).unwrap();
        let (params, epochs_done) = (&self.params, self.epochs_done);
        let member =
            |(model, weights)| Trained { model: ModelIdx(model), params, weights, epochs_done };
        let members: Vec<_> = (0..).zip(&self.weights).map(member).collect();
        predict(&members, data, &resident, stack).unwrap()
    }
}

pub(super) fn phase(round: usize, epochs: usize) -> Phase {
    Phase { round, epochs, anneal: round > 0 }
}

#[test]
fn a_stack_learns_and_its_size_does_not_matter() {
    let data = blobs();
    let params = NetworkParams { consistency: Consistency::NoiseKl, ..learner() };
    let run = |stack| {
        let mut networks = Networks::new(params.clone(), &data, 3);
        let losses = networks.train(&data, phase(0, 20), &[], stack).unwrap();
        for model in 0..3 {
            let mut of_model = losses.iter().filter(|end| end.model == ModelIdx(model));
            let (first, last) = (of_model.next().unwrap(), of_model.next_back().unwrap());
            assert!(last.loss < first.loss && last.epoch == 20, "{first:?} {last:?}");
        }
        let mut targets: Vec<_> = networks.predict(&data, stack).iter().map(labels).collect();
        // One learns without labels: it can't be stacked with the others.
        targets[1] = PseudoLabels::default();
        networks.train(&data, phase(1, 5), &targets, stack).unwrap();
        let soft = networks.predict(&data, stack);
        (networks.weights, soft)
    };
    let together = run(3);
    let right = together.1.iter().filter(|&soft| accuracy(soft) > 0.95).count();
    assert!(right >= 2, "{:?}", together.1.iter().map(accuracy).collect::<Vec<_>>());
    for stack in [1, 2] {
        assert!(run(stack) == together, "stacks of {stack}");
    }
}

/// Two steps of the whole, with Adam's kernels, and predictions.
#[test]
fn kernels_train_as_composed_operations_do() {
    let data = blobs();
    let params = NetworkParams { batch_size: 550, ..learner() };
    let run = || {
        let mut networks = Networks::new(params.clone(), &data, 2);
        let losses = networks.train(&data, phase(1, 1), &[], 2).unwrap();
        (losses, networks.predict(&data, 2))
    };
    let Some((found, of_found)) = emulator::with_kernels(run) else { return };
    let (losses, soft) = run();
    for (found, expected) in found.iter().zip(losses) {
        let error = (found.loss - expected.loss).abs();
        assert!(error < 1e-4 * expected.loss.abs(), "{found:?} {expected:?}");
    }
    for (found, expected) in of_found.iter().zip(soft) {
        let difference = &found.view() - &expected.view();
        assert!(difference.iter().all(|difference| difference.abs() < 2e-3));
    }
}

/// After a round, the prior is of a network's own sizes, by both trainers alike; before that, it is uniform.
#[test]
fn sizes_are_learnt_alike_by_hand_and_in_a_stack() {
    let data = blobs();
    let params = NetworkParams { sizes: SizePrior::Learned, im_weight: 1.0, ..learner() };
    let uniform = SizePrior::Uniform.unlearned(3);
    let kept = NetworkParams { sizes: SizePrior::Uniform, ..params.clone() };

    let mut networks = Networks::new(params.clone(), &data, 1);
    let mut plain = Networks::new(kept, &data, 1);
    let mut by_hand = Network::new(ModelIdx(0), "ladder", networks.params.clone(), &data, 3);
    for round in 0..2 {
        let (losses, none) = (Losses::default(), PseudoLabels::default());
        by_hand.train(&data, &phase(round, 2), &none, &losses).unwrap();
        let expected = losses.0.into_inner().unwrap();
        let found = networks.train(&data, phase(round, 2), &[], 1).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            let error = (found.loss - expected.loss).abs();
            assert!(error < 1e-3 * expected.loss.abs(), "{found:?} {expected:?}");
        }
        let of_plain = plain.train(&data, phase(round, 2), &[], 1).unwrap();
        assert_eq!(found == of_plain, round == 0, "{found:?} {of_plain:?}");
    }

    let resident = Resident::new(&data, &Device::Cpu).unwrap();
    let members = [&networks.weights[0]];
    let mut stack = Stack::new(&networks.params, 1.0, &members, &Device::Cpu).unwrap();
    assert_eq!(to_host(&stack.prior).unwrap(), uniform.log_multiples());
    stack.learn_sizes(&members, &resident).unwrap();
    let answers = crate::cpu::probabilities(members[0], data.features(), 1);
    let expected = Prior::learned(&answers, 3);
    assert_ne!(expected, uniform);
    for (found, expected) in
        to_host(&stack.prior).unwrap().into_iter().zip(expected.log_multiples())
    {
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }
}

#[test]
fn a_batch_of_everything_is_the_population() {
    let data = blobs();
    let mut networks = Networks::new(learner(), &data, 2);
    networks.train(&data, phase(0, 1), &[], 2).unwrap();
    let members: Vec<&Weights> = networks.weights.iter().collect();
    let stack = Stack::new(&networks.params, 1.0, &members, &Device::Cpu).unwrap();
    let shape = (data.features().n_samples(), data.features().n_features());
    let all = Tensor::from_slice(data.features().as_slice(), shape, &Device::Cpu).unwrap();
    let all = Tensor::stack(&[&all, &all], 0).unwrap();
    let of_batch = to_host(&stack.encoder.forward(&all, None).unwrap().logits).unwrap();
    let of_population = to_host(&stack.encoder.logits(&all).unwrap()).unwrap();
    for (found, expected) in of_population.iter().zip(of_batch) {
        assert!((found - expected).abs() < 1e-4 * expected.abs().max(1.0), "{found} {expected}");
    }
}

#[test]
fn what_goes_wrong_is_said() {
    let mut data = blobs();
    let params = NetworkParams { learning_rate: 1e30, ..learner() };
    let error = Networks::new(params, &data, 2).train(&data, phase(0, 3), &[], 2).unwrap_err();
    assert!(matches!(error, EnsembleError::Diverged { model: 0, .. }), "{error}");
    data = Prepared::new(data.features(), Scaling::None, Seed(3), 2).unwrap();
    let error = Networks::new(learner(), &data, 2).train(&data, phase(0, 1), &[], 2).unwrap_err();
    assert!(error.to_string().contains("measure_distances"), "{error}");
    let params = NetworkParams { sizes: SizePrior::Given(vec![1.0; 2]), ..learner() };
    let error = Networks::new(params, &blobs(), 2).train(&blobs(), phase(0, 1), &[], 2);
    assert!(error.unwrap_err().to_string().contains("got 2 for 3 clusters"));
}
