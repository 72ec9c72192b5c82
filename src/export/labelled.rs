//! What an export is made of.

use std::borrow::Cow;

use consilience_data::{Features, Offsets, PseudoLabel, PseudoLabels};
use serde::Serialize;

use super::cells::Cells;
use super::names::LabelNames;
use super::subset::Subset;
use crate::RunError;
use crate::run_folder::{RunFolder, row};

/// Features of all samples of a run.
#[derive(Debug, Clone, Copy)]
pub struct FeatureTable<'a> {
    /// The features, shape (n_samples, n_features).
    pub features: &'a Features,
    /// What they are called, length n_features, if the data says it.
    pub names: Option<&'a [String]>,
    /// What was taken off them before they became 32-bit floats, if anything.
    pub offsets: Option<&'a Offsets>,
}

/// A sample's features as the data has them.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Values<'a> {
    AsRead(Cow<'a, [f32]>),
    /// With what was taken off, which 32-bit floats can't hold.
    Original(Vec<f64>),
}

/// Pseudo-labels, with all that belongs to their samples.
#[derive(Debug, Clone)]
pub struct Export<'a> {
    /// The labels to be written.
    pub labels: PseudoLabels,
    /// What samples are called, length n_samples, if the data says it.
    pub ids: Option<&'a [String]>,
    /// Which row of the data each is, length n_samples, if some rows were left out.
    pub rows: Option<&'a [usize]>,
    /// Names of the labels, if any were given.
    pub names: Option<&'a LabelNames>,
    /// The features, if they are to be written.
    pub table: Option<FeatureTable<'a>>,
    /// How texts are written to CSV.
    pub cells: Cells,
}

impl<'a> Export<'a> {
    /// The labels that `subset` chooses of `run`, without features.
    ///
    /// # Errors
    ///
    /// As [`Subset::choose`].
    pub fn new(
        run: &'a RunFolder,
        subset: &Subset,
        names: Option<&'a LabelNames>,
    ) -> Result<Self, RunError> {
        let (ids, rows) = (run.ids.as_deref(), run.rows.as_deref());
        Ok(Self {
            labels: subset.choose(run)?,
            ids,
            rows,
            names,
            table: None,
            cells: Cells::default(),
        })
    }

    /// Adds the features of all samples of `run`.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] if they are of another number of samples, or `ids` says that they are of others.
    pub fn with_features(
        mut self,
        run: &RunFolder,
        table: FeatureTable<'a>,
        ids: Option<&[String]>,
    ) -> Result<Self, RunError> {
        run.check_samples(table.features.n_samples(), ids)?;
        // Names are those of the run's features, which may be others: pixels exported with clusters of embeddings, say.
        let names = table.names.filter(|names| names.len() == table.features.n_features());
        self.table = Some(FeatureTable { names, ..table });
        Ok(self)
    }

    pub(super) fn entries(&self) -> &[PseudoLabel] {
        self.labels.entries()
    }

    /// The row of the data.
    pub(super) fn row(&self, entry: &PseudoLabel) -> usize {
        row(self.rows, entry.sample)
    }

    pub(super) fn id(&self, entry: &PseudoLabel) -> Option<&'a str> {
        self.ids.map(|ids| ids[entry.sample.index()].as_str())
    }

    pub(super) fn name(&self, entry: &PseudoLabel) -> Option<&'a str> {
        self.names.map(|names| names.of(entry.label))
    }

    pub(super) fn features(&self, entry: &PseudoLabel) -> Option<Values<'a>> {
        let table = self.table?;
        let row = table.features.dense_row(entry.sample.index());
        Some(match table.offsets {
            None => Values::AsRead(row),
            Some(offsets) => {
                let original = row.iter().enumerate();
                Values::Original(original.map(|(at, &value)| offsets.original(at, value)).collect())
            }
        })
    }
}
