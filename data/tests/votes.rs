//! Votes files: what is understood, and what is refused.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::PathBuf;

use common::{
    Folder, assert_says, gzip, idx, npy, npy_f32, npy_i64, npz, read_votes as read,
    votes_errors as errors,
};
use consilience_data::{Votes, VotesReader};

const MISSING: u16 = Votes::MISSING;

fn error(path: PathBuf) -> String {
    errors(&[path])
}

#[test]
fn shapes_names_and_formats() {
    let folder = Folder::new();
    let u1 = |shape: &[usize]| npy("|u1", false, shape, &[3, 1, 3, 1, 3, 3]);
    for (name, bytes, format, n_models, n_samples, is_transposed) in [
        ("a.npy", u1(&[2, 3]), "NPY, uint8", 2, 3, false),
        ("b.npy", u1(&[3, 2]), "NPY, uint8", 2, 3, true),
        ("c.npy", gzip(&u1(&[6])), "NPY, gzip, uint8", 1, 6, false),
        ("d.npy", u1(&[6, 1]), "NPY, uint8", 1, 6, false),
        ("e.npy", u1(&[1, 6]), "NPY, uint8", 1, 6, false),
        ("f.npz", npz(&[("a", u1(&[3, 2])), ("b", u1(&[1, 2, 3]))]), "NPZ, uint8", 2, 3, true),
        ("g.idx", idx(8, &[2, 3], &[3, 1, 3, 1, 3, 3]), "IDX, uint8", 2, 3, false),
        ("h-idx1-ubyte.gz", gzip(&idx(8, &[6], &[3; 6])), "IDX, gzip, uint8", 1, 6, false),
        ("i.csv", b"3,1,3\n1,3,3".to_vec(), "CSV", 2, 3, true),
    ] {
        let reader = VotesReader::open(&[folder.file(name, bytes)]).unwrap();
        let [info] = reader.parts() else { panic!("{name}") };
        let found = (info.format.as_str(), info.n_models, info.n_samples, info.is_transposed);
        assert_eq!(found, (format, n_models, Some(n_samples), is_transposed), "{name}");
        assert_eq!(info.member.as_deref(), name.ends_with(".npz").then_some("a"));
        let short = reader.name();
        assert_eq!(short, name.trim_end_matches(".gz").split('.').next().unwrap());
        let names = match n_models {
            1 => vec![short.to_owned()],
            _ => vec![format!("{short}[0]"), format!("{short}[1]")],
        };
        assert_eq!(reader.models(), names);
        assert_eq!(reader.finish().unwrap()[0][0], 3, "{name}");
    }
}

#[test]
fn missing_votes_and_any_integers() {
    let folder = Folder::new();
    let votes: Vec<u8> = [65_535_u16, 65_534, 7].iter().flat_map(|id| id.to_le_bytes()).collect();
    let found = read(&folder.file("v.npy", npy("<u2", false, &[3], &votes))).unwrap();
    assert_eq!(found, (vec![vec![MISSING, 0, 1]], vec![vec![65_534, 7]]));
    let votes = npy_i64(&[2, 2], &[i64::MAX, 65_535, i64::MIN, 1 << 60]);
    let found = read(&folder.file("v.npy", votes)).unwrap();
    let ids = vec![vec![i64::MAX, 65_535], vec![1 << 60]];
    assert_eq!(found, (vec![vec![0, 1], vec![MISSING, 0]], ids));
    let found = read(&folder.file("v.npy", npy_f32(&[3], &[2.0, f32::NAN, -1.0]))).unwrap();
    assert_eq!(found, (vec![vec![0, MISSING, MISSING]], vec![vec![2]]));
    // In a table of one column an empty line is an empty cell, but for those at the end.
    let text = "\u{feff}cluster\r\n5\r\n\r\nNone\r\nnull\r\n-1\r\n5.0\r\n\r\n\r\n";
    let found = read(&folder.file("v.txt", text)).unwrap();
    assert_eq!(found, (vec![vec![0, MISSING, MISSING, MISSING, MISSING, 0]], vec![vec![5]]));
    // No header, as an empty cell is no word.
    let found = read(&folder.file("v.tsv", "\t1\n\t\n2\t\n")).unwrap();
    let clusters = vec![vec![MISSING, MISSING, 0], vec![0, MISSING, MISSING]];
    assert_eq!(found, (clusters, vec![vec![2], vec![1]]));
}

#[test]
fn names_of_columns_are_names_of_models() {
    let folder = Folder::new();
    let path = folder.file("v.csv", "kmeans,,\"b, c\"\n0,,2\n0,1,NA\n1,1,2\n");
    let mut reader = VotesReader::open(&[path]).unwrap();
    assert_eq!(reader.models(), ["kmeans", "v[1]", "b, c"]);
    assert_eq!(reader.parts()[0].n_samples, None);
    while reader.next_chunk().unwrap().is_some() {}
    assert_eq!(reader.parts()[0].n_samples, Some(3));
    assert_eq!(reader.finish().unwrap(), [[0, 1].to_vec(), vec![1], vec![2]]);
}

#[test]
fn runs_and_their_tables() {
    let folder = Folder::new();
    let run = folder.path("mnist-1");
    std::fs::create_dir(&run).unwrap();
    let table = "sample,cluster,confidence\n0,2,0.5\n1,0,0.25\n2,2,1\n3,1,1\n";
    let path = folder.file("mnist-1/assignments.csv", table);
    let reader = VotesReader::open(std::slice::from_ref(&path)).unwrap();
    assert_eq!(reader.models(), ["assignments"]);
    assert_eq!(reader.parts()[0].member.as_deref(), Some("cluster"));
    assert_eq!(read(&path).unwrap(), (vec![vec![0, 1, 0, 2]], vec![vec![2, 0, 1]]));
    let named = folder.file("cells.csv", "Label,Sample\n2,AAC-1\nNA,AAG-1\n2,ACC-1\n");
    assert_eq!(read(&named).unwrap(), (vec![vec![0, MISSING, 0]], vec![vec![2]]));

    let labels = "sample,label,agreement,margin,confidence\n0,2,5,3,0.9\n";
    let message = error(folder.file("mnist-1/pseudo_labels.csv", labels));
    assert_says(&message, &["pseudo_labels.csv", "not every sample", "name the run folder"]);
    let message = error(run.clone());
    assert_says(&message, &["mnist-1: no votes.npz; it holds assignments.csv, pseudo_"]);
    // The clusters of a run are no votes of its models.
    folder.file("mnist-1/assignments.npy", npy_i64(&[4], &[2, 0, 2, 1]));
    let says = ["mnist-1: no votes.npz", "without HDF5", "assignments.npy as one model"];
    assert_says(&error(run.clone()), &says);
    let version = |number| npy_i64(&[1], &[number]);
    let votes = npy_i64(&[1, 4], &[2, 0, 2, 1]);
    let newer = [("format_version", version(2)), ("votes", votes.clone())];
    assert_says(&error(folder.file("mnist-1/votes.npz", npz(&newer))), &["newer version"]);
    folder.file("mnist-1/votes.npz", npz(&[("format_version", version(1)), ("votes", votes)]));
    assert_eq!(VotesReader::open(std::slice::from_ref(&run)).unwrap().models(), ["mnist-1"]);
    assert_eq!(read(&run).unwrap(), read(&path).unwrap());
}

#[test]
fn files_that_are_no_votes() {
    let folder = Folder::new();
    assert_says(&errors(&[]), &["no votes given", "at least one file"]);
    assert_says(&error("digits".into()), &["digits: holds features", "clustering"]);
    assert_says(&error(folder.path("none.npy")), &["none.npy", "no such file"]);
    assert_says(&error(folder.path("none.h5:/x")), &["none.h5: no such file"]);
    assert_says(&error(folder.file("x.dat", "hello")), &["unknown format"]);
    assert_says(&error(folder.file("x.npy", "hello, world")), &["does not start like .npy"]);
    let message = error(folder.file("v.npy", npy_f32(&[2, 3], &[0.0, 1.0, 1.0, 2.0, 0.5, 3.0])));
    assert_says(&message, &["v.npy: value 4, counted from 0 row by row, is 0.5", "integers"]);
    let message = error(folder.file("v.npy", npy_f32(&[3, 2], &[0.0, 1.0, 1.0, 2.0, 2.0, 3.5])));
    assert_says(&message, &["value 5", "3.5"]);
    assert_says(&error(folder.file("v.npy", npy_f32(&[1], &[f32::INFINITY]))), &["is inf"]);
    let cube = error(folder.file("v.npy", npy_i64(&[1, 2, 1], &[1, 2])));
    assert_says(&cube, &["shape [1, 2, 1]", "(n_models, n_samples)"]);
    assert_says(&error(folder.file("v.npy", npy_i64(&[0, 3], &[]))), &["v.npy: no samples"]);
    assert_says(&error(folder.file("v.npy", npy("<U1", false, &[1], &[0; 4]))), &["strings"]);
    folder.file("v.npy", npy_i64(&[1], &[1]));
    assert_says(&error(folder.path("v.npy:/a")), &["v.npy:/a", "name the file alone"]);
    let square = folder.file("x.npy", npy("|u1", false, &[256, 256], &[1; 1 << 16]));
    let message = errors(&vec![square; 256]);
    assert_says(&message, &["65536 models in all, at most 65,535", "votes and not features"]);
}

#[test]
fn tables_that_are_no_votes() {
    let folder = Folder::new();
    let error = |text: &str| error(folder.file("x.csv", text));
    let words = ["x.csv: line 3, column 2", "\"b\", not a cluster's id", "empty cell or NA"];
    assert_says(&error("x,y\n0,1\n1,b\n1,1\n"), &words);
    assert_says(&error("0,1\n1,1.5\n"), &["line 2, column 2", "\"1.5\""]);
    let give = "give whole numbers; drop columns of names";
    assert_says(&error("a,b\nc,d\n"), &["line 1, column 1", "\"a\"", give]);
    assert_says(&error("a\nb\nc\n"), &["line 1, column 1", "\"a\"", give]);
    assert_says(&error("c0;x\n;y\n"), &["line 2, column 2", "\"y\"", give]);
    assert_says(&error("sample,cluster\n7,x\n8,y\n"), &["line 2, column 2", "\"x\"", give]);
    let drop = "drop the column if it names the samples; ids are whole numbers";
    assert_says(&error("cell,km\ncell_0,1\n"), &["line 2, column 1", "\"cell_0\"", drop]);
    assert_says(&error("cell_0,1\ncell_1,1\n"), &["line 1, column 1", "\"cell_0\"", drop]);
    let large = "not a cluster's id; it is too large for one";
    assert_says(&error("0,1\n1,18446744073709551615\n"), &["line 2, column 2", large]);
    assert_says(&error("km,gm\n"), &["x.csv: no rows below the names"]);
    assert_says(&error("0,1\n1,1,1\n0,0\n"), &["line 2 has 3 columns", "have 2"]);
    assert_says(&error("1,2,1\n0,1\n"), &["line 2 has 2 columns", "have 3"]);
    assert_says(&error("\n \n"), &["x.csv: no samples"]);
    let index = "x.csv: column 1, counted from 1 (n), gives every sample a cluster of its own; leave it out";
    assert_says(&error("n,v\n10,1\n11,1\n12,0\n"), &[index]);
    assert_says(&error("v;n\n1;10\n1;11\n0;12\n"), &["column 2, counted from 1 (n)"]);
    let rows: String = (0..11).map(|row| format!("\n{row},1,0")).collect();
    assert_says(&error(&format!(",0,1{rows}")), &["column 1, counted from 1 (x[0])"]);
    assert_says(&error("sample,cluster\n0,5\n1,6\n2,7\n"), &["column 2", "of its own"]);
    assert_says(&error("NA,-1\nnan,\n"), &["x.csv: no votes; all are missing"]);
    // As with a comma at the end of every line.
    let empty = "x.csv: column 3, counted from 1 (x[2]), has no votes; leave it out";
    assert_says(&error("km,gm,\n0,1,\n0,1,\n1,1,\n"), &[empty]);
    assert_says(&error("0,1,1\n-1,-1,-1\n"), &["x.csv: model x[1] has no votes; leave it out"]);
}

#[test]
fn models_that_are_no_clusterings() {
    let folder = Folder::new();
    let error = |shape: &[usize], ids: &[i64]| error(folder.file("v.npy", npy_i64(shape, ids)));
    let empty = "v.npy: model v[1] has no votes; leave it out";
    assert_says(&error(&[2, 3], &[0, 1, 1, -1, -1, -1]), &[empty]);
    assert_says(&error(&[3, 2], &[0, -1, 1, -1, 1, -1]), &[empty]);
    assert_says(&error(&[3], &[-1; 3]), &["v.npy: no votes; all are missing"]);
    let index = "gives every sample a cluster of its own; leave it out";
    assert_says(&error(&[3], &[5, 7, 6]), &["v.npy: model v gives", index]);
    assert_says(&error(&[2, 3], &[0, 1, 1, 2, 1, 0]), &["v.npy: model v[1] gives", index]);
    // Too few to tell, or one that has no vote.
    for (shape, ids) in [(&[2][..], &[0, 1][..]), (&[3], &[0, 1, -1])] {
        assert!(read(&folder.file("v.npy", npy_i64(shape, ids))).is_ok());
    }
    let fine = folder.file("fine.npy", npy_i64(&[3], &[0, 0, 1]));
    let none = folder.file("none.csv", "NA\nNA\nNA\n");
    let says = "none.csv: column 1, counted from 1 (none), has no votes; leave it out";
    assert_says(&errors(&[fine, none]), &[says]);
}

#[test]
fn ids_that_are_too_large() {
    let folder = Folder::new();
    let votes: Vec<u8> = [1, 1 << 63].iter().flat_map(|id: &u64| id.to_le_bytes()).collect();
    let message = error(folder.file("v.npy", npy("<u8", false, &[2], &votes)));
    let words = ["value 1, counted from 0", "is 9223372036854775808, which is too large for an id"];
    assert_says(&message, &words);
    let message = error(folder.file("v.npy", npy_f32(&[1], &[1e30])));
    assert_says(&message, &["value 0", "is 1.0000000150474662e30, which is too large"]);
}

#[test]
fn files_of_unequal_numbers_of_samples() {
    let folder = Folder::new();
    let two = folder.file("two.npy", npy_i64(&[1, 2], &[1, 2]));
    let three = folder.file("three.npy", npy_i64(&[3], &[1, 2, 3]));
    let four = folder.file("four.csv", "1\n2\n2\n2\n");
    let five = folder.file("five.csv", "1,1\n2,1\n2,1\n2,1\n1,1\n");
    for (paths, words) in [
        ([&two, &three], ["three.npy: 3 samples, but ", "two.npy has 2; give votes on the same"]),
        ([&three, &four], ["four.csv: 4 samples, but ", "three.npy has 3"]),
        ([&four, &three], ["three.npy: 3 samples, but ", "four.csv has 4"]),
        ([&five, &four], ["four.csv: 4 samples, but ", "five.csv has 5"]),
    ] {
        assert_says(&errors(&paths.map(Clone::clone)), &words);
    }
    assert!(VotesReader::open(&[two, three]).is_err());
    // What comes behind the shorter file's end is still read, for its number.
    let bad = folder.file("bad.csv", "1\n1\n1\nx\n");
    let three = folder.path("three.npy");
    assert_says(&errors(&[three, bad]), &["bad.csv: line 4"]);
}

#[test]
fn what_a_fuzzer_found() {
    let folder = Folder::new();
    // Four thousand million models, of which none is there.
    let claim = idx(8, &[0xff00_0002, 0xffff_ffff], b"A\0");
    assert_says(&error(folder.file("v.idx", claim)), &["4278190082 models"]);
    assert_says(&error(folder.file("v.jsonl", "{}\n{}\n")), &["v.jsonl: no votes"]);
}

#[test]
fn every_truncation_is_noticed() {
    let folder = Folder::new();
    let votes = npy_i64(&[2, 3], &[1, 0, 1, 0, 0, 1]);
    let fortran = npy("<i8", true, &[2, 3], &votes[votes.len() - 48..]);
    let image = idx(8, &[2, 3], &[1, 0, 1, 0, 0, 1]);
    for (name, bytes) in [
        ("c.npy", votes.clone()),
        ("f.npy", fortran.clone()),
        ("f.npy.gz", gzip(&fortran)),
        ("x.npz", npz(&[("votes", votes)])),
        ("x.idx", image.clone()),
        ("x.idx.gz", gzip(&image)),
    ] {
        assert!(read(&folder.file(name, &bytes)).is_ok(), "{name}");
        for len in 1..bytes.len() {
            let name = format!("{len}-{name}");
            assert_says(&error(folder.file(&name, &bytes[..len])), &[&name]);
        }
        if !name.ends_with("gz") && name != "x.npz" {
            let longer = folder.file(name, [&bytes[..], &[0]].concat());
            assert_says(&error(longer), &["bytes follow the values"]);
        }
    }
}

#[cfg(feature = "hdf5")]
#[test]
fn datasets_of_a_file() {
    use consilience_data::hdf5_file::Writer;
    use ndarray::{Array1, Array2, Array3};

    let folder = Folder::new();
    let path = folder.path("v.h5");
    let write = |names: &[&str]| {
        let writer = Writer::create(&path).unwrap();
        for &name in names {
            match name.len() {
                1 => writer.write(name, Array1::<i32>::zeros(3).view()),
                2 => writer.write(name, Array2::<i32>::zeros((2, 3)).view()),
                3 => writer.write(name, Array3::<i32>::zeros((1, 2, 3)).view()),
                _ => writer.write(name, Array2::<f32>::from_elem((2, 3), 0.5).view()),
            }
            .unwrap();
        }
        writer.finish().unwrap();
        VotesReader::open(std::slice::from_ref(&path))
    };
    for (names, member) in [
        (vec!["a", "b", "aa", "aaa"], Some("/aa")),
        (vec!["a", "aaa"], Some("/a")),
        (vec!["aa", "bb", "votes"], Some("/votes")),
        (vec!["a", "aa", "bb"], None),
        (vec!["aaa", "bbb"], None),
        (vec!["b", "a", "aaa"], Some("/a")),
    ] {
        match (write(&names), member) {
            (Ok(reader), Some(member)) => {
                assert_eq!(reader.parts()[0].member.as_deref(), Some(member));
            }
            (Err(error), None) => {
                assert_says(&error.to_string(), &["choose one by", "; it holds /a"])
            }
            (found, _) => panic!("{names:?}: {found:?}"),
        }
    }
    let reader = write(&["b", "a"]).unwrap();
    assert_eq!(reader.models(), ["a", "b"]);
    drop(reader);
    assert_eq!(read(&path).unwrap(), (vec![vec![0; 3]; 2], vec![vec![0]; 2]));
    let reader = VotesReader::open(&[format!("{}:b", path.display()).into()]).unwrap();
    assert_eq!((reader.name(), reader.models()), ("v", vec!["b".into()]));
    drop(reader);
    write(&["votes", "a"]).unwrap();
    assert_says(&error(path.clone()), &["v.h5:/votes: value 0", "0.5"]);
    let missing = format!("{}:/none", path.display());
    assert_says(&error(missing.into()), &["no dataset /none", "/votes [2, 3]"]);
    let bytes = std::fs::read(&path).unwrap();
    assert_says(&error(folder.file("half.h5", &bytes[..bytes.len() / 2])), &["half.h5"]);
}

#[cfg(not(feature = "hdf5"))]
#[test]
fn without_hdf5_the_error_says_so() {
    let folder = Folder::new();
    let path = folder.file("x.h5", b"\x89HDF\r\n\x1a\nrest");
    assert_says(&error(path), &["x.h5", "built without HDF5"]);
}
