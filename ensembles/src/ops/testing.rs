//! Oracles for operations and losses.

use candle_core::{Device, Result, Shape, Tensor, Var};
use consilience_data::{Seed, Stream};

/// Normal random numbers.
pub(crate) fn random(seed: u64, shape: impl Into<Shape>) -> Tensor {
    let shape = shape.into();
    let values = Seed(seed).rng(Stream::Subset).normal(shape.elem_count());
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Same shape, and every value within `tolerance`, absolute or relative.
pub(crate) fn assert_close(found: &Tensor, expected: &Tensor, tolerance: f32) {
    assert_eq!(found.dims(), expected.dims());
    for (found, expected) in values(found).into_iter().zip(values(expected)) {
        let bound = tolerance * expected.abs().max(1.0);
        assert!((found - expected).abs() <= bound, "found {found}, expected {expected}");
    }
}

/// Holds the gradients of a fixed random projection of `function`'s result against central differences, for every
/// value of every input.
pub(crate) fn assert_gradients(inputs: &[Tensor], function: impl Fn(&[Tensor]) -> Result<Tensor>) {
    const STEP: f32 = 1e-2;
    let project = |inputs: &[Tensor]| -> Tensor {
        let result = function(inputs).unwrap();
        (&result * random(99, result.shape())).unwrap().sum_all().unwrap()
    };
    let variables: Vec<Var> = inputs.iter().map(|input| Var::from_tensor(input).unwrap()).collect();
    let tensors: Vec<Tensor> =
        variables.iter().map(|variable| variable.as_tensor().clone()).collect();
    let gradients = project(&tensors).backward().unwrap();
    for (which, input) in inputs.iter().enumerate() {
        let found = values(gradients.get(&variables[which]).expect("a gradient for every input"));
        for (index, &gradient) in found.iter().enumerate() {
            let at = |step: f32| -> f64 {
                let mut moved = values(input);
                moved[index] += step;
                let mut inputs = inputs.to_vec();
                inputs[which] = Tensor::from_vec(moved, input.shape(), &Device::Cpu).unwrap();
                f64::from(project(&inputs).to_scalar::<f32>().unwrap())
            };
            let numeric = (at(STEP) - at(-STEP)) / f64::from(2.0 * STEP);
            let error = (f64::from(gradient) - numeric).abs();
            assert!(
                error <= 2e-3 + 1e-2 * numeric.abs(),
                "input {which}, value {index}: gradient {gradient}, difference {numeric}"
            );
        }
    }
}
