use consilience_data::Votes;
use ndarray::{Array2, array};
use proptest::prelude::*;

use super::*;
use crate::{
    AgreementGraph, AgreementParams,
    common::{fitting, params, votes},
    draw::Bounds,
};

/// Few: where models contradict each other evenly, iterations magnify the last digit without end.
const ITERATIONS: usize = 6;

/// Sample by sample, in products of probabilities and not in logarithms, without any bound.
fn dense(votes: &Votes, labels: &PseudoLabels) -> Array2<f64> {
    let (k, n) = (labels.n_clusters(), votes.n_samples());
    let clusters = votes.clusters();
    let own = |model: usize| clusters.row(model).into_iter().filter(|&&c| c != Votes::MISSING);
    let n_own = |model: usize| own(model).max().map_or(0, |&largest| usize::from(largest) + 1);
    let mut weights = Array2::<f64>::zeros((n, k));
    for entry in labels.entries() {
        weights[(entry.sample.index(), entry.label.index())] = 1.0;
    }
    for iteration in 0..=ITERATIONS {
        let mut updated = Array2::<f64>::zeros((n, k));
        for sample in 0..n {
            for cluster in 0..k {
                let mass = weights.column(cluster).sum();
                let mut product = (mass + 1.0) / (weights.sum() + k as f64);
                for model in 0..votes.n_models() {
                    let vote = clusters[(model, sample)];
                    if vote == Votes::MISSING {
                        continue;
                    }
                    let (mut same, mut all) = (1.0 / n_own(model) as f64, 1.0);
                    for other in (0..n).filter(|&j| clusters[(model, j)] != Votes::MISSING) {
                        all += weights[(other, cluster)];
                        if clusters[(model, other)] == vote {
                            same += weights[(other, cluster)];
                        }
                    }
                    product *= same / all;
                }
                updated[(sample, cluster)] = product;
            }
            let total = updated.row(sample).sum();
            updated.row_mut(sample).mapv_inplace(|product| product / total);
        }
        let change = (&updated - &weights).mapv(f64::abs).fold(0.0, |a: f64, &b| a.max(b));
        weights = updated;
        if iteration > 0 && change < f64::from(TOLERANCE) {
            break;
        }
    }
    weights
}

proptest! {
    #[test]
    fn expectation_maximisation_equals_the_dense_oracle(votes in votes(), params in params()) {
        let agreement = fitting(&votes, &params).check(votes.n_models()).unwrap();
        let threads = Threads::new(2).unwrap();
        let signatures = Signatures::group(&votes, &agreement, &threads).unwrap();
        let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
        let labels = graph.extract(3, &threads).unwrap().pseudo_labels;
        let found = consensus_of_votes(&signatures, &labels, &threads).unwrap();
        prop_assert_eq!(&found, &consensus_of_votes(&signatures, &labels, &Threads::new(1).unwrap()).unwrap());
        if labels.is_empty() {
            prop_assert!(found.clusters.iter().all(Option::is_none));
            return Ok(());
        }
        let start = labels_of_signatures(&signatures, &labels);
        let mut observers = Observers::new(&signatures, labels.n_clusters());
        observers.start(&start);
        observers.fit(&draw(&signatures, &start, labels.n_clusters(), BOUNDS), ITERATIONS, &threads).unwrap();
        let found = observers.consensus();
        let expected = dense(&votes, &labels);
        for (sample, cluster) in found.clusters.iter().enumerate() {
            let voted = votes.clusters().column(sample).iter().any(|&c| c != Votes::MISSING);
            prop_assert_eq!(cluster.is_some(), voted);
            if let Some(cluster) = cluster {
                let best = expected.row(sample).fold(0.0, |a: f64, &b| a.max(b));
                let own = expected[(sample, cluster.index())];
                prop_assert!((best - own).abs() < 0.05, "{best} {own}");
                let confidence = f64::from(found.confidences[sample]);
                prop_assert!((confidence - own).abs() < 0.05, "{confidence} {own}");
            }
        }
    }
}

/// With samples in an order that has a period, and clusters that a sample could miss.
#[test]
fn no_mini_cluster_is_forgotten_among_many_samples() {
    let bounds = Bounds { samples: 100, cells: 400, least: 50 };
    for period in [2, 5, 10] {
        let cluster = |at: usize| if at > 4990 { at - 4991 + period } else { at % period };
        let clusters =
            Array2::from_shape_fn((3, 5000), |(_, at)| u16::try_from(cluster(at)).unwrap());
        let votes = Votes::new(clusters.clone(), Array2::ones((3, 5000))).unwrap();
        let agreement = AgreementParams::default().check(3).unwrap();
        let threads = Threads::new(2).unwrap();
        let signatures = Signatures::group(&votes, &agreement, &threads).unwrap();
        let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
        let labels = graph.extract(period + 9, &threads).unwrap().pseudo_labels;
        let start = labels_of_signatures(&signatures, &labels);
        let mut observers = Observers::new(&signatures, labels.n_clusters());
        observers.start(&start);
        let nodes = draw(&signatures, &start, labels.n_clusters(), bounds);
        assert_eq!(nodes.iter().map(|(_, weight)| weight).sum::<f64>(), 5000.0);
        observers.fit(&nodes, MAX_ITERATIONS, &threads).unwrap();
        let found = observers.consensus().clusters;
        for entry in labels.entries() {
            assert_eq!(found[entry.sample.index()], Some(entry.label), "period {period}");
        }
    }
}

/// Three models with numbers of clusters of their own: one sees both clusters, one splits the first, and one
/// joins everything; the last two samples have a single vote and none.
#[test]
fn models_may_have_any_clusters() {
    const NONE: u16 = Votes::MISSING;
    let clusters = array![
        [0, 0, 0, 0, 1, 1, 1, 1, NONE, NONE],
        [5, 5, 6, 6, 2, 2, 2, 2, 6, NONE],
        [0, 0, 0, 0, 0, 0, 0, 0, NONE, NONE]
    ];
    let votes = Votes::new(clusters, Array2::ones((3, 10))).unwrap();
    let params = AgreementParams { max_agree: crate::Strictness::Count(1), ..Default::default() };
    let agreement = params.check(3).unwrap();
    let threads = Threads::new(1).unwrap();
    let signatures = Signatures::group(&votes, &agreement, &threads).unwrap();
    let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
    let labels = graph.extract(2, &threads).unwrap().pseudo_labels;
    let found = consensus_of_votes(&signatures, &labels, &threads).unwrap();
    let ids: Vec<_> = found.clusters.iter().map(|cluster| cluster.map(|id| id.0)).collect();
    assert_eq!(ids[..9], [1, 1, 1, 1, 0, 0, 0, 0, 1].map(Some));
    assert_eq!((ids[9], found.confidences[9]), (None, 0.0));
    assert_eq!(found.sizes(), [4, 5]);
}

/// In a table of all pairs, this would be 250 million probabilities, 20 bytes each.
#[test]
fn what_is_known_of_thousands_of_clusters_is_sparse() {
    let (k, n) = (5000, 20_000);
    let clusters = Array2::from_shape_fn((10, n), |(model, sample)| {
        let wrong = (sample * 7919 + model * 31) % 97 == 0;
        u16::try_from((sample + model + 13 * usize::from(wrong)) % k).unwrap()
    });
    let votes = Votes::new(clusters, Array2::ones((10, n))).unwrap();
    let agreement = AgreementParams::default().check(10).unwrap();
    let threads = Threads::new(2).unwrap();
    let signatures = Signatures::group(&votes, &agreement, &threads).unwrap();
    let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
    let labels = graph.extract(k, &threads).unwrap().pseudo_labels;
    assert_eq!(labels.n_clusters(), k);
    let start = labels_of_signatures(&signatures, &labels);
    let mut observers = Observers::new(&signatures, k);
    observers.start(&start);
    observers
        .fit(&draw(&signatures, &start, labels.n_clusters(), BOUNDS), MAX_ITERATIONS, &threads)
        .unwrap();
    let n_known: usize = observers.known.iter().map(Vec::len).sum();
    assert!(n_known < 4 * 10 * n, "{n_known}");
    let found = observers.consensus().clusters;
    for entry in labels.entries() {
        assert_eq!(found[entry.sample.index()], Some(entry.label));
    }
}

#[test]
fn only_the_most_probable_are_kept_where_memory_might_not_suffice() {
    let probabilities = [0.25, 1e-12, 0.125, 0.5, 0.125];
    assert_eq!(sparse(&probabilities, 5), [(0, 0.25), (2, 0.125), (3, 0.5), (4, 0.125)]);
    assert_eq!(sparse(&probabilities, 2), [(0, 0.25 / 0.75), (3, 0.5 / 0.75)]);
    assert_eq!(largest_change(&[(1, 0.5), (2, 0.5)], &[0.25, 0.5, 0.25]), 0.25);
}
