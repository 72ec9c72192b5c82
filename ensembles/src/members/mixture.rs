//! A mixture of Gaussians as a voter: clusters of any size that may be long in any direction.

use std::f64::consts::TAU;
use std::path::Path;
use std::sync::Arc;

use consilience_data::{Features, ModelAnswers, ModelIdx, PseudoLabels, SoftAssignments, Stream};
use linfa::DatasetBase;
use linfa::prelude::Fit;
use linfa_clustering::GaussianMixtureModel;
use linfa_linalg::cholesky::Cholesky;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::members::clusterer::{Clusterer, Phase};
use crate::members::params::MemberKind;
use crate::members::save::{Array, Arrays, save_arrays};
use crate::numerics::matrix::CHUNK;
use crate::preparation::directions::Directions;
use crate::preparation::prepared::Prepared;
use crate::progress::{Progress, apart, go_on};

/// The name of this kind.
const NAME: &str = MemberKind::Mixture.name();

/// Principal directions that a component has a covariance of.
const DIRECTIONS: usize = 20;
/// Starts at most, and steps of each. Each is the best of ten by k-means, so that the first in which every component has samples is taken: the likeliest of
/// four was as good on thirty small sets (ARI 0.003 apart, mean over two seeds), and took four times as long.
const STARTS: usize = 4;
const STEPS: u64 = 200;
/// Mean gain in log-likelihood below which a start has converged.
const TOLERANCE: f64 = 1e-3;
/// Added to variances, in units of the mean variance of the directions: no component shrinks to a point.
const LEAST_VARIANCE: f64 = 1e-2;
/// Samples that mixtures are fitted to, at most, if there are so many for each component.
const SAMPLES: usize = 10_000;
const SAMPLES_PER_CLUSTER: usize = 200;

/// The names of tensors in a file.
pub(crate) const WEIGHTS: &str = "mixture.log_weights";
const MEANS: &str = "mixture.means";
const FACTORS: &str = "mixture.factors";
const MEAN: &str = "mixture.directions.mean";
const BASIS: &str = "mixture.directions.basis";

/// linfa's mixture of Gaussians with full covariances, in the 20 principal directions. It is fitted in the first phase; pseudo-labels
/// don't move it.
#[derive(Debug, Clone)]
pub struct Mixture {
    model: ModelIdx,
    n_clusters: usize,
    fitted: Option<Fitted>,
}

#[derive(Debug, Clone, PartialEq)]
struct Fitted {
    directions: Directions,
    /// Of each component the logarithm of its weight, less half that of its covariance's determinant, length K.
    log_weights: Vec<f32>,
    /// Shape (K, n_directions).
    means: Array2<f32>,
    /// Lower triangles L with inverse covariance L^T L, one below the other, shape (K n_directions, n_directions).
    factors: Array2<f32>,
}

impl Mixture {
    /// Of `n_clusters` components.
    #[must_use]
    pub fn new(model: ModelIdx, n_clusters: usize) -> Self {
        Self { model, n_clusters, fitted: None }
    }

    fn fitted(&self) -> Result<&Fitted, EnsembleError> {
        self.fitted.as_ref().ok_or(EnsembleError::Untrained { model: self.model.0 })
    }

    /// Number of features that samples have to have, and of clusters, if it was fitted.
    pub(crate) fn shape(&self) -> Option<(usize, usize)> {
        let of = |fitted: &Fitted| (fitted.directions.mean.len(), fitted.means.nrows());
        self.fitted.as_ref().map(of)
    }

    /// From the tensors of a file.
    pub(crate) fn read(model: ModelIdx, arrays: &mut Arrays) -> Result<Self, EnsembleError> {
        let (means, factors) = (arrays.take_matrix(MEANS)?, arrays.take_matrix(FACTORS)?);
        let (k, width) = means.dim();
        let log_weights = arrays.take_vector(WEIGHTS, k)?;
        let basis = arrays.take_matrix(BASIS)?;
        if factors.dim() != (k * width, width) || basis.ncols() != width {
            return Err(arrays.damaged(&format!("{FACTORS} or {BASIS} doesn't fit {MEANS}")));
        }
        let directions = Directions { mean: arrays.take_vector(MEAN, basis.nrows())?, basis };
        let fitted = Some(Fitted { directions, log_weights, means, factors });
        Ok(Self { model, n_clusters: k, fitted })
    }
}

impl Fitted {
    /// Of the samples in `rows`, shape (n, n_directions); `None` if the mixture has collapsed.
    fn of(directions: Directions, mixture: &GaussianMixtureModel<f64>) -> Option<Self> {
        let (k, width) = mixture.means().dim();
        let mut factors = Array2::zeros((k * width, width));
        let mut log_weights = Vec::new();
        for (component, covariance) in mixture.covariances().outer_iter().enumerate() {
            let lower = covariance.cholesky().ok()?;
            let inverse = inverse_of_lower(&lower);
            let half_log_determinant: f64 = lower.diag().iter().map(|value| value.ln()).sum();
            #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
            {
                log_weights.push((mixture.weights()[component].ln() - half_log_determinant) as f32);
                for ((row, column), &value) in inverse.indexed_iter() {
                    factors[[component * width + row, column]] = value as f32;
                }
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        let means = mixture.means().mapv(|value| value as f32);
        let finite = log_weights.iter().chain(&means).chain(&factors).all(|x| x.is_finite());
        finite.then_some(Self { directions, log_weights, means, factors })
    }

    /// The logarithm of the density of each component at a sample, times its weight, less what all have in common; length K.
    fn log_densities(&self, sample: ArrayView1<'_, f32>) -> Vec<f64> {
        let width = self.means.ncols();
        let density = |(component, mean): (usize, ArrayView1<'_, f32>)| {
            let mut squares = 0.0;
            for row in 0..width {
                let factors = self.factors.row(component * width + row);
                let values = sample.iter().zip(mean).zip(factors).take(row + 1);
                let product: f64 = values
                    .map(|((&x, &mean), &factor)| {
                        (f64::from(x) - f64::from(mean)) * f64::from(factor)
                    })
                    .sum();
                squares += product * product;
            }
            f64::from(self.log_weights[component]) - squares / 2.0
        };
        self.means.rows().into_iter().enumerate().map(density).collect()
    }

    /// Mean log-likelihood of projected samples, and how many of them each component has as their likeliest.
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    fn likelihood(&self, rows: &ArrayView2<'_, f32>) -> (f64, Vec<usize>) {
        let (mut sum, mut sizes) = (0.0, vec![0; self.means.nrows()]);
        for row in rows.rows() {
            let densities = self.log_densities(row);
            let (best, highest) = highest(&densities);
            sizes[best] += 1;
            sum += highest + densities.iter().map(|x| (x - highest).exp()).sum::<f64>().ln();
        }
        let constant = 0.5 * self.means.ncols() as f64 * TAU.ln();
        (sum / rows.nrows() as f64 - constant, sizes)
    }
}

fn highest(values: &[f64]) -> (usize, f64) {
    let mut best = (0, f64::NEG_INFINITY);
    for (index, &value) in values.iter().enumerate() {
        if value > best.1 {
            best = (index, value);
        }
    }
    best
}

/// By forward substitution, a column at a time.
fn inverse_of_lower(lower: &Array2<f64>) -> Array2<f64> {
    let width = lower.nrows();
    let mut inverse = Array2::zeros((width, width));
    for column in 0..width {
        for row in column..width {
            let sum: f64 = (column..row).map(|k| lower[[row, k]] * inverse[[k, column]]).sum();
            let unit = if row == column { 1.0 } else { 0.0 };
            inverse[[row, column]] = (unit - sum) / lower[[row, row]];
        }
    }
    inverse
}

impl Clusterer for Mixture {
    fn kind(&self) -> &'static str {
        NAME
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
        let (model, threads) = (u64::from(self.model.0), rayon::current_num_threads());
        let mut rng = data.rng(Stream::Mixture { model });
        let view = data.features().view();
        let wanted = DIRECTIONS.min(view.ncols());
        let among = data.trainable();
        let directions = Directions::fit(view, among, wanted, &mut rng, threads, progress)?;
        let mut samples: Vec<usize> =
            data.trainable().iter().map(|&sample| sample as usize).collect();
        let limit = SAMPLES.max(SAMPLES_PER_CLUSTER * self.n_clusters);
        if samples.len() > limit {
            rng.shuffle(&mut samples);
            samples.truncate(limit);
        }
        let rows = directions.of(view.select(Axis(0), &samples).view());
        let exact = rows.mapv(f64::from);
        let variance = exact.var_axis(Axis(0), 0.0).mean().unwrap_or(0.0);
        let dataset = Arc::new(DatasetBase::from(exact));
        // Those in which every component has samples go before others, whose empty components cost them a cluster.
        let mut best: Option<((bool, f64), Fitted)> = None;
        let mut reason = "all samples are alike".to_owned();
        for _ in 0..STARTS {
            let rng = Xoshiro256Plus::seed_from_u64(rng.bits());
            if variance <= 0.0 {
                continue;
            }
            let settings = GaussianMixtureModel::params_with_rng(self.n_clusters, rng)
                .reg_covariance(LEAST_VARIANCE * variance)
                .tolerance(TOLERANCE)
                .max_n_iterations(STEPS)
                .n_runs(1);
            let dataset = Arc::clone(&dataset);
            let fitted = match apart(progress, move || settings.fit(&*dataset))? {
                Ok(mixture) => Fitted::of(directions.clone(), &mixture),
                Err(error) => {
                    reason = error.to_string();
                    continue;
                }
            };
            let Some(fitted) = fitted else {
                reason = "a covariance has no inverse".into();
                continue;
            };
            let (likelihood, sizes) = fitted.likelihood(&rows.view());
            let rank = (!sizes.contains(&0), likelihood);
            if !likelihood.is_finite() {
                reason = "its likelihood isn't finite".into();
            } else if best.as_ref().is_none_or(|best| rank > best.0) {
                best = Some((rank, fitted));
            }
            if best.as_ref().is_some_and(|((is_whole, _), _)| *is_whole) {
                break;
            }
        }
        match best {
            Some((_, fitted)) => self.fitted = Some(fitted),
            None => return Err(EnsembleError::Lost { model: self.model.0, kind: NAME, reason }),
        }
        Ok(())
    }

    /// The probability that a sample is from each component: in 64 bits, a sample at a time.
    fn predict(&self, features: &Features) -> Result<ModelAnswers, EnsembleError> {
        self.predict_watched(features, &())
    }

    fn predict_watched(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<ModelAnswers, EnsembleError> {
        let fitted = self.fitted()?;
        let mut probabilities = Array2::zeros((features.n_samples(), fitted.means.nrows()));
        let view = features.view();
        let chunks: Vec<_> = probabilities
            .axis_chunks_iter_mut(Axis(0), CHUNK)
            .zip(view.axis_chunks_iter(Axis(0), CHUNK))
            .collect();
        chunks.into_par_iter().try_for_each(|(mut out, rows)| {
            go_on(progress)?;
            let rows = fitted.directions.of(rows.view());
            for (mut out, row) in out.rows_mut().into_iter().zip(rows.rows()) {
                let densities = fitted.log_densities(row);
                let (_, highest) = highest(&densities);
                let total: f64 = densities.iter().map(|density| (density - highest).exp()).sum();
                #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
                out.iter_mut().zip(densities).for_each(|(out, density)| {
                    *out = ((density - highest).exp() / total) as f32;
                });
            }
            Ok::<_, EnsembleError>(())
        })?;
        Ok(SoftAssignments::new(probabilities).into())
    }

    fn votes_once(&self) -> bool {
        true
    }

    fn save(&self, path: &Path) -> Result<(), EnsembleError> {
        let Fitted { directions, log_weights, means, factors } = self.fitted()?;
        let matrix = |name: &str, matrix: &Array2<f32>| -> Array {
            let shape = vec![matrix.nrows(), matrix.ncols()];
            (name.into(), shape, matrix.iter().copied().collect())
        };
        let vector =
            |name: &str, values: &[f32]| (name.into(), vec![values.len()], values.to_vec());
        let arrays = [
            vector(WEIGHTS, log_weights),
            matrix(MEANS, means),
            matrix(FACTORS, factors),
            vector(MEAN, &directions.mean),
            matrix(BASIS, &directions.basis),
        ];
        save_arrays(&arrays, path)
    }
}
