//! What the networks minimise, and its gradient, all from logits of shape (n, n_clusters); finite for logits of any size.
//!
//! Every function adds its gradient to `gradient`, of the logits' shape, and returns its share of the loss.

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use crate::members::sizes::Prior;
use crate::numerics::elementary::{exp, ln, vectorised};
use crate::numerics::matrix::{row, row_mut};

/// Probabilities and their logarithms, shape (n, n_clusters) each.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) p: Array2<f32>,
    pub(crate) log_p: Array2<f32>,
}

impl Answers {
    /// The softmax of `logits`. O(n n_clusters).
    pub(crate) fn of(&mut self, logits: &ArrayView2<'_, f32>) {
        if self.p.dim() != logits.dim() {
            (self.p, self.log_p) = (Array2::zeros(logits.dim()), Array2::zeros(logits.dim()));
        }
        let (mut p, mut log_p) = (self.p.view_mut(), self.log_p.view_mut());
        vectorised(
            #[inline(always)]
            || {
                for index in 0..logits.nrows() {
                    let (p, log_p) = (row_mut(&mut p, index), row_mut(&mut log_p, index));
                    log_p.copy_from_slice(row(logits, index));
                    let largest = log_p
                        .iter()
                        .fold(f32::NEG_INFINITY, |most, &x| if x > most { x } else { most });
                    let mut sum = 0.0;
                    for (p, log_p) in p.iter_mut().zip(&mut *log_p) {
                        *log_p -= largest;
                        *p = exp(*log_p);
                        sum += *p;
                    }
                    let (log_sum, factor) = (ln(sum), 1.0 / sum);
                    log_p.iter_mut().for_each(|log_p| *log_p -= log_sum);
                    p.iter_mut().for_each(|p| *p *= factor);
                }
            },
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "a batch is small")]
fn mean_weight(weight: f64, n: usize) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
    let weight = weight as f32;
    weight / n as f32
}

/// Negative mutual information of sample and cluster, weighted: mean over the batch of H(p(x)) + `mu` (KL(mean p(x) ||
/// `prior`) - ln K), times `weight`. For a uniform prior the latter is -`mu` H(mean p(x)).
///
/// Few clusters for each sample, all clusters for all samples (Krause et al., 2010, with the prior in section 3; Hu et al.,
/// IMSAT, 2017, with `mu` = 4). Nats.
pub(crate) fn information_maximisation(
    answers: &Answers,
    prior: &Prior,
    mu: f64,
    weight: f64,
    mut gradient: ArrayViewMut2<'_, f32>,
) -> f64 {
    let (n, clusters) = answers.p.dim();
    let scale = mean_weight(weight, n);
    #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
    let mu_scale = mu as f32 * scale;
    let mut mean = vec![0.0_f64; clusters];
    for p in answers.p.rows() {
        mean.iter_mut().zip(p).for_each(|(sum, &p)| *sum += f64::from(p));
    }
    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    mean.iter_mut().for_each(|sum| *sum /= n as f64);
    // An empty cluster: p ln p is 0, and so is its gradient.
    #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
    let log_ratio: Vec<f32> = mean
        .iter()
        .zip(prior.log_multiples())
        .map(|(&mean, prior)| mean.max(f64::from(f32::MIN_POSITIVE)).ln() as f32 - prior)
        .collect();
    let of_mean: f64 = mean.iter().zip(&log_ratio).map(|(&p, &ratio)| -p * f64::from(ratio)).sum();
    let mut of_samples = 0.0;
    for index in 0..n {
        let (p, log_p) = (answers.p.row(index), answers.log_p.row(index));
        let entropy: f32 = p.iter().zip(log_p).map(|(p, log_p)| -p * log_p).sum();
        let crossed: f32 = p.iter().zip(&log_ratio).map(|(p, ratio)| p * ratio).sum();
        of_samples += f64::from(entropy);
        let cells =
            row_mut(&mut gradient, index).iter_mut().zip(p.iter().zip(log_p)).zip(&log_ratio);
        for ((gradient, (p, log_p)), ratio) in cells {
            *gradient += p * (mu_scale * (ratio - crossed) - scale * (log_p + entropy));
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    let of_samples = of_samples / n as f64;
    weight * (of_samples - mu * of_mean)
}

/// Mean over the batch of KL(p || q), with p, the answers of `anchor`, held constant, times `weight`. Nats.
pub(crate) fn divergence(
    anchor: &Answers,
    moved: &Answers,
    weight: f64,
    mut gradient: ArrayViewMut2<'_, f32>,
) -> f64 {
    let n = anchor.p.nrows();
    let scale = mean_weight(weight, n);
    let mut sum = 0.0;
    for index in 0..n {
        let (p, log_p) = (anchor.p.row(index), anchor.log_p.row(index));
        let (q, log_q) = (moved.p.row(index), moved.log_p.row(index));
        let divergence: f32 = p
            .iter()
            .zip(log_p.iter().zip(log_q))
            .map(|(p, (log_p, log_q))| p * (log_p - log_q))
            .sum();
        sum += f64::from(divergence);
        for ((gradient, p), q) in row_mut(&mut gradient, index).iter_mut().zip(p).zip(q) {
            *gradient += scale * (q - p);
        }
    }
    sum * f64::from(scale)
}

/// Mean cross-entropy of the answers with `labels`, each below n_clusters, times `weight`. Nats.
pub(crate) fn cross_entropy(
    answers: &Answers,
    labels: &[u32],
    weight: f64,
    mut gradient: ArrayViewMut2<'_, f32>,
) -> f64 {
    let scale = mean_weight(weight, labels.len());
    let mut sum = 0.0;
    for (index, &label) in labels.iter().enumerate() {
        let label = label as usize;
        sum -= f64::from(answers.log_p[[index, label]]);
        let gradient = row_mut(&mut gradient, index);
        gradient.iter_mut().zip(answers.p.row(index)).for_each(|(g, p)| *g += scale * p);
        gradient[label] -= scale;
    }
    sum * f64::from(scale)
}

/// Mean cross-entropy of the answers with the uniform distribution, times `weight`. Nats.
pub(crate) fn uniform_cross_entropy(
    answers: &Answers,
    weight: f64,
    mut gradient: ArrayViewMut2<'_, f32>,
) -> f64 {
    let (n, k) = answers.p.dim();
    let scale = mean_weight(weight, n);
    #[expect(clippy::cast_precision_loss, reason = "at most 65,535 clusters")]
    let uniform = 1.0 / k as f32;
    let mut sum = 0.0;
    for index in 0..n {
        sum -= answers.log_p.row(index).iter().map(|&log_p| f64::from(log_p)).sum::<f64>();
        let gradient = row_mut(&mut gradient, index);
        let pairs = gradient.iter_mut().zip(answers.p.row(index));
        pairs.for_each(|(gradient, p)| *gradient += scale * (p - uniform));
    }
    sum * f64::from(scale) * f64::from(uniform)
}

/// From the gradient of probabilities to that of logits.
pub(crate) fn softmax_backward(
    answers: &Answers,
    of_p: &ArrayView2<'_, f32>,
    mut gradient: ArrayViewMut2<'_, f32>,
) {
    for index in 0..of_p.nrows() {
        let (p, of_p) = (answers.p.row(index), of_p.row(index));
        let mean: f32 = p.iter().zip(of_p).map(|(p, of_p)| p * of_p).sum();
        for ((gradient, p), of_p) in row_mut(&mut gradient, index).iter_mut().zip(p).zip(of_p) {
            *gradient += p * (of_p - mean);
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::super::dot_product::DotProduct;
    use super::*;
    use crate::members::sizes::SizePrior;

    #[test]
    fn extreme_logits_stay_finite() {
        let (mut anchor, mut answers) = (Answers::default(), Answers::default());
        let logits = array![[200f32, -200.0, 0.0], [200.0, -200.0, -200.0]];
        answers.of(&logits.view());
        anchor.of(&(-&logits).view());
        let mut gradient = Array2::zeros(logits.dim());
        let prior = SizePrior::Given(vec![1.0, 1e-30, 2.0]).unlearned(3);
        let mut dot_product = DotProduct::new(logits.dim());
        let losses = [
            information_maximisation(&answers, &prior, 4.0, 1.0, gradient.view_mut()),
            divergence(&anchor, &answers, 1.0, gradient.view_mut()),
            cross_entropy(&answers, &[1, 1], 1.0, gradient.view_mut()),
        ];
        assert!(losses.iter().all(|loss| loss.is_finite()), "{losses:?}");
        assert!(gradient.iter().all(|slope| slope.is_finite()), "{gradient}");
        assert!((losses[2] - 400.0).abs() < 1e-3, "{losses:?}");
        assert!(dot_product.loss([&answers, &anchor], 1.0).is_finite());
        let of_p = dot_product.of_probabilities();
        assert!(of_p.iter().flatten().all(|slope| slope.is_finite()), "{of_p:?}");
    }
}
