//! Rows of a sparse matrix as features that stay sparse.

use super::Csr;
use crate::read::array::step;
use crate::records::{Narrow, ROWS};
use crate::{DataError, SparseRows};

impl Csr {
    /// A row's values by their columns, ascending; those of one column in the order in which they are stored.
    fn sorted(&self, row: usize) -> Vec<(u32, f64)> {
        let entries = self.starts[row]..self.starts[row + 1];
        let values = self.data[entries.clone()].iter().copied();
        let mut sorted: Vec<(u32, f64)> =
            self.indices[entries].iter().copied().zip(values).collect();
        sorted.sort_by_key(|&(column, _)| column);
        sorted
    }

    /// The features that all rows become, those that reading some at a time would give; `None` if zeros become something else. `is_narrow`: whether all
    /// values are 32-bit floats, and so are added up as such. O(values), and O(1,000 columns) at worst.
    #[expect(clippy::cast_possible_truncation, reason = "checked to be 32-bit floats")]
    pub(super) fn kept(
        &self,
        mut narrow: Narrow,
        is_narrow: bool,
        source_name: &str,
    ) -> Result<Option<(SparseRows, Narrow)>, DataError> {
        let first = self.dense(0..self.rows.min(step(self.columns)), source_name)?;
        let as_they_are = is_narrow && narrow.leaves(&first, self.columns);
        if !as_they_are {
            self.look(&mut narrow);
            if !narrow.keeps_zeros() {
                return Ok(None);
            }
        }
        let mut kept = SparseRows::with_capacity(self.rows, self.data.len(), self.columns);
        for row in 0..self.rows {
            let sorted = self.sorted(row);
            let values = sorted.chunk_by(|a, b| a.0 == b.0).map(|same| {
                let (column, values) = (same[0].0, same.iter().map(|&(_, value)| value));
                let mut value =
                    if is_narrow { values.fold(0.0, |sum, value| sum + value as f32) } else { 0.0 };
                if !as_they_are {
                    let wide = match is_narrow {
                        true => f64::from(value),
                        false => same.iter().fold(0.0, |sum, &(_, value)| sum + value),
                    };
                    narrow.put(column as usize, &[wide], std::iter::once(&mut value));
                }
                (column, value)
            });
            kept.push(values.collect::<Vec<_>>());
        }
        Ok(Some((kept, narrow)))
    }

    /// Shows the first rows, zeros included, of every column that has anything in them.
    fn look(&self, narrow: &mut Narrow) {
        let rows = self.rows.min(ROWS);
        let mut entries: Vec<(u32, usize, f64)> = (0..rows)
            .flat_map(|row| self.sorted(row).into_iter().map(move |(at, it)| (at, row, it)))
            .collect();
        entries.sort_by_key(|&(column, row, _)| (column, row));
        let mut column = vec![0.0; rows];
        for of_column in entries.chunk_by(|a, b| a.0 == b.0) {
            of_column.iter().for_each(|&(_, row, value)| column[row] += value);
            narrow.look(of_column[0].0 as usize, &column);
            of_column.iter().for_each(|&(_, row, _)| column[row] = 0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::sparse::Stored;
    use crate::records::{Numbers, Offsets};

    /// Values of any size, some stored twice, as 32-bit floats or not: what is kept is what blocks become, to the bit.
    #[test]
    fn what_is_kept_sparse_is_what_is_dense() {
        let (rows, columns) = (1500, 40);
        let entry = |entry: usize| {
            let at = entry - usize::from(entry % 4 == 3);
            let column = (at * 7 + at / 11) % columns;
            let size = if column == 3 { 1e-30 } else { 1.0 };
            (entry / 4, column, size * ((entry % 23) as f64 - 11.0) / 7.0)
        };
        #[expect(clippy::cast_possible_truncation, reason = "to round")]
        let narrow: fn(f64) -> f64 = |value| f64::from(value as f32);
        for round in [narrow, |value| value] {
            let entries: Vec<_> = (0..4 * rows).map(entry).collect();
            let row = entries.iter().map(|entry| entry.0 as i64).collect();
            let column = entries.iter().map(|entry| entry.1 as i64).collect();
            let data = entries.iter().map(|entry| round(entry.2)).collect();
            let stored = Stored::Coo { row, column };
            let matrix = Csr::new([rows, columns], stored, data, "x").unwrap();
            let mut blocks = matrix.clone().blocks("x");
            let (mut wide, mut is_narrow) = (Vec::new(), true);
            while wide.len() < rows * columns {
                let block = blocks.next().unwrap();
                is_narrow &= matches!(block, Numbers::F32(_));
                wide.extend(block.into_f64());
            }
            let offsets = Offsets::of(&wide[..ROWS * columns], columns).unwrap();
            let undecided = Narrow::new(columns, None);
            let (kept, found) = matrix.kept(undecided, is_narrow, "x").unwrap().unwrap();
            assert_eq!(found.offsets().as_ref(), Some(&offsets));
            for row in 0..rows {
                let mut dense = vec![0.0_f32; columns];
                kept.put(row, &mut dense);
                for (at, found) in dense.into_iter().enumerate() {
                    let expected = offsets.narrow(at, wide[row * columns + at]);
                    assert_eq!(found, expected, "{is_narrow}, row {row}, column {at}");
                }
            }
        }
    }

    #[test]
    fn what_something_is_taken_off_is_not_kept_sparse() {
        let (indptr, indices) = ((0..=1500).collect(), vec![2; 1500]);
        let times = (0..1500).map(|row| 1e12 + f64::from(row) / 3.0).collect();
        let matrix = Csr::new([1500, 3], Stored::Csr { indptr, indices }, times, "x").unwrap();
        assert!(matrix.kept(Narrow::new(3, None), false, "x").unwrap().is_none());
    }
}
