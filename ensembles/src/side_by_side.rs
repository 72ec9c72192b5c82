//! Jobs spread over threads: as many at once as there are threads, and what is left over with several threads each.

use std::sync::Mutex;
use std::thread;

use crate::error::EnsembleError;
use crate::threads::pool;

/// Does every one of `jobs`, whose results come in the same order, on `threads` threads: as many jobs as there are threads work side by
/// side, one thread each; those that are left over share the threads evenly.
pub(crate) fn side_by_side<J: Send, R: Send>(
    mut jobs: Vec<J>,
    threads: usize,
    work: impl Fn(J) -> R + Sync,
) -> Result<Vec<R>, EnsembleError> {
    let left_over = jobs.split_off(jobs.len() - jobs.len() % threads);
    let mut done = spread(jobs, vec![1; threads], &work)?;
    let n = left_over.len();
    let shares = (0..n).map(|index| threads / n + usize::from(index < threads % n));
    done.extend(spread(left_over, shares.collect(), &work)?);
    Ok(done)
}

/// Does `jobs` in pools of as many threads as `sizes` say, each taking the next job when it is free.
fn spread<J: Send, R: Send>(
    jobs: Vec<J>,
    sizes: Vec<usize>,
    work: &(impl Fn(J) -> R + Sync),
) -> Result<Vec<R>, EnsembleError> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let pools = sizes.into_iter().map(pool).collect::<Result<Vec<_>, _>>()?;
    let results: Vec<Mutex<Option<R>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let queue = Mutex::new(jobs.into_iter().zip(&results));
    let next = || queue.lock().expect("nobody panics with the queue in hand").next();
    thread::scope(|scope| {
        for pool in &pools {
            scope.spawn(|| {
                while let Some((job, result)) = next() {
                    *result.lock().expect("its only user") = Some(pool.install(|| work(job)));
                }
            });
        }
    });
    let result = |result: Mutex<Option<R>>| result.into_inner().ok().flatten();
    Ok(results.into_iter().map(|r| result(r).expect("every job is taken")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_over_jobs_share_the_threads() {
        for (jobs, threads, alone, left_over) in [
            (5, 2, 4, 2..=2),
            (4, 2, 4, 1..=1),
            (3, 8, 0, 2..=3),
            (1, 4, 0, 4..=4),
            (7, 1, 7, 1..=1),
        ] {
            let work = |job: usize| (job, rayon::current_num_threads());
            let done = side_by_side((0..jobs).collect(), threads, work).unwrap();
            let (order, sizes): (Vec<_>, Vec<_>) = done.into_iter().unzip();
            assert_eq!(order, (0..jobs).collect::<Vec<_>>());
            assert!(sizes[..alone].iter().all(|&size| size == 1), "{sizes:?}");
            assert!(sizes[alone..].iter().all(|size| left_over.contains(size)), "{sizes:?}");
        }
    }
}
