//! Parquet, Arrow and JSON Lines, as pyarrow and pandas write them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, RecordBatch};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use common::{Folder, assert_says, assert_truth, data_error, gzip, load, rows};
use consilience_data::{Dataset, ReadOptions, read_dataset_with, read_labels};

const KINDS: [&str; 5] = ["a", "b", "a", "b", "a"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tables").join(name)
}

/// V[i, j] = i + j / 4.
fn vectors() -> Vec<Vec<f32>> {
    let value = |row: u8, column: u8| f32::from(row) + f32::from(column) / 4.0;
    (0..5).map(|row| (0..3).map(|column| value(row, column)).collect()).collect()
}

fn assert_ids_and_truth(dataset: &Dataset) {
    assert_eq!(dataset.ids.as_deref().unwrap(), ["s0", "s1", "s2", "s3", "s4"]);
    assert_truth(dataset.truth.as_ref().unwrap(), &KINDS);
}

#[test]
fn a_column_of_lists() {
    for name in ["list", "large", "fixed"] {
        for extension in ["parquet", "feather"] {
            let dataset = load(&fixture(&format!("{name}.{extension}")));
            assert_eq!(rows(&dataset), vectors(), "{name}.{extension}");
            assert_ids_and_truth(&dataset);
            let info = &dataset.parts[0];
            assert_eq!(
                (&info.shape[..], &info.left_aside[..]),
                (&[5, 3][..], &["column year".into()][..])
            );
            assert_eq!(info.features_from.as_deref(), Some("column v"));
        }
    }
}

#[test]
fn a_column_a_feature() {
    for name in ["pandas.parquet", "pandas.feather", "pandas.jsonl"] {
        let dataset = load(&fixture(name));
        let expected: Vec<Vec<f32>> = vectors()
            .into_iter()
            .zip(0_u8..)
            .map(|(row, i)| [&row[..], &[f32::from(i % 2), f32::from(i)]].concat())
            .collect();
        assert_eq!(rows(&dataset), expected, "{name}");
        assert_eq!(
            dataset.recipe.feature_names.as_deref().unwrap(),
            ["x0", "x1", "x2", "flag", "n"]
        );
        assert_ids_and_truth(&dataset);
        assert_truth(&read_labels(&[fixture(name)]).unwrap(), &KINDS);
    }
    assert_eq!(rows(&load(&fixture("stream.arrows"))), [[0.0], [1.0], [2.0], [3.0], [4.0]]);
}

#[test]
fn formats_are_known_by_their_first_bytes() {
    let folder = Folder::new();
    for name in ["list.parquet", "list.feather", "stream.arrows"] {
        let dataset = load(&folder.file("nothing_to_tell", std::fs::read(fixture(name)).unwrap()));
        assert_eq!(dataset.features.n_samples(), 5, "{name}");
    }
}

#[test]
fn tables_that_cannot_be_read() {
    let error = |name: &str| data_error(&fixture(name));
    assert_says(&error("ragged.parquet"), &["row 2 has a vector of 1 numbers", "have 2"]);
    assert_says(&error("null.parquet"), &["missing values in x (1)"]);
    assert_says(&error("null_in_list.parquet"), &["row 1, counted from 0", "column v"]);
    assert_says(&error("words.parquet"), &["words in word (", "--text-column"]);
    assert_says(&error("two.parquet"), &["several columns hold vectors: first, second; choose"]);
    let chosen = |options: ReadOptions| read_dataset_with(&[fixture("two.parquet")], &[], &options);
    let vector_column = Some("second".into());
    let dataset = chosen(ReadOptions { vector_column, ..ReadOptions::default() }).unwrap();
    assert_eq!(
        (rows(&dataset), dataset.parts[0].left_aside.join(",")),
        (vectors(), "column first".into())
    );
    let id_column = Some("first".into());
    let message = chosen(ReadOptions { id_column, ..ReadOptions::default() }).unwrap_err();
    assert_says(
        &message.to_string(),
        &["column first holds lists of numbers, which cannot be ids"],
    );
}

#[test]
fn damaged_tables_are_told_in_one_line() {
    let folder = Folder::new();
    for name in ["list.parquet", "list.feather", "stream.arrows"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        for len in (1..bytes.len()).step_by(bytes.len() / 40) {
            let name = format!("{len}-{name}");
            let path = folder.file(&name, &bytes[..len]);
            // A stream may end after any batch.
            if name.ends_with("arrows") {
                let _ = consilience_data::read_dataset(&[path], &[]);
            } else {
                assert_says(&data_error(&path), &[&name]);
            }
        }
        let packed = folder.file(&format!("x.{}", name.split('.').nth(1).unwrap()), gzip(&bytes));
        assert_says(&data_error(&packed), &["inside gzip", "unpacked"]);
    }
    assert_says(
        &data_error(&folder.file("x.parquet", "hello, world")),
        &["does not start like Parquet"],
    );
    assert_says(&data_error(&folder.file("y.parquet", "PAR1....")), &["no valid Parquet file"]);
    assert_says(&data_error(&folder.file("x.feather", "FEA1....")), &["version 1", "version 2"]);
}

#[test]
fn json_lines() {
    let folder = Folder::new();
    let text = "{\"embedding\": [1, 2.5], \"box\": [0, 0], \"id\": 7, \"label\": \"x\"}\n\n{\"id\": 8, \"label\": \"y\", \"embedding\": [3, 4], \"more\": null}\n";
    for path in [folder.file("a.jsonl", text), folder.file("a.ndjson.gz", gzip(text.as_bytes()))] {
        let dataset = load(&path);
        assert_eq!(rows(&dataset), [[1.0, 2.5], [3.0, 4.0]]);
        assert_eq!(dataset.ids.as_deref().unwrap(), ["7", "8"]);
        assert_truth(dataset.truth.as_ref().unwrap(), &["x", "y"]);
    }
    assert_eq!(rows(&load(&folder.file("b.jsonl", "[1, 2]\n[3, 4]\n"))), [[1.0, 2.0], [3.0, 4.0]]);
    let error = |text: &str| data_error(&folder.file("c.jsonl", text));
    assert_says(&error("{\"v\": [1, 2]}\n\n{\"v\": [1]}\n"), &["line 3 has a vector of 1 numbers"]);
    assert_says(
        &error("{\"v\": [1, 2]}\n{\"v\": [1, null]}\n"),
        &["line 2, counted from 1, has nothing in column v"],
    );
    assert_says(&error("{\"v\": [1, 2]}\n{\"w\": 1}\n"), &["line 2, field v"]);
    assert_says(&error("{\"a\": 1}\n{\"a\": \"1\"}\n"), &["line 2, field a: need a number"]);
    assert_says(&error("{\"a\": 1}\n{\"a\": \n"), &["line 2 is not JSON", "EOF", "column"]);
    assert_says(&error("{\"a\": {}}\n"), &["a holds an object"]);
    assert_says(&error("5\n"), &["line 1 is not JSON", "an object or a list"]);
    assert_says(&error("\n"), &["no samples"]);
}

/// A stream with one column of zeros, which are packed.
fn packed_stream(codec: CompressionType) -> Vec<u8> {
    let column: ArrayRef = Arc::new(Float32Array::from(vec![0.0; 1000]));
    let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
    let options = IpcWriteOptions::default().try_with_compression(Some(codec)).unwrap();
    let mut writer =
        StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn packed_buffers_that_claim_too_much_are_not_allocated() {
    let folder = Folder::new();
    let (lz4, zstd) = (0x184d_2204_u32.to_le_bytes(), 0xfd2f_b528_u32.to_le_bytes());
    let file = |name: &str| std::fs::read(fixture(name)).unwrap();
    for (name, good, magic) in [
        ("list.feather", file("list.feather"), lz4),
        ("pandas.feather", file("pandas.feather"), zstd),
        ("lz4.arrows", packed_stream(CompressionType::LZ4_FRAME), lz4),
        ("zstd.arrows", packed_stream(CompressionType::ZSTD), zstd),
    ] {
        assert!(load(&folder.file(name, &good)).features.n_samples() >= 5);
        let frames: Vec<usize> =
            (8..good.len() - 4).filter(|&start| good[start..start + 4] == magic).collect();
        assert!(!frames.is_empty(), "{name}");
        for frame in frames {
            // Of the eight bytes before a frame, any that makes it more than the packed ones can hold.
            for byte in frame - 6..frame {
                let mut bytes = good.clone();
                bytes[byte] = 0x7f;
                let message = data_error(&folder.file(&format!("{byte}-{name}"), bytes));
                assert_says(&message, &["claims to hold", "copy or download"]);
                assert_eq!(message.lines().count(), 1);
            }
        }
    }
}

#[test]
fn every_flipped_byte_is_noticed_or_harmless() {
    let folder = Folder::new();
    for name in [
        "list.parquet",
        "pandas.parquet",
        "list.feather",
        "fixed.feather",
        "pandas.feather",
        "stream.arrows",
    ] {
        let good = std::fs::read(fixture(name)).unwrap();
        for position in 0..good.len() {
            let mut bytes = good.clone();
            bytes[position] ^= [0x01, 0x80, 0xff][position % 3];
            let path = folder.file(&format!("{position}-{name}"), bytes);
            if let Err(error) = consilience_data::read_dataset(&[path], &[]) {
                assert_eq!(error.to_string().lines().count(), 1, "{error}");
            }
        }
    }
}

/// The library takes memory for what a footer claims before it looks for it.
#[test]
fn a_footer_that_is_longer_than_its_file() {
    let folder = Folder::new();
    let bytes = [&b"ARROW1\0\0\0\0\0\0"[..], &0x0a00_0001_i32.to_le_bytes(), b"ARROW1"].concat();
    let message = data_error(&folder.file("x.arrow", bytes));
    assert_says(&message, &["x.arrow", "its footer claims 167772161 bytes, and the file has 22"]);
}
