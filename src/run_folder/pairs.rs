//! `pairs.csv`: the pairs of samples that a run was held to, written and read back.

use std::path::Path;

use consilience_data::SampleIdx;
use serde::{Deserialize, Serialize};

use super::read::{RunFolder, lines};
use super::results::{row, write_csv};
use super::{damaged, manifest};
use crate::RunError;
use crate::knowledge::Knowledge;

/// The name of the file.
pub(super) const PAIRS: &str = "pairs.csv";

/// A line: two samples, by their rows in the data.
#[derive(Serialize, Deserialize)]
struct Pair {
    first: usize,
    second: usize,
    link: Link,
}

/// Whether two samples are in one cluster or in two.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Link {
    Must,
    Cannot,
}

/// Writes the pairs that are `known` into a run folder; no file if there are none. `rows`: of the data, length n_samples, if some were left out.
///
/// # Errors
///
/// [`DataError::Unwritable`](consilience_data::DataError::Unwritable).
pub fn write_pairs(
    folder: &Path,
    known: &Knowledge,
    rows: Option<&[usize]>,
) -> Result<(), RunError> {
    let of = |link| {
        let pair = move |&[a, b]: &[SampleIdx; 2]| {
            let [first, second] = [a, b].map(|sample| row(rows, sample));
            Pair { first, second, link }
        };
        let [must, cannot] = known.pairs();
        let pairs = if link == Link::Must { must } else { cannot };
        pairs.iter().map(pair)
    };
    let mut lines = of(Link::Must).chain(of(Link::Cannot)).peekable();
    if lines.peek().is_none() {
        return Ok(());
    }
    Ok(write_csv(&folder.join(PAIRS), &["first", "second", "link"], lines)?)
}

/// The pairs that a run was held to, none if it wasn't.
///
/// # Errors
///
/// [`RunError::Folder`] for a file that is damaged, and for a run of a version that kept no pairs.
pub fn read_pairs(run: &RunFolder) -> Result<Knowledge, RunError> {
    let path = run.path.join(PAIRS);
    if !path.is_file() {
        if run.source.links_hash.is_none() || run.metrics["held"].is_null() {
            return Ok(Knowledge::default());
        }
        let problem = "it was held to pairs of samples, and has no pairs.csv that says to which; cluster again with them";
        return Err(RunError::folder(&run.path, &problem));
    }
    manifest::verify(&run.path, &[PAIRS])?;
    let (_, lines): (bool, Vec<Pair>) = lines(&path)?;
    let sample_of = run.samples_by_row();
    let of = |link| -> Option<Vec<[SampleIdx; 2]>> {
        let lines = lines.iter().filter(|pair| pair.link == link);
        lines.map(|pair| Some([sample_of(pair.first)?, sample_of(pair.second)?])).collect()
    };
    let unknown = || damaged(&path, "samples that the run doesn't have");
    let (must, cannot) = of(Link::Must).zip(of(Link::Cannot)).ok_or_else(unknown)?;
    let contradictory = |_| damaged(&path, "pairs that contradict each other");
    Knowledge::new(None, &must, &cannot).map_err(contradictory)
}
