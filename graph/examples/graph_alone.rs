//! The agreement graph by itself: votes of any clusterers in; mini-clusters, petgraph's algorithms and a drawing out.
//!
//! `cargo run --release -p consilience-graph --example graph_alone`

#![expect(clippy::print_stdout, reason = "it shows what came out")]

use std::error::Error;
use std::io;

use consilience_data::Votes;
use consilience_graph::{
    AgreementGraph, AgreementParams, GraphFormat, Signatures, Strictness, Threads,
    consensus_of_votes,
};
use ndarray::{Array2, array};
use petgraph::algo::connected_components;

fn main() -> Result<(), Box<dyn Error>> {
    // Four clusterers on ten samples, each with ids of its own. They dispute samples 4 and 9.
    let clusters = array![
        [0, 0, 0, 0, 0, 1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 2, 1, 1, 1, 1, 2],
        [5, 5, 5, 5, 5, 3, 3, 3, 3, 3],
    ];
    let votes = Votes::new(clusters, Array2::ones((4, 10)))?;

    // Joined if at least three of four put them together, kept apart if at most one does.
    let params = AgreementParams {
        min_agree: Strictness::Count(3),
        max_agree: Strictness::Count(1),
        ..AgreementParams::default()
    };
    let (params, threads) = (params.check(votes.n_models())?, Threads::new(1)?);

    // Samples on which all say the same are one node.
    let signatures = Signatures::group(&votes, &params, &threads)?;
    for signature in signatures.iter() {
        let (first, count) =
            (signatures.first_sample(signature), signatures.multiplicity(signature));
        println!(
            "{count} samples like sample {}: votes {:?}",
            first.0,
            signatures.votes(signature)
        );
    }

    // Nothing is stored but the nodes; petgraph's algorithms find the edges as they ask for them.
    let graph = AgreementGraph::new(&signatures, &params)?;
    println!("{} connected components", connected_components(&graph));

    let extraction = graph.extract(2, &threads)?;
    for label in extraction.pseudo_labels.entries() {
        println!(
            "sample {} is in mini-cluster {}: {} models agree",
            label.sample.0, label.label.0, label.agreement
        );
    }
    let consensus = consensus_of_votes(&signatures, &extraction.pseudo_labels, &threads)?;
    for sample in [4, 9] {
        let (cluster, sure) = (consensus.clusters[sample], consensus.confidences[sample]);
        println!("in dispute: sample {sample}, by consensus in {cluster:?}, probability {sure:.2}");
    }

    println!("\nThe graph, for Graphviz:");
    graph.write(
        GraphFormat::Dot,
        None,
        Some(&extraction.pseudo_labels),
        &mut io::stdout().lock(),
    )?;
    Ok(())
}
