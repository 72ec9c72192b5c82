//! Votes as other tools write them: what is understood without being told.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::PathBuf;

use common::{
    Folder, assert_says, npy, npy_f32, npy_i64, npz, read_votes as read, votes_errors as errors,
};
use consilience_data::{ReadOptions, Votes, VotesReader};

const MISSING: u16 = Votes::MISSING;

fn error(path: PathBuf) -> String {
    errors(&[path])
}

#[test]
fn text_of_other_tools() {
    let folder = Folder::new();
    let table = |text: &str| {
        let path = folder.file("v.txt", text);
        let reader = VotesReader::open(std::slice::from_ref(&path)).unwrap();
        (reader.models(), read(&path).unwrap().0)
    };
    let names = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    let votes = vec![vec![0, 0, 1], vec![0, 1, 1]];
    // numpy.savetxt by itself, with a header, and with commas; pandas and R.
    for (text, expected) in [
        ("0 1\n0 2\n1 2\n", ["v[0]", "v[1]"]),
        ("0.000e+00  1.000e+00\n 0.0 2.0 \n1   2\n", ["v[0]", "v[1]"]),
        ("# km gm\n0 1\n0 2\n1 2\n", ["km", "gm"]),
        ("# km,gm\n0,1\n0,2\n1,2\n", ["km", "gm"]),
        ("#km,gm\n0,1\n0,2\n1,2\n", ["km", "gm"]),
        ("# made by hand\n# 0 1\n0 1\n0 2\n1 2\n", ["0", "1"]),
        ("# made by hand, on a Monday\n0 1\n0 2\n1 2\n", ["v[0]", "v[1]"]),
        ("km gm\n0 1\n0 2\n1 2\n", ["km", "gm"]),
        ("\"km\" \"g m\"\n0 1\n0 2\n1 2\n", ["km", "g m"]),
    ] {
        assert_eq!(table(text), (names(expected), votes.clone()), "{text}");
    }
    assert_eq!(table("km gm\nNA 1\n0 1\n").1, [[MISSING, 0], [0, 0]]);
    let text = "#N/A,1\n3,N/A\n3,n/a\n<NA>,#n/a\n3,NaN\n3,NULL\n";
    let missing = vec![0, MISSING, MISSING, MISSING, MISSING, MISSING];
    assert_eq!(table(text).1, [vec![MISSING, 0, 0, MISSING, 0, 0], missing]);
    assert_eq!(table("# km\n4\n\n5\n"), (vec!["km".into()], vec![vec![0, MISSING, 1]]));
    assert_says(&error(folder.file("v.txt", "c 1\nd 1\n")), &["line 1, column 1", "\"c 1\""]);
}

#[test]
fn notes_say_what_may_be_otherwise() {
    let folder = Folder::new();
    let notes = |name: &str, bytes: Vec<u8>| {
        let mut reader = VotesReader::open(&[folder.file(name, bytes)]).unwrap();
        let notes = reader.parts()[0].notes.clone();
        while reader.next_chunk().unwrap().is_some() {}
        assert_eq!(reader.parts()[0].notes, notes);
        notes
    };
    let transposed = "taken as transposed, with more samples than models";
    assert_eq!(notes("v.npy", npy_i64(&[3, 2], &[1; 6])), [transposed]);
    assert_eq!(notes("v.csv", b"3,1,3\n1,3,3".to_vec()), [transposed]);
    for first in ["0,1", "\"0\";\"1\"", "0 1"] {
        let says =
            "the first line, 0,1, was taken as votes; if it names the columns, say --header yes";
        let text = format!("{first}\n{}", first.replace('0', "5"));
        assert_eq!(notes("v.csv", text.into_bytes()), [says]);
    }
    let wide = "0,1,2,3,4,5,6\n".to_owned() + &"6,5,4,3,2,1,0\n".repeat(8);
    assert_says(&notes("v.csv", wide.into_bytes())[0], &["first line, 0,1,2,3,4,..., was taken"]);
    for text in ["1,0\n0,1", "0\n1", "0,2\n0,1", "# 0,1\n0,0\n1,1", "a,b\n0,1\n0,1"] {
        assert!(notes("v.csv", text.into()).is_empty(), "{text}");
    }
    assert!(notes("v.npy", npy_i64(&[2, 3], &[1; 6])).is_empty());
}

#[test]
fn other_files_say_how_an_array_is_meant() {
    let folder = Folder::new();
    let three = folder.file("three.npy", npy_i64(&[3], &[1, 1, 2]));
    let tall = folder.file("tall.npy", npy_i64(&[5, 3], &[0, 0, 1].repeat(5)));
    let wide = folder.file("wide.npy", npy_i64(&[3, 5], &[0, 0, 0, 0, 0, 1].repeat(3)[..15]));
    let table = folder.file("t.csv", "0,0,0,0\n0,0,1,1\n1,1,1,1\n");
    let member = npz(&[("a", npy_i64(&[4, 3], &[0, 0, 1].repeat(4)))]);
    let member = folder.file("m.npz", member);
    for (path, models, clusters) in [
        (&tall, 5, vec![0, 0, 1]),
        (&wide, 5, vec![0, 1, 0]),
        (&table, 4, vec![0, 0, 1]),
        (&member, 4, vec![0, 0, 1]),
    ] {
        for paths in [[three.clone(), path.clone()], [path.clone(), three.clone()]] {
            let mut reader = VotesReader::open(&paths).unwrap();
            assert_eq!(reader.n_models(), models + 1);
            let chunk = reader.next_chunk().unwrap().unwrap();
            let row = if paths[0] == three { 1 } else { 0 };
            assert_eq!(chunk.clusters.row(row).to_vec(), clusters);
            let note = format!("taken as {models} models on 3 samples");
            assert_eq!(reader.parts()[row].notes, [note], "{}", path.display());
        }
    }
    let gap = folder.file("gap.csv", "km\n1\n\n2\n");
    let named = folder.file("named.csv", "km,gm\n1,1\n1,2\n2,2\n");
    let long = folder.file("long.csv", "1\n".repeat(300));
    for other in [gap, named] {
        let reader = VotesReader::open(&[tall.clone(), other]).unwrap();
        assert_eq!(reader.parts()[0].n_samples, Some(3));
        assert!(reader.finish().is_ok());
    }
    assert_says(&errors(&[tall.clone(), long]), &["long.csv: 300 samples", "tall.npy has 5"]);
    // What only both the other way round would fit isn't turned, nor what fits as it is.
    let ten = folder.file("ten.npy", npy_i64(&[7, 3], &[1; 21]));
    let other = folder.file("other.npy", npy_i64(&[3, 6], &[1; 18]));
    assert_says(&errors(&[ten, other]), &["other.npy: 6 samples, but ", "ten.npy has 7"]);
    let reader = VotesReader::open(&[tall, wide]).unwrap();
    assert!(reader.parts().iter().all(|info| info.n_samples == Some(5)));
}

#[test]
fn arrays_of_an_archive_are_stacked() {
    let folder = Folder::new();
    let (km, two) =
        (|| npy_i64(&[4], &[7, 7, 8, 8]), || npy_i64(&[2, 4], &[0, 1, 1, 1, 5, 5, 5, 4]));
    let path = folder.file("v.npz", npz(&[("km", km()), ("k", npy_i64(&[], &[2])), ("gm", two())]));
    let reader = VotesReader::open(std::slice::from_ref(&path)).unwrap();
    assert_eq!((reader.name(), reader.n_models()), ("v", 3));
    assert_eq!(reader.models(), ["km", "gm[0]", "gm[1]"]);
    let members: Vec<_> = reader.parts().iter().map(|info| info.member.as_deref()).collect();
    assert_eq!(members, [Some("km"), Some("gm")]);
    let expected = [vec![0, 0, 1, 1], vec![0, 1, 1, 1], vec![0, 0, 0, 1]];
    let (clusters, ids) = read(&path).unwrap();
    assert_eq!(clusters, expected);
    assert_eq!(ids, [[7, 8], [0, 1], [5, 4]]);

    let names = |name: &str| VotesReader::open(&[folder.path(name)]).unwrap().models();
    assert_eq!(names("v.npz:km"), ["km"]);
    assert_eq!(names("v.npz:/gm"), ["gm[0]", "gm[1]"]);
    assert_eq!(read(&folder.path("v.npz:gm")).unwrap().0, expected[1..]);
    assert_says(&error(folder.path("v.npz:x")), &["v.npz: no member x; it holds km, k, gm"]);
    folder.file("v.npz", npz(&[("km", km()), ("votes", two())]));
    assert_eq!(names("v.npz"), ["v[0]", "v[1]"]);
    assert_eq!(names("v.npz:votes"), ["v[0]", "v[1]"]);
    assert_says(&error(folder.file("v.npz", npz(&[]))), &["v.npz: no arrays; it holds nothing"]);

    for (member, bytes, reason) in [
        ("x", npy_i64(&[3], &[1; 3]), "x is not on the samples of those before"),
        ("X", npy_f32(&[4, 2], &[0.5; 8]), "X is not of integers"),
        ("w", npy("<U1", false, &[4], &[0; 16]), "w is not of integers"),
        ("y", km(), "y may be the truth"),
    ] {
        let message = error(folder.file("v.npz", npz(&[("km", km()), (member, bytes)])));
        let advice = format!("v.npz:NAME; it holds km [4], {member} [");
        let words =
            ["no member votes, and others can't be stacked", reason, "choose one by", &advice];
        assert_says(&message, &words);
    }
    let none = npz(&[("a", npy_i64(&[1, 1, 1], &[1]))]);
    assert_says(&error(folder.file("v.npz", none)), &["none is of one or two dimensions"]);
    let same = [("km", km()), ("no", npy_i64(&[4], &[-1; 4]))];
    assert_says(&error(folder.file("v.npz", npz(&same))), &["v.npz: model no has no votes"]);
}

/// A hundred models on four samples would be taken as the transpose.
#[test]
fn a_known_number_of_samples_says_what_a_row_is() {
    let folder = Folder::new();
    let values: Vec<i64> = (0..400).map(|at| at % 4 / 2).collect();
    let path = folder.file("resampled.npy", npy_i64(&[100, 4], &values));
    let shape = |reader: &VotesReader| (reader.n_models(), reader.parts()[0].n_samples);
    let known =
        |n| VotesReader::open_on(std::slice::from_ref(&path), n, &ReadOptions::default()).unwrap();
    assert_eq!(shape(&known(None)), (4, Some(100)));
    assert_eq!(shape(&known(Some(4))), (100, Some(4)));
    assert_eq!(known(Some(4)).parts()[0].notes, ["taken as 100 models on 4 samples"]);
    assert_eq!(shape(&known(Some(7))), (4, Some(100)), "it fits neither way");
}
