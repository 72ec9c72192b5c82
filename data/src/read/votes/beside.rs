//! What files say of samples beside votes: what these are called, and their true classes.

use crate::records::SampleLabels;
use crate::records::labels::Labels;
use crate::{DataError, Truth};

/// Of one file, as far as it has been read.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// Empty, or one a sample.
    pub(super) ids: Vec<String>,
    /// Numbers of rows: empty, or one a sample.
    pub(super) rows: Vec<usize>,
    labels: Labels,
}

impl Beside {
    /// Adds a sample: what the columns for ids, numbers of rows and labels have, where there are such. `at`: its line or row.
    pub(super) fn push(
        &mut self,
        id: Option<Option<String>>,
        row: Option<Option<String>>,
        label: Option<Option<String>>,
        name: &str,
        at: u64,
    ) -> Result<(), DataError> {
        if let Some(id) = id {
            let id = id.filter(|id| !id.is_empty());
            self.ids.push(id.ok_or_else(|| DataError::NoId { source_name: name.into(), at })?);
        }
        if let Some(row) = row {
            let found = row.unwrap_or_default();
            let number = found.parse();
            let row = self.rows.len();
            let source_name = name.into();
            let not_a_row = |_| DataError::NotARow { source_name, row, found };
            self.rows.push(number.map_err(not_a_row)?);
        }
        if let Some(label) = label {
            self.labels.push(label.unwrap_or_default(), at);
        }
        Ok(())
    }

    /// What samples are called: their ids, else the numbers of their rows in the data, if these are in another order.
    pub(super) fn names(&self) -> Option<Vec<String>> {
        if !self.ids.is_empty() {
            return Some(self.ids.clone());
        }
        let is_sorted = self.rows.iter().enumerate().all(|(row, &number)| row == number);
        (!is_sorted).then(|| self.rows.iter().map(ToString::to_string).collect())
    }

    /// The true classes, if there is a column of them.
    pub(super) fn truth(&self, name: &str) -> Result<Option<Truth>, DataError> {
        if self.labels.len() == 0 {
            return Ok(None);
        }
        let labels = self.labels.words().into_iter().map(String::from);
        SampleLabels::in_order(name, labels).truth().map(Some)
    }
}
