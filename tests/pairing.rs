//! What is paired with what: labels, clusters, votes and data, by what their samples are called.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;

use common::{Sandbox, stderr};
use consilience_data::write::{Member, npy, npz};
use ndarray::{ArrayView1, array};
use serde_json::{Value, json};

fn scores(sandbox: &Sandbox, arguments: &str) -> Value {
    serde_json::from_str(&sandbox.done(&format!("evaluate {arguments} --json"))).unwrap()
}

/// The one line with which the program refuses.
#[track_caller]
fn refused(sandbox: &Sandbox, arguments: &str, parts: &[&str]) {
    let output = sandbox.run(arguments);
    let message = stderr(&output);
    assert_eq!((output.status.code(), message.lines().count()), (Some(2), 1), "{message}");
    for part in parts {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
}

/// Two groups far from one another, one row after the other.
const POINTS: &str = "id,a,b\np,0,0\nq,0,1\nr,9,9\ns,9,8\n";
/// Their classes, in another order.
const CLASSES: &str = "{\"id\":\"r\",\"a\":9,\"b\":9,\"label\":\"B\"}
{\"id\":\"p\",\"a\":0,\"b\":0,\"label\":\"A\"}
{\"id\":\"s\",\"a\":9,\"b\":8,\"label\":\"B\"}
{\"id\":\"q\",\"a\":0,\"b\":1,\"label\":\"A\"}\n";
const SORTED: &str = "sample,id,cluster,confidence\n2,r,1,1.0\n0,p,0,1.0\n3,s,1,1.0\n1,q,0,1.0\n";

/// A run of k-means on `POINTS`, called `run`.
fn run_on_points(sandbox: &Sandbox) {
    sandbox.file("points.csv", POINTS);
    sandbox
        .done("cluster points.csv -k 2 --member k-means --models 3 --out run --no-curve --quiet");
}

#[test]
fn labels_and_clusters_meet_by_ids() {
    let sandbox = Sandbox::new();
    sandbox.file("classes.jsonl", CLASSES);
    sandbox.file("classes.txt", "A\nA\nB\nB\n");
    sandbox.file("sorted.csv", SORTED);
    run_on_points(&sandbox);
    for (arguments, by) in [
        ("classes.jsonl run", "ids"),
        ("classes.jsonl sorted.csv", "ids"),
        ("classes.txt sorted.csv", "rows"),
        ("classes.txt run", "rows"),
        ("classes.txt run/assignments.npy", "order"),
    ] {
        let found = scores(&sandbox, arguments);
        assert_eq!((&found["acc"], &found["paired_by"]), (&json!(1.0), &json!(by)), "{arguments}");
    }
    assert!(sandbox.done("evaluate classes.jsonl run").contains("paired by ids"));
}

#[test]
fn labels_of_a_run_meet_its_samples_by_ids() {
    let sandbox = Sandbox::new();
    sandbox.file("classes.jsonl", CLASSES);
    run_on_points(&sandbox);
    let told = sandbox.done(
        "cluster points.csv -k 2 --member k-means --models 3 --labels classes.jsonl --out labelled --no-curve --quiet --json",
    );
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["acc"], json!(1.0), "{told}");
    let told = sandbox
        .done("predict run points.csv --labels classes.jsonl --out found.csv --json --quiet");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["scores"]["acc"], &told["is_run_data"]), (&json!(1.0), &json!(true)));
    let told = sandbox
        .done("pseudo-label run -k 2 --labels classes.jsonl --out voted --no-curve --quiet --json");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["acc"], json!(1.0), "{told}");
}

#[test]
fn samples_that_have_no_partner_are_named() {
    let sandbox = Sandbox::new();
    sandbox.file("classes.jsonl", CLASSES);
    sandbox.file("few.csv", "id,cluster\np,0\nq,0\nr,1\n");
    sandbox.file("twice.csv", "id,cluster\np,0\nq,0\nr,1\np,1\n");
    sandbox.file("other.csv", "id,cluster\np,0\nq,0\nr,1\nx,1\n");
    sandbox.file("three.txt", "A\nA\nB\n");
    sandbox.file("points.csv", POINTS);
    refused(&sandbox, "evaluate classes.jsonl few.csv", &["classes.jsonl: 's' is not in few.csv"]);
    refused(&sandbox, "evaluate few.csv classes.jsonl", &["classes.jsonl: 's' is not in few.csv"]);
    refused(&sandbox, "evaluate classes.jsonl twice.csv", &["twice.csv: 'p' is there twice"]);
    refused(&sandbox, "evaluate classes.jsonl other.csv", &["'s' is not in other.csv"]);
    refused(
        &sandbox,
        "evaluate three.txt classes.jsonl",
        &["classes.jsonl: 4 labels for 3 samples of three.txt"],
    );
    let cluster = "cluster points.csv -k 2 --member k-means --models 3 --out run";
    refused(
        &sandbox,
        &format!("{cluster} --labels other.csv"),
        &["points.csv: 's' is not in other.csv"],
    );
    refused(
        &sandbox,
        &format!("{cluster} --labels three.txt"),
        &["three.txt: 3 labels for 4 samples of points.csv"],
    );
    assert!(!sandbox.path("run").exists());
}

#[test]
fn labels_in_their_usual_forms() {
    let sandbox = Sandbox::new();
    sandbox.file("truth.txt", "a\nb\na\nb\n");
    let words = Member::Texts(vec!["a", "b", "a", "b"]);
    npz(&sandbox.path("words.npz"), &[("y", words)]).unwrap();
    // A text array by itself is a member of an archive by itself.
    let archive = fs::File::open(sandbox.path("words.npz")).unwrap();
    let mut archive = zip::ZipArchive::new(archive).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut archive.by_name("y.npy").unwrap(), &mut bytes).unwrap();
    sandbox.file("words.npy", bytes);
    sandbox.file("full.csv", "id,x,label\np,1,a\nq,2,b\nr,3,a\ns,4,b\n");
    sandbox.file("index.csv", ",label\n0,a\n1,b\n2,a\n3,b\n");
    sandbox.file("two.csv", "id,species\np,a\nq,b\nr,a\ns,b\n");
    sandbox.file("one.csv", "species\na\nb\na\nb\n");
    npy(&sandbox.path("numbers.npy"), ArrayView1::from(&[7_i64, 9, 7, 9])).unwrap();
    parquet(&sandbox, "full.parquet", true);
    parquet(&sandbox, "one.parquet", false);
    for name in [
        "words.npy",
        "full.csv",
        "index.csv",
        "two.csv",
        "one.csv",
        "numbers.npy",
        "full.parquet",
        "one.parquet",
    ] {
        assert_eq!(scores(&sandbox, &format!("truth.txt {name}"))["acc"], json!(1.0), "{name}");
        assert_eq!(scores(&sandbox, &format!("{name} truth.txt"))["acc"], json!(1.0), "{name}");
    }
    sandbox.file("several.csv", "id,x,z\np,1,a\nq,2,b\n");
    refused(&sandbox, "evaluate several.csv truth.txt", &["--label-column: x, z"]);
}

/// Integer categories, with ids or alone.
fn parquet(sandbox: &Sandbox, name: &str, with_ids: bool) {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
    };

    let keys = Int32Array::from(vec![0, 1, 0, 1]);
    let values: ArrayRef = Arc::new(Int64Array::from(vec![5, 3]));
    let labels: ArrayRef = Arc::new(DictionaryArray::new(keys, values));
    let ids: ArrayRef = Arc::new(StringArray::from(vec!["p", "q", "r", "s"]));
    let columns = match with_ids {
        true => vec![("id", ids), ("label", labels)],
        false => vec![("species", labels)],
    };
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    write(sandbox, name, &batch);
}

fn write(sandbox: &Sandbox, name: &str, batch: &arrow_array::RecordBatch) {
    let file = fs::File::create(sandbox.path(name)).unwrap();
    let mut writer = ::parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn exported_labels_are_scored() {
    let sandbox = Sandbox::new();
    run_on_points(&sandbox);
    sandbox.file("classes.jsonl", CLASSES);
    sandbox.done("export run --out labels.csv --quiet");
    let found = scores(&sandbox, "classes.jsonl labels.csv");
    assert_eq!(found["paired_by"], json!("ids"));
    // Samples without a pseudo-label have no cluster.
    sandbox.file(
        "some.csv",
        "sample,id,label,agreement,margin,confidence\n0,p,0,3,3,1\n3,s,1,3,3,1\n",
    );
    let found = scores(&sandbox, "classes.jsonl some.csv");
    assert_eq!((&found["n_without_cluster"], &found["covered"]["acc"]), (&json!(2), &json!(1.0)));
}

#[test]
fn samples_without_a_cluster_are_told() {
    let sandbox = Sandbox::new();
    sandbox.file("truth.txt", "0\n0\n1\n1\n");
    for (name, found) in
        [("noise.txt", "-1\n-1\n1\n1\n"), ("empty.csv", "id,cluster\n0,\n1,\n2,1\n3,1\n")]
    {
        sandbox.file(name, found);
        let found = scores(&sandbox, &format!("truth.txt {name}"));
        assert_eq!((&found["acc"], &found["n_clusters"]), (&json!(0.5), &json!(1)), "{name}");
        assert_eq!(found["n_without_cluster"], json!(2), "{name}");
        assert_eq!(found["covered"]["acc"], json!(1.0), "{name}");
        let text = sandbox.done(&format!("evaluate truth.txt {name}"));
        assert!(text.contains("2 samples without a cluster"), "{text}");
        assert!(text.contains("  ACC     0.5000  1.0000\n"), "{text}");
    }
    refused(&sandbox, "evaluate empty.csv truth.txt", &["empty.csv", "has no label"]);
}

#[test]
fn columns_of_either_file_are_named() {
    let sandbox = Sandbox::new();
    sandbox.file("truth.csv", "key,kind,other\np,a,0\nq,b,0\n");
    sandbox.file("found.csv", "key,left,right\nq,1,0\np,0,0\n");
    let arguments = "truth.csv found.csv --id-column key --label-column kind --cluster-column left";
    let found = scores(&sandbox, arguments);
    assert_eq!((&found["acc"], &found["paired_by"]), (&json!(1.0), &json!("ids")));
    refused(
        &sandbox,
        "evaluate truth.csv found.csv --label-column kinds",
        &["no column kinds", "kind"],
    );
    refused(
        &sandbox,
        "evaluate truth.csv found.csv --label-column kind --cluster-column lefft",
        &["found.csv: no column lefft", "left"],
    );
}

#[test]
fn a_label_beside_votes_is_the_truth() {
    let sandbox = Sandbox::new();
    let votes = "m1,m2,m3,label\n0,1,0,0\n0,1,0,0\n1,0,1,1\n1,0,1,1\n";
    sandbox.file("votes.csv", votes);
    let output = sandbox.run("pseudo-label votes.csv -k 2 --out run --no-curve --json");
    assert!(stderr(&output).contains("column label is taken for the truth"), "{}", stderr(&output));
    let metrics = sandbox.json("run/metrics.json");
    assert_eq!((&metrics["n_models"], &metrics["acc"]), (&json!(3), &json!(1.0)));
}

#[test]
fn votes_keep_their_ids_and_are_not_mixed_up() {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};

    let sandbox = Sandbox::new();
    sandbox.file("classes.jsonl", CLASSES);
    let ids: ArrayRef = Arc::new(StringArray::from(vec!["s", "q", "p", "r"]));
    let model = |votes: Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(votes)) };
    let columns = vec![
        ("id", ids),
        ("m1", model(vec![1, 0, 0, 1])),
        ("m2", model(vec![7, 8, 8, 7])),
        ("m3", model(vec![0, 3, 3, 0])),
    ];
    write(&sandbox, "votes.parquet", &RecordBatch::try_from_iter(columns).unwrap());
    let told = "pseudo-label votes.parquet -k 2 --labels classes.jsonl --out run --no-curve --quiet --json";
    let told: Value = serde_json::from_str(&sandbox.done(told)).unwrap();
    assert_eq!((&told["acc"], &told["n_models"]), (&json!(1.0), &json!(3)));
    assert!(sandbox.text("run/assignments.csv").starts_with("sample,id,cluster,confidence\n0,s,"));

    sandbox.file("same.csv", "id,m4\ns,1\nq,0\np,0\nr,1\n");
    sandbox.done("pseudo-label votes.parquet same.csv -k 2 --out both --no-curve --quiet");
    sandbox.file("mixed.csv", "id,m4\np,0\nq,0\nr,1\ns,1\n");
    refused(
        &sandbox,
        "pseudo-label votes.parquet mixed.csv -k 2 --out mixed --no-curve --quiet",
        &["mixed.csv: row 0", "'p'", "votes.parquet 's'", "sort both"],
    );
}

#[test]
fn data_that_changed_are_refused() {
    let sandbox = Sandbox::new();
    let points = |rows: &[[f32; 2]]| {
        let mut text = "a,b\n".to_owned();
        rows.iter().for_each(|[a, b]| text += &format!("{a},{b}\n"));
        text
    };
    let rows = [[0.0, 0.0], [0.0, 1.0], [9.0, 9.0], [9.0, 8.0]];
    let mut turned = rows;
    turned.reverse();
    sandbox.file("points.csv", points(&rows));
    sandbox
        .done("cluster points.csv -k 2 --member k-means --models 3 --out run --no-curve --quiet");
    // The same numbers in another format are the same data.
    let values = array![[0.0_f32, 0.0], [0.0, 1.0], [9.0, 9.0], [9.0, 8.0]];
    npy(&sandbox.path("points.npy"), values.view()).unwrap();
    sandbox.done("export run points.npy --out same.npz --quiet");

    sandbox.file("points.csv", points(&turned));
    let parts = ["run: was made of other values", "xxh3:", "points has now", "--data-changed"];
    refused(&sandbox, "export run --out turned.npz --quiet", &parts);
    refused(&sandbox, "report run", &parts);
    refused(&sandbox, "report run points.csv", &parts);
    assert!(!sandbox.path("turned.npz").exists());
    sandbox.done("export run --out turned.npz --data-changed --quiet");
    let told = sandbox.done("predict run points.csv --out found.csv --json --quiet");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["is_run_data"], json!(false));
}

#[test]
fn data_in_another_order_are_joined_by_ids() {
    let sandbox = Sandbox::new();
    run_on_points(&sandbox);
    sandbox.done("export run --out before.jsonl --format jsonl points.csv --quiet");
    sandbox.file("turned.csv", "id,a,b\ns,9,8\nr,9,9\nq,0,1\np,0,0\n");
    sandbox.done("export run turned.csv --out after.jsonl --format jsonl --quiet");
    assert_eq!(sandbox.text("before.jsonl"), sandbox.text("after.jsonl"));
    sandbox.file("other.csv", "id,a,b\ns,9,8\nr,9,9\nq,0,1\nx,0,0\n");
    refused(&sandbox, "export run other.csv --out other.jsonl --quiet", &["'p' is not in other"]);
}

#[test]
fn votes_of_a_run_are_those_of_all_its_models() {
    let sandbox = Sandbox::new();
    run_on_points(&sandbox);
    let told = sandbox.done("pseudo-label run -k 2 --out voted --no-curve --quiet --json");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["n_models"], json!(3));
    assert_eq!(told["inputs"][0]["has_confidences"], json!(true));
    // Those of votes are votes, too.
    sandbox.done("pseudo-label voted -k 2 --out again --no-curve --quiet");
    assert_eq!(sandbox.assignments("voted"), sandbox.assignments("again"));

    // As in runs from before there were either.
    fs::remove_file(sandbox.path("run/votes.npz")).unwrap();
    fs::remove_file(sandbox.path("run/manifest.json")).unwrap();
    let has_hdf5 = sandbox.path("run/run.h5").exists();
    assert_eq!(has_hdf5, cfg!(feature = "hdf5"));
    if has_hdf5 {
        sandbox.done("pseudo-label run -k 2 --out older --no-curve --quiet");
        fs::remove_file(sandbox.path("run/run.h5")).unwrap();
    } else {
        sandbox.file("run/run.h5", b"\x89HDF\r\n\x1a\nrest");
        let says = ["run.h5", "built without HDF5"];
        refused(&sandbox, "pseudo-label run -k 2 --out older", &says);
        fs::remove_file(sandbox.path("run/run.h5")).unwrap();
    }
    refused(&sandbox, "pseudo-label run -k 2 --out none", &["no votes.npz", "assignments.npy"]);
    assert!(!sandbox.path("none").exists());
}
