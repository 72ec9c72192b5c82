//! What every run gives, as files: clusters and pseudo-labels.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use consilience_data::write::{Member, npy, npz};
use consilience_data::{ClusterId, DataError, PseudoLabels, SampleIdx};
use ndarray::ArrayView1;
use serde::Serialize;

use super::source::CONFIG;
use super::{METRICS, unwritable, write_text};
use crate::granularity::LayerFound;
use crate::strays::Stray;

pub(super) const ASSIGNMENTS_CSV: &str = "assignments.csv";
pub(super) const ASSIGNMENTS_NPY: &str = "assignments.npy";
const ASSIGNMENTS: [&str; 3] = ["sample", "cluster", "confidence"];
pub(crate) const PSEUDO_LABELS: [&str; 5] =
    ["sample", "label", "agreement", "margin", "confidence"];

/// What every run gives.
pub(super) struct Results<'a> {
    /// The consensus, length n_samples; `None` for samples on which nobody voted.
    pub(super) clusters: Cow<'a, [Option<ClusterId>]>,
    /// Its probabilities, length n_samples.
    pub(super) confidences: &'a [f32],
    pub(super) pseudo_labels: &'a PseudoLabels,
    /// What samples are called, length n_samples, if they are called anything.
    pub(super) ids: Option<&'a [String]>,
    /// Which row of the data each is, length n_samples, if some rows were left out.
    pub(super) rows: Option<&'a [usize]>,
    /// What else is said of every sample: a column each.
    pub(super) beside: Beside<'a>,
}

/// Columns of `assignments.csv` that are there only if they were asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// How little each belongs anywhere, length n_samples.
    pub(super) strays: Option<&'a [Stray]>,
    /// Other clusterings that the data show.
    pub(super) layers: &'a [LayerFound],
}

impl<'a> Beside<'a> {
    /// The clusterings that the data show.
    #[must_use]
    pub fn layers(layers: &'a [LayerFound]) -> Self {
        Self { layers, ..Self::default() }
    }

    fn names(&self) -> impl Iterator<Item = String> {
        let stray = self.strays.map(|_| "stray".to_owned());
        let layers = self.layers.iter().map(|layer| format!("layer_{}", layer.evidence.k));
        stray.into_iter().chain(layers)
    }

    /// What is said of a sample. CSV has no cell for an empty list.
    fn of(&self, sample: usize) -> (Vec<f32>, Vec<ClusterId>) {
        let stray = self.strays.iter().map(|strays| strays[sample].score);
        let layers = self.layers.iter().map(|layer| layer.assignments.clusters()[sample]);
        (stray.collect(), layers.collect())
    }
}

/// The row of the data that a sample is, counted from 0. `rows`: of each sample, if some rows were left out.
pub(crate) fn row(rows: Option<&[usize]>, sample: SampleIdx) -> usize {
    rows.map_or(sample.index(), |rows| rows[sample.index()])
}

impl<'a> Results<'a> {
    fn id(&self, sample: SampleIdx) -> Option<&'a str> {
        self.ids.map(|ids| ids[sample.index()].as_str())
    }

    /// The names of columns, the samples' ids behind the samples if they have any.
    fn header<'b>(&self, columns: &[&'b str]) -> Vec<&'b str> {
        let mut header = columns.to_vec();
        if self.ids.is_some() {
            header.insert(1, "id");
        }
        header
    }
}

/// A line of `assignments.csv`.
#[derive(Serialize)]
pub(super) struct Assigned<'a> {
    pub(super) sample: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    pub(super) cluster: Option<ClusterId>,
    pub(super) confidence: f32,
}

/// A line of `pseudo_labels.csv`.
#[derive(Serialize)]
struct Labelled<'a> {
    sample: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    label: ClusterId,
    agreement: u16,
    margin: i32,
    confidence: f32,
}

pub(super) fn write_results(
    folder: &Path,
    config: &str,
    metrics: &str,
    results: &Results<'_>,
) -> Result<(), DataError> {
    write_text(&folder.join(CONFIG), config)?;
    write_text(&folder.join(METRICS), metrics)?;
    let rows = results.clusters.iter().zip(results.confidences).enumerate();
    let rows = rows.map(|(sample, (&cluster, &confidence))| {
        let sample = SampleIdx::from_index(sample);
        let (row, id) = (row(results.rows, sample), results.id(sample));
        let beside = results.beside.of(sample.index());
        (Assigned { sample: row, id, cluster, confidence }, beside)
    });
    let names: Vec<String> = results.beside.names().collect();
    let mut header = results.header(&ASSIGNMENTS);
    header.extend(names.iter().map(String::as_str));
    write_csv(&folder.join(ASSIGNMENTS_CSV), &header, rows)?;
    write_clusters_alone(folder, &results.clusters)?;
    write_pseudo_labels(folder, results)
}

/// `assignments.npy`.
pub(super) fn write_clusters_alone(
    folder: &Path,
    clusters: &[Option<ClusterId>],
) -> Result<(), DataError> {
    let id = |cluster: &Option<ClusterId>| cluster.map_or(-1, |ClusterId(id)| id.into());
    let ids: Vec<i32> = clusters.iter().map(id).collect();
    npy(&folder.join(ASSIGNMENTS_NPY), ArrayView1::from(&ids))
}

fn write_pseudo_labels(folder: &Path, results: &Results<'_>) -> Result<(), DataError> {
    let rows = results.pseudo_labels.entries().iter().map(|entry| Labelled {
        sample: row(results.rows, entry.sample),
        id: results.id(entry.sample),
        label: entry.label,
        agreement: entry.agreement,
        margin: entry.margin,
        confidence: entry.confidence,
    });
    write_csv(&folder.join("pseudo_labels.csv"), &results.header(&PSEUDO_LABELS), rows)?;
    let columns = Columns::of(results.pseudo_labels, results.rows);
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

pub(super) fn write_csv<R: Serialize>(
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
    /// Rows of the data.
    pub(crate) sample: Vec<i64>,
    pub(crate) label: Vec<u16>,
    pub(crate) agreement: Vec<u16>,
    pub(crate) margin: Vec<i32>,
    pub(crate) confidence: Vec<f32>,
}

impl Columns {
    /// `rows`: as for [`row`].
    pub(crate) fn of(labels: &PseudoLabels, rows: Option<&[usize]>) -> Self {
        let entries = labels.entries();
        Self {
            sample: entries.iter().map(|entry| row(rows, entry.sample) as i64).collect(),
            label: entries.iter().map(|entry| entry.label.0).collect(),
            agreement: entries.iter().map(|entry| entry.agreement).collect(),
            margin: entries.iter().map(|entry| entry.margin).collect(),
            confidence: entries.iter().map(|entry| entry.confidence).collect(),
        }
    }
}
