//! The real benchmark files, where they are to be had.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::PathBuf;

use consilience_data::{Dataset, read_dataset};

/// Reads files of a folder of the benchmark data; `None`, said aloud, where they aren't there.
fn read(data: &[&str], labels: &[&str]) -> Option<Dataset> {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("CONSILIENCE_DATA").map_or(default, PathBuf::from);
    let paths =
        |names: &[&str]| -> Vec<PathBuf> { names.iter().map(|name| folder.join(name)).collect() };
    let (data, labels) = (paths(data), paths(labels));
    if let Some(missing) = data.iter().chain(&labels).find(|path| !path.is_file()) {
        // Past `eprintln!`, which the test runner keeps to itself where a test passes.
        let message = format!("SKIPPED: {} isn't there; set CONSILIENCE_DATA\n", missing.display());
        std::io::Write::write_all(&mut std::io::stderr(), message.as_bytes()).unwrap();
        return None;
    }
    Some(read_dataset(&data, &labels).unwrap_or_else(|error| panic!("{error}")))
}

fn class_counts(dataset: &Dataset) -> Vec<usize> {
    common::class_counts(dataset.truth.as_ref().unwrap())
}

#[test]
fn mnist() {
    let Some(dataset) = read(
        &["mnist/train-images-idx3-ubyte.gz", "mnist/t10k-images-idx3-ubyte.gz"],
        &["mnist/train-labels-idx1-ubyte.gz", "mnist/t10k-labels-idx1-ubyte.gz"],
    ) else {
        return;
    };
    assert_eq!(dataset.features.view().dim(), (70_000, 784));
    assert_eq!(dataset.parts[0].format, "IDX, gzip, uint8");
    assert_eq!(dataset.parts[1].shape, [10_000, 28, 28]);
    let largest = dataset.features.as_slice().iter().copied().fold(0.0, f32::max);
    assert_eq!(largest, 255.0);
    let counts = [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958];
    assert_eq!(class_counts(&dataset), counts);
}

#[test]
fn newsgroups() {
    let names = ["full", "stripped"];
    for name in names {
        let Some(dataset) = read(&[&format!("20newsgroups/20news-tfidf2000-{name}.npz")], &[])
        else {
            return;
        };
        assert_eq!(dataset.features.view().dim(), (18_846, 2000));
        let words = dataset.recipe.feature_names.as_ref().unwrap();
        assert!(words.len() == 2000 && words.is_sorted() && words.contains(&"space".into()));
        let values = dataset.features.as_slice().iter();
        let stored = if name == "full" { 1_127_548 } else { 622_664 };
        assert_eq!(values.filter(|&&value| value != 0.0).count(), stored);
        let length: f32 = dataset.features.row(0).iter().map(|value| value * value).sum();
        assert!((length - 1.0).abs() < 1e-4, "{length}");
        let counts = class_counts(&dataset);
        assert_eq!(counts.len(), 20);
        assert_eq!((counts.iter().min(), counts.iter().max()), (Some(&628), Some(&999)));
    }
    let Some(dataset) = read(&["20newsgroups/20news-minilm384.npz"], &[]) else {
        return;
    };
    assert_eq!(dataset.features.view().dim(), (18_221, 384));
    assert_eq!(dataset.parts[0].format, "NPZ, float16");
}

#[test]
fn optdigits() {
    let Some(dataset) = read(&["optdigits/optdigits.npz"], &[]) else {
        return;
    };
    assert_eq!(dataset.features.view().dim(), (5620, 64));
    // The embedded set is its end.
    let embedded = common::load(&PathBuf::from("digits"));
    assert_eq!(dataset.features.as_slice()[3823 * 64..], *embedded.features.as_slice());
}
