//! What is in a run folder.
//!
//! | file | content |
//! | --- | --- |
//! | `config.toml` | all settings, and what the run was made of; `--config` takes it |
//! | `metrics.json` | [`Metrics`] |
//! | `assignments.csv` | sample, cluster, confidence |
//! | `assignments.npy` | the clusters alone: `int32`, shape (n_samples) |
//! | `pseudo_labels.csv`, `.npz` | sample, label, agreement, margin, confidence |
//! | `run.h5` | the last round's votes and all that follows from them (feature `hdf5`) |
//! | `models/model-NN.safetensors` | the models' weights |
//! | `models/scaling.npz` | `shift` and `scale`: models take `(features - shift) * scale` |
//!
//! Identical runs give identical bytes, but for the times and the memory in `metrics.json`.

use std::fs;
use std::io;
use std::path::Path;

use consilience_data::write::{npy, npz};
use consilience_data::{DataError, PseudoLabels};
use ndarray::ArrayView1;
use serde::Serialize;

use super::unwritable;
use crate::outcome::{Outcome, Round};
use crate::{Config, Metrics, RunError};

/// The name of the file with the settings.
pub const CONFIG: &str = "config.toml";

const PSEUDO_LABELS: [&str; 5] = ["sample", "label", "agreement", "margin", "confidence"];

/// What a run was made of: the table `[run]` of `config.toml`. It decides nothing when the file is read again.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Source {
    /// The data, as named on the command line.
    pub data: Vec<String>,
    /// Files of labels for the scores.
    pub labels: Vec<String>,
    /// Where the networks were trained.
    pub device: String,
}

/// The content of `config.toml`.
///
/// # Errors
///
/// [`RunError::Setting`] for a setting that TOML has no notation for, such as a seed of 2^63 or more.
pub fn config_toml(config: &Config, source: &Source) -> Result<String, RunError> {
    let refused = |error: toml::ser::Error| RunError::Setting {
        name: CONFIG,
        need: "settings that can be written as TOML".into(),
        got: error.to_string(),
    };
    let settings = toml::to_string(config).map_err(refused)?;
    let source = toml::to_string(source).map_err(refused)?;
    Ok(format!(
        "# All settings of a run. To repeat it: consilience cluster DATA... --config {CONFIG}\n\n\
         {settings}\n# What it was made of. Not read by --config.\n[run]\n{source}"
    ))
}

/// Writes all files into `folder`, which exists and is empty.
///
/// # Errors
///
/// [`DataError::Unwritable`], or the error of the model that can't be saved.
pub fn write(
    folder: &Path,
    outcome: &Outcome,
    metrics: &Metrics,
    config: &str,
) -> Result<(), RunError> {
    let text = |name: &str, content: &str| {
        let path = folder.join(name);
        fs::write(&path, content).map_err(|error| unwritable(&path, &error))
    };
    let last = outcome.last();
    text(CONFIG, config)?;
    text("metrics.json", &metrics.to_json())?;
    write_assignments(folder, last)?;
    write_pseudo_labels(folder, &last.pseudo_labels)?;
    #[cfg(feature = "hdf5")]
    h5::write(&folder.join("run.h5"), outcome)?;

    let models = folder.join("models");
    fs::create_dir(&models).map_err(|error| unwritable(&models, &error))?;
    outcome.ensemble.save(&models)?;
    let (shift, scale) = outcome.data.transform();
    let (shift, scale) = (ArrayView1::from(shift), ArrayView1::from(scale));
    npz(&models.join("scaling.npz"), &[("shift", shift.into()), ("scale", scale.into())])?;
    Ok(())
}

fn write_assignments(folder: &Path, round: &Round) -> Result<(), DataError> {
    let clusters = round.consensus.clusters();
    let rows = clusters.iter().zip(&round.confidence).enumerate();
    let rows = rows.map(|(sample, (cluster, confidence))| (sample, cluster, confidence));
    write_csv(&folder.join("assignments.csv"), &["sample", "cluster", "confidence"], rows)?;
    let ids: Vec<i32> = clusters.iter().map(|cluster| cluster.0.into()).collect();
    npy(&folder.join("assignments.npy"), ArrayView1::from(&ids))
}

fn write_pseudo_labels(folder: &Path, labels: &PseudoLabels) -> Result<(), DataError> {
    write_csv(&folder.join("pseudo_labels.csv"), &PSEUDO_LABELS, labels.entries())?;
    let columns = Columns::of(labels);
    let arrays = [
        ArrayView1::from(&columns.sample).into(),
        ArrayView1::from(&columns.label).into(),
        ArrayView1::from(&columns.agreement).into(),
        ArrayView1::from(&columns.margin).into(),
        ArrayView1::from(&columns.confidence).into(),
    ];
    let members: Vec<_> = PSEUDO_LABELS.into_iter().zip(arrays).collect();
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
struct Columns {
    sample: Vec<u32>,
    label: Vec<u16>,
    agreement: Vec<u16>,
    margin: Vec<i32>,
    confidence: Vec<f32>,
}

impl Columns {
    fn of(labels: &PseudoLabels) -> Self {
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

#[cfg(feature = "hdf5")]
mod h5 {
    use consilience_data::hdf5_file::Writer;
    use consilience_data::{ClusterId, Element, SoftAssignments};
    use ndarray::{ArrayView, Axis, Dimension, stack};

    use super::*;

    /// A file in which every array says what its axes and its values are.
    struct Documented(Writer);

    impl Documented {
        fn array<'a, T: Element + 'a, D: Dimension>(
            &self,
            name: &str,
            values: impl Into<ArrayView<'a, T, D>>,
            shape: &str,
            meaning: &str,
        ) -> Result<(), DataError> {
            self.0.write(name, values.into())?;
            self.0.attribute(name, "shape", shape)?;
            self.0.attribute(name, "meaning", meaning)
        }
    }

    pub(super) fn write(path: &Path, outcome: &Outcome) -> Result<(), DataError> {
        let file = Documented(Writer::create(path)?);
        file.0.attribute("/", "meaning", "The last round of a run of consilience")?;
        write_votes(&file, outcome)?;
        let (last, per_sample) = (outcome.last(), "(n_samples)");
        let ids: Vec<u16> = last.consensus.clusters().iter().map(|&ClusterId(id)| id).collect();
        file.array("assignments", &ids, per_sample, "cluster of each sample, by consensus")?;
        let meaning = "its probability: the mean of the models' aligned probabilities";
        file.array("assignment_confidences", &last.confidence, per_sample, meaning)?;
        write_labels(&file, &last.pseudo_labels)?;
        file.0.finish()
    }

    fn write_votes(file: &Documented, outcome: &Outcome) -> Result<(), DataError> {
        let (votes, shape) = (&outcome.last().votes, "(n_models, n_samples)");
        let meaning = "cluster that each model votes for, in its own numbering; 65535: no vote";
        file.array("votes", votes.clusters(), shape, meaning)?;
        let meaning = "the largest of each model's probabilities";
        file.array("confidences", votes.confidences(), shape, meaning)?;
        let models: Vec<_> = outcome.probabilities.iter().map(SoftAssignments::view).collect();
        let probabilities = stack(Axis(0), &models).expect("models share samples and clusters");
        let shape = "(n_models, n_samples, n_clusters)";
        let meaning = "probability of each cluster, in each model's own numbering; sums to 1";
        file.array("probabilities", probabilities.view(), shape, meaning)
    }

    fn write_labels(file: &Documented, labels: &PseudoLabels) -> Result<(), DataError> {
        let (columns, shape) = (Columns::of(labels), "(n_labelled)");
        let name = |column: usize| format!("pseudo_labels/{}", PSEUDO_LABELS[column]);
        file.array(&name(0), &columns.sample, shape, "row of the sample in the data")?;
        let meaning = "its mini-cluster, numbered as assignments are";
        file.array(&name(1), &columns.label, shape, meaning)?;
        let meaning = "number of models that put it with its mini-cluster's anchor";
        file.array(&name(2), &columns.agreement, shape, meaning)?;
        let meaning = "how many fewer put it with the anchor of the next best mini-cluster";
        file.array(&name(3), &columns.margin, shape, meaning)?;
        let meaning = "the lowest of the models' confidences in it";
        file.array(&name(4), &columns.confidence, shape, meaning)
    }
}
