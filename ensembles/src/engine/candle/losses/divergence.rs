//! One sample's answers alike, seen this way and that.

use candle_core::{Result, Tensor};

use super::softmax::{log_softmax, mean_of_samples};
use crate::engine::candle::held::held;
use crate::engine::candle::kernels::fused_losses;
use crate::engine::candle::ops::Way;

/// Mean over the batch of KL(p || q), with p, the softmax of `anchor`, held constant. Nats.
pub(in super::super) fn divergence(way: Way, anchor: &Tensor, moved: &Tensor) -> Result<Tensor> {
    let anchor = held(anchor);
    if way == Way::Kernels {
        return fused_losses::consistency(&anchor, moved);
    }
    let log_p = log_softmax(&anchor)?;
    let log_q = log_softmax(moved)?;
    mean_of_samples(&(log_p.exp()? * (&log_p - &log_q)?)?)
}
