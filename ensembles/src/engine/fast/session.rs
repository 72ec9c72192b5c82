//! The engine `fast`: one network a session.

use super::trainer::Trainer;
use crate::engine::batches::Epoch;
use crate::engine::driver::{Engine, Session, Setup, Steps};
use crate::engine::terms::Term;
use crate::error::EnsembleError;
use crate::members::weights::Weights;
use crate::preparation::prepared::Prepared;
use crate::profile::Profile;

/// Steps written out by hand, on the CPU.
#[derive(Debug)]
pub(crate) struct Fast;

/// A network on its way through a phase.
#[derive(Debug)]
pub(crate) struct FastSession<'a> {
    trainer: Trainer,
    weights: &'a mut Weights,
    data: &'a Prepared,
}

impl Engine for Fast {
    type Session<'a> = FastSession<'a>;

    fn at_once(&self) -> usize {
        1
    }

    fn open<'a>(
        &'a self,
        setup: Setup<'a>,
        mut networks: Vec<&'a mut Weights>,
    ) -> Result<FastSession<'a>, EnsembleError> {
        let (data, weights) = (setup.data, networks.remove(0));
        let trainer = Trainer::new(setup, weights, rayon::current_num_threads());
        Ok(FastSession { trainer, weights, data })
    }
}

impl Session for FastSession<'_> {
    fn epoch(
        &mut self,
        epochs: &[Epoch],
        rates: &[f64],
        go_on: &dyn Fn() -> bool,
    ) -> Result<Steps, EnsembleError> {
        let (mut sum, mut taken) = (0.0, 0);
        for &rate in rates {
            sum += self.trainer.step(self.weights, self.data, &epochs[0].batch(taken), rate);
            taken += 1;
            if !go_on() {
                break;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a number of steps")]
        let losses = vec![sum / taken as f64];
        Ok(Steps { taken, losses })
    }

    fn weigh(&mut self, terms: Vec<Term>) {
        self.trainer.weigh(terms);
    }

    fn close(self) -> Result<Profile, EnsembleError> {
        Ok(self.trainer.profile)
    }
}
