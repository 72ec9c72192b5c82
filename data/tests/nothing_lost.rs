//! Rows, words, digits and ids that were once lost, or put beside others, without a word.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use common::{Folder, assert_says, assert_truth, data_error, load, npy_f32, npy_i64, npz, rows};
use consilience_data::write::{self, Member};
use consilience_data::{
    Dataset, FeaturesReader, LabelsAs, Missing, MissingValues, PairedBy, ReadOptions, Recipe,
    SampleKeys, read_dataset_as, read_dataset_with, read_sample_labels,
};
use ndarray::ArrayView1;

fn dropping() -> ReadOptions {
    ReadOptions { missing: Missing::Drop, ..ReadOptions::default() }
}

fn one_hot(column: &str) -> ReadOptions {
    ReadOptions { one_hot_columns: vec![column.into()], ..ReadOptions::default() }
}

fn with(paths: &[PathBuf], options: &ReadOptions) -> Dataset {
    read_dataset_with(paths, &[], options).unwrap()
}

fn notes(dataset: &Dataset) -> String {
    dataset.parts.iter().flat_map(|part| part.notes.clone()).collect::<Vec<_>>().join("; ")
}

#[test]
fn rows_that_are_left_keep_their_numbers_over_all_files() {
    let folder = Folder::new();
    let paths = [
        folder.file("a.csv", "a,b\n1,2\n,3\n4,5\nNA,6\n"),
        folder.file("b.csv", "a,b\n,7\n8,9\n10,11\n"),
    ];
    let dataset = with(&paths, &dropping());
    assert_eq!((dataset.rows.as_deref().unwrap(), dataset.ids.as_ref()), (&[0, 2, 5, 6][..], None));
    let mut reader = FeaturesReader::open(&paths, &[], &dataset.recipe).unwrap();
    let chunk = reader.next_chunk().unwrap().unwrap();
    assert_eq!((chunk.rows, chunk.ids), (dataset.rows.clone(), None));
    assert_eq!(chunk.features, dataset.features);
    assert!(reader.next_chunk().unwrap().is_none());
    let told = reader.notes().join("; ");
    assert_says(&told, &["a.csv: 2 of 4 rows left out", "b.csv: 1 of 3 rows left out"]);
    // Where nothing is missing, nothing is left out.
    assert_eq!(with(&[folder.file("c.csv", "a,b\n1,2\n3,4\n")], &dropping()).rows, None);
}

#[test]
fn labels_of_all_rows_find_those_that_are_left() {
    let folder = Folder::new();
    let path = folder.file("a.csv", "id,a\np,1\nq,\nr,4\ns,6\n");
    let bare = folder.file("b.csv", "a,b\n1,1\n,1\n4,1\n6,1\n");
    for (name, text) in [
        ("lines.txt", "A\nB\nC\nD\n"),
        ("turned.csv", "id,label\ns,D\nr,C\nq,B\np,A\n"),
        ("numbered.csv", "sample,label\n3,D\n2,C\n1,B\n0,A\n"),
        ("left.csv", "sample,label\n3,D\n2,C\n0,A\n"),
    ] {
        let labels = folder.file(name, text);
        for data in [&path, &bare] {
            if name == "turned.csv" && data == &bare {
                continue;
            }
            let data = std::slice::from_ref(data);
            let dataset =
                read_dataset_with(data, std::slice::from_ref(&labels), &dropping()).unwrap();
            assert_truth(dataset.truth.as_ref().unwrap(), &["A", "C", "D"]);
            let mut reader =
                FeaturesReader::open(data, std::slice::from_ref(&labels), &dataset.recipe).unwrap();
            while reader.next_chunk().unwrap().is_some() {}
            assert_truth(&reader.truth().unwrap().unwrap().0, &["A", "C", "D"]);
        }
    }
    // Labels of the three that are left would be those of others.
    let few = folder.file("few.txt", "A\nC\nD\n");
    let error = read_dataset_with(&[path], &[few], &dropping()).unwrap_err().to_string();
    assert_says(&error, &["'3' is not in", "few.txt"]);
}

#[test]
fn numbers_of_rows_are_counted_on_only_where_none_is_left_out() {
    let folder = Folder::new();
    let paths = [
        folder.file("a.csv", "sample,label\n1,B\n0,A\n"),
        folder.file("b.csv", "sample,label\n1,D\n0,C\n"),
    ];
    let read = |paths: &[PathBuf]| {
        read_sample_labels(paths, &ReadOptions::default(), LabelsAs::Truth, false)
    };
    let (truth, by) = read(&paths).unwrap().truth_of("x", &SampleKeys::new(4, None, None)).unwrap();
    assert_truth(&truth, &["A", "B", "C", "D"]);
    assert_eq!(by, PairedBy::Rows);
    let gap = folder.file("gap.csv", "sample,label\n0,A\n2,B\n");
    let error = read(&[gap, paths[1].clone()]).unwrap_err().to_string();
    assert_says(&error, &["gap.csv: its column sample leaves out rows"]);
}

#[test]
fn words_are_the_same_features_wherever_they_come_from() {
    let folder = Folder::new();
    // Without names of features: a headerless table, and lists.
    let table = folder.file("t.csv", "1,red\n2,blue\n3,red\n");
    let new = folder.file("n.csv", "5,red\n6,red\n");
    let lists = folder.file("t.jsonl", "{\"v\":[1],\"c\":\"red\"}\n{\"v\":[2],\"c\":\"blue\"}\n");
    let others = folder.file("n.jsonl", "{\"v\":[5],\"c\":\"red\"}\n{\"v\":[6],\"c\":\"red\"}\n");
    for (path, column, new) in [(table, "2", new), (lists, "c", others)] {
        let dataset = with(&[path], &one_hot(column));
        assert_eq!(dataset.recipe.one_hot_words, [["blue", "red"]]);
        let found = read_dataset_as(std::slice::from_ref(&new), &[], &dataset.recipe).unwrap();
        assert_eq!(rows(&found), [[5.0, 0.0, 1.0], [6.0, 0.0, 1.0]], "{new:?}");
        let mut reader = FeaturesReader::open(&[new], &[], &dataset.recipe).unwrap();
        assert_eq!(reader.next_chunk().unwrap().unwrap().features, found.features);
    }
    // Over several files: the words of all of them.
    let paths = [
        folder.file("a.csv", "x,c\n1,red\n2,blue\n"),
        folder.file("b.csv", "x,c\n3,green\n4,red\n"),
    ];
    let dataset = with(&paths, &one_hot("c"));
    assert_eq!(dataset.recipe.feature_names.as_ref().unwrap()[1..], ["c=blue", "c=green", "c=red"]);
    assert_eq!(rows(&dataset)[2], [3.0, 0.0, 1.0, 0.0]);
    let recipe = Recipe { one_hot_words: Vec::new(), ..dataset.recipe };
    let recipe = Recipe { one_hot_words: vec![Vec::new(), Vec::new()], ..recipe };
    let error = read_dataset_as(&paths, &[], &recipe).unwrap_err().to_string();
    assert_says(&error, &["words of the recipe's one-hot columns"]);
}

#[test]
fn words_beside_an_array_are_features_behind_it() {
    let folder = Folder::new();
    let path = folder.path("x.npz");
    let x = ndarray::array![[1.0_f32, 2.0], [3.0, 4.0], [5.0, 6.0]];
    let members = [
        ("X", Member::from(x.view())),
        ("colour", Member::Texts(vec!["red", "blue", "red"])),
        ("feature_names", Member::Texts(vec!["a", "b"])),
    ];
    write::npz(&path, &members).unwrap();
    let dataset = with(std::slice::from_ref(&path), &one_hot("colour"));
    let names = ["a", "b", "colour=blue", "colour=red"];
    assert_eq!(dataset.recipe.feature_names.as_deref().unwrap(), names);
    assert_eq!(rows(&dataset)[1], [3.0, 4.0, 1.0, 0.0]);
    let again = read_dataset_as(std::slice::from_ref(&path), &[], &dataset.recipe).unwrap();
    assert_eq!(again.features, dataset.features);
}

#[test]
fn means_are_those_of_all_files() {
    let folder = Folder::new();
    let paths = [folder.file("a.csv", "a,b\n1,1\n,1\n"), folder.file("b.csv", "a,b\n7,1\n4,\n")];
    let options = ReadOptions { missing: Missing::Mean, ..ReadOptions::default() };
    let dataset = with(&paths, &options);
    assert_eq!(rows(&dataset), [[1.0, 1.0], [4.0, 1.0], [7.0, 1.0], [4.0, 1.0]]);
    assert_eq!(dataset.recipe.means.as_deref().unwrap(), [4.0, 1.0]);
    let nothing = [folder.file("c.csv", "a,b\n1,\n2,\n"), paths[1].clone()];
    assert_says(&data_error(&nothing[0]), &["b has no value at all"]);
    let error = read_dataset_with(&nothing[..1], &[], &options).unwrap_err().to_string();
    assert_says(&error, &["column b has no value in any row"]);
}

#[test]
fn whole_numbers_of_more_than_53_bits_are_said() {
    const LARGE: i64 = 9_007_199_254_740_993;
    let folder = Folder::new();
    let integers: ArrayRef = Arc::new(Int64Array::from(vec![LARGE, LARGE + 1, LARGE + 2]));
    let others: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 1.5, 2.5]));
    let batch = RecordBatch::try_from_iter([("t", integers), ("x", others)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let text: String = (0..3).map(|row| format!("{},{row}.5\n", LARGE + row)).collect();
    let json: String =
        (0..3).map(|row| format!("{{\"t\":{},\"x\":{row}.5}}\n", LARGE + row)).collect();
    let unsigned: Vec<u8> = (0..3_u64).flat_map(|row| (u64::MAX - row).to_le_bytes()).collect();
    for (path, name) in [
        (folder.file("t.parquet", bytes), "t (2)"),
        (folder.file("t.csv", format!("t,x\n{text}")), "t (2)"),
        (folder.file("t.jsonl", json), "t (2)"),
        (folder.file("t.npy", npy_i64(&[3, 1], &[LARGE, 1, LARGE + 2])), "feature 1 (2)"),
        (folder.file("u.npy", common::npy("<u8", false, &[3, 1], &unsigned)), "feature 1 (3)"),
    ] {
        let told = notes(&load(&path));
        assert_says(&told, &["beyond 9,007,199,254,740,992 are rounded to 53 bits", name]);
    }
    let exact = folder.file("e.csv", format!("t\n{}\n{}\n1\n", LARGE - 1, LARGE + 1));
    assert!(!notes(&load(&exact)).contains("53 bits"));
}

#[test]
fn labels_in_archives_meet_samples_by_ids() {
    let folder = Folder::new();
    let labels = folder.path("labels.npz");
    let ids = Member::Texts(vec!["s", "r", "q", "p"]);
    let classes = [3_i64, 2, 1, 0];
    write::npz(&labels, &[("ids", ids), ("labels", ArrayView1::from(&classes).into())]).unwrap();
    let data = folder.file("x.csv", "id,a\np,1\nq,2\nr,3\ns,4\n");
    let read = |labels: &PathBuf| {
        read_dataset_with(
            std::slice::from_ref(&data),
            std::slice::from_ref(labels),
            &ReadOptions::default(),
        )
    };
    let dataset = read(&labels).unwrap();
    assert_truth(dataset.truth.as_ref().unwrap(), &["0", "1", "2", "3"]);
    assert_eq!(dataset.paired_by, Some(PairedBy::Ids));
    // Numbers of rows, too.
    let by_rows = npz(&[("sample", npy_i64(&[4], &[3, 2, 1, 0])), ("y", npy_i64(&[4], &classes))]);
    let dataset = read(&folder.file("rows.npz", by_rows)).unwrap();
    assert_truth(dataset.truth.as_ref().unwrap(), &["0", "1", "2", "3"]);
    assert_eq!(dataset.paired_by, Some(PairedBy::Rows));
    // Ids of another number of samples.
    let uneven = npz(&[("id", npy_i64(&[3], &[3, 2, 1])), ("y", npy_i64(&[4], &classes))]);
    let error = read(&folder.file("uneven.npz", uneven)).unwrap_err().to_string();
    assert_says(&error, &["column id holds shape [3], which cannot be ids"]);
}

#[test]
fn ids_of_one_file_alone_are_refused() {
    let folder = Folder::new();
    let paths = [folder.file("a.csv", "id,a\np,1\nq,2\n"), folder.file("b.csv", "a\n3\n4\n")];
    for turned in [false, true] {
        let mut paths = paths.clone();
        if turned {
            paths.reverse();
        }
        let words = ["a.csv has ids, and ", "b.csv has none"];
        let error = read_dataset_with(&paths, &[], &ReadOptions::default()).unwrap_err();
        assert_says(&error.to_string(), &words);
        let error = FeaturesReader::open(&paths, &[], &Recipe::default()).unwrap_err();
        assert_says(&error.to_string(), &words);
    }
}

#[test]
fn tables_of_one_column_keep_their_first_and_last_rows() {
    let folder = Folder::new();
    let nan = f32::NAN;
    for (name, text, expected) in [
        ("quoted.csv", "x\n1\n\"\"\n2\n\"\"\n", vec![1.0, nan, 2.0, nan]),
        ("crlf.csv", "x\r\n1\r\n\"\"\r\n\r\n2\r\n\"\"\r\n", vec![1.0, nan, nan, 2.0, nan]),
        ("first.csv", "\n\n1\n2\n", vec![nan, nan, 1.0, 2.0]),
        ("both.csv", "\"\"\n1\n2.5\n\"\"\n", vec![nan, 1.0, 2.5, nan]),
        ("mac.csv", "x\r1\r\r2\r\"\"\r", vec![1.0, nan, 2.0, nan]),
        ("broken.csv", "x\n1\n\"\n\"\n2\n", vec![1.0, nan, 2.0]),
        ("end.csv", "x\n1\n2\n\n\n", vec![1.0, 2.0]),
        ("above.csv", "\n\nx\n1\n2\n", vec![1.0, 2.0]),
    ] {
        let path = folder.file(name, text);
        let dropped = with(std::slice::from_ref(&path), &dropping());
        let left: Vec<f32> = expected.iter().copied().filter(|value| !value.is_nan()).collect();
        assert_eq!(dropped.features.as_slice(), left, "{name}");
        let places: Vec<usize> =
            (0..expected.len()).filter(|&row| !expected[row].is_nan()).collect();
        let all_are_left = left.len() == expected.len();
        assert_eq!(dropped.rows, (!all_are_left).then_some(places), "{name}");
        if !all_are_left {
            let missing = expected.len() - left.len();
            let rows = format!("({missing}), of {} rows", expected.len());
            assert_says(&data_error(&path), &["missing values in", &rows]);
        }
    }
}

#[test]
fn the_header_is_decided_once() {
    let folder = Folder::new();
    let dataset = load(&folder.file("x.csv", "1,2\n3,4\n5,6\n"));
    assert_eq!(dataset.recipe.header, Some(false));
    // By itself, its first line would count as names.
    let new = folder.file("new.csv", "0,1\n5,6\n");
    let found = read_dataset_as(&[new], &[], &dataset.recipe).unwrap();
    assert_eq!(rows(&found), [[0.0, 1.0], [5.0, 6.0]]);
    // Names in a comment are a header that is no row.
    let commented = folder.file("c.txt", "# a b\n1 2\n3 4\n");
    let dataset = load(&commented);
    assert_eq!(dataset.recipe.header, Some(true));
    let again = read_dataset_as(std::slice::from_ref(&commented), &[], &dataset.recipe).unwrap();
    assert_eq!(again.features, dataset.features);
    let said = ReadOptions { header: Some(true), ..ReadOptions::default() };
    assert_eq!(with(&[commented], &said).features, dataset.features);
    // Names that other data have are names, whatever they look like.
    let dataset = load(&folder.file("years.csv", "a,2001\n1,2\n"));
    let new = folder.file("later.csv", "2001,a\n4,3\n");
    let found = read_dataset_as(&[new], &[], &dataset.recipe).unwrap();
    assert_eq!(rows(&found), [[3.0, 4.0]]);
}

#[test]
fn json_that_would_be_merged_is_refused() {
    let folder = Folder::new();
    let ids = "{\"id\":36893488147419103232,\"a\":1}\n{\"id\":36893488147419103233,\"a\":2}\n";
    let message = data_error(&folder.file("ids.jsonl", ids));
    assert_says(&message, &["line 1, field id", "at most 64 bits"]);
    let message = data_error(&folder.file("twice.jsonl", "{\"a\":1,\"b\":2,\"a\":3}\n"));
    assert_says(&message, &["line 1 has the field a twice"]);
    for text in
        ["[[1,2],\n[3,4]]\n", "[\n  {\"a\": 1},\n  {\"a\": 2}\n]\n", "[{\"a\":1},{\"a\":2}]"]
    {
        let message = data_error(&folder.file("rows.json", text));
        assert_says(&message, &["one JSON array of all rows", "JSON Lines", "lines=True"]);
    }
}

#[test]
fn numbers_as_people_write_them_are_named() {
    let folder = Folder::new();
    let said = |cells: &str, words: &[&str]| {
        assert_says(&data_error(&folder.file("n.csv", format!("a;b\n{cells}"))), words);
    };
    said("1,000;2\n2,500;3\n", &["a has numbers such as \"1,000\", a thousand or one"]);
    said("1,5;2\n2,500;3\n", &["decimal commas in a (such as \"1,5\")", "--decimal ,"]);
    for cells in ["1.234,50;2\n1,5;3\n", "10%;2\n20%;3\n", "$3;1\n$4;2\n", "1 000;2\n2 000;3\n"] {
        said(cells, &["a has numbers with units or digits in groups"]);
    }
    let dataset = load(&folder.file("excel.csv", "sep=;\r\na;b\r\n1;2\r\n3;4\r\n"));
    assert_eq!(rows(&dataset), [[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!(dataset.recipe.feature_names.unwrap(), ["a", "b"]);
}

#[test]
fn features_of_floats_are_as_before() {
    let folder = Folder::new();
    let dataset = load(&folder.file("x.npy", npy_f32(&[2, 2], &[1.0, 2.0, 3.0, 4.0])));
    assert_eq!((dataset.rows, notes(&load(&folder.path("x.npy")))), (None, String::new()));
}

/// In text, in 32-bit floats, in whole numbers and in Parquet; in data that follow, too.
#[test]
fn numbers_that_stand_for_a_missing_value_are_missing() {
    let folder = Folder::new();
    let options = |missing: Missing| ReadOptions {
        missing,
        missing_values: MissingValues(vec![-9999.0, 1e9]),
        ..ReadOptions::default()
    };
    let csv = folder.file("a.csv", "a,b\n1,2\n3,-9999\n-9999.0,6\n5,1e9\n9,10\n");
    let floats = [1.0, 2.0, 3.0, -9999.0, -9999.0, 6.0, 5.0, 1e9, 9.0, 10.0];
    let whole = [1, 2, 3, -9999, -9999, 6, 5, 1_000_000_000, 9, 10];
    let columns: [ArrayRef; 2] = [
        Arc::new(Float64Array::from(vec![1.0, 3.0, -9999.0, 5.0, 9.0])),
        Arc::new(Int64Array::from(vec![2, -9999, 6, 1_000_000_000, 10])),
    ];
    let batch = RecordBatch::try_from_iter(["a", "b"].into_iter().zip(columns)).unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let files = [
        csv,
        folder.file("a.npy", npy_f32(&[5, 2], &floats)),
        folder.file("b.npy", npy_i64(&[5, 2], &whole)),
        folder.file("a.parquet", bytes),
    ];
    for path in files {
        let paths = std::slice::from_ref(&path);
        let mean = with(paths, &options(Missing::Mean));
        let expected = [[1.0, 2.0], [3.0, 6.0], [4.5, 6.0], [5.0, 6.0], [9.0, 10.0]];
        assert_eq!(rows(&mean), expected, "{path:?}");
        assert_says(&notes(&mean), &["missing values replaced by their feature's mean", "(2)"]);
        // The recipe has them, and data that follow are read by it.
        let recipe = serde_json::to_string(&mean.recipe).unwrap();
        let recipe: Recipe = serde_json::from_str(&recipe).unwrap();
        assert_eq!(recipe, mean.recipe);
        assert_eq!(rows(&read_dataset_as(paths, &[], &recipe).unwrap()), expected);
        let mut reader = FeaturesReader::open(paths, &[], &recipe).unwrap();
        assert_eq!(reader.next_chunk().unwrap().unwrap().features, mean.features);
        let dropped = with(paths, &options(Missing::Drop));
        assert_eq!(rows(&dropped), [[1.0, 2.0], [9.0, 10.0]]);
        assert_eq!(dropped.rows, Some(vec![0, 4]));
    }
    let refused = |name: &str| {
        let paths = [folder.path(name)];
        read_dataset_with(&paths, &[], &options(Missing::Refuse)).unwrap_err().to_string()
    };
    let error = refused("b.npy");
    let words = "b.npy: row 1, column 1, counted from 0, is -9999, which --missing-value says";
    assert_says(&error, &[words, "add --missing mean (or drop)"]);
    assert_says(&refused("a.npy"), &["a.npy: row 1, column 1, counted from 0, is -9999, which"]);
    let error = refused("a.csv");
    assert_says(&error, &["missing values in a (1), b (2), of 5 rows", "--missing drop (or mean)"]);
    let recipe = serde_json::to_string(&load(&folder.path("a.npy")).recipe).unwrap();
    assert!(!recipe.contains("missing_values"), "{recipe}");
}

/// What is near is a measurement, whether or not 32 bits tell it apart.
#[test]
fn numbers_near_a_missing_value_are_there() {
    let folder = Folder::new();
    let left = |path: &PathBuf, missing: f64| {
        let missing_values = MissingValues(vec![missing]);
        let options = ReadOptions { missing_values, ..dropping() };
        with(std::slice::from_ref(path), &options).rows
    };
    let whole = [999_999_999_i64, 1_000_000_000, 1_000_000_010, 5, 6];
    let text: String = whole.iter().map(|value| format!("{value}\n")).collect();
    let doubles = |values: &[f64]| {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        common::npy("<f8", false, &[values.len(), 1], &bytes)
    };
    let floats = [999_999_999.0, 1_000_000_000.0, 1_000_000_010.0, 5.0, 6.0];
    for path in [
        folder.file("x.csv", format!("x\n{text}")),
        folder.file("x.npy", npy_i64(&[5, 1], &whole)),
        folder.file("y.npy", doubles(&floats)),
    ] {
        assert_eq!(left(&path, 999_999_999.0), Some(vec![1, 2, 3, 4]), "{path:?}");
    }
    // A number that is too small, or too large, is none that is there.
    let small = folder.file("small.npy", doubles(&[0.0, 1.0, 2.0]));
    assert_eq!(left(&small, 1e-50), None);
    let small = folder.file("small.npy", npy_f32(&[3, 1], &[0.0, 0.1, 2.0]));
    assert_eq!(left(&small, 1e-50), None);
    // As a person types what a 32-bit float is.
    assert_eq!(left(&small, 0.1), Some(vec![0, 2]));
}

#[test]
fn numbers_that_stand_for_a_missing_word_are_no_words() {
    let folder = Folder::new();
    let paths = [folder.file("a.csv", "v,c\n1,1\n2,-9\n3,2\n4,2\n5,1\n")];
    let missing_values = MissingValues(vec![-9.0]);
    let options = ReadOptions { missing_values, ..one_hot("c") };
    let dropped = with(&paths, &ReadOptions { missing: Missing::Drop, ..options.clone() });
    assert_eq!(dropped.recipe.feature_names.as_deref().unwrap(), ["v", "c=1", "c=2"]);
    assert_eq!(dropped.rows, Some(vec![0, 2, 3, 4]));
    assert_eq!(rows(&dropped)[1], [3.0, 0.0, 1.0]);
    let error = read_dataset_with(&paths, &[], &options).unwrap_err().to_string();
    assert_says(&error, &["missing values in c (1), of 5 rows"]);
}

#[test]
fn what_is_missing_is_not_rounded() {
    let folder = Folder::new();
    let path = folder.file("a.csv", "t,x\n9223372036854775807,1\n5,2\n7,3\n");
    let missing_values = MissingValues(vec![2.0_f64.powi(63)]);
    let missing = Missing::Mean;
    let options = ReadOptions { missing, missing_values, ..ReadOptions::default() };
    let dataset = with(&[path], &options);
    assert_eq!(rows(&dataset)[0], [6.0, 1.0]);
    assert!(!notes(&dataset).contains("53 bits"), "{}", notes(&dataset));
}
