use candle_core::{Result, Tensor};

/// Mean of (`guess` - `target`)^2 over all values.
pub(crate) fn mean_squared_error(guess: &Tensor, target: &Tensor) -> Result<Tensor> {
    (guess - target)?.sqr()?.mean_all()
}
