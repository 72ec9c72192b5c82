use candle_core::{D, Result, Tensor};

/// Logarithms of variances stay within so much of 0.
const BOUND: f64 = 10.0;

/// Logarithms of variances from numbers of any size: `10 tanh (x / 10)`.
pub(crate) fn bounded(values: &Tensor) -> Result<Tensor> {
    (values / BOUND)?.tanh()? * BOUND
}

/// Divergence of normal distributions from the standard one: of each sample `(exp v + m^2 - 1 - v) / 2` summed over the units, m a
/// mean and v the logarithm of a variance, both of shape (1, n, width); the mean over samples.
pub(crate) fn variational(mean: &Tensor, log_variance: &Tensor) -> Result<Tensor> {
    let each = ((log_variance.exp()? + mean.sqr()?)? - (log_variance + 1.0)?)?;
    (each.sum(D::Minus1)? / 2.0)?.mean_all()
}
