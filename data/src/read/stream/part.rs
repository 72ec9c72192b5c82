//! A file that is read some rows at a time.

use std::path::Path;
use std::vec::IntoIter;

use ndarray::ArrayView2;

use crate::read::path::{files, open_table};
use crate::read::read_dataset_as;
use crate::read::source::{Location, Stamp};
use crate::records::{self, PartInfo, Request, Samples, Table};
use crate::{DataError, Features, Recipe, Truth};

/// What tells samples apart: each empty, or one a sample.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) ids: Vec<String>,
    /// Rows of the file.
    pub(super) rows: Vec<usize>,
}

/// A file that was opened.
pub(super) struct Part {
    pub(super) name: String,
    /// `None` where the first row decides.
    pub(super) width: Option<usize>,
    /// `None` if only the end tells.
    pub(super) n_rows: Option<usize>,
    pub(super) may_have_truth: bool,
    pub(super) has_ids: bool,
    pub(super) feature_names: Option<Vec<String>>,
    /// Rows given so far.
    pub(super) given: usize,
    rows: Rows,
    location: Location,
    stamp: Stamp,
}

enum Rows {
    Table(Box<TableRows>),
    Whole(Whole),
}

impl Part {
    /// Opens a file that can be read piece by piece; `None` for one that can't.
    pub(super) fn open(path: &Path, request: Request<'_>) -> Result<Option<Self>, DataError> {
        let location = Location::resolve(path);
        let stamp = Stamp::of(&location);
        if files(&location, request)?.is_some() {
            return Ok(None);
        }
        let table = open_table(&location, request)?;
        if matches!(table.roles.features, records::Features::Text(_)) {
            return Ok(None);
        }
        Ok(Some(Self {
            name: table.schema.name.clone(),
            width: table.n_features(),
            n_rows: table.n_rows(),
            may_have_truth: table.roles.label.is_some() && request.with_truth,
            has_ids: table.roles.id.is_some(),
            feature_names: table.feature_names(),
            given: 0,
            rows: Rows::Table(Box::new(TableRows::new(table, request))),
            location,
            stamp,
        }))
    }

    /// Reads a whole file.
    pub(super) fn whole(path: &Path, recipe: &Recipe) -> Result<Self, DataError> {
        let location = Location::resolve(path);
        let stamp = Stamp::of(&location);
        let data = read_dataset_as(&[path.into()], &[], recipe)?;
        Ok(Self {
            name: location.name(),
            location,
            stamp,
            width: Some(data.features.n_features()),
            n_rows: Some(data.features.n_samples()),
            may_have_truth: data.truth.is_some(),
            has_ids: data.ids.is_some(),
            feature_names: data.recipe.feature_names,
            given: 0,
            rows: Rows::Whole(Whole {
                features: data.features,
                next: 0,
                truth: data.truth,
                ids: data.ids.map(Vec::into_iter),
                notes: data.parts.into_iter().flat_map(|part| part.notes).collect(),
            }),
        })
    }

    /// Appends the values of the next rows, `limit` at most, and what tells these apart; the number of rows. 0 after the last.
    ///
    /// # Errors
    ///
    /// Values that aren't finite, and what reading finds.
    pub(super) fn next(
        &mut self,
        limit: usize,
        values: &mut Vec<f32>,
        names: &mut Names,
    ) -> Result<usize, DataError> {
        let before = values.len();
        let read = match &mut self.rows {
            Rows::Table(rows) => rows.next(limit, values, names)?,
            Rows::Whole(rows) => rows.next(limit, values, names),
        };
        if read == 0 {
            self.stamp.check(&self.location)?;
            return Ok(0);
        }
        let added = &values[before..];
        check(added, added.len() / read, self.given, &self.name)?;
        self.given += read;
        Ok(read)
    }

    /// Number of features; reads the first row if that decides.
    pub(super) fn find_width(&mut self) -> Result<usize, DataError> {
        if let (None, Rows::Table(rows)) = (self.width, &mut self.rows) {
            self.width = rows.width()?;
        }
        let width = self.width.filter(|&width| width > 0);
        width.ok_or_else(|| DataError::Empty { source_name: self.name.clone() })
    }

    /// Rows of the file, those included that were left out, after the last.
    pub(super) fn n_read(&self) -> usize {
        match &self.rows {
            Rows::Table(rows) => rows.block.n_read,
            Rows::Whole(_) => self.given,
        }
    }

    /// What a person should know of how it was read, after the last row.
    pub(super) fn notes(&self) -> Vec<String> {
        match &self.rows {
            Rows::Table(rows) => {
                let of_rows = rows.block.notes(&rows.table);
                rows.table.info.notes.iter().cloned().chain(of_rows).collect()
            }
            Rows::Whole(rows) => rows.notes.clone(),
        }
    }

    /// The classes of all rows, after the last.
    pub(super) fn truth(&mut self) -> Result<Option<Truth>, DataError> {
        match &mut self.rows {
            Rows::Table(rows) => {
                rows.block.truth(&rows.table, rows.with_truth, &mut PartInfo::default())
            }
            Rows::Whole(rows) => Ok(rows.truth.take()),
        }
    }
}

/// Refuses values that aren't finite. `given`: number of rows of the file before them.
fn check(values: &[f32], width: usize, given: usize, name: &str) -> Result<(), DataError> {
    let view = ArrayView2::from_shape((values.len() / width, width), values);
    Features::check(&view.expect("whole rows"), name).map_err(|error| match error {
        DataError::NotFinite { source_name, row, column, value } => {
            DataError::NotFinite { source_name, row: row + given, column, value }
        }
        other => other,
    })
}

/// A table, of which the rows that were read last are in memory: a line, or a batch.
struct TableRows {
    table: Table,
    block: Samples,
    /// Rows of the block, and how many of them have been given.
    rows: usize,
    used: usize,
    with_truth: bool,
    ended: bool,
}

impl TableRows {
    fn new(table: Table, request: Request<'_>) -> Self {
        let block = Samples::new(request.options.missing, request.fitted.clone());
        Self { table, block, rows: 0, used: 0, with_truth: request.with_truth, ended: false }
    }

    /// Reads until there is a row that wasn't given; false after the last.
    fn fill(&mut self) -> Result<bool, DataError> {
        while self.used == self.rows {
            self.block.values.clear();
            self.block.ids.clear();
            self.block.rows.clear();
            let before = self.block.n_rows;
            if self.ended {
                return Ok(false);
            }
            match self.table.next()? {
                Some(batch) => {
                    let pushed = self.block.push(batch, &self.table);
                    pushed.map_err(|error| self.table.explain(error))?;
                }
                None => {
                    self.block.finish();
                    self.ended = true;
                }
            }
            (self.rows, self.used) = (self.block.n_rows - before, 0);
        }
        Ok(true)
    }

    fn next(
        &mut self,
        limit: usize,
        values: &mut Vec<f32>,
        names: &mut Names,
    ) -> Result<usize, DataError> {
        let mut given = 0;
        while given < limit && self.fill()? {
            let width = self.block.values.len() / self.rows;
            let rows = self.used..self.rows.min(self.used + limit - given);
            values.extend_from_slice(&self.block.values[rows.start * width..rows.end * width]);
            if !self.block.ids.is_empty() {
                names.ids.extend(self.block.ids[rows.clone()].iter_mut().map(std::mem::take));
            }
            if !self.block.rows.is_empty() {
                names.rows.extend_from_slice(&self.block.rows[rows.clone()]);
            }
            given += rows.len();
            self.used = rows.end;
        }
        Ok(given)
    }

    fn width(&mut self) -> Result<Option<usize>, DataError> {
        Ok(self.fill()?.then(|| self.block.values.len() / self.rows))
    }
}

/// A file that is in memory.
struct Whole {
    features: Features,
    next: usize,
    truth: Option<Truth>,
    ids: Option<IntoIter<String>>,
    notes: Vec<String>,
}

impl Whole {
    fn next(&mut self, limit: usize, values: &mut Vec<f32>, names: &mut Names) -> usize {
        let rows = self.next..(self.next.saturating_add(limit)).min(self.features.n_samples());
        let width = self.features.n_features();
        values.extend_from_slice(&self.features.as_slice()[rows.start * width..rows.end * width]);
        self.next = rows.end;
        if let Some(all) = &mut self.ids {
            names.ids.extend(all.take(rows.len()));
        }
        rows.len()
    }
}
