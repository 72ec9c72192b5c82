//! How well clusters that were found without labels fit the true classes.
//!
//! **Architecture Invariant:** this is the one place that reads [`Truth`]. Scores are computed after a run
//! from what it recorded; nothing that trains, votes or extracts calls this module.
//!
//! Every score is a function of one table, classes against clusters, and knows nothing of a cluster's id.
//! The number of clusters need not be that of classes, and either may be empty.

use std::cmp::Reverse;

use consilience_data::{
    Assignments, ClusterId, Contingency, DataError, PseudoLabels, SampleIdx, Truth,
};
use consilience_graph::maximum_matching;
use ndarray::{ArrayView2, Axis};
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
    /// wrong. O(a²b) for a table of sides a <= b.
    pub acc: f64,
    /// Normalised mutual information, 0..=1: 2 I(class; cluster) / (H(class) + H(cluster)).
    ///
    /// Normalised by the arithmetic mean, as scikit-learn does by default, and then the same as the
    /// V-measure (Rosenberg and Hirschberg, EMNLP 2007). One cluster against one class: 1. Linear in the
    /// table's size.
    pub nmi: f64,
    /// Adjusted Rand index, -0.5..=1: see [`Contingency::adjusted_rand_index`]. Linear in the table's size.
    pub ari: f64,
    /// Purity, 0..=1: the share of samples that are of their cluster's most frequent class (Manning et al.,
    /// *Introduction to Information Retrieval*, 2008, section 16.3). Linear in the table's size.
    ///
    /// At least `acc`, and 1 for clusters of one sample each: compare it at equal numbers of clusters only.
    pub purity: f64,
    /// The cluster matched to each class, length of the table's rows; `None` where no cluster is left that
    /// shares a sample with the class.
    pub matching: Vec<Option<usize>>,
    /// Scores of each class, in the order of the table's rows.
    pub per_class: Vec<ClassScores>,
    /// Numbers of samples, shape (classes, clusters).
    pub contingency: Contingency,
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
    /// O(a²b) for a table of sides a <= b, whatever the number of samples.
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
        let counts = contingency.counts().view();
        let mut in_clusters = counts.to_owned();
        let columns = in_clusters.columns_mut().into_iter().enumerate();
        columns
            .filter(|&(column, _)| !is_cluster(column))
            .for_each(|(_, mut column)| column.fill(0));
        debug_assert_eq!(counts.nrows(), names.len());
        let n_samples = contingency.n_samples();
        let classes = counts.sum_axis(Axis(1)).to_vec();
        let clusters = counts.sum_axis(Axis(0)).to_vec();
        let occupied_clusters = in_clusters.sum_axis(Axis(0)).to_vec();

        let matching = match_classes(in_clusters.view());
        let matched = |class: usize| matching[class].map_or(0, |cluster| counts[(class, cluster)]);
        let hits = (0..matching.len()).map(matched).sum();
        let majorities = in_clusters
            .columns()
            .into_iter()
            .filter_map(|column| column.iter().copied().max())
            .sum();
        let per_class = names
            .iter()
            .enumerate()
            .map(|(class, name)| ClassScores {
                class: name.clone(),
                size: classes[class],
                cluster: matching[class],
                precision: matching[class]
                    .map_or(0.0, |cluster| ratio(matched(class), clusters[cluster])),
                recall: matching[class].map_or(0.0, |_| ratio(matched(class), classes[class])),
            })
            .collect();
        let occupied = |sizes: &[u64]| sizes.iter().filter(|&&size| size > 0).count();
        Self {
            n_samples,
            n_classes: occupied(&classes),
            n_clusters: occupied(&occupied_clusters),
            acc: ratio(hits, n_samples),
            nmi: normalized_mutual_information(counts, &classes, &clusters),
            ari: if n_samples == 0 { f64::NAN } else { contingency.adjusted_rand_index() },
            purity: ratio(majorities, n_samples),
            matching,
            per_class,
            contingency: contingency.clone(),
        }
    }

    /// Scores the clusters of all samples.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the numbers of samples differ.
    pub fn of_assignments(truth: &Truth, found: &Assignments) -> Result<Self, DataError> {
        Ok(Self::of(&truth.contingency(found)?, truth.names()))
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
        let table = truth.contingency(&Assignments::new(clusters, n_clusters + 1))?;
        Ok(Self::of_some(&table, truth.names(), |column| column < n_clusters))
    }

    /// Scores mini-clusters, over the pseudo-labelled samples alone.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the numbers of samples, labelled or not, differ.
    pub fn of_pseudo_labels(truth: &Truth, found: &PseudoLabels) -> Result<Self, DataError> {
        Ok(Self::of(&truth.contingency_on(found)?, truth.names()))
    }

    /// Scores labels from anywhere as clusters; cluster c is the one named `found.names()[c]`. A negative number is no
    /// cluster, as in [`Scores::of_partial`].
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the numbers of samples differ.
    pub fn of_labels(truth: &Truth, found: &Truth) -> Result<Self, DataError> {
        let is_negative = |name: &String| name.parse::<i64>().is_ok_and(|id| id < 0);
        let is_cluster = |column: usize| !is_negative(&found.names()[column]);
        Ok(Self::of_some(&truth.contingency_with(found)?, truth.names(), is_cluster))
    }
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
        let counts = self.contingency.counts();
        let n_found = found.iter().flatten().map(|cluster| cluster.index() + 1).max().unwrap_or(0);
        let mut cells: Vec<((usize, usize), u64)> = counts
            .indexed_iter()
            .map(|(cell, &count)| (cell, count))
            .filter(|&((class, cluster), count)| {
                count > 0 && cluster < n_found && self.matching[class] != Some(cluster)
            })
            .collect();
        // Stable: cells are in the order of classes, then of clusters.
        cells.sort_by_key(|&(_, count)| Reverse(count));
        let pair = |((class, cluster), count): ((usize, usize), u64)| {
            let taken_for = self.matching.iter().position(|&matched| matched == Some(cluster));
            let of = (class, ClusterId::from_index(cluster));
            Ok(ConfusedPair {
                class: self.per_class[class].class.clone(),
                cluster,
                taken_for: taken_for.map(|class| self.per_class[class].class.clone()),
                count,
                share: ratio(count, self.per_class[class].size),
                examples: truth.examples(found, of, order, examples)?,
            })
        };
        cells.into_iter().take(pairs).map(pair).collect()
    }
}

/// The cluster matched to each class, where the two share a sample.
fn match_classes(counts: ArrayView2<'_, u64>) -> Vec<Option<usize>> {
    let (n_classes, n_clusters) = counts.dim();
    let mut matching = vec![None; n_classes];
    // Rows must be the shorter side: more rows than columns would be padded to a square.
    if n_classes <= n_clusters {
        matching = maximum_matching(counts);
    } else {
        for (cluster, class) in maximum_matching(counts.t()).into_iter().enumerate() {
            if let Some(class) = class {
                matching[class] = Some(cluster);
            }
        }
    }
    for (class, cluster) in matching.iter_mut().enumerate() {
        *cluster = cluster.filter(|&cluster| counts[(class, cluster)] > 0);
    }
    matching
}

/// I(class; cluster) over the mean of the two entropies, from the table and its row and column sums.
fn normalized_mutual_information(
    counts: ArrayView2<'_, u64>,
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
    let information: f64 = counts
        .indexed_iter()
        .filter(|&(_, &count)| count > 0)
        .map(|((class, cluster), &count)| {
            // A ratio of two exact products while n < 2^26: independence gives ln 1, not a rounding error.
            let expected = float(classes[class]) * float(clusters[cluster]);
            ratio(count, n) * (float(n) * float(count) / expected).ln()
        })
        .sum();
    (information / mean_entropy).clamp(0.0, 1.0)
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

#[cfg(test)]
mod tests {
    use consilience_data::{PseudoLabel, SampleIdx};
    use proptest::prelude::*;

    use super::*;

    /// Scores of a table given as (class, cluster) of every sample.
    fn scores(pairs: &[(usize, usize)], n_classes: usize, n_clusters: usize) -> Scores {
        let names: Vec<String> = (0..n_classes).map(|class| format!("class {class}")).collect();
        Scores::of(&Contingency::count(pairs.iter().copied(), n_classes, n_clusters), &names)
    }

    /// The most samples that any one-to-one matching of `class` and later ones to unused clusters hits.
    fn most_hits(counts: ArrayView2<'_, u64>, class: usize, used: &mut [bool]) -> u64 {
        if class == counts.nrows() {
            return 0;
        }
        let mut best = most_hits(counts, class + 1, used); // The class goes without.
        for cluster in 0..counts.ncols() {
            if !used[cluster] {
                used[cluster] = true;
                let hits = counts[(class, cluster)] + most_hits(counts, class + 1, used);
                best = best.max(hits);
                used[cluster] = false;
            }
        }
        best
    }

    fn labellings() -> impl Strategy<Value = (Vec<(usize, usize)>, usize, usize)> {
        (1..=6usize, 1..=6usize).prop_flat_map(|(n_classes, n_clusters)| {
            let pairs = prop::collection::vec((0..n_classes, 0..n_clusters), 1..80);
            (pairs, Just(n_classes), Just(n_clusters))
        })
    }

    proptest! {
        #[test]
        fn acc_is_the_best_of_all_matchings((pairs, n_classes, n_clusters) in labellings()) {
            let scores = scores(&pairs, n_classes, n_clusters);
            let counts = scores.contingency.counts().view();
            let best = most_hits(counts, 0, &mut vec![false; n_clusters]);
            prop_assert_eq!(scores.acc, ratio(best, scores.n_samples));

            let mut matched: Vec<_> = scores.matching.iter().flatten().collect();
            matched.sort_unstable();
            prop_assert!(matched.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", scores.matching);
            let hits: f64 = scores.per_class.iter().map(|c| c.recall * float(c.size)).sum();
            prop_assert!((hits - float(best)).abs() < 1e-9);
        }

        #[test]
        fn scores_are_in_range_and_ids_do_not_matter((pairs, n_classes, n_clusters) in labellings()) {
            let straight = scores(&pairs, n_classes, n_clusters);
            let reversed: Vec<_> =
                pairs.iter().map(|&(class, cluster)| (class, n_clusters - 1 - cluster)).collect();
            let reversed = scores(&reversed, n_classes, n_clusters);
            for (a, b) in [
                (straight.acc, reversed.acc),
                (straight.nmi, reversed.nmi),
                (straight.purity, reversed.purity),
            ] {
                prop_assert!((0.0..=1.0).contains(&a) && (a - b).abs() < 1e-12, "{} {}", a, b);
            }
            prop_assert!((straight.ari - reversed.ari).abs() < 1e-12);
            prop_assert!((-0.5 - 1e-12..=1.0 + 1e-12).contains(&straight.ari));
            prop_assert!(straight.acc <= straight.purity);
        }
    }

    #[test]
    fn a_class_without_a_cluster_has_recall_0() {
        // Class 2 shares cluster 0 with class 0, cluster 1 is empty, class 3 has no samples.
        let scores = scores(&[(0, 0), (0, 0), (0, 2), (1, 2), (1, 2), (2, 0)], 4, 3);
        assert_eq!((scores.n_classes, scores.n_clusters), (3, 2));
        assert_eq!(scores.matching, [Some(0), Some(2), None, None]);
        let rates: Vec<_> = scores.per_class.iter().map(|c| (c.precision, c.recall)).collect();
        assert_eq!(rates, [(2.0 / 3.0, 2.0 / 3.0), (2.0 / 3.0, 1.0), (0.0, 0.0), (0.0, 0.0)]);
    }

    #[test]
    fn a_class_for_each_sample_takes_no_square_table() {
        let pairs: Vec<_> = (0..30_000).map(|sample| (sample, sample % 2)).collect();
        let scores = scores(&pairs, 30_000, 2);
        assert_eq!(scores.acc, ratio(2, 30_000));
        assert_eq!(scores.matching.iter().flatten().count(), 2);
    }

    #[test]
    fn no_samples_have_no_scores() {
        let truth = Truth::from_labels(&["cat", "dog"]).unwrap();
        let scores = Scores::of_pseudo_labels(&truth, &PseudoLabels::new(vec![], 2, 2)).unwrap();
        let json = serde_json::to_value(&scores).unwrap();
        for score in ["acc", "nmi", "ari", "purity"] {
            assert!(json[score].is_null(), "{json}");
        }
        assert_eq!(scores.matching, [None, None]);
    }

    #[test]
    fn json_names_classes_and_shows_the_table_by_rows() {
        let truth = Truth::from_labels(&["dog", "cat", "cat"]).unwrap();
        let label = |sample, label| PseudoLabel {
            sample: SampleIdx(sample),
            label: ClusterId(label),
            agreement: 1,
            margin: 1,
            confidence: 1.0,
        };
        let labelled = PseudoLabels::new(vec![label(0, 0), label(2, 1)], 2, 3);
        let scores = Scores::of_pseudo_labels(&truth, &labelled).unwrap();
        let json = serde_json::to_value(&scores).unwrap();
        assert_eq!(json["contingency"], serde_json::json!([[0, 1], [1, 0]]));
        assert_eq!(json["matching"], serde_json::json!([1, 0]));
        assert_eq!(json["per_class"][0]["class"], "cat");
        assert_eq!((scores.n_samples, scores.acc), (2, 1.0));
    }

    #[test]
    fn another_number_of_samples_is_an_error() {
        let truth = Truth::from_integers(&[0, 1]).unwrap();
        let found = Assignments::new(vec![ClusterId(0)], 1);
        assert!(Scores::of_assignments(&truth, &found).is_err());
    }

    #[test]
    fn confused_pairs_are_counted_and_shown() {
        let truth = Truth::from_labels(&["cat", "cat", "cat", "dog", "dog", "owl", "cat"]).unwrap();
        let found: Vec<_> = [0, 0, 1, 1, 1, 2, 1].map(|id| Some(ClusterId(id))).into();
        let scores = Scores::of_partial(&truth, &found, 3).unwrap();
        let order: Vec<SampleIdx> = (0..7).rev().map(SampleIdx).collect();
        let pairs = scores.confused(&truth, &found, &order, 5, 1).unwrap();
        assert_eq!(pairs.len(), 1, "owls are cluster 2: {pairs:?}");
        let pair = &pairs[0];
        let taken_for = pair.taken_for.as_deref();
        assert_eq!((pair.class.as_str(), pair.cluster, taken_for), ("cat", 1, Some("dog")));
        assert_eq!((pair.count, pair.share, &pair.examples[..]), (2, 0.5, &[SampleIdx(6)][..]));
    }

    /// Two classes of four; a model that votes on the first alone, and splits it.
    #[test]
    fn samples_without_a_cluster_count_as_wrong() {
        let truth = Truth::from_integers(&[0, 0, 0, 0, 1, 1, 1, 1]).unwrap();
        let found = [0, 0, 1, 1].map(|id| Some(ClusterId(id)));
        let found = [found.to_vec(), vec![None; 4]].concat();
        let scores = Scores::of_partial(&truth, &found, 2).unwrap();
        assert_eq!((scores.acc, scores.purity, scores.n_clusters), (0.25, 0.5, 2));
        let labels = Truth::from_integers(&[0, 0, 1, 1, -1, -1, -1, -1]).unwrap();
        let same = Scores::of_labels(&truth, &labels).unwrap();
        assert_eq!((same.acc, same.nmi, same.ari), (scores.acc, scores.nmi, scores.ari));
    }
}
