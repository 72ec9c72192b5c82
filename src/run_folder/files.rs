//! What is in a run folder.
//!
//! | file | content |
//! | --- | --- |
//! | `config.toml` | all settings, and what the run was made of; `--config` takes it |
//! | `metrics.json` | [`Metrics`], or [`VotesMetrics`] |
//! | `recipe.json` | how files became features: a [`Recipe`] |
//! | `assignments.csv` | sample, id (if the data has ids), cluster, confidence |
//! | `assignments.npy` | the clusters alone: `int32`, shape (n_samples); -1: nobody voted |
//! | `pseudo_labels.csv`, `.npz` | sample, id (if the data has ids), label, agreement, margin, confidence |
//! | `run.h5` | the last round's votes, all that follows from them, and the samples' ids (feature `hdf5`) |
//! | `models/model-NN.safetensors` | the models' weights |
//! | `models/k-means.safetensors` | the centroids, if k-means was chosen |
//! | `models/ensemble.json` | which of the two was chosen, and which of each model's clusters is which of the run's |
//! | `models/scaling.npz` | `shift` and `scale`: models take `(features - shift) * scale`; with `rows` 1, rows are then scaled to length sqrt(columns); with a `projection`, multiplied by it, and scaled again |
//!
//! | `report.html` | all of it on one page: see [`report`](crate::report), which writes it |
//!
//! Runs that had their votes given leave no models.
//!
//! Identical runs give identical bytes, but for times, memory, threads and machine in `metrics.json`, and so in the report.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::Path;

use consilience_data::write::{Member, npy, npz};
use consilience_data::{ClusterId, DataError, PseudoLabels, Recipe, SampleIdx};
use consilience_graph::Signatures;
use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};

use super::unwritable;
use crate::from_votes::VotesOutcome;
use crate::metrics::VotesMetrics;
use crate::outcome::Outcome;
use crate::{Metrics, RunError};

/// The name of the file with the settings.
pub const CONFIG: &str = "config.toml";
/// The name of the file that says how files became features.
pub const RECIPE: &str = "recipe.json";

const ASSIGNMENTS: [&str; 3] = ["sample", "cluster", "confidence"];
pub(crate) const PSEUDO_LABELS: [&str; 5] =
    ["sample", "label", "agreement", "margin", "confidence"];

/// Where the features of a run came from.
#[derive(Debug, Clone, Copy)]
pub struct Provenance<'a> {
    /// What samples are called, length n_samples, if the data says it.
    pub ids: Option<&'a [String]>,
    /// How files became features.
    pub recipe: &'a Recipe,
}

/// What a run was made of: the table `[run]` of `config.toml`. It decides nothing when the file is read again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Source {
    /// The data, as named on the command line.
    pub data: Vec<String>,
    /// Files of labels for the scores.
    pub labels: Vec<String>,
    /// Where the networks were trained.
    pub device: String,
}

/// The content of `config.toml`. `command` takes it with `--config`.
///
/// # Errors
///
/// [`RunError::Setting`] for a setting that TOML has no notation for, such as a seed of 2^63 or more.
pub fn config_toml(
    command: &str,
    config: &impl Serialize,
    source: &Source,
) -> Result<String, RunError> {
    let refused = |error: toml::ser::Error| RunError::Setting {
        name: CONFIG,
        need: "settings that can be written as TOML".into(),
        got: error.to_string(),
    };
    let settings = toml::to_string(config).map_err(refused)?;
    let source = toml::to_string(source).map_err(refused)?;
    Ok(format!(
        "# All settings of a run. To repeat it: consilience {command} --config {CONFIG}\n\n\
         {settings}\n# What it was made of. Not read by --config.\n[run]\n{source}"
    ))
}

/// Writes all files of a run into `folder`, which exists and is empty.
///
/// # Errors
///
/// [`DataError::Unwritable`], or the error of the model that can't be saved.
pub fn write(
    folder: &Path,
    outcome: &Outcome,
    metrics: &Metrics,
    config: &str,
    provenance: &Provenance<'_>,
) -> Result<(), RunError> {
    write_recipe(folder, provenance.recipe)?;
    let answer = &outcome.answer;
    let results = Results {
        clusters: answer.assignments.clusters().iter().copied().map(Some).collect(),
        confidences: &answer.confidence,
        pseudo_labels: &answer.pseudo_labels,
        ids: provenance.ids,
    };
    write_results(folder, config, &metrics.to_json(), &results)?;
    #[cfg(feature = "hdf5")]
    super::h5::write(&folder.join("run.h5"), outcome, &results)?;
    super::models::write(folder, outcome)
}

fn write_recipe(folder: &Path, recipe: &Recipe) -> Result<(), DataError> {
    let recipe = serde_json::to_string_pretty(recipe).expect("plain data") + "\n";
    write_text(&folder.join(RECIPE), &recipe)
}

/// Votes of other tools.
#[derive(Debug, Clone, Copy)]
pub struct GivenVotes<'a> {
    /// The votes, each model's clusters numbered densely.
    pub signatures: &'a Signatures,
    /// What each of a model's clusters was called, shape (n_models), of n_clusters of the model each.
    pub ids: &'a [Vec<i64>],
    /// Where the samples came from, if the votes are those of a run that knows it.
    pub provenance: Option<Provenance<'a>>,
}

/// Writes all files of a run that had its votes given into `folder`, which exists and is empty: the same as
/// [`write()`], but for the models.
///
/// # Errors
///
/// [`DataError::Unwritable`].
pub fn write_from_votes(
    folder: &Path,
    outcome: &VotesOutcome,
    votes: &GivenVotes<'_>,
    metrics: &VotesMetrics,
    config: &str,
) -> Result<(), RunError> {
    if let Some(Provenance { recipe, .. }) = votes.provenance {
        write_recipe(folder, recipe)?;
    }
    let results = Results {
        clusters: Cow::Borrowed(&outcome.consensus.clusters),
        confidences: &outcome.consensus.confidences,
        pseudo_labels: &outcome.pseudo_labels,
        ids: votes.provenance.and_then(|provenance| provenance.ids),
    };
    write_results(folder, config, &metrics.to_json(), &results)?;
    #[cfg(feature = "hdf5")]
    super::h5::write_votes(&folder.join("run.h5"), votes, &results)?;
    // Only run.h5 holds them.
    #[cfg(not(feature = "hdf5"))]
    let _ = votes;
    Ok(())
}

/// What every run gives.
pub(super) struct Results<'a> {
    /// The consensus, length n_samples; `None` for samples on which nobody voted.
    pub(super) clusters: Cow<'a, [Option<ClusterId>]>,
    /// Its probabilities, length n_samples.
    pub(super) confidences: &'a [f32],
    pub(super) pseudo_labels: &'a PseudoLabels,
    /// What samples are called, length n_samples, if they are called anything.
    pub(super) ids: Option<&'a [String]>,
}

impl<'a> Results<'a> {
    fn id(&self, sample: SampleIdx) -> Option<&'a str> {
        self.ids.map(|ids| ids[sample.index()].as_str())
    }

    /// The names of columns, the samples' ids behind the samples if they have any.
    fn header(&self, columns: &[&'static str]) -> Vec<&'static str> {
        let mut header = columns.to_vec();
        if self.ids.is_some() {
            header.insert(1, "id");
        }
        header
    }
}

/// A line of `assignments.csv`.
#[derive(Serialize)]
struct Assigned<'a> {
    sample: SampleIdx,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    cluster: Option<ClusterId>,
    confidence: f32,
}

/// A line of `pseudo_labels.csv`.
#[derive(Serialize)]
struct Labelled<'a> {
    sample: SampleIdx,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    label: ClusterId,
    agreement: u16,
    margin: i32,
    confidence: f32,
}

pub(super) fn write_text(path: &Path, content: &str) -> Result<(), DataError> {
    fs::write(path, content).map_err(|error| unwritable(path, &error))
}

fn write_results(
    folder: &Path,
    config: &str,
    metrics: &str,
    results: &Results<'_>,
) -> Result<(), DataError> {
    write_text(&folder.join(CONFIG), config)?;
    write_text(&folder.join("metrics.json"), metrics)?;
    let rows = results.clusters.iter().zip(results.confidences).enumerate();
    let rows = rows.map(|(sample, (&cluster, &confidence))| {
        let sample = SampleIdx::from_index(sample);
        Assigned { sample, id: results.id(sample), cluster, confidence }
    });
    write_csv(&folder.join("assignments.csv"), &results.header(&ASSIGNMENTS), rows)?;
    let id = |cluster: &Option<ClusterId>| cluster.map_or(-1, |ClusterId(id)| id.into());
    let ids: Vec<i32> = results.clusters.iter().map(id).collect();
    npy(&folder.join("assignments.npy"), ArrayView1::from(&ids))?;
    write_pseudo_labels(folder, results)
}

fn write_pseudo_labels(folder: &Path, results: &Results<'_>) -> Result<(), DataError> {
    let rows = results.pseudo_labels.entries().iter().map(|entry| Labelled {
        sample: entry.sample,
        id: results.id(entry.sample),
        label: entry.label,
        agreement: entry.agreement,
        margin: entry.margin,
        confidence: entry.confidence,
    });
    write_csv(&folder.join("pseudo_labels.csv"), &results.header(&PSEUDO_LABELS), rows)?;
    let columns = Columns::of(results.pseudo_labels);
    let arrays = [
        ArrayView1::from(&columns.sample).into(),
        ArrayView1::from(&columns.label).into(),
        ArrayView1::from(&columns.agreement).into(),
        ArrayView1::from(&columns.margin).into(),
        ArrayView1::from(&columns.confidence).into(),
    ];
    let mut members: Vec<_> = PSEUDO_LABELS.into_iter().zip(arrays).collect();
    let entries = results.pseudo_labels.entries().iter();
    let ids: Option<Vec<&str>> = entries.map(|entry| results.id(entry.sample)).collect();
    members.extend(ids.filter(|_| results.ids.is_some()).map(|ids| ("id", Member::Texts(ids))));
    npz(&folder.join("pseudo_labels.npz"), &members)
}

fn write_csv<R: Serialize>(
    path: &Path,
    header: &[&str],
    rows: impl IntoIterator<Item = R>,
) -> Result<(), DataError> {
    let write = || -> Result<(), io::Error> {
        // The header is written by hand, so that it is there without rows, too.
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_path(path)?;
        writer.write_record(header)?;
        for row in rows {
            writer.serialize(row)?;
        }
        writer.flush()
    };
    write().map_err(|error| unwritable(path, &error))
}

/// Pseudo-labels by columns, length of each: number of labelled samples.
pub(crate) struct Columns {
    pub(crate) sample: Vec<u32>,
    pub(crate) label: Vec<u16>,
    pub(crate) agreement: Vec<u16>,
    pub(crate) margin: Vec<i32>,
    pub(crate) confidence: Vec<f32>,
}

impl Columns {
    pub(crate) fn of(labels: &PseudoLabels) -> Self {
        let entries = labels.entries();
        Self {
            sample: entries.iter().map(|entry| entry.sample.0).collect(),
            label: entries.iter().map(|entry| entry.label.0).collect(),
            agreement: entries.iter().map(|entry| entry.agreement).collect(),
            margin: entries.iter().map(|entry| entry.margin).collect(),
            confidence: entries.iter().map(|entry| entry.confidence).collect(),
        }
    }
}
