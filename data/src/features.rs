//! Samples to be clustered.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2, Axis, s};

use crate::DataError;
use crate::memory::budget;
use crate::sparse_rows::SparseRows;

/// Features of all samples, shape (n_samples, n_features), finite. A clone shares them.
///
/// As a rule they are dense, in standard (row-major) layout. Of [large](Features::LARGE) sparse files that are read to be kept so
/// ([`ReadOptions::keep_sparse`](crate::ReadOptions::keep_sparse)), only the values that aren't zero are in memory. [`Features::view`],
/// [`Features::as_slice`] and [`Features::row`] are of dense ones alone; all else is of both. Nothing makes sparse ones dense
/// but [`Features::unpacked`], which refuses what doesn't fit into memory.
#[derive(Debug, Clone)]
pub struct Features(Values);

#[derive(Debug, Clone)]
enum Values {
    Dense(Arc<Array2<f32>>),
    Sparse(Arc<SparseRows>),
}

impl Features {
    /// Values, zeros included, from which on data are large: 1 GiB. Large sparse files can be kept as they are stored, and of large
    /// data that are projected no scaled copy is kept.
    pub const LARGE: usize = 1 << 28;

    /// Checks that there is at least one sample and one feature, that the ids fit, and that all values are finite.
    ///
    /// `source` names the data in messages.
    ///
    /// # Errors
    ///
    /// [`DataError`] with the first offending row and column, both 0-based.
    pub fn new(values: Array2<f32>, source: &str) -> Result<Self, DataError> {
        Self::check(&values.view(), source)?;
        let values = if values.is_standard_layout() {
            values
        } else {
            values.as_standard_layout().into_owned()
        };
        Ok(Self(Values::Dense(values.into())))
    }

    /// As [`Features::new`], of rows that stay sparse.
    ///
    /// # Errors
    ///
    /// As [`Features::new`].
    pub fn sparse(rows: SparseRows, source: &str) -> Result<Self, DataError> {
        Self::check_sparse(&rows, source)?;
        Ok(Self(Values::Sparse(rows.into())))
    }

    /// What [`Features::new`] checks, before the values are stacked with others'.
    pub(crate) fn check(values: &ArrayView2<'_, f32>, source: &str) -> Result<(), DataError> {
        Self::check_shape(values.dim(), source)?;
        // Finite values add up to a finite number unless they are huge, so one pass of additions
        // finds nearly every clean row without a branch per value.
        for (row, samples) in values.rows().into_iter().enumerate() {
            if samples.sum().is_finite() {
                continue;
            }
            if let Some(column) = samples.iter().position(|value| !value.is_finite()) {
                return Err(not_finite(source, (row, column), samples[column]));
            }
        }
        Ok(())
    }

    /// What [`Features::sparse`] checks.
    pub(crate) fn check_sparse(rows: &SparseRows, source: &str) -> Result<(), DataError> {
        Self::check_shape((rows.n_samples(), rows.n_features()), source)?;
        for row in 0..rows.n_samples() {
            if let Some((column, value)) = rows.entries(row).find(|(_, it)| !it.is_finite()) {
                return Err(not_finite(source, (row, column), value));
            }
        }
        Ok(())
    }

    fn check_shape((rows, columns): (usize, usize), source: &str) -> Result<(), DataError> {
        if rows == 0 || columns == 0 {
            return Err(DataError::Empty { source_name: source.into() });
        }
        if u32::try_from(rows).is_err() {
            return Err(DataError::TooManySamples { source_name: source.into(), rows });
        }
        Ok(())
    }

    /// The rows, if they are sparse.
    #[must_use]
    pub fn as_sparse(&self) -> Option<&SparseRows> {
        match &self.0 {
            Values::Dense(_) => None,
            Values::Sparse(rows) => Some(rows),
        }
    }

    /// The same, dense: of those that are, at no cost.
    ///
    /// # Errors
    ///
    /// [`DataError::TooLarge`] if they would take more than `max_memory` bytes, or, where nobody has said that, than three quarters
    /// of the memory that is free.
    pub fn unpacked(&self, max_memory: Option<u64>) -> Result<Self, DataError> {
        let Values::Sparse(rows) = &self.0 else { return Ok(self.clone()) };
        let bytes = 4 * rows.n_samples() as u128 * rows.n_features() as u128;
        if bytes > budget(max_memory).into() {
            #[expect(clippy::cast_precision_loss, reason = "for a message")]
            let gibibytes = bytes as f64 / f64::from(1 << 30);
            let source_name = "sparse data, made dense".into();
            return Err(DataError::TooLarge { source_name, gibibytes });
        }
        let mut dense = Array2::zeros((rows.n_samples(), rows.n_features()));
        for (sample, mut row) in dense.rows_mut().into_iter().enumerate() {
            rows.put(sample, row.as_slice_mut().expect("rows are contiguous"));
        }
        Ok(Self(Values::Dense(dense.into())))
    }

    /// The values of dense features, shape (n_samples, n_features).
    ///
    /// # Panics
    ///
    /// If they are [sparse](Features::as_sparse).
    #[must_use]
    pub fn view(&self) -> ArrayView2<'_, f32> {
        self.dense().view()
    }

    /// One sample's values of dense features, length n_features.
    ///
    /// # Panics
    ///
    /// If they are [sparse](Features::as_sparse).
    #[must_use]
    pub fn row(&self, sample: usize) -> &[f32] {
        let width = self.n_features();
        &self.as_slice()[sample * width..(sample + 1) * width]
    }

    /// All values of dense features, row after row.
    ///
    /// # Panics
    ///
    /// If they are [sparse](Features::as_sparse).
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        self.dense().as_slice().expect("standard layout is checked on the way in")
    }

    fn dense(&self) -> &Array2<f32> {
        match &self.0 {
            Values::Dense(values) => values,
            Values::Sparse(_) => panic!("sparse features are read in parts, or unpacked"),
        }
    }

    /// One sample's features, length n_features.
    #[must_use]
    pub fn dense_row(&self, sample: usize) -> Cow<'_, [f32]> {
        match &self.0 {
            Values::Dense(_) => self.row(sample).into(),
            Values::Sparse(rows) => {
                let mut row = vec![0.0; rows.n_features()];
                rows.put(sample, &mut row);
                row.into()
            }
        }
    }

    /// Some rows, in this order; sparse ones stay so.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self(match &self.0 {
            Values::Dense(values) => Values::Dense(values.select(Axis(0), rows).into()),
            Values::Sparse(all) => Values::Sparse(all.select(rows).into()),
        })
    }

    /// Some rows, one after the other; sparse ones stay so. `name`: how messages call them.
    ///
    /// # Errors
    ///
    /// [`DataError`] if there are none.
    pub fn rows(&self, rows: Range<usize>, name: &str) -> Result<Self, DataError> {
        match &self.0 {
            Values::Dense(values) => Self::new(values.slice(s![rows, ..]).to_owned(), name),
            Values::Sparse(all) => Self::sparse(all.select(&rows.collect::<Vec<_>>()), name),
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        match &self.0 {
            Values::Dense(values) => values.nrows(),
            Values::Sparse(rows) => rows.n_samples(),
        }
    }

    /// Number of columns.
    #[must_use]
    pub fn n_features(&self) -> usize {
        match &self.0 {
            Values::Dense(values) => values.ncols(),
            Values::Sparse(rows) => rows.n_features(),
        }
    }

    /// Number of values that aren't zero. O(n d) of dense ones, else O(1).
    #[must_use]
    pub fn n_values(&self) -> usize {
        match &self.0 {
            Values::Dense(values) => values.iter().filter(|value| **value != 0.0).count(),
            Values::Sparse(rows) => rows.n_values(),
        }
    }

    /// Bytes that the values take.
    #[must_use]
    pub fn n_bytes(&self) -> u64 {
        match &self.0 {
            Values::Dense(values) => 4 * values.len() as u64,
            Values::Sparse(rows) => 8 * (rows.n_values() + rows.n_samples()) as u64,
        }
    }

    /// A sample's values that aren't zero, each with its column, in ascending order.
    pub fn entries(&self, sample: usize) -> Box<dyn Iterator<Item = (usize, f32)> + '_> {
        match &self.0 {
            Values::Dense(_) => {
                let all = self.row(sample).iter().copied().enumerate();
                Box::new(all.filter(|(_, value)| *value != 0.0))
            }
            Values::Sparse(rows) => Box::new(rows.entries(sample)),
        }
    }

    /// Number of distinct rows, counted up to `limit`. O(n d) at worst, O(limit d) as a rule.
    #[must_use]
    pub fn distinct_rows_up_to(&self, limit: usize) -> usize {
        let mut seen = HashSet::new();
        for sample in 0..self.n_samples() {
            let bits: Vec<u32> = match &self.0 {
                // Adding zero makes -0.0 and 0.0 the same bits.
                Values::Dense(_) => {
                    self.row(sample).iter().map(|value| (value + 0.0).to_bits()).collect()
                }
                Values::Sparse(rows) => {
                    let (columns, values) = rows.row(sample);
                    columns.iter().copied().chain(values.iter().map(|it| it.to_bits())).collect()
                }
            };
            seen.insert(bits);
            if seen.len() >= limit {
                break;
            }
        }
        seen.len()
    }
}

/// The same numbers, however they are kept.
impl PartialEq for Features {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Values::Dense(a), Values::Dense(b)) => a == b,
            (Values::Sparse(a), Values::Sparse(b)) => a == b,
            _ => {
                let shape = |it: &Self| (it.n_samples(), it.n_features());
                let is_same = |row| self.entries(row).eq(other.entries(row));
                shape(self) == shape(other) && (0..self.n_samples()).all(is_same)
            }
        }
    }
}

fn not_finite(source: &str, (row, column): (usize, usize), value: f32) -> DataError {
    DataError::NotFinite { source_name: source.into(), row, column, value }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn says_where_a_value_is_not_finite() {
        let error = Features::new(array![[0.0, 1.0], [2.0, f32::NAN]], "x.npy").unwrap_err();
        assert!(error.to_string().contains("row 1, column 1"), "{error}");
    }

    #[test]
    fn huge_but_finite_values_are_accepted() {
        assert!(Features::new(array![[f32::MAX, f32::MAX]], "x.npy").is_ok());
    }

    #[test]
    fn counts_distinct_rows() {
        let features = Features::new(array![[0.0, 1.0], [-0.0, 1.0], [3.0, 1.0]], "x").unwrap();
        assert_eq!(features.distinct_rows_up_to(5), 2);
        assert_eq!(features.distinct_rows_up_to(1), 1);
    }

    #[test]
    fn sparse_rows_are_the_same_numbers() {
        let values = array![[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [-3.0, 0.0, 2.0], [0.0, 0.0, 0.0]];
        let dense = Features::new(values.clone(), "x").unwrap();
        let mut rows = SparseRows::with_capacity(4, 4, 3);
        for row in values.rows() {
            rows.push((0..).zip(row.iter().copied()));
        }
        let sparse = Features::sparse(rows, "x").unwrap();
        assert!(sparse == dense && sparse != Features::new(values.clone() + 1.0, "x").unwrap());
        assert_eq!((sparse.n_values(), dense.n_values()), (4, 4));
        assert_eq!(sparse.distinct_rows_up_to(9), dense.distinct_rows_up_to(9));
        assert_eq!(*sparse.dense_row(2), *dense.row(2));
        assert_eq!(sparse.select(&[3, 2]), dense.select(&[3, 2]));
        assert_eq!(sparse.rows(1..3, "x").unwrap(), dense.rows(1..3, "x").unwrap());
        assert_eq!(sparse.unpacked(None).unwrap().view(), values);
        let error = sparse.unpacked(Some(47)).unwrap_err().to_string();
        assert!(error.starts_with("sparse data, made dense: ") && error.contains("--max-memory"));
        let mut rows = SparseRows::with_capacity(1, 1, 2);
        rows.push([(1, f32::NAN)]);
        let error = Features::sparse(rows, "x.npz").unwrap_err().to_string();
        assert!(error.contains("row 0, column 1"), "{error}");
    }
}
