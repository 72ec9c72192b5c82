//! Arrays, archives and folders that went wrong once, or that are made to fill the memory.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use common::{
    Folder, assert_says, assert_truth, data_error, gzip, load, npy, npy_f32, npy_i64, npz, rows,
};
use consilience_data::{
    FeaturesReader, ReadOptions, Recipe, read_dataset, read_dataset_with, read_labels,
};
use image::{ImageBuffer, ImageFormat, Luma, RgbImage, RgbaImage};
use zip::write::SimpleFileOptions;

fn sparse(format: &str, shape: [i64; 2], members: &[(&'static str, Vec<u8>)]) -> Vec<u8> {
    let mut all = members.to_vec();
    all.push(("format", npy(&format!("|S{}", format.len()), false, &[], format.as_bytes())));
    all.push(("shape", npy_i64(&[2], &shape)));
    npz(&all)
}

/// Rows of `matrix.toarray()` of SciPy 1.17 for the same parts.
#[test]
fn every_sparse_format_of_scipy() {
    let folder = Folder::new();
    let read = |bytes: Vec<u8>| rows(&load(&folder.file("x.npz", bytes)));
    let six = npy_f32(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let members = [("data", six), ("offsets", npy_i64(&[2], &[0, -1]))];
    let dia = [[1.0, 0.0, 0.0], [4.0, 2.0, 0.0], [0.0, 5.0, 3.0], [0.0, 0.0, 6.0]];
    assert_eq!(read(sparse("dia", [4, 3], &members)), dia);
    let four = || npy_f32(&[4], &[1.0, 2.0, 3.0, 4.0]);
    let (row, column) = (npy_i64(&[4], &[2, 0, 1, 0]), npy_i64(&[4], &[1, 0, 2, 0]));
    let coo = sparse("coo", [3, 3], &[("row", row), ("col", column), ("data", four())]);
    // What is there twice is added up.
    assert_eq!(read(coo), [[6.0, 0.0, 0.0], [0.0, 0.0, 3.0], [0.0, 1.0, 0.0]]);
    let pointers = npy_i64(&[4], &[0, 1, 3, 4]);
    let indices = npy_i64(&[4], &[1, 0, 2, 1]);
    let members = [("data", four()), ("indices", indices), ("indptr", pointers)];
    let by_column = [[0.0, 2.0, 0.0], [1.0, 0.0, 4.0], [0.0, 3.0, 0.0]];
    assert_eq!(read(sparse("csc", [3, 3], &members)), by_column);
    let by_row = [[0.0, 1.0, 0.0], [2.0, 0.0, 3.0], [0.0, 4.0, 0.0]];
    assert_eq!(read(sparse("csr", [3, 3], &members)), by_row);
    let blocks = npy_f32(&[2, 1, 2], &[1.0, 2.0, 3.0, 4.0]);
    let (pointers, indices) = (npy_i64(&[3], &[0, 1, 2]), npy_i64(&[2], &[1, 0]));
    let members = [("data", blocks), ("indices", indices), ("indptr", pointers)];
    let expected = [[0.0, 0.0, 1.0, 2.0], [3.0, 4.0, 0.0, 0.0]];
    assert_eq!(read(sparse("bsr", [2, 4], &members)), expected);
    let message = data_error(&folder.file("x.npz", sparse("lil", [2, 4], &members)));
    assert_says(&message, &["\"lil\"", "CSR, CSC, COO, DIA or BSR"]);
    let members = [("data", four()), ("indices", npy_i64(&[4], &[0; 4]))];
    let message = data_error(&folder.file("x.npz", sparse("dia", [2, 4], &members)));
    assert_says(&message, &["x.npz", "member offsets"]);
}

#[test]
fn labels_beside_an_array_are_what_they_are_in_a_table() {
    let folder = Folder::new();
    let x = npy_f32(&[2, 1], &[3.0, 4.0]);
    let words = npy("|S3", false, &[2], b"catdog");
    let ids = npy_i64(&[2], &[7, 5]);
    for name in ["target", "label", "class", "y"] {
        let members = [("X", x.clone()), (name, words.clone()), ("ids", ids.clone())];
        let data = load(&folder.file("x.npz", npz(&members)));
        assert_truth(data.truth.as_ref().unwrap(), &["cat", "dog"]);
        assert_eq!(data.parts[0].truth_from.as_deref(), Some(format!("member {name}").as_str()));
        assert_eq!(data.ids.unwrap(), ["7", "5"]);
    }
    let members = [("X", x), ("kind", words), ("other", npy_f32(&[3], &[0.0; 3]))];
    let path = folder.file("x.npz", npz(&members));
    let options = ReadOptions { label_column: Some("kind".into()), ..ReadOptions::default() };
    let data = read_dataset_with(std::slice::from_ref(&path), &[], &options).unwrap();
    assert_truth(&data.truth.unwrap(), &["cat", "dog"]);
    let left_aside = load(&path).parts[0].left_aside.clone();
    assert_eq!(left_aside, ["member kind", "member other (shape [3])"]);
}

#[test]
fn arrays_of_strings_are_labels() {
    let folder = Folder::new();
    let letters: Vec<u8> = "aba".chars().flat_map(|letter| (letter as u32).to_le_bytes()).collect();
    let labels = folder.file("u4.npy", npy("<U1", false, &[3], &letters));
    assert_truth(&read_labels(&[labels]).unwrap(), &["a", "b", "a"]);
}

#[test]
fn numbers_of_64_bits_keep_what_tells_them_apart() {
    let folder = Folder::new();
    // Times in ms, two groups a second apart, which 32 bits can't tell apart.
    let times = [1_700_000_000_000_i64, 1_700_000_001_000, 1_700_000_000_001, 1_700_000_001_001];
    let data = load(&folder.file("x.npy", npy_i64(&[4, 1], &times)));
    let values = data.features.as_slice();
    assert_eq!(values[1] - values[0], 1000.0);
    assert_eq!(data.recipe.original(0, values[3]), 1_700_000_001_001.0);
    let turned: Vec<u8> = [1.0_f64, 4.0, 2.0, 5.0, 3.0, 6.0].map(f64::to_le_bytes).concat();
    let data = load(&folder.file("f.npy", npy("<f8", true, &[2, 3], &turned)));
    assert_eq!(rows(&data), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
}

fn png(alpha: bool) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    match alpha {
        true => RgbaImage::new(2, 2).write_to(&mut bytes, ImageFormat::Png).unwrap(),
        false => RgbImage::new(2, 2).write_to(&mut bytes, ImageFormat::Png).unwrap(),
    }
    bytes.into_inner()
}

/// An archive with an image in each folder; the names are those that a zip has if nobody says what they are.
fn zip_of(folders: &[&[u8]]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..folders.len() {
        for file in 0..2 {
            let name = format!("{number:#<3}/{file}.png");
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(&png(false)).unwrap();
        }
    }
    let mut bytes = zip.finish().unwrap().into_inner();
    for (number, folder) in folders.iter().enumerate() {
        let from = format!("{number:#<3}/");
        for start in 0..bytes.len() - from.len() {
            if bytes[start..].starts_with(from.as_bytes()) {
                bytes[start..start + folder.len()].copy_from_slice(folder);
            }
        }
    }
    bytes
}

#[test]
fn folders_in_a_zip_are_classes_whatever_they_are_called() {
    let folder = Folder::new();
    let classes = |folders: &[&[u8]]| {
        let data = load(&folder.file("x.zip", zip_of(folders)));
        let (mut names, notes) =
            (data.truth.unwrap().names().to_vec(), data.parts[0].notes.join(" "));
        names.sort();
        (names, notes)
    };
    let (gbk, notes) = classes(&[b"\xb9\xb71", b"\xd3\xe31", b"\xc4\xf11"]);
    assert_eq!(gbk, ["狗1", "鱼1", "鸟1"]);
    assert_says(&notes, &["aren't UTF-8", "GBK", "--encoding"]);
    let (cp437, notes) = classes(&[b"th\x82", b"\x94de", b"cat"]);
    assert_eq!(
        (cp437.as_slice(), notes.contains("CP437")),
        (&["cat", "thé", "öde"].map(String::from)[..], true)
    );
    assert_eq!(classes(&[b"th\xe9", b"\xf6de", b"cat"]).0, ["cat", "thé", "öde"]);
    assert_eq!(
        classes(&["ö1".as_bytes(), b"dog", b"cat"]),
        (["cat", "dog", "ö1"].map(String::from).to_vec(), String::new())
    );
}

#[test]
fn transparency_is_said() {
    let folder = Folder::new();
    fs::create_dir(folder.path("images")).unwrap();
    folder.file("images/a.png", png(true));
    folder.file("images/b.png", png(false));
    let data = load(&folder.path("images"));
    assert_eq!(data.features.row(0)[0], 255.0);
    assert_eq!(data.parts[0].notes, ["1 of 2 images may be transparent: put on white"]);
}

#[test]
fn what_16_bits_a_channel_become_is_said() {
    let folder = Folder::new();
    fs::create_dir(folder.path("images")).unwrap();
    let deep = ImageBuffer::<Luma<u16>, _>::from_pixel(2, 2, Luma([0x1234]));
    deep.save(folder.path("images/a.png")).unwrap();
    folder.file("images/b.png", png(false));
    let data = load(&folder.path("images"));
    assert_eq!(data.features.row(0)[0], 18.0);
    assert_says(&data.parts[0].notes.join(" "), &["1 of 2 images", "16 bits", "rounded to 8"]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_once() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    let root = folder.path("images");
    fs::create_dir_all(root.join("z")).unwrap();
    folder.file("images/z/1.png", png(false));
    folder.file("images/2.png", png(false));
    symlink(&root, root.join("a")).unwrap();
    symlink("z", root.join("b")).unwrap();
    symlink("nowhere", root.join("c.png")).unwrap();
    assert_eq!(load(&root).ids.unwrap(), ["2.png", "z/1.png"]);
    let other = folder.path("other");
    fs::create_dir(&other).unwrap();
    folder.file("other/3.png", png(false));
    symlink(&other, root.join("d")).unwrap();
    assert_eq!(load(&root).ids.unwrap(), ["2.png", "d/3.png", "z/1.png"]);
}

/// The error of reading with so much memory.
fn error_with(path: &Path, max_memory: u64) -> String {
    let options = ReadOptions { max_memory: Some(max_memory), ..ReadOptions::default() };
    read_dataset_with(&[path.into()], &[], &options).unwrap_err().to_string()
}

#[test]
fn what_unpacks_to_too_much_is_refused() {
    let folder = Folder::new();
    let endless = gzip(&vec![b'7'; 4 << 20]);
    assert!(endless.len() < 1 << 14);
    for name in ["x.csv.gz", "x.jsonl.gz"] {
        let message = error_with(&folder.file(name, &endless), 8 << 20);
        assert_says(&message, &[name, "a line of more than 1 MB"]);
    }
    let rows = gzip("1,2\n".repeat(1 << 20).as_bytes());
    let message = error_with(&folder.file("rows.csv.gz", rows), 1 << 20);
    assert_says(&message, &["rows.csv.gz", "do not fit in memory"]);
    let zeros = npy("|u1", false, &[1 << 10, 1 << 12], &vec![0; 1 << 22]);
    for (name, bytes) in [("x.npy.gz", gzip(&zeros)), ("x.npz", npz(&[("X", zeros.clone())]))] {
        let message = error_with(&folder.file(name, bytes), 1 << 20);
        assert_says(&message, &[name, "do not fit in memory"]);
    }
    fs::create_dir(folder.path("images")).unwrap();
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::new(2000, 2000).write_to(&mut bytes, ImageFormat::Png).unwrap();
    assert!(bytes.get_ref().len() < 1 << 17);
    folder.file("images/bomb.png", bytes.into_inner());
    let message = error_with(&folder.path("images"), 1 << 20);
    assert_says(&message, &["bomb.png", "2000 x 2000 pixels", "memory"]);
}

#[test]
fn what_headers_claim_is_refused_before_it_is_allocated() {
    let folder = Folder::new();
    let message =
        data_error(&folder.file("x.npy", npy("<f8", false, &[1 << 40, 1 << 20], &[0; 64])));
    assert_says(&message, &["x.npy", "truncated", "are declared"]);
    let empty = npy_i64(&[0], &[]);
    let parts = [("data", npy_f32(&[0], &[])), ("row", empty.clone()), ("col", empty)];
    let path = folder.file("x.npz", sparse("coo", [1 << 31, 1 << 31], &parts));
    assert_says(&data_error(&path), &["x.npz", "do not fit in memory"]);
}

#[test]
fn a_file_that_is_written_to_while_it_is_read() {
    let folder = Folder::new();
    let path = folder.file("x.csv", "a,b\n1,2\n".to_owned() + &"3,4\n".repeat(30_000));
    let mut reader =
        FeaturesReader::open(std::slice::from_ref(&path), &[], &Recipe::default()).unwrap();
    reader.next_chunk().unwrap().unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"5,6\n").unwrap();
    let mut last = reader.next_chunk();
    while let Ok(Some(_)) = last {
        last = reader.next_chunk();
    }
    assert_says(&last.unwrap_err().to_string(), &["x.csv", "changed while it was read"]);
}

#[test]
fn text_that_zstd_packs() {
    let folder = Folder::new();
    let text = "a,b\n1,2\n3,4\n";
    let packed = zstd::encode_all(text.as_bytes(), 0).unwrap();
    let data = load(&folder.file("x.csv.zst", &packed));
    assert_eq!((rows(&data), data.name.as_str()), (vec![vec![1.0, 2.0], vec![3.0, 4.0]], "x"));
    assert_eq!(data.parts[0].format, "CSV, zstd");
    let tabs = zstd::encode_all(text.replace(',', "\t").as_bytes(), 0).unwrap();
    assert_eq!(rows(&load(&folder.file("x.tsv.zst", &tabs))), rows(&data));
    let json = zstd::encode_all(&b"{\"a\": 1, \"b\": 2}\n{\"a\": 3, \"b\": 4}\n"[..], 0).unwrap();
    assert_eq!(rows(&load(&folder.file("x.jsonl.zst", &json))), rows(&data));
    let message = data_error(&folder.file("cut.csv.zst", &packed[..packed.len() - 4]));
    assert_says(&message, &["cut.csv.zst"]);
    let endless = zstd::encode_all(&vec![b'7'; 64 << 20][..], 0).unwrap();
    assert!(endless.len() < 1 << 14);
    let message = error_with(&folder.file("x.csv.zst", &endless), 8 << 20);
    assert_says(&message, &["x.csv.zst", "a line of more than 1 MB"]);
    let message = error_with(&folder.file("x.txt.zst", &endless), 8 << 20);
    assert_says(&message, &["x.txt.zst", "MB (see --max-memory)"]);
}

#[test]
fn a_gz_that_was_cut_short() {
    let folder = Folder::new();
    let packed = gzip("1,2\n3,4\n".repeat(1000).as_bytes());
    for name in ["x.csv.gz", "x.jsonl.gz"] {
        let path = folder.file(name, &packed[..packed.len() - 9]);
        let message = read_dataset(&[path], &[]).unwrap_err().to_string();
        assert_says(&message, &[name]);
    }
}

/// Quadratic look-ups of 200,000 columns would take minutes here.
#[test]
fn many_named_columns() {
    let folder = Folder::new();
    let names: Vec<String> = (0..200_000).map(|number| format!("c{number}")).collect();
    let path = folder.file("x.csv", format!("{}\n{}1\n", names.join(","), "1,".repeat(199_999)));
    let recipe =
        Recipe { feature_names: Some(names.into_iter().rev().collect()), ..Recipe::default() };
    let started = std::time::Instant::now();
    let data = consilience_data::read_dataset_as(&[path], &[], &recipe).unwrap();
    assert_eq!(data.features.n_features(), 200_000);
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}
