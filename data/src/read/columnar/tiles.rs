//! Rows of a file whose columns are read some at a time, and written side by side.

use arrow_array::RecordBatch;

use super::cells::Cells;
use super::opened::Tiles;
use crate::DataError;
use crate::read::numbers::reserve;
use crate::records::{Batch, Numbers, Places, Schema, Wanted};

/// The next rows, `before` of which were read; `None` after the last.
#[expect(clippy::redundant_closure, reason = "the functions themselves are of one lifetime alone")]
pub(super) fn next(
    tiles: &mut dyn Tiles,
    schema: &Schema,
    wanted: &Wanted,
    before: usize,
) -> Result<Option<Batch>, DataError> {
    let Some(n_rows) = tiles.next_rows() else { return Ok(None) };
    let tile = Tile { tiles, schema, wanted, before, n_rows };
    let words = wanted.words.iter().map(|&column| tile.words(column));
    let words = words.collect::<Result<_, _>>()?;
    let mut inexact = Vec::new();
    let numbers = if tiles.are_narrow() {
        Numbers::F32(tile.numbers(
            |cells, rows, width, first| Cells::put_f32(cells, rows, width, first),
            &mut inexact,
        )?)
    } else {
        Numbers::F64(tile.numbers(
            |cells, rows, width, first| Cells::put_f64(cells, rows, width, first),
            &mut inexact,
        )?)
    };
    let mut read = Batch::new(n_rows, numbers, words, Places::From(before as u64));
    read.inexact = inexact;
    Ok(Some(read))
}

/// Writes columns into rows of a width, from an item on.
type Put<T> = fn(&[Cells<'_>], &mut [T], usize, usize) -> Result<(), DataError>;

struct Tile<'a> {
    tiles: &'a dyn Tiles,
    schema: &'a Schema,
    wanted: &'a Wanted,
    before: usize,
    n_rows: usize,
}

impl Tile<'_> {
    /// All numbers, shape (n_rows, number of wanted columns), and places of those that were rounded.
    fn numbers<T: Copy + Default>(
        &self,
        put: Put<T>,
        inexact: &mut Vec<usize>,
    ) -> Result<Vec<T>, DataError> {
        let width = self.wanted.numbers.len();
        let len = self.n_rows.saturating_mul(width);
        let mut numbers = reserve(len, &self.schema.name)?;
        numbers.resize(len, T::default());
        for group in self.tiles.groups() {
            self.each(&self.wanted.numbers[group.clone()], |row, cells| {
                let rows = &mut numbers[row * width..];
                let of_group = Cells::inexact(cells);
                let place = |place: usize| {
                    let (at, column) = (place / cells.len(), place % cells.len());
                    (row + at) * width + group.start + column
                };
                inexact.extend(of_group.into_iter().map(place));
                put(cells, rows, width, group.start)
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
