//! The most memory that reading takes, beside what is read.

#![cfg(feature = "parquet")]
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod common;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Float64Array, Int64Array, RecordBatch};
use common::Folder;
use consilience_data::write::{Member, npz};
use consilience_data::{
    DataHash, Dataset, Features, FeaturesReader, ReadOptions, Recipe, Seed, Stream, read_dataset,
    read_dataset_with,
};
use flate2::Compression;
use flate2::write::GzEncoder;
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
fn streamed(path: &PathBuf, recipe: &Recipe) -> (usize, Vec<f32>) {
    let mut reader = FeaturesReader::open(std::slice::from_ref(path), &[], recipe).unwrap();
    let (mut n_samples, mut last) = (0, Vec::new());
    while let Some(chunk) = reader.next_chunk().unwrap() {
        n_samples += chunk.features.n_samples();
        last = chunk.features.row(chunk.features.n_samples() - 1).to_vec();
    }
    (n_samples, last)
}

fn parquet(
    folder: &Folder,
    columns: &[Vec<f32>],
    in_group: usize,
    array: fn(&[f32]) -> ArrayRef,
) -> PathBuf {
    let columns = columns.iter().zip(0..);
    let columns = columns.map(|(values, column)| (format!("e{column}"), array(values)));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let groups = WriterProperties::builder().set_max_row_group_row_count(Some(in_group)).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(groups)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    folder.file(&format!("x{in_group}.parquet"), bytes)
}

/// Rows whose first value counts up to 250.
fn is_counted(features: &Features) -> bool {
    let expected = |row: usize| (row % 251) as f32;
    (0..features.n_samples()).all(|row| features.row(row)[0] == expected(row))
}

/// What a column is called by its type, rows of a group, and how it is made.
type Column = (&'static str, &'static [usize], fn(&[f32]) -> ArrayRef);

/// One test, as the memory is that of the process.
#[test]
fn peaks_are_bounded() {
    const ROWS: usize = 200_000;
    let folder = Folder::new();
    let (rows, columns) = (ROWS, 100);
    let matrix = 4.0 * (rows * columns) as f64;
    let whole = |path: &PathBuf, what: &str| {
        let (data, whole) = peak(|| read_dataset(std::slice::from_ref(path), &[]).unwrap());
        assert_eq!(data.features.n_samples(), rows, "{what}");
        assert!(whole <= 1.3 * matrix, "{what}: {}", whole / matrix);
        data
    };
    // All differ, so that dictionaries are as large as they are.
    let column = |column| Seed(column).rng(Stream::Subset).normal(rows);
    let all: Vec<Vec<f32>> = (0..columns as u64).map(column).collect();
    let last = &all[columns - 1];
    let types: [Column; 4] = [
        ("f32", &[ROWS, 90_000, 20_000], |values| Arc::new(Float32Array::from(values.to_vec()))),
        ("f64", &[ROWS, 90_000, 20_000], |values| {
            Arc::new(values.iter().copied().map(f64::from).collect::<Float64Array>())
        }),
        ("times", &[ROWS], |values| {
            let time = |value: &f32| 1.7e12 + f64::from(value * 1e4).trunc();
            Arc::new(values.iter().map(time).collect::<Float64Array>())
        }),
        ("i64", &[ROWS], |values| {
            let whole = values.iter().map(|value| (value * 1e4) as i64);
            Arc::new(whole.collect::<Int64Array>())
        }),
    ];
    for (name, groups, array) in types {
        for &in_group in groups {
            let path = parquet(&folder, &all, in_group, array);
            let what = format!("{name}, groups of {in_group}");
            let Dataset { features, recipe, .. } = whole(&path, &what);
            let ((n_samples, row), in_chunks) = peak(|| streamed(&path, &recipe));
            assert!(in_chunks <= 2e8, "{what}: {in_chunks}");
            assert_eq!((n_samples, features.row(rows - 1)), (rows, &row[..]));
            // Of times the first is taken off, before they are rounded.
            let expected = |row: usize| match name {
                "times" => (last[row] * 1e4).trunc() - (last[0] * 1e4).trunc(),
                "i64" => (last[row] * 1e4).trunc(),
                _ => last[row],
            };
            assert!((0..rows).all(|row| features.row(row)[columns - 1] == expected(row)), "{what}");
        }
    }
    drop(all);

    // Arrays.
    let shape = (rows, columns);
    let count = |(row, column): (usize, usize)| ((row + column) % 251) as u8;
    let path = folder.file("x-ubyte.gz", "");
    let mut packed = GzEncoder::new(File::create(&path).unwrap(), Compression::fast());
    let sides = [rows, columns].map(|side| u32::try_from(side).unwrap().to_be_bytes());
    packed.write_all(&[0, 0, 8, 2]).unwrap();
    packed.write_all(sides.as_flattened()).unwrap();
    let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    packed.write_all(&places.map(count).collect::<Vec<u8>>()).unwrap();
    packed.finish().unwrap();
    assert!(is_counted(&whole(&path, "IDX.gz").features));
    for (descr, fortran) in [("f4", false), ("f8", false), ("f4", true), ("f8", true), ("i8", true)]
    {
        let order = if fortran { "True" } else { "False" };
        let mut bytes = format!(
            "\x01\x00v\x00{:<117}\n",
            format!("{{'descr': '<{descr}', 'fortran_order': {order}, 'shape': {shape:?}, }}")
        )
        .into_bytes();
        bytes.splice(0..0, *b"\x93NUMPY");
        let mut write = |place| match (count(place), descr) {
            (value, "f4") => bytes.extend(f32::from(value).to_le_bytes()),
            (value, "f8") => bytes.extend(f64::from(value).to_le_bytes()),
            (value, _) => bytes.extend(i64::from(value).to_le_bytes()),
        };
        match fortran {
            true => (0..rows * columns).for_each(|at| write((at % rows, at / rows))),
            false => (0..rows * columns).for_each(|at| write((at / columns, at % columns))),
        }
        let features =
            whole(&folder.file("x.npy", bytes), &format!("NPY, {descr}, {order}")).features;
        assert!(is_counted(&features), "{descr}, {order}");
        assert_eq!(features.row(3)[99], 102.0);
    }

    // Text.
    let mut text = Vec::new();
    for row in 0..rows {
        for column in 0..columns {
            let end = if column + 1 == columns { '\n' } else { ',' };
            write!(text, "{}.0{end}", count((row, column))).unwrap();
        }
    }
    assert!(is_counted(&whole(&folder.file("x.csv", text), "CSV").features));

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
    let ((n_samples, last), in_chunks) = peak(|| streamed(&path, &Recipe::default()));
    assert_eq!((n_samples, last.iter().sum::<f32>()), (rows, 8.0));
    assert!(in_chunks <= 1.5e8, "of {} bytes when dense: {in_chunks}", 8000 * rows);

    // Large and sparse, in columns and in 64 bits: 1.2 GB when dense.
    let (rows, columns) = (3000_usize, 100_000_usize);
    let starts: Vec<i64> = (0..=columns as i64).map(|column| 3 * column).collect();
    let places: Vec<i32> = (0..3 * columns as i32).map(|entry| entry * 7 % rows as i32).collect();
    let values: Vec<f64> = (0..3 * columns).map(|entry| (entry % 1000) as f64 / 7.0).collect();
    let shape = [rows as i64, columns as i64];
    let path = folder.file("wide.npz", "");
    let members = [
        ("indptr", ArrayView1::from(&starts).into()),
        ("indices", ArrayView1::from(&places).into()),
        ("data", ArrayView1::from(&values).into()),
        ("format", Member::Texts(vec!["csc"])),
        ("shape", aview1(&shape).into()),
    ];
    npz(&path, &members).unwrap();
    let options = ReadOptions { keep_sparse: true, ..ReadOptions::default() };
    let paths = [path.clone()];
    let (data, sparse) = peak(|| read_dataset_with(&paths, &[], &options).unwrap());
    assert!(sparse <= 6e7, "of {} bytes when dense: {sparse}", 4 * rows * columns);
    let (features, recipe) = (data.features, data.recipe);
    assert!(features.as_sparse().is_some());
    assert_eq!(features.dense_row(35)[1], 5.0 / 7.0);
    // Dense, a chunk at a time: the same numbers, and so the same hash; and chunks that are sparse, too.
    for keep_sparse in [false, true] {
        let mut recipe = recipe.clone();
        recipe.options.keep_sparse = keep_sparse;
        let (hash, in_chunks) = peak(|| {
            let mut reader = FeaturesReader::open(&paths, &[], &recipe).unwrap();
            while let Some(chunk) = reader.next_chunk().unwrap() {
                assert_eq!(chunk.features.as_sparse().is_some(), keep_sparse);
            }
            reader.data_hash()
        });
        assert_eq!(hash, DataHash::of(&features));
        assert!(in_chunks <= if keep_sparse { 9e7 } else { 6e8 }, "{keep_sparse}: {in_chunks}");
    }
    // Columns take memory, too, however few values are in them: what only claims to be large is refused.
    let shape = [2_i64, 4_000_000_000];
    let path = folder.file("claims.npz", "");
    let members = [
        ("indptr", aview1(&[0_i64, 1, 1]).into()),
        ("indices", aview1(&[3_i64]).into()),
        ("data", aview1(&[1.0_f32]).into()),
        ("shape", aview1(&shape).into()),
    ];
    npz(&path, &members).unwrap();
    let (refused, taken) = peak(|| read_dataset_with(&[path], &[], &options).unwrap_err());
    assert!(refused.to_string().contains("do not fit in memory") && taken < 1e7, "{refused}");
    // Nobody who doesn't ask for it gets sparse rows.
    assert!(read_dataset(&paths, &[]).unwrap().features.as_sparse().is_none());
}
