//! What files say of samples beside votes: what these are called, and their true classes.

use std::path::Path;
use std::vec::IntoIter;

use crate::read::path::open_records;
use crate::read::source::Location;
use crate::records::labels::Labels;
use crate::records::{Batch, Records, SampleLabels, VoteRoles, Wanted};
use crate::{DataError, ReadOptions, Truth};

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
    fn push(
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

    /// What the assignments of a run say of its samples.
    pub(super) fn of_assignments(path: &Path) -> Result<Self, DataError> {
        let location = Location::File { path: path.into(), dataset: None };
        let Records { mut schema, mut rows, .. } =
            open_records(&location, &ReadOptions::default())?;
        let roles = VoteRoles::choose(&mut schema, &ReadOptions::default())?;
        let wanted = Wanted { words: roles.beside().collect(), ..Wanted::default() };
        let mut beside = Self::default();
        while let Some(batch) = rows.next(&schema, &wanted)? {
            beside.extend(batch, &roles, &schema.name)?;
        }
        Ok(beside)
    }

    /// Adds what is [`VoteRoles::beside`] the votes of a batch.
    pub(super) fn extend(
        &mut self,
        batch: Batch,
        roles: &VoteRoles,
        name: &str,
    ) -> Result<(), DataError> {
        let Batch { n_rows, words, places, .. } = batch;
        let mut words = words.into_iter().map(Vec::into_iter);
        let mut column = |column: Option<usize>| column.and_then(|_| words.next());
        let (mut ids, mut rows, mut labels) =
            (column(roles.id), column(roles.sample), column(roles.label));
        let cell = |words: &mut Option<IntoIter<Option<String>>>| {
            words.as_mut().map(|words| words.next().flatten())
        };
        for row in 0..n_rows {
            let (id, number, label) = (cell(&mut ids), cell(&mut rows), cell(&mut labels));
            self.push(id, number, label, name, places.at(row))?;
        }
        Ok(())
    }

    /// Keeps what is said of the first samples.
    pub(super) fn truncate(&mut self, n_samples: usize) {
        self.ids.truncate(n_samples);
        self.rows.truncate(n_samples);
    }

    /// Numbers of rows in the data, if they aren't one after the other from 0.
    pub(super) fn own_rows(&self) -> Option<&[usize]> {
        let is_sorted = self.rows.iter().enumerate().all(|(row, &number)| row == number);
        (!is_sorted).then_some(&self.rows[..])
    }

    /// The number of each sample's row in the data, as text: without any that are said, one after the other.
    pub(super) fn row_names(&self, n_samples: usize) -> Vec<String> {
        match self.rows.as_slice() {
            [] => (0..n_samples).map(|row| row.to_string()).collect(),
            rows => rows.iter().map(ToString::to_string).collect(),
        }
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
