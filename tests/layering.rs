//! **Architecture Invariants**, from the manifests: `truth <- data`, `data <- graph`, `data <- ensembles`,
//! root -> all; `graph` and `ensembles` never meet; the truth can't be read by whatever trains, votes or extracts.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use toml::{Table, Value};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn manifest(path: &str) -> Table {
    fs::read_to_string(root().join(path)).unwrap().parse().unwrap()
}

/// Names of the packages that a crate depends on, for whatever purpose and on whatever platform.
fn dependencies(path: &str) -> Vec<String> {
    let manifest = manifest(path);
    let mut names = Vec::new();
    collect(&manifest, &mut names);
    names
}

fn collect(table: &Table, names: &mut Vec<String>) {
    for (key, value) in table {
        let Value::Table(inner) = value else { continue };
        if key.ends_with("dependencies") {
            for (name, value) in inner {
                let package = value.get("package").and_then(Value::as_str);
                names.push(package.unwrap_or(name).to_owned());
            }
        } else if key != "workspace" {
            collect(inner, names);
        }
    }
}

fn assert_free_of(manifest: &str, forbidden: &[&str]) {
    for name in dependencies(manifest) {
        let found = forbidden.iter().find(|forbidden| name.starts_with(**forbidden));
        assert!(found.is_none(), "{manifest} depends on {name}");
    }
}

const TESTING: &str = "consilience-testing";

/// What tests share depends on nothing, and nothing but tests on it.
#[test]
fn only_tests_depend_on_what_tests_share() {
    assert_eq!(dependencies("tests/support/Cargo.toml"), [""; 0]);
    let mut users = 0;
    for path in ["Cargo.toml", "data/Cargo.toml", "ensembles/Cargo.toml", "graph/Cargo.toml"] {
        let mut manifest = manifest(path);
        for of_tests in ["dev-dependencies", "workspace"] {
            manifest.remove(of_tests);
        }
        let mut names = Vec::new();
        collect(&manifest, &mut names);
        assert!(!names.contains(&TESTING.to_owned()), "{path}");
        users += usize::from(dependencies(path).contains(&TESTING.to_owned()));
    }
    assert!(users > 1);
}

#[test]
fn crates_depend_in_the_order_in_which_data_flow() {
    let ours = |manifest: &str| {
        let mut names = dependencies(manifest);
        names.retain(|name| name.starts_with("consilience") && name != TESTING);
        names
    };
    assert_eq!(ours("data/truth/Cargo.toml"), [""; 0]);
    assert_eq!(ours("data/Cargo.toml"), ["consilience-truth"]);
    assert_eq!(ours("graph/Cargo.toml"), ["consilience-data"]);
    assert_eq!(ours("ensembles/Cargo.toml"), ["consilience-data"]);
    let python = ours("python/Cargo.toml");
    assert_eq!(
        python,
        ["consilience", "consilience-data", "consilience-ensembles", "consilience-graph"]
    );
    let root = ours("Cargo.toml");
    assert_eq!(
        root,
        ["consilience-data", "consilience-ensembles", "consilience-graph", "consilience-truth"]
    );
}

#[test]
fn graphs_know_no_networks_and_networks_no_graphs() {
    assert_free_of("graph/Cargo.toml", &["candle", "linfa"]);
    assert_free_of("ensembles/Cargo.toml", &["petgraph", "pathfinding"]);
    assert_free_of("data/Cargo.toml", &["candle", "linfa", "petgraph", "pathfinding"]);
    assert_free_of("Cargo.toml", &["petgraph", "candle"]);
}

/// Who depends on it can read labels: nobody else can name the function that does.
#[test]
fn only_readers_and_scores_can_open_the_truth() {
    let may = |manifest| dependencies(manifest).contains(&"consilience-truth".to_owned());
    let manifests = ["Cargo.toml", "data/Cargo.toml", "ensembles/Cargo.toml", "graph/Cargo.toml"];
    assert_eq!(manifests.map(may), [true, true, false, false]);
}
