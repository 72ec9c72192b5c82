//! **Architecture Invariants**, from the manifests: `truth <- data`, `data <- graph`, `data <- ensembles`,
//! root -> all; `graph` and `ensembles` never meet; the truth can't be read by whatever trains, votes or extracts.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use toml::{Table, Value};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Names of the packages that a crate depends on, for whatever purpose and on whatever platform.
fn dependencies(manifest: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(manifest)).unwrap();
    let manifest: Table = text.parse().unwrap();
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

#[test]
fn crates_depend_in_the_order_in_which_data_flow() {
    let ours = |manifest: &str| {
        let mut names = dependencies(manifest);
        names.retain(|name| name.starts_with("consilience"));
        names
    };
    assert_eq!(ours("truth/Cargo.toml"), [""; 0]);
    assert_eq!(ours("data/Cargo.toml"), ["consilience-truth"]);
    assert_eq!(ours("graph/Cargo.toml"), ["consilience-data"]);
    assert_eq!(ours("ensembles/Cargo.toml"), ["consilience-data"]);
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
