//! A private pool of threads.

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::GraphError;

/// A private pool of threads.
///
/// Private, so that a caller decides how many threads its work gets. Answers don't depend on their number.
pub struct Threads<'a> {
    pool: ThreadPool,
    cancelled: &'a (dyn Fn() -> bool + Sync),
}

impl std::fmt::Debug for Threads<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Threads").field(&self.pool).finish()
    }
}

impl Threads<'_> {
    /// Starts `threads` threads; 0 stands for one per core.
    ///
    /// # Errors
    ///
    /// [`GraphError::Threads`] if the system gives no more threads.
    pub fn new(threads: usize) -> Result<Self, GraphError> {
        Threads::watched(threads, &|| false)
    }
}

impl<'a> Threads<'a> {
    /// As [`Threads::new`]. What takes long asks `cancelled` several times a second, and ends with [`GraphError::Cancelled`] if it
    /// says so.
    ///
    /// # Errors
    ///
    /// [`GraphError::Threads`] if the system gives no more threads.
    pub fn watched(
        threads: usize,
        cancelled: &'a (dyn Fn() -> bool + Sync),
    ) -> Result<Self, GraphError> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads == 0 { cores() } else { threads };
        ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map(|pool| Self { pool, cancelled })
            .map_err(|error| GraphError::Threads { threads, reason: error.to_string() })
    }

    /// Runs `work` so that rayon's parallel iterators in it use this pool.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }

    /// Refuses to go on if the work is to be given up.
    pub(crate) fn go_on(&self) -> Result<(), GraphError> {
        if (self.cancelled)() { Err(GraphError::Cancelled) } else { Ok(()) }
    }
}
