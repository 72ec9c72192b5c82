//! Every format and layout, cut into chunks of any length, against the whole array in memory.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use flate2::{Compression, write::GzEncoder};
use ndarray::{ArrayView2, Axis, concatenate};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::Votes;

/// What ids are drawn from: missing, small, in the table's last place, and large ones.
const IDS: [i64; 10] = [-1, -7, 0, 1, 2, 3, 65_534, 65_536, 1 << 20, (1 << 53) - 1];

fn tables() -> impl Strategy<Value = Array2<i64>> {
    (1..4_usize, 1..5_usize).prop_flat_map(|(n_models, factor)| {
        let n_samples = n_models * factor;
        prop::collection::vec(prop::sample::select(&IDS[..]), n_models * n_samples)
            .prop_map(move |ids| Array2::from_shape_vec((n_models, n_samples), ids).unwrap())
    })
}

/// Clusters and each model's ids, the slow way.
fn oracle(ids: &Array2<i64>) -> (Array2<u16>, Vec<Vec<i64>>) {
    let mut seen = vec![Vec::new(); ids.nrows()];
    let clusters = Array2::from_shape_fn(ids.dim(), |(model, sample)| {
        let (id, seen) = (ids[(model, sample)], &mut seen[model]);
        if id < 0 {
            return Votes::MISSING;
        }
        let place = seen.iter().position(|&other| other == id).unwrap_or_else(|| {
            seen.push(id);
            seen.len() - 1
        });
        u16::try_from(place).unwrap()
    });
    (clusters, seen)
}

/// All chunks as one, each no longer than `limit`, and the ids.
fn read(paths: &[PathBuf], limit: usize) -> (VotesChunk, Result<Vec<Vec<i64>>, DataError>) {
    let mut reader = VotesReader::with_limit(paths, None, &ReadOptions::default(), limit)
        .unwrap_or_else(|e| panic!("{e}"));
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.next_chunk().unwrap_or_else(|e| panic!("{e}")) {
        assert!((1..=limit).contains(&chunk.clusters.ncols()));
        chunks.push(chunk);
    }
    let clusters: Vec<_> = chunks.iter().map(|chunk| chunk.clusters.view()).collect();
    let clusters = concatenate(Axis(1), &clusters).unwrap();
    let confidences: Option<Vec<_>> =
        chunks.iter().map(|chunk| Some(chunk.confidences.as_ref()?.view())).collect();
    let confidences = confidences.map(|all| concatenate(Axis(1), &all).unwrap());
    assert_eq!(reader.parts().iter().map(|info| info.n_models).sum::<usize>(), reader.n_models());
    assert!(reader.parts().iter().all(|info| info.n_samples == Some(clusters.ncols())));
    (VotesChunk { clusters, confidences }, reader.finish())
}

struct Folder(TempDir);

impl Folder {
    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The same bytes as they are and packed.
    fn both(&self, name: &str, bytes: &[u8]) -> [PathBuf; 2] {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(bytes).unwrap();
        let packed = packed.finish().unwrap();
        [self.file(name, bytes), self.file(&format!("{name}.gz"), &packed)]
    }
}

/// A `.npy` file whose values are in the order of `bytes`.
fn npy(descr: &str, fortran: bool, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let lengths: String = shape.iter().map(|length| format!("{length}, ")).collect();
    let header =
        format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({lengths}), }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), bytes].concat()
}

/// Integers and floats of every layout of an array with these rows and columns.
fn arrays(folder: &Folder, name: &str, array: ArrayView2<'_, i64>) -> Vec<PathBuf> {
    let shape = array.shape();
    let integers = |array: ArrayView2<'_, i64>| -> Vec<u8> {
        array.iter().flat_map(|id| id.to_le_bytes()).collect()
    };
    let float = |id: i64| if id < 0 { f64::NAN } else { id as f64 };
    let floats: Vec<u8> = array.iter().flat_map(|&id| float(id).to_be_bytes()).collect();
    let mut paths = Vec::new();
    paths
        .extend(folder.both(&format!("{name}-c.npy"), &npy("<i8", false, shape, &integers(array))));
    let fortran = npy("<i8", true, shape, &integers(array.t()));
    paths.extend(folder.both(&format!("{name}-f.npy"), &fortran));
    paths.extend(folder.both(&format!("{name}-f8.npy"), &npy(">f8", false, shape, &floats)));
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (member, bytes) in [("other", npy("<f4", false, &[1, 1], &[0; 4])), ("votes", fortran)] {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(format!("{member}.npy"), options).unwrap();
        archive.write_all(&bytes).unwrap();
    }
    let archive = archive.finish().unwrap().into_inner();
    paths.push(folder.file(&format!("{name}.npz"), &archive));
    #[cfg(feature = "hdf5")]
    {
        let path = folder.0.path().join(format!("{name}.h5"));
        let file = hdf5::File::create(&path).unwrap();
        let array = array.as_standard_layout();
        let chunk = (shape[0].div_ceil(2), shape[1].div_ceil(3));
        file.new_dataset_builder().with_data(array.view()).create("plain").unwrap();
        let chunked = file.new_dataset_builder().chunk(chunk).with_data(array.view());
        chunked.create("group/chunked").unwrap();
        for dataset in ["plain", "/group/chunked"] {
            paths.push(format!("{}:{dataset}", path.display()).into());
        }
    }
    paths
}

/// A sample a line; missing votes in all the ways that there are.
fn text(array: ArrayView2<'_, i64>, separator: &str, header: bool) -> String {
    let cell = |(place, &id): (usize, &i64)| match (id, place % 3) {
        (-7, 0) if array.ncols() > 1 => String::new(),
        (-7, 1) => "NaN".into(),
        (-7, _) => "\"NA\"".into(),
        (id, 1) => format!("{id}.0"),
        (id, _) => id.to_string(),
    };
    let names: Vec<_> = (0..array.ncols()).map(|column| format!("m{column}")).collect();
    let mut lines = if header { vec![names.join(separator)] } else { vec![] };
    lines.extend(array.rows().into_iter().enumerate().map(|(row, cells)| {
        let places = (row..).zip(cells);
        places.map(cell).collect::<Vec<_>>().join(separator)
    }));
    lines.join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_format_gives_what_the_whole_array_gives(
        ids in tables(),
        others in tables(),
        limit in 1..6_usize,
    ) {
        let folder = Folder(tempfile::tempdir().unwrap());
        let (clusters, seen) = oracle(&ids);
        let (n_models, n_samples) = ids.dim();
        let mut paths = arrays(&folder, "rows", ids.view());
        if n_samples > n_models {
            paths.extend(arrays(&folder, "columns", ids.t()));
            paths.extend(folder.both("transposed.csv", text(ids.view(), ",", false).as_bytes()));
        }
        if n_models == 1 {
            let votes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
            paths.push(folder.file("line.npy", &npy("<i8", false, &[n_samples], &votes)));
        }
        let n_arrays = paths.len();
        for (separator, header) in [(",", true), (";", false), ("\t", true), ("\t", false)] {
            let name = format!("{}-{header}.txt", usize::from(separator.as_bytes()[0]));
            paths.extend(folder.both(&name, text(ids.t(), separator, header).as_bytes()));
        }
        let index = seen.iter().any(|seen| seen.len() == n_samples && n_samples > 2);
        // As a table's first line it would be one more sample.
        let nearly = seen.iter().any(|seen| seen.len() + 1 == n_samples && n_samples > 10);
        let (no_votes, one_without) = (seen.iter().all(Vec::is_empty), seen.iter().any(Vec::is_empty));
        for (place, path) in paths.iter().enumerate() {
            let (chunk, found) = read(std::slice::from_ref(path), limit);
            prop_assert_eq!(&chunk.clusters, &clusters, "{}", path.display());
            prop_assert_eq!(&chunk.confidences, &None);
            match found {
                Ok(found) => {
                    prop_assert_eq!(&found, &seen);
                    prop_assert!(!index && !one_without);
                }
                Err(DataError::NoVotes { .. }) => prop_assert!(no_votes),
                Err(DataError::ModelWithoutVotes { .. }) => prop_assert!(one_without && !no_votes),
                Err(error) => {
                    prop_assert!(index || (nearly && place >= n_arrays), "{}", error);
                }
            }
        }

        // Any two files, stacked; the reader says so if they don't fit either way round.
        let other = arrays(&folder, "other", others.view());
        for (a, b) in paths.iter().zip(other.iter().cycle()) {
            let pair = [a.clone(), b.clone()];
            if others.ncols() == n_samples {
                let (chunk, _) = read(&pair, limit);
                let (others, _) = oracle(&others);
                let stacked = concatenate(Axis(0), &[clusters.view(), others.view()]).unwrap();
                prop_assert_eq!(chunk.clusters, stacked);
            } else if let Ok(reader) = VotesReader::with_limit(&pair, None, &ReadOptions::default(), limit)
                && (reader.parts().iter().all(|info| info.n_samples.is_some())
                    || reader.parts().iter().any(|info| info.notes.iter().any(|note| note.contains(" models on "))))
            {
                let least = n_samples.min(others.ncols());
                prop_assert!(n_samples == others.nrows() || others.ncols() == n_models);
                prop_assert_eq!(read(&pair, limit).0.clusters.ncols(), least);
            } else {
                let error = VotesReader::with_limit(&pair, None, &ReadOptions::default(), limit).and_then(VotesReader::finish);
                let fits = matches!(
                    error,
                    Err(DataError::SampleMismatch { first_samples, other_samples, .. })
                        if (first_samples, other_samples) == (n_samples, others.ncols())
                );
                prop_assert!(fits, "{:?}", error);
            }
        }
    }
}

#[test]
fn the_largest_number_of_clusters() {
    let folder = Folder(tempfile::tempdir().unwrap());
    let file = |n: i32| {
        let bytes: Vec<u8> = (0..n).chain([0]).flat_map(|id| (id * 2).to_le_bytes()).collect();
        folder.file("x.npy", &npy("<i4", false, &[bytes.len() / 4], &bytes))
    };
    let (chunk, ids) = read(&[file(65_535)], 1 << 15);
    assert_eq!(chunk.clusters[(0, 65_534)], 65_534);
    assert_eq!(ids.unwrap()[0][65_534], 131_068);
    let error = VotesReader::open(&[file(65_536)]).unwrap().finish().unwrap_err().to_string();
    assert!(error.ends_with(
        "x.npy: model x has over 65,535 clusters, the most that are supported; leave it out if it numbers the samples"
    ));
}

#[cfg(feature = "hdf5")]
#[test]
fn datasets_are_stacked_once() {
    let folder = Folder(tempfile::tempdir().unwrap());
    let path = folder.0.path().join("v.h5");
    let file = hdf5::File::create(&path).unwrap();
    let group = file.create_group("tools").unwrap();
    for (name, ids) in [("km", [7_i64, -1, 7, 2]), ("gm", [1, 1, 0, 0])] {
        group.new_dataset_builder().with_data(&ids).create(name).unwrap();
    }
    file.link_soft("/tools/km", "latest").unwrap();
    file.link_soft("/tools", "tools/again").unwrap();
    drop((group, file));
    let (chunk, ids) = read(std::slice::from_ref(&path), 3);
    assert_eq!(chunk.clusters, ndarray::array![[0, 0, 1, 1], [0, Votes::MISSING, 0, 1]]);
    assert_eq!(ids.unwrap(), [[1, 0], [7, 2]]);
    let reader = VotesReader::open(&[path]).unwrap();
    assert_eq!(reader.models(), ["tools/gm", "tools/km"]);
}

#[cfg(feature = "hdf5")]
#[test]
fn confidences_of_a_run_and_of_files_without() {
    use crate::hdf5_file::Writer;
    use ndarray::array;

    let folder = Folder(tempfile::tempdir().unwrap());
    let run = folder.0.path().join("digits-1");
    fs::create_dir(&run).unwrap();
    let votes = array![[4_u16, 65_535, 4], [0, 1, 0]];
    let confidences = array![[0.5_f32, 0.25, 1.0], [0.75, 0.875, 0.125]];
    let writer = Writer::create(&run.join("run.h5")).unwrap();
    writer.write("votes", votes.view()).unwrap();
    writer.write("confidences", confidences.view()).unwrap();
    writer.write("assignments", array![0_u16, 1, 0].view()).unwrap();
    writer.finish().unwrap();
    let transposed = folder.0.path().join("t.h5");
    let writer = Writer::create(&transposed).unwrap();
    writer.write("group/votes", votes.t()).unwrap();
    writer.write("group/confidences", confidences.t()).unwrap();
    writer.finish().unwrap();
    let csv = folder.file("k.csv", b"kmeans\n7\n8\n7\n");
    let expected = array![[0, Votes::MISSING, 0], [0, 1, 0]];

    for path in
        [run.clone(), run.join("run.h5"), format!("{}:/group/votes", transposed.display()).into()]
    {
        for limit in 1..5 {
            let (chunk, _) = read(&[csv.clone(), path.clone()], limit);
            assert_eq!(chunk.clusters.slice(s![1.., ..]), expected);
            assert_eq!(chunk.clusters.row(0).to_vec(), [0, 1, 0]);
            let found = chunk.confidences.unwrap();
            assert_eq!(found.slice(s![1.., ..]), confidences);
            assert!(found.row(0).iter().all(|&confidence| confidence == 1.0));
        }
    }
    let reader = VotesReader::open(&[run.clone(), csv.clone()]).unwrap();
    assert_eq!((reader.name(), reader.n_models()), ("digits-1", 3));
    assert_eq!(reader.models(), ["digits-1[0]", "digits-1[1]", "kmeans"]);
    let info = &reader.parts()[0];
    assert_eq!((info.path.as_path(), info.n_samples), (run.join("run.h5").as_path(), Some(3)));
    assert!(info.has_confidences && !info.is_transposed && !reader.parts()[1].has_confidences);
    // Of other arrays in the same file, as of one dimension, confidences aren't taken.
    let assignments = format!("{}/run.h5:assignments", run.display()).into();
    let (chunk, ids) = read(&[assignments], 2);
    assert_eq!((chunk.confidences, ids.unwrap()), (None, vec![vec![0, 1]]));
}

#[test]
fn a_table_without_rows_has_no_votes() {
    let folder = Folder(tempfile::tempdir().unwrap());
    for bytes in [&b"\x04\n2\n\n"[..], b"a\n\n", b"a,b\n"] {
        let read = VotesReader::open(&[folder.file("votes.txt", bytes)]);
        assert!(read.and_then(VotesReader::finish).is_err(), "{}", bytes.escape_ascii());
    }
}
