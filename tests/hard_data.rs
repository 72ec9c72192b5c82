//! Data that are hard but legal end with a sensible answer, and a sentence about what was seen.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Sandbox, stderr, stdout};
use consilience_data::write::npy;
use consilience_data::{Missing, ReadOptions, Seed, Stream, read_dataset_with};
use consilience_ensembles::FarCells;
use consilience_testing::benchmark_files;
use ndarray::{Array1, Array2, s};

const WIDTH: usize = 10;
const K: usize = 6;

/// Six crowds, well apart, and which of them each of `kinds` is of.
fn crowds(kinds: &[i32]) -> Array2<f32> {
    let mut rng = Seed(11).rng(Stream::Subset);
    let (centres, noise) = (rng.normal(K * WIDTH), rng.normal(kinds.len() * WIDTH));
    Array2::from_shape_fn((kinds.len(), WIDTH), |(row, column)| {
        let centre = usize::try_from(kinds[row]).unwrap() * WIDTH + column;
        8.0 * centres[centre] + noise[row * WIDTH + column]
    })
}

fn equal() -> Vec<i32> {
    (0..600).map(|row| row % 6).collect()
}

/// Clusters values without networks; the adjusted Rand index, and what the program printed.
fn clustered(values: &Array2<f32>, kinds: &[i32], more: &str) -> (f64, String) {
    let sandbox = Sandbox::new();
    npy(&sandbox.path("x.npy"), values.view()).unwrap();
    npy(&sandbox.path("y.npy"), Array1::from(kinds.to_vec()).view()).unwrap();
    let line = format!("cluster x.npy --labels y.npy --effort quick --out run {more}");
    let output = sandbox.command(&line).output().unwrap();
    let printed = format!("{}{}", stdout(&output), stderr(&output));
    assert!(matches!(output.status.code(), Some(0 | 1)), "{printed}");
    (sandbox.json("run/metrics.json")["ari"].as_f64().unwrap(), printed)
}

#[test]
fn a_row_that_hides_all_others_is_pulled_in_and_said() {
    let kinds = equal();
    let mut values = crowds(&kinds);
    values.row_mut(5).mapv_inplace(|value| value * 1e6);
    let (ari, printed) = clustered(&values, &kinds, "-k 6");
    assert!(ari > 0.97, "{ari}: {printed}");
    assert!(printed.contains("sample 5 is so far from all others"), "{printed}");
}

#[test]
fn numbers_near_the_smallest_are_clustered_as_others_are() {
    let kinds = equal();
    let values = crowds(&kinds).mapv(|value| value * 1e-42);
    let (ari, printed) = clustered(&values, &kinds, "-k 6");
    assert!(ari > 0.97, "{ari}: {printed}");
}

/// Networks, and coherence of communities over granularities, expect like sizes; branches don't.
#[test]
fn a_crowd_of_nineteen_in_twenty_stays_whole() {
    let kinds: Vec<i32> =
        (0..2000).map(|row| if row % 20 == 0 { 1 + row / 20 % 5 } else { 0 }).collect();
    let (ari, printed) = clustered(&crowds(&kinds), &kinds, "-k 6");
    assert!(ari > 0.95, "{ari}: {printed}");
}

#[test]
fn duplicates_are_one_kind_each() {
    let kinds = equal();
    let one_each = crowds(&[0, 1, 2, 3, 4, 5]);
    let values = Array2::from_shape_fn((600, WIDTH), |(row, column)| one_each[[row % 6, column]]);
    let (ari, printed) = clustered(&values, &kinds, "-k 6");
    assert!(ari > 0.99, "{ari}: {printed}");
}

/// With thirty clusters every crowd may be split, but none mixed with another.
#[test]
fn with_too_many_clusters_none_is_mixed() {
    let kinds = equal();
    let sandbox = Sandbox::new();
    npy(&sandbox.path("x.npy"), crowds(&kinds).view()).unwrap();
    npy(&sandbox.path("y.npy"), Array1::from(kinds).view()).unwrap();
    let line = "cluster x.npy --labels y.npy --effort quick --out run -k 30 --quiet";
    let output = sandbox.command(line).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", stderr(&output));
    let purity = sandbox.json("run/metrics.json")["scores"]["purity"].as_f64().unwrap();
    assert!(purity > 0.97, "{purity}");
}

#[test]
fn two_samples_are_two_clusters() {
    let (ari, printed) = clustered(&crowds(&[0, 1]), &[0, 1], "-k 2");
    assert!(ari > 0.99, "{ari}: {printed}");
}

/// In a table of ten columns, one cell is -9999 and one is a typo: the others of their columns would be alike.
#[test]
fn spoilt_cells_are_named_with_what_helps() {
    let kinds = equal();
    let mut values = crowds(&kinds);
    (values[[17, 2]], values[[40, 2]], values[[99, 7]]) = (-9999.0, -9999.0, 1e6);
    let sandbox = Sandbox::new();
    sandbox.file("x.csv", table(&names(), &values));
    let spoilt = [
        "column width_c: 2 of 600 values are far from all others (-9999; the first in sample 17)",
        "if missing: --missing-value -9999 --missing mean (or drop); if wrong: mend them; or --ignore-column width_c",
        "column width_h: 1 of 600 values is far from all others (1000000; in sample 99)",
    ];
    let output = sandbox.run("cluster x.csv -k 6 --effort quick --out run");
    let (info, printed) = (sandbox.done("data info x.csv"), stderr(&output));
    for part in spoilt {
        assert!(info.contains(part), "no {part:?} in {info}");
        assert!(printed.contains(part), "no {part:?} in {printed}");
    }
    // With what was advised, nothing is left to say.
    let missing = "--missing-value -9999,1000000 --missing mean";
    let info = sandbox.done(&format!("data info x.csv {missing}"));
    assert!(!info.contains("far from"), "{info}");
    let again = sandbox.run(&format!("cluster x.csv -k 6 --effort quick --out b {missing}"));
    let printed = stderr(&again);
    assert!(
        printed
            .contains("missing values replaced by their feature's mean: width_c (2), width_h (1)"),
        "{printed}"
    );
    let recipe = sandbox.json("b/recipe.json");
    assert_eq!(recipe["options"]["missing_values"], serde_json::json!([-9999.0, 1e6]));
}

/// What is advised can be pasted into a shell.
#[test]
fn spoilt_columns_are_advised_as_options_take_them() {
    let mut values = crowds(&equal());
    (values[[17, 0]], values[[40, 1]], values[[99, 2]]) = (-9999.0, -9999.0, -9999.0);
    let mut names = names();
    names[0] = "width mm".into();
    names[1] = "\"w,mm\"".into();
    let sandbox = Sandbox::new();
    sandbox.file("x.csv", table(&names, &values));
    let info = sandbox.done("data info x.csv");
    for (column, option) in [("width mm", "'width mm'"), ("w,mm", "2"), ("width_c", "width_c")] {
        let line = info.lines().find(|line| line.contains(&format!("column {column}: ")));
        let line = line.unwrap_or_else(|| panic!("no {column} in {info}"));
        assert!(line.ends_with(&format!("--ignore-column {option}")), "{line}");
    }
    let info = sandbox.done("data info x.csv --ignore-column 2,width_c");
    assert!(!info.contains("column w,mm: ") && !info.contains("column width_c: "), "{info}");
}

#[test]
fn rows_of_their_own_kind_are_named_with_what_helps() {
    let mut values = crowds(&equal());
    values.row_mut(5).fill(-9999.0);
    (0..WIDTH).zip(1_u16..).for_each(|(column, n)| values[[9, column]] = 1e6 * f32::from(n));
    let sandbox = Sandbox::new();
    sandbox.file("x.csv", table(&names(), &values));
    let info = sandbox.done("data info x.csv");
    for part in [
        "sample 5 is far from all others in 10 columns: -9999 in each; if missing: --missing-value -9999 --missing drop",
        "sample 9 is far from all others in 10 columns: mend or delete that row",
    ] {
        assert!(info.contains(part), "no {part:?} in {info}");
    }
    assert!(!info.contains("1 of 600 values"), "{info}");
}

/// Two wrong values in a row of two columns are two wrong values.
#[test]
fn two_columns_may_be_spoilt_in_one_row() {
    let values = crowds(&equal());
    let mut values = values.slice(s![.., ..2]).to_owned();
    values.row_mut(7).fill(-9999.0);
    let sandbox = Sandbox::new();
    sandbox.file("x.csv", table(&names()[..2], &values));
    let info = sandbox.done("data info x.csv");
    for column in ["width_a", "width_b"] {
        let part = format!("column {column}: 1 of 600 values is far from all others (-9999;");
        assert!(info.contains(&part), "no {part:?} in {info}");
    }
    assert!(!info.contains("sample 7 is far"), "{info}");
}

#[test]
fn one_more_column_is_one() {
    let mut values = crowds(&equal());
    // One more than are told.
    (0..9).for_each(|column| values[[20 * column, column]] = -9999.0);
    let sandbox = Sandbox::new();
    sandbox.file("x.csv", table(&names(), &values));
    let info = sandbox.done("data info x.csv");
    assert!(info.contains("1 more column") && !info.contains("1 more columns"), "{info}");
}

/// Pixels, counts, measurements and embeddings, whatever they would be prepared as.
#[test]
fn real_data_are_not_spoilt() {
    let names = [
        "optdigits/optdigits.npz",
        "mnist/t10k-images-idx3-ubyte.gz",
        "20newsgroups/20news-minilm384.npz",
        "more/coil20.npz",
        "more/satimage.npz",
        "more/penguins.csv",
    ];
    let Some(paths) = benchmark_files(&names) else { return };
    for path in paths.into_iter().chain(["digits".into()]) {
        let is_table = path.extension().is_some_and(|extension| extension == "csv");
        let words = ["species", "island", "sex"].into_iter().filter(|_| is_table);
        let ignored_columns = words.map(String::from).collect();
        let missing = Missing::Mean;
        let options = ReadOptions { missing, ignored_columns, ..ReadOptions::default() };
        let data = read_dataset_with(&[path], &[], &options).unwrap();
        assert_eq!(FarCells::of(&data.features), [], "{}", data.name);
    }
}

fn names() -> Vec<String> {
    (0..WIDTH).map(|column| format!("width_{}", letter(column))).collect()
}

/// A text table of these columns.
fn table(names: &[String], values: &Array2<f32>) -> String {
    let mut csv = names.join(",");
    for row in values.rows() {
        let cells: Vec<String> = row.iter().map(ToString::to_string).collect();
        csv += &format!("\n{}", cells.join(","));
    }
    csv
}

fn letter(column: usize) -> char {
    char::from(b'a' + u8::try_from(column).unwrap())
}
