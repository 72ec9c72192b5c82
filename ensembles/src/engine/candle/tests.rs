//! Losses and gradients of a stack, compared with finite differences and with each model alone.

use std::collections::VecDeque;

use candle_core::{DType, Device, Tensor};
use consilience_data::{Seed, Stream};

use super::held::replay::{HELD, Held};
use super::kernels::emulator;
use super::noise::Streams;
use super::ops::Way;
use super::stack::{Blueprint, Inputs, Labelled, Named, Stack};
use crate::engine::noise::Noise;
use crate::engine::terms::{Term, View};
use crate::members::params::{
    Consistency, ConsistencyLoss, NetworkParams, Objective, ValidNetworkParams,
};
use crate::members::sizes::SizePrior;
use crate::members::weights::Weights;
use crate::preparation::image::Image;
use crate::preparation::moves::{Move, Strengths, moved_tensor};

const FEATURES: usize = 5;
const CLUSTERS: u8 = 3;
const ROWS: usize = 8;
const IMAGE: Image = Image { rows: 1, columns: FEATURES, channels: 1 };
/// More than a kernel's thread adds up, and layers wider than a block of noise.
pub(super) const MANY: (usize, [usize; 2]) = (70, [130, 4]);
const LABELLED: u8 = 6;

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
) -> Inputs {
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
    let samples = each(&|model| normal(model.into(), &[rows, FEATURES], dtype));
    let strengths = Strengths { shift: 0.3, rotation: 30.0, shear: 10.0, scale: 0.2 };
    let of_model = |&model: &u8| {
        Move::drawn(IMAGE, strengths, rows, &mut Seed(400 + u64::from(model)).rng(Stream::Subset))
    };
    let moves: Vec<Move> = models.iter().flat_map(of_model).collect();
    Inputs {
        step: 2,
        moved: Some(moved_tensor(IMAGE, &moves, &samples).unwrap()),
        samples,
        distances: Some(each(&distances)),
        neighbours: Some(each(&|model| normal(300 + u64::from(model), &[rows, FEATURES], dtype))),
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

/// What is minimised in a retraining, with labels or without.
pub(super) fn terms(params: &ValidNetworkParams, labelled: bool) -> Vec<Term> {
    let mut terms = params.terms(1);
    terms.retain(|term| labelled || term.view != View::Labelled);
    terms
}

/// Networks with all terms of a retraining.
pub(super) fn stack(
    (params, labelled): (&ValidNetworkParams, bool),
    members: &[&Weights],
    way: Way,
    dtype: DType,
    device: &Device,
) -> Stack {
    let priors: Vec<_> =
        members.iter().map(|weights| params.sizes.unlearned(weights.n_clusters())).collect();
    let terms = terms(params, labelled);
    let blueprint = Blueprint { way, params, terms, priors: &priors, spread: 1.5, dtype, device };
    Stack::new(blueprint, members).unwrap()
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
                    label_smoothing: if denoising.is_empty() { 0.2 } else { 0.0 },
                    consistency_weight: 2.0,
                    neighbour_weight: 0.6,
                    move_weight: 0.8,
                    image: Some(IMAGE),
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
                cases.push((other.clone().check().unwrap(), labelled));
                let consistency_loss = ConsistencyLoss::SquaredError;
                let squared = NetworkParams { consistency_loss, ..other };
                cases.push((squared.check().unwrap(), labelled));
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
        let stack = stack(
            (&params, labelled),
            &[&members[0], &members[1]],
            Way::Composed,
            DType::F64,
            &Device::Cpu,
        );
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
            let stack = stack((&params, labelled), &members, Way::Host, DType::F32, &Device::Cpu);
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
    assert_eq!((losses.len(), gradients.len()), (expected_losses.len(), expected_gradients.len()));
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

/// Operations in one pass, and kernels, as the host's C compiler understands them, against the composed operations.
#[test]
fn every_way_makes_the_same_losses_and_gradients() {
    for (params, labelled) in cases(MANY.1) {
        let case = describe(&params, labelled);
        let members = [weights(&params, 1), weights(&params, 2)];
        let batch = batch(&[1, 2], MANY.0, labelled, DType::F32, &Device::Cpu);
        let run = |way| {
            let members = [&members[0], &members[1]];
            let stack = stack((&params, labelled), &members, way, DType::F32, &Device::Cpu);
            stack.loss_and_gradients(&batch).unwrap()
        };
        let expected = run(Way::Composed);
        assert_close(&run(Way::Host), &expected, [1e-5, 1e-2], &case);
        let Some(found) = emulator::with_kernels(|| run(Way::Kernels)) else { return };
        assert_close(&found, &expected, [1e-5, 1e-2], &case);
    }
}

#[test]
fn threads_do_not_change_a_bit_of_a_step() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let of_case = |(params, labelled): (ValidNetworkParams, bool)| {
            let members = [weights(&params, 1)];
            let batch = batch(&[1], 150, labelled, DType::F32, &Device::Cpu);
            let case = (&params, labelled);
            let stack = stack(case, &[&members[0]], Way::Host, DType::F32, &Device::Cpu);
            stack.loss_and_gradients(&batch).unwrap()
        };
        pool.install(|| cases([300, 130]).into_iter().map(of_case).collect::<Vec<_>>())
    };
    assert!(run(1) == run(3));
}

#[test]
fn what_is_uploaded_comes_back() {
    let (params, labelled) = cases([7, 4]).pop().unwrap();
    let mut members = [weights(&params, 1), weights(&params, 2)];
    for (number, parameter) in members.iter_mut().flat_map(Weights::parameters_mut).enumerate() {
        parameter.first.fill(number as f32);
        parameter.second.fill(0.5 * number as f32);
        parameter.steps = 9;
    }
    let expected = members.clone();
    let of_two = [&members[0], &members[1]];
    let stack = stack((&params, labelled), &of_two, Way::Host, DType::F32, &Device::Cpu);
    for parameter in members.iter_mut().flat_map(Weights::parameters_mut) {
        parameter.value.fill(0.0);
        parameter.first.fill(0.0);
    }
    let [one, two] = &mut members;
    stack.download(&mut [one, two]).unwrap();
    assert_eq!(members, expected);
}
