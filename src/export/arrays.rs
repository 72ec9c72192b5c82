//! `.npz` and HDF5: features and labels, ready to train on.

use std::path::Path;

use consilience_data::DataError;
use consilience_data::write::{self, Member};
use ndarray::ArrayView1;

use super::Export;
use crate::run_folder::{Columns, PSEUDO_LABELS};

/// Labels as 64-bit integers, which every tool takes as classes.
fn classes(columns: &Columns) -> Vec<i64> {
    columns.label.iter().copied().map(i64::from).collect()
}

fn ids<'a>(export: &Export<'a>) -> Option<Vec<&'a str>> {
    export.ids?;
    export.entries().iter().map(|entry| export.id(entry)).collect()
}

fn texts(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

/// Writes an archive that `numpy.load` reads without pickle.
pub(super) fn npz(export: &Export<'_>, path: &Path) -> Result<(), DataError> {
    let columns = Columns::of(&export.labels, export.rows);
    let classes = classes(&columns);
    let mut members = Vec::new();
    let entries = export.entries();
    let features = export.table.map(|table| table.features);
    let row = |at: usize| {
        let sample = entries[at].sample.index();
        features.map_or_else(Vec::new, |features| features.dense_row(sample).into_owned())
    };
    if let Some(features) = features {
        let shape = (entries.len(), features.n_features());
        members.push(("X", Member::F32Rows(shape, &row)));
    }
    members.push(("y", ArrayView1::from(&classes).into()));
    members.push((PSEUDO_LABELS[0], ArrayView1::from(&columns.sample).into()));
    members.extend(ids(export).map(|ids| ("id", Member::Texts(ids))));
    members.push((PSEUDO_LABELS[2], ArrayView1::from(&columns.agreement).into()));
    members.push((PSEUDO_LABELS[3], ArrayView1::from(&columns.margin).into()));
    members.push((PSEUDO_LABELS[4], ArrayView1::from(&columns.confidence).into()));
    let names = export.names.map(|names| ("names", Member::Texts(texts(names.all()))));
    members.extend(names);
    let names = export.table.and_then(|table| table.names);
    members.extend(names.map(|names| ("feature_names", Member::Texts(texts(names)))));
    write::npz(path, &members)
}

/// Writes the same as HDF5.
#[cfg(feature = "hdf5")]
pub(super) fn hdf5(export: &Export<'_>, path: &Path) -> Result<(), DataError> {
    let columns = Columns::of(&export.labels, export.rows);
    let file =
        crate::run_folder::Documented::create(path, "Pseudo-labels by a run of consilience")?;
    let shape = "(n_labelled)";
    if let Some(table) = export.table {
        let samples = export.entries().iter().map(|entry| entry.sample.index());
        let rows = samples.map(|sample| table.features.dense_row(sample).into_owned());
        let shape = "(n_labelled, n_features)";
        file.rows("X", table.features.n_features(), rows, shape, "the samples' features")?;
        if let Some(names) = table.names {
            let meaning = "what the features are called";
            file.texts("feature_names", &texts(names), "(n_features)", meaning)?;
        }
    }
    let meaning = "the samples' labels: clusters, numbered as in the run";
    file.array("y", &classes(&columns), shape, meaning)?;
    file.evidence("", &columns)?;
    if let Some(ids) = ids(export) {
        file.texts("id", &ids, shape, "what the samples are called")?;
    }
    if let Some(names) = export.names {
        let meaning = "what each cluster is called";
        file.texts("names", &texts(names.all()), "(n_clusters)", meaning)?;
    }
    file.finish()
}
