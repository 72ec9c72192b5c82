//! Ctrl-C: nothing half-written stays behind.

use std::sync::{Mutex, PoisonError};

use consilience::run_folder::Leftovers;

/// What to remove. Empty until there is something.
static LEFTOVERS: Mutex<Option<Leftovers>> = Mutex::new(None);

/// From now on, `leftovers` are removed if the program is interrupted.
pub(super) fn remove_on_exit(leftovers: Leftovers) {
    *LEFTOVERS.lock().unwrap_or_else(PoisonError::into_inner) = Some(leftovers);
}

/// Cleans up on SIGINT, SIGTERM and SIGHUP, and exits with 128 + the signal's number (130 for Ctrl-C).
#[cfg(unix)]
pub(super) fn install() -> anyhow::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::{iterator::Signals, low_level};

    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("interrupt".into()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let leftovers = LEFTOVERS.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(leftovers) = leftovers.as_ref() {
                leftovers.remove();
            }
            // At once: other threads are at work, so this is no time for libraries to tidy up.
            low_level::exit(128 + signal);
        }
    })?;
    Ok(())
}

/// Elsewhere the system ends the program; the folder written aside may stay.
#[cfg(not(unix))]
pub(super) fn install() -> anyhow::Result<()> {
    Ok(())
}
