//! Probabilities from logits of shape (models, n, n_clusters); their logarithms keep losses finite where they round to 0.

use candle_core::{D, Result, Tensor};

use crate::engine::candle::kernels::fused_losses;
use crate::engine::candle::ops::Way;

/// Shape as that of `logits`. Where the maximum is taken doesn't change the result, so no gradient flows through it.
pub(super) fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    let largest = logits.detach().max_keepdim(D::Minus1)?;
    let shifted = logits.broadcast_sub(&largest)?;
    let log_sum = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    shifted.broadcast_sub(&log_sum)
}

/// Probabilities, shape as that of `logits`.
pub(in super::super) fn softmax(way: Way, logits: &Tensor) -> Result<Tensor> {
    if way == Way::Kernels {
        return fused_losses::softmax(logits);
    }
    log_softmax(logits)?.exp()
}

/// Sum over clusters, mean over samples: (models, n, n_clusters) to (models).
pub(super) fn mean_of_samples(values: &Tensor) -> Result<Tensor> {
    values.sum(2)?.mean(1)
}
