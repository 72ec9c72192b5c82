//! Chunks of a file, put together, are what is read at once, in every format.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use consilience_data::write::{npy, npz};
use consilience_data::{FeaturesReader, Recipe, Seed, Stream, read_dataset};
use flate2::Compression;
use flate2::write::GzEncoder;
use ndarray::{Array2, ArrayView2, s};

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
    assert_eq!(open(&["digits".into()]).width(), None, "it is read when its turn comes");

    let mut reader = open(&[path("x.npz"), path("x.npz")]);
    assert_eq!((reader.n_samples(), reader.may_have_truth()), (Some(2 * ROWS), true));
    while reader.next_chunk().unwrap().is_some() {}
    assert_eq!(reader.truth().unwrap().unwrap().n_samples(), 2 * ROWS);
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
        ("bad.csv", "line 2, column 7"),
        ("narrow.npy", "only files of equal width"),
        ("gone.npy", "no such file"),
    ] {
        let found = problem(&["good.npy", name]);
        assert!(found.contains(words), "{name}: {found}");
    }
}
