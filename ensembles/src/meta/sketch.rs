//! What a data set looks like, in a few kilobytes: its kernel mean embedding, by random Fourier features.
//!
//! The distance of two sketches is the maximum mean discrepancy of the two distributions (A. Gretton et al., *A Kernel Two-Sample Test*, JMLR
//! 2012): 0 only if they are equal, for a kernel that is characteristic, as sums of Gaussians are. Of a kernel that doesn't depend on
//! the data, embeddings can be kept, and compared later. With random Fourier features (A. Rahimi, B. Recht, *Random Features for
//! Large-Scale Kernel Machines*, NIPS 2007) they are of a fixed size.

use consilience_data::{Features, Seed, Stream};
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::error::EnsembleError;
use crate::numerics::matrix::{CHUNK, Write, multiply};
use crate::preparation::rows::Rows;
use crate::preparation::sparse_product::product;
use crate::preparation::transform::{Scaling, Transform, finite};
use crate::progress::{Progress, go_on};

/// The version of what a sketch says.
const FORMAT: u32 = 1;

/// Random frequencies; each has a cosine and a sine.
const FREQUENCIES: usize = 1024;
/// Frequencies that are drawn at a time, all of one of the [`VARIANCES`].
const BLOCK: usize = 64;
/// Variances of the Gaussians, as multiples of the number of features, by turns: standardised samples have a squared distance of 2 such
/// multiples, samples of one class and pixels a tenth of it and less.
const VARIANCES: [f32; 4] = [1.0, 1.0 / 4.0, 1.0 / 16.0, 1.0 / 64.0];

/// Samples that are looked at, at most, and at least if there are so many.
const SAMPLES: (usize, usize) = (1_000, 10_000);
/// Values that are looked at between these two.
const VALUES: usize = 8_000_000;

/// The mean embedding of a data set, as networks see it after scaling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sketch {
    format: u32,
    scaling: Scaling,
    n_features: usize,
    /// Of the data.
    n_samples: usize,
    /// Those that it is the mean of.
    n_seen: usize,
    /// Mean cosines and sines, shape (2, FREQUENCIES), each divided by the root of FREQUENCIES: so that samples' embeddings have length 1.
    embedding: Vec<f32>,
}

impl Sketch {
    /// Of `features`, shape (n_samples, n_features), brought to a scale. Of at most 10,000 samples, drawn the same way every time. O(10,000 d
    /// frequencies).
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] if scaled values don't fit into 32-bit floats, [`EnsembleError::Cancelled`].
    pub fn of(
        features: &Features,
        scaling: Scaling,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        if features.as_sparse().is_some() && scaling.is_by_row() {
            return Self::of_sparse(features, scaling, progress);
        }
        let features = &features.unpacked(None)?;
        let (transform, _) = Transform::of_scaling(features, scaling);
        Self::of_rows(Rows::Scaled(features, &transform), scaling, progress)
    }

    /// Of sparse features, by products of the values that aren't zero.
    fn of_sparse(
        features: &Features,
        scaling: Scaling,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        let (n_samples, n_features) = (features.n_samples(), features.n_features());
        let seen = looked_at(n_samples, n_features).into_iter().map(|row| row as usize);
        let seen = features.select(&seen.collect::<Vec<_>>());
        let (transform, _) = Transform::of_scaling(&seen, scaling);
        let rows = transform.scaled_sparse(&seen);
        let embedding = embedding((rows.n_samples(), n_features), |frequencies| {
            Ok(vec![product(&rows, frequencies, progress)?])
        })?;
        let n_seen = rows.n_samples();
        Ok(Self { format: FORMAT, scaling, n_features, n_samples, n_seen, embedding })
    }

    /// As [`Sketch::of`], of features that have been scaled.
    pub(crate) fn of_scaled(
        features: &Features,
        scaling: Scaling,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        Self::of_rows(features.view().into(), scaling, progress)
    }

    fn of_rows(
        all: Rows<'_>,
        scaling: Scaling,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        let (n_samples, n_features) = (all.n_samples(), all.n_features());
        let seen = finite(all.select(&looked_at(n_samples, n_features), &[]))?;
        let seen = seen.view();
        let embedding = embedding(seen.dim(), |frequencies| {
            let angles = |rows: ArrayView2<'_, f32>| {
                go_on(progress)?;
                let mut angles = Array2::zeros((rows.nrows(), BLOCK));
                multiply(rows, frequencies.view(), angles.view_mut(), Write::Replace, 1);
                Ok(angles)
            };
            seen.axis_chunks_iter(Axis(0), CHUNK).map(angles).collect()
        })?;
        let n_seen = seen.nrows();
        Ok(Self { format: FORMAT, scaling, n_features, n_samples, n_seen, embedding })
    }

    /// Whether it is one that [`Sketch::of`] makes.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.format == FORMAT
            && self.n_features > 0
            && (1..=self.n_samples).contains(&self.n_seen)
            && self.embedding.len() == 2 * FREQUENCIES
            && self.embedding.iter().all(|value| value.is_finite())
    }

    /// How the features were brought to a scale.
    #[must_use]
    pub fn scaling(&self) -> Scaling {
        self.scaling
    }

    /// Number of features.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Number of samples of the data.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.n_samples
    }

    /// The maximum mean discrepancy of the two distributions, from 0 to the root of 2; `None` if they can't be compared: features of
    /// another number, or on another scale.
    ///
    /// Its square is estimated without bias (Gretton et al., equation 3), so that small data sets don't seem farther away, and taken for 0 where that
    /// comes out below. O(frequencies).
    #[must_use]
    pub fn distance(&self, other: &Self) -> Option<f64> {
        if self.n_features != other.n_features || self.scaling != other.scaling {
            return None;
        }
        let pairs = || self.embedding.iter().zip(&other.embedding);
        let between: f64 = pairs().map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        Some((self.within() + other.within() - 2.0 * between).max(0.0).sqrt())
    }

    /// The mean kernel of two different samples: a sample's with itself is 1.
    fn within(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a count")]
        let n = self.n_seen as f64;
        let square: f64 = self.embedding.iter().map(|&value| f64::from(value).powi(2)).sum();
        if self.n_seen > 1 { (n * square - 1.0) / (n - 1.0) } else { square }
    }
}

/// The samples that are looked at, ascending.
fn looked_at(n_samples: usize, n_features: usize) -> Vec<u32> {
    let most = (VALUES / n_features).clamp(SAMPLES.0, SAMPLES.1);
    #[expect(clippy::cast_possible_truncation, reason = "samples are counted in u32")]
    let mut rows: Vec<u32> = (0..n_samples as u32).collect();
    if n_samples > most {
        Seed(0).rng(Stream::Sketch { part: 0 }).shuffle(&mut rows);
        rows.truncate(most);
        rows.sort_unstable();
    }
    rows
}

/// The mean embedding of samples. `angles`: their products with frequencies, of shape (n_features, [`BLOCK`]), some samples after the others.
fn embedding(
    (n_samples, n_features): (usize, usize),
    angles: impl Fn(&Array2<f32>) -> Result<Vec<Array2<f32>>, EnsembleError>,
) -> Result<Vec<f32>, EnsembleError> {
    let mut sums = vec![0.0_f64; 2 * FREQUENCIES];
    let mut rng = Seed(0).rng(Stream::Sketch { part: 1 });
    for (block, first) in (0..FREQUENCIES).step_by(BLOCK).enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a width")]
        let variance = VARIANCES[block % VARIANCES.len()] * n_features as f32;
        let normal = rng.normal(n_features * BLOCK);
        let frequencies = normal.into_iter().map(|value| value / variance.sqrt()).collect();
        let frequencies = Array2::from_shape_vec((n_features, BLOCK), frequencies);
        for angles in angles(&frequencies.expect("a value for every place"))? {
            for row in angles.rows() {
                for (at, angle) in row.iter().enumerate() {
                    let (sine, cosine) = angle.sin_cos();
                    sums[first + at] += f64::from(cosine);
                    sums[FREQUENCIES + first + at] += f64::from(sine);
                }
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    let total = n_samples as f64 * (FREQUENCIES as f64).sqrt();
    #[expect(clippy::cast_possible_truncation, reason = "f64 sums, f32 storage")]
    Ok(sums.into_iter().map(|sum| (sum / total) as f32).collect())
}
