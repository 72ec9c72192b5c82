//! `evaluate` and `data info`.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Sandbox, stderr};
use serde_json::{Value, json};

#[test]
fn clusters_are_scored_whatever_they_are_called() {
    let sandbox = Sandbox::new();
    sandbox.file("truth.txt", "cat\ncat\ncat\ndog\ndog\nowl\n");
    sandbox.file("found.csv", "7\n7\n3\n3\n3\n9\n");
    let table = sandbox.done("evaluate truth.txt found.csv");
    assert!(table.starts_with("6 samples in 3 classes and 3 clusters\n"), "{table}");
    assert!(table.contains("  ACC     0.8333\n"), "{table}");
    assert!(table.contains("  cat       3        7     1.0000  0.6667\n"), "{table}");

    let json: Value =
        serde_json::from_str(&sandbox.done("evaluate truth.txt found.csv --json")).unwrap();
    assert_eq!(json["cluster_names"], json!(["3", "7", "9"]));
    assert_eq!(json["matching"], json!([1, 0, 2]));
    assert_eq!(json["contingency"], json!([[1, 2, 0], [2, 0, 0], [0, 0, 1]]));
}

#[test]
fn a_table_with_a_column_of_clusters_is_understood() {
    let sandbox = Sandbox::new();
    sandbox.file("truth.txt", "0\n1\n1\n");
    sandbox.file("assignments.csv", "sample,cluster,confidence\n0,5,0.9\n1,2,0.8\n2,2,1.0\n");
    assert!(sandbox.done("evaluate truth.txt assignments.csv").contains("  ACC     1.0000\n"));
}

#[test]
fn what_cannot_be_compared_is_refused_in_one_line() {
    let sandbox = Sandbox::new();
    sandbox.file("two.txt", "0\n1\n");
    sandbox.file("three.txt", "0\n1\n1\n");
    for (arguments, part) in [
        ("evaluate two.txt three.txt", "two.txt has 2 labels, three.txt has 3"),
        ("evaluate two.txt none.txt", "none.txt: no such file"),
        ("evaluate two.txt .", ".: no run folder"),
        ("data info none.npy", "none.npy: no such file"),
        ("data info two.npz", "two.npz: no such file"),
    ] {
        let output = sandbox.run(arguments);
        let message = stderr(&output);
        assert_eq!((output.status.code(), message.lines().count()), (Some(2), 1), "{message}");
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn data_are_described() {
    let sandbox = Sandbox::new();
    sandbox.file("a.csv", "height;weight;1\n0;1;1\n");
    let text = sandbox.done("data info a.csv");
    for part in ["a.csv\n", "CSV", "shape      1 x 3", "delimiter  ';'", "header     one line"] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    let text = sandbox.done("data info digits");
    for part in ["embedded", "1,797 samples x 64 features", "0 to 16", "10 distinct", "10 declared"]
    {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    let json: Value =
        serde_json::from_str(&sandbox.done("data info digits digits --json")).unwrap();
    assert_eq!((&json["n_samples"], &json["n_classes"]), (&json!(3594), &json!(10)));
    assert_eq!(json["files"].as_array().unwrap().len(), 2);
    assert!((json["zeros"].as_f64().unwrap() - 0.489).abs() < 0.001);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    use std::process::{Command, Stdio};

    let mut run = Command::new(env!("CARGO_BIN_EXE_consilience"))
        .args(["data", "info", "digits"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(run.stdout.take());
    let output = run.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}
