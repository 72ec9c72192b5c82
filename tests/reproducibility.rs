//! Same seed, same bytes: for any number of threads, and when a run is repeated from its own settings.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;

use common::{Sandbox, stderr};
use serde_json::Value;

#[test]
fn threads_and_repetition_change_no_byte() {
    let sandbox = Sandbox::new();
    let run = |arguments: &str| {
        let output = sandbox.run(&format!("cluster digits --quiet {arguments}"));
        // Whether all mini-clusters are found is another question.
        assert_ne!(output.status.code(), Some(2), "{}", stderr(&output));
    };
    run("--config quick.toml --seed 3 --threads 1 --out one");
    run("--config quick.toml --seed 3 --threads 2 --out two");
    run("--config one/config.toml --threads 3 --out again");
    run("--config quick.toml --seed 4 --threads 2 --out other");
    for same in ["two", "again"] {
        assert_eq!(differing(&sandbox, "one", same), [""; 0]);
    }
    for file in ["assignments.csv", "config.toml", "models/model-02.safetensors"] {
        let bytes = |run: &str| fs::read(sandbox.path(run).join(file)).unwrap();
        assert!(bytes("one") != bytes("other"), "{file} is the same for another seed");
    }
}

/// Files of which the two runs have different bytes, but for times, memory and threads in the metrics and on the report.
fn differing(sandbox: &Sandbox, first: &str, second: &str) -> Vec<String> {
    let files = sandbox.files(first);
    assert_eq!(files, sandbox.files(second));
    let same = |file: &String| {
        if file == "manifest.json" {
            // Checksums, also of what has times.
            return true;
        }
        if file == "metrics.json" {
            let metrics = |run: &str| without_times(sandbox.json(&format!("{run}/{file}")));
            return metrics(first) == metrics(second);
        }
        if file == "report.html" {
            // The last section says how it was run.
            let page = |run: &str| sandbox.text(&format!("{run}/{file}"));
            let results = |page: String| {
                let (results, run) = page.split_once("<section id=\"run\">").unwrap();
                assert!(results.contains("<section id=\"map\">") && !run.contains("<section"));
                results.to_owned()
            };
            return results(page(first)) == results(page(second));
        }
        let bytes = |run: &str| fs::read(sandbox.path(run).join(file)).unwrap();
        bytes(first) == bytes(second)
    };
    files.into_iter().filter(|file| !same(file)).collect()
}

fn without_times(mut metrics: Value) -> Value {
    match &mut metrics {
        Value::Object(fields) => {
            for key in ["seconds", "profile", "peak_rss_mb", "threads"] {
                fields.remove(key);
            }
            fields.values_mut().for_each(|value| *value = without_times(value.take()));
        }
        Value::Array(values) => {
            values.iter_mut().for_each(|value| *value = without_times(value.take()));
        }
        _ => {}
    }
    metrics
}
