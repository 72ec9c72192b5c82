//! An array in Fortran order: column after column.

use super::array::{Blocks, Stored, step, table};
use super::numbers::{Width, zeros};
use crate::DataError;
use crate::records::{Batch, Numbers, Places, Wanted};

/// Of rows that are all kept this part of the values is read at a time, and no fewer than so many.
const PARTS: usize = 32;
const LEAST: usize = 1 << 18;
/// Rows that are written side by side at a time: what a cache holds.
const ROWS: usize = 64;

pub(super) struct Columns {
    stored: Stored,
    n_rows: usize,
    /// The first row that wasn't given.
    next: usize,
    /// Which of the file's columns is each item of a row.
    items: Vec<usize>,
    /// All values, where rows are given some at a time.
    values: Option<Numbers>,
}

impl Columns {
    pub(super) fn new(stored: Stored, shape: &[usize]) -> Result<Self, DataError> {
        let (n_rows, _) = table(shape, &stored.name)?;
        let (mut items, mut stride) = (vec![0], 1);
        // Items in C order: the last axis runs fastest.
        for &length in &shape[1..] {
            let along = |start: usize| (0..length).map(move |at| start + at * stride);
            items = items.into_iter().flat_map(along).collect();
            stride *= length;
        }
        Ok(Self { stored, n_rows, next: 0, items, values: None })
    }
}

impl Blocks for Columns {
    fn next(&mut self) -> Result<Numbers, DataError> {
        let values = match self.values.take() {
            Some(values) => values,
            None => self.stored.take(self.n_rows * self.items.len())?,
        };
        let (n_rows, start) = (self.n_rows, self.next);
        self.next = n_rows.min(start + step(self.items.len()));
        let row = |row: usize| self.items.iter().map(move |column| column * n_rows + row);
        let block = values.at((start..self.next).flat_map(row));
        self.values = Some(values);
        Ok(block)
    }

    /// Some columns at a time, written side by side, so that the values are in memory once.
    fn all(&mut self, wanted: &Wanted) -> Result<Option<Batch>, DataError> {
        let mut narrow = wanted.narrow.clone();
        if self.stored.encoding.kind.width() != Width::F32 && narrow.is_none() {
            return Ok(None);
        }
        let (n_rows, width) = (self.n_rows, self.items.len());
        let mut item_of = vec![0; width];
        self.items.iter().enumerate().for_each(|(item, &column)| item_of[column] = item);
        let mut rows: Vec<f32> = zeros(n_rows * width, &self.stored.name)?;
        let mut inexact = Vec::new();
        let at_most = LEAST.max(n_rows * width / PARTS);
        let (columns, len) = ((at_most / n_rows).max(1), at_most.min(n_rows));
        for items in item_of.chunks(columns) {
            for first in (0..n_rows).step_by(len) {
                let len = len.min(n_rows - first);
                let values = self.stored.take(len * items.len())?;
                let place = |at: usize| (first + at % len) * width + items[at / len];
                inexact.extend(values.inexact().into_iter().map(place));
                let rows = &mut rows[first * width..(first + len) * width];
                match (values, &mut narrow) {
                    (Numbers::F32(values), _) => {
                        let write = |_, from: &[f32], to: Items| {
                            to.zip(from).for_each(|(to, &value)| *to = value);
                        };
                        side_by_side(&values, len, items, (rows, width), write);
                    }
                    (values, Some(narrow)) => {
                        let values = values.into_f64();
                        if first == 0 {
                            let first = values.chunks(len).zip(items);
                            first.for_each(|(column, &item)| narrow.look(item, column));
                        }
                        let write = |item, from: &[f64], to: Items| narrow.put(item, from, to);
                        side_by_side(&values, len, items, (rows, width), write);
                    }
                    (_, None) => {}
                }
            }
        }
        let places = Places::From(0);
        let batch = Batch::new(n_rows, Numbers::F32(rows), Vec::new(), places);
        let narrow = narrow.filter(|_| self.stored.encoding.kind.width() != Width::F32);
        Ok(Some(Batch { inexact, narrow, ..batch }))
    }
}

/// An item of some rows.
type Items<'a> = std::iter::StepBy<std::iter::Skip<std::slice::IterMut<'a, f32>>>;

/// Calls `write` with the item that a column is, some of its values, and where these go. `values`: shape (n_columns, n_rows).
fn side_by_side<T>(
    values: &[T],
    n_rows: usize,
    items: &[usize],
    (rows, width): (&mut [f32], usize),
    mut write: impl FnMut(usize, &[T], Items<'_>),
) {
    for (block, start) in rows.chunks_mut(ROWS * width).zip((0..n_rows).step_by(ROWS)) {
        let end = n_rows.min(start + ROWS);
        for (column, &item) in values.chunks(n_rows).zip(items) {
            write(item, &column[start..end], block.iter_mut().skip(item).step_by(width));
        }
    }
}
