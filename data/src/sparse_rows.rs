//! Rows of which only the values that aren't zero are kept.

/// Values that aren't zero, row after row, each with its column, in ascending order of columns: 8 bytes a value.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseRows {
    /// Where each row starts, length n_samples + 1.
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
    n_features: usize,
}

impl SparseRows {
    /// None yet, with room for so many rows and values.
    #[must_use]
    pub fn with_capacity(n_samples: usize, n_values: usize, n_features: usize) -> Self {
        let mut starts = Vec::with_capacity(n_samples + 1);
        starts.push(0);
        let (columns, values) = (Vec::with_capacity(n_values), Vec::with_capacity(n_values));
        Self { starts, columns, values, n_features }
    }

    /// Adds a row, of which zeros are left out.
    ///
    /// # Panics
    ///
    /// If columns don't ascend, or are more than `n_features`.
    pub fn push(&mut self, row: impl IntoIterator<Item = (u32, f32)>) {
        let mut next = 0;
        for (column, value) in row {
            assert!(column >= next && (column as usize) < self.n_features, "ascending columns");
            next = column + 1;
            if value != 0.0 {
                self.columns.push(column);
                self.values.push(value);
            }
        }
        self.starts.push(self.values.len());
    }

    /// Number of rows.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of columns, of values and zeros.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Number of values that are kept.
    #[must_use]
    pub fn n_values(&self) -> usize {
        self.values.len()
    }

    /// The columns of a row's values, ascending, and the values.
    #[must_use]
    pub fn row(&self, sample: usize) -> (&[u32], &[f32]) {
        let of_row = self.starts[sample]..self.starts[sample + 1];
        (&self.columns[of_row.clone()], &self.values[of_row])
    }

    /// A row's values, each with its column, in ascending order.
    pub fn entries(&self, sample: usize) -> impl Iterator<Item = (usize, f32)> {
        let (columns, values) = self.row(sample);
        columns.iter().map(|&column| column as usize).zip(values.iter().copied())
    }

    /// Puts a row's values into zeros, length n_features.
    pub fn put(&self, sample: usize, zeros: &mut [f32]) {
        self.entries(sample).for_each(|(column, value)| zeros[column] = value);
    }

    /// Some rows, in this order.
    #[must_use]
    pub fn select(&self, samples: &[usize]) -> Self {
        let n_values = samples.iter().map(|&sample| self.row(sample).1.len()).sum();
        let mut some = Self::with_capacity(samples.len(), n_values, self.n_features);
        for &sample in samples {
            let (columns, values) = self.row(sample);
            some.push(columns.iter().copied().zip(values.iter().copied()));
        }
        some
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_kept_without_their_zeros() {
        let mut rows = SparseRows::with_capacity(3, 3, 5);
        rows.push([(0, 1.0), (3, 0.0), (4, -2.0)]);
        rows.push([]);
        rows.push([(2, 7.0)]);
        assert_eq!((rows.n_samples(), rows.n_features(), rows.n_values()), (3, 5, 3));
        assert_eq!(rows.row(0), (&[0, 4][..], &[1.0, -2.0][..]));
        let mut dense = [0.0; 5];
        rows.put(0, &mut dense);
        assert_eq!(dense, [1.0, 0.0, 0.0, 0.0, -2.0]);
        let some = rows.select(&[2, 1, 2]);
        assert_eq!(some.entries(0).collect::<Vec<_>>(), [(2, 7.0)]);
        assert_eq!((some.n_samples(), some.entries(1).count(), some.n_values()), (3, 0, 2));
    }

    #[test]
    #[should_panic(expected = "ascending columns")]
    fn columns_ascend() {
        SparseRows::with_capacity(1, 2, 5).push([(3, 1.0), (3, 1.0)]);
    }
}
