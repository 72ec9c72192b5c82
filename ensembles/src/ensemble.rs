//! Several models, trained side by side.

use std::path::Path;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use consilience_data::{ModelIdx, PseudoLabels, SoftAssignments};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{
    Clusterer, EnsembleError, KMeansModel, MemberKind, Network, Phase, Prepared, Profile, Progress,
    ValidNetworkParams,
};

/// Models and the threads they are trained on.
///
/// As many models as there are threads work side by side, one thread each: nothing is faster than not having to meet.
/// Those that are left over, or all if they are fewer than the threads, share the threads evenly. A model's result doesn't
/// depend on how many it has.
pub struct Ensemble {
    members: Vec<Box<dyn Clusterer>>,
    threads: usize,
    /// Nanoseconds that models have predicted for.
    predicting: AtomicU64,
}

impl Ensemble {
    /// Puts models together.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Threads`] if the threads can't be started.
    pub fn new(members: Vec<Box<dyn Clusterer>>, threads: usize) -> Result<Self, EnsembleError> {
        pool(threads)?;
        Ok(Self { members, threads: threads.max(1), predicting: AtomicU64::new(0) })
    }

    /// Makes a model of each of the `kinds`, with random weights of its own.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Tensor`] if a model can't be made, [`EnsembleError::Threads`] if threads can't be started.
    pub fn of_kinds(
        kinds: &[MemberKind],
        params: &ValidNetworkParams,
        data: &Prepared,
        n_clusters: usize,
        threads: usize,
    ) -> Result<Self, EnsembleError> {
        let member =
            |(index, kind): (usize, &MemberKind)| -> Result<Box<dyn Clusterer>, EnsembleError> {
                let model = ModelIdx::from_index(index);
                let params = params.clone();
                Ok(match kind {
                    MemberKind::Ladder => {
                        Box::new(Network::new(model, "ladder", params, data, n_clusters))
                    }
                    MemberKind::VatIm => {
                        let plain = (*params).clone().plain().check()?;
                        Box::new(Network::new(model, "vat-im", plain, data, n_clusters))
                    }
                    MemberKind::KMeans => Box::new(KMeansModel::new(model, n_clusters)),
                })
            };
        Self::new(kinds.iter().enumerate().map(member).collect::<Result<_, _>>()?, threads)
    }

    /// Number of models.
    #[must_use]
    pub fn n_models(&self) -> usize {
        self.members.len()
    }

    /// Trains every model for one phase. `pseudo_labels` holds each model's labels in its own numbering, or is empty.
    ///
    /// # Errors
    ///
    /// The first model's error, in the order of models.
    pub fn train(
        &mut self,
        data: &Prepared,
        phase: &Phase,
        pseudo_labels: &[PseudoLabels],
        progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        let none = PseudoLabels::default();
        let jobs: Vec<_> = self.members.iter_mut().enumerate().collect();
        let done = side_by_side(jobs, self.threads, |(index, member)| {
            member.train(data, phase, pseudo_labels.get(index).unwrap_or(&none), progress)
        });
        done?.into_iter().collect()
    }

    /// Every model's probabilities, in the order of models.
    ///
    /// # Errors
    ///
    /// The first model's error, in the order of models.
    pub fn predict(&self, data: &Prepared) -> Result<Vec<SoftAssignments>, EnsembleError> {
        let jobs: Vec<_> = self.members.iter().collect();
        let done = side_by_side(jobs, self.threads, |member| {
            let start = Instant::now();
            let soft = member.predict(data);
            let spent = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            self.predicting.fetch_add(spent, Ordering::Relaxed);
            soft
        });
        done?.into_iter().collect()
    }

    /// Time that models have spent so far, summed over them.
    #[must_use]
    pub fn profile(&self) -> Profile {
        let mut profile: Profile = self.members.iter().map(|member| member.profile()).sum();
        profile.prediction += Duration::from_nanos(self.predicting.load(Ordering::Relaxed));
        profile
    }

    /// Writes every model to `folder/model-NN.safetensors`.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Save`] if a file can't be written.
    pub fn save(&self, folder: &Path) -> Result<(), EnsembleError> {
        for (index, member) in self.members.iter().enumerate() {
            member.save(&folder.join(format!("model-{index:02}.safetensors")))?;
        }
        Ok(())
    }
}

/// Does every one of `jobs`, whose results come in the same order, on `threads` threads: see [`Ensemble`].
fn side_by_side<J: Send, R: Send>(
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

/// A pool of `threads` threads of its own: the global one is candle's.
pub(crate) fn pool(threads: usize) -> Result<ThreadPool, EnsembleError> {
    ThreadPoolBuilder::new()
        .num_threads(threads.max(1))
        .build()
        .map_err(|error| EnsembleError::Threads { threads, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_over_jobs_share_the_threads() {
        for (jobs, threads, expected) in [
            (5, 2, vec![1, 1, 1, 1, 2]),
            (4, 2, vec![1; 4]),
            (3, 8, vec![3, 3, 2]),
            (1, 4, vec![4]),
            (7, 1, vec![1; 7]),
        ] {
            let work = |job: usize| (job, rayon::current_num_threads());
            let done = side_by_side((0..jobs).collect(), threads, work).unwrap();
            let (order, mut sizes): (Vec<_>, Vec<_>) = done.into_iter().unzip();
            assert_eq!(order, (0..jobs).collect::<Vec<_>>());
            if jobs < threads {
                sizes.sort_unstable_by(|a, b| b.cmp(a)); // who takes which pool is chance
            }
            assert_eq!(sizes, expected, "{jobs} jobs, {threads} threads");
        }
    }
}
