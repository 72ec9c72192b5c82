//! Several models, trained side by side.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use consilience_data::{Features, ModelIdx, PseudoLabels, SoftAssignments};

use crate::engine::candle::{self, Resident};
use crate::members::loaded::load;
use crate::threads::pool;
use crate::{
    Clusterer, Device, EnsembleError, KMeansModel, MemberKind, Network, Phase, Prepared, Profile,
    Progress, ValidNetworkParams,
};

/// What models are trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compute {
    /// Where networks are trained. Other models are on the CPU in any case.
    pub device: Device,
    /// Threads of the CPU.
    pub threads: usize,
    /// Networks that are trained at once on a GPU at most: fewer take less of its memory. It changes no result beyond the
    /// rounding of matrix products.
    pub stack: NonZero<usize>,
}

impl Compute {
    /// The CPU, with so many threads.
    #[must_use]
    pub fn cpu(threads: usize) -> Self {
        Self { device: Device::Cpu, threads, stack: NonZero::<usize>::MAX }
    }
}

/// So many threads of the CPU.
impl From<usize> for Compute {
    fn from(threads: usize) -> Self {
        Self::cpu(threads)
    }
}

/// Models and what they are trained on.
///
/// On the CPU, as many models as there are threads work side by side, one thread each: nothing is faster than not having to
/// meet. Those that are left over, or all if they are fewer than the threads, share the threads evenly. A model's result
/// doesn't depend on how many it has. On a GPU, networks are trained as one stack.
pub struct Ensemble {
    members: Vec<Member>,
    threads: usize,
    gpu: Option<Gpu>,
    /// Nanoseconds that models have predicted for.
    predicting: AtomicU64,
}

enum Member {
    Network(Box<Network>),
    Other(Box<dyn Clusterer>),
}

impl Member {
    fn clusterer(&self) -> &dyn Clusterer {
        match self {
            Self::Network(network) => &**network,
            Self::Other(other) => &**other,
        }
    }
}

/// A GPU with the data in its memory.
struct Gpu {
    resident: Resident,
    stack: usize,
    training: Duration,
}

impl Ensemble {
    /// Puts models together, to be trained on the CPU.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Threads`] if the threads can't be started.
    pub fn new(members: Vec<Box<dyn Clusterer>>, threads: usize) -> Result<Self, EnsembleError> {
        Self::of_members(members.into_iter().map(Member::Other).collect(), threads, None)
    }

    /// Makes a model of each of the `kinds`, with random weights of its own.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] if a setting doesn't fit, [`EnsembleError::Threads`] if threads can't be started,
    /// [`EnsembleError::Device`] if the GPU can't be used.
    pub fn of_kinds(
        kinds: &[MemberKind],
        params: &ValidNetworkParams,
        data: &Prepared,
        n_clusters: usize,
        compute: &Compute,
    ) -> Result<Self, EnsembleError> {
        Self::of_kinds_from(ModelIdx(0), kinds, params, data, n_clusters, compute)
    }

    /// As [`Ensemble::of_kinds`], with models that are numbered from `first` on: random numbers depend on it, so that they
    /// differ from those of another ensemble whose models come before.
    ///
    /// # Errors
    ///
    /// As [`Ensemble::of_kinds`].
    pub fn of_kinds_from(
        first: ModelIdx,
        kinds: &[MemberKind],
        params: &ValidNetworkParams,
        data: &Prepared,
        n_clusters: usize,
        compute: &Compute,
    ) -> Result<Self, EnsembleError> {
        let network = |model, kind, params| {
            Member::Network(Box::new(Network::new(model, kind, params, data, n_clusters)))
        };
        let member = |(index, kind): (usize, &MemberKind)| -> Result<Member, EnsembleError> {
            let model = ModelIdx::from_index(first.index() + index);
            Ok(match kind {
                MemberKind::Ladder => network(model, "ladder", params.clone()),
                MemberKind::VatIm => network(model, "vat-im", (**params).clone().plain().check()?),
                MemberKind::KMeans => Member::Other(Box::new(KMeansModel::new(model, n_clusters))),
            })
        };
        let members = kinds.iter().enumerate().map(member).collect::<Result<_, _>>()?;
        let gpu = match compute.device {
            Device::Cpu => None,
            Device::Cuda(_) => {
                let resident = Resident::new(data, &compute.device.open()?)?;
                Some(Gpu { resident, stack: compute.stack.get(), training: Duration::ZERO })
            }
        };
        Self::of_members(members, compute.threads, gpu)
    }

    fn of_members(
        members: Vec<Member>,
        threads: usize,
        gpu: Option<Gpu>,
    ) -> Result<Self, EnsembleError> {
        // Whether there are threads is said before anything is trained.
        pool(threads)?;
        Ok(Self { members, threads: threads.max(1), gpu, predicting: AtomicU64::new(0) })
    }

    /// Number of models.
    #[must_use]
    pub fn n_models(&self) -> usize {
        self.members.len()
    }

    /// What kind of model each is, length n_models: see [`Clusterer::kind`].
    #[must_use]
    pub fn kinds(&self) -> Vec<&'static str> {
        self.members.iter().map(|member| member.clusterer().kind()).collect()
    }

    /// Adds models of any kind behind those that are there.
    pub fn add(&mut self, models: Vec<Box<dyn Clusterer>>) {
        self.members.extend(models.into_iter().map(Member::Other));
    }

    /// Number of models that are trained in epochs.
    #[must_use]
    pub fn n_networks(&self) -> usize {
        self.members.iter().filter(|member| matches!(member, Member::Network(_))).count()
    }

    /// Leaves only the models of these indices, which are ascending.
    pub fn keep(&mut self, models: &[usize]) {
        let mut index = 0..;
        self.members.retain(|_| models.binary_search(&index.next().unwrap_or(0)).is_ok());
    }

    /// Trains every model for one phase. `pseudo_labels` holds each model's labels in its own numbering, or is empty.
    ///
    /// # Errors
    ///
    /// The first model's error, in the order of models; on a GPU, after those of models that aren't trained there. The
    /// ensemble can't be used after it.
    pub fn train(
        &mut self,
        data: &Prepared,
        phase: &Phase,
        pseudo_labels: &[PseudoLabels],
        progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        let none = PseudoLabels::default();
        let labels = |index: usize| pseudo_labels.get(index).unwrap_or(&none);
        let (mut stacked, mut jobs) = (Vec::new(), Vec::new());
        let on_gpu = self.gpu.is_some();
        for (index, member) in self.members.iter_mut().enumerate() {
            match (member, on_gpu) {
                (Member::Network(network), true) => stacked.push((index, network)),
                (Member::Network(network), false) => {
                    jobs.push((index, &mut **network as &mut dyn Clusterer))
                }
                (Member::Other(other), _) => jobs.push((index, &mut **other)),
            }
        }
        let done = side_by_side(jobs, self.threads, |(index, member)| {
            member.train(data, phase, labels(index), progress)
        });
        done?.into_iter().collect::<Result<(), _>>()?;
        if let Some(gpu) = &mut self.gpu {
            let start = Instant::now();
            let labels: Vec<_> = stacked.iter().map(|&(index, _)| labels(index)).collect();
            let mut members: Vec<_> =
                stacked.iter_mut().map(|(_, network)| network.in_training()).collect();
            let resident = &gpu.resident;
            candle::train(&mut members, data, resident, phase, &labels, gpu.stack, progress)?;
            stacked.iter_mut().for_each(|(_, network)| network.trained_for(phase));
            gpu.training += start.elapsed();
        }
        Ok(())
    }

    /// Every model's probabilities, in the order of models.
    ///
    /// # Errors
    ///
    /// The first model's error, in the order of models.
    pub fn predict(&self, data: &Prepared) -> Result<Vec<SoftAssignments>, EnsembleError> {
        let features = data.features();
        let Some(gpu) = &self.gpu else {
            return self.predict_new(features);
        };
        let (mut stacked, mut jobs) = (Vec::new(), Vec::new());
        for member in &self.members {
            match member {
                Member::Network(network) => stacked.push(network.in_use()?),
                Member::Other(other) => jobs.push(other),
            }
        }
        let others =
            side_by_side(jobs, self.threads, |member| self.timed(|| member.predict(features)))?;
        let stacked = self.timed(|| candle::predict(&stacked, data, &gpu.resident, gpu.stack))?;
        let (mut stacked, mut others) = (stacked.into_iter(), others.into_iter());
        let of_member = |member: &Member| match member {
            Member::Network(_) => Ok(stacked.next().expect("one of every network")),
            Member::Other(_) => others.next().expect("one of every other"),
        };
        self.members.iter().map(of_member).collect()
    }

    /// The same models without their GPU, on `threads` threads: enough to predict.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Threads`] if the threads can't be started.
    pub fn on_cpu(self, threads: usize) -> Result<Self, EnsembleError> {
        Self::of_members(self.members, threads, None)
    }

    /// Every model's probabilities of other samples than those that they were trained on, in the order of models, by the
    /// CPU. `features` are as [`Transform::apply`](crate::Transform::apply) gives them.
    ///
    /// # Errors
    ///
    /// As [`Ensemble::predict`].
    pub fn predict_new(&self, features: &Features) -> Result<Vec<SoftAssignments>, EnsembleError> {
        let jobs: Vec<_> = self.members.iter().map(Member::clusterer).collect();
        let done =
            side_by_side(jobs, self.threads, |member| self.timed(|| member.predict(features)));
        done?.into_iter().collect()
    }

    /// Reads models that [`Ensemble::save`] wrote, to predict with on the CPU. `n_clusters` has the number of
    /// clusters of each, in order; they take `n_features` features.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Load`] for a file that is missing, damaged, of another shape or of a model that isn't ours,
    /// [`EnsembleError::Threads`] if the threads can't be started.
    pub fn load(
        folder: &Path,
        n_features: usize,
        n_clusters: &[usize],
        threads: usize,
    ) -> Result<Self, EnsembleError> {
        let member = |(index, &clusters): (usize, &usize)| {
            let (model, path) = (ModelIdx::from_index(index), path_of(folder, index));
            load(model, &path, (n_features, clusters)).map(Member::Other)
        };
        let members = n_clusters.iter().enumerate().map(member).collect::<Result<_, _>>()?;
        Self::of_members(members, threads, None)
    }

    fn timed<R>(&self, predict: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = predict();
        let spent = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.predicting.fetch_add(spent, Ordering::Relaxed);
        result
    }

    /// Time that models have spent so far, summed over them.
    #[must_use]
    pub fn profile(&self) -> Profile {
        let of_members = self.members.iter().map(|member| member.clusterer().profile());
        let mut profile: Profile = of_members.sum();
        profile.gpu += self.gpu.as_ref().map_or(Duration::ZERO, |gpu| gpu.training);
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
            member.clusterer().save(&path_of(folder, index))?;
        }
        Ok(())
    }
}

/// Where a model is saved.
fn path_of(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("model-{index:02}.safetensors"))
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
