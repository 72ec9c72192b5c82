//! The most memory that reading takes, beside what is read.

#![cfg(feature = "parquet")]
#![allow(clippy::unwrap_used, clippy::cast_precision_loss, reason = "tests")]

mod common;

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, RecordBatch};
use common::Folder;
use consilience_data::write::npz;
use consilience_data::{FeaturesReader, Recipe, Seed, Stream, read_dataset};
use ndarray::{ArrayView1, aview1};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

#[global_allocator]
static PEAK: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// What `work` takes at most, in bytes.
fn peak<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let before = PEAK.current_usage();
    PEAK.reset_peak_usage();
    let done = work();
    (done, PEAK.peak_usage().saturating_sub(before) as f64)
}

/// All rows, and those of which the last chunk is.
fn streamed(path: &PathBuf) -> (usize, Vec<f32>) {
    let mut reader =
        FeaturesReader::open(std::slice::from_ref(path), &[], &Recipe::default()).unwrap();
    let (mut n_samples, mut last) = (0, Vec::new());
    while let Some(chunk) = reader.next_chunk().unwrap() {
        n_samples += chunk.features.n_samples();
        last = chunk.features.row(chunk.features.n_samples() - 1).to_vec();
    }
    (n_samples, last)
}

/// Columns whose values differ, so that dictionaries are as large as they are.
fn parquet(folder: &Folder, rows: usize, columns: usize, in_group: usize) -> PathBuf {
    let column = |column: usize| -> (String, ArrayRef) {
        let seed = Seed(u64::try_from(column).unwrap());
        let values = seed.rng(Stream::Subset).normal(rows);
        (format!("e{column}"), Arc::new(Float32Array::from(values)))
    };
    let batch = RecordBatch::try_from_iter((0..columns).map(column)).unwrap();
    let groups = WriterProperties::builder().set_max_row_group_row_count(Some(in_group)).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(groups)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    folder.file(&format!("x{in_group}.parquet"), bytes)
}

/// One test, as the memory is that of the process.
#[test]
fn peaks_are_bounded() {
    let folder = Folder::new();
    let (rows, columns) = (200_000, 100);
    let matrix = 4.0 * (rows * columns) as f64;
    for in_group in [rows, 90_000, 20_000] {
        let path = parquet(&folder, rows, columns, in_group);
        let (data, whole) = peak(|| read_dataset(std::slice::from_ref(&path), &[]).unwrap());
        let ((n_samples, last), in_chunks) = peak(|| streamed(&path));
        assert!(whole <= 1.35 * matrix, "{in_group}: {}", whole / matrix);
        assert!(in_chunks <= 2e8, "{in_group}: {in_chunks}");
        assert_eq!((data.features.n_samples(), n_samples), (rows, rows));
        assert_eq!(data.features.row(rows - 1), last);
        let first = Seed(99).rng(Stream::Subset).normal(rows);
        assert!((0..rows).all(|row| data.features.row(row)[99] == first[row]));
    }

    // Sparse: eight values a row, of 2,000.
    let rows = 100_000_usize;
    let starts: Vec<i64> = (0..=rows as i64).map(|row| 8 * row).collect();
    let columns: Vec<i32> =
        (0..8 * i32::try_from(rows).unwrap()).map(|entry| entry * 251 % 2000).collect();
    let (values, shape) = (vec![1.0_f32; columns.len()], [rows as i64, 2000]);
    let path = folder.file("sparse.npz", "");
    let members = [
        ("indptr", ArrayView1::from(&starts).into()),
        ("indices", ArrayView1::from(&columns).into()),
        ("data", ArrayView1::from(&values).into()),
        ("shape", aview1(&shape).into()),
    ];
    npz(&path, &members).unwrap();
    let ((n_samples, last), in_chunks) = peak(|| streamed(&path));
    assert_eq!((n_samples, last.iter().sum::<f32>()), (rows, 8.0));
    assert!(in_chunks <= 1.5e8, "of {} bytes when dense: {in_chunks}", 8000 * rows);
}
