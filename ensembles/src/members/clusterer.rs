//! The trait of a member of an ensemble.

use std::path::Path;

use consilience_data::{Features, ModelAnswers, PseudoLabels};

use crate::checkpoints::Record;
use crate::error::EnsembleError;
use crate::preparation::prepared::Prepared;
use crate::profile::Profile;
use crate::progress::Progress;

/// A clustering model that can be trained on, again and again.
///
/// Write your own, and it can vote beside ours. It is called in a rayon pool whose threads are all its own (often there
/// is only one); what comes out may not depend on their number.
pub trait Clusterer: Send + Sync {
    /// What kind of model this is, for people: `ladder`, `vat-im`, `communities`, `mixture`, `k-means`.
    fn kind(&self) -> &'static str;

    /// Trains from where the last phase ended. `labels` are to be learnt from beside the clustering losses, in the model's
    /// own numbering; in the first round there are none.
    ///
    /// # Errors
    ///
    /// [`EnsembleError`] if the model can't be fitted to this data, [`EnsembleError::Cancelled`] if `progress` says so.
    /// [`EnsembleError::Lost`] costs the ensemble this model, any other error the run.
    fn train(
        &mut self,
        data: &Prepared,
        phase: &Phase,
        labels: &PseudoLabels,
        progress: &dyn Progress,
    ) -> Result<(), EnsembleError>;

    /// Answers to samples, those that it was trained on or others, probabilities or a cluster and a confidence each: `features` are as [`Prepared::features`] and
    /// [`Transform::apply`](crate::Transform::apply) give them. A sample's result depends on itself and on the model alone.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Untrained`] before the first phase.
    fn predict(&self, features: &Features) -> Result<ModelAnswers, EnsembleError>;

    /// Whether nothing moves it after the first phase, so that its answers stay what they are.
    fn votes_once(&self) -> bool {
        false
    }

    /// As [`Clusterer::predict`], given up if `progress` says so. Models that take long should ask it at least every half second.
    ///
    /// # Errors
    ///
    /// As [`Clusterer::predict`], and [`EnsembleError::Cancelled`].
    fn predict_watched(
        &self,
        features: &Features,
        _progress: &dyn Progress,
    ) -> Result<ModelAnswers, EnsembleError> {
        self.predict(features)
    }

    /// After how many steps the time was up in the last phase; `None` if the phase was taken to its end.
    fn cut(&self) -> Option<usize> {
        None
    }

    /// All that further training and prediction depend on, for a checkpoint. `None` if the model doesn't say: it is then trained
    /// again in a run that goes on.
    fn state(&self) -> Option<Record> {
        None
    }

    /// Becomes as it was when [`Clusterer::state`] was asked, at the end of a whole phase; false if that was another model's state.
    fn restore(&mut self, _state: Record) -> bool {
        false
    }

    /// Time that training has taken so far, by what was done; zero if nobody measures.
    fn profile(&self) -> Profile {
        Profile::default()
    }

    /// Writes everything that prediction needs beside [`Prepared::transform`] to `path`, in the safetensors format.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Untrained`] before the first phase, [`EnsembleError::Save`] if the file can't be written.
    fn save(&self, path: &Path) -> Result<(), EnsembleError>;
}

/// One stretch of training.
#[derive(Debug, Clone, Copy)]
pub struct Phase {
    /// 0 for the first; later ones are retraining.
    pub round: usize,
    /// Passes over the data.
    pub epochs: usize,
    /// Whether the learning rate falls linearly to zero, instead of staying as it is.
    pub anneal: bool,
    /// Steps after which it ends early, as if the time were up then.
    pub most_steps: Option<usize>,
}
