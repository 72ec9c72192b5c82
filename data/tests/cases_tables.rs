//! Tables as people have them: each test is a kind of file that once went wrong without a word, or was refused without help.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Float64Array, Int64Array, RecordBatch};
use arrow_schema::{Field, Schema};
use common::{Folder, assert_says, assert_truth, data_error, load, rows};
use consilience_data::{
    Dataset, FeaturesReader, Missing, ReadOptions, Role, read_dataset_as, read_dataset_with,
    read_labels,
};
use parquet::arrow::ArrowWriter;

fn with(path: &PathBuf, options: ReadOptions) -> Dataset {
    read_dataset_with(std::slice::from_ref(path), &[], &options).unwrap()
}

fn error(path: &PathBuf, options: ReadOptions) -> String {
    let message = read_dataset_with(std::slice::from_ref(path), &[], &options).unwrap_err();
    let message = message.to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

fn said(change: impl FnOnce(&mut ReadOptions)) -> ReadOptions {
    let mut options = ReadOptions::default();
    change(&mut options);
    options
}

fn ignoring(name: &str) -> ReadOptions {
    said(|options| options.ignored_columns = vec![name.into()])
}

fn names(dataset: &Dataset) -> Vec<&str> {
    dataset.recipe.feature_names.iter().flatten().map(String::as_str).collect()
}

fn windows_1252(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect()
}

fn parquet(folder: &Folder, name: &str, schema: Schema, columns: Vec<ArrayRef>) -> PathBuf {
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    folder.file(name, bytes)
}

#[test]
fn w1_an_inch_mark_opens_no_cell() {
    let folder = Folder::new();
    let text = "x,y,note\n1,2,cup\n3,4,12\" plate\n5,6,pan\n7,8,\"pot, \"\"big\"\"\"\n9,10,jug\n";
    let path = folder.file("w1.csv", text);
    assert_eq!(with(&path, ignoring("note")).features.n_samples(), 5);
    let dataset = with(&path, said(|options| options.id_column = Some("note".into())));
    assert_eq!(dataset.ids.unwrap()[1..4], ["12\" plate", "pan", "pot, \"big\""]);
    let tabs = folder.file("w1.tsv", text.replace(',', "\t"));
    assert_eq!(with(&tabs, ignoring("note")).features.n_samples(), 5);
}

#[test]
fn w2_columns_of_one_name_are_told_apart_by_their_numbers() {
    let folder = Folder::new();
    let path = folder.file("w2.csv", "v,v\n5,0\n5,1\n5,9\n");
    let dataset = load(&path);
    assert_eq!(names(&dataset), ["v", "v (column 2)"]);
    assert_eq!(rows(&dataset), [[5.0, 0.0], [5.0, 1.0], [5.0, 9.0]]);
    let again = read_dataset_as(std::slice::from_ref(&path), &[], &dataset.recipe).unwrap();
    assert_eq!(rows(&again), rows(&dataset));
    let mut reader =
        FeaturesReader::open(std::slice::from_ref(&path), &[], &dataset.recipe).unwrap();
    assert_eq!(reader.next_chunk().unwrap().unwrap().features, dataset.features);
    assert_says(&error(&path, ignoring("v")), &["v is the name of columns 1 and 2", "number"]);
    assert_eq!(rows(&with(&path, ignoring("2"))), [[5.0], [5.0], [5.0]]);
}

#[test]
fn w3_u14_other_encodings_are_recognised_and_said() {
    let folder = Folder::new();
    let text = "x,y,label\n1,2,Käse\n3,4,Kühe\n5,6,Käse\n7,8,Kühe\n";
    let path = folder.file("w3.csv", windows_1252(text));
    let dataset = load(&path);
    assert_truth(dataset.truth.as_ref().unwrap(), &["Käse", "Kühe", "Käse", "Kühe"]);
    assert_eq!(dataset.parts[0].encoding.as_deref(), Some("windows-1252"));
    assert_says(&dataset.parts[0].notes.join("; "), &["windows-1252", "--encoding"]);
    let labels = read_labels(&[folder.file("w3.txt", windows_1252("Käse\nKühe\nKäse\nKühe\n"))]);
    assert_eq!(labels.unwrap().names(), ["Käse", "Kühe"]);
    let texts = windows_1252("thé vert\ncrème brûlée\nthé noir\n");
    let dataset = load(&folder.file("u14.txt", texts));
    assert_eq!(names(&dataset), ["brûlée", "crème", "noir", "thé", "vert"]);
    // UTF-16 by its mark; another one because somebody says so.
    let utf16: Vec<u8> =
        format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let dataset = load(&folder.file("utf16.csv", utf16));
    assert_truth(dataset.truth.as_ref().unwrap(), &["Käse", "Kühe", "Käse", "Kühe"]);
    let as_greek = with(&path, said(|options| options.encoding = Some("windows-1253".into())));
    assert_ne!(as_greek.truth.unwrap().names(), ["Käse", "Kühe"]);
    let unknown = said(|options| options.encoding = Some("klingon".into()));
    assert_says(&error(&path, unknown), &["no encoding is called \"klingon\""]);
}

#[test]
fn mixed_encodings_are_refused_with_the_line() {
    let folder = Folder::new();
    let mut bytes = b"id,x\n".to_vec();
    (0..200_000).for_each(|row| bytes.extend(format!("s{row},1\n").into_bytes()));
    bytes.extend(windows_1252("Käse,2\n"));
    let message = data_error(&folder.file("mixed.csv", bytes));
    assert_says(&message, &["mixed.csv: line 200002 is not UTF-8", "--encoding"]);
}

#[test]
fn w5_a_first_line_that_counts_is_a_header_and_a_person_decides() {
    let folder = Folder::new();
    let path = folder.file("w5.csv", "0,1\n5.5,2.5\n1.5,3.5\n");
    let dataset = load(&path);
    assert_eq!((names(&dataset), dataset.features.n_samples()), (vec!["0", "1"], 2));
    assert_says(&dataset.parts[0].notes.join("; "), &["counts up from 0", "--header no"]);
    let header = |header| said(|options| options.header = Some(header));
    assert_eq!(with(&path, header(false)).features.n_samples(), 3);
    let path = folder.file("years.csv", "2001,2002\n5,6\n7,8\n");
    assert_eq!(load(&path).features.n_samples(), 3);
    let dataset = with(&path, header(true));
    assert_eq!((names(&dataset), dataset.features.n_samples()), (vec!["2001", "2002"], 2));
}

#[test]
fn w6_times_keep_what_tells_them_apart() {
    let folder = Folder::new();
    let times = [1_700_000_000_000_i64, 1_700_000_001_000, 1_700_000_060_000, 1_700_000_061_000];
    let text: String =
        times.iter().map(|time| format!("{time},{}\n", 1 + time / 1000 % 2)).collect();
    let csv = folder.file("w6.csv", format!("t,b\n{text}"));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(times.to_vec())),
        Arc::new(Float64Array::from(vec![1.0, 2.0, 1.0, 2.0])),
    ];
    let fields = RecordBatch::try_from_iter([("t", columns[0].clone()), ("b", columns[1].clone())]);
    let binary = parquet(&folder, "w6.parquet", fields.unwrap().schema().as_ref().clone(), columns);
    for path in [csv, binary] {
        let dataset = load(&path);
        let found: Vec<f32> = (0..4).map(|row| dataset.features.row(row)[0]).collect();
        assert_eq!(found, [0.0, 1000.0, 60_000.0, 61_000.0], "{path:?}");
        assert_eq!(dataset.recipe.original(0, found[3]), 1_700_000_061_000.0);
        assert_says(&dataset.parts[0].notes.join("; "), &["taken off", "t (1700000000000)"]);
        // What follows the recipe becomes the same numbers, read whole or in pieces.
        let again = read_dataset_as(std::slice::from_ref(&path), &[], &dataset.recipe).unwrap();
        assert_eq!(again.features, dataset.features);
        let mut reader = FeaturesReader::open(&[path], &[], &dataset.recipe).unwrap();
        assert_eq!(reader.next_chunk().unwrap().unwrap().features, dataset.features);
    }
    let rounded = load(&folder.file("big.csv", "a\n1\n16777217\n100000000000000\n"));
    assert_says(&rounded.parts[0].notes.join("; "), &["whole numbers beyond 16,777,216", "a ("]);
}

#[test]
fn w7_fields_that_the_first_line_lacks_are_features_with_missing_values() {
    let folder = Folder::new();
    let path = folder.file("w7.jsonl", "{\"a\":1}\n{\"a\":2,\"b\":50}\n{\"a\":3,\"b\":60}\n");
    assert_says(&data_error(&path), &["missing values in b (1), of 3 rows", "--missing drop"]);
    let dataset = with(&path, said(|options| options.missing = Missing::Mean));
    assert_eq!(rows(&dataset), [[1.0, 55.0], [2.0, 50.0], [3.0, 60.0]]);
    let later: String = (0..60).map(|row| format!("{{\"a\":{row}}}\n")).collect();
    let path = folder.file("later.jsonl", later + "{\"a\":1,\"late\":2}\n");
    assert_says(&data_error(&path), &["line 61 has a field late"]);
}

#[test]
fn w9_the_index_of_pandas_names_the_rows() {
    let folder = Folder::new();
    let metadata = "{\"index_columns\": [\"product\"], \"columns\": []}";
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Float64Array::from(vec![1.0, 2.0])),
        Arc::new(Int64Array::from(vec![1001, 1002])),
    ];
    let fields = ["x", "product"].into_iter().zip(&columns);
    let fields: Vec<Field> =
        fields.map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
    let metadata = HashMap::from([("pandas".to_owned(), metadata.to_owned())]);
    let schema = Schema::new(fields).with_metadata(metadata);
    let dataset = load(&parquet(&folder, "w9.parquet", schema, columns));
    assert_eq!((rows(&dataset), names(&dataset)), (vec![vec![1.0], vec![2.0]], vec!["x"]));
    assert_eq!(dataset.ids.unwrap(), ["1001", "1002"]);
    let column = &dataset.parts[0].columns[1];
    assert_eq!(
        (column.role, column.why.as_str()),
        (Role::Id, "the file says that it names the rows")
    );
}

#[test]
fn w11_doubled_quotes_of_a_name_become_single() {
    let folder = Folder::new();
    let dataset = load(&folder.file("w11.csv", "\"size (\"\"in\"\")\",y2\n1,2\n3,4\n"));
    assert_eq!(names(&dataset), ["size (\"in\")", "y2"]);
}

#[test]
fn u1_decimal_commas_are_named_and_read() {
    let folder = Folder::new();
    let path = folder.file("u1.csv", "a;b\n1,5;2,5\n3,5;4,5\n");
    assert_says(&data_error(&path), &["decimal commas in a (such as \"1,5\"), b", "--decimal ,"]);
    let comma = said(|options| options.decimal_comma = true);
    assert_eq!(rows(&with(&path, comma.clone())), [[1.5, 2.5], [3.5, 4.5]]);
    let tabs = folder.file("u1.tsv", "a\tb\n1,5\t2\n3,5\t4\n");
    assert_eq!(rows(&with(&tabs, comma)), [[1.5, 2.0], [3.5, 4.0]]);
}

#[test]
fn u5_a_quoted_line_break_is_part_of_its_cell() {
    let folder = Folder::new();
    let dataset = load(&folder.file("u5.csv", "id,x,y2\nk,3,4\n\"a\nb\",1,2\nd,5,6\n"));
    assert_eq!(dataset.ids.unwrap(), ["k", "a\nb", "d"]);
    let ragged = folder.file("lines.csv", "id,x\r\nk,3\r\n\"a\r\nb\",1\r\n\r\nd\r\n");
    assert_says(&data_error(&ragged), &["line 6 has 1 columns", "have 2"]);
}

#[test]
fn u6_nan_in_json_is_a_missing_value() {
    let folder = Folder::new();
    let text = "{\"v\":[1,2],\"score\":0.5}\n{\"v\":[3,4],\"score\":NaN}\n";
    let path = folder.file("u6.jsonl", text);
    for options in [ReadOptions::default(), ignoring("score")] {
        assert_eq!(rows(&with(&path, options)), [[1.0, 2.0], [3.0, 4.0]]);
    }
    let path = folder
        .file("used.jsonl", "{\"a\":1,\"b\":NaN,\"id\":\"NaN\"}\n{\"a\":2,\"b\":3,\"id\":\"q\"}\n");
    assert_says(&data_error(&path), &["missing values in b (1), of 2 rows"]);
}

#[test]
fn u7_columns_have_numbers_from_both_ends() {
    let folder = Folder::new();
    let words = folder.file("u7.csv", "5.1,3.5,setosa\n4.9,3.0,setosa\n6.2,3.4,virginica\n");
    let numbers = folder.file("u7n.csv", "5.1,3.5,0\n4.9,3.0,0\n6.2,3.4,2\n");
    for path in [words, numbers] {
        for column in ["3", "-1"] {
            let dataset = with(&path, said(|options| options.label_column = Some(column.into())));
            assert_eq!(rows(&dataset)[2], [6.2, 3.4]);
            assert_eq!(dataset.truth.unwrap().n_classes(), 2);
        }
        let zero = said(|options| options.label_column = Some("0".into()));
        assert_says(&error(&path, zero), &["no column 0", "3 without names"]);
    }
}

#[test]
fn u10_categories_of_numbers_are_labels() {
    let folder = Folder::new();
    let keys = arrow_array::Int32Array::from(vec![0, 1, 0]);
    let values = Arc::new(Int64Array::from(vec![7, 9]));
    let labels: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::new(keys, values));
    let x: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0]));
    let batch = RecordBatch::try_from_iter([("x", x.clone()), ("kind", labels.clone())]).unwrap();
    let path = parquet(&folder, "u10.parquet", batch.schema().as_ref().clone(), vec![x, labels]);
    let dataset = with(&path, said(|options| options.label_column = Some("kind".into())));
    assert_eq!(dataset.truth.unwrap().names(), ["7", "9"]);
    // As features, each category is one.
    assert_says(&data_error(&path), &["kind has numbers as text", "--one-hot kind"]);
    let dataset = with(&path, said(|options| options.one_hot_columns = vec!["kind".into()]));
    assert_eq!(names(&dataset), ["x", "kind=7", "kind=9"]);
    assert_eq!(rows(&dataset), [[1.0, 1.0, 0.0], [2.0, 0.0, 1.0], [3.0, 1.0, 0.0]]);
}

#[test]
fn u13_a_column_without_a_name_is_called_by_its_number() {
    let folder = Folder::new();
    let path = folder.file("u13.csv", "a,b,\n1,2,\n3,4,\n");
    assert_says(
        &data_error(&path),
        &["column 3 has no value at all", "--ignore-column 'column 3'"],
    );
    for name in ["column 3", "3", "-1"] {
        assert_eq!(rows(&with(&path, ignoring(name))), [[1.0, 2.0], [3.0, 4.0]]);
    }
}

const PENGUINS: &str = "species,island,sex,bill,mass,seen\nA,Biscoe,male,39.1,3750,2007-11-11\nB,Dream,,40.3,NA,2007-11-12\nA,Biscoe,female,36.7,3450,2007-11-13\n";

#[test]
fn all_that_is_in_the_way_is_named_at_once() {
    let folder = Folder::new();
    let path = folder.file("penguins.csv", PENGUINS);
    let label = |options: &mut ReadOptions| options.label_column = Some("species".into());
    let message = error(&path, said(label));
    let words = [
        "words in island (2 distinct: Biscoe, Dream), sex (2 distinct: female, male)",
        "dates or times in seen",
        "missing values in sex (1), mass (1), of 3 rows",
        "--one-hot island,sex --ignore-column seen --missing drop (or mean)",
    ];
    assert_says(&message, &words);
    let go_on = |missing| {
        said(|options| {
            label(options);
            options.one_hot_columns = vec!["island".into(), "sex".into()];
            options.ignored_columns = vec!["seen".into()];
            options.missing = missing;
        })
    };
    let dropped = with(&path, go_on(Missing::Drop));
    assert_eq!(names(&dropped)[2..], ["island=Biscoe", "island=Dream", "sex=female", "sex=male"]);
    assert_eq!(
        rows(&dropped),
        [[39.1, 3750.0, 1.0, 0.0, 0.0, 1.0], [36.7, 3450.0, 1.0, 0.0, 1.0, 0.0]]
    );
    assert_eq!(dropped.rows.as_deref().unwrap(), [0, 2], "rows that are left have their numbers");
    assert_truth(dropped.truth.as_ref().unwrap(), &["A", "A"]);
    assert_says(&dropped.parts[0].notes.join("; "), &["1 of 3 rows left out", "mass (1)"]);
    let filled = with(&path, go_on(Missing::Mean));
    assert_eq!(rows(&filled)[1], [40.3, 3600.0, 0.0, 1.0, 0.5, 0.5]);
    // Others become features in the same way: the same words in the same order, the same means.
    let other = folder.file("new.csv", "bill,mass,sex,island\n40,,male,Dream\n");
    let new = read_dataset_as(&[other], &[], &filled.recipe).unwrap();
    assert_eq!(rows(&new), [[40.0, 3600.0, 0.0, 1.0, 0.0, 1.0]]);
    let other = folder.file("unknown.csv", "bill,mass,sex,island\n40,1,male,Torgersen\n");
    let message = read_dataset_as(&[other], &[], &filled.recipe).unwrap_err().to_string();
    assert_says(&message, &["line 2, column island has \"Torgersen\""]);
}

#[test]
fn booleans_are_ones_and_zeros() {
    let folder = Folder::new();
    let dataset = load(&folder.file("b.csv", "a,b\n1,True\n2,FALSE\n3,\"true\"\n"));
    assert_eq!(rows(&dataset), [[1.0, 1.0], [2.0, 0.0], [3.0, 1.0]]);
}

#[test]
fn keys_of_other_tables_are_ids() {
    let folder = Folder::new();
    let dataset = load(&folder.file("k.csv", "customer_id,x,spend\n4711,1,2\n4712,3,4\n"));
    assert_eq!(
        (names(&dataset), dataset.ids.clone().unwrap()),
        (vec!["x", "spend"], vec!["4711".into(), "4712".into()])
    );
}

#[test]
fn tables_are_recognised_whatever_they_are_called() {
    let folder = Folder::new();
    let lines = "{\"a\":1,\"b\":2}\n{\"a\":3,\"b\":4}\n";
    for (name, text) in [("x.json", lines), ("x.log", lines), ("x.data", "1,2\n3,4\n")] {
        assert_eq!(rows(&load(&folder.file(name, text))), [[1.0, 2.0], [3.0, 4.0]], "{name}");
    }
}

#[test]
fn a_name_that_is_not_there_is_told_with_the_nearest() {
    let folder = Folder::new();
    let path = folder.file("a.csv", "price,colour\n1,2\n");
    assert_says(&error(&path, ignoring("color")), &["no column color (or colour?)"]);
}

#[test]
fn many_named_columns_take_linear_time() {
    let folder = Folder::new();
    let header: Vec<String> = (0..100_000).map(|column| format!("c{column}")).collect();
    let row = vec!["1"; header.len()].join(",");
    let path = folder.file("wide.csv", format!("{}\n{row}\n{row}\n", header.join(",")));
    let start = std::time::Instant::now();
    let dataset = load(&path);
    read_dataset_as(&[path], &[], &dataset.recipe).unwrap();
    // Comparing all names with all takes minutes.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}
