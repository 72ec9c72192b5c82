//! What a run was taught, and what it makes of that.

use consilience_data::{GivenLabels, SoftAssignments};

use super::contradictions::Contradiction;

/// The labels that a run learnt from, with what only such a run has.
#[derive(Debug, Clone)]
pub struct Taught {
    /// The labels.
    pub given: GivenLabels,
    /// A probability of every class for every sample, shape (n_samples, n_clusters); of samples whose label was given, that label's is 1.
    pub probabilities: SoftAssignments,
    /// Labels that the other samples contradict, the clearest first.
    pub contradictions: Vec<Contradiction>,
}
