//! Ids of samples in the files of a run.
//!
//! A test file of its own: a child process of another test would hold the lock on an HDF5 file that is being written.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::File;

use consilience::run_folder::{self, Provenance};
use consilience::{Config, Metrics};
use consilience_data::{Features, Recipe};
use consilience_ensembles::MemberKind;
use ndarray::Array2;

/// A run of k-means on data whose samples are called something.
#[test]
fn runs_keep_the_ids_of_their_samples() {
    let points = Array2::from_shape_fn((12, 2), |(row, column)| {
        let group = if row % 2 == 0 { 5.0 } else { -5.0 };
        group + f32::from(u8::try_from(row * (column + 1)).unwrap()) / 8.0
    });
    let features = Features::new(points, "points").unwrap();
    let members = vec![MemberKind::KMeans; 3];
    let config = Config { members, candidates: 0, rounds: 1, ..Config::auto(&features, 2) };
    let config = config.check(&features, 1).unwrap();
    let outcome = consilience::run(&features, &config, &()).unwrap();
    let metrics = Metrics::of_run(&outcome, &config, 0.0, None).unwrap();
    let ids: Vec<String> = (0..12).map(|sample| format!("{}/{sample:03}.x", sample % 2)).collect();
    let provenance = Provenance { ids: Some(&ids), rows: None, recipe: &Recipe::default() };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let beside = (&provenance, run_folder::Beside::default());
    run_folder::write(folder, &outcome, &metrics, "", beside).unwrap();

    let labelled: Vec<&str> = outcome
        .answer
        .pseudo_labels
        .entries()
        .iter()
        .map(|entry| ids[entry.sample.index()].as_str())
        .collect();
    assert!(!labelled.is_empty());
    let mut archive =
        zip::ZipArchive::new(File::open(folder.join("pseudo_labels.npz")).unwrap()).unwrap();
    let mut member = Vec::new();
    std::io::copy(&mut archive.by_name("id.npy").unwrap(), &mut member).unwrap();
    let letters = &member[member.len() - labelled.len() * 7 * 4..];
    let letters: String = letters.chunks(4).map(|bytes| char::from(bytes[0])).collect();
    assert_eq!(letters, labelled.concat(), "all ids have seven characters");
    #[cfg(feature = "hdf5")]
    {
        let file = consilience_data::hdf5_file::Reader::open(&folder.join("run.h5")).unwrap();
        assert_eq!(file.texts("ids").unwrap(), ids);
        assert!(file.attribute("ids", "meaning").unwrap().contains("ids of the samples"));
    }
}
