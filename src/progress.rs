//! Progress of a run, for observers.

use consilience_data::ModelIdx;
use consilience_ensembles::{Checkpoints, EpochEnd, Progress};

use crate::round::Round;

/// Where a run stands.
#[derive(Debug)]
pub enum Step<'a> {
    /// Features are being scaled, and distances measured.
    Prepare,
    /// An encoder is being trained, for another view of the data.
    #[expect(missing_docs, reason = "the name of what it is trained on")]
    Encode { pretext: &'static str },
    /// The networks of another view, of this name, are being trained.
    #[expect(missing_docs, reason = "named so")]
    TrainView { name: &'a str, networks: usize },
    /// How many clusters there are is being found.
    Granularity,
    /// Communities of the neighbour graph are being found.
    Communities,
    /// The models of a round are being trained.
    #[expect(
        missing_docs,
        reason = "round: 0-based; rounds: the most there will be; networks: models trained in epochs"
    )]
    Train { round: usize, rounds: usize, models: usize, networks: usize },
    /// Their votes are being turned into pseudo-labels.
    Agree,
    /// What came out is being compared with other answers.
    Judge,
    /// A round is over.
    Record(&'a Round),
}

/// An observer of a run. [`Progress`] reports epochs, from the threads that train, asks whether the run is to be given up or ended in
/// time, and has the checkpoints.
pub trait Observer: Progress {
    /// Called before every step, and after every round.
    fn step(&self, _step: &Step<'_>) {}
}

/// No observer.
impl Observer for () {}

/// An observer for models whose limit on time, or whose checkpoints, are not the run's.
pub(crate) struct Apart<'a> {
    observer: &'a dyn Observer,
    is_hurried: bool,
    is_kept: bool,
}

impl<'a> Apart<'a> {
    /// For rounds that couldn't be taken back: they have time until they are over.
    pub(crate) fn unhurried(observer: &'a dyn Observer) -> Self {
        Self { observer, is_hurried: false, is_kept: true }
    }

    /// For models that are found again if the run goes on.
    pub(crate) fn unkept(observer: &'a dyn Observer) -> Self {
        Self { observer, is_hurried: true, is_kept: false }
    }

    /// For both.
    pub(crate) fn unhurried_and_unkept(observer: &'a dyn Observer) -> Self {
        Self { observer, is_hurried: false, is_kept: false }
    }
}

impl Observer for Apart<'_> {
    fn step(&self, step: &Step<'_>) {
        self.observer.step(step);
    }
}

impl Progress for Apart<'_> {
    fn epoch_end(&self, end: EpochEnd) {
        self.observer.epoch_end(end);
    }

    fn model_lost(&self, model: ModelIdx, kind: &'static str, reason: &str) {
        self.observer.model_lost(model, kind, reason);
    }

    fn cancelled(&self) -> bool {
        self.observer.cancelled()
    }

    fn time_is_up(&self) -> bool {
        self.is_hurried && self.observer.time_is_up()
    }

    fn checkpoints(&self) -> &dyn Checkpoints {
        if self.is_kept { self.observer.checkpoints() } else { &() }
    }
}
