//! What a run learnt from, and what only such a run has.

use std::path::Path;

use consilience_data::write::npy;
use consilience_data::{ClusterId, SampleIdx};
use serde::Serialize;

use super::results::{row, write_csv};
use super::source::Provenance;
use crate::RunError;
use crate::few_labels::{Contradiction, Taught};

/// Names of the files.
pub(crate) const CLASSES: &str = "classes.csv";
pub(crate) const GIVEN: &str = "given_labels.csv";
pub(crate) const ERRORS: &str = "label_errors.csv";
pub(crate) const PROBABILITIES: &str = "probabilities.npy";

/// A line of `classes.csv`.
#[derive(Serialize)]
struct Class<'a> {
    cluster: usize,
    name: &'a str,
    given: usize,
}

/// A line of `given_labels.csv`.
#[derive(Serialize)]
struct Given<'a> {
    sample: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    cluster: ClusterId,
    name: &'a str,
}

/// A line of `label_errors.csv`.
#[derive(Serialize)]
struct Wrong<'a> {
    sample: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    given: String,
    found: String,
    for_given: f64,
    for_found: f64,
}

/// Writes the labels that a run learnt from, what contradicts them, and the probabilities of all classes into a run folder.
///
/// # Errors
///
/// [`DataError::Unwritable`](consilience_data::DataError::Unwritable).
pub fn write_taught(
    folder: &Path,
    taught: &Taught,
    provenance: &Provenance<'_>,
) -> Result<(), RunError> {
    let given = &taught.given;
    let id = |sample: SampleIdx| provenance.ids.map(|ids| ids[sample.index()].as_str());
    let row = |sample: SampleIdx| row(provenance.rows, sample);
    let header = |columns: &[&'static str]| {
        let mut header = columns.to_vec();
        if provenance.ids.is_some() {
            header.insert(1, "id");
        }
        header
    };
    let classes = given.names().iter().zip(given.sizes()).enumerate();
    let classes = classes.map(|(cluster, (name, given))| Class { cluster, name, given });
    write_csv(&folder.join(CLASSES), &["cluster", "name", "given"], classes)?;
    let lines = given.labelled().map(|(sample, cluster)| Given {
        sample: row(sample),
        id: id(sample),
        cluster,
        name: &given.names()[cluster.index()],
    });
    write_csv(&folder.join(GIVEN), &header(&["sample", "cluster", "name"]), lines)?;
    let name = |ClusterId(id): ClusterId| {
        given.names().get(usize::from(id)).map_or_else(|| id.to_string(), Clone::clone)
    };
    let wrong = |contradiction: &Contradiction| Wrong {
        sample: row(contradiction.sample),
        id: id(contradiction.sample),
        given: name(contradiction.given),
        found: name(contradiction.found),
        for_given: thousandths(contradiction.for_given),
        for_found: thousandths(contradiction.for_found),
    };
    let columns = header(&["sample", "given", "found", "for_given", "for_found"]);
    write_csv(&folder.join(ERRORS), &columns, taught.contradictions.iter().map(wrong))?;
    Ok(npy(&folder.join(PROBABILITIES), taught.probabilities.view())?)
}

fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
