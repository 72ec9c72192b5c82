//! Progress on standard error: a bar on a terminal, a few lines elsewhere, or nothing.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use consilience::Round;
use consilience::progress::{Observer, Step};
use consilience_ensembles::{EpochEnd, MemberKind, Progress};
use indicatif::{ProgressBar, ProgressStyle};

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

enum Look {
    Bar(ProgressBar),
    Lines,
    Nothing,
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
        let look = if quiet {
            Look::Nothing
        } else if io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{prefix} {bar:24.cyan/dim} {msg}");
            let bar = ProgressBar::new(0).with_style(style.expect("a fixed template"));
            bar.enable_steady_tick(Duration::from_millis(200));
            Look::Bar(bar)
        } else {
            Look::Lines
        };
        let (start, models) = (Instant::now(), vec![(0, 0.0); members.len()]);
        Self {
            look,
            n_models: members.len(),
            n_networks: members.iter().filter(|&&kind| kind != MemberKind::KMeans).count(),
            phase: Mutex::new(Phase { round: 0, rounds: 0, start, models, lines: 0 }),
        }
    }

    /// Takes the bar off the screen.
    pub(super) fn finish(&self) {
        if let Look::Bar(bar) = &self.look {
            bar.finish_and_clear();
        }
    }

    /// Says something that stays on the screen.
    fn say(&self, line: &str) {
        match &self.look {
            Look::Bar(bar) => bar.println(line),
            // Progress that nobody reads is no reason to stop.
            Look::Lines => drop(writeln!(io::stderr(), "{line}")),
            Look::Nothing => {}
        }
    }

    /// Says what is being done now.
    fn show(&self, doing: &str) {
        match &self.look {
            Look::Bar(bar) => bar.set_message(doing.to_owned()),
            look => drop((look, self.say(doing))),
        }
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
            _ => self.say(&format!("{}: {doing}", phase.name())),
        }
    }

    fn record(&self, round: &Round) {
        let phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let labels = &round.pseudo_labels;
        let found = labels.sizes().into_iter().filter(|&size| size > 0).count();
        let diversity =
            round.diversity.map_or(String::new(), |ari| format!(", diversity {ari:.3}"));
        self.say(&format!(
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
            Step::Prepare => self.show("scaling, measuring distances"),
            Step::Train { round, rounds } => self.begin(round, rounds),
            Step::Agree => {
                if let Look::Bar(bar) = &self.look {
                    bar.set_message("votes, graph, consensus");
                }
            }
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
                    self.say(&format!("{}: epoch {epoch} of {epochs}, {told}", phase.name()));
                }
            }
        }
    }
}
