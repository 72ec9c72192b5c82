//! k-means as a member, and as the baseline.

use std::path::Path;

use consilience_data::{ModelIdx, PseudoLabels, SoftAssignments, Stream};
use linfa::DatasetBase;
use linfa::prelude::{Fit, Predict};
use linfa_clustering::KMeans;
use linfa_nn::distance::L2Dist;
use ndarray::Array2;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::save::save_arrays;
use crate::{Clusterer, EnsembleError, Phase, Prepared, Progress};

/// Runs from other starting points, of which the one of lowest inertia is kept.
const RUNS: usize = 10;

/// k-means with k-means++ starts, by linfa. It is fitted in the first phase; pseudo-labels don't move it.
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
            .fit(&DatasetBase::from(data.features().view()))
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
