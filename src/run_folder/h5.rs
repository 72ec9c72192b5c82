//! `run.h5`: every array says what its axes and its values are.

use std::path::Path;

use consilience_data::hdf5_file::Writer;
use consilience_data::{ClusterId, DataError, Element, ModelAnswers, ModelIdx, Votes};
use ndarray::{ArrayView, CowArray, Dimension, Ix2};

use super::results::{Columns, PSEUDO_LABELS, Results};
use super::source::GivenVotes;
use crate::outcome::Outcome;

/// Stands for no cluster, as for no vote.
const NONE: u16 = Votes::MISSING;

/// A file in which every array says what its axes and its values are.
#[derive(Debug)]
pub(crate) struct Documented(Writer);

impl Documented {
    pub(crate) fn create(path: &Path, meaning: &str) -> Result<Self, DataError> {
        let file = Writer::create(path)?;
        file.attribute("/", "meaning", meaning)?;
        Ok(Self(file))
    }

    pub(crate) fn array<'a, T: Element + 'a, D: Dimension>(
        &self,
        name: &str,
        values: impl Into<ArrayView<'a, T, D>>,
        shape: &str,
        meaning: &str,
    ) -> Result<(), DataError> {
        self.0.write(name, values.into())?;
        self.explain(name, shape, meaning)
    }

    /// As [`Documented::array`], of rows of `row_len` values, only one of which has to be in memory.
    pub(crate) fn rows<T: Element>(
        &self,
        name: &str,
        row_len: usize,
        rows: impl ExactSizeIterator<Item = Vec<T>>,
        shape: &str,
        meaning: &str,
    ) -> Result<(), DataError> {
        self.0.write_rows(name, row_len, rows)?;
        self.explain(name, shape, meaning)
    }

    /// As [`Documented::array`], of planes of one shape, only one of which has to be in memory.
    pub(crate) fn planes<'a, T: Element>(
        &self,
        name: &str,
        plane: (usize, usize),
        planes: impl ExactSizeIterator<Item = CowArray<'a, T, Ix2>>,
        shape: &str,
        meaning: &str,
    ) -> Result<(), DataError> {
        self.0.write_planes(name, plane, planes)?;
        self.explain(name, shape, meaning)
    }

    pub(crate) fn texts(
        &self,
        name: &str,
        texts: &[&str],
        shape: &str,
        meaning: &str,
    ) -> Result<(), DataError> {
        self.0.write_texts(name, texts)?;
        self.explain(name, shape, meaning)
    }

    /// Writes which samples have a pseudo-label and what speaks for it, into the group `folder`.
    pub(crate) fn evidence(&self, folder: &str, columns: &Columns) -> Result<(), DataError> {
        let shape = "(n_labelled)";
        let name = |column: usize| format!("{folder}{}", PSEUDO_LABELS[column]);
        self.array(&name(0), &columns.sample, shape, "row of the sample in the data")?;
        let meaning = "number of models that put it with its mini-cluster's anchor";
        self.array(&name(2), &columns.agreement, shape, meaning)?;
        let meaning = "how many fewer put it with the anchor of the next best mini-cluster";
        self.array(&name(3), &columns.margin, shape, meaning)?;
        let meaning = "the lowest of the models' confidences in it";
        self.array(&name(4), &columns.confidence, shape, meaning)
    }

    pub(crate) fn finish(self) -> Result<(), DataError> {
        self.0.finish()
    }

    fn explain(&self, name: &str, shape: &str, meaning: &str) -> Result<(), DataError> {
        self.0.attribute(name, "shape", shape)?;
        self.0.attribute(name, "meaning", meaning)
    }
}

/// Writes the last round of a run.
pub(super) fn write(path: &Path, outcome: &Outcome, results: &Results) -> Result<(), DataError> {
    let file = Documented::create(path, "The last round of a run of consilience")?;
    let votes = &outcome.votes;
    write_members(&file, votes)?;
    let models = &outcome.answers;
    let most = models.iter().map(ModelAnswers::n_clusters).max().unwrap_or(0);
    let shape = "(n_models, n_samples, n_clusters)";
    let meaning = "probability of each cluster, in each model's own numbering; sums to 1; 0 beyond the clusters of a model that has fewer; where a model has no probabilities, its cluster has the confidence, and the others share what is left";
    let (plane, planes) =
        ((votes.n_samples(), most), models.iter().map(ModelAnswers::probabilities));
    file.planes("probabilities", plane, planes, shape, meaning)?;
    write_results(&file, results)?;
    file.finish()
}

/// Writes another cut of a run.
pub(super) fn write_recut(path: &Path, votes: &Votes, results: &Results) -> Result<(), DataError> {
    let file = Documented::create(path, "Another cut of a run of consilience")?;
    write_members(&file, votes)?;
    write_results(&file, results)?;
    file.finish()
}

/// Writes how the members voted.
fn write_members(file: &Documented, votes: &Votes) -> Result<(), DataError> {
    let shape = "(n_models, n_samples)";
    let meaning = "cluster that each model votes for, in its own numbering; 65535: no vote";
    file.array("votes", votes.clusters(), shape, meaning)?;
    let meaning = "the largest of each model's probabilities";
    file.array("confidences", votes.confidences(), shape, meaning)
}

/// Writes what became of votes that were given.
pub(super) fn write_votes(
    path: &Path,
    votes: &GivenVotes<'_>,
    results: &Results,
) -> Result<(), DataError> {
    let file = Documented::create(path, "Votes that consilience was given, and its results")?;
    let signatures = votes.signatures;
    let n_models = signatures.n_models();
    let rows = (0..n_models).map(|model| {
        let votes = signatures.votes_of(ModelIdx::from_index(model)).into_iter();
        votes.map(|vote| vote.map_or(NONE, |ClusterId(id)| id)).collect()
    });
    let meaning = "cluster that each model votes for, numbered as vote_ids says; 65535: no vote";
    file.rows("votes", signatures.n_samples(), rows, "(n_models, n_samples)", meaning)?;
    if let Some(lowest) = votes.lowest_confidences() {
        let (rows, n_samples) = ((0..n_models).map(|_| lowest.clone()), signatures.n_samples());
        let meaning = "the lowest of the models' confidences in a sample, the same for each: no others were kept";
        file.rows("confidences", n_samples, rows, "(n_models, n_samples)", meaning)?;
    }
    let ids = votes.ids_of_clusters();
    let meaning =
        "what each of the models' clusters was called in its file; -1 where a model has fewer";
    file.array("vote_ids", ids.view(), "(n_models, most clusters of a model)", meaning)?;
    write_results(&file, results)?;
    file.finish()
}

fn write_results(file: &Documented, results: &Results) -> Result<(), DataError> {
    let per_sample = "(n_samples)";
    let ids = results.clusters.iter().map(|cluster| cluster.map_or(NONE, |ClusterId(id)| id));
    let ids: Vec<u16> = ids.collect();
    let meaning = "cluster of each sample, by consensus; 65535: none";
    file.array("assignments", &ids, per_sample, meaning)?;
    let meaning = "its probability, by consensus";
    file.array("assignment_confidences", results.confidences, per_sample, meaning)?;

    if let Some(ids) = results.ids {
        let texts: Vec<&str> = ids.iter().map(String::as_str).collect();
        file.texts("ids", &texts, per_sample, "ids of the samples, from the data")?;
    }
    if let Some(rows) = results.rows {
        let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let meaning = "row of each sample in the data, counted from 0, as rows with missing values were left out";
        file.array("rows", &rows, per_sample, meaning)?;
    }
    let columns = Columns::of(results.pseudo_labels, results.rows);
    let meaning = "its mini-cluster, numbered as assignments are";
    let label = format!("pseudo_labels/{}", PSEUDO_LABELS[1]);
    file.array(&label, &columns.label, "(n_labelled)", meaning)?;
    file.evidence("pseudo_labels/", &columns)
}
