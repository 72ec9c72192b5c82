//! Losses and gradients of a stack, held against finite differences and against each model alone.

use std::cell::RefCell;
use std::collections::VecDeque;

use candle_core::{DType, Device, Tensor};
use consilience_data::{Seed, Stream};

use super::*;
use crate::NetworkParams;
use crate::noise::Noise;

const FEATURES: usize = 5;
const CLUSTERS: usize = 3;
const ROWS: usize = 8;
const LABELLED: usize = 6;

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
fn weights(params: &ValidNetworkParams, model: u64) -> Weights {
    let mut rng = Seed(model).rng(Stream::Weights { model });
    let mut weights = Weights::new(params, FEATURES, CLUSTERS, &mut rng);
    for parameter in weights.parameters_mut() {
        let moves = rng.normal(parameter.value.len());
        parameter.value.iter_mut().zip(moves).for_each(|(value, by)| *value += 0.3 * by);
    }
    weights
}

/// A batch of the given models, each with its own samples, noise and labels.
fn batch(models: &[u64], labelled: bool, dtype: DType) -> Batch {
    let each = |make: &dyn Fn(u64) -> Tensor| {
        let tensors: Vec<_> = models.iter().map(|&model| make(model)).collect();
        Tensor::stack(&tensors, 0).unwrap()
    };
    let streams = |offset: u32| {
        let keys =
            models.iter().map(|&model| Noise { key: [u32::try_from(model).unwrap(), offset] });
        Streams::new(keys.collect(), &Device::Cpu).unwrap()
    };
    let labels = |model| {
        let labels: Vec<u32> =
            (0..LABELLED as u64).map(|row| ((row + model) % CLUSTERS as u64) as u32).collect();
        Tensor::from_vec(labels, (LABELLED, 1), &Device::Cpu).unwrap()
    };
    let distances = |model| normal(100 + model, &[ROWS, 1], dtype).abs().unwrap();
    Batch {
        step: 2,
        decoder: true,
        samples: each(&|model| normal(model, &[ROWS, FEATURES], dtype)),
        distances: Some(each(&distances)),
        labelled: labelled.then(|| Labelled {
            samples: each(&|model| normal(200 + model, &[LABELLED, FEATURES], dtype)),
            labels: each(&labels),
        }),
        noise: streams(1),
        perturbation: streams(2),
    }
}

/// Every kind of loss: settings, and whether there are labels.
fn cases() -> Vec<(ValidNetworkParams, bool)> {
    let mut cases = Vec::new();
    for consistency in
        [Consistency::None, Consistency::NoiseKl, Consistency::Random, Consistency::Adversarial]
    {
        for denoising in [vec![], vec![3.0, 2.0, 1.0]] {
            for labelled in [false, true] {
                let params = NetworkParams {
                    hidden: vec![7, 4],
                    consistency,
                    denoising: denoising.clone(),
                    im_weight: 0.7,
                    label_weight: 1.5,
                    consistency_weight: 2.0,
                    normalise_last: labelled != denoising.is_empty(),
                    probe: 0.5,
                    ..NetworkParams::default()
                };
                cases.push((params.check().unwrap(), labelled));
            }
        }
    }
    cases
}

fn describe(params: &ValidNetworkParams, labelled: bool) -> String {
    format!("{:?}, denoising {:?}, labelled {labelled}", params.consistency, params.denoising)
}

#[test]
fn gradients_equal_finite_differences() {
    const STEP: f64 = 1e-5;
    for (params, labelled) in cases() {
        let case = describe(&params, labelled);
        let members = [weights(&params, 1), weights(&params, 2)];
        let stack =
            Stack::of_type(&params, 1.5, &[&members[0], &members[1]], DType::F64, &Device::Cpu)
                .unwrap();
        let batch = batch(&[1, 2], labelled, DType::F64);
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
    for (params, labelled) in cases() {
        let case = describe(&params, labelled);
        let members = [1, 2, 3].map(|model| weights(&params, model));
        let run = |models: &[u64]| {
            let members: Vec<&Weights> =
                models.iter().map(|&model| &members[model as usize - 1]).collect();
            let stack = Stack::new(&params, 1.5, &members, &Device::Cpu).unwrap();
            stack.loss_and_gradients(&batch(models, labelled, DType::F32)).unwrap()
        };
        let (losses, gradients) = run(&[1, 2, 3]);
        for model in [1, 2, 3] {
            let (alone, of_alone) = run(&[model]);
            let index = model as usize - 1;
            assert_eq!(alone[0].to_bits(), losses[index].to_bits(), "{case}");
            assert_eq!(of_alone[0], gradients[index], "{case}");
        }
    }
}

#[test]
fn what_is_uploaded_comes_back() {
    let (params, _) = cases().pop().unwrap();
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
