//! Pools of our own: nothing runs on a global one.

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::EnsembleError;

/// A pool of `threads` threads of its own.
pub(crate) fn pool(threads: usize) -> Result<ThreadPool, EnsembleError> {
    ThreadPoolBuilder::new()
        .num_threads(threads.max(1))
        .build()
        .map_err(|error| EnsembleError::Threads { threads, reason: error.to_string() })
}
