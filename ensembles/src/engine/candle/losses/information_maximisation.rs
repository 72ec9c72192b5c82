//! Few clusters for each sample, all clusters for all samples.

use candle_core::{Result, Tensor};

use super::softmax::{log_softmax, mean_of_samples};
use crate::engine::candle::kernels::fused_losses;
use crate::engine::candle::ops::Way;

/// Negative mutual information of sample and cluster, weighted: mean over the batch of H(p(x)) + `mu` (KL(mean p(x) || prior)
/// - ln K). For a uniform prior the latter is -`mu` H(mean p(x)). (Krause et al., 2010; Hu et al., IMSAT, 2017.) Nats.
///
/// `prior`: ln(K prior), shape (models, 1, n_clusters).
pub(super) fn information_maximisation(
    way: Way,
    logits: &Tensor,
    prior: &Tensor,
    mu: f64,
) -> Result<Tensor> {
    if way == Way::Kernels {
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
