//! Ordinary files of other tools that are easily taken for something else.

#![cfg(feature = "parquet")]
#![allow(clippy::cast_possible_truncation, clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Int32Builder, ListBuilder};
use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, DurationSecondArray, Float64Array, Int64Array,
    RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow_schema::Schema;
use common::{Folder, assert_says, data_error, load, rows};
use consilience_data::{ReadOptions, read_dataset_as, read_dataset_with};
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;

fn refused(path: &Path, parts: &[&str]) {
    assert_says(&data_error(path), parts);
}

fn parquet(
    folder: &Folder,
    columns: Vec<(&str, ArrayRef)>,
    metadata: Option<(&str, &str)>,
) -> PathBuf {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let metadata: HashMap<String, String> = metadata.into_iter().map(owned).collect();
    let schema = Schema::new(batch.schema().fields().clone());
    let batch = batch.with_schema(Arc::new(schema.with_metadata(metadata))).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    folder.file("x.parquet", bytes)
}

fn numbers() -> ArrayRef {
    Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]))
}

#[test]
fn cells_with_bars_between_them() {
    let folder = Folder::new();
    let data = load(&folder.file("x.csv", "a|b\n1|2\n3|4\n"));
    assert_eq!(rows(&data), [[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!(data.parts[0].delimiter, Some('|'));
    // Of texts some have none.
    let texts = load(&folder.file("x.txt", "pears|plums\napples\npears|apples|plums\n"));
    assert_eq!(texts.features.n_samples(), 3);
}

#[test]
fn words_with_their_vectors_are_no_texts() {
    let folder = Folder::new();
    let path = folder.file("glove.txt", "the 0.1 0.2 -3\nof 0.3 0.4 1e-2\n0 1 2 3\n");
    refused(&path, &["words in column 1", "--id-column"]);
    let options = ReadOptions { id_column: Some("1".into()), ..ReadOptions::default() };
    let data = read_dataset_with(&[path], &[], &options).unwrap();
    assert_eq!(data.ids.as_ref().unwrap(), &["the", "of", "0"]);
    assert_eq!(data.features.row(1), [0.3, 0.4, 0.01]);
    let texts = load(&folder.file("x.txt", "paid 3 4\nowed 5 6\nnobody paid\n"));
    assert_eq!(texts.features.n_samples(), 3);
}

#[test]
fn sparse_rows_of_text_are_refused_with_what_to_do() {
    let folder = Folder::new();
    for name in ["x.txt", "x.svm", "x.csv"] {
        let path = folder.file(name, "+1 1:0.5 7:2\n-1 3:1.5 # a comment\n");
        refused(&path, &["svmlight", "scipy.sparse.save_npz"]);
    }
}

#[test]
fn texts_without_blanks_are_said() {
    let folder = Folder::new();
    let data = load(&folder.file("x.txt", "我喜欢吃苹果和香蕉\n今天天气很好我们去公园\n"));
    assert_says(&data.parts[0].notes.join(" "), &["blanks between words", "jieba"]);
}

#[test]
fn a_table_in_one_json_object() {
    let folder = Folder::new();
    for text in [
        r#"{"a":{"0":1,"1":2},"b":{"0":3,"1":4}}"#,
        r#"{"columns":["a","b"],"index":[0,1],"data":[[1,2],[3,4]]}"#,
        r#"{"a":[1,2],"b":[3,4]}"#,
    ] {
        refused(&folder.file("x.json", text), &["one JSON object with all columns", "JSON Lines"]);
    }
    let one = load(&folder.file("x.json", r#"{"id":"p","embedding":[1,2]}"#));
    assert_eq!(rows(&one), [[1.0, 2.0]]);
}

#[test]
fn lists_in_lists_are_vectors() {
    let folder = Folder::new();
    let expected = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]];
    let lines = "{\"v\":[[1,2],[3,4]]}\n{\"v\":[[5,6],[7,8]]}\n";
    assert_eq!(rows(&load(&folder.file("x.jsonl", lines))), expected);
    for ragged in ["[[1],[2,3,4]]", "[[1,2,3],[4]]", "[[1,2,3,4]]", "[1,2,3,4]", "[[1,2],3]"] {
        let path = folder.file("y.jsonl", format!("{lines}{{\"v\":{ragged}}}\n"));
        refused(&path, &["line 3"]);
    }

    let mut lists = ListBuilder::new(FixedSizeListBuilder::new(Int32Builder::new(), 2));
    for first in [1, 5] {
        for number in 0..4 {
            lists.values().values().append_value(first + number);
            if number % 2 == 1 {
                lists.values().append(true);
            }
        }
        lists.append(true);
    }
    let path = parquet(&folder, vec![("v", Arc::new(lists.finish()))], None);
    assert_eq!(rows(&load(&path)), expected);

    let mut ragged = ListBuilder::new(ListBuilder::new(Int32Builder::new()));
    for lengths in [[2, 2], [1, 3]] {
        for length in lengths {
            ragged.values().append_value((0..length).map(Some));
        }
        ragged.append(true);
    }
    refused(&parquet(&folder, vec![("v", Arc::new(ragged.finish()))], None), &["row 1"]);
}

#[test]
fn columns_that_any_library_packs() {
    let folder = Folder::new();
    for packing in [
        Compression::BROTLI(BrotliLevel::default()),
        Compression::GZIP(GzipLevel::default()),
        Compression::LZ4_RAW,
        Compression::SNAPPY,
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        let batch = RecordBatch::try_from_iter([("a", numbers())]).unwrap();
        let packed = WriterProperties::builder().set_compression(packing).build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(packed)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        assert_eq!(rows(&load(&folder.file("x.parquet", bytes))), [[1.0], [2.0], [3.0]]);
    }
}

#[test]
fn decimals_are_numbers() {
    let folder = Folder::new();
    let values = [Some(150), None, Some(-7), Some(12_345_678_901_234_567_890)];
    let column = Decimal128Array::from(values.to_vec()).with_precision_and_scale(30, 2).unwrap();
    let path = parquet(&folder, vec![("price", Arc::new(column))], None);
    let options =
        ReadOptions { missing: consilience_data::Missing::Drop, ..ReadOptions::default() };
    let data = read_dataset_with(std::slice::from_ref(&path), &[], &options).unwrap();
    assert_eq!(rows(&data), [[1.5], [-0.07], [123_456_789_012_345_678.9_f64 as f32]]);
    refused(&path, &["missing values in price (1)"]);
    let options = ReadOptions { id_column: Some("price".into()), ..ReadOptions::default() };
    let column = Decimal128Array::from(vec![150, 2, 3]).with_precision_and_scale(9, 2).unwrap();
    let columns: Vec<(&str, ArrayRef)> = vec![("price", Arc::new(column)), ("a", numbers())];
    let data = read_dataset_with(&[parquet(&folder, columns, None)], &[], &options).unwrap();
    assert_eq!(data.ids.unwrap(), ["1.50", "0.02", "0.03"]);
}

#[test]
fn days_and_times_are_told_together() {
    let folder = Folder::new();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("a", numbers()),
        ("day", Arc::new(Date32Array::from(vec![0, 19_723, 19_724]))),
        ("time", Arc::new(TimestampMillisecondArray::from(vec![1_700_000_000_000; 3]))),
        ("took", Arc::new(DurationSecondArray::from(vec![1, 2, 3]))),
    ];
    let path = parquet(&folder, columns, None);
    refused(
        &path,
        &[
            "dates or times in day (such as \"1970-01-01\"), time (such as \"2023-11-14 22:13:20\"), took",
            "--ignore-column day,time,took",
        ],
    );
    let options = ReadOptions {
        id_column: Some("day".into()),
        ignored_columns: vec!["time".into(), "took".into()],
        ..ReadOptions::default()
    };
    let data = read_dataset_with(&[path], &[], &options).unwrap();
    assert_eq!(data.ids.unwrap(), ["1970-01-01", "2024-01-01", "2024-01-02"]);
}

#[test]
fn numbers_as_text_where_types_are_known() {
    let folder = Folder::new();
    let lines = "{\"a\":\"1.5\",\"b\":1}\n{\"a\":\"2\",\"b\":2}\n";
    let text: ArrayRef = Arc::new(StringArray::from(vec!["1.5", "2", "3"]));
    let columns = vec![("a", text), ("b", numbers())];
    for path in [folder.file("x.jsonl", lines), parquet(&folder, columns, None)] {
        refused(&path, &["a has numbers as text (\"1.5\")", "--ignore-column a"]);
    }
}

#[test]
fn several_columns_of_an_index_name_no_row_alone() {
    let folder = Folder::new();
    let number = |values: [i64; 3]| -> ArrayRef { Arc::new(Int64Array::from(values.to_vec())) };
    let columns = vec![("a", numbers()), ("g", number([0, 0, 1])), ("i", number([0, 1, 0]))];
    let pandas = Some(("pandas", r#"{"index_columns": ["g", "i"], "columns": []}"#));
    let data = load(&parquet(&folder, columns, pandas));
    assert_eq!((rows(&data), data.ids), (vec![vec![1.0], vec![2.0], vec![3.0]], None));
    assert_eq!(data.parts[0].left_aside, ["column g", "column i"]);
}

#[test]
fn what_is_told_of_words_is_one_line() {
    let folder = Folder::new();
    let text = "a,note\n1,\"two\nlines\"\n2,\"two\tcells\"\n";
    refused(&folder.file("x.csv", text), &["two cells, two lines"]);
}

#[test]
fn an_index_without_a_name_is_no_id_beside_one() {
    let folder = Folder::new();
    let number = |values: [i64; 3]| -> ArrayRef { Arc::new(Int64Array::from(values.to_vec())) };
    let index = ("__index_level_0__", number([2, 0, 1]));
    let pandas = Some(("pandas", r#"{"index_columns": ["__index_level_0__"], "columns": []}"#));
    let columns = vec![("a", numbers()), ("id", number([7, 8, 9])), index.clone()];
    assert_eq!(load(&parquet(&folder, columns, pandas)).ids.unwrap(), ["7", "8", "9"]);
    // Alone, it has the ids; and what another format makes of it, too.
    let run = load(&parquet(&folder, vec![("a", numbers()), index], pandas));
    assert_eq!(run.ids.unwrap(), ["2", "0", "1"]);
    let text = folder.file("x.csv", ",id,a\n5,7,1\n3,8,2\n");
    assert_eq!(read_dataset_as(&[text], &[], &run.recipe).unwrap().ids.unwrap(), ["5", "3"]);
    // An index with a name is better than other names of ids, but not than `id`.
    let pandas = Some(("pandas", r#"{"index_columns": ["barcode"], "columns": []}"#));
    let named = ("barcode", number([2, 0, 1]));
    let columns = vec![("a", numbers()), ("uuid", number([7, 8, 9])), named.clone()];
    assert_eq!(load(&parquet(&folder, columns, pandas)).ids.unwrap(), ["2", "0", "1"]);
    let columns = vec![("a", numbers()), ("id", number([7, 8, 9])), named];
    assert_eq!(load(&parquet(&folder, columns, pandas)).ids.unwrap(), ["7", "8", "9"]);
}

#[test]
fn lists_are_in_the_column_that_other_files_have_them_in() {
    let folder = Folder::new();
    let run = load(&folder.file("run.jsonl", "{\"emb\":[1,2]}\n{\"emb\":[3,4]}\n"));
    assert_eq!(run.recipe.vector_column.as_deref(), Some("emb"));
    let again = |text: &str| read_dataset_as(&[folder.file("x.jsonl", text)], &[], &run.recipe);
    let beside = "{\"embedding\":[9,9],\"emb\":[1,2]}\n{\"embedding\":[9,9],\"emb\":[3,4]}\n";
    assert_eq!(rows(&again(beside).unwrap()), [[1.0, 2.0], [3.0, 4.0]]);
    let other = again("{\"other\":[1,2]}\n{\"other\":[3,4]}\n").unwrap_err().to_string();
    assert_says(&other, &["x.jsonl: no column emb", "it has other"]);
}
