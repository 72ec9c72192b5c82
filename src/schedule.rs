//! How long networks are trained.

use serde::{Deserialize, Serialize};

/// How long a phase of training is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Passes over the data, at least.
    pub epochs: usize,
    /// Steps, at least: with few samples there are more epochs than `epochs`.
    pub min_steps: usize,
    /// Whether the learning rate falls linearly to zero.
    pub anneal: bool,
}

impl Schedule {
    /// Passes over the data, where a pass has so many steps.
    pub(crate) fn epochs_of(&self, batches: usize) -> usize {
        self.epochs.max(self.min_steps.div_ceil(batches))
    }
}
