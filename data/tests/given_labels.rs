//! Labels to train on: read through the same door as others, with samples that have none.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::PathBuf;

use consilience_data::write::{npy, npz};
use consilience_data::{
    Dataset, GivenLabels, PairedBy, ReadOptions, read_dataset_with, read_given_labels,
};
use ndarray::{ArrayView1, array};
use tempfile::TempDir;

struct Files(TempDir);

impl Files {
    /// A table of five samples with ids.
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files
            .write("data.csv", "id,x,y,known\na,1,2,cat\nb,2,3,\nc,3,1,dog\nd,4,4,NA\ne,5,0,cat\n");
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    fn data(&self) -> Dataset {
        let options = ReadOptions { ignored_columns: vec!["known".into()], ..Default::default() };
        read_dataset_with(&[self.path("data.csv")], &[], &options).unwrap()
    }

    fn given(&self, content: &str) -> Result<(GivenLabels, PairedBy), String> {
        self.write("some.csv", content);
        self.read("some.csv")
    }

    fn read(&self, name: &str) -> Result<(GivenLabels, PairedBy), String> {
        let given = read_given_labels(&[self.path(name)], &ReadOptions::default(), &self.data());
        given.map_err(|error| error.to_string())
    }
}

fn of(given: &GivenLabels) -> Vec<Option<&str>> {
    let name = |class: &Option<consilience_data::ClusterId>| {
        class.map(|class| given.names()[class.index()].as_str())
    };
    given.classes().iter().map(name).collect()
}

#[test]
fn a_file_names_the_samples_that_have_a_label() {
    let files = Files::new();
    let (given, by) = files.given("id,label\nc,dog\na,cat\nd,\ne,-1\n").unwrap();
    assert_eq!(of(&given), [Some("cat"), None, Some("dog"), None, None]);
    assert_eq!((by, given.names()), (PairedBy::Ids, &["cat".to_owned(), "dog".to_owned()][..]));
    let (given, by) = files.given("sample,label\n4,7\n0,10\n1,NA\n").unwrap();
    assert_eq!(of(&given), [Some("10"), None, None, None, Some("7")]);
    assert_eq!((by, given.names()[0].as_str()), (PairedBy::Rows, "7"), "numbers in their order");
}

#[test]
fn a_column_of_the_data_may_have_them() {
    let files = Files::new();
    let data = files.data();
    assert_eq!(data.features.n_features(), 2);
    let options = ReadOptions { labels_column: Some("known".into()), ..Default::default() };
    let (given, by) = read_given_labels(&[files.path("data.csv")], &options, &data).unwrap();
    assert_eq!(of(&given), [Some("cat"), None, Some("dog"), None, Some("cat")]);
    assert_eq!(by, PairedBy::Ids);
}

#[test]
fn arrays_and_lines_are_in_the_order_of_samples() {
    let files = Files::new();
    npy(&files.path("some.npy"), array![3_i64, -1, -1, 0, -1].view()).unwrap();
    let (given, by) = files.read("some.npy").unwrap();
    assert_eq!(of(&given), [Some("3"), None, None, Some("0"), None]);
    assert_eq!(by, PairedBy::OrderAndIdsOfOne);
    files.write("some.txt", "label\nx\n\n\ny\n\n");
    assert_eq!(of(&files.read("some.txt").unwrap().0), [Some("x"), None, None, Some("y"), None]);
    let labels = [-1_i64, 1, -1, 2, -1];
    npz(&files.path("some.npz"), &[("label", ArrayView1::from(&labels).into())]).unwrap();
    assert_eq!(of(&files.read("some.npz").unwrap().0), [None, Some("1"), None, Some("2"), None]);
}

#[test]
fn what_cannot_be_is_refused_in_one_line() {
    let files = Files::new();
    for (content, words) in [
        ("id,label\na,\nb,-1\nc,NA\n", "no sample has a label"),
        ("id,label\na,cat\nz,dog\n", "'z' is not in data"),
        ("id,label\na,cat\nc,dog\na,dog\n", "'a' is there twice, as \"cat\" and as \"dog\""),
        ("sample,label\n0,cat\n9,dog\n", "'9' is not in data"),
        ("label\ncat\ndog\n", "2 labels for 5 samples"),
        ("id,colour,weight\na,1,2\n", "choose one by the name label in its header"),
    ] {
        let error = files.given(content).unwrap_err();
        assert!(error.contains(words) && error.lines().count() == 1, "{content:?}: {error}");
    }
    let (given, _) = files.given("id,label\na,cat\nc,dog\na,cat\n").unwrap();
    assert_eq!(given.n_labelled(), 2, "twice the same is no contradiction");
}
