//! Chunks of a file, put together, are what is read at once, in every format.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::types::Float32Type;
use arrow_array::{ArrayRef, Float32Array, ListArray, RecordBatch, StringArray};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use consilience_data::write::{npy, npz};
use consilience_data::{FeaturesReader, Recipe, Seed, Stream, read_dataset, read_dataset_as};
use flate2::Compression;
use flate2::write::GzEncoder;
use ndarray::{Array2, ArrayView2, s};
use parquet::arrow::ArrowWriter;

/// More than two chunks' rows, were there 30,000 columns.
const ROWS: usize = 2300;
const COLUMNS: usize = 7;

fn values() -> Array2<f32> {
    let values = Seed(1).rng(Stream::Subset).normal(ROWS * COLUMNS);
    Array2::from_shape_vec((ROWS, COLUMNS), values).unwrap()
}

fn open(paths: &[PathBuf]) -> FeaturesReader {
    FeaturesReader::open(paths, &[], &Recipe::default()).unwrap()
}

/// All chunks of `paths`, and the lengths of the chunks.
fn streamed(paths: &[PathBuf]) -> (Array2<f32>, Vec<usize>) {
    let mut reader = open(paths);
    let (mut values, mut lengths) = (Vec::new(), Vec::new());
    while let Some(chunk) = reader.next_chunk().unwrap() {
        values.extend_from_slice(chunk.features.as_slice());
        lengths.push(chunk.features.n_samples());
    }
    let rows = lengths.iter().sum();
    (Array2::from_shape_vec((rows, values.len() / rows), values).unwrap(), lengths)
}

fn assert_same(paths: &[PathBuf]) {
    let (found, _) = streamed(paths);
    let at_once = read_dataset(paths, &[]).unwrap().features;
    assert!(found.view() == at_once.view(), "{paths:?}");
}

fn gzip(path: &Path) -> PathBuf {
    let packed = path.with_file_name(format!("{}.gz", path.file_name().unwrap().to_str().unwrap()));
    let mut writer = GzEncoder::new(File::create(&packed).unwrap(), Compression::fast());
    writer.write_all(&fs::read(path).unwrap()).unwrap();
    writer.finish().unwrap();
    packed
}

fn idx(path: &Path, values: ArrayView2<'_, u8>) {
    let mut bytes = vec![0, 0, 8, 2];
    bytes.extend(u32::try_from(values.nrows()).unwrap().to_be_bytes());
    bytes.extend(u32::try_from(values.ncols()).unwrap().to_be_bytes());
    bytes.extend(values.iter());
    fs::write(path, bytes).unwrap();
}

#[test]
fn chunks_of_every_format_are_what_is_read_at_once() {
    let (folder, values) = (tempfile::tempdir().unwrap(), values());
    let path = |name: &str| folder.path().join(name);
    npy(&path("x.npy"), values.view()).unwrap();
    let truth: Vec<i32> = (0..ROWS).map(|row| i32::try_from(row % 3).unwrap()).collect();
    let truth = ndarray::ArrayView1::from(&truth);
    npz(&path("x.npz"), &[("x", values.view().into()), ("y", truth.into())]).unwrap();
    let bytes = values.mapv(|value| if value < 0.0 { 7_u8 } else { 200 });
    idx(&path("x.idx"), bytes.view());
    let line = |row: ndarray::ArrayView1<'_, f32>| {
        row.iter().map(ToString::to_string).collect::<Vec<_>>().join(",") + "\n"
    };
    let header = (0..COLUMNS).map(|column| format!("c{column}")).collect::<Vec<_>>().join(",");
    let table: String = values.rows().into_iter().map(line).collect();
    fs::write(path("x.csv"), format!("{header}\n{table}")).unwrap();
    let mut paths = ["x.npy", "x.npz", "x.idx", "x.csv"].map(path).to_vec();
    paths.extend([gzip(&path("x.npy")), gzip(&path("x.idx")), gzip(&path("x.csv"))]);
    paths.push(format!("{}:x", path("x.npz").display()).into());
    #[cfg(feature = "hdf5")]
    {
        let file = consilience_data::hdf5_file::Writer::create(&path("x.h5")).unwrap();
        file.write("x", values.view()).unwrap();
        file.finish().unwrap();
        paths.push(path("x.h5"));
    }
    for path in &paths {
        assert_same(std::slice::from_ref(path));
    }
    assert_same(&paths);
    assert_eq!(open(&["digits".into()]).n_samples(), Some(1797));

    let mut reader = open(&[path("x.npz"), path("x.npz")]);
    assert_eq!((reader.n_samples(), reader.may_have_truth()), (Some(2 * ROWS), true));
    while reader.next_chunk().unwrap().is_some() {}
    assert_eq!(reader.truth().unwrap().unwrap().0.n_samples(), 2 * ROWS);
    assert!(!open(&[path("x.npz"), path("x.npy")]).may_have_truth());
}

/// Wide rows make chunks of a thousand, which don't end where files do.
#[test]
fn files_do_not_decide_where_chunks_end() {
    let folder = tempfile::tempdir().unwrap();
    let wide = Array2::from_shape_fn((ROWS, 6000), |(row, column)| ((row + column) % 251) as f32);
    let (cut, path) =
        ([0, 300, 1700, ROWS], |part: usize| folder.path().join(format!("{part}.npy")));
    for part in 0..3 {
        npy(&path(part), wide.slice(s![cut[part]..cut[part + 1], ..])).unwrap();
    }
    let (found, lengths) = streamed(&[path(0), path(1), path(2)]);
    assert_eq!(lengths, [1000, 1000, 300]);
    assert!(found == wide);
}

#[test]
fn damage_is_told_with_its_place_in_the_file() {
    let (folder, values) = (tempfile::tempdir().unwrap(), values());
    let path = |name: &str| folder.path().join(name);
    npy(&path("good.npy"), values.view()).unwrap();
    let mut bad = values.clone();
    bad[(2200, 5)] = f32::INFINITY;
    npy(&path("bad.npy"), bad.view()).unwrap();
    let bytes = fs::read(path("good.npy")).unwrap();
    fs::write(path("cut.npy"), &bytes[..bytes.len() - 6]).unwrap();
    fs::write(path("long.npy"), [&bytes[..], b"more"].concat()).unwrap();
    npz(&path("x.npz"), &[("x", values.view().into())]).unwrap();
    let mut packed = fs::read(path("x.npz")).unwrap();
    let middle = packed.len() / 2;
    packed[middle] ^= 0x55;
    fs::write(path("flipped.npz"), &packed).unwrap();
    fs::write(path("bad.csv"), "1,2,3,4,5,6,7\n1,2,3,4,5,6,x\n").unwrap();
    npy(&path("narrow.npy"), values.slice(s![.., ..3])).unwrap();

    let problem = |names: &[&str]| {
        let paths: Vec<PathBuf> = names.iter().map(|name| path(name)).collect();
        let mut reader = match FeaturesReader::open(&paths, &[], &Recipe::default()) {
            Ok(reader) => reader,
            Err(error) => return error.to_string(),
        };
        loop {
            match reader.next_chunk() {
                Ok(chunk) => assert!(chunk.is_some(), "{names:?}"),
                Err(error) => return error.to_string(),
            }
        }
    };
    let found = problem(&["good.npy", "bad.npy"]);
    assert!(found.contains("bad.npy: row 2200, column 5 is inf"), "{found}");
    for (name, words) in [
        ("cut.npy", "cut.npy"),
        ("long.npy", "bytes follow"),
        ("flipped.npz", "flipped.npz, member x"),
        ("bad.csv", "column 7 has 1 that is no number, first \"x\" in line 2"),
        ("narrow.npy", "only files of equal width"),
        ("gone.npy", "no such file"),
    ] {
        let found = problem(&["good.npy", name]);
        assert!(found.contains(words), "{name}: {found}");
    }
}

/// Rows of a table, enough for a chunk to end in the third file.
const TABLE_ROWS: usize = 9000;

/// Some rows of a table with three features, ids and labels, its columns in any order.
struct Table<'a> {
    features: ArrayView2<'a, f32>,
    first: usize,
    columns: &'a [&'a str],
}

impl Table<'_> {
    fn id(&self, row: usize) -> String {
        format!("s{}", self.first + row)
    }

    fn kind(&self, row: usize) -> &'static str {
        ["dog", "cat", "owl"][(self.first + row) * 7 % 5 % 3]
    }

    fn feature(&self, row: usize, column: &str) -> f32 {
        self.features[(row, column[1..].parse::<usize>().unwrap())]
    }

    fn csv(&self) -> Vec<u8> {
        let mut text = self.columns.join(",") + "\n";
        for row in 0..self.features.nrows() {
            let cell = |column: &&str| match *column {
                "id" => self.id(row),
                "label" => self.kind(row).into(),
                column => self.feature(row, column).to_string(),
            };
            text += &(self.columns.iter().map(cell).collect::<Vec<_>>().join(",") + "\n");
        }
        text.into_bytes()
    }

    fn json(&self) -> Vec<u8> {
        let mut text = String::new();
        for row in 0..self.features.nrows() {
            let field = |column: &&str| match *column {
                "id" => format!("\"id\": \"{}\"", self.id(row)),
                "label" => format!("\"label\": \"{}\"", self.kind(row)),
                "v" => format!("\"v\": {:?}", self.features.row(row).to_vec()),
                column => format!("\"{column}\": {}", self.feature(row, column)),
            };
            let fields = self.columns.iter().map(field).collect::<Vec<_>>().join(", ");
            text += &format!("{{{fields}}}\n");
        }
        text.into_bytes()
    }

    fn batch(&self) -> RecordBatch {
        let rows = || 0..self.features.nrows();
        let column = |column: &&str| -> (String, ArrayRef) {
            let array: ArrayRef = match *column {
                "id" => Arc::new(rows().map(|row| Some(self.id(row))).collect::<StringArray>()),
                "label" => {
                    Arc::new(rows().map(|row| Some(self.kind(row))).collect::<StringArray>())
                }
                "v" => {
                    let vector = |row| Some(self.features.row(row).to_vec().into_iter().map(Some));
                    Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(
                        rows().map(vector),
                    ))
                }
                column => Arc::new(
                    rows().map(|row| Some(self.feature(row, column))).collect::<Float32Array>(),
                ),
            };
            ((*column).into(), array)
        };
        RecordBatch::try_from_iter(self.columns.iter().map(column)).unwrap()
    }

    /// In batches that end where chunks don't.
    fn batches(&self) -> Vec<RecordBatch> {
        let (batch, step) = (self.batch(), 3500);
        let starts = (0..batch.num_rows()).step_by(step);
        starts.map(|start| batch.slice(start, step.min(batch.num_rows() - start))).collect()
    }

    fn parquet(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, self.batch().schema(), None).unwrap();
        self.batches().iter().for_each(|batch| writer.write(batch).unwrap());
        writer.close().unwrap();
        bytes
    }

    fn arrow(&self) -> Vec<u8> {
        let mut writer = FileWriter::try_new(Vec::new(), &self.batch().schema()).unwrap();
        self.batches().iter().for_each(|batch| writer.write(batch).unwrap());
        writer.into_inner().unwrap()
    }

    fn arrow_stream(&self) -> Vec<u8> {
        let mut writer = StreamWriter::try_new(Vec::new(), &self.batch().schema()).unwrap();
        self.batches().iter().for_each(|batch| writer.write(batch).unwrap());
        writer.into_inner().unwrap()
    }

    /// The columns that are features in their order, with the rest beside them.
    fn npz(&self) -> Vec<u8> {
        let names: Vec<&str> =
            self.columns.iter().copied().filter(|name| name.starts_with('c')).collect();
        let rows = 0..self.features.nrows();
        let values: Vec<f32> = rows
            .clone()
            .flat_map(|row| names.iter().map(move |name| self.feature(row, name)))
            .collect();
        let ids: Vec<u8> =
            rows.clone().flat_map(|row| format!("{:\0<8}", self.id(row)).into_bytes()).collect();
        let kinds: Vec<i64> = rows
            .clone()
            .map(|row| {
                ["cat", "dog", "owl"].iter().position(|kind| *kind == self.kind(row)).unwrap()
                    as i64
            })
            .collect();
        common::npz(&[
            ("X", common::npy_f32(&[rows.len(), names.len()], &values)),
            ("y", common::npy_i64(&[rows.len()], &kinds)),
            ("ids", common::npy("|S8", false, &[rows.len()], &ids)),
            ("feature_names", common::npy("|S2", false, &[names.len()], names.concat().as_bytes())),
        ])
    }
}

/// Chunks put together are what is read at once: features, ids and truth. Whether there are ids.
fn assert_all_same(paths: &[PathBuf], recipe: &Recipe) -> bool {
    let expected = read_dataset_as(paths, &[], recipe).unwrap();
    let mut reader = FeaturesReader::open(paths, &[], recipe).unwrap();
    let (mut values, mut ids, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(chunk) = reader.next_chunk().unwrap() {
        values.extend(chunk.features.as_slice().iter().map(|value| value.to_bits()));
        lengths.push(chunk.features.n_samples());
        assert_eq!(chunk.ids.is_some(), expected.ids.is_some(), "{paths:?}");
        ids.extend(chunk.ids.into_iter().flatten());
    }
    let at_once: Vec<u32> =
        expected.features.as_slice().iter().map(|value| value.to_bits()).collect();
    assert!(values == at_once, "{paths:?}");
    assert_eq!(lengths[..lengths.len() - 1], vec![20_000; lengths.len() - 1], "{paths:?}");
    assert_eq!(lengths.iter().sum::<usize>(), expected.features.n_samples());
    let with_ids = expected.ids.is_some();
    assert_eq!(ids, expected.ids.unwrap_or_default(), "{paths:?}");
    let truth = reader.truth().unwrap();
    assert_eq!(truth.is_some(), expected.truth.is_some(), "{paths:?}");
    if let (Some(found), Some(expected)) = (truth, expected.truth) {
        common::assert_same_truth(&found.0, &expected);
    }
    with_ids
}

#[test]
fn tables_have_their_ids_truth_and_order() {
    let folder = tempfile::tempdir().unwrap();
    let values = Seed(2).rng(Stream::Subset).normal(3 * TABLE_ROWS * 3);
    let values = Array2::from_shape_vec((3 * TABLE_ROWS, 3), values).unwrap();
    type Write = fn(&Table<'_>) -> Vec<u8>;
    let formats: [(&str, Write); 6] = [
        ("csv", |table| table.csv()),
        ("jsonl", |table| table.json()),
        ("parquet", |table| table.parquet()),
        ("feather", |table| table.arrow()),
        ("arrows", |table| table.arrow_stream()),
        ("npz", |table| table.npz()),
    ];
    let orders: [&[&str]; 3] = [
        &["id", "c0", "c1", "c2", "label"],
        &["c2", "label", "c0", "c1", "id"],
        &["label", "id", "c1", "c2", "c0"],
    ];
    let part = |part: usize, columns| {
        let first = part * TABLE_ROWS;
        Table { features: values.slice(s![first..first + TABLE_ROWS, ..]), first, columns }
    };
    let write = |name: String, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let recipe = |names: Option<&[&str]>| Recipe {
        feature_names: names.map(|names| names.iter().map(|&name| name.into()).collect()),
        ..Recipe::default()
    };
    let mut mixed = Vec::new();
    for (number, (format, bytes)) in formats.into_iter().enumerate() {
        let paths: Vec<PathBuf> = (0..3)
            .map(|file| write(format!("{file}.{format}"), bytes(&part(file, orders[file]))))
            .collect();
        for names in [None, Some(&["c2", "c0"][..])] {
            assert!(assert_all_same(&paths, &recipe(names)), "{format} has ids");
        }
        let whole = Table { features: values.view(), first: 0, columns: orders[1] };
        assert!(assert_all_same(&[write(format!("whole.{format}"), bytes(&whole))], &recipe(None)));
        // Ids that one file lacks are refused, whichever it is; the truth is none.
        let bare = write(format!("bare.{format}"), bytes(&part(0, &["c1", "c0", "c2"])));
        if format != "npz" {
            for pair in [[paths[0].clone(), bare.clone()], [bare, paths[1].clone()]] {
                let error = FeaturesReader::open(&pair, &[], &recipe(None)).unwrap_err();
                common::assert_says(&error.to_string(), &["has ids, and", "bare", "has none"]);
                read_dataset_as(&pair, &[], &recipe(None)).unwrap_err();
            }
        }
        if format != "npz" && format != "csv" {
            let lists: Vec<PathBuf> = (0..3)
                .map(|file| {
                    let table =
                        part(file, [&["id", "v", "label"], &["v", "label", "id"]][file % 2]);
                    write(format!("v{file}.{format}"), bytes(&table))
                })
                .collect();
            assert!(assert_all_same(&lists, &recipe(None)), "{format}");
        }
        if format != "npz" {
            mixed.push(paths[number % 3].clone());
        }
    }
    assert!(assert_all_same(&mixed, &recipe(None)));
}

#[test]
fn a_table_is_not_read_to_its_end_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    let rows: String = (0..20_000).map(|row| format!("s{row},{row},1\n")).collect();
    fs::write(&path, format!("id,a,b\n{rows}bad,1,x\n")).unwrap();
    let mut reader = open(&[path]);
    let chunk = reader.next_chunk().unwrap().unwrap();
    assert_eq!(chunk.ids.unwrap().last().unwrap(), "s19999");
    let problem = reader.next_chunk().unwrap_err().to_string();
    assert!(problem.contains("line 20002, column 3"), "{problem}");
}
