//! What the documentation says to do with exported labels, done.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "../examples/train_on_export.rs"]
#[allow(dead_code, reason = "its main takes the command line")]
mod train_on_export;

use std::path::PathBuf;

use common::Sandbox;
use consilience_data::{read_dataset, read_integers};
use linfa::traits::Predict;

/// Ten labels, one for each digit, teach a classifier of linfa's most of the others.
#[test]
fn linfa_learns_from_what_is_exported() {
    let sandbox = Sandbox::new();
    let labels: String = (0..10).map(|digit| format!("{digit},{digit}\n")).collect();
    sandbox.file("some.csv", format!("sample,label\n{labels}"));
    sandbox.done("train digits --labels-partial some.csv --method propagation --quiet --out run");
    sandbox.done("export run --weights --out weighted.csv");
    let digits = read_dataset(&[PathBuf::from("digits")], &[]).unwrap();
    let (classifier, n_taught) =
        train_on_export::fit(&digits.features, &sandbox.path("weighted.csv")).unwrap();
    assert!((900..1797).contains(&n_taught), "{n_taught}");
    let found = classifier.predict(&train_on_export::scaled(&digits.features));
    let run = read_integers(&sandbox.path("run/assignments.npy")).unwrap();
    let same = found.iter().zip(&run).filter(|&(&a, &b)| i64::try_from(a).unwrap() == b).count();
    assert!(same > 1600, "{same} as the run says");
    // The first digits are 0 to 9, in order, and were given.
    let first: Vec<usize> = found.iter().take(10).copied().collect();
    let right = first.iter().enumerate().filter(|&(digit, &found)| digit == found).count();
    assert!(right >= 9, "{first:?}");
}
