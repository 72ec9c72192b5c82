//! Sparse matrices by rows, as scipy saves them.

use super::numbers::reserve;
use crate::DataError;

/// A matrix of which only the values that aren't zero are stored, row after row, not yet checked.
#[derive(Debug, Clone)]
pub(crate) struct Csr {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Where each row starts in `indices` and `data`, length rows + 1.
    pub(crate) indptr: Vec<i64>,
    /// Column of each value.
    pub(crate) indices: Vec<i64>,
    pub(crate) data: Vec<f32>,
}

impl Csr {
    /// A matrix without rows.
    pub(crate) fn empty(columns: usize) -> Self {
        Self { rows: 0, columns, indptr: vec![0], indices: Vec::new(), data: Vec::new() }
    }

    /// Adds a row of columns and their values.
    pub(crate) fn push_row(&mut self, row: impl Iterator<Item = (usize, f32)>) {
        for (column, value) in row {
            self.indices.push(column as i64);
            self.data.push(value);
        }
        self.indptr.push(self.data.len() as i64);
        self.rows += 1;
    }

    /// A matrix of some of the columns, in the order given.
    pub(crate) fn with_columns(
        &self,
        order: &[usize],
        source_name: &str,
    ) -> Result<Self, DataError> {
        let mut places = vec![None; self.columns];
        for (place, &column) in order.iter().enumerate() {
            places[column] = Some(place);
        }
        let mut rows: Vec<Vec<(usize, f32)>> = vec![Vec::new(); self.rows];
        self.each(source_name, |row, column, value| {
            rows[row].extend(places[column].map(|place| (place, value)));
            Ok(())
        })?;
        let mut matrix = Self::empty(order.len());
        rows.into_iter().for_each(|row| matrix.push_row(row.into_iter()));
        Ok(matrix)
    }

    /// Checks that there are rows and columns, that the parts fit each other, and that all values are finite.
    pub(crate) fn check(&self, source_name: &str) -> Result<(), DataError> {
        if self.rows == 0 || self.columns == 0 {
            return Err(DataError::Empty { source_name: source_name.into() });
        }
        self.each(source_name, |row, column, value| {
            if value.is_finite() {
                return Ok(());
            }
            Err(DataError::NotFinite { source_name: source_name.into(), row, column, value })
        })
    }

    /// Adds all values to those of `dense`, row after row, length rows x columns.
    pub(crate) fn add_to(&self, dense: &mut [f32], source_name: &str) -> Result<(), DataError> {
        self.each(source_name, |row, column, value| {
            dense[row * self.columns + column] += value;
            Ok(())
        })
    }

    /// Calls `tell` with row, column and value of all that is stored.
    fn each(
        &self,
        source_name: &str,
        mut tell: impl FnMut(usize, usize, f32) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let bad = |problem| DataError::BadSparse { source_name: source_name.into(), problem };
        for (row, &(start, end)) in self.row_bounds().map_err(bad)?.iter().enumerate() {
            for entry in start..end {
                let column = self.column(row, entry).map_err(bad)?;
                tell(row, column, self.data[entry])?;
            }
        }
        Ok(())
    }

    /// All values, row after row, length rows x columns. Values stored twice are added up, as scipy does.
    pub(crate) fn into_dense(self, source_name: &str) -> Result<Vec<f32>, DataError> {
        let len = self.rows.saturating_mul(self.columns);
        let mut dense = reserve(len, source_name)?;
        dense.resize(len, 0.0);
        self.add_to(&mut dense, source_name)?;
        Ok(dense)
    }

    /// First and last (exclusive) entry of every row.
    fn row_bounds(&self) -> Result<Vec<(usize, usize)>, String> {
        let entries = self.data.len();
        if self.indices.len() != entries {
            let indices = self.indices.len();
            return Err(format!("{indices} indices for {entries} data"));
        }
        if self.indptr.len() != self.rows.saturating_add(1) {
            let (pointers, rows) = (self.indptr.len(), self.rows);
            return Err(format!(
                "indptr has {pointers} entries for {rows} rows, expected rows + 1"
            ));
        }
        let mut bounds = Vec::with_capacity(self.rows);
        let mut previous = 0;
        for (position, &pointer) in self.indptr.iter().enumerate() {
            let pointer = usize::try_from(pointer).ok().filter(|&pointer| pointer >= previous);
            let Some(pointer) = pointer else {
                return Err(format!("indptr is not ascending at position {position}"));
            };
            if position > 0 {
                bounds.push((previous, pointer));
            } else if pointer != 0 {
                return Err(format!("indptr starts at {pointer}, expected 0"));
            }
            previous = pointer;
        }
        if previous != entries {
            return Err(format!("indptr ends at {previous}, but there are {entries} data"));
        }
        Ok(bounds)
    }

    fn column(&self, row: usize, entry: usize) -> Result<usize, String> {
        let index = self.indices[entry];
        let column = usize::try_from(index).ok().filter(|&column| column < self.columns);
        column.ok_or_else(|| {
            let columns = self.columns;
            format!("column index {index} in row {row} is outside of the {columns} columns")
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn csr(indptr: &[i64], indices: &[i64]) -> Csr {
        let data = vec![1.0; indices.len()];
        let (indptr, indices) = (indptr.to_vec(), indices.to_vec());
        Csr { rows: 2, columns: 3, indptr, indices, data }
    }

    proptest! {
        #[test]
        fn dense_equals_adding_every_triple(
            (rows, columns) in (1..8usize, 1..8usize),
            entries in prop::collection::vec((0..64usize, 0..64usize, -9..9i8), 0..60),
        ) {
            let mut triples: Vec<_> = entries
                .into_iter()
                .map(|(row, column, value)| (row % rows, column % columns, f32::from(value)))
                .collect();
            let mut expected = vec![0.0; rows * columns];
            for &(row, column, value) in &triples {
                expected[row * columns + column] += value;
            }
            triples.sort_by_key(|&(row, ..)| row);
            let before = |row| triples.iter().filter(|triple| triple.0 < row).count();
            let matrix = Csr {
                rows,
                columns,
                indptr: (0..=rows).map(|row| i64::try_from(before(row)).unwrap()).collect(),
                indices: triples.iter().map(|triple| i64::try_from(triple.1).unwrap()).collect(),
                data: triples.iter().map(|triple| triple.2).collect(),
            };
            prop_assert_eq!(matrix.into_dense("x").unwrap(), expected);
        }
    }

    #[test]
    fn inconsistencies_are_named() {
        let problem = |matrix: Csr| matrix.into_dense("x.npz").unwrap_err().to_string();
        for (indptr, indices, words) in [
            (&[0, 2, 1][..], &[0][..], "indptr is not ascending at position 2"),
            (&[0, -1, 1], &[0], "indptr is not ascending at position 1"),
            (&[1, 1, 1], &[0], "indptr starts at 1"),
            (&[0, 1], &[0], "indptr has 2 entries for 2 rows"),
            (&[0, 1, 3], &[0, 1], "indptr ends at 3, but there are 2 data"),
            (&[0, 1, 2], &[0, 3], "column index 3 in row 1 is outside of the 3 columns"),
            (&[0, 1, 2], &[-1, 2], "column index -1 in row 0"),
        ] {
            let message = problem(csr(indptr, indices));
            assert!(message.contains(words), "{message}");
        }
        let mut short = csr(&[0, 1, 2], &[0, 1]);
        short.data.pop();
        assert!(problem(short).contains("2 indices for 1 data"));
    }

    #[test]
    fn a_matrix_beyond_all_memory_is_an_error() {
        let mut wide = csr(&[0, 1, 2], &[0, 1]);
        wide.columns = usize::MAX / 2;
        let message = wide.into_dense("x.npz").unwrap_err().to_string();
        assert!(message.contains("do not fit in memory"), "{message}");
    }
}
