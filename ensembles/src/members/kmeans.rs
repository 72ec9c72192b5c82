//! k-means as a member, and as the baseline.

use std::path::Path;

use consilience_data::{Assignments, Features, ModelIdx, PseudoLabels, SoftAssignments, Stream};
use linfa::DatasetBase;
use linfa::prelude::Fit;
use linfa_clustering::KMeans;
use linfa_nn::distance::{Distance, L2Dist};
use ndarray::{Array2, ArrayView1, Axis};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;
use rayon::prelude::*;

use crate::checkpoints::Record;
use crate::error::EnsembleError;
use crate::members::clusterer::{Clusterer, Phase};
use crate::members::save::{Arrays, save_arrays};
use crate::preparation::prepared::Prepared;
use crate::progress::{Progress, apart};
use crate::threads::pool;

/// Runs from other starting points, of which the one of lowest inertia is kept.
const RUNS: usize = 10;

/// The tensor that a model of this kind is saved as.
pub(crate) const CENTROIDS: &str = "centroids";

/// Centroids of more samples hardly differ, and take linfa minutes.
const SAMPLES: usize = 5_000;
const SAMPLES_PER_CLUSTER: usize = 100;

/// k-means with k-means++ starts, by linfa, on at most 5,000 samples or 100 a cluster, drawn at random. It is fitted in the first phase; pseudo-labels don't move it.
#[derive(Debug, Clone)]
pub struct KMeansModel {
    model: ModelIdx,
    n_clusters: usize,
    /// Shape (n_clusters, n_features).
    centroids: Option<Array2<f32>>,
}

impl KMeansModel {
    /// For `n_clusters` clusters.
    #[must_use]
    pub fn new(model: ModelIdx, n_clusters: usize) -> Self {
        Self { model, n_clusters, centroids: None }
    }

    /// Fits centroids to `data`, on `threads` threads; the model, and every sample's cluster.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::KMeans`] if linfa can't fit any, [`EnsembleError::Threads`] if the threads can't be started,
    /// [`EnsembleError::Cancelled`] if `progress` says so.
    pub fn fitted(
        model: ModelIdx,
        data: &Prepared,
        n_clusters: usize,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<(Self, Assignments), EnsembleError> {
        pool(threads)?.install(|| {
            let mut fitted = Self::new(model, n_clusters);
            let phase = Phase { round: 0, epochs: 1, anneal: false, most_steps: None };
            fitted.train(data, &phase, &PseudoLabels::default(), progress)?;
            let assignments = fitted.predict(data.features())?.harden().0;
            Ok((fitted, assignments))
        })
    }

    /// The samples that centroids are fitted to, shape (n, n_features).
    fn subset(&self, data: &Prepared) -> Array2<f32> {
        let mut samples: Vec<usize> =
            data.trainable().iter().map(|&sample| sample as usize).collect();
        let limit = SAMPLES.max(SAMPLES_PER_CLUSTER * self.n_clusters);
        if samples.len() > limit {
            data.rng(Stream::Subset).shuffle(&mut samples);
            samples.truncate(limit);
        }
        data.features().view().select(Axis(0), &samples)
    }

    /// As [`Clusterer::save`] wrote it.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Load`] if the file is missing or damaged, or of another kind of model.
    pub fn load(model: ModelIdx, path: &Path) -> Result<Self, EnsembleError> {
        Ok(Self::of_centroids(model, Arrays::read(path)?.take_matrix(CENTROIDS)?))
    }

    pub(crate) fn of_centroids(model: ModelIdx, centroids: Array2<f32>) -> Self {
        Self { model, n_clusters: centroids.nrows(), centroids: Some(centroids) }
    }

    /// Number of clusters.
    #[must_use]
    pub fn n_clusters(&self) -> usize {
        self.n_clusters
    }

    /// Number of features that it was fitted to, if it was.
    #[must_use]
    pub fn n_features(&self) -> Option<usize> {
        self.centroids.as_ref().map(Array2::ncols)
    }

    fn centroids(&self) -> Result<&Array2<f32>, EnsembleError> {
        self.centroids.as_ref().ok_or(EnsembleError::Untrained { model: self.model.0 })
    }
}

impl Clusterer for KMeansModel {
    fn kind(&self) -> &'static str {
        "k-means"
    }

    fn train(
        &mut self,
        data: &Prepared,
        _phase: &Phase,
        _labels: &PseudoLabels,
        progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        if self.centroids.is_some() {
            return Ok(());
        }
        let bits = data.rng(Stream::Centroids { model: self.model.0.into() }).bits();
        let rng = Xoshiro256Plus::seed_from_u64(bits);
        let (k, subset) = (self.n_clusters, DatasetBase::from(self.subset(data)));
        let fit = move || KMeans::params_with_rng(k, rng).n_runs(RUNS).fit(&subset);
        let fitted =
            apart(progress, fit)?.map_err(|error| EnsembleError::KMeans(error.to_string()))?;
        self.centroids = Some(fitted.centroids().clone());
        Ok(())
    }

    fn state(&self) -> Option<Record> {
        let centroids = self.centroids.as_ref()?;
        let mut state = Record::default();
        state.push(CENTROIDS, centroids.shape(), centroids.iter().copied().collect());
        Some(state)
    }

    fn restore(&mut self, mut state: Record) -> bool {
        let centroids = state.take(CENTROIDS).and_then(|(shape, values)| {
            let shape: [usize; 2] = shape.try_into().ok()?;
            Array2::from_shape_vec(shape, values).ok()
        });
        self.centroids = centroids.filter(|centroids| centroids.nrows() == self.n_clusters);
        self.centroids.is_some()
    }

    /// The nearest centroid with probability 1: k-means has no doubts.
    fn predict(&self, features: &Features) -> Result<SoftAssignments, EnsembleError> {
        // Not linfa's memberships: they may be the last run's, with the best run's centroids.
        let centroids = self.centroids()?;
        let mut probabilities = Array2::zeros((features.n_samples(), self.n_clusters));
        let rows = probabilities.axis_iter_mut(Axis(0)).into_par_iter();
        rows.zip(features.view().axis_iter(Axis(0)).into_par_iter())
            .for_each(|(mut row, sample)| row[nearest(centroids, sample)] = 1.0);
        Ok(SoftAssignments::new(probabilities))
    }

    fn save(&self, path: &Path) -> Result<(), EnsembleError> {
        let centroids = self.centroids()?;
        let values: Vec<f32> = centroids.iter().copied().collect();
        let (rows, columns) = centroids.dim();
        save_arrays(&[(CENTROIDS.into(), vec![rows, columns], values)], path)
    }
}

/// The centroid nearest to a sample (ties: the first), as linfa finds it.
fn nearest(centroids: &Array2<f32>, sample: ArrayView1<'_, f32>) -> usize {
    let distance = |centroid| L2Dist.rdistance(centroid, sample);
    let mut best = (0, f32::INFINITY);
    for (index, centroid) in centroids.rows().into_iter().enumerate() {
        let distance = distance(centroid);
        if distance < best.1 {
            best = (index, distance);
        }
    }
    best.0
}
