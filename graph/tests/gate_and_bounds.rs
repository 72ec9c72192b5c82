//! What the docs promise of gates, crumbs and bad input, on votes that a person can follow.

use consilience_data::Votes;
use consilience_graph::{
    AgreementGraph, AgreementParams, Extraction, Gate, GraphError, Signatures, Threads, extract,
};
use ndarray::{Array2, array};

fn extraction(votes: &Votes, k: usize, params: &AgreementParams) -> Extraction {
    let agreement = params.check(votes.n_models()).expect("settings fit");
    let threads = Threads::new(1).expect("one thread");
    extract(votes, k, &agreement, &threads).expect("settings fit")
}

fn labels(extraction: &Extraction) -> Vec<(u32, u16)> {
    extraction.pseudo_labels.entries().iter().map(|entry| (entry.sample.0, entry.label.0)).collect()
}

#[test]
fn under_both_unsure_samples_stay_out_and_under_anchor_they_join() {
    let clusters = array![[0, 0, 0, 1], [0, 0, 0, 1]];
    let confidences = array![[0.7, 0.9, 0.9, 0.9], [0.9, 0.9, 0.9, 0.9]];
    let votes = Votes::new(clusters, confidences).unwrap();
    let params = AgreementParams::default();
    assert_eq!(labels(&extraction(&votes, 2, &params)), [(1, 0), (2, 0), (3, 1)]);
    let params = AgreementParams { gate: Gate::Anchor, ..params };
    let found = extraction(&votes, 2, &params);
    assert_eq!(labels(&found), [(0, 0), (1, 0), (2, 0), (3, 1)]);
    assert_eq!(found.anchors[0].0, 1, "the unsure sample is no anchor");
    assert_eq!(found.pseudo_labels.entries()[0].confidence, 0.7);
}

#[test]
fn crumbs_are_not_taken() {
    let votes = Votes::new(array![[0, 0, 0, 1]], Array2::ones((1, 4))).unwrap();
    let params = AgreementParams { min_size: 2, ..AgreementParams::default() };
    let found = extraction(&votes, 2, &params);
    assert_eq!(labels(&found), [(0, 0), (1, 0), (2, 0)]);
    assert!(!found.is_complete(2) && found.is_complete(1));
}

#[test]
fn samples_without_votes_stay_unlabelled_and_are_counted() {
    const NONE: u16 = Votes::MISSING;
    let votes = Votes::new(array![[0, NONE, NONE], [0, NONE, NONE]], Array2::ones((2, 3))).unwrap();
    let found = extraction(&votes, 3, &AgreementParams::default());
    assert_eq!((labels(&found), found.n_without_votes), (vec![(0, 0)], 2));
}

#[test]
fn numbers_that_do_not_fit_are_errors() {
    let votes = Votes::new(array![[0, 1], [1, 0]], Array2::ones((2, 2))).unwrap();
    let threads = Threads::new(1).unwrap();
    let params = AgreementParams::default();
    let agreement = params.check(2).unwrap();
    for k in [0, 70_000] {
        let error = extract(&votes, k, &agreement, &threads).unwrap_err();
        assert_eq!(error, GraphError::ClusterCount { k });
    }
    let other = params.check(3).unwrap();
    let error = extract(&votes, 1, &other, &threads).unwrap_err();
    assert_eq!(error.to_string(), "settings for 3 models, votes of 2");

    let signatures = Signatures::group(&votes, &agreement, &threads).unwrap();
    let message = signatures.check_k(3).unwrap_err().to_string();
    assert_eq!(
        message,
        "K = 3 clusters, but the votes tell only 2 kinds of samples apart; give a smaller K"
    );
    let strict = AgreementParams { min_confidence: 0.9, ..params }.check(2).unwrap();
    assert!(AgreementGraph::new(&signatures, &strict).is_err());
}
