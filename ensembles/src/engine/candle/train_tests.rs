//! Training of stacks: they learn, alike whatever their size, and as models trained one by one do.

use std::sync::Mutex;

use candle_core::Device;
use consilience_data::{
    ClusterId, Features, ModelIdx, PseudoLabel, PseudoLabels, SampleIdx, Seed, SoftAssignments,
    Stream,
};
use ndarray::Array2;

use super::*;
use crate::members::sizes::Prior;
use crate::{
    Clusterer, EnsembleError, EpochEnd, Network, NetworkParams, Phase, Prepared, Progress, Scaling,
    SizePrior,
};

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
    let Some((found, of_found)) = kernels::emulator::with_kernels(run) else { return };
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
    let answers = crate::engine::inference::probabilities(members[0], data.features(), 1);
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
