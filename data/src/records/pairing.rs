//! Which row of one source is which of another.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;

use crate::DataError;

/// What the rows of a source are called.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys<'a> {
    pub(crate) n_rows: usize,
    /// Names of samples, length n_rows.
    pub(crate) ids: Option<Cow<'a, [String]>>,
    /// Which row of the data each is, from 0, length n_rows.
    pub(crate) rows: Option<Vec<usize>>,
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

/// For each row of `first`, the row of `second` that is the same sample.
///
/// By ids, if both have them; else by numbers of rows, if one has them; else in order. Time and
/// memory O(n).
///
/// # Arguments
///
/// * `names`: what messages call the two.
/// * `may_lack`: whether samples may be missing in `second`.
///
/// # Errors
///
/// The first sample that is there twice, or in one of the two alone, and lengths that differ.
pub(crate) fn pair(
    first: &Keys<'_>,
    second: &Keys<'_>,
    names: [&str; 2],
    may_lack: bool,
) -> Result<(Vec<Option<usize>>, PairedBy), DataError> {
    if let (Some(ids), Some(others)) = (&first.ids, &second.ids) {
        return Ok((join(ids, others, names, may_lack)?, PairedBy::Ids));
    }
    if let (None, None) = (&first.rows, &second.rows) {
        if first.n_rows != second.n_rows {
            return Err(DataError::PairedLengths {
                first: names[0].into(),
                first_rows: first.n_rows,
                second: names[1].into(),
                second_rows: second.n_rows,
            });
        }
        let has_ids = first.ids.is_some() || second.ids.is_some();
        let by = if has_ids { PairedBy::OrderAndIdsOfOne } else { PairedBy::Order };
        return Ok(((0..first.n_rows).map(Some).collect(), by));
    }
    let numbers = |keys: &Keys<'_>| keys.rows.clone().unwrap_or_else(|| (0..keys.n_rows).collect());
    Ok((join(&numbers(first), &numbers(second), names, may_lack)?, PairedBy::Rows))
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
    Ok(join(first, second, names, false)?.into_iter().flatten().collect())
}

fn join<K: Hash + Eq + Display>(
    first: &[K],
    second: &[K],
    names: [&str; 2],
    may_lack: bool,
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
        if place.is_none() && !may_lack {
            return Err(alone(key, 0));
        }
        paired.push(place.map(|place| {
            place.1 = true;
            place.0
        }));
    }
    match second.iter().find(|key| places.get(key).is_some_and(|place| !place.1)) {
        Some(key) => Err(alone(key, 1)),
        None => Ok(paired),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(ids: &[&str]) -> Keys<'static> {
        let owned: Vec<String> = ids.iter().map(|id| (*id).into()).collect();
        Keys { n_rows: ids.len(), ids: Some(owned.into()), rows: None }
    }

    fn unnamed(n_rows: usize) -> Keys<'static> {
        Keys { n_rows, ..Keys::default() }
    }

    fn paired(first: &Keys<'_>, second: &Keys<'_>) -> Result<(Vec<usize>, PairedBy), String> {
        let paired = pair(first, second, ["a", "b"], false).map_err(|error| error.to_string());
        paired.map(|(rows, by)| (rows.into_iter().flatten().collect(), by))
    }

    #[test]
    fn rows_meet_by_ids_then_by_numbers_then_in_order() {
        let (ids, others) = (keys(&["p", "q", "r"]), keys(&["r", "p", "q"]));
        assert_eq!(paired(&ids, &others), Ok((vec![1, 2, 0], PairedBy::Ids)));
        let sorted = Keys { rows: Some(vec![2, 0, 1]), ..others.clone() };
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
        let lacking = pair(&ids, &keys(&["r"]), ["a", "b"], true).unwrap().0;
        assert_eq!(lacking, [None, None, Some(0)]);
        assert!(pair(&keys(&["p", "p"]), &keys(&["r"]), ["a", "b"], true).is_err());
    }
}
