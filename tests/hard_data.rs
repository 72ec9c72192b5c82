//! Data that are hard but legal end with a sensible answer, and a sentence about what was seen.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Sandbox, stderr, stdout};
use consilience_data::write::npy;
use consilience_data::{Seed, Stream};
use ndarray::{Array1, Array2};

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
