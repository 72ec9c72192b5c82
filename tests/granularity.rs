//! How many clusters there are, where nobody says it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Sandbox, stderr, stdout};
use consilience_data::write::npy;
use consilience_data::{Seed, Stream, read_npz};
use ndarray::Array2;

/// Fast, as networks don't matter here.
const FAST: &str = "--member k-means --models 3 --rounds 1 --no-curve --quiet --seed 1 --threads 2";

/// Points around centres on a grid of the given side, so many around each. With side 1 it is one Gaussian.
fn write_points(sandbox: &Sandbox, name: &str, side: usize, each: usize) {
    let n = side * side * each;
    let noise = Seed(7).rng(Stream::Subset).normal(2 * n);
    let points = Array2::from_shape_fn((n, 2), |(row, column)| {
        let centre = row % (side * side);
        let place = [centre % side, centre / side][column];
        12.0 * place as f32 + noise[2 * row + column]
    });
    npy(&sandbox.path(name), points.view()).unwrap();
}

#[test]
fn clear_groups_are_counted() {
    let sandbox = Sandbox::new();
    write_points(&sandbox, "grid.npy", 3, 60);
    sandbox.done(&format!("cluster grid.npy {FAST} --out auto"));
    let metrics = sandbox.json("auto/metrics.json");
    assert_eq!((&metrics["n_clusters"], &metrics["granularity"]["shown"]), (&9.into(), &9.into()));
    assert_eq!(metrics["granularity"]["layers"][0]["sizes"], serde_json::json!(vec![60; 9]));
    let smallest = metrics["granularity"]["candidates"][8]["smallest"].as_f64().unwrap();
    assert!((smallest - 1.0 / 9.0).abs() < 1e-9, "{smallest}");
    let layers = read_npz(&sandbox.path("auto/layers.npz")).unwrap();
    assert_eq!(layers["clusters"].shape()[1], 540);
    assert_eq!(layers["n_clusters"][[0]], 9.0);
    let described = sandbox.text("auto/clusters.csv");
    assert_eq!(described.lines().count(), 10, "{described}");
    assert!(described.starts_with("cluster,size,share,confidence,typical,features\n"));

    // The same for any number of threads, and as if K had been given.
    let one = FAST.replace("--threads 2", "--threads 1");
    sandbox.done(&format!("cluster grid.npy {one} -k auto --out one"));
    sandbox.done(&format!("cluster grid.npy {FAST} -k 9 --out given"));
    for run in ["one", "given"] {
        assert_eq!(sandbox.assignments("auto"), sandbox.assignments(run), "{run}");
    }
    let of = |run: &str| std::fs::read(sandbox.path(run).join("layers.npz")).unwrap();
    assert_eq!(of("auto"), of("one"));
    assert_eq!(sandbox.json("given/metrics.json")["granularity"], serde_json::Value::Null);

    // Within a range that doesn't hold it.
    let output = sandbox.run(&format!("cluster grid.npy {FAST} -k 2..6 --out few"));
    assert!(output.status.code() < Some(2), "{}", stderr(&output));
    let told = stdout(&output);
    let found = &sandbox.json("few/metrics.json")["granularity"];
    assert_eq!((&found["from"], &found["to"], &found["shown"]), (&2.into(), &6.into(), &9.into()));
    assert!(told.contains("without these bounds it would be 9"), "{told}");
    // Every number of the range has a line.
    let table = told.lines().skip_while(|line| !line.trim_start().starts_with("K "));
    let rows = table.skip(1).take_while(|line| !line.is_empty());
    let rows: Vec<Vec<&str>> = rows.map(|line| line.split_whitespace().collect()).collect();
    let ks: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(ks, ["2", "3", "4", "5", "6"], "{told}");
    let k = sandbox.json("few/metrics.json")["n_clusters"].to_string();
    let taken: Vec<&str> =
        rows.iter().filter(|row| row.ends_with(&["taken"])).map(|row| row[0]).collect();
    assert_eq!(taken, [k]);
}

/// The smallest is a fiftieth of the largest.
/// Curves that nothing joins, each of which any cut divides between few neighbours: two rings, two half moons.
#[test]
fn what_nothing_joins_is_not_cut_up() {
    use std::f32::consts::{PI, TAU};
    let sandbox = Sandbox::new();
    let ring = |turn: f32, inner: bool| {
        let (radius, angle) = (if inner { 0.5 } else { 1.0 }, TAU * turn);
        [radius * angle.cos(), radius * angle.sin()]
    };
    let moon = |turn: f32, inner: bool| {
        let (x, y) = ((PI * turn).cos(), (PI * turn).sin());
        if inner { [1.0 - x, 0.5 - y] } else { [x, y] }
    };
    let write = |name: &str, point: &dyn Fn(f32, bool) -> [f32; 2]| {
        let noise = Seed(11).rng(Stream::Subset).normal(1000);
        let points = Array2::from_shape_fn((500, 2), |(row, column)| {
            let turn = (row / 2) as f32 / 250.0;
            point(turn, row % 2 == 1)[column] + 0.05 * noise[2 * row + column]
        });
        npy(&sandbox.path(name), points.view()).unwrap();
    };
    write("rings.npy", &ring);
    write("moons.npy", &moon);
    for data in ["rings", "moons"] {
        sandbox.done(&format!("cluster {data}.npy {FAST} --out {data}"));
        let found = &sandbox.json(&format!("{data}/metrics.json"))["granularity"];
        assert_eq!(found["shown"], 2, "{data}: {found}");
        assert_eq!(found["layers"][0]["sizes"], serde_json::json!([250, 250]), "{data}");
    }
}

#[test]
fn kinds_of_very_unequal_size_come_out() {
    let sandbox = Sandbox::new();
    let sizes = [900, 500, 280, 100, 60, 30, 18];
    let n: usize = sizes.iter().sum();
    let noise = Seed(5).rng(Stream::Subset).normal(8 * n);
    let kinds = sizes.iter().enumerate();
    let kinds: Vec<usize> = kinds.flat_map(|(kind, &size)| vec![kind; size]).collect();
    let points = Array2::from_shape_fn((n, 8), |(row, column)| {
        noise[8 * row + column] + if kinds[row] == column { 4.5 } else { 0.0 }
    });
    npy(&sandbox.path("points.npy"), points.view()).unwrap();
    let truth: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    std::fs::write(sandbox.path("truth.txt"), truth.join("\n")).unwrap();
    let quick = "--effort quick --no-curve --quiet --seed 1 --threads 2";
    let line = format!("cluster points.npy --labels truth.txt -k 7 {quick} --out");
    let output = sandbox.run(&format!("{line} run"));
    assert!(output.status.code() < Some(2), "{}", stderr(&output));
    let metrics = sandbox.json("run/metrics.json");
    // Labels don't depend on how sure single models are, and nobody asked for that.
    assert_eq!(metrics["pseudo_label_rule"], "backed");
    assert!(stdout(&output).contains("backed by"), "{}", stdout(&output));
    assert!(!stderr(&output).contains("--min-confidence"), "{}", stderr(&output));
    let output = sandbox.run(&format!("{line} asked --min-confidence 0.95"));
    let told = stderr(&output);
    assert!(told.contains("--min-confidence: not applied to the pseudo-labels"), "{told}");
    let [run, asked] =
        ["run", "asked"].map(|run| sandbox.text(&format!("{run}/pseudo_labels.csv")));
    assert_eq!(run, asked);
    assert!(sandbox.text("run/report.html").contains("stand behind the cluster"));
    assert!(metrics["ari"].as_f64().unwrap() > 0.97, "{}", metrics["ari"]);
    // New samples by the same rule.
    sandbox.done("predict run points.npy --out again.csv");
    let again = sandbox.text("again.csv");
    let column = |text: &str| -> Vec<String> {
        text.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(column(&again), column(&sandbox.text("run/assignments.csv")));
}

#[test]
fn where_there_is_no_structure_it_is_said() {
    let sandbox = Sandbox::new();
    write_points(&sandbox, "cloud.npy", 1, 500);
    let told = sandbox.done(&format!("cluster cloud.npy {FAST} --out cloud"));
    assert!(told.contains("no structure"), "{told}");
    let metrics = sandbox.json("cloud/metrics.json");
    assert_eq!((&metrics["n_clusters"], &metrics["granularity"]["shown"]), (&2.into(), &1.into()));
}

/// On a line a half has as much of a border as the whole, so that parts of a crowd stay whole longer than in the plane.
#[test]
fn a_crowd_on_a_line_is_not_cut_up() {
    let sandbox = Sandbox::new();
    for (name, crowds, each) in [("one", 1, 3000), ("six", 6, 50)] {
        let noise = Seed(7).rng(Stream::Subset).normal(crowds * each);
        let points = Array2::from_shape_fn((crowds * each, 1), |(row, _)| {
            10.0 * (row % crowds) as f32 + noise[row]
        });
        npy(&sandbox.path("line.npy"), points.view()).unwrap();
        // With two clusters of a crowd, models needn't agree.
        let output = sandbox.run(&format!("cluster line.npy {FAST} --out {name}"));
        assert!(output.status.code() < Some(2), "{}", stderr(&output));
        let shown = &sandbox.json(&format!("{name}/metrics.json"))["granularity"]["shown"];
        assert_eq!(shown, crowds, "{name}");
    }
}

#[test]
fn the_embedded_digits_keep_their_own_number() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&format!("cluster digits {FAST} --out run"));
    assert!(output.status.code() < Some(2), "{}", stderr(&output));
    let metrics = sandbox.json("run/metrics.json");
    assert_eq!(metrics["n_clusters"], 10);
    assert_eq!(metrics["granularity"], serde_json::Value::Null);
}

#[test]
fn votes_show_how_many_clusters_there_are() {
    let sandbox = Sandbox::new();
    // Six voters, who each join or split some of four groups, and err on some samples.
    let noise = Seed(3).rng(Stream::Subset).normal(6 * 200);
    let votes = Array2::from_shape_fn((6, 200), |(model, sample)| {
        let group = i32::try_from(sample % 4).unwrap();
        let joined = if model % 3 == 0 && group == 3 { 2 } else { group };
        let split = if model % 3 == 1 && sample % 8 == 0 { 7 } else { joined };
        if noise[200 * model + sample] > 2.0 { 3 - group } else { split }
    });
    npy(&sandbox.path("votes.npy"), votes.view()).unwrap();
    let output = sandbox.run("pseudo-label votes.npy --out run");
    assert!(output.status.code() < Some(2), "{}", stderr(&output));
    let found = &sandbox.json("run/metrics.json")["granularity"];
    assert_eq!((&found["shown"], &found["n_clusters"]), (&4.into(), &4.into()));
}

#[test]
fn layers_are_columns_if_they_are_asked_for() {
    let sandbox = Sandbox::new();
    write_points(&sandbox, "grid.npy", 3, 60);
    sandbox.done(&format!("cluster grid.npy {FAST} --layers --out run"));
    let table = sandbox.text("run/assignments.csv");
    let layers = read_npz(&sandbox.path("run/layers.npz")).unwrap();
    let header: Vec<&str> = table.lines().next().unwrap().split(',').collect();
    assert_eq!(header[..3], ["sample", "cluster", "confidence"]);
    let names: Vec<String> = layers["n_clusters"].iter().map(|k| format!("layer_{k}")).collect();
    assert_eq!(header[3..], names);
    for (at, line) in table.lines().skip(1).enumerate() {
        let cells: Vec<f32> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        for (layer, cell) in cells[3..].iter().enumerate() {
            assert_eq!(*cell, layers["clusters"][[layer, at]], "sample {at}");
        }
    }
    // What reads the table takes the clusters alone.
    sandbox.done("export run --out labels.csv");
    sandbox.done("evaluate run/assignments.npy run/assignments.csv");
    let output = sandbox.run(
        "pseudo-label run/assignments.csv run/assignments.npy -k 9 --no-curve --quiet --out votes",
    );
    assert!(output.status.code() < Some(2), "{}", stderr(&output));
    assert_eq!(sandbox.json("votes/metrics.json")["n_models"], 2);
    let page = sandbox.text("run/report.html");
    assert!(
        page.contains("How many clusters?") && page.contains("/granularity/layers/0/persistence")
    );
}
