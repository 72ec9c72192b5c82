//! How well clusters that were found without labels fit the true classes.
//!
//! Scores are computed after a run from what it recorded; nothing that trains, votes or extracts calls this module, the
//! one in this crate that reads a [`Truth`].
//!
//! Every score is a function of one table, classes against clusters, and knows nothing of a cluster's id.
//! The number of clusters need not be that of classes, and either may be empty.

mod overlap;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use consilience_data::{
    Assignments, Cell, ClusterId, Contingency, DataError, PseudoLabels, SampleIdx, Truth,
};
use consilience_graph::maximum_matching;
use serde::Serialize;

/// The scores of one clustering against the truth.
///
/// Of no samples at all (an empty set of pseudo-labels) `acc`, `nmi`, `ari` and `purity` are NaN, which JSON
/// shows as `null`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// Number of samples compared.
    pub n_samples: u64,
    /// Number of classes that hold a sample.
    pub n_classes: usize,
    /// Number of clusters that hold a sample.
    pub n_clusters: usize,
    /// Clustering accuracy, 0..=1: the share of samples whose cluster is the one matched to their class.
    ///
    /// The matching is one-to-one and the best there is (Kuhn's Hungarian method, 1955; as a score of
    /// clusters: Yang et al., CVPR 2010), so samples of clusters beyond the number of classes all count as
    /// wrong.
    pub acc: f64,
    /// Normalised mutual information, 0..=1: 2 I(class; cluster) / (H(class) + H(cluster)).
    ///
    /// Normalised by the arithmetic mean, as scikit-learn does by default, and then the same as the
    /// V-measure (Rosenberg and Hirschberg, EMNLP 2007). One cluster against one class: 1.
    pub nmi: f64,
    /// Adjusted Rand index, -0.5..=1: see [`Contingency::adjusted_rand_index`].
    pub ari: f64,
    /// Purity, 0..=1: the share of samples that are of their cluster's most frequent class (Manning et al.,
    /// *Introduction to Information Retrieval*, 2008, section 16.3).
    ///
    /// At least `acc`, and 1 for clusters of one sample each: compare it at equal numbers of clusters only.
    pub purity: f64,
    /// The cluster matched to each class, length of the table's rows; `None` where no cluster is left that
    /// shares a sample with the class.
    pub matching: Vec<Option<usize>>,
    /// Scores of each class, in the order of the table's rows.
    pub per_class: Vec<ClassScores>,
    /// Numbers of samples, shape (classes, clusters). In JSON `null` where that is more than 2²⁰ numbers.
    pub contingency: Contingency,
    /// In place of such a table: class, cluster and number of samples of each pair that shares any, ascending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contingency_cells: Option<Vec<(usize, usize, u64)>>,
}

/// The scores of one class under the matching that ACC is counted with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassScores {
    /// The class's name.
    pub class: String,
    /// Number of samples of the class.
    pub size: u64,
    /// The cluster matched to it, if any.
    pub cluster: Option<usize>,
    /// Share of the cluster's samples that are of the class, 0..=1; 0 without a cluster.
    pub precision: f64,
    /// Share of the class's samples that are in the cluster, 0..=1; 0 without a cluster.
    pub recall: f64,
}

/// Samples of one class in a cluster that is matched to another, or to none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConfusedPair {
    /// The name of the samples' class.
    pub class: String,
    /// The cluster that they are in.
    pub cluster: usize,
    /// The name of the class that this cluster is matched to, if any.
    pub taken_for: Option<String>,
    /// Number of them.
    pub count: u64,
    /// Their share of the class, 0..=1.
    pub share: f64,
    /// Some of them.
    pub examples: Vec<SampleIdx>,
}

impl Scores {
    /// Scores a table of classes (rows, named by `names` in this order) against clusters (columns).
    ///
    /// Time and memory for the pairs of a class and a cluster that share samples, and for the matching: see
    /// [`maximum_matching`].
    #[must_use]
    pub fn of(contingency: &Contingency, names: &[String]) -> Self {
        Self::of_some(contingency, names, |_| true)
    }

    /// As [`Scores::of`]; columns that are no clusters, but samples left without one, are matched to no class.
    fn of_some(
        contingency: &Contingency,
        names: &[String],
        is_cluster: impl Fn(usize) -> bool,
    ) -> Self {
        debug_assert_eq!(contingency.dim().0, names.len());
        let n_samples = contingency.n_samples();
        let (classes, clusters) = (contingency.first_sizes(), contingency.second_sizes());
        let in_clusters = only(contingency, is_cluster);
        let matching = match_classes(&in_clusters);
        let matched =
            |class: usize| matching[class].map_or(0, |cluster| contingency.get(class, cluster));
        let hits = (0..matching.len()).map(matched).sum();
        let of_class = |(class, name): (usize, &String)| ClassScores {
            class: name.clone(),
            size: classes[class],
            cluster: matching[class],
            precision: matching[class]
                .map_or(0.0, |cluster| ratio(matched(class), clusters[cluster])),
            recall: matching[class].map_or(0.0, |_| ratio(matched(class), classes[class])),
        };
        let occupied = |sizes: &[u64]| sizes.iter().filter(|&&size| size > 0).count();
        let cells = || contingency.cells().iter().map(|c| (c.first, c.second, c.n_samples));
        Self {
            n_samples,
            n_classes: occupied(&classes),
            n_clusters: occupied(&in_clusters.second_sizes()),
            acc: ratio(hits, n_samples),
            nmi: normalized_mutual_information(contingency, &classes, &clusters),
            ari: if n_samples == 0 { f64::NAN } else { contingency.adjusted_rand_index() },
            purity: ratio(majorities(&in_clusters), n_samples),
            per_class: names.iter().enumerate().map(of_class).collect(),
            matching,
            contingency_cells: contingency.table().is_none().then(|| cells().collect()),
            contingency: contingency.clone(),
        }
    }

    /// Scores the clusters of all samples.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the numbers of samples differ.
    pub fn of_assignments(truth: &Truth, found: &Assignments) -> Result<Self, DataError> {
        Ok(Self::of(&overlap::of_assignments(truth, found)?, truth.names()))
    }

    /// Scores the clusters of some samples. The others count as wrong in ACC and purity, and as a cluster of their own in
    /// NMI and ARI, as a label of -1 does in scikit-learn.
    ///
    /// # Arguments
    ///
    /// * `found`: length n_samples, ids below `n_clusters`; `None` without a cluster.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the numbers of samples differ.
    pub fn of_partial(
        truth: &Truth,
        found: &[Option<ClusterId>],
        n_clusters: usize,
    ) -> Result<Self, DataError> {
        let none = ClusterId::from_index(n_clusters);
        let clusters = found.iter().map(|cluster| cluster.unwrap_or(none)).collect();
        let table = overlap::of_assignments(truth, &Assignments::new(clusters, n_clusters + 1))?;
        Ok(Self::of_some(&table, truth.names(), |column| column < n_clusters))
    }

    /// Scores mini-clusters, over the pseudo-labelled samples alone.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the numbers of samples, labelled or not, differ.
    pub fn of_pseudo_labels(truth: &Truth, found: &PseudoLabels) -> Result<Self, DataError> {
        Ok(Self::of(&overlap::of_pseudo_labels(truth, found)?, truth.names()))
    }

    /// Scores labels from anywhere as clusters; cluster c is the one named `found.names()[c]`. A negative number is no
    /// cluster, as in [`Scores::of_partial`].
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the numbers of samples differ.
    pub fn of_labels(truth: &Truth, found: &Truth) -> Result<Self, DataError> {
        let table = overlap::of_labels(truth, found)?;
        Ok(Self::of_some(&table, truth.names(), |column| is_cluster(found, column)))
    }
}

/// The share of samples that were given the class of their true class's name, 0..=1; `None` of no samples, and where no class has a
/// true one's name. No cluster is matched to anything here: this is what a classifier is measured by.
///
/// `names`: what clusters of `found` are called, those that are classes.
///
/// # Errors
///
/// [`DataError::LabelCount`] if the numbers of samples differ.
pub fn accuracy_by_name(
    truth: &Truth,
    found: &Assignments,
    names: &[(ClusterId, &str)],
) -> Result<Option<f64>, DataError> {
    let table = overlap::of_assignments(truth, found)?;
    let cluster_of = |name: &String| names.iter().find(|(_, found)| found == name);
    if table.n_samples() == 0 || !truth.names().iter().any(|name| cluster_of(name).is_some()) {
        return Ok(None);
    }
    let right = |(class, name): (usize, &String)| {
        cluster_of(name).map_or(0, |(cluster, _)| table.get(class, cluster.index()))
    };
    Ok(Some(ratio(truth.names().iter().enumerate().map(right).sum(), table.n_samples())))
}

/// The scores of the samples that have a cluster, where others have none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CoveredScores {
    /// Number of samples with a cluster.
    pub n_samples: u64,
    /// As [`Scores::acc`].
    pub acc: f64,
    /// As [`Scores::nmi`].
    pub nmi: f64,
    /// As [`Scores::ari`].
    pub ari: f64,
    /// As [`Scores::purity`].
    pub purity: f64,
}

impl CoveredScores {
    /// Scores labels from anywhere, as [`Scores::of_labels`] does, over the samples in clusters alone; `None` if all are.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the numbers of samples differ.
    pub fn of_labels(truth: &Truth, found: &Truth) -> Result<Option<Self>, DataError> {
        let all = overlap::of_labels(truth, found)?;
        let covered = only(&all, |column| is_cluster(found, column));
        if covered.n_samples() == all.n_samples() {
            return Ok(None);
        }
        let Scores { n_samples, acc, nmi, ari, purity, .. } = Scores::of(&covered, truth.names());
        Ok(Some(Self { n_samples, acc, nmi, ari, purity }))
    }
}

/// Whether a label is a cluster, and not the sign that there is none: a negative number.
fn is_cluster(found: &Truth, column: usize) -> bool {
    found.names()[column].parse::<i64>().map_or(true, |id| id >= 0)
}

impl Scores {
    /// The pairs of a class and a cluster not matched to it that share most samples, most first; ties by class, then by cluster.
    /// O(n `pairs`) at worst.
    ///
    /// # Arguments
    ///
    /// * `found`: what the scores are of.
    /// * `order`: samples, those first that make the best examples.
    /// * `pairs`, `examples`: how many to tell of, and samples of each, at most.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the numbers of samples differ.
    pub fn confused(
        &self,
        truth: &Truth,
        found: &[Option<ClusterId>],
        order: &[SampleIdx],
        pairs: usize,
        examples: usize,
    ) -> Result<Vec<ConfusedPair>, DataError> {
        let n_found = found.iter().flatten().map(|cluster| cluster.index() + 1).max().unwrap_or(0);
        let is_confused =
            |cell: &&Cell| cell.second < n_found && self.matching[cell.first] != Some(cell.second);
        let mut cells: Vec<Cell> =
            self.contingency.cells().iter().filter(is_confused).copied().collect();
        // Stable: cells are in the order of classes, then of clusters.
        cells.sort_by_key(|cell| Reverse(cell.n_samples));
        let pair = |Cell { first: class, second: cluster, n_samples: count }: Cell| {
            let taken_for = self.matching.iter().position(|&matched| matched == Some(cluster));
            let of = (class, ClusterId::from_index(cluster));
            Ok(ConfusedPair {
                class: self.per_class[class].class.clone(),
                cluster,
                taken_for: taken_for.map(|class| self.per_class[class].class.clone()),
                count,
                share: ratio(count, self.per_class[class].size),
                examples: overlap::examples(truth, found, of, order, examples)?,
            })
        };
        cells.into_iter().take(pairs).map(pair).collect()
    }
}

/// Samples in some of the clusters alone.
fn only(contingency: &Contingency, is_cluster: impl Fn(usize) -> bool) -> Contingency {
    let (n_classes, n_clusters) = contingency.dim();
    let cells = contingency.cells().iter().filter(|cell| is_cluster(cell.second));
    let weights = cells.map(|cell| ((cell.first, cell.second), cell.n_samples));
    Contingency::weigh(weights, n_classes, n_clusters)
}

/// Number of samples that are of their cluster's most frequent class.
fn majorities(contingency: &Contingency) -> u64 {
    let mut largest = vec![0; contingency.dim().1];
    for cell in contingency.cells() {
        largest[cell.second] = cell.n_samples.max(largest[cell.second]);
    }
    largest.iter().sum()
}

/// The cluster matched to each class, where the two share a sample.
fn match_classes(contingency: &Contingency) -> Vec<Option<usize>> {
    let matching = maximum_matching(contingency).into_iter().enumerate();
    let shares = |class, &cluster: &usize| contingency.get(class, cluster) > 0;
    matching.map(|(class, cluster)| cluster.filter(|cluster| shares(class, cluster))).collect()
}

/// I(class; cluster) over the mean of the two entropies, from the table and its row and column sums.
fn normalized_mutual_information(
    contingency: &Contingency,
    classes: &[u64],
    clusters: &[u64],
) -> f64 {
    let n: u64 = classes.iter().sum();
    if n == 0 {
        return f64::NAN;
    }
    let mean_entropy = f64::midpoint(entropy(classes, n), entropy(clusters, n));
    if mean_entropy == 0.0 {
        return 1.0; // One class and one cluster: 0 / 0.
    }
    let information = contingency.cells().iter().map(|cell| {
        // A ratio of two exact products while n < 2^26: independence gives ln 1, not a rounding error.
        let expected = float(classes[cell.first]) * float(clusters[cell.second]);
        ratio(cell.n_samples, n) * (float(n) * float(cell.n_samples) / expected).ln()
    });
    (information.sum::<f64>() / mean_entropy).clamp(0.0, 1.0)
}

/// Entropy in nats of `n` samples split into groups of these sizes.
fn entropy(sizes: &[u64], n: u64) -> f64 {
    let shares = sizes.iter().filter(|&&size| size > 0).map(|&size| ratio(size, n));
    // Each term is at least 0 as written; the other order of signs makes -0 of a single group.
    shares.map(|share| share * (1.0 / share).ln()).sum()
}

fn ratio(part: u64, whole: u64) -> f64 {
    float(part) / float(whole)
}

#[expect(clippy::cast_precision_loss, reason = "counts of samples, below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}
