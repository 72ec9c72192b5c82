//! A whole step by hand, held against the same step as candle differentiates it, in 64 bits.

use candle_core::{DType, Device, Tensor};
use consilience_data::{Features, Seed, Stream};
use ndarray::Array2;

use super::optimiser::Learn;
use super::*;
use crate::engine::candle::{self, Stack, Streams};
use crate::engine::noise::Noise;
use crate::members::weights::{Parameter, Weights};
use crate::{
    Consistency, Image, NetworkParams, Objective, Prepared, Scaling, SizePrior, ValidNetworkParams,
};

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
                        consistency_weight: 2.0,
                        neighbour_weight: if labelled == normalise_last { 0.6 } else { 0.0 },
                        shift_weight: if normalise_last { 0.8 } else { 0.0 },
                        image: Some(Image { rows: 10, columns: 5, channels: 3 }),
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
/// Whom each sample is held against.
static NEIGHBOURS: [usize; SAMPLES] = {
    let mut neighbours = [0; SAMPLES];
    let mut sample = 0;
    while sample < SAMPLES {
        neighbours[sample] = (sample + 7) % SAMPLES;
        sample += 1;
    }
    neighbours
};
const SHIFT: [f32; 2] = [0.3, -1.2];
const LABELLED: ([usize; 5], [u32; 5]) = ([4, 5, 6, 7, 8], [0, 2, 1, 1, 0]);

fn batch(labelled: bool) -> Batch<'static> {
    Batch {
        samples: &BATCH,
        labelled: if labelled { (&LABELLED.0, &LABELLED.1) } else { (&[], &[]) },
        neighbours: &NEIGHBOURS,
        shift: SHIFT,
        step: 2,
        noise: Noise { key: [5, 6] },
        perturbation: Noise { key: [7, 8] },
    }
}

/// The same for a stack of one.
fn stacked_batch(data: &Prepared, labelled: bool, near: bool, round: usize) -> candle::Batch {
    let batch = batch(labelled);
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
    candle::Batch {
        step: batch.step,
        decoder: round >= 1,
        samples: gathered(batch.samples),
        distances: Some(distances.to_dtype(DType::F64).unwrap()),
        neighbours: near.then(|| gathered(&BATCH.map(|sample| NEIGHBOURS[sample]))),
        shift: SHIFT,
        labelled: labelled.then(|| candle::Labelled {
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
    let batch = batch(labelled);
    let size = (batch.samples.len(), batch.labelled.0.len());
    let prior = params.sizes.unlearned(CLUSTERS);
    let mut trainer = Trainer::new(params, &weights, prior, size, round, threads);
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
        let stack =
            Stack::of_type(&params, data.spread(), &[&weights], DType::F64, &Device::Cpu).unwrap();
        let (losses, mut named) = {
            let batch = stacked_batch(&data, labelled, params.neighbour_weight > 0.0, round);
            stack.loss_and_gradients(&batch).unwrap()
        };
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
