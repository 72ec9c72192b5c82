//! Another cut of a finished run.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Sandbox, stderr};
use consilience_data::write::npy;
use consilience_data::{Seed, Stream};
use ndarray::Array2;

const QUICK: &str = "--effort quick --no-curve --quiet --seed 1";

/// Three far groups of three each that touch, forty points in every one; and which far one each is of.
fn write_groups(sandbox: &Sandbox) {
    let noise = Seed(3).rng(Stream::Subset).normal(2 * 360);
    let points = Array2::from_shape_fn((360, 2), |(row, column)| {
        let (far, near) = (row % 3, row / 3 % 3);
        let centre = if column == 0 { 60.0 * far as f32 + 3.5 * near as f32 } else { 0.0 };
        centre + noise[2 * row + column]
    });
    npy(&sandbox.path("points.npy"), points.view()).unwrap();
    let truth: Vec<String> = (0..360).map(|row| (row % 3).to_string()).collect();
    std::fs::write(sandbox.path("truth.txt"), truth.join("\n")).unwrap();
}

fn refused(sandbox: &Sandbox, arguments: &str) -> String {
    let output = sandbox.run(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments}: {}", stderr(&output));
    let told = stderr(&output);
    assert_eq!(told.trim().lines().count(), 1, "{told}");
    told
}

/// The columns of clusters and confidences.
fn answers(text: &str) -> Vec<(String, String)> {
    let cells = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        (cells[1].to_owned(), cells[2].to_owned())
    };
    text.lines().skip(1).map(cells).collect()
}

#[test]
fn a_cut_is_a_run_that_predicts_its_own_answers() {
    let sandbox = Sandbox::new();
    write_groups(&sandbox);
    sandbox.done(&format!("cluster points.npy -k 9 --labels truth.txt {QUICK} --out nine"));
    let told = sandbox.done("cut nine -k 3 --out three --quiet");
    assert!(told.contains("cut into K = 3") && told.contains("predict three"), "{told}");
    let metrics = sandbox.json("three/metrics.json");
    assert_eq!((&metrics["cut_of"], &metrics["n_clusters"]), (&"nine".into(), &3.into()));
    assert!(metrics["acc"].as_f64().is_some() && metrics["scores"]["n_clusters"] == 3);
    // Cuts of one tree: each of nine clusters is whole in one of three.
    let (nine, three) = (sandbox.assignments("nine"), sandbox.assignments("three"));
    for cluster in 0..9 {
        let of = nine.iter().zip(&three).filter(|(nine, _)| **nine == cluster);
        let in_one: Vec<i64> = of.map(|(_, &three)| three).collect();
        let most = (0..3).map(|id| in_one.iter().filter(|&&it| it == id).count()).max().unwrap();
        assert!(20 * most >= 19 * in_one.len(), "{cluster}: {most} of {}", in_one.len());
    }
    let labels = &metrics["pseudo_labels"];
    assert!(labels["coverage"].as_f64().unwrap() > 0.5, "{labels}");
    assert!(sandbox.text("three/config.toml").contains("cut_of = \"nine\""));
    assert_eq!(sandbox.text("three/clusters.csv").lines().count(), 4);
    let page = sandbox.text("three/report.html");
    assert!(page.contains("Another cut of nine") && page.contains("consilience cut nine -k 3"));
    assert_eq!(sandbox.json("nine/metrics.json")["cut_of"], serde_json::Value::Null);

    // Its own data, and its run, too; and a cut of the cut.
    sandbox.done("predict three points.npy --out again.csv");
    assert_eq!(
        answers(&sandbox.text("again.csv")),
        answers(&sandbox.text("three/assignments.csv"))
    );
    sandbox.done("cut three -k 6 --out again --quiet");
    sandbox.done("cut nine -k 6 --out six --quiet --threads 1");
    sandbox.done("cut nine -k 6 --out six-too --quiet --threads 2");
    let clusters = |run: &str| sandbox.text(&format!("{run}/assignments.csv"));
    assert_eq!(clusters("six"), clusters("six-too"));
    sandbox.done("export three --out labels.csv");
    sandbox.done("report three");
    sandbox.done("evaluate truth.txt three");
    sandbox.done("compare nine three");
    sandbox.done("pseudo-label three -k 3 --no-curve --quiet --out votes");
}

#[test]
fn what_cannot_be_cut_is_refused_in_a_line() {
    let sandbox = Sandbox::new();
    write_groups(&sandbox);
    sandbox.done(&format!("cluster points.npy -k 3 {QUICK} --out run"));
    for (arguments, part) in [
        ("cut run -k 1", "1 is not in 2..=65535"),
        ("cut run -k 0", "0 is not in 2..=65535"),
        ("cut run -k 3", "has 3 clusters already"),
        ("cut run -k 5000 --out many", "K = 5000"),
        ("cut run -k 2 --out run", "the folder isn't empty"),
        ("cut run truth.txt -k 2 --out other", "name the data that was clustered"),
        ("cut nowhere -k 2", "no such run folder"),
    ] {
        let told = refused(&sandbox, arguments);
        assert!(told.contains(part), "{arguments}: {told}");
    }
    std::fs::rename(sandbox.path("points.npy"), sandbox.path("moved.npy")).unwrap();
    let told = refused(&sandbox, "cut run -k 2 --out two");
    assert!(told.contains("name the data after the run"), "{told}");
    sandbox.done("cut run moved.npy -k 2 --out two --quiet");
    assert!(!sandbox.path("many").exists() && !sandbox.path("other").exists());
}

#[test]
fn runs_of_networks_alone_and_of_votes_are_cut_by_their_votes() {
    let sandbox = Sandbox::new();
    write_groups(&sandbox);
    let few = "--models 3 --rounds 1 --no-curve --quiet --seed 1";
    sandbox.file(
        "alone.toml",
        "judge = false\ncandidates = 0\nfirst = { epochs = 30, min_steps = 0 }",
    );
    let output =
        sandbox.run(&format!("cluster points.npy -k 4 {few} --config alone.toml --out networks"));
    assert!(output.status.code() < Some(2), "{}", stderr(&output));
    assert_eq!(sandbox.json("networks/metrics.json")["chosen"], "ensemble");
    let output = sandbox.run("cut networks -k 2 --out two --quiet");
    assert!(output.status.code() < Some(2), "{}", stderr(&output));
    sandbox.done("predict two points.npy --out again.csv");
    assert_eq!(answers(&sandbox.text("again.csv")), answers(&sandbox.text("two/assignments.csv")));

    let output = sandbox.run("pseudo-label networks -k 4 --no-curve --quiet --out votes");
    assert!(output.status.code() < Some(2), "{}", stderr(&output));
    let output = sandbox.run("cut votes -k 2 --quiet --out votes-two");
    assert!(output.status.code() < Some(2), "{}", stderr(&output));
    let metrics = sandbox.json("votes-two/metrics.json");
    assert_eq!(metrics["n_clusters"], 2);
    assert!(refused(&sandbox, "cut votes points.npy -k 3").contains("no data are needed"));
}
