//! Scores against those of scikit-learn and scipy, from `tests/reference/scores.py`.

use consilience::evaluation::Scores;
use consilience_data::{Assignments, ClusterId, Truth};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    truth: Vec<i64>,
    found: Vec<u16>,
    n_classes: usize,
    n_clusters: usize,
    acc: f64,
    nmi: f64,
    ari: f64,
    purity: f64,
}

impl Case {
    fn check(&self, scores: &Scores) {
        assert_eq!(scores.n_samples, self.truth.len() as u64, "{}", self.name);
        assert_eq!(scores.n_classes, self.n_classes, "{}", self.name);
        assert_eq!(scores.n_clusters, self.n_clusters, "{}", self.name);
        for (score, found, expected) in [
            ("acc", scores.acc, self.acc),
            ("nmi", scores.nmi, self.nmi),
            ("ari", scores.ari, self.ari),
            ("purity", scores.purity, self.purity),
        ] {
            assert!(
                (found - expected).abs() < 1e-9,
                "{}: {score} is {found}, expected {expected}",
                self.name
            );
        }
    }
}

fn reference() -> Vec<Case> {
    let reference: Reference =
        serde_json::from_str(include_str!("reference/scores.json")).expect("valid JSON");
    assert!(reference.cases.len() >= 15);
    reference.cases
}

#[test]
fn assignments_score_as_in_scikit_learn() {
    for case in reference() {
        let truth = Truth::from_integers(&case.truth).unwrap();
        let n_clusters = case.found.iter().max().map_or(0, |&largest| usize::from(largest) + 1);
        let clusters = case.found.iter().map(|&cluster| ClusterId(cluster)).collect();
        let found = Assignments::new(clusters, n_clusters);
        case.check(&Scores::of_assignments(&truth, &found).unwrap());
    }
}

#[test]
fn labels_score_as_in_scikit_learn() {
    for case in reference() {
        let truth = Truth::from_integers(&case.truth).unwrap();
        let found: Vec<i64> = case.found.iter().map(|&cluster| i64::from(cluster)).collect();
        let found = Truth::from_integers(&found).unwrap();
        case.check(&Scores::of_labels(&truth, &found).unwrap());
    }
}
