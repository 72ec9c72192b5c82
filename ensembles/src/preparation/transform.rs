//! Scaling of features.

use consilience_data::{Features, Rng, SparseRows};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::EnsembleError;
use crate::numerics::matrix::{CHUNK, Write, multiply};
use crate::preparation::far_off::far_off;
use crate::preparation::moments::moments_without;
use crate::preparation::reduction::principal_directions_watched;
use crate::preparation::sparse_product::product;
use crate::progress::{Progress, go_on};

/// How features are brought to a common scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// As they are.
    None,
    /// Divided by the largest absolute value of all: pixels.
    Range,
    /// Each feature to mean 0 and variance 1 (constant ones to 0): tables.
    Standardise,
    /// Each sample to Euclidean length sqrt(n_features), so that directions alone count: TF-IDF. A sample of zeros stays.
    Rows,
    /// The same after the mean of all samples was subtracted: embeddings, which often have a direction in common.
    CentredRows,
}

impl Scaling {
    /// Whether a sample's scaled values depend on that sample alone, and its zeros stay zeros.
    pub(crate) fn is_by_row(self) -> bool {
        matches!(self, Self::None | Self::Rows)
    }
}

/// How features become what models see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preparation {
    /// How they are brought to a common scale.
    pub scaling: Scaling,
    /// After scaling, samples are projected onto so many directions, those of their largest second moments (a truncated singular value
    /// decomposition: latent semantic analysis for TF-IDF, PCA for centred rows), and rows scaled again if they were before. 0: they aren't.
    pub components: usize,
}

impl Preparation {
    /// Number of features that models see, of `n_features`.
    #[must_use]
    pub fn seen(&self, n_features: usize) -> usize {
        if self.projects(n_features) { self.components } else { n_features }
    }

    /// Whether sparse rows of so many features can stay so until they are projected; else they are made dense.
    #[must_use]
    pub fn keeps_sparse(&self, n_features: usize) -> bool {
        self.projects(n_features) && self.scaling.is_by_row()
    }

    pub(crate) fn projects(&self, n_features: usize) -> bool {
        (1..n_features).contains(&self.components)
    }
}

impl From<Scaling> for Preparation {
    /// Without projection.
    fn from(scaling: Scaling) -> Self {
        Self { scaling, components: 0 }
    }
}

/// A preparation, fitted to data.
#[derive(Debug, Clone, PartialEq)]
pub struct Transform {
    /// Subtracted from every feature, length n_features.
    pub shift: Vec<f32>,
    /// What the difference is multiplied by, length n_features.
    pub scale: Vec<f32>,
    /// Samples longer than this after that are pulled in to it, towards the mean; `None`: no sample of the data was far off.
    pub reach: Option<f32>,
    /// Whether each sample is then scaled to length sqrt(n_features).
    pub rows: bool,
    /// What samples are then multiplied by, shape (n_features, components), before they are scaled once more.
    pub projection: Option<Array2<f32>>,
    /// Whether a product with that is added up one value that isn't zero after the other, as it was of sparse rows: so that the same samples have the same bits,
    /// however they come.
    pub sparse: bool,
}

impl Transform {
    /// Without projection, and the samples that are so far off that scales are found without them, ascending. Of sparse features, scalings that go
    /// [by row](Scaling::is_by_row) alone. O(n d).
    #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
    pub(crate) fn of_scaling(features: &Features, scaling: Scaling) -> (Self, Vec<usize>) {
        let width = features.n_features();
        let (zeros, ones) = (vec![0.0; width], vec![1.0; width]);
        let rows = matches!(scaling, Scaling::Rows | Scaling::CentredRows);
        if scaling.is_by_row() {
            let (shift, scale) = (zeros, ones);
            let by_row = Self { shift, scale, reach: None, rows, projection: None, sparse: false };
            return (by_row, Vec::new());
        }
        let view = features.view();
        let far_off = match scaling {
            Scaling::None | Scaling::Rows => Vec::new(),
            Scaling::Range | Scaling::CentredRows => far_off(&view, false),
            Scaling::Standardise => far_off(&view, true),
        };
        let is_near = |row: &usize| far_off.binary_search(row).is_err();
        let near = || (0..features.n_samples()).filter(is_near).map(|row| view.row(row));
        let mean_of = |mean: &[f64]| mean.iter().map(|&mean| mean as f32).collect();
        let (shift, scale) = match scaling {
            Scaling::None | Scaling::Rows => (zeros, ones),
            Scaling::CentredRows => (mean_of(&moments_without(&view, &far_off).0), ones),
            Scaling::Range => {
                let largest = near()
                    .flat_map(|row| row.into_iter())
                    .fold(0f32, |most, value| most.max(value.abs()));
                (zeros, vec![if largest > 0.0 { largest.recip() } else { 1.0 }; width])
            }
            Scaling::Standardise => {
                let (mean, variance) = moments_without(&view, &far_off);
                let scale = |&variance: &f64| match variance.sqrt().recip() as f32 {
                    scale if scale.is_finite() => scale,
                    _ => 0.0,
                };
                (mean_of(&mean), variance.iter().map(scale).collect())
            }
        };
        let mut transform =
            Self { shift, scale, reach: None, rows, projection: None, sparse: false };
        if !far_off.is_empty() && !rows {
            let longest = near().map(|row| transform.length(row)).fold(0.0, f64::max);
            transform.reach = Some(longest as f32);
        }
        (transform, far_off)
    }

    /// Samples with something in them, ascending: all, but for those of zeros where only directions count. O(n d).
    #[must_use]
    pub fn trainable(&self, features: &Features) -> Vec<u32> {
        let scales = self.scale.iter().zip(&self.shift);
        let is_empty = |row: &[f32]| {
            let mut values = row.iter().zip(scales.clone());
            values.all(|(value, (scale, shift))| (value - shift) * scale == 0.0)
        };
        let is_left_out = |sample: u32| match features.as_sparse() {
            _ if !self.rows => false,
            Some(rows) if self.keeps_zeros() => {
                let mut entries = rows.entries(sample as usize);
                entries.all(|(column, value)| value * self.scale[column] == 0.0)
            }
            _ => is_empty(&features.dense_row(sample as usize)),
        };
        #[expect(clippy::cast_possible_truncation, reason = "samples are counted in u32")]
        let samples = 0..features.n_samples() as u32;
        samples.filter(|&sample| !is_left_out(sample)).collect()
    }

    /// The length of a sample that is shifted and scaled.
    fn length(&self, row: ArrayView1<'_, f32>) -> f64 {
        let scales = self.scale.iter().zip(&self.shift);
        let scaled = row.iter().zip(scales).map(|(&value, (&scale, &shift))| {
            (f64::from(value) - f64::from(shift)) * f64::from(scale)
        });
        scaled.map(|value| value * value).sum::<f64>().sqrt()
    }

    /// Scaled samples, shape (n, n_features).
    pub(crate) fn scaled(&self, features: &ArrayView2<'_, f32>) -> Array2<f32> {
        let mut values = features.to_owned();
        for mut row in values.rows_mut() {
            for ((value, scale), shift) in row.iter_mut().zip(&self.scale).zip(&self.shift) {
                *value = (*value - shift) * scale;
            }
        }
        if let Some(reach) = self.reach {
            self.pull_in(features, f64::from(reach), &mut values);
        }
        if self.rows {
            scale_rows(&mut values);
        }
        values
    }

    /// In 64 bits, as what is far off may have no scaled value of 32.
    #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
    fn pull_in(&self, features: &ArrayView2<'_, f32>, reach: f64, values: &mut Array2<f32>) {
        for (row, mut value) in features.rows().into_iter().zip(values.rows_mut()) {
            let length = self.length(row);
            if length > reach {
                let parts = row.iter().zip(&self.scale).zip(&self.shift);
                for (value, ((&from, &scale), &shift)) in value.iter_mut().zip(parts) {
                    let scaled = (f64::from(from) - f64::from(shift)) * f64::from(scale);
                    *value = (scaled * (reach / length)) as f32;
                }
            }
        }
    }

    /// Finds a projection of scaled samples onto `components` directions; what it makes of them, shape (n, components).
    pub(crate) fn project(
        &mut self,
        scaled: &ArrayView2<'_, f32>,
        components: usize,
        rng: &mut Rng,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Array2<f32>, EnsembleError> {
        let projection = principal_directions_watched(scaled, components, rng, threads, progress)?;
        let values = self.projected(scaled, &projection, progress)?;
        self.projection = Some(projection);
        Ok(values)
    }

    /// Takes a projection; what it makes of samples that aren't scaled, shape (n, components): the same bits as of those that are.
    pub(crate) fn project_rows(
        &mut self,
        features: &Features,
        projection: Array2<f32>,
        progress: &dyn Progress,
    ) -> Result<Array2<f32>, EnsembleError> {
        let mut values = Array2::zeros((features.n_samples(), projection.ncols()));
        let view = features.view();
        let chunks: Vec<_> = values
            .axis_chunks_iter_mut(Axis(0), CHUNK)
            .zip(view.axis_chunks_iter(Axis(0), CHUNK))
            .collect();
        chunks.into_par_iter().try_for_each(|(mut out, rows)| {
            let scaled = self.scaled(&rows);
            out.assign(&self.projected(&scaled.view(), &projection, progress)?);
            Ok::<_, EnsembleError>(())
        })?;
        self.projection = Some(projection);
        Ok(values)
    }

    /// Scaled samples, shape (n, n_features), of which what isn't zero is kept: the same bits as of [`Transform::scaled`]. Of scalings that go by row alone. O(values), or O(n d)
    /// of dense features.
    pub(crate) fn scaled_sparse(&self, features: &Features) -> SparseRows {
        debug_assert!(self.keeps_zeros() && self.reach.is_none());
        let (n, width) = (features.n_samples(), features.n_features());
        let n_values = features.as_sparse().map_or(0, SparseRows::n_values);
        let mut rows = SparseRows::with_capacity(n, n_values, width);
        let mut row: Vec<(u32, f32)> = Vec::new();
        for sample in 0..n {
            row.clear();
            #[expect(clippy::cast_possible_truncation, reason = "a column of sparse rows")]
            row.extend(features.entries(sample).map(|(column, value)| {
                (column as u32, (value - self.shift[column]) * self.scale[column])
            }));
            if self.rows
                && let Some(factor) = to_length(width, row.iter().map(|&(_, value)| value))
            {
                row.iter_mut().for_each(|(_, value)| *value = times(*value, factor));
            }
            rows.push(row.iter().copied());
        }
        rows
    }

    /// What the projection makes of such rows, shape (n, components): of the same row the same bits. O(values components), on the threads of the current pool.
    pub(crate) fn projected_sparse(
        &self,
        scaled: &SparseRows,
        projection: &Array2<f32>,
        progress: &dyn Progress,
    ) -> Result<Array2<f32>, EnsembleError> {
        let mut values = product(scaled, projection, progress)?;
        if self.rows {
            scale_rows(&mut values);
        }
        Ok(values)
    }

    /// Whether zeros stay zeros when they are scaled.
    pub(crate) fn keeps_zeros(&self) -> bool {
        self.shift.iter().all(|&shift| shift == 0.0)
    }

    /// Products of [`CHUNK`] rows each: how their sums are rounded may depend on the number of rows, so that training and
    /// prediction have to cut samples in the same way.
    fn projected(
        &self,
        scaled: &ArrayView2<'_, f32>,
        projection: &Array2<f32>,
        progress: &dyn Progress,
    ) -> Result<Array2<f32>, EnsembleError> {
        let mut values = Array2::zeros((scaled.nrows(), projection.ncols()));
        let chunks: Vec<_> = values
            .axis_chunks_iter_mut(Axis(0), CHUNK)
            .zip(scaled.axis_chunks_iter(Axis(0), CHUNK))
            .collect();
        chunks.into_par_iter().try_for_each(|(out, rows)| {
            go_on(progress)?;
            multiply(rows, projection.view(), out, Write::Replace, 1);
            Ok::<_, EnsembleError>(())
        })?;
        if self.rows {
            scale_rows(&mut values);
        }
        Ok(values)
    }

    /// Number of features that samples have before.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.shift.len()
    }

    /// Does to samples what was done to those that it was fitted to, shape (n, n_features): the same bits for the same
    /// samples, if their number before the first is a multiple of 1,000. O(n d components), on `threads` threads.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Width`] for another number of features, [`EnsembleError::Setting`] if scaled values don't fit into
    /// 32-bit floats, [`EnsembleError::Threads`] if the threads can't be started, [`EnsembleError::Data`] if sparse features that have to be made dense don't
    /// fit into memory.
    pub fn apply(&self, features: &Features, threads: usize) -> Result<Features, EnsembleError> {
        let (found, expected) = (features.n_features(), self.n_features());
        if found != expected {
            return Err(EnsembleError::Width { found, expected });
        }
        if let Some(projection) = self.projection.as_ref().filter(|_| self.sparse) {
            let project = || self.projected_sparse(&self.scaled_sparse(features), projection, &());
            return finite(crate::threads::pool(threads)?.install(project)?);
        }
        let features = &features.unpacked(None)?;
        let scaled = self.scaled(&features.view());
        let seen = match &self.projection {
            Some(projection) => {
                let project = || self.projected(&scaled.view(), projection, &());
                crate::threads::pool(threads)?.install(project)?
            }
            None => scaled,
        };
        finite(seen)
    }
}

/// Refuses values that scaling has made infinite.
pub(crate) fn finite(scaled: Array2<f32>) -> Result<Features, EnsembleError> {
    Features::new(scaled, "scaled features").map_err(|error| EnsembleError::Setting {
        name: "preparation.scaling",
        need: "features whose spread fits into 32-bit floats",
        got: error.to_string(),
    })
}

/// Gives each row the Euclidean length sqrt(its width): a mean square of 1, as standardised features have.
fn scale_rows(values: &mut Array2<f32>) {
    let width = values.ncols();
    for mut row in values.rows_mut() {
        if let Some(factor) = to_length(width, row.iter().copied()) {
            row.mapv_inplace(|value| times(value, factor));
        }
    }
}

/// What a row is multiplied by for that, unless it is one of zeros.
#[expect(clippy::cast_precision_loss, reason = "a width")]
fn to_length(width: usize, values: impl Iterator<Item = f32>) -> Option<f64> {
    let squares: f64 = values.map(|value| f64::from(value).powi(2)).sum();
    (squares > 0.0).then(|| (width as f64 / squares).sqrt())
}

#[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
fn times(value: f32, factor: f64) -> f32 {
    (f64::from(value) * factor) as f32
}
