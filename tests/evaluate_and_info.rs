//! `evaluate` and `data info`.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;

use common::{Sandbox, stderr};
use consilience_data::read_dataset;
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

/// A table of 100,000 x 100,000 would take 80 GB, and its matching hours.
#[test]
fn columns_of_ids_are_scored() {
    let sandbox = Sandbox::new();
    let ids = |step: usize| (0..100_000).map(move |at| format!("{}\n", at * step % 100_003));
    sandbox.file("truth.txt", ids(1).collect::<String>());
    sandbox.file("found.txt", ids(7).collect::<String>());
    let table = sandbox.done("evaluate truth.txt found.txt");
    assert!(table.contains("100,000 classes and 100,000 clusters\n"), "{table}");
    assert!(table.contains("  ACC     1.0000\n"), "{table}");
    let json = sandbox.done("evaluate truth.txt found.txt --json");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["contingency"], &json["ari"]), (&Value::Null, &json!(1.0)));
    assert_eq!(json["contingency_cells"].as_array().unwrap().len(), 100_000);
    assert_eq!(json["per_class"].as_array().unwrap().len(), 100_000);
}

#[test]
fn of_many_classes_the_worst_are_shown() {
    let sandbox = Sandbox::new();
    let classes = |found: bool| -> String {
        let cluster = |at: usize| if found && at >= 990 { 2000 } else { at };
        (0..2000).map(|at| format!("{}\n", cluster(at % 1000))).collect()
    };
    sandbox.file("truth.txt", classes(false));
    sandbox.file("found.txt", classes(true));
    let table = sandbox.done("evaluate truth.txt found.txt");
    assert!(table.contains("20 of 1,000 classes, those with the lowest recall"), "{table}");
    let rows: Vec<&str> = table.lines().skip_while(|line| !line.contains("precision")).collect();
    assert_eq!(rows.len(), 1 + 20, "{table}");
    assert!(rows[1].trim_start().starts_with("99"), "{table}");
    let json: Value =
        serde_json::from_str(&sandbox.done("evaluate truth.txt found.txt --json")).unwrap();
    assert_eq!(json["per_class"].as_array().unwrap().len(), 1000);
    assert_eq!(json["contingency"].as_array().unwrap().len(), 1000);
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
        ("evaluate two.txt three.txt", "three.txt: 3 labels for 2 samples of two.txt"),
        ("evaluate two.txt none.txt", "none.txt: no such file"),
        ("evaluate two.txt .", ".: not a run folder"),
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
    for part in [
        "embedded",
        "1,797 samples x 64 features",
        "0 to 16",
        "10 distinct",
        "10, so -k is not needed",
    ] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    let json: Value =
        serde_json::from_str(&sandbox.done("data info digits digits --json")).unwrap();
    assert_eq!((&json["n_samples"], &json["n_classes"]), (&json!(3594), &json!(10)));
    assert_eq!(json["files"].as_array().unwrap().len(), 2);
    assert!((json["zeros"].as_f64().unwrap() - 0.489).abs() < 0.001);
}

#[test]
fn tables_texts_and_images_are_described() {
    let sandbox = Sandbox::new();
    let says = |arguments: &str, parts: &[&str]| {
        let text = sandbox.done(&format!("data info {arguments}"));
        for part in parts {
            assert!(text.contains(part), "no {part:?} in:\n{text}");
        }
    };
    sandbox.file("a.csv", "id,height,target,label\np,1,0.5,cat\nq,2,0.7,dog\np,3,0.1,cat\n");
    let parts = [
        "column id",
        "beside the data, column label (used for scores only)",
        "left aside  column target",
        "p, q, p; 1 repeated",
        "2 distinct: cat, dog",
        "3 samples x 1 feature",
    ];
    says("a.csv", &parts);
    let json: Value = serde_json::from_str(&sandbox.done("data info a.csv --json")).unwrap();
    assert_eq!(json["first_ids"], json!(["p", "q", "p"]));
    assert_eq!((&json["classes"], &json["repeated_ids"]), (&json!(["cat", "dog"]), &json!(1)));
    assert_eq!(json["feature_names"], json!(["height"]));

    for (name, width) in [("a/1.png", 3), ("a/2.png", 5), ("b/1.png", 5)] {
        let path = sandbox.path("pictures").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::GrayImage::new(width, 4).save(path).unwrap();
    }
    sandbox.file("pictures/README", "about");
    let parts = [
        "folder of images",
        "3 grey, 0 in colour",
        "4 x 5 (2), 4 x 3 (1); stretched to 8 x 9",
        "beside the data, folders",
        "left aside  README",
        "a/1.png, a/2.png, b/1.png",
        "8 x 9 pixels, 1 channel",
    ];
    says("pictures --image-size 8x9", &parts);

    sandbox.file("texts.csv", "id,text\n1,\"Red apples\"\n2,green pears\n3,the\n");
    let parts = ["column text", "apples, green, pears, red", "1 text with none of these words"];
    says("texts.csv --text-column text", &parts);
    let refused = sandbox.run("data info texts.csv --text-column words");
    assert!(stderr(&refused).contains("texts.csv: no column words; it has id, text"));
}

#[test]
fn ids_travel_to_the_run_folder() {
    let sandbox = Sandbox::new();
    let digits = read_dataset(&["digits".into()], &[]).unwrap();
    let row = |sample: usize| {
        let pixels = digits.features.row(sample).iter().map(ToString::to_string);
        format!("digit {sample},{}\n", pixels.collect::<Vec<_>>().join(","))
    };
    let names: Vec<String> = (0..64).map(|pixel| format!("p{pixel}")).collect();
    let rows: String = (0..200).map(row).collect();
    sandbox.file("digits.csv", format!("name,{}\n{rows}", names.join(",")));
    sandbox.run("cluster digits.csv -k 10 --member k-means --out run --quiet");
    assert!(sandbox.text("run/assignments.csv").contains("199,digit 199,"));
    assert_eq!(sandbox.json("run/recipe.json")["feature_names"][63], "p63");
    if cfg!(feature = "hdf5") {
        sandbox.run("pseudo-label run -k 10 --min-confidence 0 --out again --quiet");
        assert!(sandbox.text("again/assignments.csv").contains("199,digit 199,"));
    }
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
