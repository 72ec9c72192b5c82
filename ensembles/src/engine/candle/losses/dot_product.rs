//! What LADDER-DOT has in place of information maximisation.

use candle_core::{D, Result, Tensor};

use super::softmax::softmax;
use crate::engine::candle::ops::{Way, turned_product};

/// ||U V^T - I||^2 / n, with the rows of U and V, shape (models, n, n_clusters), the answers of both sides scaled to Euclidean
/// length 1: one sample's answers alike, those of different samples at right angles (Gupta et al., 2020).
///
/// Without anything of shape (n, n): ||U V^T||^2 is the sum of the products of U^T U and V^T V, place by place, and its trace
/// that of U and V. O(n K^2).
pub(super) fn dot_product(way: Way, clean: &Tensor, corrupted: &Tensor) -> Result<Tensor> {
    let unit = |logits: &Tensor| -> Result<Tensor> {
        let p = softmax(way, logits)?;
        p.broadcast_div(&p.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)
    };
    let (u, v) = (unit(clean)?, unit(corrupted)?);
    let squares = (turned_product(&u, &u)? * turned_product(&v, &v)?)?.sum((1, 2))?;
    let trace = (&u * &v)?.sum((1, 2))?;
    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    let n = u.dims()[1] as f64;
    ((squares - (trace * 2.0)?)? / n)? + 1.0
}
