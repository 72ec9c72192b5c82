//! Samples to be clustered.

use std::collections::HashSet;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2};

use crate::DataError;

/// Features of all samples, shape (n_samples, n_features), finite, in standard (row-major) layout. A clone shares them.
#[derive(Debug, Clone, PartialEq)]
pub struct Features(Arc<Array2<f32>>);

impl Features {
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
        Ok(Self(values.into()))
    }

    /// What [`Features::new`] checks, before the values are stacked with others'.
    pub(crate) fn check(values: &ArrayView2<'_, f32>, source: &str) -> Result<(), DataError> {
        let (rows, columns) = values.dim();
        if rows == 0 || columns == 0 {
            return Err(DataError::Empty { source_name: source.into() });
        }
        if u32::try_from(rows).is_err() {
            return Err(DataError::TooManySamples { source_name: source.into(), rows });
        }
        // Finite values add up to a finite number unless they are huge, so one pass of additions
        // finds nearly every clean row without a branch per value.
        for (row, samples) in values.rows().into_iter().enumerate() {
            if samples.sum().is_finite() {
                continue;
            }
            if let Some(column) = samples.iter().position(|value| !value.is_finite()) {
                let value = samples[column];
                return Err(DataError::NotFinite {
                    source_name: source.into(),
                    row,
                    column,
                    value,
                });
            }
        }
        Ok(())
    }

    /// The values, shape (n_samples, n_features).
    #[must_use]
    pub fn view(&self) -> ArrayView2<'_, f32> {
        self.0.view()
    }

    /// One sample's features, length n_features.
    #[must_use]
    pub fn row(&self, sample: usize) -> &[f32] {
        let width = self.n_features();
        &self.as_slice()[sample * width..(sample + 1) * width]
    }

    /// Some rows, in this order.
    #[must_use]
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        Self(self.0.select(ndarray::Axis(0), rows).into())
    }

    /// Some rows, one after the other. `name`: how messages call them.
    ///
    /// # Errors
    ///
    /// [`DataError`] if there are none.
    pub fn rows(&self, rows: std::ops::Range<usize>, name: &str) -> Result<Self, DataError> {
        Self::new(self.0.slice(ndarray::s![rows, ..]).to_owned(), name)
    }

    /// All values, row after row.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        self.0.as_slice().expect("standard layout is checked on the way in")
    }

    /// Number of rows.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.0.nrows()
    }

    /// Number of columns.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.0.ncols()
    }

    /// Number of distinct rows, counted up to `limit`. O(n d) at worst, O(limit d) as a rule.
    #[must_use]
    pub fn distinct_rows_up_to(&self, limit: usize) -> usize {
        let mut seen = HashSet::new();
        for sample in 0..self.n_samples() {
            // Adding zero makes -0.0 and 0.0 the same bits.
            let bits: Vec<u32> =
                self.row(sample).iter().map(|value| (value + 0.0).to_bits()).collect();
            seen.insert(bits);
            if seen.len() >= limit {
                break;
            }
        }
        seen.len()
    }
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
}
