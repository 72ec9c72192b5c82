//! Which arrays of a file are votes.

use std::ops::RangeInclusive;

use super::array::Grid;
use super::request::last;
use crate::DataError;
use crate::read::npz;
use crate::read::numbers::Kind;

/// An array of a file without one called `votes`.
pub(super) struct Candidate {
    pub(super) name: String,
    /// `None` if it isn't of numbers.
    pub(super) kind: Option<Kind>,
    pub(super) shape: Vec<usize>,
}

/// The arrays of so many dimensions to be read: the only one, or several that can be stacked. Otherwise an error lists
/// what there is.
///
/// `what`: what the format calls an array.
pub(super) fn stack(
    all: Vec<Candidate>,
    dimensions: RangeInclusive<usize>,
    what: &str,
    file_name: &str,
) -> Result<Vec<String>, DataError> {
    let fitting = || all.iter().filter(|array| dimensions.contains(&array.shape.len()));
    let reason = match fitting().count() {
        0 => Some("none is of one or two dimensions".into()),
        1 => None,
        _ => not_stackable(fitting()),
    };
    let Some(reason) = reason else {
        return Ok(fitting().map(|array| array.name.clone()).collect());
    };
    Err(DataError::MissingMember {
        source_name: file_name.into(),
        wanted: format!(
            "{what} votes, and others can't be stacked as models ({reason}); choose one by {file_name}:NAME"
        ),
        found: all.iter().map(|array| format!("{} {:?}", array.name, array.shape)).collect(),
    })
}

/// Why arrays aren't all votes on the same samples, if they aren't.
fn not_stackable<'a>(arrays: impl Iterator<Item = &'a Candidate>) -> Option<String> {
    let mut samples: Option<Vec<usize>> = None;
    for Candidate { name, kind, shape } in arrays {
        if npz::LABEL_MEMBERS.contains(&last(name)) {
            return Some(format!("{name} may be the truth"));
        }
        if !kind.is_some_and(Kind::is_integer) {
            return Some(format!("{name} is not of integers"));
        }
        let samples = samples.get_or_insert_with(|| shape.clone());
        samples.retain(|length| Grid::fits(shape).contains(length));
        if samples.is_empty() {
            return Some(format!("{name} is not on the samples of those before"));
        }
    }
    None
}
