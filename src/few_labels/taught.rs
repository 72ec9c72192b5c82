//! What a run was taught, and what it makes of that.

use consilience_data::{ClusterId, GivenLabels, SoftAssignments};

use super::contradictions::Contradiction;

/// The labels that a run learnt from, with what only such a run has.
#[derive(Debug, Clone)]
pub struct Taught {
    /// The labels.
    pub given: GivenLabels,
    /// The cluster of each class, length n_classes, all different.
    pub clusters: Vec<ClusterId>,
    /// A probability of every cluster for every sample, shape (n_samples, n_clusters); of samples whose label was given, that label's is 1.
    /// None of a run that clustered, whose answer has but one confidence a sample.
    pub probabilities: Option<SoftAssignments>,
    /// Labelled samples of each class that would be in another cluster without their labels, length n_classes; of a run that clustered.
    pub moved: Option<Vec<usize>>,
    /// Labels that the other samples contradict, the clearest first.
    pub contradictions: Vec<Contradiction>,
}

impl Taught {
    /// What each class's cluster is called.
    pub fn names(&self) -> impl Iterator<Item = (ClusterId, &str)> {
        self.clusters.iter().copied().zip(self.given.names().iter().map(String::as_str))
    }

    /// What a cluster is called: as its class or, if it has none, by its number, with the word before it, as a number alone may be another class's name.
    #[must_use]
    pub fn name_of(&self, cluster: ClusterId) -> String {
        match self.names().find(|&(of, _)| of == cluster) {
            Some((_, name)) => name.into(),
            None => format!("cluster {cluster}"),
        }
    }
}
