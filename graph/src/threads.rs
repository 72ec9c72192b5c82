//! A private pool of threads.

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::GraphError;

/// A private pool of threads.
///
/// Private, so that a caller decides how many threads its work gets. Answers don't depend on their number.
#[derive(Debug)]
pub struct Threads(ThreadPool);

impl Threads {
    /// Starts `threads` threads; 0 stands for one per core.
    ///
    /// # Errors
    ///
    /// [`GraphError::Threads`] if the system gives no more threads.
    pub fn new(threads: usize) -> Result<Self, GraphError> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads == 0 { cores() } else { threads };
        ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map(Self)
            .map_err(|error| GraphError::Threads { threads, reason: error.to_string() })
    }

    /// Runs `work` so that rayon's parallel iterators in it use this pool.
    pub(crate) fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.0.install(work)
    }
}
