//! Codes of which few units say something.

use candle_core::{D, Result, Tensor};

/// The least that a mean activation counts for, so that units that never say anything have a finite loss.
const LEAST: f64 = 1e-6;

/// Mean of `abs z` over all values.
pub(crate) fn l1(codes: &Tensor) -> Result<Tensor> {
    codes.abs()?.mean_all()
}

/// Mean over units of the divergence of `target`, the share of samples for which a unit should be active, from its mean
/// activation, the logistic function of its code; `codes` of shape (1, n, width).
pub(crate) fn divergence(codes: &Tensor, target: f64) -> Result<Tensor> {
    // The logistic function, whose slope stays finite.
    let activation = (((codes / 2.0)?.tanh()? + 1.0)? / 2.0)?.mean(D::Minus2)?;
    let activation = ((activation * (1.0 - 2.0 * LEAST))? + LEAST)?;
    let rest = (1.0 - &activation)?;
    let constant = target * target.ln() + (1.0 - target) * (1.0 - target).ln();
    let cross = ((activation.log()? * target)? + (rest.log()? * (1.0 - target))?)?;
    (constant - cross)?.mean_all()
}
