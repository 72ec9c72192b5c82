//! Who watches training, and may end it.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use consilience_data::ModelIdx;

use crate::checkpoints::Checkpoints;
use crate::error::EnsembleError;
use crate::threads::pool;

/// An observer of training. All of it may be asked from any thread, several times a second, so answers have to be quick.
pub trait Progress: Sync {
    /// Called after every epoch, from the thread that trains the model.
    fn epoch_end(&self, _epoch: EpochEnd) {}

    /// Called when an ensemble goes on without a model, with its kind and the reason.
    fn model_lost(&self, _model: ModelIdx, _kind: &'static str, _reason: &str) {}

    /// Whether the work is to be given up: it then ends with [`EnsembleError::Cancelled`] within half a second.
    fn cancelled(&self) -> bool {
        false
    }

    /// Whether training is to end now, with what has been learnt: every network takes the step that it is in to its end, and says in
    /// [`Clusterer::cut`](crate::Clusterer::cut) how many it took. From one true answer on, all have to be true.
    fn time_is_up(&self) -> bool {
        false
    }

    /// Where finished work is kept, and found again.
    fn checkpoints(&self) -> &dyn Checkpoints {
        &()
    }
}

/// Nobody.
impl Progress for () {}

/// Where a model stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochEnd {
    /// Which model.
    pub model: ModelIdx,
    /// Epochs done in this phase.
    pub epoch: usize,
    /// Epochs of this phase.
    pub epochs: usize,
    /// Mean loss over the epoch.
    pub loss: f64,
}

/// How often a call that can't be left is looked away from.
const LOOK: Duration = Duration::from_millis(50);

/// Refuses to go on if the work is to be given up.
pub(crate) fn go_on(progress: &dyn Progress) -> Result<(), EnsembleError> {
    if progress.cancelled() { Err(EnsembleError::Cancelled) } else { Ok(()) }
}

/// Does `work`, a call into a crate that can't be asked to end early, in a pool of its own of as many threads as the current one has. If the work is given up
/// meanwhile, the call runs out there, and nobody waits for it.
pub(crate) fn apart<R: Send + 'static>(
    progress: &dyn Progress,
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, EnsembleError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    // Nobody may be there any more to take the answer.
    pool(rayon::current_num_threads())?.spawn(move || drop(sender.send(work())));
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(done) => return Ok(done),
            Err(RecvTimeoutError::Timeout) => go_on(progress)?,
            Err(RecvTimeoutError::Disconnected) => unreachable!("a panic there ends the program"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;
    use std::time::Instant;

    use super::*;

    /// Whoever gives up at once.
    struct Impatient;

    impl Progress for Impatient {
        fn cancelled(&self) -> bool {
            true
        }
    }

    #[test]
    fn nobody_waits_for_a_call_that_is_not_wanted_any_more() {
        let start = Instant::now();
        let left = apart(&Impatient, || sleep(Duration::from_secs(5)));
        assert!(matches!(left, Err(EnsembleError::Cancelled)));
        assert!(start.elapsed() < Duration::from_secs(1));
        assert_eq!(apart(&(), rayon::current_num_threads).unwrap(), rayon::current_num_threads());
    }
}
