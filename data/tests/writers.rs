//! What we write can be read back, and is the same every time.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Folder, assert_truth, load, rows};
use consilience_data::{read_dataset, read_integers, read_labels, write};
use ndarray::{Array2, array};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_table_comes_back(
        (rows, columns) in (1..9usize, 1..9usize),
        values in prop::collection::vec(-1e30_f32..1e30, 64),
        transposed: bool,
    ) {
        let folder = Folder::new();
        let values = values[..rows * columns].to_vec();
        let table = Array2::from_shape_vec((rows, columns), values).unwrap();
        let view = if transposed { table.t() } else { table.view() };
        let (npy, npz, csv) = (folder.path("x.npy"), folder.path("x.npz"), folder.path("x.csv"));
        write::npy(&npy, view).unwrap();
        write::npz(&npz, &[("X", view.into())]).unwrap();
        let line = |row: ndarray::ArrayView1<'_, f32>| {
            row.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        };
        let lines: Vec<_> = view.rows().into_iter().map(line).collect();
        std::fs::write(&csv, lines.join("\n")).unwrap();
        for path in [npy, npz, csv] {
            let dataset = load(&path);
            let offsets = dataset.recipe.offsets.as_ref();
            #[expect(clippy::cast_possible_truncation, reason = "they were written as such")]
            let original = |((_, feature), &value): ((usize, usize), &f32)| match offsets {
                Some(offsets) => offsets.original(feature, value) as f32,
                None => value,
            };
            let found: Vec<f32> = dataset.features.view().indexed_iter().map(original).collect();
            prop_assert_eq!(found, view.iter().copied().collect::<Vec<_>>());
        }
    }
}

#[test]
fn arrays_of_all_types_come_back() {
    let folder = Folder::new();
    let path = folder.path("x.npy");
    write::npy(&path, array![[0_u16, 65_535]].view()).unwrap();
    assert_eq!(read_integers(&path).unwrap(), array![[0, 65_535]].into_dyn());
    write::npy(&path, array![[-1_i32], [7]].view()).unwrap();
    assert_eq!(read_integers(&path).unwrap(), array![[-1], [7]].into_dyn());
    write::npy(&path, array![i64::MIN, i64::MAX].view()).unwrap();
    assert_eq!(read_integers(&path).unwrap(), array![i64::MIN, i64::MAX].into_dyn());
    assert_truth(&read_labels(&[path]).unwrap(), &[&i64::MIN.to_string(), &i64::MAX.to_string()]);
}

#[test]
fn archives_carry_data_and_labels() {
    let folder = Folder::new();
    let path = folder.path("x.npz");
    let (x, y) = (array![[1.5_f32, 2.0], [3.0, 4.0]], array![5_i32, 4]);
    write::npz(&path, &[("X", x.view().into()), ("y", y.view().into())]).unwrap();
    let dataset = load(&path);
    assert_eq!(rows(&dataset), [[1.5, 2.0], [3.0, 4.0]]);
    assert_truth(&dataset.truth.unwrap(), &["5", "4"]);
}

#[test]
fn archives_carry_rows_and_texts() {
    let folder = Folder::new();
    let path = folder.path("x.npz");
    let x = array![[1.5_f32, 2.0], [3.0, 4.0], [5.0, 6.0]];
    let row = |at: usize| x.row(2 - 2 * at).to_vec();
    let some = write::Member::F32Rows((2, 2), &row);
    let texts = ["\u{e9}", "", "a\u{1f600}c"];
    write::npz(&path, &[("X", some), ("id", write::Member::Texts(texts.to_vec()))]).unwrap();
    assert_eq!(rows(&load(&path)), [[5.0, 6.0], [1.5, 2.0]]);

    // As numpy.lib.format describes it: the header, then four bytes a character.
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut zip.by_name("id.npy").unwrap(), &mut bytes).unwrap();
    let (header, letters) = bytes.split_at(bytes.len() - 3 * 3 * 4);
    assert_eq!((&header[..8], header.len() % 64), (&b"\x93NUMPY\x01\0"[..], 0));
    let declared = u16::from_le_bytes([header[8], header[9]]);
    assert_eq!((usize::from(declared) + 10, header.last()), (header.len(), Some(&b'\n')));
    let description = String::from_utf8(header[10..].to_vec()).unwrap();
    common::assert_says(&description, &["'descr': '<U3'", "'shape': (3,)"]);
    let read: Vec<String> =
        letters.chunks(12).map(|text| text.chunks(4).map(letter).collect()).collect();
    assert_eq!(read, ["\u{e9}\0\0".to_owned(), "\0\0\0".into(), texts[2].into()]);
}

fn letter(bytes: &[u8]) -> char {
    u32::from_le_bytes(bytes.try_into().unwrap()).try_into().unwrap()
}

#[test]
fn the_same_arrays_give_the_same_bytes() {
    let folder = Folder::new();
    let (x, y) = (array![[1.5_f32, 2.0], [3.0, 4.0]], array![5_i64, 4]);
    let write_all = |name: &str| {
        let path = folder.path(name);
        let ids = write::Member::Texts(vec!["first", "second"]);
        write::npz(&path, &[("X", x.view().into()), ("y", y.view().into()), ("id", ids)]).unwrap();
        let npz = std::fs::read(path).unwrap();
        (npz, hdf5_bytes(&folder, name))
    };
    let first = write_all("first");
    // Zip counts in two seconds, HDF5 in one.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let second = write_all("second");
    assert!(first.0 == second.0, "npz differs");
    let differing = |(position, (a, b)): (usize, (&u8, &u8))| (a != b).then_some(position);
    let pairs = first.1.iter().zip(&second.1).enumerate();
    let positions: Vec<_> = pairs.filter_map(differing).collect();
    assert_eq!(first.1.len(), second.1.len());
    assert!(positions.is_empty(), "HDF5 differs at bytes {positions:?}");
}

#[cfg(not(feature = "hdf5"))]
fn hdf5_bytes(_folder: &Folder, _name: &str) -> Vec<u8> {
    Vec::new()
}

#[cfg(feature = "hdf5")]
fn hdf5_bytes(folder: &Folder, name: &str) -> Vec<u8> {
    let path = folder.path(&format!("{name}.h5"));
    let writer = consilience_data::hdf5_file::Writer::create(&path).unwrap();
    writer.write("votes", array![[1_u16, 2], [3, 4]].view()).unwrap();
    writer.write("rounds/0/probabilities", array![[[0.5_f32, 0.5]]].view()).unwrap();
    writer.write_texts("ids", &["first", "second", "third"]).unwrap();
    writer.attribute("votes", "shape", "(n_models, n_samples)").unwrap();
    writer.attribute("/", "program", "consilience").unwrap();
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn folders_that_are_not_there() {
    let folder = Folder::new();
    let path = folder.path("none/x.npy");
    let error = write::npy(&path, array![1.0_f32].view()).unwrap_err().to_string();
    common::assert_says(&error, &["none/x.npy", "cannot be written"]);
}

#[test]
fn a_set_given_twice_is_stacked() {
    let digits: std::path::PathBuf = "digits".into();
    let dataset = read_dataset(&[digits.clone(), digits], &[]).unwrap();
    assert_eq!(dataset.features.n_samples(), 2 * 1797);
    assert_eq!(dataset.truth.unwrap().n_samples(), 2 * 1797);
}

#[cfg(feature = "hdf5")]
mod hdf5_files {
    use consilience_data::hdf5_file::{Reader, Writer};
    use ndarray::{Array1, Array2, Array3};

    use super::*;

    #[test]
    fn arrays_and_texts_come_back() {
        let folder = Folder::new();
        let path = folder.path("run.h5");
        let writer = Writer::create(&path).unwrap();
        let votes = array![[1_u16, 65_535], [3, 4]];
        let probabilities = array![[[0.5_f32, 0.25]], [[0.0, 1.0]]];
        let samples = array![u32::MAX, 0];
        let integers = array![i64::MIN, i64::MAX];
        writer.write("votes", votes.t()).unwrap();
        writer.write("rounds/0/probabilities", probabilities.view()).unwrap();
        writer.write("samples", samples.view()).unwrap();
        writer.write("integers", integers.view()).unwrap();
        let texts = ["a/\u{e9}t\u{e9}.png", "", "longer than the others"];
        writer.write_texts("ids", &texts).unwrap();
        writer.write_texts("odd", &["a\0b"]).unwrap();
        writer.attribute("votes", "shape", "(n_models, n_samples)").unwrap();
        writer.attribute("/", "program", "consilience \u{2713}").unwrap();
        common::assert_says(
            &writer.write("votes", votes.view()).unwrap_err().to_string(),
            &["run.h5:votes", "cannot be written"],
        );
        writer.finish().unwrap();

        let reader = Reader::open(&path).unwrap();
        let names = ["/ids", "/integers", "/odd", "/rounds/0/probabilities", "/samples", "/votes"];
        assert_eq!(reader.names(), names);
        assert_eq!(reader.texts("ids").unwrap(), texts);
        assert_eq!(reader.texts("odd").unwrap(), ["a\u{fffd}b"]);
        assert!(reader.texts("votes").is_err());
        let read: Array2<u16> = reader.read("votes").unwrap();
        assert_eq!(read, votes.t());
        let read: Array3<f32> = reader.read("/rounds/0/probabilities").unwrap();
        assert_eq!(read, probabilities);
        let read: Array1<u32> = reader.read("samples").unwrap();
        assert_eq!(read, samples);
        let read: Array1<i64> = reader.read("integers").unwrap();
        assert_eq!(read, integers);
        assert_eq!(reader.attribute("votes", "shape").unwrap(), "(n_models, n_samples)");
        assert_eq!(reader.attribute("/", "program").unwrap(), "consilience \u{2713}");
        assert_eq!(rows(&load(&path)), [[1.0, 3.0], [65_535.0, 4.0]]);
    }

    #[test]
    fn what_is_not_there_as_asked_for_is_an_error() {
        let folder = Folder::new();
        let path = folder.path("run.h5");
        let writer = Writer::create(&path).unwrap();
        writer.write("votes", array![[1_i64]].view()).unwrap();
        common::assert_says(
            &writer.attribute("none", "shape", "()").unwrap_err().to_string(),
            &["run.h5:none", "cannot be written"],
        );
        writer.finish().unwrap();
        let reader = Reader::open(&path).unwrap();
        let error = |error: consilience_data::DataError| error.to_string();
        let message = error(reader.read::<u16, ndarray::Ix2>("votes").unwrap_err());
        common::assert_says(&message, &["run.h5:votes", "int64"]);
        let message = error(reader.read::<i64, ndarray::Ix1>("votes").unwrap_err());
        common::assert_says(&message, &["2-D"]);
        let message = error(reader.read::<i64, ndarray::Ix2>("none").unwrap_err());
        common::assert_says(&message, &["no dataset none", "/votes [1, 1]"]);
        common::assert_says(&error(reader.attribute("votes", "a").unwrap_err()), &["no text a"]);
        let missing = error(Reader::open(&folder.path("none.h5")).unwrap_err());
        common::assert_says(&missing, &["no such file"]);
        assert!(Writer::create(&folder.path("none/x.h5")).is_err());
    }
}
