//! The rows of a file that was opened, some at a time.

use std::io::Read;

use ndarray::ArrayView2;

use crate::read::numbers::{Encoding, append_values, expect_end};
use crate::records::{self, PartInfo, Request, Samples, Table};
use crate::{DataError, Features, Truth};

/// A file's rows.
pub(super) trait Rows {
    /// Appends the values of the next rows, `limit` at most, and what these are called if the file says it; the number of rows.
    /// 0 after the last.
    fn next(
        &mut self,
        limit: usize,
        values: &mut Vec<f32>,
        ids: &mut Option<Vec<String>>,
    ) -> Result<usize, DataError>;

    /// Number of features where it isn't known before the first row, which stays unread; `None` if there is none.
    fn width(&mut self) -> Result<Option<usize>, DataError> {
        Ok(None)
    }

    /// The classes of all rows, if they are among them; asked for after the last.
    fn truth(&mut self) -> Result<Option<Truth>, DataError> {
        Ok(None)
    }
}

/// Refuses values that aren't finite. `given`: number of rows of the file before them.
pub(super) fn check(
    values: &[f32],
    width: usize,
    given: usize,
    name: &str,
) -> Result<(), DataError> {
    let view = ArrayView2::from_shape((values.len() / width, width), values);
    Features::check(&view.expect("whole rows"), name).map_err(|error| match error {
        DataError::NotFinite { source_name, row, column, value } => {
            DataError::NotFinite { source_name, row: row + given, column, value }
        }
        other => other,
    })
}

/// Stored numbers, from one byte of a file on.
pub(super) struct Values<R> {
    pub(super) reader: R,
    pub(super) encoding: Encoding,
    /// Bytes read so far, and those that there are.
    pub(super) position: u64,
    pub(super) expected: u64,
}

/// An array in C order.
pub(super) struct Array<R> {
    pub(super) name: String,
    pub(super) width: usize,
    /// Rows that haven't been read.
    pub(super) left: usize,
    pub(super) values: Values<R>,
}

impl<R: Read> Rows for Array<R> {
    fn next(
        &mut self,
        limit: usize,
        values: &mut Vec<f32>,
        _ids: &mut Option<Vec<String>>,
    ) -> Result<usize, DataError> {
        let rows = limit.min(self.left);
        if rows == 0 {
            return Ok(0);
        }
        let Values { reader, encoding, position, expected } = &mut self.values;
        let count = rows * self.width;
        append_values(reader, *encoding, count, (*position, *expected), &self.name, values)?;
        *position += (count * encoding.kind.size()) as u64;
        self.left -= rows;
        if self.left == 0 {
            expect_end(reader, *expected, &self.name)?;
        }
        Ok(rows)
    }
}

/// Some columns of an array.
pub(super) struct Selected {
    pub(super) name: String,
    pub(super) rows: Box<dyn Rows>,
    /// Number of columns of the array.
    pub(super) width: usize,
    /// Those that are wanted, in their order.
    pub(super) order: Vec<usize>,
    pub(super) given: usize,
    /// Rows of the array.
    pub(super) buffer: Vec<f32>,
}

impl Rows for Selected {
    fn next(
        &mut self,
        limit: usize,
        values: &mut Vec<f32>,
        ids: &mut Option<Vec<String>>,
    ) -> Result<usize, DataError> {
        self.buffer.clear();
        let read = self.rows.next(limit, &mut self.buffer, ids)?;
        if read > 0 {
            check(&self.buffer, self.width, self.given, &self.name)?;
        }
        for row in self.buffer.chunks_exact(self.width) {
            values.extend(self.order.iter().map(|&column| row[column]));
        }
        self.given += read;
        Ok(read)
    }
}

/// A table, of which the rows that were read last are in memory: a line, or a batch.
pub(super) struct TableRows {
    table: Table,
    block: Samples,
    /// Rows of the block, and how many of them have been given.
    rows: usize,
    used: usize,
    with_truth: bool,
    ended: bool,
}

impl TableRows {
    pub(super) fn new(table: Table, request: Request<'_>) -> Self {
        let block = Samples::new(request.options.missing, request.fitted.clone());
        Self { table, block, rows: 0, used: 0, with_truth: request.with_truth, ended: false }
    }

    /// Reads until there is a row that wasn't given; false after the last.
    fn fill(&mut self) -> Result<bool, DataError> {
        while self.used == self.rows {
            self.block.values.clear();
            self.block.ids.clear();
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
                    self.block.finish(&self.table)?;
                    self.ended = true;
                }
            }
            (self.rows, self.used) = (self.block.n_rows - before, 0);
        }
        Ok(true)
    }
}

impl Rows for TableRows {
    fn next(
        &mut self,
        limit: usize,
        values: &mut Vec<f32>,
        ids: &mut Option<Vec<String>>,
    ) -> Result<usize, DataError> {
        if self.table.roles.id.is_some() || self.block.names_rows(&self.table) {
            ids.get_or_insert_default();
        }
        let mut given = 0;
        while given < limit && self.fill()? {
            let width = self.block.values.len() / self.rows;
            let rows = self.used..self.rows.min(self.used + limit - given);
            values.extend_from_slice(&self.block.values[rows.start * width..rows.end * width]);
            if let Some(ids) = ids.as_mut().filter(|_| !self.block.ids.is_empty()) {
                ids.extend(self.block.ids[rows.clone()].iter_mut().map(std::mem::take));
            }
            given += rows.len();
            self.used = rows.end;
        }
        Ok(given)
    }

    fn width(&mut self) -> Result<Option<usize>, DataError> {
        Ok(self.fill()?.then(|| self.block.values.len() / self.rows))
    }

    fn truth(&mut self) -> Result<Option<Truth>, DataError> {
        self.block.truth(&self.table, self.with_truth, &mut PartInfo::default())
    }
}

/// Whether a table holds numbers, and not texts.
pub(super) fn has_numbers(table: &Table) -> bool {
    !matches!(table.roles.features, records::Features::Text(_))
}

/// A dataset of an HDF5 file, read in whole chunks, as each is unpacked every time that a part of it is asked for.
#[cfg(feature = "hdf5")]
pub(super) struct Hdf5 {
    pub(super) slabs: crate::read::h5::Slabs,
    pub(super) width: usize,
    /// Rows that were read, and how many of their values have been given.
    pub(super) block: Vec<f32>,
    pub(super) used: usize,
}

#[cfg(feature = "hdf5")]
impl Rows for Hdf5 {
    fn next(
        &mut self,
        limit: usize,
        values: &mut Vec<f32>,
        _ids: &mut Option<Vec<String>>,
    ) -> Result<usize, DataError> {
        if self.used == self.block.len() {
            self.block.clear();
            self.used = 0;
            self.slabs.next(&mut self.block)?;
        }
        let taken = (limit * self.width).min(self.block.len() - self.used);
        values.extend_from_slice(&self.block[self.used..self.used + taken]);
        self.used += taken;
        Ok(taken / self.width)
    }
}

/// A file that is in memory.
pub(super) struct Whole {
    pub(super) features: Features,
    pub(super) next: usize,
}

impl Rows for Whole {
    fn next(
        &mut self,
        limit: usize,
        values: &mut Vec<f32>,
        _ids: &mut Option<Vec<String>>,
    ) -> Result<usize, DataError> {
        let rows = self.next..(self.next.saturating_add(limit)).min(self.features.n_samples());
        let width = self.features.n_features();
        values.extend_from_slice(&self.features.as_slice()[rows.start * width..rows.end * width]);
        self.next = rows.end;
        Ok(rows.len())
    }
}
