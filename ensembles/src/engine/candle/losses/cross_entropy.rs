//! Pseudo-labels.

use candle_core::{Result, Tensor};

use super::softmax::{log_softmax, mean_of_samples};
use crate::engine::candle::kernels::fused_losses;
use crate::engine::candle::ops::Way;

/// Mean cross-entropy of the softmax of `logits` with `labels`, shape (models, n, 1), each below n_clusters. Nats.
pub(super) fn cross_entropy(way: Way, logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    if way == Way::Kernels {
        return fused_losses::cross_entropy(logits, labels);
    }
    mean_of_samples(&log_softmax(logits)?.gather(labels, 2)?)?.neg()
}
