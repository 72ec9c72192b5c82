//! `--engine` and `--kernels`: what trains a run is recorded, its answers come back, and what can't be is refused.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;

use common::{Sandbox, stderr};

#[test]
fn candle_trains_on_the_cpu_and_the_runs_own_answers_come_back() {
    let sandbox = Sandbox::new();
    let cluster = |options: &str| {
        sandbox.done(&format!("cluster digits --config quick.toml --quiet {options}"));
    };
    cluster("--engine candle --threads 1 --out run");
    cluster("--engine candle --threads 3 --out again");
    cluster("--out auto");
    assert_eq!(sandbox.json("run/metrics.json")["engine"], "candle");
    assert_eq!(sandbox.json("auto/metrics.json")["engine"], "fast");
    assert!(sandbox.text("run/config.toml").contains("engine = \"candle\""));
    let answers = |file: &str| fs::read(sandbox.path(file)).unwrap();
    let of_run = answers("run/assignments.csv");
    assert!(of_run == answers("again/assignments.csv"), "threads change nothing");
    assert!(of_run != answers("auto/assignments.csv"), "engines round differently");
    sandbox.done("predict run digits --quiet --threads 2 --out found.csv");
    assert!(of_run == answers("found.csv"));
}

#[test]
fn what_an_engine_can_not_do_is_refused() {
    let sandbox = Sandbox::new();
    for (options, part) in [
        ("--engine fast --device cuda", "engine fast: it trains on the CPU, not on cuda"),
        ("--engine quick", "--engine"),
        ("--kernels", "--kernels: only a GPU"),
    ] {
        refused(&sandbox, options, part);
    }
    if !cfg!(feature = "cuda") {
        refused(&sandbox, "--engine candle --device cuda", "this build has no CUDA");
    }
    sandbox.file("engine.toml", "engine = 'fast'");
    refused(&sandbox, "--config engine.toml --device cuda", "cuda");
}

/// A loss that only candle knows: auto takes candle, and fast is refused.
#[test]
fn the_engine_follows_the_loss() {
    let sandbox = Sandbox::new();
    let quick = format!("{}\nnetwork.consistency_loss = 'squared-error'\n", common::QUICK);
    sandbox.file("squared.toml", quick);
    sandbox.done("cluster digits --config squared.toml --rounds 1 --quiet --out run");
    assert_eq!(sandbox.json("run/metrics.json")["engine"], "candle");
    let line = "engine fast: it doesn't know the loss squared-error; use --engine auto";
    refused(&sandbox, "--config squared.toml --engine fast", line);
}

fn refused(sandbox: &Sandbox, options: &str, part: &str) {
    let before = sandbox.files("");
    let output = sandbox.run(&format!("cluster digits {options}"));
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{options}: {message}");
    assert!(message.contains(part), "{options}: no {part:?} in: {message}");
    assert_eq!(message.lines().count(), 1, "{options}: {message}");
    assert_eq!(sandbox.files(""), before, "{options}: nothing is written");
}
