//! How a run tells of its progress.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use consilience::Round;
use consilience::progress::{Observer, Step};
use consilience_ensembles::{EpochEnd, MemberKind, Progress};

use super::look::Look;
use super::text::{count, duration, percent, plural};

/// Lines that tell of epochs, in a phase of training without a terminal.
const LINES: usize = 10;

/// Somebody who tells a person how the run goes.
pub(super) struct Watcher {
    look: Look,
    n_models: usize,
    /// Models that are trained in epochs.
    n_networks: usize,
    phase: Mutex<Phase>,
}

/// Where training stands.
struct Phase {
    round: usize,
    rounds: usize,
    start: Instant,
    /// Each model's epochs done and its last loss.
    models: Vec<(usize, f64)>,
    lines: usize,
}

impl Watcher {
    pub(super) fn new(members: &[MemberKind], quiet: bool) -> Self {
        let look = Look::new("{prefix} {bar:24.cyan/dim} {msg}", quiet);
        let (start, models) = (Instant::now(), vec![(0, 0.0); members.len()]);
        Self {
            look,
            n_models: members.len(),
            n_networks: members.iter().filter(|&&kind| kind != MemberKind::KMeans).count(),
            phase: Mutex::new(Phase { round: 0, rounds: 0, start, models, lines: 0 }),
        }
    }

    /// Says something that stays on the screen.
    pub(super) fn say(&self, line: &str) {
        self.look.say(line);
    }

    /// Takes the bar off the screen.
    pub(super) fn finish(&self) {
        self.look.finish();
    }

    fn begin(&self, round: usize, rounds: usize) {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let models = vec![(0, 0.0); self.n_models];
        *phase = Phase { round, rounds, start: Instant::now(), models, lines: 0 };
        let doing = format!("training {}", plural(self.n_models, "model"));
        match &self.look {
            Look::Bar(bar) => {
                bar.set_prefix(phase.name());
                bar.set_length(1);
                bar.set_position(0);
                bar.set_message(doing);
            }
            _ => self.look.say(&format!("{}: {doing}", phase.name())),
        }
    }

    fn record(&self, round: &Round) {
        let phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let labels = &round.pseudo_labels;
        let found = labels.sizes().into_iter().filter(|&size| size > 0).count();
        let diversity =
            round.diversity.map_or(String::new(), |ari| format!(", diversity {ari:.3}"));
        self.look.say(&format!(
            "{}: {} of {} samples agreed on ({}), {found} of {} mini-clusters{diversity}, {}",
            phase.name(),
            count(labels.len()),
            count(labels.n_samples()),
            percent(labels.coverage()),
            round.consensus.n_clusters(),
            duration(round.seconds.total),
        ));
    }
}

impl Phase {
    fn name(&self) -> String {
        format!("round {} of {}", self.round + 1, self.rounds)
    }
}

impl Observer for Watcher {
    fn step(&self, step: &Step<'_>) {
        match *step {
            Step::Prepare => self.look.show("scaling, measuring distances"),
            Step::Train { round, rounds } => self.begin(round, rounds),
            Step::Agree => self.look.mention("votes, graph, consensus"),
            Step::Record(round) => self.record(round),
        }
    }
}

impl Progress for Watcher {
    fn epoch_end(&self, end: EpochEnd) {
        if matches!(self.look, Look::Nothing) {
            return;
        }
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        phase.models[end.model.index()] = (end.epoch, end.loss);
        let done: usize = phase.models.iter().map(|(epochs, _)| epochs).sum();
        let total = self.n_networks * end.epochs;
        let started = phase.models.iter().filter(|(epochs, _)| *epochs > 0);
        #[expect(clippy::cast_precision_loss, reason = "means and shares")]
        let (loss, left) = (
            started.clone().map(|(_, loss)| loss).sum::<f64>() / started.count() as f64,
            phase.start.elapsed().as_secs_f64() * (total - done) as f64 / done as f64,
        );
        let told = format!("loss {loss:.3}, {} left", duration(left));
        match &self.look {
            Look::Bar(bar) => {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
                let (model, epoch, epochs) = (end.model.0 + 1, end.epoch, end.epochs);
                bar.set_message(format!("model {model} epoch {epoch} of {epochs}, {told}"));
            }
            _ => {
                let lines = LINES.min(end.epochs);
                if done * lines / total > phase.lines {
                    phase.lines = done * lines / total;
                    let (epoch, epochs) = (done / self.n_networks, end.epochs);
                    self.look.say(&format!("{}: epoch {epoch} of {epochs}, {told}", phase.name()));
                }
            }
        }
    }
}
