//! Losses from logits of shape (models, n, n_clusters), each of shape (models); log-probabilities keep them finite
//! where probabilities round to 0.

use candle_core::{D, Result, Tensor};

use super::held;
#[cfg(any(feature = "cuda", test))]
use super::kernels::fused_losses;
#[cfg(any(feature = "cuda", test))]
use super::ops::has_kernels;

/// Shape as that of `logits`. Where the maximum is taken doesn't change the result, so no gradient flows through it.
fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    let largest = logits.detach().max_keepdim(D::Minus1)?;
    let shifted = logits.broadcast_sub(&largest)?;
    let log_sum = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    shifted.broadcast_sub(&log_sum)
}

/// Probabilities, shape as that of `logits`.
pub(super) fn softmax(logits: &Tensor) -> Result<Tensor> {
    #[cfg(any(feature = "cuda", test))]
    if has_kernels(logits) {
        return fused_losses::softmax(logits);
    }
    log_softmax(logits)?.exp()
}

/// Sum over clusters, mean over samples: (models, n, n_clusters) to (models).
fn mean_of_samples(values: &Tensor) -> Result<Tensor> {
    values.sum(2)?.mean(1)
}

/// Negative mutual information of sample and cluster, weighted: mean over the batch of H(p(x)) + `mu` (KL(mean p(x) || prior)
/// - ln K). For a uniform prior the latter is -`mu` H(mean p(x)).
///
/// Few clusters for each sample, all clusters for all samples (Krause et al., 2010; Hu et al., IMSAT, 2017).
///
/// `prior`: ln(K prior), shape (models, 1, n_clusters).
pub(super) fn information_maximisation(logits: &Tensor, prior: &Tensor, mu: f64) -> Result<Tensor> {
    #[cfg(any(feature = "cuda", test))]
    if has_kernels(logits) {
        return fused_losses::information_maximisation(logits, prior, mu);
    }
    let log_p = log_softmax(logits)?;
    let of_samples = mean_of_samples(&(log_p.exp()? * &log_p)?)?.neg()?;
    let largest = log_p.detach().max_keepdim(1)?;
    let mean = log_p.broadcast_sub(&largest)?.exp()?.mean_keepdim(1)?;
    let log_mean = (mean.log()? + largest)?;
    let of_mean = mean_of_samples(&(log_mean.exp()? * (&log_mean - prior)?)?)?.neg()?;
    of_samples - (of_mean * mu)?
}

/// ||U V^T - I||^2 / n, with the rows of U and V, shape (models, n, n_clusters), the answers of both sides scaled to Euclidean
/// length 1: one sample's answers alike, those of different samples at right angles (LADDER-DOT, Gupta et al., 2020).
///
/// Without anything of shape (n, n): see [`crate::engine::fast`]. O(n K^2).
pub(super) fn dot_product(clean: &Tensor, corrupted: &Tensor) -> Result<Tensor> {
    let unit = |logits: &Tensor| -> Result<Tensor> {
        let p = softmax(logits)?;
        p.broadcast_div(&p.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)
    };
    let gram = |unit: &Tensor| unit.t()?.matmul(unit);
    let (u, v) = (unit(clean)?, unit(corrupted)?);
    let squares = (gram(&u)? * gram(&v)?)?.sum((1, 2))?;
    let trace = (&u * &v)?.sum((1, 2))?;
    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    let n = u.dims()[1] as f64;
    ((squares - (trace * 2.0)?)? / n)? + 1.0
}

/// Mean over the batch of KL(p || q), with p, the softmax of `anchor`, held constant.
pub(super) fn consistency(anchor: &Tensor, moved: &Tensor) -> Result<Tensor> {
    #[cfg(any(feature = "cuda", test))]
    if has_kernels(moved) {
        return fused_losses::consistency(&held(anchor), moved);
    }
    let log_p = log_softmax(&held(anchor))?;
    let log_q = log_softmax(moved)?;
    mean_of_samples(&(log_p.exp()? * (&log_p - &log_q)?)?)
}

/// Mean cross-entropy of the softmax of `logits` with `labels`, shape (models, n, 1), each below n_clusters.
pub(super) fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    #[cfg(any(feature = "cuda", test))]
    if has_kernels(logits) {
        return fused_losses::cross_entropy(logits, labels);
    }
    mean_of_samples(&log_softmax(logits)?.gather(labels, 2)?)?.neg()
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::super::kernels::emulator;
    use super::*;

    /// Straight from the definitions; the second model's rows are the first's, in another order.
    #[test]
    fn values_equal_the_definitions_for_every_model() {
        values();
        emulator::with_kernels(values);
    }

    fn values() {
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
        let divergence: f64 = (0..3).map(|k| mean[k] * (mean[k] / prior[k]).ln()).sum();
        let unit = |p: [f64; 3]| p.map(|x| x / p.iter().map(|x| x * x).sum::<f64>().sqrt());
        let dot = |i: usize, j: usize| -> f64 {
            unit(p[i]).iter().zip(unit(q[j])).map(|(p, q)| p * q).sum()
        };
        let places = [(0, 0), (0, 1), (1, 0), (1, 1)];
        let gram: f64 =
            places.iter().map(|&(i, j)| (dot(i, j) - f64::from(u8::from(i == j))).powi(2)).sum();
        let kl = |i: usize| (0..3).map(|k| p[i][k] * (p[i][k] / q[i][k]).ln()).sum::<f64>();
        let labels = Tensor::new(&[[[1u32], [2]], [[2], [1]]], &Device::Cpu).unwrap();
        for (found, expected) in [
            (
                information_maximisation(&logits(p), &prior_of([1.0 / 3.0; 3]), 4.0),
                of_samples - 4.0 * entropy(&mean),
            ),
            (
                information_maximisation(&logits(p), &prior_of(prior), 4.0),
                of_samples + 4.0 * (divergence - 3f64.ln()),
            ),
            (dot_product(&logits(p), &logits(q)), gram / 2.0),
            (consistency(&logits(p), &logits(q)), f64::midpoint(kl(0), kl(1))),
            (cross_entropy(&logits(p), &labels), -f64::midpoint(0.2_f64.ln(), 0.8_f64.ln())),
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
        extremes();
        emulator::with_kernels(extremes);
    }

    fn extremes() {
        let extreme = [[[200f32, -200.0, 0.0], [200.0, -200.0, -200.0]]];
        let variable = Var::new(&extreme, &Device::Cpu).unwrap();
        let labels = Tensor::new(&[[[1u32], [1]]], &Device::Cpu).unwrap();
        let prior = Tensor::new(&[[[1f32, -60.0, 0.5]]], &Device::Cpu).unwrap();
        for loss in [
            information_maximisation(&variable, &prior, 4.0).unwrap(),
            dot_product(&variable, &variable.neg().unwrap()).unwrap(),
            consistency(&variable.neg().unwrap(), &variable).unwrap(),
            cross_entropy(&variable, &labels).unwrap(),
        ] {
            assert!(loss.to_vec1::<f32>().unwrap()[0].is_finite());
            let gradients = loss.backward().unwrap();
            let gradient = gradients.get(&variable).unwrap().flatten_all().unwrap();
            assert!(gradient.to_vec1::<f32>().unwrap().iter().all(|g| g.is_finite()));
        }
    }
}
