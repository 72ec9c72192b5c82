use candle_core::{Result, Tensor};

/// Mean over all values of `d^2 / 2` where `d = abs (guess - target)` is below 1, else `d - 1/2`.
pub(crate) fn smooth_l1(guess: &Tensor, target: &Tensor) -> Result<Tensor> {
    let distance = (guess - target)?.abs()?;
    // d (m - m/2) with m = min(d, 1) held constant: its slope is d below 1, and 1 above.
    let least = distance.detach().minimum(1.0)?;
    let half = (&least / 2.0)?;
    (least * (distance - half)?)?.mean_all()
}
