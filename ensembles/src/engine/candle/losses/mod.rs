//! Losses from logits of shape (models, n, n_clusters), each of shape (models): a file for each.

mod cross_entropy;
pub(super) mod divergence;
mod dot_product;
mod information_maximisation;
pub(super) mod softmax;
mod squared_error;
#[cfg(test)]
mod tests;
mod uniform_cross_entropy;

use candle_core::{Result, Tensor, bail};

use super::decoder::Decoder;
use super::encoder::Pass;
use super::ops::Way;
use crate::engine::terms::Loss;

use cross_entropy::cross_entropy;
use divergence::divergence;
use dot_product::dot_product;
use information_maximisation::information_maximisation;
use squared_error::squared_error;
use uniform_cross_entropy::uniform_cross_entropy;

/// What a loss may be of.
pub(super) struct Seen<'a> {
    pub(super) way: Way,
    pub(super) clean: &'a Pass,
    /// The view that the loss is of.
    pub(super) view: &'a Pass,
    /// Shape (models, n, 1), of type u32.
    pub(super) labels: Option<&'a Tensor>,
    pub(super) decoder: Option<&'a Decoder>,
    /// ln(K prior), shape (models, 1, n_clusters).
    pub(super) prior: &'a Tensor,
    /// The weight of clusters' sizes in information maximisation.
    pub(super) mu: f64,
}

/// A term's loss, not weighted, shape (models).
pub(super) fn of(loss: Loss, seen: &Seen<'_>) -> Result<Tensor> {
    let (way, clean, logits) = (seen.way, &seen.clean.logits, &seen.view.logits);
    match (loss, seen.labels, seen.decoder) {
        (Loss::InformationMaximisation, _, _) => {
            information_maximisation(way, logits, seen.prior, seen.mu)
        }
        (Loss::DotProduct, _, _) => dot_product(way, clean, logits),
        (Loss::Divergence, _, _) => divergence(way, clean, logits),
        (Loss::SquaredError, _, _) => squared_error(way, clean, logits),
        (Loss::CrossEntropy, Some(labels), _) => cross_entropy(way, logits, labels),
        (Loss::UniformCrossEntropy, _, _) => uniform_cross_entropy(logits),
        (Loss::Denoising, _, Some(decoder)) => decoder.cost(way, seen.clean, seen.view),
        (Loss::CrossEntropy | Loss::Denoising, _, _) => {
            bail!("{loss:?}: labels or decoder missing")
        }
    }
}
