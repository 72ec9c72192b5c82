//! Where the time goes.

use std::iter::Sum;
use std::ops::AddAssign;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Time that a model's thread spent, by what it did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Gathering batches and drawing noise and directions.
    pub noise: Duration,
    /// Activations and losses.
    pub forward: Duration,
    /// Gradients, those of adversarial directions included.
    pub backward: Duration,
    /// Adam.
    pub optimiser: Duration,
    /// Training on a GPU, whose parts can't be told apart without waiting for each.
    pub gpu: Duration,
    /// Population statistics and predictions.
    pub prediction: Duration,
}

impl AddAssign for Profile {
    fn add_assign(&mut self, other: Self) {
        self.noise += other.noise;
        self.forward += other.forward;
        self.backward += other.backward;
        self.optimiser += other.optimiser;
        self.gpu += other.gpu;
        self.prediction += other.prediction;
    }
}

impl Sum for Profile {
    fn sum<I: Iterator<Item = Self>>(profiles: I) -> Self {
        profiles.fold(Self::default(), |mut sum, profile| {
            sum += profile;
            sum
        })
    }
}
