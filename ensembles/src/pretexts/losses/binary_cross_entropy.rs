use candle_core::{Result, Tensor};

/// Mean over all values of `-t ln s(g) - (1 - t) ln (1 - s(g))`, where s(g) is the logistic function of a logit and t, from 0 to 1,
/// the `target`: `max(g, 0) - t g + ln (1 + exp (-abs g))`, which no logit makes infinite.
pub(crate) fn binary_cross_entropy(logits: &Tensor, target: &Tensor) -> Result<Tensor> {
    let softplus = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
    ((logits.relu()? - (logits * target)?)? + softplus)?.mean_all()
}
