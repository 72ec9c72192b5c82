//! What tells whether a result can be trusted, in numbers: the report draws these, and nothing that isn't here.

use consilience_data::{ClusterId, Contingency, PseudoLabels, SampleIdx, Truth};
use consilience_graph::Diversity;
use ndarray::Array2;
use serde::Serialize;

use crate::RunError;
use crate::evaluation::{ConfusedPair, Scores};

/// Matrices of more clusters, or models, are left out: 10,000 numbers are the most that a person or a page can take.
pub const MAX_SIDE: usize = 100;
/// Equal parts of 0..=1 in which confidences are counted.
const BINS: u8 = 20;
/// Pairs of a class and a cluster that are told of, and samples of each.
const CONFUSED: usize = 12;
const EXAMPLES: usize = 8;

/// Evidence for and against a result.
#[derive(Debug, Clone, Serialize)]
pub struct TrustMetrics {
    /// Each cluster, length n_clusters.
    pub clusters: Vec<ClusterMetrics>,
    /// Samples by the confidence of their cluster, in 20 equal bins from 0 to 1, each with its lower bound; the last one has 1,
    /// too. Samples without a cluster are left out.
    pub confidence_histogram: Vec<usize>,
    /// How much of all models puts a sample of one cluster with another sample of a second, averaged over such pairs of samples,
    /// shape (n_clusters, n_clusters). Far from 1 on the diagonal: models split the cluster. Far from 0 elsewhere: they
    /// mix the two. `None` for cells without a pair, and all of it with more than 100 clusters.
    pub cluster_agreement: Option<Matrix>,
    /// Adjusted Rand index of every two models, shape (n_models, n_models). `None` for models that voted on no samples in
    /// common, and all of it with more than 100 models.
    pub model_ari: Option<Matrix>,
    /// What was taken for something else most often, with samples of it; `None` without the truth.
    pub confused_pairs: Option<Vec<ConfusedPair>>,
}

/// Rows of numbers; a number that doesn't exist is `None`.
pub type Matrix = Vec<Vec<Option<f64>>>;

/// A cluster in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClusterMetrics {
    /// Number of its samples.
    pub size: usize,
    /// Number of samples that have it for a pseudo-label.
    pub pseudo_labels: usize,
    /// Mean confidence of its samples; `None` without any.
    pub mean_confidence: Option<f64>,
}

/// What a run came to, by sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    /// Length n_samples; `None` for samples on which nobody voted.
    pub(super) clusters: &'a [Option<ClusterId>],
    /// Length n_samples.
    pub(super) confidences: &'a [f32],
    pub(super) pseudo_labels: &'a PseudoLabels,
    /// K.
    pub(super) n_clusters: usize,
}

impl TrustMetrics {
    /// Looks at what was found, at each model's votes (length n_samples), and at how alike they are. O(n M + M K³).
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`](consilience_data::DataError::LabelCount) if the truth is of other samples.
    pub(super) fn new(
        found: Found<'_>,
        votes: impl Iterator<Item = Vec<Option<ClusterId>>>,
        diversity: &Diversity,
        truth: Option<&Truth>,
    ) -> Result<Self, RunError> {
        let k = found.n_clusters;
        let n_models = diversity.matrix().nrows();
        let confused_pairs = truth.map(|truth| found.confused(truth)).transpose()?;
        Ok(Self {
            clusters: found.by_cluster(),
            confidence_histogram: found.histogram(),
            cluster_agreement: (k <= MAX_SIDE).then(|| agreement(votes, found.clusters, k)),
            model_ari: (n_models <= MAX_SIDE).then(|| rows(diversity.matrix())),
            confused_pairs,
        })
    }
}

impl Found<'_> {
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    fn by_cluster(&self) -> Vec<ClusterMetrics> {
        let mut sizes = vec![0; self.n_clusters];
        let mut sums = vec![0.0; self.n_clusters];
        for (cluster, &confidence) in self.clusters.iter().zip(self.confidences) {
            if let Some(cluster) = cluster {
                sizes[cluster.index()] += 1;
                sums[cluster.index()] += f64::from(confidence);
            }
        }
        let labelled = self.pseudo_labels.sizes();
        let of = |cluster: usize| ClusterMetrics {
            size: sizes[cluster],
            pseudo_labels: labelled.get(cluster).copied().unwrap_or(0),
            mean_confidence: (sizes[cluster] > 0).then(|| sums[cluster] / sizes[cluster] as f64),
        };
        (0..self.n_clusters).map(of).collect()
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 20")]
    fn histogram(&self) -> Vec<usize> {
        let mut counts = vec![0; BINS.into()];
        for (_, &confidence) in
            self.clusters.iter().zip(self.confidences).filter(|(cluster, _)| cluster.is_some())
        {
            let bin = (confidence.clamp(0.0, 1.0) * f32::from(BINS)) as usize;
            counts[bin.min(usize::from(BINS) - 1)] += 1;
        }
        counts
    }

    /// The most confused pairs, with the samples of each in which the models were most certain: the worst mistakes.
    fn confused(&self, truth: &Truth) -> Result<Vec<ConfusedPair>, RunError> {
        let scores = Scores::of_partial(truth, self.clusters, self.n_clusters)?;
        let mut order: Vec<usize> = (0..self.clusters.len()).collect();
        order.sort_by(|&a, &b| self.confidences[b].total_cmp(&self.confidences[a]));
        let order: Vec<SampleIdx> = order.into_iter().map(SampleIdx::from_index).collect();
        Ok(scores.confused(truth, self.clusters, &order, CONFUSED, EXAMPLES)?)
    }
}

/// [`TrustMetrics::cluster_agreement`], from how often each model's votes meet each cluster.
#[expect(clippy::cast_precision_loss, reason = "counts of pairs, as a share")]
fn agreement(
    votes: impl Iterator<Item = Vec<Option<ClusterId>>>,
    clusters: &[Option<ClusterId>],
    k: usize,
) -> Matrix {
    let mut together: Array2<f64> = Array2::zeros((k, k));
    let mut all: Array2<f64> = Array2::zeros((k, k));
    for votes in votes {
        let met = votes.iter().zip(clusters).filter_map(|(vote, cluster)| {
            let (vote, cluster) = (*vote, *cluster);
            Some((vote?.index(), cluster?.index()))
        });
        let n_votes = votes.iter().flatten().map(|vote| vote.index() + 1).max().unwrap_or(0);
        let counts = Contingency::count(met, n_votes, k);
        for row in counts.rows() {
            let row: Vec<_> = row.iter().map(|cell| (cell.second, cell.n_samples)).collect();
            add_pairs(&row, &mut together);
        }
        let sums: Vec<_> = counts.second_sizes().into_iter().enumerate().collect();
        add_pairs(&sums, &mut all);
    }
    let share = |a, b| (all[(a, b)] > 0.0).then(|| together[(a, b)] / all[(a, b)]);
    return (0..k).map(|a| (0..k).map(|b| share(a, b)).collect()).collect();

    /// Adds the pairs of different samples among groups: of each, its cluster and its size.
    fn add_pairs(groups: &[(usize, u64)], pairs: &mut Array2<f64>) {
        let some = groups.iter().filter(|group| group.1 > 0);
        let some: Vec<(usize, f64)> = some.map(|&(at, size)| (at, size as f64)).collect();
        for &(a, first) in &some {
            for &(b, second) in &some {
                pairs[(a, b)] += if a == b { first * (first - 1.0) } else { first * second };
            }
        }
    }
}

fn rows(matrix: &Array2<f64>) -> Matrix {
    let number = |&number: &f64| (!number.is_nan()).then_some(number);
    matrix.rows().into_iter().map(|row| row.iter().map(number).collect()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pair by pair, straight from the definition.
    fn by_pairs(
        votes: &[Vec<Option<ClusterId>>],
        clusters: &[Option<ClusterId>],
        k: usize,
    ) -> Matrix {
        let mut cells = vec![vec![(0u32, 0u32); k]; k];
        for (i, first) in clusters.iter().enumerate() {
            for (j, second) in clusters.iter().enumerate() {
                let (Some(first), Some(second)) = (first, second) else { continue };
                for model in votes.iter().filter(|_| i != j) {
                    if let (Some(a), Some(b)) = (model[i], model[j]) {
                        let cell = &mut cells[first.index()][second.index()];
                        *cell = (cell.0 + u32::from(a == b), cell.1 + 1);
                    }
                }
            }
        }
        let share = |&(same, all): &(u32, u32)| (all > 0).then(|| f64::from(same) / f64::from(all));
        cells.iter().map(|row| row.iter().map(share).collect()).collect()
    }

    fn ids(numbers: &[u16]) -> Vec<Option<ClusterId>> {
        numbers.iter().map(|&id| (id < 4).then_some(ClusterId(id))).collect()
    }

    proptest! {
        #[test]
        fn agreement_equals_the_definition(
            samples in prop::collection::vec(prop::array::uniform4(0..5u16), 1..40),
        ) {
            let column = |at: usize| ids(&samples.iter().map(|row| row[at]).collect::<Vec<_>>());
            let votes: Vec<_> = (0..3).map(column).collect();
            let clusters = column(3);
            let fast = agreement(votes.iter().cloned(), &clusters, 4);
            for (fast, slow) in fast.iter().flatten().zip(by_pairs(&votes, &clusters, 4).iter().flatten()) {
                prop_assert_eq!(fast.is_some(), slow.is_some());
                prop_assert!((fast.unwrap_or(0.0) - slow.unwrap_or(0.0)).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn clusters_are_counted_with_their_confidences() {
        let clusters = ids(&[0, 0, 2, 9]);
        let labels = PseudoLabels::new(Vec::new(), 3, 4);
        let confidences = [0.05, 1.0, 0.999, 0.0];
        let found = Found {
            clusters: &clusters,
            confidences: &confidences,
            pseudo_labels: &labels,
            n_clusters: 3,
        };
        let sizes: Vec<_> = found.by_cluster().iter().map(|cluster| cluster.size).collect();
        assert_eq!(sizes, [2, 0, 1]);
        assert_eq!(found.by_cluster()[1].mean_confidence, None);
        let histogram = found.histogram();
        assert_eq!((histogram[1], histogram[19], histogram.iter().sum::<usize>()), (1, 2, 3));
    }
}
