//! What the networks minimise, all computed from logits of shape (n, n_clusters), in forms that stay finite for
//! logits of any size.

use candle_core::{D, Device, Result, Tensor};

/// log softmax over clusters, shape (n, n_clusters).
fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    let largest = logits.max_keepdim(D::Minus1)?.detach();
    let shifted = logits.broadcast_sub(&largest)?;
    let log_sum = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    shifted.broadcast_sub(&log_sum)
}

/// log of the mean over samples of exp(`log_p`), shape (1, n_clusters).
fn log_mean_exp(log_p: &Tensor) -> Result<Tensor> {
    let largest = log_p.max_keepdim(0)?.detach();
    log_p.broadcast_sub(&largest)?.exp()?.mean_keepdim(0)?.log()?.add(&largest)
}

/// Negative mutual information of sample and cluster, weighted: mean over the batch of H(p(x)) - `mu` H(mean p(x)).
///
/// Few clusters for each sample, all clusters for all samples (Krause et al., 2010; Hu et al., IMSAT, 2017, with
/// `mu` = 4). A scalar; nats.
pub(crate) fn information_maximisation(logits: &Tensor, mu: f64) -> Result<Tensor> {
    let log_p = log_softmax(logits)?;
    let of_samples = (log_p.exp()? * &log_p)?.sum(D::Minus1)?.mean_all()?.neg()?;
    let log_mean = log_mean_exp(&log_p)?;
    let of_mean = (log_mean.exp()? * &log_mean)?.sum_all()?.neg()?;
    of_samples - (of_mean * mu)?
}

/// Mean over the batch of KL(p || q), with p, the softmax of `anchor`, held constant. A scalar; nats.
pub(crate) fn consistency(anchor: &Tensor, moved: &Tensor) -> Result<Tensor> {
    let log_p = log_softmax(&anchor.detach())?;
    let log_q = log_softmax(moved)?;
    (log_p.exp()? * (&log_p - &log_q)?)?.sum(D::Minus1)?.mean_all()
}

/// Mean cross-entropy of the softmax of `logits` with `labels`, each below n_clusters. A scalar; nats.
pub(crate) fn cross_entropy(logits: &Tensor, labels: &[u32]) -> Result<Tensor> {
    let labels = Tensor::from_slice(labels, (labels.len(), 1), &Device::Cpu)?;
    log_softmax(logits)?.gather(&labels, D::Minus1)?.mean_all()?.neg()
}

/// Probabilities, shape (n, n_clusters).
pub(crate) fn softmax(logits: &Tensor) -> Result<Tensor> {
    log_softmax(logits)?.exp()
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Var};

    use super::*;
    use crate::ops::testing::{assert_close, assert_gradients, random};

    fn scalar(tensor: &Tensor) -> f32 {
        tensor.to_scalar().unwrap()
    }

    #[test]
    fn gradients_equal_finite_differences() {
        let logits = [random(1, (6, 4))];
        assert_gradients(&logits, |t| information_maximisation(&t[0], 4.0));
        assert_gradients(&logits, |t| cross_entropy(&t[0], &[0, 3, 1, 1, 2, 0]));
        let anchor = random(2, (6, 4));
        assert_gradients(&logits, |t| consistency(&anchor, &t[0]));
    }

    #[test]
    fn no_gradient_flows_into_the_anchor() {
        let anchor = Var::from_tensor(&random(2, (6, 4))).unwrap();
        let moved = Var::from_tensor(&random(3, (6, 4))).unwrap();
        let gradients = consistency(&anchor, &moved).unwrap().backward().unwrap();
        assert!(gradients.get(&anchor).is_none() && gradients.get(&moved).is_some());
    }

    /// Straight from the definition, in f64.
    #[test]
    fn values_equal_the_definitions() {
        let p = [[0.7_f64, 0.2, 0.1], [0.1, 0.1, 0.8]];
        let q = [[0.5_f64, 0.25, 0.25], [0.3, 0.3, 0.4]];
        let logits = |p: [[f64; 3]; 2]| {
            Tensor::new(&p, &Device::Cpu).unwrap().log().unwrap().to_dtype(DType::F32).unwrap()
        };
        let entropy = |p: &[f64]| -p.iter().map(|p| p * p.ln()).sum::<f64>();
        let mean: Vec<f64> = (0..3).map(|k| (p[0][k] + p[1][k]) / 2.0).collect();
        let expected = (entropy(&p[0]) + entropy(&p[1])) / 2.0 - 4.0 * entropy(&mean);
        let found = f64::from(scalar(&information_maximisation(&logits(p), 4.0).unwrap()));
        assert!((found - expected).abs() < 1e-5);
        let kl = |i: usize| (0..3).map(|k| p[i][k] * (p[i][k] / q[i][k]).ln()).sum::<f64>();
        let found = f64::from(scalar(&consistency(&logits(p), &logits(q)).unwrap()));
        assert!((found - (kl(0) + kl(1)) / 2.0).abs() < 1e-5);
        let found = f64::from(scalar(&cross_entropy(&logits(p), &[1, 2]).unwrap()));
        assert!((found + (0.2_f64.ln() + 0.8_f64.ln()) / 2.0).abs() < 1e-5);
    }

    #[test]
    fn extreme_logits_stay_finite() {
        let extreme =
            Tensor::new(&[[200f32, -200.0, 0.0], [200.0, -200.0, -200.0]], &Device::Cpu).unwrap();
        let variable = Var::from_tensor(&extreme).unwrap();
        let reverse = extreme.neg().unwrap();
        for loss in [
            information_maximisation(&variable, 4.0).unwrap(),
            consistency(&reverse, &variable).unwrap(),
            cross_entropy(&variable, &[1, 1]).unwrap(),
        ] {
            assert!(scalar(&loss).is_finite());
            let gradients = loss.backward().unwrap();
            let gradient = gradients.get(&variable).unwrap().flatten_all().unwrap();
            assert!(gradient.to_vec1::<f32>().unwrap().iter().all(|g| g.is_finite()));
        }
    }

    #[test]
    fn probabilities_sum_to_one() {
        let sums = softmax(&random(5, (6, 4))).unwrap().sum(1).unwrap();
        assert_close(&sums, &Tensor::ones(6, DType::F32, &Device::Cpu).unwrap(), 1e-6);
    }
}
