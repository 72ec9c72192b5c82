//! Long calls: the interpreter's lock is released, Ctrl-C is looked for, and progress is told.
//!
//! Python sees a signal on its own thread alone, and only when it is asked. So the work is on a thread of its own, and the caller's asks
//! twenty times a second. Work that owns what it needs is left behind where it doesn't end in time; it ends by itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use consilience::progress::{Observer, Step};
use consilience::wording::{count, duration, plural};
use consilience_data::ModelIdx;
use consilience_ensembles::{EpochEnd, Progress};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// How often Python is asked whether a signal came.
const LOOK: Duration = Duration::from_millis(50);
/// How long work that was given up is waited for.
const GRACE: Duration = Duration::from_millis(350);
/// As large as that of a main thread.
const STACK: usize = 8 << 20;
/// Lines of each model's epochs in a round.
const LINES: usize = 5;

enum Event {
    Line(String),
    /// What is being trained, and how far it is, 0 to 1.
    Share(String, f64),
    Done,
}

/// What is being trained.
#[derive(Default)]
struct Training {
    name: String,
    n_models: usize,
    /// How far each model is, 0 to 1.
    shares: BTreeMap<ModelIdx, f64>,
    /// What was told last.
    percent: f64,
}

impl Training {
    /// How far all of it is, if that is another per cent than was told.
    fn share(&mut self, end: EpochEnd) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let (of_model, n_models) =
            (end.epoch as f64 / end.epochs.max(1) as f64, self.n_models.max(1) as f64);
        self.shares.insert(end.model, of_model);
        let share = (self.shares.values().sum::<f64>() / n_models).min(1.0);
        let percent = (100.0 * share).floor();
        (percent > self.percent).then(|| {
            self.percent = percent;
            share
        })
    }
}

/// Who tells what is being done, and asks whether to go on.
pub(crate) struct Watch {
    cancelled: AtomicBool,
    /// 0: nothing is told; 1: rounds; 2: epochs, too.
    level: u8,
    training: Mutex<Training>,
    events: Sender<Event>,
}

impl Watch {
    fn new(level: u8) -> (Arc<Self>, Receiver<Event>) {
        let (events, receiver) = channel();
        let (cancelled, training) = (AtomicBool::new(false), Mutex::default());
        (Arc::new(Self { cancelled, level, training, events }), receiver)
    }

    /// Says something, if anything is to be said.
    pub(crate) fn say(&self, line: String) {
        if self.level > 0 {
            // Nobody may be there any more.
            let _ = self.events.send(Event::Line(line));
        }
    }

    fn training(&self) -> MutexGuard<'_, Training> {
        self.training.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trains(&self, name: String, n_models: usize) {
        *self.training() = Training { name, n_models, ..Training::default() };
    }
}

impl Progress for Watch {
    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn model_lost(&self, model: ModelIdx, kind: &'static str, reason: &str) {
        self.say(format!("going on without model {} ({kind}): {reason}", model.0 + 1));
    }

    fn epoch_end(&self, end: EpochEnd) {
        if self.level == 0 {
            return;
        }
        let mut training = self.training();
        let (name, share) = (training.name.clone(), training.share(end));
        drop(training);
        // Lines of epochs tell as much.
        if let (1, Some(share)) = (self.level, share) {
            // Nobody may be there any more.
            let _ = self.events.send(Event::Share(name.clone(), share));
        }
        let lines = LINES.min(end.epochs);
        let passed = |epoch: usize| epoch * lines / end.epochs.max(1);
        if self.level > 1 && passed(end.epoch) > passed(end.epoch.saturating_sub(1)) {
            let model = end.model.0 + 1;
            let EpochEnd { epoch, epochs, loss, .. } = end;
            self.say(format!("{name}: model {model}, epoch {epoch} of {epochs}, loss {loss:.3}"));
        }
    }
}

impl Observer for Watch {
    fn step(&self, step: &Step<'_>) {
        match *step {
            Step::Encode { pretext } => {
                let name = format!("view {pretext}");
                self.say(format!("{name}: training an encoder"));
                self.trains(name, 1);
            }
            Step::TrainView { name, networks } => {
                let name = format!("view {name}");
                self.say(format!("{name}: training {}", plural(networks, "network")));
                self.trains(name, networks);
            }
            Step::Prepare => self.say("scaling, measuring distances".into()),
            Step::Granularity => self.say("how many clusters there are".into()),
            Step::Communities => self.say("communities of neighbours".into()),
            Step::Train { round, rounds, models, .. } => {
                let name = format!("round {} of {rounds}", round + 1);
                self.say(format!("{name}: training {}", plural(models, "model")));
                self.trains(name, models);
            }
            Step::Agree | Step::Judge => {}
            Step::Record(round) => {
                let labels = &round.pseudo_labels;
                let found = labels.sizes().into_iter().filter(|&size| size > 0).count();
                self.say(format!(
                    "{}: models agree on {} of {} samples ({:.1} %), {found} of {} mini-clusters, {}",
                    self.training().name,
                    count(labels.len()),
                    count(labels.n_samples()),
                    100.0 * labels.coverage(),
                    round.consensus.n_clusters(),
                    duration(round.seconds.total),
                ));
            }
        }
    }
}

/// Who is told of progress: how much, and a function that takes a line.
pub(crate) struct Teller<'py> {
    level: u8,
    tell: Option<Bound<'py, PyAny>>,
}

impl<'py> Teller<'py> {
    /// `tell`: called with each line, and with what is being trained and how far it is, 0 to 1; `None`: nothing is told.
    pub(crate) fn new(level: u8, tell: Option<Bound<'py, PyAny>>) -> Self {
        Self { level: if tell.is_some() { level } else { 0 }, tell }
    }

    pub(crate) fn silent() -> Self {
        Self::new(0, None)
    }
}

/// Does `work`, which owns what it needs. After Ctrl-C it is left behind if it doesn't end in time.
pub(crate) fn owned<'py, R: Send + 'static>(
    py: Python<'py>,
    teller: &Teller<'py>,
    work: impl FnOnce(&Watch) -> R + Send + 'static,
) -> PyResult<R> {
    let (watch, mut events) = Watch::new(teller.level);
    let (theirs, builder) = (Arc::clone(&watch), thread::Builder::new().stack_size(STACK));
    let worker = builder.spawn(move || {
        let done = work(&theirs);
        let _ = theirs.events.send(Event::Done);
        done
    })?;
    let signal = wait(py, teller, &watch, &mut events, &|| worker.is_finished());
    if let Err(signal) = signal {
        let start = Instant::now();
        py.detach(|| {
            while !worker.is_finished() && start.elapsed() < GRACE {
                thread::sleep(Duration::from_millis(5));
            }
        });
        return Err(signal);
    }
    let done = py.detach(|| worker.join());
    done.map_err(|_| PyRuntimeError::new_err("the engine failed; please report this"))
}

/// Does `work`, which borrows from the caller and so has to ask often whether to go on.
pub(crate) fn borrowed<'py, R: Send>(
    py: Python<'py>,
    teller: &Teller<'py>,
    work: impl FnOnce(&Watch) -> R + Send,
) -> PyResult<R> {
    let (watch, mut events) = Watch::new(teller.level);
    let theirs = &*watch;
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(STACK);
        let worker = builder.spawn_scoped(scope, move || {
            let done = work(theirs);
            let _ = theirs.events.send(Event::Done);
            done
        })?;
        let signal = wait(py, teller, theirs, &mut events, &|| worker.is_finished());
        let done = py.detach(|| worker.join());
        signal?;
        done.map_err(|_| PyRuntimeError::new_err("the engine failed; please report this"))
    })
}

/// Tells lines until the work is done; an error, such as a `KeyboardInterrupt`, gives it up.
fn wait(
    py: Python<'_>,
    teller: &Teller<'_>,
    watch: &Watch,
    events: &mut Receiver<Event>,
    is_finished: &dyn Fn() -> bool,
) -> PyResult<()> {
    let mut looked = Instant::now();
    loop {
        // The whole reference: a receiver can be lent to another thread, and not shared.
        let events = &mut *events;
        let event = py.detach(move || events.recv_timeout(LOOK));
        let told = match event {
            Ok(Event::Done) => return Ok(()),
            Ok(Event::Line(line)) => {
                teller.tell.as_ref().map_or(Ok(()), |tell| tell.call1((line,)).map(drop))
            }
            Ok(Event::Share(name, share)) => {
                teller.tell.as_ref().map_or(Ok(()), |tell| tell.call1((name, share)).map(drop))
            }
            // A panic tells nothing.
            Err(_) if is_finished() => return Ok(()),
            Err(_) => Ok(()),
        };
        let signal = match told {
            Ok(()) if looked.elapsed() >= LOOK => {
                looked = Instant::now();
                py.check_signals()
            }
            told => told,
        };
        if let Err(signal) = signal {
            watch.cancelled.store(true, Ordering::Relaxed);
            return Err(signal);
        }
    }
}
