//! Progress of a run, for observers.

use consilience_ensembles::Progress;

use crate::round::Round;

/// Where a run stands.
#[derive(Debug)]
pub enum Step<'a> {
    /// Features are being scaled, and distances measured.
    Prepare,
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

/// An observer of a run. [`Progress`] reports epochs, from the threads that train.
pub trait Observer: Progress {
    /// Called before every step, and after every round.
    fn step(&self, _step: &Step<'_>) {}
}

/// No observer.
impl Observer for () {}
