//! Progress of a run, for people.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use consilience::Round;
use consilience::progress::{Observer, Step};
use consilience::run_folder::CheckpointFolder;
use consilience_data::ModelIdx;
use consilience_ensembles::{Checkpoints, EpochEnd, Progress};

use super::interrupt;
use super::look::Look;
use super::style::{count, duration, percent, plural};

/// Lines about epochs in a phase of training, if standard error is no terminal.
const LINES: usize = 10;

/// Shows the progress of a run.
pub(super) struct Watcher {
    look: Arc<Look>,
    phase: Mutex<Phase>,
    /// Until when there is time to train.
    pub(super) deadline: Option<Instant>,
    checkpoints: OnceLock<Arc<CheckpointFolder>>,
}

/// Where training stands.
struct Phase {
    /// What is being trained.
    name: String,
    start: Instant,
    /// Models that are trained in epochs.
    networks: usize,
    /// Their epochs done and last losses.
    models: BTreeMap<ModelIdx, (usize, f64)>,
    lines: usize,
}

impl Watcher {
    pub(super) fn new(quiet: bool) -> Self {
        let look = Look::new("{prefix} {bar:24.cyan/dim} {msg}", quiet);
        let (look, phase) = (Arc::new(look), Mutex::new(Phase::new(String::new(), 0)));
        Self { look, phase, deadline: None, checkpoints: OnceLock::new() }
    }

    /// Finished steps are looked for and kept there.
    pub(super) fn keep(&self, checkpoints: Arc<CheckpointFolder>) {
        let _ = self.checkpoints.set(checkpoints);
    }

    /// As [`Watcher::note`], from any thread, as long as it likes.
    pub(super) fn teller(&self) -> impl Fn(&str) + Send + Sync + use<> {
        let look = Arc::clone(&self.look);
        move |line| look.note(line)
    }

    /// Says something that stays on the screen.
    pub(super) fn say(&self, line: &str) {
        self.look.say(line);
    }

    /// Says what is being done now, where that costs no line.
    pub(super) fn mention(&self, doing: &str) {
        self.look.mention(doing);
    }

    /// Says something that a person has to know, whether or not progress is shown.
    pub(super) fn note(&self, line: &str) {
        self.look.note(line);
    }

    /// Takes the bar off the screen.
    pub(super) fn finish(&self) {
        self.look.finish();
    }

    fn begin(&self, round: usize, rounds: usize, models: usize, networks: usize) {
        let name = format!("round {} of {rounds}", round + 1);
        self.train(Phase::new(name, networks), &format!("training {}", plural(models, "model")));
    }

    fn view(&self, name: &str, models: usize, doing: &str) {
        self.train(Phase::new(format!("view {name}"), models), doing);
    }

    fn train(&self, new: Phase, doing: &str) {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        *phase = new;
        match &*self.look {
            Look::Bar(bar) => {
                bar.set_prefix(phase.name.clone());
                bar.set_length(1);
                bar.set_position(0);
                bar.set_message(doing.to_owned());
            }
            _ => self.look.say(&format!("{}: {doing}", phase.name)),
        }
    }

    fn record(&self, round: &Round) {
        let phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let labels = &round.pseudo_labels;
        let found = labels.sizes().into_iter().filter(|&size| size > 0).count();
        let diversity =
            round.diversity.map_or(String::new(), |ari| format!(", diversity {ari:.3}"));
        self.look.say(&format!(
            "{}: models agree on {} of {} samples ({}), {found} of {} mini-clusters{diversity}, {}",
            phase.name,
            count(labels.len()),
            count(labels.n_samples()),
            percent(labels.coverage()),
            round.consensus.n_clusters(),
            duration(round.seconds.total),
        ));
    }
}

impl Phase {
    fn new(name: String, networks: usize) -> Self {
        let (start, models) = (Instant::now(), BTreeMap::new());
        Self { name, start, networks, models, lines: 0 }
    }
}

impl Observer for Watcher {
    fn step(&self, step: &Step<'_>) {
        match *step {
            Step::Prepare => self.look.show("scaling, measuring distances"),
            Step::Encode { pretext } => self.view(pretext, 1, "training an encoder"),
            Step::TrainView { name, networks } => {
                self.view(name, networks, &format!("training {}", plural(networks, "network")));
            }
            Step::Train { round, rounds, models, networks } => {
                self.begin(round, rounds, models, networks);
            }
            Step::Agree => self.look.mention("votes, graph, consensus"),
            Step::Granularity => self.look.mention("how many clusters there are"),
            Step::Communities => self.look.mention("communities of neighbours"),
            Step::Judge => self.look.mention("comparing answers"),
            Step::Record(round) => self.record(round),
        }
    }
}

impl Progress for Watcher {
    fn model_lost(&self, model: ModelIdx, kind: &'static str, reason: &str) {
        self.look.say(&format!("going on without model {} ({kind}): {reason}", model.0 + 1));
    }

    fn cancelled(&self) -> bool {
        interrupt::cancelled()
    }

    fn time_is_up(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn checkpoints(&self) -> &dyn Checkpoints {
        match self.checkpoints.get() {
            Some(checkpoints) => &**checkpoints,
            None => &(),
        }
    }

    fn epoch_end(&self, end: EpochEnd) {
        if matches!(*self.look, Look::Nothing) {
            return;
        }
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        phase.models.insert(end.model, (end.epoch, end.loss));
        let done: usize = phase.models.values().map(|(epochs, _)| epochs).sum();
        let total = phase.networks * end.epochs;
        let started = phase.models.values();
        #[expect(clippy::cast_precision_loss, reason = "means and shares")]
        let (loss, left) = (
            started.clone().map(|(_, loss)| loss).sum::<f64>() / started.count() as f64,
            phase.start.elapsed().as_secs_f64() * (total - done) as f64 / done as f64,
        );
        let told = format!("loss {loss:.3}, {} left", duration(left));
        match &*self.look {
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
                    let (epoch, epochs) = (done / phase.networks, end.epochs);
                    self.look.say(&format!("{}: epoch {epoch} of {epochs}, {told}", phase.name));
                }
            }
        }
    }
}
