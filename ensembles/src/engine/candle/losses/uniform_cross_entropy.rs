//! Label smoothing: what labels share with all clusters alike.

use candle_core::{D, Result, Tensor};

use super::softmax::{log_softmax, mean_of_samples};

/// Mean cross-entropy of the softmax of `logits` with the uniform distribution. Nats.
///
/// With a weight of e beside 1 - e of the labels' it is label smoothing (C. Szegedy et al., *Rethinking the Inception Architecture*, CVPR 2016).
pub(super) fn uniform_cross_entropy(logits: &Tensor) -> Result<Tensor> {
    mean_of_samples(&log_softmax(logits)?.mean_keepdim(D::Minus1)?)?.neg()
}
