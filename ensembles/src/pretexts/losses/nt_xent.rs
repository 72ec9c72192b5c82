use candle_core::{D, Result, Tensor};

use crate::engine::candle::linear;

/// Added to squared lengths, so that a code of zeros has a direction: none.
const EPSILON: f64 = 1e-12;
/// What takes a sample out of the sum over others.
const NEVER: f64 = -1e9;

/// The normalised, temperature-scaled cross-entropy. `codes`, shape (1, 2 n, width): rows i and n + i are two views of one sample, which
/// has to be found among the other 2 n - 1 rows by its cosine. O(n^2 width).
pub(crate) fn nt_xent(codes: &Tensor, temperature: f64) -> Result<Tensor> {
    let (_, rows, _) = codes.dims3()?;
    let length = (codes.sqr()?.sum_keepdim(D::Minus1)? + EPSILON)?.sqrt()?;
    let unit = codes.broadcast_div(&length)?;
    let cosines = linear(&unit, &unit.transpose(1, 2)?.contiguous()?)?;
    let itself = Tensor::eye(rows, codes.dtype(), codes.device())?.unsqueeze(0)?;
    let logits = ((cosines / temperature)? + (itself * NEVER)?)?;
    let half = rows / 2;
    let turned = Tensor::cat(&[unit.narrow(1, half, half)?, unit.narrow(1, 0, half)?], 1)?;
    let found = ((&unit * turned)?.sum(D::Minus1)? / temperature)?;
    let largest = logits.max_keepdim(D::Minus1)?.detach();
    let sum = logits.broadcast_sub(&largest)?.exp()?.sum(D::Minus1)?.log()?;
    ((sum + largest.squeeze(D::Minus1)?)? - found)?.mean_all()
}
