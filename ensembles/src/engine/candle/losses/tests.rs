//! Losses, held against their definitions in f64.

use candle_core::{DType, Device, Var};

use super::super::kernels::emulator;
use super::*;

/// Straight from the definitions; the second model's rows are the first's, in another order.
#[test]
fn values_equal_the_definitions_for_every_model() {
    values(Way::Host);
    emulator::with_kernels(|| values(Way::Kernels));
}

fn values(way: Way) {
    let p = [[0.7_f64, 0.2, 0.1], [0.1, 0.1, 0.8]];
    let q = [[0.5_f64, 0.25, 0.25], [0.3, 0.3, 0.4]];
    let logits = |p: [[f64; 3]; 2]| {
        let both = [p, [p[1], p[0]]];
        Tensor::new(&both, &Device::Cpu).unwrap().log().unwrap().to_dtype(DType::F32).unwrap()
    };
    let entropy = |p: &[f64]| -p.iter().map(|p| p * p.ln()).sum::<f64>();
    let mean: Vec<f64> = (0..3).map(|k| (p[0][k] + p[1][k]) / 2.0).collect();
    let prior = [0.5_f64, 0.3, 0.2];
    let prior_of = |prior: [f64; 3]| {
        let multiples = prior.map(|share| (3.0 * share).ln());
        let both = Tensor::new(&[[multiples], [multiples]], &Device::Cpu).unwrap();
        both.to_dtype(DType::F32).unwrap()
    };
    let of_samples = f64::midpoint(entropy(&p[0]), entropy(&p[1]));
    let of_mean: f64 = (0..3).map(|k| mean[k] * (mean[k] / prior[k]).ln()).sum();
    let unit = |p: [f64; 3]| p.map(|x| x / p.iter().map(|x| x * x).sum::<f64>().sqrt());
    let dot =
        |i: usize, j: usize| -> f64 { unit(p[i]).iter().zip(unit(q[j])).map(|(p, q)| p * q).sum() };
    let places = [(0, 0), (0, 1), (1, 0), (1, 1)];
    let gram: f64 =
        places.iter().map(|&(i, j)| (dot(i, j) - f64::from(u8::from(i == j))).powi(2)).sum();
    let kl = |i: usize| (0..3).map(|k| p[i][k] * (p[i][k] / q[i][k]).ln()).sum::<f64>();
    let square = |i: usize| (0..3).map(|k| (p[i][k] - q[i][k]).powi(2)).sum::<f64>();
    let uniform = |i: usize| -(0..3).map(|k| p[i][k].ln() / 3.0).sum::<f64>();
    let labels = Tensor::new(&[[[1u32], [2]], [[2], [1]]], &Device::Cpu).unwrap();
    for (found, expected) in [
        (
            information_maximisation(way, &logits(p), &prior_of([1.0 / 3.0; 3]), 4.0),
            of_samples - 4.0 * entropy(&mean),
        ),
        (
            information_maximisation(way, &logits(p), &prior_of(prior), 4.0),
            of_samples + 4.0 * (of_mean - 3f64.ln()),
        ),
        (dot_product(way, &logits(p), &logits(q)), gram / 2.0),
        (divergence(way, &logits(p), &logits(q)), f64::midpoint(kl(0), kl(1))),
        (squared_error(way, &logits(p), &logits(q)), f64::midpoint(square(0), square(1))),
        (cross_entropy(way, &logits(p), &labels), -f64::midpoint(0.2_f64.ln(), 0.8_f64.ln())),
        (uniform_cross_entropy(&logits(p)), f64::midpoint(uniform(0), uniform(1))),
    ] {
        let found = found.unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(found.len(), 2);
        for found in found {
            assert!((f64::from(found) - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}

#[test]
fn extreme_logits_stay_finite() {
    extremes(Way::Host);
    emulator::with_kernels(|| extremes(Way::Kernels));
}

fn extremes(way: Way) {
    let extreme = [[[200f32, -200.0, 0.0], [200.0, -200.0, -200.0]]];
    let variable = Var::new(&extreme, &Device::Cpu).unwrap();
    let labels = Tensor::new(&[[[1u32], [1]]], &Device::Cpu).unwrap();
    let prior = Tensor::new(&[[[1f32, -60.0, 0.5]]], &Device::Cpu).unwrap();
    for loss in [
        information_maximisation(way, &variable, &prior, 4.0).unwrap(),
        dot_product(way, &variable, &variable.neg().unwrap()).unwrap(),
        divergence(way, &variable.neg().unwrap(), &variable).unwrap(),
        squared_error(way, &variable.neg().unwrap(), &variable).unwrap(),
        cross_entropy(way, &variable, &labels).unwrap(),
        uniform_cross_entropy(&variable).unwrap(),
    ] {
        assert!(loss.to_vec1::<f32>().unwrap()[0].is_finite());
        let gradients = loss.backward().unwrap();
        let gradient = gradients.get(&variable).unwrap().flatten_all().unwrap();
        assert!(gradient.to_vec1::<f32>().unwrap().iter().all(|g| g.is_finite()));
    }
}
