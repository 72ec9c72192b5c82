//! Pairs of samples: two ids a line, or two numbers of rows where samples have no ids.

use std::collections::HashMap;
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

use super::path::open_records;
use super::source::Location;
use crate::records::{Batch, Records, Role, Wanted};
use crate::{DataError, ReadOptions, SampleIdx, SampleKeys};

/// Names that columns of pairs have: a first line of two of them is none.
const HEADERS: [&str; 12] = [
    "id", "sample", "row", "first", "second", "a", "b", "left", "right", "source", "target",
    "other",
];

/// Two samples, and where a file has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SamplePair {
    /// The samples.
    pub samples: [SampleIdx; 2],
    /// The line, counted from 1; in files without lines the row, from 0.
    pub at: u64,
}

impl SamplePair {
    /// A hash of pairs of samples, such as `xxh3:` and 32 hexadecimal digits: to tell whether these are those of a run.
    #[must_use]
    pub fn hash(pairs: &[[SampleIdx; 2]]) -> String {
        let mut hasher = Xxh3::new();
        pairs.iter().flatten().for_each(|sample| hasher.update(&sample.0.to_le_bytes()));
        format!("xxh3:{:032x}", hasher.digest128())
    }
}

/// Reads pairs of samples: a table in any format with two columns, or lines with blanks between two words.
///
/// # Arguments
///
/// * `samples`: those of the data that are called `name`. The file has their ids if they have any, else their rows in the data, counted from 0.
///
/// # Returns
///
/// The pairs, in the order of the file, and what a place in it is called: `line` or `row`.
///
/// # Errors
///
/// [`DataError`] for a file that can't be read, [`DataError::NoPair`] for a line that hasn't two samples,
/// [`DataError::PairOfUnknown`] for a sample that the data don't have, [`DataError::PairOfOne`] for one with itself.
pub fn read_pairs(
    path: &Path,
    name: &str,
    samples: &SampleKeys<'_>,
) -> Result<(Vec<SamplePair>, &'static str), DataError> {
    // Nothing is taken for a header but what can be no pair.
    let options = ReadOptions { header: Some(false), ..ReadOptions::default() };
    let mut records = open_records(&Location::resolve(path), &options)?;
    let n_columns = records.schema.columns.len();
    records.schema.columns.iter_mut().for_each(|column| column.role = Role::Id);
    let word = records.schema.place.word();
    let source_name = records.schema.name.clone();
    let found = samples_by_name(samples);
    let wanted = Wanted { words: (0..n_columns).collect(), ..Wanted::default() };
    let Records { mut rows, schema, .. } = records;
    let mut pairs = Vec::new();
    while let Some(Batch { words, places, n_rows, .. }) = rows.next(&schema, &wanted)? {
        for row in 0..n_rows {
            let at = places.at(row);
            let cells = words.iter().filter_map(|column| column[row].as_deref());
            let mut cells: Vec<&str> =
                cells.map(str::trim).filter(|cell| !cell.is_empty()).collect();
            if n_columns == 1 {
                cells = cells.iter().flat_map(|cell| cell.split_whitespace()).collect();
            }
            let [first, second] = cells[..] else {
                let n_words = cells.len();
                return Err(DataError::NoPair { source_name, word, at, n_words });
            };
            if pairs.is_empty() && is_header(first) && is_header(second) && found(first).is_none() {
                continue;
            }
            let sample = |id: &str| {
                found(id).ok_or_else(|| DataError::PairOfUnknown {
                    source_name: source_name.clone(),
                    word,
                    at,
                    id: id.into(),
                    other: name.into(),
                    keys: if samples.ids.is_some() { "ids" } else { "rows, counted from 0" },
                })
            };
            let samples = [sample(first)?, sample(second)?];
            if samples[0] == samples[1] {
                let id = first.into();
                return Err(DataError::PairOfOne { source_name, word, at, id });
            }
            pairs.push(SamplePair { samples, at });
        }
    }
    if pairs.is_empty() {
        return Err(DataError::NoPairs { source_name });
    }
    Ok((pairs, word))
}

/// From what a file says to a sample.
fn samples_by_name<'a>(samples: &'a SampleKeys<'_>) -> impl Fn(&str) -> Option<SampleIdx> + 'a {
    let ids = samples.ids.as_deref().map(|ids| {
        let named = ids.iter().enumerate().map(|(at, id)| (id.as_str(), SampleIdx::from_index(at)));
        named.collect::<HashMap<_, _>>()
    });
    let rows = samples.rows.as_deref().map(|rows| {
        let placed = rows.iter().enumerate().map(|(at, &row)| (row, SampleIdx::from_index(at)));
        placed.collect::<HashMap<_, _>>()
    });
    move |id: &str| match (&ids, &rows) {
        (Some(ids), _) => ids.get(id).copied(),
        (None, Some(rows)) => rows.get(&id.parse().ok()?).copied(),
        (None, None) => {
            let row = id.parse().ok().filter(|&row| row < samples.n_samples);
            row.map(SampleIdx::from_index)
        }
    }
}

fn is_header(word: &str) -> bool {
    let word = word.to_lowercase();
    HEADERS.contains(&word.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, samples: &SampleKeys<'_>) -> Result<Vec<(u32, u32, u64)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.csv");
        std::fs::write(&path, text).unwrap();
        let (pairs, word) =
            read_pairs(&path, "data", samples).map_err(|error| error.to_string())?;
        assert_eq!(word, "line");
        let pair = |pair: SamplePair| (pair.samples[0].0, pair.samples[1].0, pair.at);
        Ok(pairs.into_iter().map(pair).collect())
    }

    #[test]
    fn two_samples_a_line_by_ids_or_by_rows() {
        let ids: Vec<String> = ["007", "p", "q x", "id1"].map(Into::into).to_vec();
        let named = SampleKeys::new(4, Some(&ids), None);
        for text in ["007,p\nq x,p\n", "id_1,id_2\n007,p\n\nq x,p\n", "007\tp\nq x\tp\n"] {
            let pairs = read(text, &named).unwrap();
            assert_eq!((pairs[0].0, pairs[0].1, pairs[1].0), (0, 1, 2), "{text:?}");
        }
        assert_eq!(read("id1,p\n", &named), Ok(vec![(3, 1, 1)]), "an id is no header");
        let rows = SampleKeys::new(3, None, None);
        assert_eq!(read("0 2\n1 2\n", &rows), Ok(vec![(0, 2, 1), (1, 2, 2)]));
        let left = SampleKeys::new(2, None, Some(&[0, 5]));
        assert_eq!(read("first,second\n0,5\n", &left), Ok(vec![(0, 1, 2)]));
        assert!(read("0,1\n", &left).unwrap_err().contains("line 1: '1' is not in data"));
    }

    #[test]
    fn what_is_no_pair_is_told_with_its_line() {
        let rows = SampleKeys::new(3, None, None);
        for (text, words) in [
            ("0,1\n7,1\n", "line 2: '7' is not in data; name samples by their rows"),
            ("0,1\nx,1\n", "line 2: 'x' is not in data"),
            ("x,y\n0,1\n", "line 1: 'x' is not in data"),
            ("0,1\n2,2\n", "line 2: '2' is paired with itself"),
            ("0 1\n0 1 2\n", "line 2 has 3 columns"),
            ("p q\np q r\n", "line 1: 'p' is not in data"),
            ("p,q,r\n", "line 1: 3 words where two samples are expected"),
            ("0,1\n2,\n", "line 2: 1 word where two samples are expected"),
            ("first,second\n", "no pairs"),
        ] {
            let error = read(text, &rows).unwrap_err();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }
}
