//! Files made by hand, byte by byte, for tests.

#![allow(
    dead_code,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "shared by several test programs, each of which uses a part"
)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use consilience_data::{DataError, Dataset, Truth, VotesReader, read_dataset, read_labels};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

/// A folder of test files, deleted at the end.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// A `.npy` file, version 1.
pub fn npy(descr: &str, fortran: bool, shape: &[usize], body: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let lengths: String = shape.iter().map(|length| format!("{length},")).collect();
    let header =
        format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({lengths}), }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), body].concat()
}

pub fn npy_f32(shape: &[usize], values: &[f32]) -> Vec<u8> {
    npy(
        "<f4",
        false,
        shape,
        &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>(),
    )
}

pub fn npy_i64(shape: &[usize], values: &[i64]) -> Vec<u8> {
    npy(
        "<i8",
        false,
        shape,
        &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>(),
    )
}

/// A zip of `.npy` members.
pub fn npz(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A 2 x 3 CSR matrix, [[0, 5, 0], [7, 0, 6]], as scipy saves it.
pub fn csr(format: &str) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("data", npy_f32(&[3], &[5.0, 7.0, 6.0])),
        ("indices", npy_i64(&[3], &[1, 0, 2])),
        ("indptr", npy_i64(&[3], &[0, 1, 3])),
        ("shape", npy_i64(&[2], &[2, 3])),
        ("format", npy(&format!("|S{}", format.len()), false, &[], format.as_bytes())),
    ]
}

/// An IDX file.
pub fn idx(kind: u8, shape: &[u32], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, u8::try_from(shape.len()).unwrap()];
    bytes.extend(shape.iter().flat_map(|length| length.to_be_bytes()));
    bytes.extend(body);
    bytes
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn load(path: &Path) -> Dataset {
    read_dataset(&[path.into()], &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// The one-line error of reading data.
pub fn data_error(path: &Path) -> String {
    one_line(read_dataset(&[path.into()], &[]).unwrap_err().to_string())
}

/// The one-line error of reading labels.
pub fn label_error(path: &Path) -> String {
    one_line(read_labels(&[path.into()]).unwrap_err().to_string())
}

/// Clusters of each model, and the ids that they had.
pub type VotesFound = (Vec<Vec<u16>>, Vec<Vec<i64>>);

pub fn read_votes(path: &Path) -> Result<VotesFound, DataError> {
    let mut reader = VotesReader::open(&[path.into()])?;
    let chunk = reader.next_chunk()?.expect("at least one sample");
    assert!(reader.next_chunk()?.is_none());
    let rows = chunk.clusters.rows().into_iter().map(|row| row.to_vec()).collect();
    Ok((rows, reader.finish()?))
}

/// The one-line error of reading several files to the end.
pub fn votes_errors(paths: &[PathBuf]) -> String {
    one_line(VotesReader::open(paths).and_then(VotesReader::finish).unwrap_err().to_string())
}

fn one_line(message: String) -> String {
    assert!(!message.contains('\n'), "more than one line: {message}");
    message
}

/// Checks the classes sample by sample.
#[track_caller]
pub fn assert_truth(truth: &Truth, expected: &[&str]) {
    assert_same_truth(truth, &Truth::from_labels(expected).unwrap());
}

#[track_caller]
pub fn assert_same_truth(truth: &Truth, expected: &Truth) {
    assert_eq!(truth.names(), expected.names());
    assert_eq!(classes(truth), classes(expected));
}

/// The class of each sample.
#[allow(clippy::disallowed_methods, reason = "a test of what was read")]
pub fn classes(truth: &Truth) -> &[u32] {
    consilience_truth::classes(truth)
}

/// Number of samples in each class.
pub fn class_counts(truth: &Truth) -> Vec<usize> {
    let mut counts = vec![0; truth.n_classes()];
    classes(truth).iter().for_each(|&class| counts[class as usize] += 1);
    counts
}

pub fn rows(dataset: &Dataset) -> Vec<Vec<f32>> {
    dataset.features.view().rows().into_iter().map(|row| row.to_vec()).collect()
}

#[track_caller]
pub fn assert_says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "no {word:?} in: {message}");
    }
}
