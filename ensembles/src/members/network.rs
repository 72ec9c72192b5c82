//! A network that clusters: the ladder network and, with its decoder and noise off, a plain one.

use std::path::Path;

use consilience_data::{Features, ModelAnswers, ModelIdx, PseudoLabels, Stream};

use crate::checkpoints::Record;
use crate::device::Device;
use crate::engine::candle::Candle;
use crate::engine::choice::{EngineChoice, EngineName};
use crate::engine::driver::{self, Trainee};
use crate::engine::fast::Fast;
use crate::engine::inference::answers;
use crate::error::EnsembleError;
use crate::members::clusterer::{Clusterer, Phase};
use crate::members::params::ValidNetworkParams;
use crate::members::save::save_weights;
use crate::members::state;
use crate::members::weights::Weights;
use crate::meta::initialisation::Initialisation;
use crate::preparation::prepared::Prepared;
use crate::profile::Profile;
use crate::progress::Progress;

/// What a network's state has beside its weights.
const EPOCHS_DONE: &str = "epochs_done";

/// A ladder network (or a plain one), its optimiser's state, and how long it has been trained.
pub struct Network {
    model: ModelIdx,
    kind: &'static str,
    params: ValidNetworkParams,
    /// What trains it, where no GPU does.
    engine: EngineName,
    weights: Weights,
    /// Epochs over all phases, which number the random streams.
    epochs_done: u64,
    /// Whether a phase has ended well, so that population statistics are there.
    trained: bool,
    /// After how many steps of the last phase the time was up, if it was.
    cut: Option<usize>,
    profile: Profile,
}

impl Network {
    /// A network with random weights for samples like `data` and `n_clusters` clusters, to be trained by `engine` on the CPU.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Engine`] if `engine` doesn't know a loss that the settings ask for.
    pub fn new(
        model: ModelIdx,
        kind: &'static str,
        params: ValidNetworkParams,
        data: &Prepared,
        n_clusters: usize,
        engine: EngineChoice,
    ) -> Result<Self, EnsembleError> {
        let mut rng = data.rng(Stream::Weights { model: model.0.into() });
        let weights = Weights::new(&params, data.features().n_features(), n_clusters, &mut rng);
        Ok(Self {
            model,
            kind,
            engine: engine.resolve(Device::Cpu, [&*params])?,
            params,
            weights,
            epochs_done: 0,
            trained: false,
            cut: None,
            profile: Profile::default(),
        })
    }

    /// Has its hidden layers start from `start`, before it is trained.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] if widths differ.
    pub(crate) fn start_from(&mut self, start: &Initialisation) -> Result<(), EnsembleError> {
        start.start(&mut self.weights)
    }

    /// For an engine to train, for at most so many steps.
    pub(crate) fn trainee(&mut self, most_steps: Option<usize>) -> Trainee<'_> {
        let Self { model, params, weights, epochs_done, cut, .. } = self;
        Trainee { model: *model, params, weights, epochs_done, most_steps, cut }
    }

    /// Says that an engine has trained it.
    pub(crate) fn has_been_trained(&mut self) {
        self.trained |= self.cut != Some(0);
    }

    fn need_trained(&self) -> Result<(), EnsembleError> {
        if self.trained { Ok(()) } else { Err(EnsembleError::Untrained { model: self.model.0 }) }
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
        let (engine, labels) = (self.engine, [labels]);
        let trainees = vec![self.trainee(phase.most_steps)];
        let profile = match engine {
            EngineName::Fast => driver::train(&Fast, trainees, &labels, data, phase, progress)?,
            EngineName::Candle => {
                driver::train(&Candle::on_cpu(), trainees, &labels, data, phase, progress)?
            }
        };
        self.profile += profile;
        self.has_been_trained();
        Ok(())
    }

    fn predict(&self, features: &Features) -> Result<ModelAnswers, EnsembleError> {
        self.predict_watched(features, &())
    }

    fn predict_watched(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<ModelAnswers, EnsembleError> {
        self.need_trained()?;
        // The last step's weights have no loss that would show that they diverged.
        answers(&self.weights, features, progress)?.map(Into::into).ok_or_else(|| {
            EnsembleError::diverged(self.model, self.epochs_done, self.params.learning_rate)
        })
    }

    fn cut(&self) -> Option<usize> {
        self.cut
    }

    fn state(&self) -> Option<Record> {
        let mut record = state::record(&self.weights);
        record.push(EPOCHS_DONE, &[1], vec![self.epochs_done]);
        Some(record)
    }

    fn restore(&mut self, mut record: Record) -> bool {
        let Some((_, epochs_done)) = record.take::<u64>(EPOCHS_DONE) else { return false };
        self.epochs_done = epochs_done.first().copied().unwrap_or(0);
        self.cut = None;
        self.has_been_trained();
        state::restore(&mut self.weights, &mut record)
    }

    fn profile(&self) -> Profile {
        self.profile
    }

    fn save(&self, path: &Path) -> Result<(), EnsembleError> {
        self.need_trained()?;
        save_weights(&self.weights, path)
    }
}
