//! Values against the definitions in f64; gradients against finite differences; finite for values of ±200.

use candle_core::{DType, Device, Result, Tensor, Var};
use consilience_data::{Seed, Stream};

use super::*;

const ROWS: usize = 4;
const WIDTH: usize = 3;

type Loss = Box<dyn Fn(&Tensor) -> Result<Tensor>>;

/// A loss as it is defined.
type Plain = fn(&[f64]) -> f64;

fn numbers(seed: u64) -> Vec<f64> {
    Seed(seed).rng(Stream::Subset).normal(ROWS * WIDTH).into_iter().map(f64::from).collect()
}

fn tensor(values: &[f64]) -> Tensor {
    Tensor::from_slice(values, (1, ROWS, WIDTH), &Device::Cpu).unwrap()
}

/// From 0 to 1.
fn shares() -> Vec<f64> {
    numbers(2).into_iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect()
}

/// The second row has nothing, the others a word or two.
fn hidden() -> Vec<f64> {
    vec![1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.25, 0.0, 1.0, 0.0]
}

/// Every loss of one tensor, by name, beside its value from the definition.
fn losses() -> Vec<(&'static str, Loss, Plain)> {
    let with = |values: Vec<f64>, loss: fn(&Tensor, &Tensor) -> Result<Tensor>| -> Loss {
        Box::new(move |x| loss(x, &tensor(&values).to_dtype(x.dtype())?))
    };
    vec![
        ("mean squared error", with(shares(), mean_squared_error), plain_squared),
        ("binary cross-entropy", with(shares(), binary_cross_entropy), plain_binary),
        ("smooth l1", with(numbers(3), smooth_l1), plain_smooth),
        ("l1", Box::new(sparsity::l1), |x| mean(x.iter().map(|x| x.abs()))),
        ("divergence", Box::new(|x| sparsity::divergence(x, 0.05)), plain_divergence),
        ("of means", Box::new(|x| variational(x, &bounded(&x.ones_like()?)?)), |x| {
            plain_variational(x, &[1.0; ROWS * WIDTH])
        }),
        ("of variances", Box::new(|x| variational(&x.ones_like()?, &bounded(x)?)), |x| {
            plain_variational(&[1.0; ROWS * WIDTH], x)
        }),
        ("nt-xent", Box::new(|x| nt_xent(x, 0.5)), plain_nt_xent),
        ("masked cross-entropy", with(hidden(), masked_cross_entropy), plain_masked),
    ]
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

fn plain_squared(x: &[f64]) -> f64 {
    mean(x.iter().zip(shares()).map(|(x, t)| (x - t).powi(2)))
}

fn plain_binary(x: &[f64]) -> f64 {
    let s = |x: f64| 1.0 / (1.0 + (-x).exp());
    mean(x.iter().zip(shares()).map(|(&x, t)| -t * s(x).ln() - (1.0 - t) * (1.0 - s(x)).ln()))
}

fn plain_smooth(x: &[f64]) -> f64 {
    let each = |d: f64| if d < 1.0 { d * d / 2.0 } else { d - 0.5 };
    mean(x.iter().zip(numbers(3)).map(|(x, t)| each((x - t).abs())))
}

fn plain_divergence(x: &[f64]) -> f64 {
    let r = 0.05;
    mean((0..WIDTH).map(|unit| {
        let a = mean((0..ROWS).map(|row| 1.0 / (1.0 + (-x[row * WIDTH + unit]).exp())));
        r * (r / a).ln() + (1.0 - r) * ((1.0 - r) / (1.0 - a)).ln()
    }))
}

fn plain_variational(means: &[f64], variances: &[f64]) -> f64 {
    let each = |(m, v): (&f64, &f64)| {
        let v = 10.0 * (v / 10.0).tanh();
        (v.exp() + m * m - 1.0 - v) / 2.0
    };
    means.iter().zip(variances).map(each).sum::<f64>() / ROWS as f64
}

fn plain_nt_xent(x: &[f64]) -> f64 {
    let row = |i: usize| &x[i * WIDTH..(i + 1) * WIDTH];
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let cosine = |i, j| {
        let (a, b) = (row(i), row(j));
        dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt())
    };
    mean((0..ROWS).map(|i| {
        let others = (0..ROWS).filter(|&k| k != i);
        let sum: f64 = others.map(|k| (cosine(i, k) / 0.5_f64).exp()).sum();
        -((cosine(i, (i + ROWS / 2) % ROWS) / 0.5_f64).exp() / sum).ln()
    }))
}

fn plain_masked(x: &[f64]) -> f64 {
    let weights = hidden();
    let of_row = |row: usize| {
        let place = row * WIDTH..(row + 1) * WIDTH;
        let sum: f64 = x[place.clone()].iter().map(|x| x.exp()).sum();
        place.map(|i| -weights[i] * (x[i].exp() / sum).ln()).sum::<f64>()
    };
    (0..ROWS).map(of_row).sum::<f64>() / weights.iter().sum::<f64>()
}

fn value(loss: &Loss, x: &[f64]) -> f64 {
    loss(&tensor(x)).unwrap().to_scalar().unwrap()
}

#[test]
fn values_are_those_of_the_definitions() {
    for (name, loss, plain) in losses() {
        let x = numbers(1);
        let (found, expected) = (value(&loss, &x), plain(&x));
        assert!(
            (found - expected).abs() < 1e-5 * expected.abs().max(1.0),
            "{name}: {found} {expected}"
        );
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    for (name, loss, _) in losses() {
        let x = numbers(1);
        let variable = Var::from_tensor(&tensor(&x)).unwrap();
        let gradients = loss(&variable).unwrap().backward().unwrap();
        let found = gradients.get(&variable).unwrap().flatten_all().unwrap();
        for (i, found) in found.to_vec1::<f64>().unwrap().into_iter().enumerate() {
            let moved = |by: f64| {
                let mut x = x.clone();
                x[i] += by;
                value(&loss, &x)
            };
            let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((found - expected).abs() < 1e-7, "{name}, {i}: {found} {expected}");
        }
    }
}

#[test]
fn values_of_200_have_finite_losses_and_gradients() {
    for (name, loss, _) in losses() {
        let large: Vec<f64> = numbers(1).iter().map(|x| 200.0 * x.signum()).collect();
        for values in [large, vec![0.0; ROWS * WIDTH]] {
            let values = tensor(&values).to_dtype(DType::F32).unwrap();
            let variable = Var::from_tensor(&values).unwrap();
            let found = loss(&variable).unwrap();
            assert!(found.to_scalar::<f32>().unwrap().is_finite(), "{name}");
            let gradients = found.backward().unwrap();
            let gradient = gradients.get(&variable).unwrap().flatten_all().unwrap();
            assert!(gradient.to_vec1::<f32>().unwrap().iter().all(|g| g.is_finite()), "{name}");
        }
    }
}
