//! A network that clusters, and how it is trained: the ladder network and, with its decoder and noise off, a plain one.

use std::path::Path;
use std::time::Instant;

use consilience_data::{Features, ModelIdx, PseudoLabels, SoftAssignments, Stream};

use crate::engine::batches::{Epoch, rates};
use crate::engine::candle;
use crate::engine::fast::{Batch, Trainer};
use crate::engine::inference::{answers, fit_population, probabilities};
use crate::members::labels::LabelCycle;
use crate::members::save::save_weights;
use crate::members::sizes::Prior;
use crate::members::weights::Weights;
use crate::{
    Clusterer, EnsembleError, EpochEnd, Phase, Prepared, Profile, Progress, ValidNetworkParams,
};

/// A ladder network (or a plain one), its optimiser's state, and how long it has been trained.
pub struct Network {
    model: ModelIdx,
    kind: &'static str,
    params: ValidNetworkParams,
    weights: Weights,
    /// Epochs over all phases, which number the random streams.
    epochs_done: u64,
    /// Whether a phase has ended well, so that population statistics are there.
    trained: bool,
    profile: Profile,
}

impl Network {
    /// A network with random weights for samples like `data` and `n_clusters` clusters.
    #[must_use]
    pub fn new(
        model: ModelIdx,
        kind: &'static str,
        params: ValidNetworkParams,
        data: &Prepared,
        n_clusters: usize,
    ) -> Self {
        let mut rng = data.rng(Stream::Weights { model: model.0.into() });
        let weights = Weights::new(&params, data.features().n_features(), n_clusters, &mut rng);
        Self {
            model,
            kind,
            params,
            weights,
            epochs_done: 0,
            trained: false,
            profile: Profile::default(),
        }
    }

    /// One pass over the data; the mean loss. `rates` gives the learning rate of each step.
    fn epoch(
        &mut self,
        trainer: &mut Trainer,
        data: &Prepared,
        labels: &mut Option<LabelCycle>,
        rates: &mut impl Iterator<Item = f64>,
    ) -> f64 {
        let epoch = Epoch::new(data, self.model, self.epochs_done, &self.params);
        let (mut sum, mut steps) = (0.0, 0);
        for (step, samples) in epoch.batches() {
            let labelled = labels.as_mut().map(LabelCycle::next_batch).unwrap_or_default();
            let batch = Batch {
                samples,
                labelled: (&labelled.0, &labelled.1),
                neighbours: &epoch.neighbours,
                shift: epoch.shifts[step as usize],
                step,
                noise: epoch.noise,
                perturbation: epoch.perturbation,
            };
            let rate = rates.next().unwrap_or(self.params.learning_rate);
            sum += trainer.step(&mut self.weights, data, &batch, rate);
            steps = step + 1;
        }
        self.epochs_done += 1;
        sum / f64::from(steps)
    }

    /// The prior over cluster sizes for a phase.
    fn prior(&self, data: &Prepared, phase: &Phase, threads: usize) -> Prior {
        let n_clusters = self.weights.n_clusters();
        if self.params.sizes.learns_in(phase.round) && self.weights.is_fitted() {
            Prior::learned(&probabilities(&self.weights, data.features(), threads), n_clusters)
        } else {
            self.params.sizes.unlearned(n_clusters)
        }
    }

    fn need_distances(&self, data: &Prepared) -> Result<(), EnsembleError> {
        if !self.params.needs_neighbours() || data.neighbour_distances().is_some() {
            return Ok(());
        }
        Err(EnsembleError::Setting {
            name: "consistency",
            need: "data on which Prepared::measure_distances was called",
            got: format!("{:?}", self.params.consistency),
        })
    }

    /// For a GPU to train.
    pub(crate) fn in_training(&mut self) -> candle::Member<'_> {
        let Self { model, params, weights, epochs_done, .. } = self;
        candle::Member { model: *model, params, weights, epochs_done: *epochs_done }
    }

    /// What a GPU has done, but for the weights.
    pub(crate) fn trained_for(&mut self, phase: &Phase) {
        self.epochs_done += phase.epochs as u64;
        self.trained = true;
    }

    /// For a GPU to predict with.
    pub(crate) fn in_use(&self) -> Result<candle::Trained<'_>, EnsembleError> {
        self.need_trained()?;
        let Self { model, params, weights, epochs_done, .. } = self;
        Ok(candle::Trained { model: *model, params, weights, epochs_done: *epochs_done })
    }

    fn need_trained(&self) -> Result<(), EnsembleError> {
        if self.trained { Ok(()) } else { Err(EnsembleError::Untrained { model: self.model.0 }) }
    }

    fn diverged(&self) -> EnsembleError {
        let (model, rate) = (self.model.0, self.params.learning_rate);
        EnsembleError::Diverged { model, epoch: self.epochs_done, rate }
    }
}

impl Clusterer for Network {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn train(
        &mut self,
        data: &Prepared,
        phase: &Phase,
        labels: &PseudoLabels,
        progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        self.need_distances(data)?;
        self.params.check_clusters(self.weights.n_clusters())?;
        self.params.check_features(data.features().n_features())?;
        let stream = Stream::Labels { model: self.model.0.into(), epoch: self.epochs_done };
        let mut cycle =
            LabelCycle::new(labels, self.params.label_batch_size, &mut data.rng(stream));
        let n = self.params.batch_size.min(data.trainable().len());
        let labelled = cycle.as_ref().map_or(0, LabelCycle::batch_len);
        let steps = phase.epochs * (data.trainable().len() / n);
        let mut rates = rates(self.params.learning_rate, steps, phase.anneal);
        let (size, threads) = ((n, labelled), rayon::current_num_threads());
        let start = Instant::now();
        let prior = self.prior(data, phase, threads);
        self.profile.prediction += start.elapsed();
        let mut trainer =
            Trainer::new(&self.params, &self.weights, prior, size, phase.round, threads);
        for epoch in 0..phase.epochs {
            let loss = self.epoch(&mut trainer, data, &mut cycle, &mut rates);
            if !loss.is_finite() {
                return Err(self.diverged());
            }
            let (model, epochs) = (self.model, phase.epochs);
            progress.epoch_end(EpochEnd { model, epoch: epoch + 1, epochs, loss });
        }
        self.profile += trainer.profile;
        let start = Instant::now();
        fit_population(&mut self.weights, data.features(), threads);
        self.profile.prediction += start.elapsed();
        self.trained = true;
        Ok(())
    }

    fn predict(&self, features: &Features) -> Result<SoftAssignments, EnsembleError> {
        self.need_trained()?;
        // The last step's weights have no loss that would show that they diverged.
        answers(&self.weights, features).ok_or_else(|| self.diverged())
    }

    fn profile(&self) -> Profile {
        self.profile
    }

    fn save(&self, path: &Path) -> Result<(), EnsembleError> {
        self.need_trained()?;
        save_weights(&self.weights, path)
    }
}
