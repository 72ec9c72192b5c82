//! The engine as a clusterer of [linfa](https://docs.rs/linfa): wherever `linfa_clustering::KMeans` can stand, so can
//! [`Consilience`].
//!
//! # Example
//!
//! ```
//! use consilience::Config;
//! use consilience::linfa::Consilience;
//! use consilience_ensembles::MemberKind;
//! use linfa::DatasetBase;
//! use linfa::traits::{Fit, Predict};
//! use ndarray::{Array2, s};
//!
//! // Two groups of points.
//! let points = Array2::from_shape_fn((300, 4), |(row, column)| {
//!     let centre = if row % 2 == 0 { 5.0 } else { -5.0 };
//!     centre + (row * (column + 3) % 17) as f64 / 10.0
//! });
//! // Short training; without a configuration, settings are chosen for the kind of data.
//! let mut config = Config { rounds: 1, candidates: 0, ..Config::default() };
//! config.members = vec![MemberKind::VatIm, MemberKind::KMeans];
//! config.network.hidden = vec![16];
//! config.first.min_steps = 100;
//!
//! let dataset = DatasetBase::from(points.clone());
//! let model = Consilience::params(2).config(config).seed(7).threads(2).fit(&dataset)?;
//! let clusters = model.predict(&points);
//! assert!((0..300).all(|row| (clusters[row] == clusters[0]) == (row % 2 == 0)));
//!
//! // The models' mean probability of each sample's cluster, and the samples on which they agree.
//! assert_eq!(model.confidences().len(), 300);
//! assert!(model.pseudo_labels().coverage() > 0.5);
//! let prediction = model.try_predict(&points.slice(s![..10, ..]))?;
//! assert_eq!(prediction.assignments.clusters(), &model.assignments().clusters()[..10]);
//! # Ok::<(), consilience::RunError>(())
//! ```

use std::ops::RangeInclusive;

use consilience_data::{Assignments, Features, PseudoLabels, Seed};
use consilience_ensembles::Compute;
use linfa::dataset::AsTargets;
use linfa::traits::{Fit, PredictInplace};
use linfa::{DatasetBase, Float, ParamGuard};
use ndarray::{Array1, ArrayBase, ArrayView2, Data, Ix2};

use crate::{Config, Prediction, Predictor, RunError, StopReason, run, run_within};

/// Settings, not yet checked. What isn't given is chosen for the kind of data.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsilienceParams(ConsilienceValidParams);

/// Settings that have been checked as far as that can be done without data.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsilienceValidParams {
    n_clusters: usize,
    /// Where the number of clusters is found, if it isn't given.
    within: Option<RangeInclusive<usize>>,
    config: Option<Config>,
    seed: Option<Seed>,
    threads: usize,
}

impl ConsilienceParams {
    /// For `n_clusters` clusters, on one thread.
    #[must_use]
    pub fn new(n_clusters: usize) -> Self {
        let (within, config, seed) = (None, None, None);
        Self(ConsilienceValidParams { n_clusters, within, config, seed, threads: 1 })
    }

    /// For as many clusters as there are, within a range ([`granularity`](crate::granularity)), on one thread.
    #[must_use]
    pub fn within(ks: RangeInclusive<usize>) -> Self {
        let mut params = Self::new(*ks.start());
        params.0.within = Some(ks);
        params
    }

    /// All settings but the number of clusters, in place of those chosen for the kind of data ([`Config::auto`]).
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.0.config = Some(config);
        self
    }

    /// The seed of all randomness: the configuration's (0 by default) if it isn't given.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = Some(Seed(seed));
        self
    }

    /// Threads to work on. Their number changes no result.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.0.threads = threads;
        self
    }
}

impl ConsilienceValidParams {
    /// All settings, for these features and `k` clusters.
    fn config(&self, features: &Features, k: usize) -> Config {
        let config = self.config.clone();
        let config = config.unwrap_or_else(|| Config::auto(features, k));
        let seed = self.seed.unwrap_or(config.seed);
        Config { n_clusters: k, seed, ..config }
    }
}

impl ParamGuard for ConsilienceParams {
    type Checked = ConsilienceValidParams;
    type Error = RunError;

    fn check_ref(&self) -> Result<&Self::Checked, RunError> {
        let need = |name, need: &str, got: usize| {
            Err(RunError::Setting { name, need: need.into(), got: got.to_string() })
        };
        match self.0 {
            ConsilienceValidParams { n_clusters: k @ 0..2, .. } => {
                need("n_clusters", "at least 2", k)
            }
            ConsilienceValidParams { threads: 0, .. } => need("threads", "at least 1", 0),
            _ => Ok(&self.0),
        }
    }

    fn check(self) -> Result<Self::Checked, RunError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

/// Records of shape (n_samples, n_features), 32-bit or 64-bit floats; targets aren't looked at.
impl<F: Float, D: Data<Elem = F>, T: AsTargets> Fit<ArrayBase<D, Ix2>, T, RunError>
    for ConsilienceValidParams
{
    type Object = Consilience;

    /// Clusters the records.
    ///
    /// # Errors
    ///
    /// As [`run`], and for values that aren't finite as 32-bit floats.
    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Consilience, RunError> {
        let features = features(&dataset.records().view())?;
        let outcome = if let Some(ks) = &self.within {
            let config = |k| self.config(&features, k);
            run_within(&features, config, ks, Compute::cpu(self.threads), &())?.1
        } else {
            let config = self.config(&features, self.n_clusters);
            run(&features, &config.check(&features, self.threads)?, &())?
        };
        Ok(Consilience {
            assignments: outcome.answer.assignments.clone(),
            confidences: outcome.answer.confidence.clone(),
            pseudo_labels: outcome.answer.pseudo_labels.clone(),
            stop: outcome.stop,
            predictor: Predictor::of(outcome, self.threads)?,
        })
    }
}

/// A fitted ensemble.
pub struct Consilience {
    predictor: Predictor,
    assignments: Assignments,
    confidences: Vec<f32>,
    pseudo_labels: PseudoLabels,
    stop: StopReason,
}

impl Consilience {
    /// Settings for `n_clusters` clusters.
    #[must_use]
    pub fn params(n_clusters: usize) -> ConsilienceParams {
        ConsilienceParams::new(n_clusters)
    }

    /// Settings for as many clusters as there are, within a range.
    #[must_use]
    pub fn params_within(ks: RangeInclusive<usize>) -> ConsilienceParams {
        ConsilienceParams::within(ks)
    }

    /// The clusters of the samples that it was fitted to.
    #[must_use]
    pub fn assignments(&self) -> &Assignments {
        &self.assignments
    }

    /// How sure each of these is, length n_samples: see [`Answer::confidence`](crate::judge::Answer::confidence).
    #[must_use]
    pub fn confidences(&self) -> &[f32] {
        &self.confidences
    }

    /// The subset of these samples on which the models agree, with their labels.
    #[must_use]
    pub fn pseudo_labels(&self) -> &PseudoLabels {
        &self.pseudo_labels
    }

    /// Why the run ended.
    #[must_use]
    pub fn stop(&self) -> StopReason {
        self.stop
    }

    /// The models, for [`Features`] and for files larger than memory.
    #[must_use]
    pub fn predictor(&self) -> &Predictor {
        &self.predictor
    }

    /// As [`Predict::predict`](linfa::traits::Predict::predict), with confidences, and errors in place of panics.
    ///
    /// # Errors
    ///
    /// [`RunError`] for another number of features than it was fitted to, and values that aren't finite.
    pub fn try_predict<F: Float>(
        &self,
        records: &ArrayBase<impl Data<Elem = F>, Ix2>,
    ) -> Result<Prediction, RunError> {
        self.predictor.predict(&features(&records.view())?)
    }
}

impl<F: Float, D: Data<Elem = F>> PredictInplace<ArrayBase<D, Ix2>, Array1<usize>> for Consilience {
    /// The cluster of each record.
    ///
    /// # Panics
    ///
    /// Where [`Consilience::try_predict`] has an error, and if `clusters` isn't as long as there are records.
    fn predict_inplace(&self, records: &ArrayBase<D, Ix2>, clusters: &mut Array1<usize>) {
        assert_eq!(records.nrows(), clusters.len(), "a place for the cluster of each record");
        if records.nrows() == 0 {
            return;
        }
        let found = match self.try_predict(records) {
            Ok(found) => found,
            Err(error) => panic!("{error}"),
        };
        for (place, cluster) in clusters.iter_mut().zip(found.assignments.clusters()) {
            *place = cluster.index();
        }
    }

    fn default_target(&self, records: &ArrayBase<D, Ix2>) -> Array1<usize> {
        Array1::zeros(records.nrows())
    }
}

fn features<F: Float>(records: &ArrayView2<'_, F>) -> Result<Features, RunError> {
    Ok(Features::new(records.mapv(f32::cast), "records")?)
}

#[cfg(test)]
mod tests {
    use linfa::traits::Predict;
    use ndarray::Array2;

    use super::*;

    #[test]
    fn what_cannot_be_is_refused_before_any_data_are_seen() {
        let refused = |params: ConsilienceParams| params.check().unwrap_err().to_string();
        assert_eq!(refused(Consilience::params(1)), "setting n_clusters: need at least 2, got 1");
        assert!(refused(Consilience::params(2).threads(0)).contains("threads: need at least 1"));
        let params = Consilience::params(2).seed(3);
        assert_eq!(params.check_ref().unwrap(), &params.clone().check().unwrap());
        let few = DatasetBase::from(Array2::<f32>::zeros((5, 2)));
        let error = params.fit(&few).err().unwrap().to_string();
        assert!(error.contains("only 1 distinct row"), "{error}");
    }

    #[test]
    fn records_of_both_precisions_are_the_same() {
        use consilience_ensembles::MemberKind;
        let points = Array2::from_shape_fn((80, 3), |(row, column)| {
            (row % 2 * 9) as f32 + (row * (column + 2) % 7) as f32 / 8.0
        });
        let mut config = Config { rounds: 1, candidates: 0, judge: false, ..Config::default() };
        config.members = vec![MemberKind::KMeans; 3];
        config.agreement.min_confidence = 0.0;
        let params = Consilience::params(2).config(config);
        let single = params.fit(&DatasetBase::from(points.clone())).unwrap();
        let double = params.fit(&DatasetBase::from(points.mapv(f64::from))).unwrap();
        assert_eq!(single.assignments(), double.assignments());
        assert_eq!(single.predict(&points), double.predict(&points.mapv(f64::from)));
        let found = single.predict(DatasetBase::from(points.clone()));
        let expected = single.assignments().clusters().iter().map(|cluster| cluster.index());
        assert_eq!(found.targets.to_vec(), expected.collect::<Vec<_>>());
        assert!(single.try_predict(&Array2::<f32>::zeros((1, 2))).is_err());
    }
}
