//! One clustering of all samples, hard or soft.

use ndarray::{Array2, ArrayView2, CowArray, Ix2};

use crate::{ClusterId, Contingency};

/// Hard assignments: a cluster for each sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignments {
    clusters: Vec<ClusterId>,
    n_clusters: usize,
}

impl Assignments {
    /// `clusters`, length n_samples, each below `n_clusters`.
    #[must_use]
    pub fn new(clusters: Vec<ClusterId>, n_clusters: usize) -> Self {
        debug_assert!(clusters.iter().all(|cluster| cluster.index() < n_clusters));
        Self { clusters, n_clusters }
    }

    /// A cluster for each sample, length n_samples.
    #[must_use]
    pub fn clusters(&self) -> &[ClusterId] {
        &self.clusters
    }

    /// Number of samples.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.clusters.len()
    }

    /// Number of clusters there can be; some may be empty.
    #[must_use]
    pub fn n_clusters(&self) -> usize {
        self.n_clusters
    }

    /// Number of samples in each cluster, length n_clusters.
    #[must_use]
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.n_clusters];
        for cluster in &self.clusters {
            sizes[cluster.index()] += 1;
        }
        sizes
    }

    /// Overlap with another clustering of the same samples.
    #[must_use]
    pub fn contingency(&self, other: &Self) -> Contingency {
        debug_assert_eq!(self.n_samples(), other.n_samples());
        let pairs = self.clusters.iter().zip(&other.clusters).map(|(a, b)| (a.index(), b.index()));
        Contingency::count(pairs, self.n_clusters, other.n_clusters)
    }
}

/// Soft assignments: probabilities, shape (n_samples, n_clusters); rows sum to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct SoftAssignments(Array2<f32>);

impl SoftAssignments {
    /// Takes probabilities, shape (n_samples, n_clusters), n_clusters at least 1.
    #[must_use]
    pub fn new(probabilities: Array2<f32>) -> Self {
        debug_assert!(probabilities.ncols() >= 1);
        debug_assert!(probabilities.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-3));
        Self(probabilities)
    }

    /// The probabilities, shape (n_samples, n_clusters).
    #[must_use]
    pub fn view(&self) -> ArrayView2<'_, f32> {
        self.0.view()
    }

    /// Number of samples.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.0.nrows()
    }

    /// Number of clusters.
    #[must_use]
    pub fn n_clusters(&self) -> usize {
        self.0.ncols()
    }

    /// The most probable cluster of each sample (ties: the lowest id) and its probability, the *confidence*.
    #[must_use]
    pub fn harden(&self) -> (Assignments, Vec<f32>) {
        let (clusters, confidences) = self
            .0
            .rows()
            .into_iter()
            .map(|row| {
                let mut best = 0;
                for cluster in 1..row.len() {
                    if row[cluster] > row[best] {
                        best = cluster;
                    }
                }
                (ClusterId::from_index(best), row[best])
            })
            .unzip();
        (Assignments::new(clusters, self.n_clusters()), confidences)
    }
}

/// What a model says of samples.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelAnswers {
    /// A probability of every cluster.
    Soft(SoftAssignments),
    /// A cluster and a confidence alone, in six bytes a sample.
    Hard {
        /// The cluster of every sample.
        assignments: Assignments,
        /// How sure the model is of it, 0 to 1, length n_samples.
        confidences: Vec<f32>,
    },
}

impl From<SoftAssignments> for ModelAnswers {
    fn from(soft: SoftAssignments) -> Self {
        Self::Soft(soft)
    }
}

impl ModelAnswers {
    /// Number of samples.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        match self {
            Self::Soft(soft) => soft.n_samples(),
            Self::Hard { assignments, .. } => assignments.n_samples(),
        }
    }

    /// Number of clusters that the model can name.
    #[must_use]
    pub fn n_clusters(&self) -> usize {
        match self {
            Self::Soft(soft) => soft.n_clusters(),
            Self::Hard { assignments, .. } => assignments.n_clusters(),
        }
    }

    /// The cluster of each sample and the model's confidence in it: see [`SoftAssignments::harden`].
    #[must_use]
    pub fn harden(&self) -> (Assignments, Vec<f32>) {
        match self {
            Self::Soft(soft) => soft.harden(),
            Self::Hard { assignments, confidences } => (assignments.clone(), confidences.clone()),
        }
    }

    /// Probabilities, shape (n_samples, n_clusters); rows sum to 1. Where there are none, a sample's cluster has the confidence, and all
    /// others share what is left.
    #[must_use]
    pub fn probabilities(&self) -> CowArray<'_, f32, Ix2> {
        match self {
            Self::Soft(soft) => soft.view().into(),
            Self::Hard { assignments, confidences } => {
                let k = assignments.n_clusters();
                #[expect(clippy::cast_precision_loss, reason = "a number of clusters")]
                let others = k.saturating_sub(1) as f32;
                let mut rows = Array2::zeros((assignments.n_samples(), k));
                for ((mut row, cluster), &confidence) in
                    rows.rows_mut().into_iter().zip(assignments.clusters()).zip(confidences)
                {
                    if k > 1 {
                        row.fill((1.0 - confidence) / others);
                    }
                    row[cluster.index()] = if k > 1 { confidence } else { 1.0 };
                }
                rows.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_lowest_id_wins_a_tie() {
        let soft = SoftAssignments::new(array![[0.4, 0.4, 0.2], [0.1, 0.2, 0.7]]);
        let (hard, confidences) = soft.harden();
        assert_eq!(hard.clusters(), [ClusterId(0), ClusterId(2)]);
        assert_eq!(confidences, [0.4, 0.7]);
        assert_eq!(hard.sizes(), [1, 0, 1]);
    }

    #[test]
    fn votes_without_probabilities_share_what_is_left() {
        let answers = |clusters: Vec<u16>, confidences, k| ModelAnswers::Hard {
            assignments: Assignments::new(clusters.into_iter().map(ClusterId).collect(), k),
            confidences,
        };
        let hard = answers(vec![2, 0], vec![0.5, 1.0], 3);
        assert_eq!(hard.probabilities(), array![[0.25, 0.25, 0.5], [1.0, 0.0, 0.0]]);
        assert_eq!(hard.harden().0.clusters(), [ClusterId(2), ClusterId(0)]);
        assert_eq!(hard.harden().1, [0.5, 1.0]);
        assert_eq!(answers(vec![0, 0], vec![0.5, 1.0], 1).probabilities(), array![[1.0], [1.0]]);
    }
}
