//! What is in a run folder.
//!
//! | file | content |
//! | --- | --- |
//! | `config.toml` | all settings, and what the run was made of; `--config` takes it |
//! | `metrics.json` | [`Metrics`] |
//! | `recipe.json` | how files became features: a [`Recipe`] |
//! | `assignments.csv` | sample (its row in the data, from 0), id (if the data has ids), cluster, confidence; with `--layers` `layer_2`, ...: the clusters of each of the layers, by their numbers of clusters |
//! | `assignments.npy` | the clusters alone: `int32`, shape (n_samples); -1: nobody voted, or a stray |
//! | `pseudo_labels.csv`, `.npz` | sample, id (if the data has ids), label, agreement, margin, confidence |
//! | `votes.npz` | the last round's votes and confidences, which `pseudo-label` reads back; `votes.rs` says what is in it |
//! | `run.h5` | for other tools: the last round's votes, all that follows from them, and the samples' ids (feature `hdf5`) |
//! | `tree.npz` | where the answer was cut from a tree of votes: `left` and `right` (the nodes that each merge joins: first the leaves, then the merges, in order, as SciPy numbers them), `similarity` (descending), `leaf_samples` (samples with the votes of each leaf) |
//! | `clusters.csv` | each cluster's size, mean confidence, most typical samples, and the features or terms that set it apart |
//! | `layers.npz` | where K was found: `clusters`, shape (n_layers, n_samples), the clusterings that the tree shows, that with K clusters first; `n_clusters`, `persistence`, `found_again` of each |
//! | `strays.npz` | where strays were sought: `score`, how little each sample belongs anywhere, and `threshold`; `assignments.csv` has a column `stray` then |
//! | `classes.csv` | where it learnt from labels: cluster, name, and how many of its samples had a label |
//! | `given_labels.csv` | these labels: sample, id, cluster, name |
//! | `label_errors.csv` | those of them that the other samples contradict, the clearest first: sample, id, given, found, for_given, for_found |
//! | `pairs.csv` | where pairs were given: the rows of two samples, and `must` (one cluster) or `cannot` (two) |
//! | `sketch.json` | what the data looked like: their kernel mean embedding ([`Sketch`](consilience_ensembles::Sketch)), with which other data are compared |
//! | `probabilities.npy` | of every class for every sample, `float32`, shape (n_samples, n_clusters) |
//! | `granularity.npz` | where K was found: the tree, as in `tree.npz`, of at most 3,000 samples |
//! | `models/model-NN.safetensors` | the models' weights |
//! | `models/communities/model-NN.safetensors`, `models/places.json` | where they are needed: labelled samples of each voter by communities; and which cluster votes lead to |
//! | `models/strays.npz` | where strays were sought: samples to which others' distances are measured, and what is usual |
//! | `models/k-means.safetensors` | the centroids, if k-means was chosen |
//! | `models/ensemble.json` | which of the two was chosen, and which of each model's clusters is which of the run's |
//! | `models/view-N/` | of each view beside the data: `encoder.safetensors` of a view that was learnt, or the `recipe.json` of its files; `scaling.npz`; and `members/`, `communities/`, as far as they have a part in the answer |
//! | `models/scaling.npz` | `shift` and `scale`: models take `(features - shift) * scale`; with a `reach`, what is longer is shortened to it; with `rows` 1, rows are then scaled to length sqrt(columns); with a `projection`, multiplied by it (with `sparse` 1, added up value by value), and scaled again |
//!
//! | `report.html` | all of it on one page: see [`report`](crate::report), which writes it |
//! | `manifest.json` | the version of all this, and the size and checksum of every file; what is absent, and why |
//!
//! Runs that had their votes given leave no models.
//!
//! Identical runs give identical bytes, but for times, memory, threads and machine in `metrics.json`, and so in the report.

use std::borrow::Cow;
use std::path::Path;

use consilience_data::DataError;
use consilience_data::write::npz;
use consilience_graph::Tree;
use ndarray::ArrayView1;

use super::manifest;
use super::results::{Beside, Results, write_results};
use super::source::{GivenVotes, Provenance, write_recipe};
use super::strays::write_scores;
use super::votes::VOTES;
use crate::from_votes::VotesOutcome;
use crate::outcome::Outcome;
use crate::output::replace;
use crate::{Metrics, RunError};

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
    (provenance, beside): (&Provenance<'_>, Beside<'_>),
) -> Result<(), RunError> {
    write_recipe(folder, provenance.recipe)?;
    let answer = &outcome.answer;
    let strays = outcome.strays.as_ref();
    let beside = Beside { strays: strays.map(|found| found.samples.as_slice()), ..beside };
    let results = Results {
        clusters: outcome.clusters().into(),
        confidences: &answer.confidence,
        pseudo_labels: &answer.pseudo_labels,
        ids: provenance.ids,
        rows: provenance.rows,
        beside,
    };
    write_results(folder, config, &metrics.to_json(), &results)?;
    super::votes::write(&folder.join(VOTES), &outcome.votes)?;
    strays.map_or(Ok(()), |found| write_scores(folder, found))?;
    if let Some((tree, _)) = &answer.cut {
        write_tree(&folder.join("tree.npz"), tree)?;
    }
    #[cfg(feature = "hdf5")]
    super::h5::write(&folder.join("run.h5"), outcome, &results)?;
    super::models::write(folder, outcome)
}

pub(super) fn write_tree(path: &Path, tree: &Tree) -> Result<(), DataError> {
    let samples = tree.leaf_samples().iter();
    let samples: Vec<i64> = samples.map(|&n| i64::try_from(n).unwrap_or(i64::MAX)).collect();
    let members = [
        ("left", ArrayView1::from(tree.left()).into()),
        ("right", ArrayView1::from(tree.right()).into()),
        ("similarity", ArrayView1::from(tree.similarity()).into()),
        ("leaf_samples", ArrayView1::from(&samples).into()),
    ];
    npz(path, &members)
}

/// Writes a file of the run in `folder` anew, in place of one that may be there, and enters it into the manifest.
///
/// # Errors
///
/// [`RunError::Folder`] if another process is writing it, [`DataError::Unwritable`].
pub fn add_file(folder: &Path, name: &str, content: &[u8]) -> Result<(), RunError> {
    replace(&folder.join(name), content)?;
    manifest::renew(folder, name)
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
    metrics: &Metrics,
    config: &str,
) -> Result<(), RunError> {
    if let Some(recipe) = votes.recipe {
        write_recipe(folder, recipe)?;
    }
    let results = Results {
        clusters: Cow::Borrowed(&outcome.consensus.clusters),
        confidences: &outcome.consensus.confidences,
        pseudo_labels: &outcome.pseudo_labels,
        ids: votes.samples,
        rows: votes.rows,
        beside: Beside::default(),
    };
    write_results(folder, config, &metrics.to_json(), &results)?;
    super::votes::write_given(&folder.join(VOTES), votes)?;
    #[cfg(feature = "hdf5")]
    super::h5::write_votes(&folder.join("run.h5"), votes, &results)?;
    Ok(())
}
