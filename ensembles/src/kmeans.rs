//! k-means as a member, and as the baseline.

use std::path::Path;

use consilience_data::{ModelIdx, PseudoLabels, SoftAssignments, Stream};
use linfa::DatasetBase;
use linfa::prelude::{Fit, Predict};
use linfa_clustering::KMeans;
use linfa_nn::distance::L2Dist;
use ndarray::{Array2, Axis};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::save::save_arrays;
use crate::{Clusterer, EnsembleError, Phase, Prepared, Progress};

/// Runs from other starting points, of which the one of lowest inertia is kept.
const RUNS: usize = 10;

/// Centroids of more samples hardly differ, and take linfa minutes.
const SAMPLES: usize = 5_000;
const SAMPLES_PER_CLUSTER: usize = 100;

/// k-means with k-means++ starts, by linfa, on at most 5,000 samples or 100 a cluster, drawn at random. It is fitted in the first phase; pseudo-labels don't move it.
pub struct KMeansModel {
    model: ModelIdx,
    n_clusters: usize,
    fitted: Option<KMeans<f32, L2Dist>>,
}

impl KMeansModel {
    /// For `n_clusters` clusters.
    #[must_use]
    pub fn new(model: ModelIdx, n_clusters: usize) -> Self {
        Self { model, n_clusters, fitted: None }
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

    fn fitted(&self) -> Result<&KMeans<f32, L2Dist>, EnsembleError> {
        self.fitted.as_ref().ok_or(EnsembleError::Untrained { model: self.model.0 })
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
        _progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        if self.fitted.is_some() {
            return Ok(());
        }
        let bits = data.rng(Stream::Centroids { model: self.model.0.into() }).bits();
        let rng = Xoshiro256Plus::seed_from_u64(bits);
        let fitted = KMeans::params_with_rng(self.n_clusters, rng)
            .n_runs(RUNS)
            .fit(&DatasetBase::from(self.subset(data)))
            .map_err(|error| EnsembleError::KMeans(error.to_string()))?;
        self.fitted = Some(fitted);
        Ok(())
    }

    /// The nearest centroid with probability 1: k-means has no doubts.
    fn predict(&self, data: &Prepared) -> Result<SoftAssignments, EnsembleError> {
        // Predicted anew: linfa may hand out the best run's centroids with the last run's memberships.
        let clusters = self.fitted()?.predict(&data.features().view());
        let mut probabilities = Array2::zeros((clusters.len(), self.n_clusters));
        for (sample, &cluster) in clusters.iter().enumerate() {
            probabilities[(sample, cluster)] = 1.0;
        }
        Ok(SoftAssignments::new(probabilities))
    }

    fn save(&self, path: &Path) -> Result<(), EnsembleError> {
        let centroids = self.fitted()?.centroids();
        let values: Vec<f32> = centroids.iter().copied().collect();
        let (rows, columns) = centroids.dim();
        save_arrays(&[("centroids".into(), vec![rows, columns], values)], path)
    }
}
