//! A whole step by hand, compared with the same step as candle differentiates it, in 64 bits.

use candle_core::{DType, Device, Tensor};
use consilience_data::{Features, Seed, Stream};
use ndarray::Array2;

use super::optimiser::Learn;
use super::trainer::Trainer;
use crate::engine::batches::Batch;
use crate::engine::candle::{Blueprint, Inputs, Labelled, Stack, Streams, Way};
use crate::engine::driver::Setup;
use crate::engine::noise::Noise;
use crate::engine::terms::{Term, View};
use crate::members::params::{Consistency, NetworkParams, Objective, ValidNetworkParams};
use crate::members::sizes::SizePrior;
use crate::members::weights::{Parameter, Weights};
use crate::preparation::image::Image;
use crate::preparation::moves::{Move, Strengths, moved_tensor};
use crate::preparation::prepared::Prepared;
use crate::preparation::transform::Scaling;

const SAMPLES: usize = 40;
/// More than a block of columns, and no whole number of vectors.
const FEATURES: usize = 150;
const CLUSTERS: usize = 3;

/// Keeps gradients instead of learning from them.
#[derive(Default)]
struct Recorder(Vec<(String, Vec<f32>)>);

impl Learn for Recorder {
    fn learn(&mut self, parameter: &mut Parameter, gradient: &[f32]) {
        self.0.push((parameter.name.clone(), gradient.to_vec()));
    }
}

fn data() -> Prepared {
    let values = Seed(1).rng(Stream::Subset).normal(SAMPLES * FEATURES);
    let values = Array2::from_shape_vec((SAMPLES, FEATURES), values).unwrap();
    let features = Features::new(values, "normal").unwrap();
    let mut data = Prepared::new(&features, Scaling::None, Seed(2), 2).unwrap();
    data.measure_distances(1).unwrap();
    data
}

/// Weights away from the start, where many slopes are 0.
fn weights(params: &ValidNetworkParams) -> Weights {
    let mut rng = Seed(3).rng(Stream::Weights { model: 0 });
    let mut weights = Weights::new(params, FEATURES, CLUSTERS, &mut rng);
    for parameter in weights.parameters_mut() {
        let moves = rng.normal(parameter.value.len());
        let size = if parameter.name.contains("weight") { 0.02 } else { 0.3 };
        parameter.value.iter_mut().zip(moves).for_each(|(value, by)| *value += size * by);
    }
    weights
}

/// Every kind of step: settings, and whether there are labels.
fn cases() -> Vec<(ValidNetworkParams, bool)> {
    let mut cases = Vec::new();
    for consistency in
        [Consistency::None, Consistency::NoiseKl, Consistency::Random, Consistency::Adversarial]
    {
        for denoising in [vec![], vec![3.0, 2.0, 1.0]] {
            for labelled in [false, true] {
                for normalise_last in [false, true] {
                    let params = NetworkParams {
                        hidden: vec![130, 20],
                        consistency,
                        denoising: denoising.clone(),
                        normalise_last,
                        im_weight: 0.7,
                        label_weight: 1.5,
                        label_smoothing: if normalise_last { 0.2 } else { 0.0 },
                        consistency_weight: 2.0,
                        neighbour_weight: if labelled == normalise_last { 0.6 } else { 0.0 },
                        move_weight: if normalise_last { 0.8 } else { 0.0 },
                        image: Some(IMAGE),
                        probe: 0.2,
                        ..NetworkParams::default()
                    };
                    if labelled == denoising.is_empty() {
                        let objective = Objective::DotProduct;
                        let params = NetworkParams { objective, ..params.clone() };
                        cases.push((params.check().unwrap(), labelled));
                    } else {
                        let sizes = SizePrior::Given(vec![5.0, 0.1, 2.0]);
                        let params = NetworkParams { sizes, ..params.clone() };
                        cases.push((params.check().unwrap(), labelled));
                    }
                    cases.push((params.check().unwrap(), labelled));
                }
            }
        }
    }
    cases
}

/// Samples and labels of the only batch.
const BATCH: [usize; 16] = [3, 39, 0, 7, 21, 22, 8, 9, 30, 31, 32, 1, 17, 16, 15, 5];
/// The neighbour that each sample is compared with.
static NEIGHBOURS: [usize; SAMPLES] = {
    let mut neighbours = [0; SAMPLES];
    let mut sample = 0;
    while sample < SAMPLES {
        neighbours[sample] = (sample + 7) % SAMPLES;
        sample += 1;
    }
    neighbours
};
const IMAGE: Image = Image { rows: 10, columns: 5, channels: 3 };
const LABELLED: ([usize; 5], [u32; 5]) = ([4, 5, 6, 7, 8], [0, 2, 1, 1, 0]);

fn moves() -> Vec<Move> {
    let strengths = Strengths { shift: 0.3, rotation: 30.0, shear: 10.0, scale: 0.2 };
    Move::drawn(IMAGE, strengths, BATCH.len(), &mut Seed(4).rng(Stream::Subset))
}

fn batch(labelled: bool, moves: &[Move]) -> Batch<'_> {
    Batch {
        moves,
        samples: &BATCH,
        labelled: if labelled { (&LABELLED.0, &LABELLED.1) } else { (&[], &[]) },
        neighbours: &NEIGHBOURS,
        step: 2,
        noise: Noise { key: [5, 6] },
        perturbation: Noise { key: [7, 8] },
    }
}

fn terms(params: &ValidNetworkParams, labelled: bool, round: usize) -> Vec<Term> {
    let mut terms = params.terms(round);
    terms.retain(|term| labelled || term.view != View::Labelled);
    terms
}

/// The same for a stack of one.
fn inputs(data: &Prepared, params: &ValidNetworkParams, labelled: bool) -> Inputs {
    let moves = moves();
    let batch = batch(labelled, &moves);
    let gathered = |samples: &[usize]| {
        let rows: Vec<f32> =
            samples.iter().flat_map(|&sample| data.features().row(sample)).copied().collect();
        let tensor = Tensor::from_vec(rows, (1, samples.len(), FEATURES), &Device::Cpu).unwrap();
        tensor.to_dtype(DType::F64).unwrap()
    };
    let distances: Vec<f32> =
        batch.samples.iter().map(|&sample| data.neighbour_distances().unwrap()[sample]).collect();
    let distances = Tensor::from_vec(distances, (1, batch.samples.len(), 1), &Device::Cpu).unwrap();
    let (samples, labels) = batch.labelled;
    let clean = gathered(batch.samples);
    let image = params.moved_image();
    Inputs {
        step: batch.step,
        distances: Some(distances.to_dtype(DType::F64).unwrap()),
        neighbours: Some(gathered(&batch.near())),
        moved: image.map(|image| moved_tensor(image, &moves, &clean).unwrap()),
        samples: clean,
        labelled: labelled.then(|| Labelled {
            samples: gathered(samples),
            labels: Tensor::from_slice(labels, (1, labels.len(), 1), &Device::Cpu).unwrap(),
        }),
        noise: Streams::new(vec![batch.noise], &Device::Cpu).unwrap(),
        perturbation: Streams::new(vec![batch.perturbation], &Device::Cpu).unwrap(),
    }
}

/// Loss and gradients by hand.
fn by_hand(
    params: &ValidNetworkParams,
    labelled: bool,
    data: &Prepared,
    round: usize,
    threads: usize,
) -> (f64, Vec<(String, Vec<f32>)>) {
    let (mut weights, mut recorder) = (weights(params), Recorder::default());
    let moves = moves();
    let batch = batch(labelled, &moves);
    let rows = (batch.samples.len(), batch.labelled.0.len());
    let (terms, priors) = (terms(params, labelled, round), vec![params.sizes.unlearned(CLUSTERS)]);
    let setup = Setup { data, params, terms, rows, priors };
    let mut trainer = Trainer::new(setup, &weights, threads);
    // Twice: nothing may be left of the step before.
    trainer.loss(&mut weights, data, &batch, &mut Recorder::default());
    let loss = trainer.loss(&mut weights, data, &batch, &mut recorder);
    assert_eq!(weights, self::weights(params), "a loss changes nothing");
    recorder.0.sort_by(|a, b| a.0.cmp(&b.0));
    (loss, recorder.0)
}

#[test]
fn a_step_equals_candles() {
    let data = data();
    for ((params, labelled), round) in
        cases().into_iter().flat_map(|case| [(case.clone(), 0), (case, 1)])
    {
        let case = format!(
            "round {round}, {:?}, {:?}, {:?}, {:?}, labelled {labelled}, normalise_last {}",
            params.objective,
            params.sizes,
            params.consistency,
            params.denoising,
            params.normalise_last
        );
        let (loss, gradients) = by_hand(&params, labelled, &data, round, 1);
        let weights = weights(&params);
        let blueprint = Blueprint {
            way: Way::Composed,
            params: &params,
            terms: terms(&params, labelled, round),
            priors: &[params.sizes.unlearned(CLUSTERS)],
            spread: data.spread(),
            dtype: DType::F64,
            device: &Device::Cpu,
        };
        let stack = Stack::new(blueprint, &[&weights]).unwrap();
        let (losses, mut named) =
            stack.loss_and_gradients(&inputs(&data, &params, labelled)).unwrap();
        let exact = f64::from(losses[0]);
        assert!((loss - exact).abs() < 1e-4 * exact.abs().max(1.0), "{case}: {loss} {exact}");
        let mut expected = named.remove(0);
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        let names = |named: &[(String, Vec<f32>)]| -> Vec<String> {
            named.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(names(&gradients), names(&expected), "{case}");
        for ((name, found), (_, expected)) in gradients.iter().zip(&expected) {
            let size = expected.iter().fold(0f32, |most, g| most.max(g.abs()));
            let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
            assert!(found.iter().all(|g| g.is_finite()), "{case}: {name}"); // a maximum passes over NaN
            assert!(worst <= 1e-4 * size.max(1e-3), "{case}: {name}: off by {worst} of {size}");
        }
    }
}

#[test]
fn threads_do_not_change_a_bit_of_a_step() {
    let data = data();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    for (params, labelled) in cases() {
        let shared = pool.install(|| by_hand(&params, labelled, &data, 1, 3));
        assert_eq!(shared, by_hand(&params, labelled, &data, 1, 1));
    }
}
