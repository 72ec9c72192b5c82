//! Which row of one source is which of another.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;

use crate::DataError;

/// What tells samples apart.
#[derive(Debug, Clone, Default)]
pub struct SampleKeys<'a> {
    /// Number of samples.
    pub n_samples: usize,
    /// What they are called, length n_samples, if they are called anything.
    pub ids: Option<Cow<'a, [String]>>,
    /// Which row of the data each is, counted from 0, length n_samples, if that is said.
    pub rows: Option<Cow<'a, [usize]>>,
    /// Whether samples may have been left out of these.
    pub is_part: bool,
    /// Whether these are the data themselves, whose rows are one after the other where nothing else is said.
    pub is_data: bool,
}

impl<'a> SampleKeys<'a> {
    /// Of samples of data. Where `rows` are given, some rows of the data were left out.
    #[must_use]
    pub fn new(n_samples: usize, ids: Option<&'a [String]>, rows: Option<&'a [usize]>) -> Self {
        let is_part = rows.is_some();
        let (ids, rows) = (ids.map(Into::into), rows.map(Into::into));
        Self { n_samples, ids, rows, is_part, is_data: true }
    }

    /// The row of each sample: without any that are said, one after the other.
    pub(super) fn numbers(&self) -> Cow<'_, [usize]> {
        match &self.rows {
            Some(rows) => Cow::Borrowed(rows),
            None => (0..self.n_samples).collect(),
        }
    }
}

/// How the rows of two sources were paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PairedBy {
    /// By what both call their samples.
    Ids,
    /// By numbers of rows in the data, which one of them has at least.
    Rows,
    /// One row after the other, as nothing says which is which.
    Order,
    /// One row after the other, although one of them calls its samples something: the other doesn't.
    OrderAndIdsOfOne,
}

/// Whether ids may be numbers of rows of so many samples.
pub(crate) fn are_rows(ids: &[String], n_samples: usize) -> bool {
    ids.iter().all(|id| id.parse::<usize>().is_ok_and(|row| row < n_samples))
}

/// For each row of `first`, the row of `second` that is the same sample.
///
/// By ids, if both have them; else by numbers of rows, if one has them; else in order. Time and
/// memory O(n).
///
/// # Arguments
///
/// * `names`: what messages call the two.
/// * `may_lack`: whether samples may be missing in the first, and in the second.
///
/// # Errors
///
/// The first sample that is there twice, or in one of the two alone, and lengths that differ.
pub(crate) fn pair(
    first: &SampleKeys<'_>,
    second: &SampleKeys<'_>,
    names: [&str; 2],
    may_lack: [bool; 2],
) -> Result<(Vec<Option<usize>>, PairedBy), DataError> {
    if let (Some(ids), Some(others)) = (&first.ids, &second.ids) {
        return Ok((join(ids, others, names, may_lack)?, PairedBy::Ids));
    }
    // Where rows aren't said, they are taken one after the other, whatever samples are called.
    let in_order = |keys: &SampleKeys<'_>| {
        let is_known = keys.is_data && (first.rows.is_some() || second.rows.is_some());
        keys.rows.is_none() && keys.ids.is_some() && !is_known
    };
    let by = match (&first.rows, &second.rows) {
        _ if in_order(first) || in_order(second) => PairedBy::OrderAndIdsOfOne,
        (None, None) => PairedBy::Order,
        _ => PairedBy::Rows,
    };
    if may_lack == [false; 2] && first.n_samples != second.n_samples {
        return Err(DataError::PairedLengths {
            first: names[0].into(),
            first_rows: first.n_samples,
            second: names[1].into(),
            second_rows: second.n_samples,
        });
    }
    if let (None, None, [false, false]) = (&first.rows, &second.rows, may_lack) {
        return Ok(((0..first.n_samples).map(Some).collect(), by));
    }
    Ok((join(&first.numbers(), &second.numbers(), names, may_lack)?, by))
}

/// For each of `first`, where it is in `second`.
///
/// # Errors
///
/// As [`pair`].
pub(crate) fn pair_ids(
    first: &[String],
    second: &[String],
    names: [&str; 2],
) -> Result<Vec<usize>, DataError> {
    Ok(join(first, second, names, [false; 2])?.into_iter().flatten().collect())
}

fn join<K: Hash + Eq + Display>(
    first: &[K],
    second: &[K],
    names: [&str; 2],
    may_lack: [bool; 2],
) -> Result<Vec<Option<usize>>, DataError> {
    let twice =
        |key: &K, name: &str| DataError::IdTwice { source_name: name.into(), id: key.to_string() };
    // Where each is, and whether it was found.
    let mut places: HashMap<&K, (usize, bool)> = HashMap::with_capacity(second.len());
    for (row, key) in second.iter().enumerate() {
        if places.insert(key, (row, false)).is_some() {
            return Err(twice(key, names[1]));
        }
    }
    let alone = |key: &K, here: usize| DataError::IdAlone {
        source_name: names[here].into(),
        id: key.to_string(),
        other: names[1 - here].into(),
    };
    let mut seen = HashSet::new();
    let mut paired = Vec::with_capacity(first.len());
    for key in first {
        let place = places.get_mut(key);
        let is_new = match &place {
            Some((_, was_found)) => !was_found,
            None => seen.insert(key),
        };
        if !is_new {
            return Err(twice(key, names[0]));
        }
        if place.is_none() && !may_lack[1] {
            return Err(alone(key, 0));
        }
        paired.push(place.map(|place| {
            place.1 = true;
            place.0
        }));
    }
    match second.iter().find(|key| places.get(key).is_some_and(|place| !place.1)) {
        Some(key) if !may_lack[0] => Err(alone(key, 1)),
        _ => Ok(paired),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(ids: &[&str]) -> SampleKeys<'static> {
        let owned: Vec<String> = ids.iter().map(|id| (*id).into()).collect();
        SampleKeys { n_samples: ids.len(), ids: Some(owned.into()), ..SampleKeys::default() }
    }

    fn unnamed(n_samples: usize) -> SampleKeys<'static> {
        SampleKeys::new(n_samples, None, None)
    }

    type Found = Result<(Vec<usize>, PairedBy), String>;

    fn paired(first: &SampleKeys<'_>, second: &SampleKeys<'_>) -> Found {
        let lacks = [first.is_part, second.is_part];
        let paired = pair(first, second, ["a", "b"], lacks).map_err(|error| error.to_string());
        paired.map(|(rows, by)| (rows.into_iter().flatten().collect(), by))
    }

    #[test]
    fn rows_meet_by_ids_then_by_numbers_then_in_order() {
        let (ids, others) = (keys(&["p", "q", "r"]), keys(&["r", "p", "q"]));
        assert_eq!(paired(&ids, &others), Ok((vec![1, 2, 0], PairedBy::Ids)));
        let sorted = SampleKeys { rows: Some(vec![2, 0, 1].into()), ..others.clone() };
        assert_eq!(paired(&unnamed(3), &sorted), Ok((vec![1, 2, 0], PairedBy::Rows)));
        // An index of pandas after a shuffle is no number of a row.
        let shuffled = paired(&keys(&["2", "0", "1"]), &unnamed(3));
        assert_eq!(shuffled, Ok((vec![0, 1, 2], PairedBy::OrderAndIdsOfOne)));
        assert_eq!(paired(&ids, &unnamed(3)), Ok((vec![0, 1, 2], PairedBy::OrderAndIdsOfOne)));
        let by = paired(&keys(&["1", "2", "3"]), &unnamed(3)).unwrap().1;
        assert_eq!(by, PairedBy::OrderAndIdsOfOne);
        assert_eq!(paired(&unnamed(3), &unnamed(3)).unwrap().1, PairedBy::Order);
    }

    #[test]
    fn what_has_no_partner_is_named() {
        let ids = keys(&["p", "q", "r"]);
        for (other, words) in [
            (keys(&["p", "q"]), "a: 'r' is not in b"),
            (keys(&["p", "x", "q", "r", "y"]), "b: 'x' is not in a"),
            (keys(&["p", "q", "p", "r"]), "b: 'p' is there twice"),
            (unnamed(4), "b: 4 labels for 3 samples of a"),
        ] {
            let error = paired(&ids, &other).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        let error = paired(&keys(&["p", "p"]), &keys(&["p", "q"])).unwrap_err();
        assert!(error.contains("a: 'p' is there twice"), "{error}");
        let lacking = pair(&ids, &keys(&["r"]), ["a", "b"], [false, true]).unwrap().0;
        assert_eq!(lacking, [None, None, Some(0)]);
        assert!(pair(&keys(&["p", "p"]), &keys(&["r"]), ["a", "b"], [false, true]).is_err());
    }

    #[test]
    fn what_was_left_out_keeps_the_others_in_place() {
        let left = SampleKeys::new(2, None, Some(&[0, 2]));
        assert_eq!(paired(&left, &unnamed(3)), Ok((vec![0, 2], PairedBy::Rows)));
        assert_eq!(paired(&unnamed(3), &left), Ok((vec![0, 1], PairedBy::Rows)));
        let error = paired(&left, &unnamed(2)).unwrap_err();
        assert!(error.contains("a: '2' is not in b"), "{error}");
        let by = paired(&left, &keys(&["p", "q", "r"])).unwrap().1;
        assert_eq!(by, PairedBy::OrderAndIdsOfOne);
    }
}
