//! Batches, collected.

use ndarray::Array2;

use super::labels::Labels;
use super::{Batch, Features, Numbers, PartInfo, Table};
use crate::{DataError, Truth};

/// Rows of a source as features, or texts, with what is beside them.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    /// Row after row.
    pub(crate) values: Vec<f32>,
    pub(crate) texts: Vec<String>,
    pub(crate) ids: Vec<String>,
    pub(crate) labels: Labels,
    /// All rows so far, those included whose values were taken away.
    pub(crate) n_rows: usize,
}

impl Samples {
    /// All rows of a source.
    pub(crate) fn read(table: &mut Table) -> Result<Self, DataError> {
        let mut samples = Self::default();
        while let Some(batch) = table.next()? {
            samples.push(batch, table)?;
        }
        Ok(samples)
    }

    /// Adds rows.
    pub(crate) fn push(&mut self, batch: Batch, table: &Table) -> Result<(), DataError> {
        let Batch { n_rows, numbers, words, places } = batch;
        match numbers {
            Numbers::F32(values) if self.values.is_empty() => self.values = values,
            Numbers::F32(values) => self.values.extend_from_slice(&values),
            #[expect(clippy::cast_possible_truncation, reason = "features are 32-bit floats")]
            Numbers::F64(values) => self.values.extend(values.iter().map(|&value| value as f32)),
            #[expect(clippy::cast_precision_loss, reason = "features are 32-bit floats")]
            Numbers::I64(values) => self.values.extend(values.iter().map(|&value| value as f32)),
        }
        let mut words = words.into_iter();
        let column = |index: usize| table.schema.columns[index].name.clone();
        let missing = |row: usize, index: usize| DataError::Null {
            source_name: table.schema.name.clone(),
            place: table.schema.place.word(),
            at: places.at(row),
            column: column(index),
        };
        let all = |words: Option<Vec<Option<String>>>, index: usize, to: &mut Vec<String>| {
            for (row, word) in words.unwrap_or_default().into_iter().enumerate() {
                to.push(word.ok_or_else(|| missing(row, index))?);
            }
            Ok::<(), DataError>(())
        };
        if let Some(index) = table.roles.id {
            all(words.next(), index, &mut self.ids)?;
        }
        if table.roles.label.is_some() {
            for (row, label) in words.next().unwrap_or_default().into_iter().enumerate() {
                self.labels.push(label.unwrap_or_default(), places.at(row));
            }
        }
        if let Features::Text(index) = table.roles.features {
            all(words.next(), index, &mut self.texts)?;
        }
        self.n_rows += n_rows;
        Ok(())
    }

    /// Features of all rows, shape (n_rows, n_features).
    pub(crate) fn features(
        values: Vec<f32>,
        n_rows: usize,
        name: &str,
    ) -> Result<Array2<f32>, DataError> {
        let width = values.len().checked_div(n_rows).unwrap_or(0);
        Array2::from_shape_vec((n_rows, width), values).map_err(|error| DataError::Corrupt {
            source_name: name.into(),
            problem: error.to_string(),
        })
    }

    /// The classes, if there is a column of them that makes sense, after the last row.
    pub(crate) fn truth(
        &self,
        table: &Table,
        with_truth: bool,
        info: &mut PartInfo,
    ) -> Result<Option<Truth>, DataError> {
        let schema = &table.schema;
        self.labels.beside(schema.place, &table.roles, with_truth, &schema.name, info)
    }
}
