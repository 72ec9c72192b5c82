//! Rows of a file whose columns are read some at a time, and written side by side.

use arrow_array::RecordBatch;

use super::cells::Cells;
use super::opened::{As, Tiles};
use crate::DataError;
use crate::read::numbers::zeros;
use crate::records::{Batch, Numbers, Places, Schema, Wanted};

/// The next rows, `before` of which were read; `None` after the last.
pub(super) fn next(
    tiles: &mut dyn Tiles,
    kind: &mut As,
    schema: &Schema,
    wanted: &Wanted,
    before: usize,
) -> Result<Option<Batch>, DataError> {
    let Some(n_rows) = tiles.next_rows() else { return Ok(None) };
    let tile = Tile { tiles, schema, wanted, before, n_rows };
    let words = wanted.words.iter().map(|&column| tile.words(column));
    let words = words.collect::<Result<_, _>>()?;
    let mut inexact = Vec::new();
    let width = wanted.numbers.len();
    let numbers = match kind {
        As::F32 => Numbers::F32(tile.numbers(&mut inexact, |cells, rows, first, _| {
            Cells::put_f32(cells, rows, width, first)
        })?),
        As::F64 => Numbers::F64(tile.numbers(&mut inexact, |cells, rows, first, _| {
            Cells::put_f64(cells, rows, width, first)
        })?),
        As::Features(narrow) => {
            Numbers::F32(tile.numbers(&mut inexact, |cells, rows, first, row| {
                let are_first = before + row == 0;
                Cells::put_features(cells, rows, (width, first), narrow, are_first)
            })?)
        }
    };
    let mut read = Batch::new(n_rows, numbers, words, Places::From(before as u64));
    read.inexact = inexact;
    if let As::Features(narrow) = kind {
        read.narrow = Some(narrow.clone());
    }
    Ok(Some(read))
}

struct Tile<'a> {
    tiles: &'a dyn Tiles,
    schema: &'a Schema,
    wanted: &'a Wanted,
    before: usize,
    n_rows: usize,
}

impl Tile<'_> {
    /// All numbers, shape (n_rows, number of wanted columns), and places of those that were rounded.
    ///
    /// `put` writes columns into rows: it is given the rows from the columns' first on, the number of the first column, and that of the row.
    fn numbers<T: Copy + Default>(
        &self,
        inexact: &mut Vec<usize>,
        mut put: impl FnMut(&[Cells<'_>], &mut [T], usize, usize) -> Result<(), DataError>,
    ) -> Result<Vec<T>, DataError> {
        let width = self.wanted.numbers.len();
        let len = self.n_rows.saturating_mul(width);
        let mut numbers = zeros(len, &self.schema.name)?;
        for group in self.tiles.groups() {
            self.each(&self.wanted.numbers[group.clone()], |row, cells| {
                let rows = &mut numbers[row * width..];
                let of_group = Cells::inexact(cells);
                let place = |place: usize| {
                    let (at, column) = (place / cells.len(), place % cells.len());
                    (row + at) * width + group.start + column
                };
                inexact.extend(of_group.into_iter().map(place));
                put(cells, rows, group.start, row)
            })?;
        }
        Ok(numbers)
    }

    /// A column's words, length n_rows.
    fn words(&self, column: usize) -> Result<Vec<Option<String>>, DataError> {
        let mut words = Vec::new();
        self.each(&[column], |_, cells| {
            words.extend(cells[0].words()?);
            Ok(())
        })?;
        Ok(words)
    }

    /// Calls `tell` with the first row, and all rows, of each batch of some columns.
    fn each(
        &self,
        columns: &[usize],
        mut tell: impl FnMut(usize, &[Cells<'_>]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let mut used = columns.to_vec();
        used.sort_unstable();
        let mut row = 0;
        for batch in self.tiles.read(&used)? {
            let batch: RecordBatch = batch?;
            let end = row + batch.num_rows();
            if end > self.n_rows {
                return Err(self.uneven(end));
            }
            let cells = |index: &usize| Cells {
                array: batch.column(used.partition_point(|used| used < index)),
                column: &self.schema.columns[*index].name,
                source_name: &self.schema.name,
                before: self.before + row,
            };
            tell(row, &columns.iter().map(cells).collect::<Vec<_>>())?;
            row = end;
        }
        if row == self.n_rows { Ok(()) } else { Err(self.uneven(row)) }
    }

    fn uneven(&self, found: usize) -> DataError {
        let (before, expected) = (self.before, self.n_rows);
        DataError::Corrupt {
            source_name: self.schema.name.clone(),
            problem: format!("{found} rows of a column from row {before} on, expected {expected}"),
        }
    }
}
