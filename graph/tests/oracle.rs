//! The graph on signatures equals the dense n x n oracle, on random votes with ties and missing votes.

mod common;
#[path = "../../benches/noisy/mod.rs"]
mod noisy;

use common::{Dense, extract_dense, fitting, labels_dense, params, votes};
use consilience_data::SampleIdx;
use consilience_graph::{
    AgreementGraph, AgreementParams, Signatures, Strictness, Threads, extract,
};
use noisy::noisy_votes;
use petgraph::{
    algo::{connected_components, min_spanning_tree},
    data::FromElements,
    graph::{NodeIndex, UnGraph},
    visit::{Bfs, EdgeRef, GetAdjacencyMatrix, IntoNeighbors},
};
use proptest::prelude::*;

fn threads() -> Threads<'static> {
    Threads::new(2).expect("two threads")
}

/// The strong positive edges between different signatures, by their first samples, as the oracle sees them.
fn stored(signatures: &Signatures, dense: &Dense) -> UnGraph<u32, u16> {
    let mut graph = UnGraph::default();
    let firsts: Vec<usize> =
        signatures.iter().map(|node| signatures.first_sample(node).index()).collect();
    for node in signatures.iter() {
        graph.add_node(signatures.multiplicity(node));
    }
    for (b, &j) in firsts.iter().enumerate() {
        for (a, &i) in firsts[..b].iter().enumerate() {
            if dense.positive[(i, j)] || dense.positive[(j, i)] {
                graph.add_edge(NodeIndex::new(a), NodeIndex::new(b), dense.agree[(i, j)]);
            }
        }
    }
    graph
}

fn sorted_edges(graph: &UnGraph<u32, u16>) -> Vec<(NodeIndex, NodeIndex, u16)> {
    let mut edges: Vec<_> = graph
        .edge_references()
        .map(|edge| {
            (edge.source().min(edge.target()), edge.source().max(edge.target()), *edge.weight())
        })
        .collect();
    edges.sort_unstable();
    edges
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn extraction_equals_the_dense_oracle(votes in votes(), params in params(), k in 1..6usize) {
        let params = fitting(&votes, &params);
        let dense = Dense::new(&votes, &params);
        let minis = extract_dense(&dense, k, params.min_size);
        let agreement = params.check(votes.n_models()).unwrap();
        let found = extract(&votes, k, &agreement, &threads()).unwrap();
        let anchors: Vec<usize> = found.anchors.iter().map(|anchor| anchor.index()).collect();
        prop_assert_eq!(anchors, minis.iter().map(|mini| mini.0).collect::<Vec<_>>());
        let labels: Vec<_> = found.pseudo_labels.entries().iter()
            .map(|entry| (entry.sample, entry.label.0, entry.agreement, entry.margin))
            .collect();
        prop_assert_eq!(labels, labels_dense(&dense, &minis));
        prop_assert_eq!(found.is_complete(k), minis.len() == k);
        prop_assert_eq!(found.smallest(), minis.iter().map(|mini| mini.1.len()).min().unwrap_or(0));
    }

    #[test]
    fn edges_and_degrees_equal_the_dense_oracle(votes in votes(), params in params()) {
        let params = fitting(&votes, &params);
        let dense = Dense::new(&votes, &params);
        let agreement = params.check(votes.n_models()).unwrap();
        let signatures = Signatures::group(&votes, &agreement, &threads()).unwrap();
        let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
        let degrees = graph.degrees(&threads());
        for i in 0..votes.n_samples() {
            let row = signatures.of_sample(SampleIdx::from_index(i));
            let degree = dense.positive.row(i).iter().filter(|&&positive| positive).count();
            prop_assert_eq!(degrees[row.index()], degree as u64);
            for j in 0..votes.n_samples() {
                let column = signatures.of_sample(SampleIdx::from_index(j));
                prop_assert_eq!(graph.is_strong_positive(row, column), dense.positive[(i, j)]);
                prop_assert_eq!(graph.is_strong_negative(row, column), dense.negative[(i, j)]);
                prop_assert_eq!(signatures.agreement(row, column), dense.agree[(i, j)]);
            }
        }
    }

    /// petgraph's own algorithms, on the implicit graph and on the oracle's stored one.
    #[test]
    fn petgraph_runs_on_the_implicit_graph(votes in votes(), params in params()) {
        let params = fitting(&votes, &params);
        let agreement = params.check(votes.n_models()).unwrap();
        let signatures = Signatures::group(&votes, &agreement, &threads()).unwrap();
        let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
        let stored = stored(&signatures, &Dense::new(&votes, &params));

        prop_assert_eq!(sorted_edges(&graph.to_petgraph()), sorted_edges(&stored));
        prop_assert_eq!(connected_components(&graph), connected_components(&stored));
        let weight = |tree: UnGraph<u32, u16>| -> u32 { tree.edge_weights().map(|&w| u32::from(w)).sum() };
        let tree = weight(UnGraph::from_elements(min_spanning_tree(&graph)));
        prop_assert_eq!(tree, weight(UnGraph::from_elements(min_spanning_tree(&stored))));
        for node in signatures.iter() {
            let mut neighbours: Vec<_> = stored.neighbors(node).collect();
            neighbours.sort_unstable();
            prop_assert_eq!((&graph).neighbors(node).collect::<Vec<_>>(), neighbours);
            for other in signatures.iter() {
                let adjacent = stored.find_edge(node, other).is_some();
                prop_assert_eq!(graph.is_adjacent(&(), node, other), adjacent);
            }
            let (mut fast, mut slow) = (Bfs::new(&graph, node), Bfs::new(&stored, node));
            let mut reached = [Vec::new(), Vec::new()];
            while let Some(next) = fast.next(&graph) { reached[0].push(next); }
            while let Some(next) = slow.next(&stored) { reached[1].push(next); }
            reached.iter_mut().for_each(|nodes| nodes.sort_unstable());
            prop_assert_eq!(&reached[0], &reached[1]);
        }
    }
}

/// Many signatures and low strictness: degrees change with every removal, and are counted again in bulk.
#[test]
fn extraction_equals_the_dense_oracle_where_clusters_run_into_each_other() {
    for (case, noise) in [0.3, 0.5, 0.7, 1.0].into_iter().enumerate() {
        let votes = noisy_votes(8, 250, 3 + u16::try_from(case).unwrap(), noise);
        for (min_agree, max_agree) in [(8, 3), (6, 3), (5, 4), (4, 3), (4, 1), (3, 2)] {
            let params = AgreementParams {
                min_agree: Strictness::Count(min_agree),
                max_agree: Strictness::Count(max_agree),
                ..AgreementParams::default()
            };
            let dense = Dense::new(&votes, &params);
            let minis = extract_dense(&dense, 6, 1);
            let agreement = params.check(8).unwrap();
            let found = extract(&votes, 6, &agreement, &threads()).unwrap();
            let labels: Vec<_> = (found.pseudo_labels.entries().iter())
                .map(|entry| (entry.sample, entry.label.0, entry.agreement, entry.margin))
                .collect();
            assert_eq!(labels, labels_dense(&dense, &minis), "{noise} {min_agree} {max_agree}");
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same() {
    let votes = noisy_votes(10, 30_000, 10, 0.3);
    for min_agree in [10, 8, 6] {
        let min_agree = Strictness::Count(min_agree);
        let params = AgreementParams { min_agree, ..AgreementParams::default() };
        let agreement = params.check(10).unwrap();
        let run = |n| extract(&votes, 10, &agreement, &Threads::new(n).unwrap()).unwrap();
        let one = run(1);
        assert!(one.is_complete(10));
        assert_eq!(one, run(2));
        assert_eq!(one, run(5));
    }
}
