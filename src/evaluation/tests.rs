use consilience_data::{PseudoLabel, SampleIdx};
use proptest::prelude::*;

use ndarray::ArrayView2;

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
        let counts = scores.contingency.table().expect("a small table");
        let best = most_hits(counts.view(), 0, &mut vec![false; n_clusters]);
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

#[test]
fn samples_with_a_cluster_are_scored_by_themselves() {
    let truth = Truth::from_integers(&[0, 0, 1, 1]).unwrap();
    let found = Truth::from_integers(&[-1, -1, 1, 1]).unwrap();
    let all = Scores::of_labels(&truth, &found).unwrap();
    let covered = CoveredScores::of_labels(&truth, &found).unwrap().unwrap();
    assert_eq!((all.acc, all.nmi, all.n_samples), (0.5, 1.0, 4));
    assert_eq!((covered.acc, covered.n_samples), (1.0, 2));
    assert_eq!(CoveredScores::of_labels(&truth, &truth).unwrap(), None);
}

#[test]
fn a_classifier_is_right_by_name() {
    let truth = Truth::from_labels(&["cat", "dog", "cat", "eel"]).unwrap().leaving_out([3]);
    let found = Assignments::new([1, 0, 0, 0].map(ClusterId).to_vec(), 2);
    let of = |names: &[&str]| {
        let names: Vec<_> = (0..).map(ClusterId).zip(names.iter().copied()).collect();
        accuracy_by_name(&truth, &found, &names).unwrap()
    };
    assert_eq!(of(&["dog", "cat"]), Some(2.0 / 3.0));
    assert_eq!(of(&["cat", "dog"]), Some(1.0 / 3.0));
    assert_eq!(of(&["0", "1"]), None, "other names");
    let turned = [(ClusterId(1), "cat"), (ClusterId(0), "dog")];
    assert_eq!(accuracy_by_name(&truth, &found, &turned).unwrap(), of(&["dog", "cat"]));
}
