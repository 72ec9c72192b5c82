//! `predict --append`: new samples in a run's own tables.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use common::{Sandbox, stderr};
use consilience_data::read_dataset;
use consilience_data::write::npy;
use ndarray::s;
use xxhash_rust::xxh3::xxh3_64;

const RUN: &str =
    "cluster digits --member k-means --models 2 --rounds 1 --min-confidence 0 -q --out run";

/// Digits upside down, as many as there are rows.
fn new_digits(sandbox: &Sandbox, name: &str, rows: std::ops::Range<usize>) {
    let digits = read_dataset(&["digits".into()], &[]).unwrap().features;
    let turned = digits.view().slice(s![rows, ..;-1]).to_owned();
    npy(&sandbox.path(name), turned.view()).unwrap();
}

/// What is in all files of a folder.
fn bytes(sandbox: &Sandbox, run: &str) -> BTreeMap<String, Vec<u8>> {
    let read = |name: String| {
        let content = fs::read(sandbox.path(&format!("{run}/{name}"))).unwrap();
        (name, content)
    };
    sandbox.files(run).into_iter().map(read).collect()
}

fn assert_as_the_manifest_says(sandbox: &Sandbox, run: &str) {
    let manifest = sandbox.json(&format!("{run}/manifest.json"));
    let files = manifest["files"].as_object().unwrap();
    let found = bytes(sandbox, run);
    assert_eq!(files.len() + 1, found.len());
    for (name, entry) in files {
        assert_eq!(entry["xxh3"], format!("{:016x}", xxh3_64(&found[name])), "{name}");
    }
}

fn refused(sandbox: &Sandbox, arguments: &str, part: &str) {
    let before = bytes(sandbox, "run");
    let output = sandbox.run(arguments);
    let error = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{arguments}: {error}");
    assert!(error.contains(part) && error.lines().count() == 1, "{arguments}: {error}");
    assert!(before == bytes(sandbox, "run"), "{arguments}");
    assert!(!sandbox.path("run.partial").exists(), "{arguments}");
}

#[test]
fn samples_are_added_behind_those_that_were_clustered() {
    let sandbox = Sandbox::new();
    sandbox.done(RUN);
    let before = bytes(&sandbox, "run");
    let clusters = sandbox.assignments("run");
    new_digits(&sandbox, "first.npy", 0..70);
    new_digits(&sandbox, "second.npy", 70..1170);
    sandbox.done("predict run first.npy second.npy -q --out expected.csv");

    let told = sandbox.done("predict run first.npy -q --append");
    assert!(told.contains("70 samples, K = 10") && told.contains("added to"), "{told}");
    refused(&sandbox, "predict run first.npy -q --append", "these 70 samples are there already");
    sandbox.done("predict run second.npy -q --append --threads 1");
    refused(
        &sandbox,
        "predict run second.npy -q --append",
        "these 1,100 samples are there already",
    );
    refused(&sandbox, "predict run digits -q --append", "these 1,797 samples are there already");

    let after = bytes(&sandbox, "run");
    for (name, content) in &before {
        let changes =
            ["assignments.csv", "assignments.npy", "manifest.json"].contains(&name.as_str());
        assert_eq!(after[name] != *content, changes, "{name}");
    }
    let names: Vec<&String> = after.keys().filter(|name| !before.contains_key(*name)).collect();
    assert_eq!(names, ["appended.json"]);
    assert_as_the_manifest_says(&sandbox, "run");
    let record = sandbox.json("run/appended.json");
    assert_eq!(
        (&record["n_clustered"], &record["parts"][1]["n_samples"]),
        (&1797.into(), &1100.into())
    );
    assert_eq!(record["parts"][0]["data"][0], "first.npy");

    // All lines are those of one prediction, numbered on.
    let lines = sandbox.text("run/assignments.csv");
    let expected = sandbox.text("expected.csv");
    assert!(lines.as_bytes().starts_with(&before["assignments.csv"]));
    let later: Vec<&str> = lines.lines().skip(1 + 1797).collect();
    assert_eq!(later.len(), 1170);
    let found = sandbox.assignments("run");
    assert_eq!((&found[..1797], found.len()), (&clusters[..], 1797 + 1170));
    for ((number, later), expected) in (1797..).zip(later).zip(expected.lines().skip(1)) {
        let (own, answer) = expected.split_once(',').unwrap();
        // Rounding depends on where a thousand rows begin.
        let cluster = |line: &str| line.split(',').next().unwrap().to_owned();
        assert_eq!(later.split_once(',').unwrap().0, number.to_string());
        assert_eq!(cluster(later.split_once(',').unwrap().1), cluster(answer), "{own}");
        assert_eq!(found[number].to_string(), cluster(answer));
    }
}

#[test]
fn what_reads_a_run_knows_which_samples_came_later() {
    let sandbox = Sandbox::new();
    sandbox.done(RUN);
    // Two voters don't find all ten.
    let pseudo_label = |out: &str| {
        let output = sandbox.run(&format!("pseudo-label run -k 10 -q --out {out}"));
        assert_ne!(output.status.code(), Some(2), "{}", stderr(&output));
    };
    pseudo_label("before");
    fs::rename(sandbox.path("run"), sandbox.path("other")).unwrap();
    sandbox.done(RUN);
    new_digits(&sandbox, "new.npy", 0..70);
    sandbox.done("export run --soft --out before.csv");
    sandbox.done("predict run new.npy -q --append");
    let output = sandbox.run("export run --soft --out after.csv");
    assert!(stderr(&output).contains("without the 70 samples that were added"));
    assert_eq!(sandbox.text("before.csv"), sandbox.text("after.csv"));
    sandbox.done("export run --out labels.npz");
    sandbox.done("report run");
    let page = sandbox.text("run/report.html");
    assert!(page.contains("added since") && page.contains("70 samples: new.npy"));
    assert_as_the_manifest_says(&sandbox, "run");
    let compared = sandbox.done("compare run other --json");
    assert!(compared.contains("\"n_common\": 1797"), "{compared}");
    sandbox.done("suggest run -q --out next.csv");
    pseudo_label("after");
    let tables = ["before", "after"].map(|run| sandbox.text(&format!("{run}/pseudo_labels.csv")));
    assert_eq!(tables[0], tables[1]);
    // The truth of some isn't known.
    let output = sandbox.run("evaluate digits run");
    assert_eq!(output.status.code(), Some(2));
    let expected = "1867 labels for 1797 samples of digits";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    sandbox.done("predict run digits -q --out all.csv");
}

#[test]
fn an_id_that_is_there_is_refused_and_nothing_is_added() {
    let sandbox = Sandbox::new();
    let table = |rows: std::ops::Range<usize>| {
        let mut text = "id,x,y\n".to_owned();
        for row in rows {
            let (x, y) = (row % 2 * 9, (row * row) % 7);
            writeln!(text, "s{row},{x},{y}").unwrap();
        }
        text
    };
    sandbox.file("data.csv", table(0..60));
    sandbox.file("new.csv", table(60..90));
    sandbox.file("overlap.csv", table(80..110));
    sandbox.file("twice.csv", table(90..95) + "s91,1,1\n");
    sandbox.file("without.csv", table(90..95).replace("id,", "").replace("\ns9", "\n"));
    let made =
        sandbox.run("cluster data.csv -k 2 --member k-means --models 2 --rounds 1 -q --out run");
    assert_ne!(made.status.code(), Some(2), "{}", stderr(&made));
    sandbox.done("predict run new.csv -q --append");
    refused(&sandbox, "predict run overlap.csv -q --append", "the id 's80' is there already");
    refused(&sandbox, "predict run new.csv -q --append", "the id 's60' is there already");
    refused(&sandbox, "predict run twice.csv -q --append", "'s91'");
    let both = sandbox.run("predict run twice.csv -q --append --out x.csv");
    assert_eq!(both.status.code(), Some(2));
    let last = sandbox.text("run/assignments.csv");
    assert!(last.lines().last().unwrap().starts_with("89,s89,"), "{last}");
    sandbox.file("run/votes.npz", "damaged");
    refused(&sandbox, "predict run twice.csv -q --append", "votes.npz");
}

#[test]
fn runs_with_columns_of_their_own_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.done(&format!("{RUN} --strays 0.01"));
    new_digits(&sandbox, "new.npy", 0..20);
    refused(&sandbox, "predict run new.npy --append", "a column 'stray'");
}
