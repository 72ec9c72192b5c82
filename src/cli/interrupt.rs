//! Ctrl-C, SIGTERM and SIGHUP: what is done ends in order, within half a second, or at once if asked twice.
//!
//! A signal sets a flag, and nothing else. The work is on a thread of its own, which asks for the flag and ends by itself. Where it is
//! in a call that can't be left, the main thread ends the program: it gives up what is being written, whose owner
//! ([`Staging`], [`Aside`]) publishes nothing from then on.

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use consilience::RunError;
use consilience::output::Aside;
use consilience::run_folder::{CheckpointFolder, Staging};
use consilience_ensembles::EnsembleError;

use super::output::tell;
use super::style::{plural, word};

/// The signal that came; 0: none.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// What is being written.
static HELD: Mutex<Held> = Mutex::new(Held { staging: None, aside: None, checkpoints: None });

/// How long the work has to end by itself: the rest of half a second is for what has to be written.
const GRACE: Duration = Duration::from_millis(300);

/// What is being written.
struct Held {
    staging: Option<Staging>,
    aside: Option<Aside>,
    checkpoints: Option<Arc<CheckpointFolder>>,
}

/// What the main thread hears of.
enum Event {
    Signal,
    Done(thread::Result<Result<ExitCode>>),
}

/// Whether a signal came.
pub(super) fn cancelled() -> bool {
    SIGNAL.load(Ordering::Relaxed) != 0
}

/// Fails if a signal came.
pub(super) fn go_on() -> Result<()> {
    if cancelled() { Err(RunError::Cancelled.into()) } else { Ok(()) }
}

/// This folder is given up if the program is ended.
pub(super) fn hold(staging: &Staging) {
    held(|held| held.staging = Some(staging.clone()));
}

/// This file is given up if the program is ended.
pub(super) fn hold_file(aside: &Aside) {
    held(|held| held.aside = Some(aside.clone()));
}

/// These steps are written if the program is ended.
pub(super) fn keep(checkpoints: &Arc<CheckpointFolder>) {
    held(|held| held.checkpoints = Some(Arc::clone(checkpoints)));
}

fn held<R>(look: impl FnOnce(&mut Held) -> R) -> R {
    look(&mut HELD.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Does `work`, and ends with 128 + the signal's number (130 for Ctrl-C) if one came and the work hasn't ended well before.
pub(super) fn watched(
    work: impl FnOnce() -> Result<ExitCode> + Send + 'static,
) -> Result<ExitCode> {
    let (sender, events) = channel();
    listen(sender.clone())?;
    // As large as that of a main thread.
    let builder = thread::Builder::new().name("work".into()).stack_size(8 << 20);
    builder.spawn(move || {
        // Nobody else would hear of a panic: the thread that listens to signals keeps the channel open.
        let done = panic::catch_unwind(AssertUnwindSafe(work));
        drop(sender.send(Event::Done(done)));
    })?;
    match wait(&events) {
        Some(Ok(Err(error))) if cancelled() && is_cancelled(&error) => end(),
        Some(Ok(Ok(code))) => Ok(code),
        Some(Ok(Err(error))) => {
            leave();
            Err(error)
        }
        Some(Err(panicked)) => {
            leave();
            panic::resume_unwind(panicked)
        }
        None => end(),
    }
}

/// What came out of the work; `None` if it hasn't ended in time after a signal.
fn wait(events: &Receiver<Event>) -> Option<thread::Result<Result<ExitCode>>> {
    let mut signalled = false;
    loop {
        let event = if signalled {
            events.recv_timeout(GRACE)
        } else {
            events.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        match event {
            Ok(Event::Done(done)) => return Some(done),
            Ok(Event::Signal) => signalled = true,
            Err(_) => return None,
        }
    }
}

/// Gives up what is being written; whether steps of it are kept, and how many.
fn leave() -> Option<(Staging, usize)> {
    let (staging, aside, checkpoints) =
        held(|held| (held.staging.take(), held.aside.take(), held.checkpoints.take()));
    if let Some(aside) = aside {
        aside.remove();
    }
    if let Some(checkpoints) = &checkpoints {
        checkpoints.close();
    }
    let staging = staging?;
    staging.give_up().then(|| (staging, checkpoints.map_or(0, |kept| kept.n_steps())))
}

/// Ends the program after a signal.
fn end() -> ! {
    let line = match leave() {
        Some((staging, n)) => format!(
            "stopped, with {} kept; go on with: consilience cluster --resume {}",
            plural(n, "finished step"),
            word(staging.out()),
        ),
        None => "stopped; nothing was written".into(),
    };
    tell(&line);
    exit(128 + SIGNAL.load(Ordering::Relaxed))
}

fn is_cancelled(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let of_run = cause.downcast_ref::<RunError>();
        let of_models = cause.downcast_ref::<EnsembleError>();
        matches!(of_run, Some(RunError::Cancelled))
            || matches!(of_models, Some(EnsembleError::Cancelled))
    })
}

/// At once: other threads may be at work, so this is no time for libraries to tidy up.
#[cfg(unix)]
fn exit(code: i32) -> ! {
    signal_hook::low_level::exit(code)
}

#[cfg(not(unix))]
fn exit(code: i32) -> ! {
    std::process::exit(code)
}

/// Waits for signals: the first is told, a second ends the program.
#[cfg(unix)]
fn listen(events: Sender<Event>) -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::iterator::Signals;

    // Whoever writes more than a limit on file sizes allows is told by the error; the signal alone would end the program without a word.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            if SIGNAL.swap(signal, Ordering::Relaxed) != 0 {
                exit(128 + signal);
            }
            let _ = events.send(Event::Signal);
        }
    })?;
    Ok(())
}

/// Elsewhere the system ends the program; what was written aside is cleared away by the next one.
#[cfg(not(unix))]
fn listen(_: Sender<Event>) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    #[should_panic(expected = "a mistake of ours")]
    fn a_panic_of_the_work_ends_the_program() {
        let _ = super::watched(|| panic!("a mistake of ours"));
    }
}
