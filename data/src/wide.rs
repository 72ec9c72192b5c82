//! Features of 64-bit numbers that are in memory, as they would be of a file.

use ndarray::{Array2, ArrayView2};

use crate::records::{Offsets, ROWS};
use crate::{DataError, Features};

impl Features {
    /// Features of 64-bit numbers, shape (n_samples, n_features), and what was taken off them, if anything: the same as if they had
    /// been read from a file. O(n d), and the memory of the features.
    ///
    /// # Errors
    ///
    /// As [`Features::new`].
    pub fn of_wide(
        values: ArrayView2<'_, f64>,
        source: &str,
    ) -> Result<(Self, Option<Offsets>), DataError> {
        let width = values.ncols();
        let first: Vec<f64> = values.rows().into_iter().take(ROWS).flatten().copied().collect();
        let offsets = Offsets::of(&first, width);
        Ok((Self::of_wide_as(values, offsets.as_ref(), source)?, offsets))
    }

    /// The same of 32-bit numbers: they are scaled where they are so small or large that products of their squares are no numbers.
    ///
    /// # Errors
    ///
    /// As [`Features::new`].
    pub fn of_narrow(
        values: ArrayView2<'_, f32>,
        source: &str,
    ) -> Result<(Self, Option<Offsets>), DataError> {
        let first: Vec<f32> = values.rows().into_iter().take(ROWS).flatten().copied().collect();
        let Some(offsets) = Offsets::of_narrow(&first, values.ncols()) else {
            return Ok((Self::new(values.to_owned(), source)?, None));
        };
        let features = Self::of_wide_as(values.mapv(f64::from).view(), Some(&offsets), source)?;
        Ok((features, Some(offsets)))
    }

    /// The same where it is known what is taken off, as it was of other data of as many features.
    ///
    /// # Errors
    ///
    /// As [`Features::new`]; [`DataError::ShapeMismatch`] for another number of features.
    #[expect(clippy::cast_possible_truncation, reason = "features are 32-bit floats by design")]
    pub fn of_wide_as(
        values: ArrayView2<'_, f64>,
        offsets: Option<&Offsets>,
        source: &str,
    ) -> Result<Self, DataError> {
        let Some(offsets) = offsets else {
            return Self::new(values.mapv(|value| value as f32), source);
        };
        let (expected, found) = (offsets.offsets.len(), values.ncols());
        if expected != found {
            let (found, expected) = (vec![found], vec![expected]);
            return Err(DataError::ShapeMismatch { what: "features", found, expected });
        }
        let narrow = |(row, column)| offsets.narrow(column, values[[row, column]]);
        Self::new(Array2::from_shape_fn(values.dim(), narrow), source)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::read_dataset;

    #[test]
    fn numbers_in_memory_become_what_a_file_of_them_becomes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let values = array![[1.7e12, 0.1], [1.7e12 + 1000.0, 0.25], [1.7e12 + 60_000.0, 1e-3]];
        crate::write::npy(&path, values.view()).unwrap();
        let read = read_dataset(&[path], &[]).unwrap();
        let (features, offsets) = Features::of_wide(values.view(), "x").unwrap();
        assert_eq!(read.features, features);
        assert!(offsets.is_some());
        assert_eq!(read.recipe.offsets, offsets);
        let again = Features::of_wide_as(values.view(), offsets.as_ref(), "x").unwrap();
        assert_eq!(again, features);
        let narrower = values.view().split_at(ndarray::Axis(1), 1).0;
        assert!(Features::of_wide_as(narrower, offsets.as_ref(), "x").is_err());
    }
}
