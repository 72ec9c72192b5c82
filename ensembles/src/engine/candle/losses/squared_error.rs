//! One sample's answers alike, seen this way and that, as squares count it.

use candle_core::{Result, Tensor};

use super::softmax::{mean_of_samples, softmax};
use crate::engine::candle::ops::Way;

/// Mean over the batch of ||p - q||^2, with p and q the softmax of `clean` and of `other`: from 0 to 2. Both learn (Laine and
/// Aila, *Temporal Ensembling for Semi-Supervised Learning*, ICLR 2017).
pub(super) fn squared_error(way: Way, clean: &Tensor, other: &Tensor) -> Result<Tensor> {
    let difference = (softmax(way, clean)? - softmax(way, other)?)?;
    mean_of_samples(&difference.sqr()?)
}
