//! Rows that are left out, as values are missing: all others keep their place, whatever is read back.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;

use common::{Sandbox, stderr};
use serde_json::{Value, json};

/// Two groups, in which every fifth row and the last one lack a value.
const ROWS: usize = 42;

fn group(row: usize) -> usize {
    // Rows that are shifted by one are mostly of the other group.
    row % 2
}

fn is_missing(row: usize) -> bool {
    row % 5 == 1 || row == ROWS - 1
}

fn left() -> Vec<usize> {
    (0..ROWS).filter(|&row| !is_missing(row)).collect()
}

/// The points `points.csv`, `named.csv` with ids, and their classes in `truth.csv`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let (mut points, mut named) = ("a,b\n".to_owned(), "id,a,b\n".to_owned());
    let (mut truth, mut by_id) = ("label\n".to_owned(), "id,label\n".to_owned());
    for row in 0..ROWS {
        let (near, step) = (9 * group(row), row as f64 / 50.0);
        let a = if is_missing(row) { "NA".into() } else { (near as f64 + step).to_string() };
        let line = format!("{a},{}\n", near as f64 - step);
        points += &line;
        named += &format!("p{row},{line}");
        truth += &format!("{}\n", ["x", "y"][group(row)]);
    }
    for row in (0..ROWS).rev() {
        by_id += &format!("p{row},{}\n", ["x", "y"][group(row)]);
    }
    for (name, text) in
        [("points.csv", points), ("named.csv", named), ("truth.csv", truth), ("by_id.csv", by_id)]
    {
        sandbox.file(name, text);
    }
    for (data, run) in [("points.csv", "run"), ("named.csv", "runid")] {
        sandbox.done(&format!("cluster {data} {K_MEANS} --missing drop --out {run} --quiet"));
    }
    sandbox
}

const K_MEANS: &str = "-k 2 --member k-means --models 3 --no-curve";

fn told(sandbox: &Sandbox, arguments: &str) -> Value {
    serde_json::from_str(&sandbox.done(arguments)).unwrap()
}

/// The column `sample` of a file.
fn samples(sandbox: &Sandbox, name: &str) -> Vec<usize> {
    let text = sandbox.text(name);
    let lines = text.lines().skip(1).map(|line| line.split(',').next().unwrap());
    lines.map(|sample| sample.parse().unwrap()).collect()
}

#[test]
fn files_of_a_run_say_which_rows_of_the_data_they_are_of() {
    let sandbox = sandbox();
    assert_eq!(samples(&sandbox, "run/assignments.csv"), left());
    assert_eq!(samples(&sandbox, "run/pseudo_labels.csv"), left());
    sandbox.done("pseudo-label run -k 2 --out voted --no-curve --quiet");
    assert_eq!(samples(&sandbox, "voted/assignments.csv"), left());
    sandbox.done("pseudo-label run/votes.npz -k 2 --out by_file --no-curve --quiet");
    assert_eq!(samples(&sandbox, "by_file/assignments.csv"), left());
    sandbox.done("pseudo-label run/assignments.csv voted -k 2 --out both --no-curve --quiet");
    assert_eq!(samples(&sandbox, "both/assignments.csv"), left());
    for format in ["csv", "jsonl", "npz", "parquet"] {
        sandbox.done(&format!("export run points.csv --out labels.{format} --quiet"));
    }
    assert_eq!(samples(&sandbox, "labels.csv"), left());
    let found = [
        "run",
        "run/assignments.csv",
        "run/pseudo_labels.csv",
        "run/pseudo_labels.npz",
        "voted",
        "both",
        "labels.csv",
        "labels.jsonl",
        "labels.npz",
        "labels.parquet",
    ];
    for found in found {
        let scores = told(&sandbox, &format!("evaluate truth.csv {found} --json"));
        let without = (ROWS - left().len()) as u64;
        assert_eq!(scores["covered"]["acc"], json!(1.0), "{found}: {scores}");
        assert_eq!(
            (&scores["n_without_cluster"], &scores["paired_by"]),
            (&json!(without), &json!("rows")),
            "{found}"
        );
    }
    sandbox.done("report run");
    sandbox.done("report voted points.csv");
    assert!(sandbox.text("run/report.html").contains("40"));
    // One value a sample, in their order, and nothing that says which.
    let output = sandbox.run("evaluate truth.csv run/assignments.npy");
    let message = stderr(&output);
    let lengths = format!("{} labels for {ROWS} samples of truth.csv", left().len());
    assert!(output.status.code() == Some(2) && message.contains(&lengths), "{message}");
}

#[test]
fn ids_of_a_run_are_those_of_its_votes_beside_others() {
    let sandbox = sandbox();
    let rows: String = left().iter().rev().map(|row| format!("p{row},{}\n", group(*row))).collect();
    sandbox.file("turned.csv", format!("id,m\n{rows}"));
    let output = sandbox.run("pseudo-label runid turned.csv -k 2 --out mixed --no-curve --quiet");
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{message}");
    for words in ["turned.csv: row 0", "'p40'", "'p0'", "sort both"] {
        assert!(message.contains(words), "{message}");
    }
    let rows: String = left().iter().map(|row| format!("p{row},{}\n", group(*row))).collect();
    sandbox.file("same.csv", format!("id,m\n{rows}"));
    sandbox.done("pseudo-label runid same.csv -k 2 --out both --no-curve --quiet");
    assert!(sandbox.text("both/assignments.csv").contains("\n2,p2,"));
    // Votes without ids would be taken in another order than that of the rows that are left.
    let rows: String = left().iter().map(|row| format!("{}\n", group(*row))).collect();
    sandbox.file("bare.csv", format!("m\n{rows}"));
    let output = sandbox.run("pseudo-label run bare.csv -k 2 --out bare --no-curve --quiet");
    assert!(stderr(&output).contains("bare.csv: row 1"), "{}", stderr(&output));
}

#[test]
fn labels_meet_the_rows_that_are_left() {
    let sandbox = sandbox();
    for (data, labels) in [
        ("points.csv", "truth.csv"),
        ("named.csv", "truth.csv"),
        ("named.csv", "by_id.csv"),
        ("points.csv", "run/assignments.csv"),
    ] {
        let name = format!("{data}-{}", labels.replace('/', "-"));
        let line =
            format!("cluster {data} {K_MEANS} --missing drop --labels {labels} --out {name}");
        let metrics = told(&sandbox, &format!("{line} --quiet --json"));
        assert_eq!(metrics["acc"], json!(1.0), "{data} {labels}");
        let line = format!("predict run {data} --labels {labels} --out {name}.csv --quiet");
        assert_eq!(told(&sandbox, &format!("{line} --json"))["scores"]["acc"], json!(1.0));
    }
    for run in ["run", "runid"] {
        let line = format!("pseudo-label {run} -k 2 --labels truth.csv --out v{run} --no-curve");
        assert_eq!(told(&sandbox, &format!("{line} --quiet --json"))["acc"], json!(1.0), "{run}");
    }
}

#[test]
fn predictions_say_what_was_left_out_and_which_rows_are_left() {
    let sandbox = sandbox();
    let output = sandbox.run("predict run points.csv --out found.csv --json --quiet");
    let message = stderr(&output);
    assert!(message.contains("points.csv: 9 of 42 rows left out"), "{message}");
    assert_eq!(samples(&sandbox, "found.csv"), left());
    let scores = told(&sandbox, "evaluate truth.csv found.csv --json");
    assert_eq!(scores["covered"]["acc"], json!(1.0), "{scores}");
    let output = sandbox.run("predict run points.csv named.csv --out two.csv --json --quiet");
    assert!(stderr(&output).contains("has none; give both ids, or neither"), "{}", stderr(&output));
}

#[test]
fn a_run_says_what_columns_were_taken_for() {
    let sandbox = sandbox();
    let text = "id,a,when,label\nx,1,2024-05-01,k\ny,2,2024-05-02,k\nx,9,2024-05-03,l\n\
                z,8,2024-05-04,l\n";
    sandbox.file("t.csv", text);
    let output = sandbox.run(&format!("cluster t.csv {K_MEANS} --ignore-column when --out t"));
    let message = stderr(&output);
    for words in [
        "t.csv: ids: column id; labels, for scores only: column label; left aside: column when",
        "samples 0 and 2, counted from 0, are both called 'x'",
    ] {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_damaged_run_is_no_file_of_votes() {
    let sandbox = sandbox();
    let text = sandbox.text("run/assignments.csv");
    let (kept, _) = text.split_at(text.len() / 2);
    sandbox.file("run/assignments.csv", &kept[..=kept.rfind('\n').unwrap()]);
    let refused = |because: &str| {
        for command in ["pseudo-label run -k 2 --out v", "report run", "export run"] {
            let output = sandbox.run(command);
            let message = stderr(&output);
            assert!(message.contains("assignments.csv"), "{command}: {message}");
            assert!(message.contains(because), "{command}: {message}");
        }
    };
    refused("isn't what the run has written (manifest.json)");
    // As in runs from before there were manifests.
    fs::remove_file(sandbox.path("run/manifest.json")).unwrap();
    refused("samples are missing");
    fs::remove_file(sandbox.path("run/recipe.json")).unwrap();
}

#[test]
fn columns_of_files_of_labels_have_a_flag_of_their_own() {
    let sandbox = sandbox();
    let rows: String = (0..ROWS).map(|row| format!("{row},{},{}\n", row % 3, group(row))).collect();
    sandbox.file("many.csv", format!("p,q,kind\n{rows}"));
    let line = format!("cluster points.csv {K_MEANS} --missing drop --labels many.csv --out r");
    let output = sandbox.run(&line);
    let message = stderr(&output);
    assert!(message.contains("choose one by --labels-column: p, q, kind"), "{message}");
    let metrics = told(&sandbox, &format!("{line} --labels-column kind --quiet --json"));
    assert_eq!(metrics["acc"], json!(1.0));
    let found = told(
        &sandbox,
        "evaluate many.csv run --label-column kind --ignore-column 2 --cluster-column cluster --json",
    );
    assert_eq!(found["covered"]["acc"], json!(1.0));
}

#[test]
fn what_is_in_the_way_is_told_beside_what_is_there() {
    let sandbox = Sandbox::new();
    sandbox.file("t.csv", "a,c,v1\n1,red,5\n2,blue,5\n,red,5\n4,red,5\n");
    let text = sandbox.done("data info t.csv");
    for words in [
        "In the way of clustering: t.csv: words in c",
        "missing values in a (1), of 4 rows",
        "As with --ignore-column c --missing mean:",
        "4 samples x 2 features",
        "v1 is the same in all rows",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    let info = told(&sandbox, "data info t.csv --json");
    assert!(info["in_the_way"]["problem"].as_str().unwrap().contains("words in c"), "{info}");
    sandbox.file("sheet.xlsx", b"PK\x03\x04rest");
    let output = sandbox.run("cluster sheet.xlsx -k 2");
    assert!(stderr(&output).contains("holds a spreadsheet"), "{}", stderr(&output));
}

#[test]
fn a_share_is_suggested_where_a_number_is_too_large() {
    let sandbox = Sandbox::new();
    sandbox.file("votes.csv", "m1,m2\n0,1\n1,0\n0,1\n");
    let output = sandbox.run("pseudo-label votes.csv -k 2 --min-agree 90 --out r");
    assert!(stderr(&output).contains("--min-agree 90%"), "{}", stderr(&output));
}

#[test]
fn values_of_a_report_are_those_of_the_files() {
    let sandbox = Sandbox::new();
    let mut text = "t,b\n".to_owned();
    for row in 0..20_i64 {
        text += &format!("{},{}\n", 1_700_000_000_000 + 60_000 * (row % 2) + row, row % 2);
    }
    sandbox.file("times.csv", text);
    sandbox.done(&format!("cluster times.csv {K_MEANS} --out run --quiet"));
    let page = sandbox.text("run/report.html");
    assert!(page.contains("mean 1700000000009 here, 1700000060010 elsewhere"), "{page}");
    // Votes of a run meet its data in any order.
    sandbox.done("pseudo-label run -k 2 --out voted --no-curve --quiet");
    sandbox.done("report voted times.csv");
}
