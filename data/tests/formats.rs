//! Good files of every format.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};

use common::{Folder, assert_truth, csr, gzip, idx, load, npy, npy_f32, npy_i64, npz, rows};
use consilience_data::{describe, read_dataset, read_integers, read_labels};

const TABLE: [[f32; 2]; 3] = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]];

/// What the fixtures hold: 4 i + j - 3, without a sign 4 i + j.
fn expected(name: &str) -> Vec<Vec<f32>> {
    let value = |row: u8, column: u8| match name.trim_start_matches('>').as_bytes()[0] {
        b'u' => f32::from(4 * row + column),
        b'b' => f32::from((row + column) % 2),
        _ => f32::from(4 * row + column) - 3.0,
    };
    (0..6).map(|row| (0..4).map(|column| value(row, column)).collect()).collect()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

#[test]
fn every_type_that_numpy_writes() {
    let folder = Folder::new();
    let file = std::fs::File::open(fixture("numpy_types.npz")).unwrap();
    let mut zip = zip::ZipArchive::new(file).unwrap();
    assert_eq!(zip.len(), 18);
    for member in 0..zip.len() {
        let mut member = zip.by_index(member).unwrap();
        let name = member.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        std::io::copy(&mut member, &mut bytes).unwrap();
        for bytes in [gzip(&bytes), bytes] {
            let dataset = load(&folder.file("x.npy", bytes));
            assert_eq!(rows(&dataset), expected(&name), "{name}");
        }
    }
}

#[test]
fn the_same_bytes_by_any_name() {
    let folder = Folder::new();
    let bytes: Vec<u8> = (0..12).collect();
    let image = idx(8, &[3, 2, 2], &bytes);
    for (name, bytes) in [
        ("train-images-idx3-ubyte", image.clone()),
        ("train-images-idx3-ubyte.gz", gzip(&image)),
        ("x.idx", image.clone()),
        ("nothing_to_tell", image.clone()),
        ("packed.data", gzip(&image)),
    ] {
        let dataset = load(&folder.file(name, bytes));
        assert_eq!(dataset.features.view().dim(), (3, 4), "{name}");
        assert_eq!(dataset.features.row(2), [8.0, 9.0, 10.0, 11.0]);
        assert_eq!(dataset.parts[0].shape, [3, 2, 2]);
    }
    assert_eq!(rows(&load(&folder.file("y", npy_f32(&[1, 2], &[1.5, 2.5])))), [[1.5, 2.5]]);
    let archive = npz(&[("X", npy_f32(&[1, 1], &[7.0]))]);
    assert_eq!(rows(&load(&folder.file("z", archive))), [[7.0]]);
}

#[test]
fn every_type_of_idx() {
    let folder = Folder::new();
    let cases: [(u8, Vec<u8>); 6] = [
        (8, vec![1, 2]),
        (9, vec![1, 2]),
        (11, [1_i16, 2].iter().flat_map(|value| value.to_be_bytes()).collect()),
        (12, [1_i32, 2].iter().flat_map(|value| value.to_be_bytes()).collect()),
        (13, [1_f32, 2.0].iter().flat_map(|value| value.to_be_bytes()).collect()),
        (14, [1_f64, 2.0].iter().flat_map(|value| value.to_be_bytes()).collect()),
    ];
    for (kind, body) in cases {
        let dataset = load(&folder.file("x.idx", idx(kind, &[2, 1], &body)));
        assert_eq!(rows(&dataset), [[1.0], [2.0]], "type {kind}");
    }
}

#[test]
fn tables_of_text() {
    let folder = Folder::new();
    // A first line 0,1 would be names.
    let table = [[1.0, 0.0], [2.0, 3.0], [4.0, 5.0]];
    for (name, text, delimiter, header) in [
        ("plain.csv", "1,0\n2,3\n4,5\n", ',', false),
        ("no_last_newline.csv", "1,0\n2,3\n4,5", ',', false),
        ("windows.csv", "\u{feff}a,b\r\n1,0\r\n2,3\r\n4,5\r\n", ',', true),
        ("quoted.csv", "\"a, b\",\"c\"\n\"1\",0\n2, 3 \n4,5.0\n\n", ',', true),
        ("partial_header.csv", "0,width\n1,0\n2,3\n4,5\n", ',', true),
        ("tabs.tsv", "1\t0\n\n2\t3\n4e0\t5\n", '\t', false),
        ("semicolons.csv", "x;y\n1;0\n2;3\n4;5\n", ';', true),
        ("blanks.txt", "1 0\n 2.0e+00   3\n4 5\n", ' ', false),
        ("named.txt", "x y\n1 0\n2 3\n4 5\n", ' ', true),
        ("savetxt.txt", "# x y\n1 0\n2 3\n4 5\n", ' ', true),
        ("comment.csv", "# made by me\n1,0\n2,3\n4,5\n", ',', false),
    ] {
        for (name, bytes) in [
            (name.to_owned(), text.as_bytes().to_vec()),
            (format!("{name}.gz"), gzip(text.as_bytes())),
        ] {
            let dataset = load(&folder.file(&name, bytes));
            assert_eq!(rows(&dataset), table, "{name}");
            let info = &dataset.parts[0];
            assert_eq!((info.delimiter, info.header), (Some(delimiter), Some(header)), "{name}");
        }
    }
    let column = load(&folder.file("column.csv", "1\n2\n"));
    assert_eq!(rows(&column), [[1.0], [2.0]]);
    assert_eq!(column.parts[0].delimiter, None);
}

#[test]
fn dense_archives_and_the_truth_in_them() {
    let folder = Folder::new();
    let x = npy_f32(&[2, 1], &[3.0, 4.0]);
    let y = npy_i64(&[2], &[8, 6]);
    for members in [
        vec![("X", x.clone()), ("other", npy_f32(&[1, 1], &[0.0])), ("y", y.clone())],
        vec![("x", x.clone()), ("labels", y.clone())],
        vec![("embedding", x.clone()), ("y", y.clone())],
    ] {
        let dataset = load(&folder.file("a.npz", npz(&members)));
        assert_eq!(rows(&dataset), [[3.0], [4.0]]);
        assert_truth(dataset.truth.as_ref().unwrap(), &["8", "6"]);
        assert!(dataset.parts[0].has_truth);
    }
    // An array that is chosen is read as such.
    let chosen = load(&folder.path("a.npz:embedding"));
    assert_eq!((rows(&chosen), chosen.name.as_str()), (vec![vec![3.0], vec![4.0]], "a"));
    assert!(chosen.truth.is_none());
    assert_truth(&read_labels(&[folder.path("a.npz:/y")]).unwrap(), &["8", "6"]);
    let bare = load(&folder.file("b.npz", npz(&[("X", x)])));
    assert!(bare.truth.is_none() && !bare.parts[0].has_truth);
    assert_eq!((bare.name.as_str(), bare.n_clusters), ("b", None));
}

#[test]
fn sparse_archives() {
    let folder = Folder::new();
    let mut members = csr("csr");
    members.push(("y", npy_i64(&[2], &[1, 0])));
    let dataset = load(&folder.file("a.npz", npz(&members)));
    assert_eq!(rows(&dataset), [[0.0, 5.0, 0.0], [7.0, 0.0, 6.0]]);
    assert_truth(dataset.truth.as_ref().unwrap(), &["1", "0"]);
    assert_eq!(dataset.parts[0].format, "NPZ, sparse (CSR), float32");
}

#[test]
fn labels_of_every_format() {
    let folder = Folder::new();
    let floats: Vec<u8> = [3_f64, 1.0, 3.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    let archive = |name| npz(&[("X", npy_f32(&[1, 1], &[0.0])), (name, npy_i64(&[3], &[3, 1, 3]))]);
    let mnist = idx(8, &[3], &[3, 1, 3]);
    for (name, bytes) in [
        ("a.npy", npy_i64(&[3], &[3, 1, 3])),
        ("column.npy", npy_i64(&[3, 1], &[3, 1, 3])),
        ("row.npy", npy_i64(&[1, 3], &[3, 1, 3])),
        ("float.npy", npy("<f8", false, &[3], &floats)),
        ("y.npz", archive("y")),
        ("labels.npz", archive("labels")),
        ("only.npz", archive("anything")),
        ("train-labels-idx1-ubyte", mnist.clone()),
        ("train-labels-idx1-ubyte.gz", gzip(&mnist)),
        ("plain.csv", b"3\n1\n3\n".to_vec()),
        ("header.csv", b"digit\n3\n1\n3".to_vec()),
        ("float.csv", b"3.0\r\n1.0\r\n3.0\r\n".to_vec()),
        ("plain.txt", b"3\n1\n3\n\n".to_vec()),
    ] {
        assert_truth(&read_labels(&[folder.file(name, bytes)]).unwrap(), &["3", "1", "3"]);
    }
    for (name, text) in [
        ("words.csv", "cat\n\"a, dog\"\ncat\n"),
        ("header.csv", "Label\ncat\n\"a, dog\"\ncat\n"),
        ("words.txt", "cat\na, dog\ncat"),
    ] {
        let truth = read_labels(&[folder.file(name, text)]).unwrap();
        assert_truth(&truth, &["cat", "a, dog", "cat"]);
    }
}

#[test]
fn files_are_stacked_in_order() {
    let folder = Folder::new();
    let data = [
        folder.file("first.csv", "0,1\n"),
        folder.file("second.npy", npy_f32(&[2, 2], &[2.0, 3.0, 4.0, 5.0])),
    ];
    let labels = [folder.file("a.txt", "2\n"), folder.file("b.npy", npy_i64(&[2], &[1, 10]))];
    let dataset = read_dataset(&data, &labels).unwrap();
    assert_eq!(rows(&dataset), TABLE);
    assert_truth(dataset.truth.as_ref().unwrap(), &["2", "1", "10"]);
    assert_eq!((dataset.name.as_str(), dataset.parts.len()), ("first", 2));
    assert!(read_dataset(&data, &[]).unwrap().truth.is_none());
}

#[test]
fn given_labels_win_over_labels_beside_the_data() {
    let folder = Folder::new();
    let members = [("X", npy_f32(&[2, 1], &[3.0, 4.0])), ("y", npy_i64(&[5], &[1, 2, 3, 4, 5]))];
    let data = folder.file("a.npz", npz(&members));
    let labels = folder.file("y.txt", "6\n7\n");
    let dataset = read_dataset(&[data], &[labels]).unwrap();
    assert_truth(dataset.truth.as_ref().unwrap(), &["6", "7"]);
}

#[test]
fn the_embedded_digits() {
    let dataset = load(Path::new("digits"));
    assert_eq!(dataset.features.view().dim(), (1797, 64));
    let values = dataset.features.as_slice();
    assert!(values.iter().all(|&value| value.fract() == 0.0 && (0.0..=16.0).contains(&value)));
    // The first row of scikit-learn's load_digits: a zero.
    assert_eq!(dataset.features.row(0)[..8], [0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0]);
    assert_eq!((dataset.name.as_str(), dataset.n_clusters), ("digits", Some(10)));
    let truth = dataset.truth.unwrap();
    assert_eq!(common::class_counts(&truth), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    assert_eq!(read_labels(&["digits".into()]).unwrap().n_samples(), 1797);
}

#[test]
fn integers_keep_their_shape_and_sign() {
    let folder = Folder::new();
    let votes = read_integers(&folder.file("v.npy", npy_i64(&[2, 2], &[-1, 0, 1, 1 << 60])));
    assert_eq!(votes.unwrap(), ndarray::array![[-1, 0], [1, 1 << 60]].into_dyn());
    let error = read_integers(&folder.file("v.npy", npy_f32(&[2], &[1.0, 0.5]))).unwrap_err();
    common::assert_says(&error.to_string(), &["v.npy", "value 1", "0.5", "integers"]);
    let error = read_integers(&folder.file("v.csv", "1,2\n")).unwrap_err().to_string();
    common::assert_says(&error, &["v.csv", "a table", "an array"]);
}

#[test]
fn descriptions_say_what_was_understood() {
    let folder = Folder::new();
    let paths = [
        folder.file("a.npy", npy("<f4", true, &[1, 1], &[0; 4])),
        folder.file("b.gz", gzip(&idx(8, &[1, 2, 3], &[0; 6]))),
        folder.file("c.csv", "a,b\n1,2\n"),
        "digits".into(),
    ];
    let infos = describe(&paths).unwrap();
    let formats: Vec<_> = infos.iter().map(|info| info.format.as_str()).collect();
    assert_eq!(
        formats,
        ["NPY, float32, Fortran order", "IDX, gzip, uint8", "CSV", "embedded set, NPZ, uint8"]
    );
    assert_eq!(infos[3].member.as_deref(), Some("X"));
    assert!(infos[3].has_truth && infos[1].shape == [1, 2, 3]);
}

#[cfg(feature = "hdf5")]
#[test]
fn datasets_that_h5py_writes() {
    for name in ["u1", "i8", "f2", "f4", "f8", "b1", ">f8"] {
        let dataset = load(&fixture(&format!("h5py.h5:/types/{name}")));
        assert_eq!(rows(&dataset), expected(name), "{name}");
        assert_eq!(dataset.name, "h5py");
    }
    let packed = load(&fixture("h5py.h5:gzip"));
    assert_eq!(rows(&packed), expected("f4"));
    assert_eq!(packed.parts[0].format, "HDF5, float32, chunked, gzip");
    assert_eq!(packed.parts[0].member.as_deref(), Some("/gzip"));
    assert_eq!(rows(&load(&fixture("h5py.h5:/cube"))), expected("i8"));
    let labels = read_labels(&[fixture("h5py.h5:/y")]).unwrap();
    assert_truth(&labels, &["0", "1", "2", "0", "1", "2"]);
}

/// h5py and others leave links by name: some lead nowhere, others to what is there anyway.
#[cfg(feature = "hdf5")]
#[test]
fn links_by_name_hide_no_dataset() {
    let folder = Folder::new();
    let path = folder.path("x.h5");
    let file = hdf5::File::create(&path).unwrap();
    let values = ndarray::array![[1.0_f32, 2.0], [3.0, 5.0], [2.0, 9.0]];
    file.new_dataset_builder().with_data(&values).create("X").unwrap();
    file.link_soft("/nothing", "gone").unwrap();
    file.link_soft("/X", "latest").unwrap();
    drop(file);
    let data = load(&path);
    assert_eq!((data.features.n_samples(), data.parts[0].member.as_deref()), (3, Some("/X")));
}
