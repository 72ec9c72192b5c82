//! What a run learnt from, and what only such a run has: written, and read back.

use std::collections::HashMap;
use std::path::Path;

use consilience_data::write::npy;
use consilience_data::{ClusterId, SampleIdx, read_dataset};
use ndarray::{Array2, ArrayView1};
use serde::{Deserialize, Serialize};

use super::read::{RunFolder, lines};
use super::results::{row, write_csv};
use super::source::Provenance;
use super::{damaged, manifest, votes};
use crate::RunError;
use crate::few_labels::{Contradiction, Taught, by_votes, spread_as};

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
    let mut classes: Vec<Class<'_>> = (taught.names().zip(given.sizes()))
        .map(|((cluster, name), given)| Class { cluster: cluster.index(), name, given })
        .collect();
    classes.sort_by_key(|class| class.cluster);
    write_csv(&folder.join(CLASSES), &["cluster", "name", "given"], classes)?;
    let lines = given.labelled().map(|(sample, class)| Given {
        sample: row(sample),
        id: id(sample),
        cluster: taught.clusters[class.index()],
        name: &given.names()[class.index()],
    });
    write_csv(&folder.join(GIVEN), &header(&["sample", "cluster", "name"]), lines)?;
    let name = |cluster: ClusterId| taught.name_of(cluster);
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
    if let Some(probabilities) = &taught.probabilities {
        npy(&folder.join(PROBABILITIES), probabilities.view())?;
    }
    Ok(())
}

fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// A label that a run learnt from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenLabel {
    /// The sample.
    pub sample: SampleIdx,
    /// Its class's name.
    pub name: String,
}

/// A line of `given_labels.csv`, as it is read.
#[derive(Deserialize)]
struct GivenLine {
    sample: usize,
    name: String,
}

/// A line of `classes.csv`, as it is read.
#[derive(Deserialize)]
struct ClassLine {
    cluster: usize,
    name: String,
}

/// The labels that a run learnt from, in the order of samples; none of a run that clustered.
///
/// # Errors
///
/// [`RunError::Folder`] for a file that is damaged.
pub fn read_given(run: &RunFolder) -> Result<Vec<GivenLabel>, RunError> {
    let path = run.path.join(GIVEN);
    if !path.is_file() {
        return Ok(Vec::new());
    }
    manifest::verify(&run.path, &[GIVEN])?;
    let sample_of = run.samples_by_row();
    let (_, lines): (bool, Vec<GivenLine>) = lines(&path)?;
    let label =
        |line: GivenLine| Some(GivenLabel { sample: sample_of(line.sample)?, name: line.name });
    let labels: Option<Vec<GivenLabel>> = lines.into_iter().map(label).collect();
    labels.ok_or_else(|| damaged(&path, "samples that the run doesn't have"))
}

/// What a run's clusters are called, if it learnt from labels.
///
/// # Errors
///
/// [`RunError::Folder`] for a file that is damaged.
pub fn read_class_names(run: &Path) -> Result<HashMap<usize, String>, RunError> {
    let path = run.join(CLASSES);
    if !path.is_file() {
        return Ok(HashMap::new());
    }
    manifest::verify(run, &[CLASSES])?;
    let (_, lines): (bool, Vec<ClassLine>) = lines(&path)?;
    Ok(lines.into_iter().map(|line| (line.cluster, line.name)).collect())
}

/// A probability of every cluster for every sample, shape (n_samples, n_clusters); rows sum to 1.
///
/// A run that learnt from labels has them. Of another, a sample's cluster has its confidence, and the others share what is left as the run's votes do: by
/// the samples that models put together with this one. Where no vote tells them apart, and for samples without a cluster, they are alike.
///
/// # Errors
///
/// [`RunError::Folder`] for a file that is damaged.
pub fn read_probabilities(run: &RunFolder) -> Result<Array2<f32>, RunError> {
    let (n, k) = (run.n_samples(), run.n_clusters());
    let path = run.path.join(PROBABILITIES);
    if path.is_file() {
        manifest::verify(&run.path, &[PROBABILITIES])?;
        let array = read_dataset(std::slice::from_ref(&path), &[])?.features.view().to_owned();
        let array = Some(array).filter(|array| array.dim() == (n, k));
        return array.ok_or_else(|| damaged(&path, "another shape than the run has"));
    }
    let mut rows = match votes::read(run)? {
        Some(votes) => by_votes(votes.view(), &run.clusters, k),
        None => Array2::zeros((n, k)),
    };
    let samples = run.clusters.iter().zip(&run.confidences);
    for (mut row, (cluster, &confidence)) in rows.rows_mut().into_iter().zip(samples) {
        let found = spread_as(row.view(), *cluster, confidence);
        row.assign(&ArrayView1::from(&found));
    }
    Ok(rows)
}
