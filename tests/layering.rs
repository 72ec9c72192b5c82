//! **Architecture Invariants**, from the manifests and the sources: `data <- graph`, `data <- ensembles`,
//! root -> all; `graph` and `ensembles` never meet; the truth stays out of whatever trains, votes or extracts.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

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
    assert_eq!(dependencies("testing/Cargo.toml"), [""; 0]);
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
    assert_eq!(ours("data/Cargo.toml"), [""; 0]);
    assert_eq!(ours("graph/Cargo.toml"), ["consilience-data"]);
    assert_eq!(ours("ensembles/Cargo.toml"), ["consilience-data"]);
    let root = ours("Cargo.toml");
    assert_eq!(root, ["consilience-data", "consilience-ensembles", "consilience-graph"]);
}

#[test]
fn graphs_know_no_networks_and_networks_no_graphs() {
    assert_free_of("graph/Cargo.toml", &["candle", "linfa"]);
    assert_free_of("ensembles/Cargo.toml", &["petgraph", "pathfinding"]);
    assert_free_of("data/Cargo.toml", &["candle", "linfa", "petgraph", "pathfinding"]);
    assert_free_of("Cargo.toml", &["petgraph", "candle"]);
}

#[test]
fn the_truth_stays_out() {
    let mut sources = Vec::new();
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let path = entry.unwrap().path();
        let is_source = path.extension().is_some_and(|extension| extension == "rs");
        // Truth is for scores, which evaluation.rs makes; those who ask for them are in folders of their own.
        if is_source && !path.ends_with("evaluation.rs") {
            sources.push(path);
        }
    }
    for folder in ["ensembles/src", "graph/src"] {
        rust_files(&root().join(folder), &mut sources);
    }
    assert!(sources.len() > 20);
    for source in sources {
        let text = fs::read_to_string(&source).unwrap();
        assert!(!text.contains("Truth"), "{} mentions Truth", source.display());
    }
}

/// A sample's class can be found out through examples of an overlap, which scores alone may ask for.
#[test]
fn only_the_evaluation_asks_for_examples() {
    let mut sources = Vec::new();
    for folder in ["src", "data/src", "ensembles/src", "graph/src"] {
        rust_files(&root().join(folder), &mut sources);
    }
    let asks = |source: &&PathBuf| fs::read_to_string(source).unwrap().contains(".examples(");
    let mut who: Vec<_> =
        sources.iter().filter(asks).map(|source| source.strip_prefix(root()).unwrap()).collect();
    who.sort();
    assert_eq!(who, [Path::new("data/src/truth.rs"), Path::new("src/evaluation.rs")]);
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
