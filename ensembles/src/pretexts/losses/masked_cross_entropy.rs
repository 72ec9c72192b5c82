use candle_core::{D, Result, Tensor};

/// Cross-entropy of what is hidden: `-w_j ln softmax_j(g)`, summed over a row's classes and divided by the sum of all weights.
///
/// `logits` and `weights` of shape (1, n, classes): a token that is hidden has weight 1 for its class; words that are hidden in a text have what they weigh.
/// Rows in which nothing is hidden have weights of 0. With none at all, 0.
pub(crate) fn masked_cross_entropy(logits: &Tensor, weights: &Tensor) -> Result<Tensor> {
    let largest = logits.max_keepdim(D::Minus1)?.detach();
    let less = logits.broadcast_sub(&largest)?;
    let log_softmax = less.broadcast_sub(&less.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
    let total = (weights.sum_all()? + 1e-12)?;
    (log_softmax * weights)?.sum_all()?.neg()? / total
}
