//! What the readers are tried with: for each format some files, and ways to change them.

use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Int32Builder, ListBuilder};
use arrow_array::{
    ArrayRef, Decimal128Array, DurationSecondArray, Float32Array, Int64Array, RecordBatch,
    StringArray,
};
use consilience_data::{
    FeaturesReader, LabelsAs, ReadOptions, Recipe, VotesReader, read_dataset_with,
    read_sample_labels,
};
use rand::Rng;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;

use super::common::{csr, gzip, idx, npy, npy_f32, npy_i64, npz};

/// Bytes of a file, at most.
const LONGEST: usize = 1 << 16;

/// A kind of file.
pub(super) struct Format {
    pub(super) name: &'static str,
    pub(super) extension: &'static str,
    /// What is changed.
    pub(super) seeds: Vec<Vec<u8>>,
    /// Makes a file of it.
    pub(super) pack: fn(&[u8]) -> Vec<u8>,
}

impl Format {
    /// A file, and the number of bytes that it unpacks to.
    pub(super) fn input(&self, random: &mut ChaCha8Rng) -> (Vec<u8>, usize) {
        let mut bytes = self.seeds.choose(random).unwrap().clone();
        for _ in 0..random.random_range(1..6) {
            change(&mut bytes, &self.seeds, random);
        }
        bytes.truncate(LONGEST);
        let unpacked = bytes.len();
        ((self.pack)(&bytes), unpacked)
    }
}

/// Reads a file as data, whole and by pieces, as votes and as labels; in how many of these ways it can be read.
pub(super) fn read_all(path: &Path, max_memory: u64) -> usize {
    let options = ReadOptions { max_memory: Some(max_memory), ..ReadOptions::default() };
    let paths = [path.to_owned()];
    let whole = read_dataset_with(&paths, &[], &options).is_ok();
    let recipe = Recipe { options: options.clone(), ..Recipe::default() };
    let pieces = FeaturesReader::open(&paths, &[], &recipe).and_then(|mut reader| {
        while reader.next_chunk()?.is_some() {}
        Ok(())
    });
    let votes = VotesReader::open_on(&paths, None, &options).and_then(VotesReader::finish);
    let labels = read_sample_labels(&paths, &options, LabelsAs::Found, false);
    [whole, pieces.is_ok(), votes.is_ok(), labels.is_ok()].into_iter().filter(|&read| read).count()
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut ChaCha8Rng) {
    /// Numbers at which something may turn over.
    const EDGES: [u64; 12] = [
        0,
        1,
        127,
        128,
        255,
        256,
        65_535,
        1 << 31,
        u32::MAX as u64,
        1 << 40,
        i64::MAX as u64,
        u64::MAX,
    ];
    let place = random.random_range(0..=bytes.len());
    let len = bytes.len() - place;
    let some = random.random_range(0..=len.min(64));
    match random.random_range(0..9) {
        0 if len > 0 => bytes[place] ^= 1 << random.random_range(0..8),
        1 if len > 0 => bytes[place] = random.random(),
        2 => bytes.truncate(place),
        3 => drop(bytes.drain(place..place + some)),
        4 => {
            let part = bytes[place..place + some].to_vec();
            bytes.splice(place..place, part);
        }
        5 => {
            let other = seeds.choose(random).unwrap();
            let start = random.random_range(0..=other.len());
            bytes.truncate(place);
            bytes.extend_from_slice(&other[start..]);
        }
        6 | 7 => {
            let edge = *EDGES.choose(random).unwrap();
            let size = *[1, 2, 4, 8].choose(random).unwrap();
            let number: Vec<u8> = match random.random() {
                true => edge.to_le_bytes()[..size].to_vec(),
                false => edge.to_be_bytes()[8 - size..].to_vec(),
            };
            for (byte, new) in bytes[place..].iter_mut().zip(number) {
                *byte = new;
            }
        }
        _ => {
            let word = [
                "1e999",
                "-",
                "\"",
                "\n",
                ",",
                "nan",
                "99999999999999999999",
                "[",
                "{\"a\":",
                "\u{fffd}",
            ];
            let word = word.choose(random).unwrap().bytes();
            bytes.splice(place..place, word);
        }
    }
}

fn as_is(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

/// All formats.
pub(super) fn formats() -> Vec<Format> {
    let x = || npy_f32(&[4, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 1.0, 2.0]);
    let members = |members: &[(&str, Vec<u8>)]| npz(members);
    #[cfg_attr(not(feature = "hdf5"), allow(unused_mut, reason = "HDF5 is added"))]
    let mut formats = vec![
        Format {
            name: "csv",
            extension: ".csv",
            seeds: [
                "a,b,label\n1,2,x\n3,4,y\n5,6,x\n",
                "0,1\n1,1\n0,0\n2,1\n",
                "id;v;w\np;1.5;2\nq;3;4\n",
                "v\n\"[1, 2]\"\n\"[3, 4]\"\n",
                "# a b\n1 2\n3 4\n5 6\n",
                "a|b\n1|2\n3|4\n",
                "id x y\nthe 1 2\nof 3 4\n",
                "t,\"a \"\"quoted\"\" name\"\n1700000000000,2\n1700000060000,NA\n",
            ]
            .map(|text| text.as_bytes().to_vec())
            .to_vec(),
            pack: as_is,
        },
        Format {
            name: "csv-gz",
            extension: ".csv.gz",
            seeds: vec![b"a,b\n1,2\n3,4\n5,6\n".to_vec()],
            pack: gzip,
        },
        Format {
            name: "gz",
            extension: ".csv.gz",
            seeds: vec![gzip(b"a,b\n1,2\n3,4\n5,6\n"), gzip("1,2\n".repeat(1000).as_bytes())],
            pack: as_is,
        },
        Format {
            name: "txt",
            extension: ".txt",
            seeds: vec![
                b"the first text\nanother one\nand a third\n".to_vec(),
                b"th\xe9 vert\ncaf\xe9 noir\nth\xe9\n".to_vec(),
                b"1\n2\n1\n1\n".to_vec(),
                "我喜欢吃苹果\n今天天气很好\n".into(),
            ],
            pack: as_is,
        },
        Format {
            name: "json-lines",
            extension: ".jsonl",
            seeds: vec![
                b"{\"id\":\"p\",\"v\":[1,2]}\n{\"id\":\"q\",\"v\":[3,4]}\n".to_vec(),
                b"{\"a\":1,\"b\":2.5,\"label\":\"x\"}\n{\"a\":3,\"b\":null,\"label\":\"y\"}\n"
                    .to_vec(),
                b"[1,2]\n[3,4]\n".to_vec(),
                b"{\"v\":[[1,2],[3,4]]}\n{\"v\":[[5,6],[7,8]]}\n".to_vec(),
            ],
            pack: as_is,
        },
        Format {
            name: "npy",
            extension: ".npy",
            seeds: vec![
                x(),
                npy_i64(&[2, 3], &[1, 0, 1, 0, 0, 1]),
                npy("<f8", true, &[2, 2], &[0; 32]),
                npy("|S3", false, &[2], b"catdog"),
                npy("<U2", false, &[2], &[b'a', 0, 0, 0, 0, 0, 0, 0, b'b', 0, 0, 0, 0, 0, 0, 0]),
            ],
            pack: as_is,
        },
        Format {
            name: "npz",
            extension: ".npz",
            seeds: vec![
                members(&[("X", x()), ("y", npy_i64(&[4], &[0, 1, 0, 1]))]),
                npz(&csr("csr")),
                npz(&[
                    ("data", npy_f32(&[2], &[5.0, 7.0])),
                    ("row", npy_i64(&[2], &[0, 1])),
                    ("col", npy_i64(&[2], &[1, 0])),
                    ("shape", npy_i64(&[2], &[2, 3])),
                    ("format", npy("|S3", false, &[], b"coo")),
                ]),
            ],
            pack: as_is,
        },
        Format {
            name: "npz-member",
            extension: ".npz",
            seeds: vec![x(), npy_i64(&[4, 2], &[0, 1, 0, 1, 1, 0, 0, 2])],
            pack: |bytes| npz(&[("X", bytes.to_vec()), ("y", npy_i64(&[4], &[0, 1, 0, 1]))]),
        },
        Format {
            name: "idx",
            extension: ".idx",
            seeds: vec![idx(8, &[2, 3], &[1, 0, 1, 0, 0, 1]), idx(13, &[1, 2], &[0; 8])],
            pack: as_is,
        },
        Format {
            name: "parquet",
            extension: ".parquet",
            seeds: vec![parquet(&batch()), parquet(&lists())],
            pack: as_is,
        },
        Format {
            name: "arrow",
            extension: ".arrow",
            seeds: vec![arrow(true, &batch()), arrow(false, &batch()), arrow(false, &lists())],
            pack: as_is,
        },
        Format {
            name: "zip-of-images",
            extension: ".zip",
            seeds: vec![png(), jpeg()],
            pack: |bytes| zip(&[("a/1.png", bytes), ("b/2.png", &png())]),
        },
        Format {
            name: "zip",
            extension: ".zip",
            seeds: vec![
                zip(&[("a/1.png", &png()), ("b/2.png", &png())]),
                zip(&[("a/1.txt", b"red apple"), ("b/2.txt", b"red pear")]),
            ],
            pack: as_is,
        },
    ];
    #[cfg(feature = "hdf5")]
    formats.push(Format { name: "hdf5", extension: ".h5", seeds: vec![hdf5()], pack: as_is });
    formats
}

fn batch() -> RecordBatch {
    let columns: [(&str, ArrayRef); 3] = [
        ("a", Arc::new(Float32Array::from(vec![1.0, 2.0, 3.0]))),
        ("b", Arc::new(Int64Array::from(vec![0, 1, 1]))),
        ("label", Arc::new(StringArray::from(vec!["x", "y", "x"]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Lists in lists, decimals and times.
fn lists() -> RecordBatch {
    let mut lists = ListBuilder::new(FixedSizeListBuilder::new(Int32Builder::new(), 2));
    for number in 0..3 {
        lists.values().values().append_slice(&[number, 1, 2, 3]);
        lists.values().append(true);
        lists.values().append(true);
        lists.append(true);
    }
    let decimals = Decimal128Array::from(vec![150, 20, -7]);
    let columns: [(&str, ArrayRef); 3] = [
        ("v", Arc::new(lists.finish())),
        ("id", Arc::new(decimals.with_precision_and_scale(9, 2).unwrap())),
        ("label", Arc::new(DurationSecondArray::from(vec![1, 2, 1]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer =
        ::parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn arrow(is_file: bool, batch: &RecordBatch) -> Vec<u8> {
    if is_file {
        let mut writer =
            arrow_ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        writer.write(batch).unwrap();
        return writer.into_inner().unwrap();
    }
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn image(format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image::RgbImage::from_fn(6, 5, |x, y| image::Rgb([if x > y { 200 } else { 40 }, 50, 7]))
        .write_to(&mut bytes, format)
        .unwrap();
    bytes.into_inner()
}

fn png() -> Vec<u8> {
    image(image::ImageFormat::Png)
}

fn jpeg() -> Vec<u8> {
    image(image::ImageFormat::Jpeg)
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[cfg(feature = "hdf5")]
fn hdf5() -> Vec<u8> {
    use consilience_data::hdf5_file::Writer;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.h5");
    let writer = Writer::create(&path).unwrap();
    writer.write("X", ndarray::array![[0.5_f32, 1.0], [2.0, 3.0], [4.0, 5.0]].view()).unwrap();
    writer.write("labels", ndarray::array![0_i32, 1, 1].view()).unwrap();
    writer.write("group/votes", ndarray::array![[0_u16, 1, 1], [1, 0, 0]].view()).unwrap();
    writer.finish().unwrap();
    std::fs::read(&path).unwrap()
}
