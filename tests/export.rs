//! `consilience export`: pseudo-labels for other tools.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs::{self, File};
use std::io::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type, Int64Type};
use common::{LABELS, Sandbox, id, stderr, write_run};
use consilience_data::{read_dataset, read_integers};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    write_run(&sandbox, "run");
    sandbox
}

/// A pseudo-label as every format should give it back.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    sample: i64,
    id: String,
    label: i64,
    name: String,
    agreement: i64,
    margin: i64,
    confidence: f32,
    features: Vec<f32>,
}

/// Straight from the run's lines; cluster 1 is called cat.
fn expected() -> Vec<Row> {
    let row = |line: &&str| {
        let cells: Vec<&str> = line.split(',').collect();
        let sample: i64 = cells[0].parse().unwrap();
        let at = f32::from(u8::try_from(sample).unwrap());
        Row {
            sample,
            id: cells[1].into(),
            label: cells[2].parse().unwrap(),
            name: if cells[2] == "1" { "cat".into() } else { cells[2].into() },
            agreement: cells[3].parse().unwrap(),
            margin: cells[4].parse().unwrap(),
            confidence: cells[5].parse().unwrap(),
            features: vec![at / 8.0, (at + 12.0) / 8.0],
        }
    };
    LABELS.iter().map(row).collect()
}

#[test]
fn text_formats_and_parquet_hold_all_columns() {
    let sandbox = sandbox();
    for name in ["x.csv", "x.jsonl", "x.parquet"] {
        sandbox.done(&format!("export run points.npy --name 1=cat --out {name} --quiet"));
    }
    let csv: Vec<Row> = csv::Reader::from_path(sandbox.path("x.csv"))
        .unwrap()
        .records()
        .map(|line| {
            let line = line.unwrap();
            Row {
                sample: line[0].parse().unwrap(),
                id: line[1].into(),
                label: line[2].parse().unwrap(),
                name: line[3].into(),
                agreement: line[4].parse().unwrap(),
                margin: line[5].parse().unwrap(),
                confidence: line[6].parse().unwrap(),
                features: line.iter().skip(7).map(|cell| cell.parse().unwrap()).collect(),
            }
        })
        .collect();
    assert_eq!(csv, expected());
    let header = sandbox.text("x.csv").lines().next().unwrap().to_owned();
    assert_eq!(header, "sample,id,label,name,agreement,margin,confidence,x0,x1");

    let lines = sandbox.text("x.jsonl");
    let objects: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let wanted = expected().into_iter().map(|row| {
        json!({
            "sample": row.sample, "id": row.id, "label": row.label, "name": row.name,
            "agreement": row.agreement, "margin": row.margin, "features": row.features,
            "confidence": shortest(row.confidence),
        })
    });
    assert_eq!(objects, wanted.collect::<Vec<_>>());

    assert_eq!(parquet_rows(&sandbox, "x.parquet"), expected());
}

/// As JSON has it: the shortest decimal number, read as a double.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap()
}

fn parquet_rows(sandbox: &Sandbox, name: &str) -> Vec<Row> {
    let file = File::open(sandbox.path(name)).unwrap();
    let batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let mut rows = Vec::new();
    for batch in batches {
        let batch = batch.unwrap();
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let integer =
            |name: &str, row| i64::from(column(name).as_primitive::<Int32Type>().value(row));
        for row in 0..batch.num_rows() {
            let features = column("features").as_fixed_size_list().value(row);
            rows.push(Row {
                sample: column("sample").as_primitive::<Int64Type>().value(row),
                id: column("id").as_string::<i32>().value(row).into(),
                label: integer("label", row),
                name: column("name").as_string::<i32>().value(row).into(),
                agreement: integer("agreement", row),
                margin: integer("margin", row),
                confidence: column("confidence").as_primitive::<Float32Type>().value(row),
                features: features.as_primitive::<Float32Type>().values().to_vec(),
            });
        }
    }
    rows
}

#[test]
fn archives_take_the_features_from_where_the_run_had_them() {
    let sandbox = sandbox();
    sandbox.done("export run --out x.npz --quiet");
    let column = |name: &str| -> Vec<i64> {
        read_integers(&sandbox.path(&format!("x.npz:{name}"))).unwrap().into_iter().collect()
    };
    let of = |field: fn(&Row) -> i64| expected().iter().map(field).collect::<Vec<_>>();
    assert_eq!(column("y"), of(|row| row.label));
    assert_eq!(column("sample"), of(|row| row.sample));
    assert_eq!(column("agreement"), of(|row| row.agreement));
    assert_eq!(column("margin"), of(|row| row.margin));
    // What was exported can be clustered: X is found by its name.
    let features = read_dataset(&[sandbox.path("x.npz")], &[]).unwrap().features;
    let rows: Vec<Vec<f32>> = (0..7).map(|row| features.row(row).to_vec()).collect();
    assert_eq!(rows, expected().into_iter().map(|row| row.features).collect::<Vec<_>>());

    fs::remove_file(sandbox.path("points.npy")).unwrap();
    let refused = sandbox.run("export run --out y.npz --quiet");
    let message = stderr(&refused);
    assert_eq!(refused.status.code(), Some(2));
    assert!(message.contains("points.npy") && message.contains("--no-features"), "{message}");
    let told = sandbox.done("export run --out y.npz --no-features --json");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["n_exported"], &told["n_features"]), (&7.into(), &Value::Null));
    assert!(read_dataset(&[sandbox.path("y.npz")], &[]).is_err(), "no features");
}

#[cfg(feature = "hdf5")]
#[test]
fn hdf5_files_say_what_is_in_them() {
    use consilience_data::hdf5_file::Reader;
    use ndarray::{Array1, Array2};

    let sandbox = sandbox();
    sandbox.done("export run --out x.h5 --name 1=cat --quiet");
    let file = Reader::open(&sandbox.path("x.h5")).unwrap();
    let features: Array2<f32> = file.read("X").unwrap();
    let labels: Array1<i64> = file.read("y").unwrap();
    let confidences: Array1<f32> = file.read("confidence").unwrap();
    for (row, wanted) in expected().into_iter().enumerate() {
        assert_eq!(features.row(row).to_vec(), wanted.features);
        assert_eq!((labels[row], confidences[row]), (wanted.label, wanted.confidence));
    }
    let ids: Vec<String> = expected().into_iter().map(|row| row.id).collect();
    assert_eq!(file.texts("id").unwrap(), ids);
    assert_eq!(file.texts("names").unwrap(), ["0", "cat", "2"]);
    for name in file.names() {
        assert!(!file.attribute(&name, "meaning").unwrap().is_empty(), "{name}");
        assert!(file.attribute(&name, "shape").unwrap().starts_with('('), "{name}");
    }
}

#[test]
fn a_plain_export_is_the_runs_own_table_and_the_same_every_time() {
    let sandbox = sandbox();
    let told = sandbox.done("export run");
    assert!(told.contains("7 of 7 pseudo-labels") && told.contains("run-labels.csv"), "{told}");
    assert_eq!(sandbox.text("run-labels.csv"), sandbox.text("run/pseudo_labels.csv"));
    let mut formats = vec!["parquet", "npz"];
    formats.extend(cfg!(feature = "hdf5").then_some("hdf5"));
    for format in formats {
        let bytes = |name: &str| {
            sandbox.done(&format!("export run --format {format} --out {name} --quiet"));
            fs::read(sandbox.path(name)).unwrap()
        };
        assert!(bytes(&format!("{format}-1")) == bytes(&format!("{format}-2")), "{format}");
    }
    assert!(sandbox.files("").iter().all(|name| !name.contains("partial")));
}

#[test]
fn the_subset_is_the_surest() {
    let sandbox = sandbox();
    let samples = |flags: &str| -> Vec<i64> {
        sandbox.done(&format!(
            "export run --format parquet --out x.parquet points.npy --name 0=z {flags} -q"
        ));
        let rows = parquet_rows(&sandbox, "x.parquet");
        fs::remove_file(sandbox.path("x.parquet")).unwrap();
        rows.iter().map(|row| row.sample).collect()
    };
    assert_eq!(samples("--min-agree 4"), [0, 1, 4, 5, 6, 7]);
    assert_eq!(samples("--min-agree 75%"), [0, 1, 3, 4, 5, 6, 7], "three of four models");
    assert_eq!(samples("--min-confidence 0.75"), [0, 3, 5, 6, 7], "more than this");
    // Sample 6 is more confident than 0, 4 has a larger margin than 1 and 7.
    assert_eq!(samples("--balance"), [4, 5, 6]);
    assert_eq!(samples("--balance --min-size 2"), [0, 1, 3, 4, 6, 7], "label 2 has one");
    assert_eq!(samples("--per-class 2"), [0, 4, 5, 6, 7]);
    assert_eq!(samples("--per-class 2 --balance"), [4, 5, 6]);
    let told = sandbox.done("export run --per-class 2 --out two.csv");
    assert!(told.contains("5 of 7") && told.contains("fewer than 2"), "{told}");
}

#[test]
fn other_data_than_the_runs_are_refused() {
    let sandbox = sandbox();
    sandbox.file("short.csv", "1,2\n3,4\n");
    let refused = sandbox.run("export run short.csv --out x.npz");
    let message = stderr(&refused);
    assert_eq!(refused.status.code(), Some(2));
    assert!(message.contains("has 12 samples, the data 2"), "{message}");
    assert!(!sandbox.path("x.npz").exists());
}

#[cfg(unix)]
#[test]
fn folders_hold_links_to_images() {
    let sandbox = sandbox();
    for folder in ["images", "images/a", "images/b"] {
        fs::create_dir(sandbox.path(folder)).unwrap();
    }
    for sample in 0..12 {
        sandbox.file(&format!("images/{}", id(sample)), format!("image {sample}"));
    }
    sandbox.file("names.csv", "cluster,name\n0,cat/dog\n1,eel\n");
    sandbox.done("export run images --format folders --names names.csv --out deep/sorted");
    let files = sandbox.files("deep/sorted");
    let wanted = ["2/b_2.png", "cat_dog/a_0.png", "cat_dog/a_3.png", "cat_dog/b_1.png"];
    assert_eq!(files[..4], wanted);
    assert_eq!(sandbox.text("deep/sorted/cat_dog/b_1.png"), "image 3");
    let link = fs::read_link(sandbox.path("deep/sorted/cat_dog/b_1.png")).unwrap();
    assert_eq!(link.to_str().unwrap(), "../../../images/b/1.png");

    // Packed with its folder, as `zip -r` does it.
    let mut zip = zip::ZipWriter::new(File::create(sandbox.path("images.zip")).unwrap());
    for sample in 0..12 {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(format!("images/{}", id(sample)), options).unwrap();
        zip.write_all(format!("image {sample}").as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    sandbox.done("export run images.zip --format folders --out copies");
    assert_eq!(sandbox.text("copies/0/b_1.png"), "image 3");
    assert!(!sandbox.path("copies/0/b_1.png").is_symlink());

    // Two ids that are one name: "a/0.png" and "a_0.png".
    let renamed = sandbox.text("run/assignments.csv").replace("a/3.png", "a_0.png");
    sandbox.file("run/assignments.csv", renamed);
    sandbox.file("images/a_0.png", "image 6");
    sandbox.done("export run images --format folders --out met");
    assert_eq!(sandbox.text("met/0/a_0.png"), "image 0");
    assert_eq!(sandbox.text("met/0/6_a_0.png"), "image 6");

    fs::remove_file(sandbox.path("images/b/1.png")).unwrap();
    let refused = sandbox.run("export run images --format folders --out less");
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("has no image 'b/1.png'"), "{}", stderr(&refused));
    assert!(!sandbox.path("less").exists());
}
