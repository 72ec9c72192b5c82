//! k-means as a member, and as the baseline.

use std::path::Path;

use consilience_data::{
    Features, ModelAnswers, ModelIdx, PseudoLabels, Rng, SoftAssignments, Stream,
};
use linfa::DatasetBase;
use linfa::prelude::Fit;
use linfa_clustering::{KMeans, KMeansError, KMeansInit};
use linfa_nn::distance::{Distance, L2Dist};
use ndarray::{Array2, ArrayView1, Axis};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::members::clusterer::{Clusterer, Phase};
use crate::members::save::{Arrays, save_arrays};
use crate::preparation::directions::Directions;
use crate::preparation::prepared::Prepared;
use crate::progress::{Progress, apart};
use crate::threads::pool;

/// Runs from other starting points, of which the one of lowest inertia is kept.
const RUNS: usize = 10;

/// Principal directions in which these runs are made, at least; at least K, too.
const DIRECTIONS: usize = 50;

/// The tensors that a model of this kind is saved as.
pub(crate) const CENTROIDS: &str = "centroids";
const SPREAD: &str = "centroids.spread";

/// Centroids of more samples hardly differ, and take linfa minutes.
const SAMPLES: usize = 5_000;
const SAMPLES_PER_CLUSTER: usize = 100;

/// k-means with k-means++ starts, by linfa, on at most 5,000 samples or 100 a cluster, drawn at random. It is fitted in the first phase; pseudo-labels don't move it.
#[derive(Debug, Clone)]
pub struct KMeansModel {
    model: ModelIdx,
    n_clusters: usize,
    fitted: Option<Fitted>,
}

#[derive(Debug, Clone)]
struct Fitted {
    /// Shape (n_clusters, n_features).
    centroids: Array2<f32>,
    /// Mean squared distance of samples to their centroid.
    spread: f32,
}

impl KMeansModel {
    /// For `n_clusters` clusters.
    #[must_use]
    pub fn new(model: ModelIdx, n_clusters: usize) -> Self {
        Self { model, n_clusters, fitted: None }
    }

    /// Fits centroids to `data`, on `threads` threads; the model, and its answers.
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
    ) -> Result<(Self, ModelAnswers), EnsembleError> {
        pool(threads)?.install(|| {
            let mut fitted = Self::new(model, n_clusters);
            let phase = Phase { round: 0, epochs: 1, anneal: false, most_steps: None };
            fitted.train(data, &phase, &PseudoLabels::default(), progress)?;
            let answers = fitted.predict(data.features())?;
            Ok((fitted, answers))
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
        Self::read(model, &mut Arrays::read(path)?)
    }

    /// From the tensors of a file.
    pub(crate) fn read(model: ModelIdx, arrays: &mut Arrays) -> Result<Self, EnsembleError> {
        let centroids = arrays.take_matrix(CENTROIDS)?;
        let spread = arrays.take_vector(SPREAD, 1)?[0];
        Ok(Self {
            model,
            n_clusters: centroids.nrows(),
            fitted: Some(Fitted { centroids, spread }),
        })
    }

    /// Number of clusters.
    #[must_use]
    pub fn n_clusters(&self) -> usize {
        self.n_clusters
    }

    /// Number of features that it was fitted to, if it was.
    #[must_use]
    pub fn n_features(&self) -> Option<usize> {
        self.shape().map(|(n_features, _)| n_features)
    }

    /// Number of features and of clusters, if it was fitted.
    pub(crate) fn shape(&self) -> Option<(usize, usize)> {
        self.fitted.as_ref().map(|Fitted { centroids, .. }| (centroids.ncols(), centroids.nrows()))
    }

    fn get_fitted(&self) -> Result<&Fitted, EnsembleError> {
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
        progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        if self.fitted.is_some() {
            return Ok(());
        }
        let mut rng = data.rng(Stream::Centroids { model: self.model.0.into() });
        let starts = Xoshiro256Plus::seed_from_u64(rng.bits());
        let (k, samples) = (self.n_clusters, self.subset(data));
        let directions = Leading::of(&samples, k, &mut rng, progress)?;
        let fit = move || (fit(&samples, k, directions, starts), samples);
        let (fitted, samples) = apart(progress, fit)?;
        let centroids = fitted.map_err(|error| EnsembleError::KMeans(error.to_string()))?;
        let rows = samples.rows().into_iter();
        let sum: f64 = rows.map(|row| lowest(&squared_distances(&centroids, row))).sum();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "f32 storage of a mean"
        )]
        let spread = (sum / samples.nrows() as f64) as f32;
        self.fitted = Some(Fitted { centroids, spread });
        Ok(())
    }

    /// The probabilities that samples would have in a mixture of Gaussians around the centroids, each with half of the mean squared
    /// distance of samples to their centroids in place of the variance of every feature: those of features that vary together
    /// would be sure of everything.
    fn predict(&self, features: &Features) -> Result<ModelAnswers, EnsembleError> {
        // Not linfa's memberships: they may be the last run's, with the best run's centroids.
        let Fitted { centroids, spread } = self.get_fitted()?;
        let spread = f64::from(spread.max(f32::MIN_POSITIVE));
        let mut probabilities = Array2::zeros((features.n_samples(), self.n_clusters));
        let rows = probabilities.axis_iter_mut(Axis(0)).into_par_iter();
        rows.zip(features.view().axis_iter(Axis(0)).into_par_iter()).for_each(
            |(mut row, sample)| {
                let distances = squared_distances(centroids, sample);
                let nearest = lowest(&distances);
                let weight = |distance: f64| ((nearest - distance) / spread).exp();
                let total: f64 = distances.iter().map(|&distance| weight(distance)).sum();
                #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
                row.iter_mut().zip(&distances).for_each(|(probability, &distance)| {
                    *probability = (weight(distance) / total) as f32;
                });
            },
        );
        Ok(SoftAssignments::new(probabilities).into())
    }

    fn votes_once(&self) -> bool {
        true
    }

    fn save(&self, path: &Path) -> Result<(), EnsembleError> {
        let Fitted { centroids, spread } = self.get_fitted()?;
        let values: Vec<f32> = centroids.iter().copied().collect();
        let (rows, columns) = centroids.dim();
        let centroids = (CENTROIDS.into(), vec![rows, columns], values);
        save_arrays(&[centroids, (SPREAD.into(), vec![1], vec![*spread])], path)
    }
}

/// Samples in their leading directions, where their clusters are found at a fraction of the work: the directions of largest variance are those of the
/// relaxed problem's solution (C. Ding and X. He, *K-means clustering via principal component analysis*, ICML 2004).
struct Leading {
    directions: Directions,
    /// Shape (n, n_directions).
    projected: Array2<f32>,
}

impl Leading {
    /// `None` if there are hardly fewer of them than features.
    fn of(
        samples: &Array2<f32>,
        k: usize,
        rng: &mut Rng,
        progress: &dyn Progress,
    ) -> Result<Option<Self>, EnsembleError> {
        let wanted = DIRECTIONS.max(k).min(samples.nrows());
        if 2 * wanted > samples.ncols() {
            return Ok(None);
        }
        let all: Vec<u32> = (0..).take(samples.nrows()).collect();
        let threads = rayon::current_num_threads();
        let directions = Directions::fit(samples.view(), &all, wanted, rng, threads, progress)?;
        let projected = directions.of(samples.view());
        Ok(Some(Self { directions, projected }))
    }
}

/// The best centroids of several starts, shape (k, n_features): with `leading` directions the starts are in these, and the best goes on in all.
fn fit(
    samples: &Array2<f32>,
    k: usize,
    leading: Option<Leading>,
    rng: Xoshiro256Plus,
) -> Result<Array2<f32>, KMeansError> {
    let several = KMeans::params_with_rng(k, rng.clone()).n_runs(RUNS);
    let Some(Leading { directions, projected }) = leading else {
        return Ok(several.fit(&DatasetBase::from(samples.view()))?.centroids().clone());
    };
    let found = several.fit(&DatasetBase::from(projected))?;
    let start = found.centroids().dot(&directions.basis.t()) + ArrayView1::from(&directions.mean);
    let once =
        KMeans::params_with_rng(k, rng).n_runs(1).init_method(KMeansInit::Precomputed(start));
    Ok(once.fit(&DatasetBase::from(samples.view()))?.centroids().clone())
}

/// Of a sample to every centroid, as linfa computes them; the largest number where they overflow.
fn squared_distances(centroids: &Array2<f32>, sample: ArrayView1<'_, f32>) -> Vec<f64> {
    let distance = |centroid| match L2Dist.rdistance(centroid, sample) {
        distance if distance.is_finite() => f64::from(distance),
        _ => f64::from(f32::MAX),
    };
    centroids.rows().into_iter().map(distance).collect()
}

fn lowest(distances: &[f64]) -> f64 {
    distances.iter().copied().fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use consilience_data::Seed;

    use super::*;
    use crate::engine::noise::{Noise, Place};
    use crate::preparation::transform::Scaling;

    /// Mean squared distance to the nearest centroid.
    fn inertia(centroids: &Array2<f32>, samples: &Array2<f32>) -> f64 {
        let of = |row| lowest(&squared_distances(centroids, row));
        samples.rows().into_iter().map(of).sum::<f64>() / samples.nrows() as f64
    }

    #[test]
    fn starts_in_leading_directions_are_as_good_as_in_all_features() {
        // Eight groups that overlap, in 120 features.
        let noise = Noise::new(Seed(3).rng(Stream::Subset));
        let mut samples = Array2::zeros((400, 120));
        for (row, mut sample) in samples.rows_mut().into_iter().enumerate() {
            let sample = sample.as_slice_mut().unwrap();
            noise.add(Place::direction(0), row % 8, 0.4, sample);
            noise.add(Place::direction(1), row, 1.0, sample);
        }
        let features = Features::new(samples.clone(), "groups").unwrap();
        let data = Prepared::new(&features, Scaling::None, Seed(1), 1).unwrap();
        let mut model = KMeansModel::new(ModelIdx(0), 8);
        let phase = Phase { round: 0, epochs: 1, anneal: false, most_steps: None };
        model.train(&data, &phase, &PseudoLabels::default(), &()).unwrap();
        let found = inertia(&model.get_fitted().unwrap().centroids, &samples);
        // The slow way.
        let all = fit(&samples, 8, None, Xoshiro256Plus::seed_from_u64(1)).unwrap();
        let one = fit(&samples, 1, None, Xoshiro256Plus::seed_from_u64(1)).unwrap();
        let (all, one) = (inertia(&all, &samples), inertia(&one, &samples));
        assert!(found < all + 0.05 * (one - all), "{found} {all} {one}");
    }
}
