//! No pool of the process is used: fits don't meet, and a process that is forked after one can fit again.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::thread;

use common::fit;
use consilience_ensembles::EngineChoice;

#[test]
fn fits_at_once_are_as_fits_alone() {
    for engine in [EngineChoice::Candle, EngineChoice::Fast] {
        let alone = fit(engine, 1);
        let together = thread::scope(|scope| {
            let fits: Vec<_> =
                [1, 2, 3, 4].map(|threads| scope.spawn(move || fit(engine, threads))).into();
            fits.into_iter().map(|fit| fit.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(together.iter().all(|fit| *fit == alone), "{engine:?}");
    }
}

/// A child that is forked has none of its parent's threads: whoever waits for one, waits for ever.
#[cfg(unix)]
#[test]
fn a_forked_process_can_fit_again() {
    use std::io;
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use std::time::{Duration, Instant};

    let before = fit(EngineChoice::Candle, 2);
    let mut child = Command::new("true");
    #[allow(
        unsafe_code,
        reason = "what runs between fork and exec may not take locks that other threads held; none of those that run here fit"
    )]
    unsafe {
        child.pre_exec(move || match fit(EngineChoice::Candle, 2) == before {
            true => Ok(()),
            false => Err(io::Error::other("another result")),
        });
    }
    // It returns when the child has fitted, or failed to.
    let (spawned, wait) = std::sync::mpsc::channel();
    thread::spawn(move || spawned.send(child.spawn().and_then(|mut child| child.wait())));
    let start = Instant::now();
    let status = wait.recv_timeout(Duration::from_secs(120));
    let status = status.unwrap_or_else(|_| panic!("no answer in {:?}", start.elapsed()));
    assert!(status.unwrap().success());
}
