//! Training of stacks: they learn, alike whatever their size, and as models trained one by one do.

use std::sync::Mutex;

use candle_core::{DType, Device, Tensor};
use consilience_data::{
    ClusterId, Features, ModelIdx, PseudoLabel, PseudoLabels, SampleIdx, Seed, SoftAssignments,
    Stream,
};
use ndarray::Array2;

use super::kernels::emulator;
use super::losses::softmax::softmax;
use super::ops::Way;
use super::parameters::to_host;
use super::session::Candle;
use super::tests::stack;
use crate::engine::choice::EngineChoice;
use crate::engine::driver::{self, Trainee};
use crate::engine::inference::answers;
use crate::error::EnsembleError;
use crate::members::clusterer::{Clusterer, Phase};
use crate::members::network::Network;
use crate::members::params::{Consistency, NetworkParams, ValidNetworkParams};
use crate::members::sizes::SizePrior;
use crate::members::weights::Weights;
use crate::preparation::prepared::Prepared;
use crate::preparation::transform::Scaling;
use crate::progress::{EpochEnd, Progress};

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

/// The blob of each sample, as [`blobs`] made them, and its cluster.
fn truth_and_clusters(soft: &SoftAssignments) -> (Vec<usize>, Vec<usize>) {
    let (found, _) = soft.harden();
    found.clusters().iter().enumerate().map(|(sample, id)| (sample % 3, id.index())).unzip()
}

/// Share of samples in the cluster of their blob, matched one to one.
fn accuracy(soft: &SoftAssignments) -> f64 {
    let (truth, clusters) = truth_and_clusters(soft);
    consilience_testing::accuracy(&truth, &clusters)
}

/// The blobs of some samples, as they were made, each called as the cluster that is matched to it: models have their own numbers.
pub(super) fn labels(soft: &SoftAssignments) -> PseudoLabels {
    let (truth, clusters) = truth_and_clusters(soft);
    let cluster_of = consilience_testing::matching(&truth, &clusters);
    let entries = (0..60).map(|sample| PseudoLabel {
        sample: SampleIdx::from_index(sample),
        label: ClusterId(u16::try_from(cluster_of[truth[sample]]).unwrap()),
        agreement: 1,
        margin: 1,
        confidence: 1.0,
    });
    PseudoLabels::new(entries.collect(), 3, truth.len())
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
    epochs_done: Vec<u64>,
    device: Device,
    way: Way,
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
        let (device, way, epochs_done) = (Device::Cpu, Way::Host, vec![0; models.into()]);
        Self { weights: weights.collect(), params, epochs_done, device, way }
    }

    pub(super) fn by(self, way: Way) -> Self {
        Self { way, ..self }
    }

    #[cfg(feature = "cuda")]
    pub(super) fn on(self, device: &Device) -> Self {
        Self { device: device.clone(), way: Way::Composed, ..self }
    }

    pub(super) fn train(
        &mut self,
        data: &Prepared,
        phase: Phase,
        labels: &[PseudoLabels],
        stack: usize,
    ) -> Result<Vec<EpochEnd>, EnsembleError> {
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
    ) -> Result<(), EnsembleError> {
        let engine = Candle::stacked(data, &self.device, stack, self.way);
        let none = PseudoLabels::default();
        let labels: Vec<_> =
            (0..self.weights.len()).map(|model| labels.get(model).unwrap_or(&none)).collect();
        let params = &self.params;
        let mut cuts = vec![None; self.weights.len()];
        let trainee = |(model, ((weights, epochs_done), cut))| Trainee {
            model: ModelIdx(model),
            params,
            weights,
            epochs_done,
            most_steps: None,
            cut,
        };
        let networks = self.weights.iter_mut().zip(&mut self.epochs_done).zip(&mut cuts);
        let trainees = (0..).zip(networks).map(trainee).collect();
        driver::train(&engine, trainees, &labels, data, &phase, progress).map(drop)
    }

    pub(super) fn predict(&self, data: &Prepared) -> Vec<SoftAssignments> {
        let of = |weights| answers(weights, data.features(), &()).unwrap().unwrap();
        self.weights.iter().map(of).collect()
    }
}

pub(super) fn phase(round: usize, epochs: usize) -> Phase {
    Phase { round, epochs, anneal: round > 0, most_steps: None }
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
        let mut targets: Vec<_> = networks.predict(&data).iter().map(labels).collect();
        // One learns without labels: it can't be stacked with the others.
        targets[1] = PseudoLabels::default();
        networks.train(&data, phase(1, 5), &targets, stack).unwrap();
        let soft = networks.predict(&data);
        (networks.weights, soft)
    };
    let together = run(3);
    let right = together.1.iter().filter(|&soft| accuracy(soft) > 0.95).count();
    assert!(right >= 2, "{:?}", together.1.iter().map(accuracy).collect::<Vec<_>>());
    for stack in [1, 2] {
        assert!(run(stack) == together, "stacks of {stack}");
    }
}

/// Two steps of the whole, Adam included, and predictions.
#[test]
fn every_way_trains_alike() {
    let data = blobs();
    let params = NetworkParams { batch_size: 550, ..learner() };
    let run = |way| {
        let mut networks = Networks::new(params.clone(), &data, 2).by(way);
        let losses = networks.train(&data, phase(1, 1), &[], 2).unwrap();
        (losses, networks.predict(&data))
    };
    let (losses, soft) = run(Way::Composed);
    let kernels = emulator::with_kernels(|| run(Way::Kernels));
    for (found, of_found) in [Some(run(Way::Host)), kernels].into_iter().flatten() {
        for (found, expected) in found.iter().zip(&losses) {
            let error = (found.loss - expected.loss).abs();
            assert!(error < 1e-4 * expected.loss.abs(), "{found:?} {expected:?}");
        }
        for (found, expected) in of_found.iter().zip(&soft) {
            let difference = &found.view() - &expected.view();
            assert!(difference.iter().all(|difference| difference.abs() < 2e-3));
        }
    }
}

/// After a round, the prior is of a network's own sizes, by both engines alike; before that, it is uniform.
#[test]
fn engines_train_alike_and_learn_sizes_alike() {
    let data = blobs();
    let params = NetworkParams { sizes: SizePrior::Learned, im_weight: 1.0, ..learner() };
    let kept = NetworkParams { sizes: SizePrior::Uniform, ..params.clone() };
    let network = |params: &NetworkParams, engine| {
        let params = params.clone().check().unwrap();
        Network::new(ModelIdx(0), "ladder", params, &data, 3, engine).unwrap()
    };
    let mut fast = network(&params, EngineChoice::Fast);
    let mut candle = network(&params, EngineChoice::Candle);
    let mut plain = network(&kept, EngineChoice::Candle);
    let train = |network: &mut Network, round| {
        let losses = Losses::default();
        network.train(&data, &phase(round, 2), &PseudoLabels::default(), &losses).unwrap();
        losses.0.into_inner().unwrap()
    };
    for round in 0..2 {
        let (expected, found) = (train(&mut fast, round), train(&mut candle, round));
        for (found, expected) in found.iter().zip(&expected) {
            let error = (found.loss - expected.loss).abs();
            assert!(error < 1e-3 * expected.loss.abs(), "{found:?} {expected:?}");
        }
        let of_plain = train(&mut plain, round);
        assert_eq!(found == of_plain, round == 0, "{found:?} {of_plain:?}");
    }
}

/// Population statistics, which are the processors' own, against a batch that is all the data, by candle.
#[test]
fn a_batch_of_everything_is_the_population() {
    let data = blobs();
    let mut networks = Networks::new(learner(), &data, 1);
    networks.train(&data, phase(0, 1), &[], 1).unwrap();
    let params = &networks.params;
    let weights = [&networks.weights[0]];
    let way = Way::Composed;
    let stack = stack((params, false), &weights, way, DType::F32, &Device::Cpu);
    let shape = (1, data.features().n_samples(), data.features().n_features());
    let all = Tensor::from_slice(data.features().as_slice(), shape, &Device::Cpu).unwrap();
    let logits = stack.encoder.forward(&all, None).unwrap().logits;
    let of_batch = to_host(&softmax(way, &logits).unwrap()).unwrap();
    for (found, expected) in networks.predict(&data)[0].view().iter().zip(of_batch) {
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
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
