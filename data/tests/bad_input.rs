//! Bad files: every one is an error of one line that says what, where and what to do.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{
    Folder, assert_says, csr, data_error, gzip, idx, label_error, npy, npy_f32, npy_i64, npz,
};
use consilience_data::{describe, read_dataset, read_labels};

#[test]
fn files_that_cannot_be_opened() {
    let folder = Folder::new();
    assert_says(
        &data_error(&folder.path("none.npy")),
        &["none.npy", "no such file", "check the path"],
    );
    assert_says(&data_error(&folder.path("none.h5:/x")), &["none.h5: no such file"]);
    assert_says(
        &data_error(folder.path(".").as_path()),
        &["no images (PNG, JPEG)", "name the folder that has them"],
    );
    assert_says(&label_error(&folder.path("none.txt")), &["no such file"]);
    assert_says(&read_dataset(&[], &[]).unwrap_err().to_string(), &["no data", "digits"]);
    assert!(read_labels(&[]).is_err());
    for name in ["x.npy", "x.npz", "x.idx", "x.csv", "x.h5", "x"] {
        assert_says(&data_error(&folder.file(name, "")), &[name, "empty (0 bytes)"]);
    }
}

#[test]
fn unknown_formats() {
    let folder = Folder::new();
    for (name, bytes) in [("x.dat", &b"hello world"[..]), ("x", b"ab")] {
        let words = ["unknown format", ".npy", ".npz", "IDX", ".csv", "HDF5"];
        assert_says(&data_error(&folder.file(name, bytes)), &words);
    }
}

#[test]
fn wrong_first_bytes() {
    let folder = Folder::new();
    for (name, format) in
        [("x.npy", ".npy"), ("x.npz", ".npz"), ("x-idx3-ubyte", "IDX"), ("x.h5", "HDF5")]
    {
        let message = data_error(&folder.file(name, "hello, world"));
        assert_says(&message, &[name, "does not start like", format, "68 65 6c 6c"]);
    }
    // Not gzip although the name says so: read as what it is.
    let path = folder.file("x-idx2-ubyte.gz", idx(8, &[1, 1], &[3]));
    assert!(read_dataset(&[path], &[]).is_ok());
}

#[test]
fn every_truncation_is_noticed() {
    let folder = Folder::new();
    let image = idx(8, &[4, 3], &[7; 12]);
    let archive = npz(&[("X", npy_f32(&[2, 3], &[1.0; 6]))]);
    let files =
        [("x.npy", npy_f32(&[2, 3], &[1.0; 6])), ("x.idx", image.clone()), ("x.npz", archive)];
    for (name, bytes) in files.into_iter().chain([("x.idx.gz", gzip(&image))]) {
        assert!(read_dataset(&[folder.file(name, &bytes)], &[]).is_ok());
        for len in 1..bytes.len() {
            let name = format!("{len}-{name}");
            let message = data_error(&folder.file(&name, &bytes[..len]));
            assert_says(&message, &[&name]);
        }
        let mut longer = bytes.clone();
        longer.push(0);
        if name == "x.npy" || name == "x.idx" {
            assert_says(&data_error(&folder.file(name, &longer)), &["bytes follow the values"]);
        }
    }
    let short = npy_f32(&[2, 3], &[1.0; 5]);
    let (found, expected) = (short.len(), short.len() + 4);
    let message = data_error(&folder.file("x.npy", short));
    let words = format!("truncated at byte {found}, {expected} are declared");
    assert_says(&message, &[&words, "copy or download"]);
    let message = data_error(&folder.file("x.idx", &image[..20]));
    assert_says(&message, &["truncated at byte 20, 24 are declared"]);
    assert_says(&data_error(&folder.file("y.npz", &b"PK\x03\x04....."[..])), &["zip archive"]);
}

#[test]
fn every_flipped_byte_is_noticed_or_harmless() {
    let folder = Folder::new();
    let sparse = npz(&csr("csr"));
    let image = gzip(&idx(8, &[4, 3], &[7; 12]));
    for (name, good) in [("x.npz", sparse), ("x.gz", image), ("x.npy", npy_f32(&[2, 1], &[1.0; 2]))]
    {
        for position in 0..good.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bytes = good.clone();
                bytes[position] ^= flip;
                // A name of its own: some file systems are slow to overwrite.
                let name = format!("{position}-{flip}-{name}");
                let _ = read_dataset(&[folder.file(&name, bytes)], &[]);
            }
        }
    }
}

#[test]
fn absurd_sizes_are_not_allocated() {
    let folder = Folder::new();
    let absurd = [
        ("x.npy", npy_f32(&[1 << 40, 1 << 20], &[])),
        ("y.npy", npy_f32(&[usize::MAX, usize::MAX], &[])),
        ("x.idx", idx(14, &[u32::MAX; 3], &[])),
        ("x.idx.gz", gzip(&idx(14, &[u32::MAX; 3], &[]))),
        ("x.npz", npz(&[("X", npy_f32(&[1 << 40, 1 << 20], &[]))])),
    ];
    for (name, bytes) in absurd {
        assert_says(&data_error(&folder.file(name, bytes)), &[name, "truncated"]);
    }
    let header = [b"\x93NUMPY\x02\x00", &u32::MAX.to_le_bytes()[..], b"{"].concat();
    assert_says(&data_error(&folder.file("x.npy", header)), &["header of 4294967295 bytes"]);
    let nested = [b"\x93NUMPY\x01\x00\xff\xff", &[b'('; 0xffff][..]].concat();
    assert_says(&data_error(&folder.file("x.npy", nested)), &["no valid 'fortran_order'"]);
    let mut wide = csr("csr");
    for columns in [1 << 60, 1 << 40] {
        wide[3].1 = npy_i64(&[2], &[2, columns]);
        assert_says(&data_error(&folder.file("x.npz", npz(&wide))), &["GiB", "fewer"]);
    }
}

#[test]
fn values_that_are_not_finite() {
    let folder = Folder::new();
    let nan = npy_f32(&[2, 2], &[0.0, 1.0, 2.0, f32::NAN]);
    let words = ["row 1, column 1", "NaN", "counted from 0"];
    assert_says(&data_error(&folder.file("x.npy", nan)), &words);
    for (text, place) in
        [("1,2\n3,nan\n", "missing values in column 2"), ("a,b\n1,-inf\n", "row 0, column 1")]
    {
        assert_says(&data_error(&folder.file("x.csv", text)), &["x.csv", place]);
    }
    // The row is that of the file, not of the stack.
    let good = folder.file("good.csv", "1,2\n");
    let bad = folder.file("bad.csv", "inf,2\n");
    let error = read_dataset(&[good, bad], &[]).unwrap_err().to_string();
    assert_says(&error, &["bad.csv", "row 0, column 0"]);
}

#[test]
fn text_that_is_no_table() {
    let folder = Folder::new();
    let error = |text: &str| data_error(&folder.file("x.csv", text));
    assert_says(&error("1,2\n\n3,4,5\n"), &["line 3 has 3 columns", "have 2"]);
    assert_says(&error("a,b\n1,2\n3,oops\n"), &["b has 1", "\"oops\" in line 3", "no number"]);
    assert_says(&error("1,2\n3,\n"), &["missing values in column 2 (1), of 2 rows"]);
    assert_says(&error("a,b\nc,d\n"), &["words in column 1 (2 distinct: a, c), column 2"]);
    for text in ["a,b\n", "# a,b\n", "# made by hand\n\nword\n"] {
        assert_says(&error(text), &["x.csv: no rows below the names of the columns; give"]);
    }
    assert_says(&error("1 2\n3 x\n"), &["column 2 has 1", "\"x\" in line 2"]);
    assert_says(&error("1 2\n3 4 5\n"), &["line 2 has 3 columns"]);
    assert_says(&error("\u{feff}a b\nc d\n"), &["words in column 1", "a b, c d"]);
    let later: String = (0..60).map(|row| format!("{row},{row}\n")).collect();
    let later = error(&format!("{later}61,oops\n"));
    assert_says(&later, &["line 61, column 2", "\"oops\"", "not a number"]);
    assert_says(&error("\n \n"), &["no samples"]);
    let binary = data_error(&folder.file("x.csv", [0xff; 4000]));
    assert!(binary.len() < 600, "{binary}");
}

#[test]
fn arrays_of_another_kind() {
    let folder = Folder::new();
    let error = |bytes: Vec<u8>| data_error(&folder.file("x.npy", bytes));
    assert_says(
        &error(npy("<U2", false, &[1, 1], &[0; 8])),
        &["strings", "\"<U2\"", "integers, floats"],
    );
    assert_says(&error(npy("|O", false, &[1, 1], &[0; 8])), &["Python objects"]);
    assert_says(&error(npy("<c8", false, &[1, 1], &[0; 8])), &["complex"]);
    assert_says(&error(npy_f32(&[3], &[1.0; 3])), &["shape [3]", "two dimensions or more"]);
    assert_says(&error(npy_f32(&[], &[1.0])), &["shape []"]);
    assert_says(&error(npy_f32(&[0, 3], &[])), &["no samples"]);
    assert_says(&error(npy_f32(&[3, 0], &[])), &["no samples or no features"]);
    let record = npy("X", false, &[1], &[0; 4]);
    let record = String::from_utf8_lossy(&record[10..]).replace("'X'", "[('a', '<f4')]");
    let length = [u8::try_from(record.find('\n').unwrap() + 1).unwrap(), 0];
    let record = [b"\x93NUMPY\x01\x00", &length[..], record.as_bytes()].concat();
    assert_says(&error(record), &["records"]);
    let labels = data_error(&folder.file("x.idx", idx(8, &[3], &[1, 2, 3])));
    assert_says(&labels, &["shape [3]", "two dimensions"]);
}

#[test]
fn archives_without_features() {
    let folder = Folder::new();
    for read in [data_error, label_error] {
        let message = read(&folder.file("x.npz", npz(&[])));
        assert_says(&message, &["x.npz: no arrays; it holds nothing"]);
    }
    let error = |members: &[(&str, Vec<u8>)]| data_error(&folder.file("x.npz", npz(members)));
    let matrix = || npy_f32(&[1, 2], &[0.0; 2]);
    let message = error(&[("y", npy_i64(&[2], &[1, 2]))]);
    assert_says(&message, &["no member X or x", "it holds y [2]"]);
    let message = error(&[("a", matrix()), ("b", matrix())]);
    assert_says(&message, &["only one", "a [1, 2], b [1, 2]"]);
    let message = error(&[("X", npy("<U1", false, &[1, 1], &[0; 4]))]);
    assert_says(&message, &["x.npz, member X", "strings"]);
    let message = error(&[("X", matrix()), ("y", npy_i64(&[3], &[1, 2, 3]))]);
    assert_says(&message, &["x.npz, labels beside the data", "3 labels for 1 samples"]);
}

#[test]
fn sparse_matrices_that_contradict_themselves() {
    let folder = Folder::new();
    let change = |member: usize, bytes: Vec<u8>| {
        let mut members = csr("csr");
        members[member].1 = bytes;
        data_error(&folder.file("x.npz", npz(&members)))
    };
    assert_says(
        &change(2, npy_i64(&[3], &[0, 4, 3])),
        &["x.npz", "sparse", "not ascending", "scipy"],
    );
    assert_says(&change(1, npy_i64(&[3], &[1, 0, 3])), &["index 3 in row 1", "3 columns"]);
    assert_says(&change(1, npy_i64(&[2], &[1, 0])), &["2 indices for 3 data"]);
    assert_says(&change(1, npy_f32(&[3], &[0.5, 0.0, 1.0])), &["indices holds 0.5"]);
    assert_says(&change(2, npy_i64(&[2], &[0, 3])), &["2 entries for 2 rows"]);
    assert_says(&change(3, npy_i64(&[2], &[-2, 3])), &["shape is not two lengths"]);
    assert_says(&change(3, npy_i64(&[1], &[2])), &["shape is not two lengths"]);
    let message = data_error(&folder.file("x.npz", npz(&csr("lil"))));
    assert_says(&message, &["format \"lil\"", "tocsr"]);
    let message = data_error(&folder.file("x.npz", npz(&csr("csr")[..3])));
    assert_says(&message, &["no member shape", "it holds data, indices, indptr"]);
}

#[test]
fn files_of_another_width() {
    let folder = Folder::new();
    let paths = [folder.file("a.csv", "1,2\n"), folder.file("b.csv", "1,2,3\n")];
    let message = read_dataset(&paths, &[]).unwrap_err().to_string();
    assert_says(&message, &["b.csv: 3 columns", "a.csv has 2"]);
    assert_eq!(describe(&paths).unwrap().len(), 2);
}

#[test]
fn labels_that_do_not_fit() {
    let folder = Folder::new();
    let data = folder.file("x.csv", "1,2\n3,4\n");
    let labels = folder.file("y.txt", "1\n2\n3\n");
    let message = read_dataset(&[data], &[labels]).unwrap_err().to_string();
    assert_says(&message, &["y.txt", "3 labels for 2 samples"]);

    let error = |name: &str, bytes: &[u8]| label_error(&folder.file(name, bytes));
    assert_says(&error("y.csv", b"1\n2.5\n"), &["y.csv", "label 1", "2.5", "whole"]);
    assert_says(&error("y.csv", b"1\nnan\n"), &["row 1 has no label"]);
    assert_says(&error("y.csv", b"1\n\n2\n"), &["line 2 is empty"]);
    assert_says(
        &error("y.csv", b"1,2\n3,4\n"),
        &["no column is called like labels", "--label-column"],
    );
    assert_says(&error("y.txt", b"\n\n"), &["no labels"]);
    assert_says(&error("y.csv", b"label\n"), &["no labels"]);
    assert_says(&error("y.npy", &npy_f32(&[2], &[0.0, f32::NAN])), &["row 1 has no label"]);
    assert_says(&error("y.npy", &npy_f32(&[2], &[0.5, 1.0])), &["label 0", "0.5"]);
    assert_says(&error("y.npy", &npy_f32(&[1], &[1e30])), &["whole numbers below 2^53"]);
    assert_says(&error("y.npy", &npy("<u8", false, &[1], &[0xff; 8])), &["label 0"]);
    assert_says(
        &error("y.npy", &npy_i64(&[2, 2], &[1; 4])),
        &["shape [2, 2]", "one label a sample"],
    );
    assert_says(&error("y.npy", &npy_i64(&[], &[1])), &["shape []"]);
    assert_says(&error("y.npy", &npy_i64(&[0], &[])), &["no labels"]);
    let two = npz(&[("a", npy_i64(&[1], &[1])), ("b", npy_i64(&[1], &[1]))]);
    assert_says(&error("y.npz", &two), &["no member y or labels", "a [1], b [1]"]);
}

#[test]
fn a_dataset_in_a_file_that_has_none() {
    let folder = Folder::new();
    folder.file("x.npy", npy_f32(&[1, 1], &[0.0]));
    let words = ["x.npy:/a: no dataset or member", "only HDF5 and .npz", "name the file alone"];
    assert_says(&data_error(&folder.path("x.npy:/a")), &words);
    folder.file("x.npz", npz(&[("a", npy_f32(&[1, 1], &[0.0]))]));
    assert_says(&data_error(&folder.path("x.npz:b")), &["x.npz: no member b; it holds a"]);
    assert_says(&data_error(&folder.path("none.npz:b")), &["none.npz: no such file"]);
}

#[cfg(not(feature = "hdf5"))]
#[test]
fn without_hdf5_the_error_says_so() {
    let folder = Folder::new();
    let path = folder.file("x.h5", b"\x89HDF\r\n\x1a\nrest");
    assert_says(&data_error(&path), &["x.h5", "built without HDF5", "--features hdf5"]);
}

#[cfg(feature = "hdf5")]
#[test]
fn datasets_that_cannot_be_read() {
    let folder = Folder::new();
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/h5py.h5");
    let dataset = |name: &str| format!("{}:{name}", fixture.display());
    let error = |name: &str| data_error(std::path::Path::new(&dataset(name)));
    assert_says(&error("/none"), &["no dataset /none", "/gzip [6, 4]", "/types/u1 [6, 4]"]);
    assert_says(&data_error(&fixture), &["2-D dataset that is the only one", ":/NAME", "/gzip"]);
    assert_says(&error("/y"), &["shape [6]", "two dimensions"]);
    assert_says(&error("/words"), &["HDF5 type", "integers, floats"]);
    assert_says(&error("/absurd"), &["truncated"]);
    let bytes = std::fs::read(&fixture).unwrap();
    let half = folder.file("half.h5", &bytes[..bytes.len() / 2]);
    assert_says(&data_error(&half), &["half.h5", "truncated file", "copy or download"]);
    let start = folder.file("start.h5", &bytes[..9]);
    assert_says(&data_error(&start), &["start.h5"]);
    assert_says(&label_error(&half), &["half.h5"]);
}
