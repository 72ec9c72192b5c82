//! Several models, trained side by side.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use consilience_data::{ModelIdx, PseudoLabels};

use crate::device::Device;
use crate::engine::candle::Candle;
use crate::engine::choice::{EngineChoice, EngineName};
use crate::engine::driver;
use crate::error::EnsembleError;
use crate::member::{Member, Model};
use crate::members::clusterer::{Clusterer, Phase};
use crate::members::communities::{Communities, CommunityParams};
use crate::members::kmeans::KMeansModel;
use crate::members::loaded::load;
use crate::members::mixture::Mixture;
use crate::members::network::Network;
use crate::members::params::{MemberKind, NetworkParams, ValidNetworkParams};
use crate::meta::initialisation::Initialisation;
use crate::preparation::prepared::Prepared;
use crate::profile::Profile;
use crate::progress::Progress;
use crate::side_by_side::side_by_side;
use crate::threads::pool;

/// What models are trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compute {
    /// Where networks are trained. Other models are on the CPU in any case.
    pub device: Device,
    /// What trains networks.
    pub engine: EngineChoice,
    /// Whether a GPU does what it can by CUDA kernels of our own.
    pub kernels: bool,
    /// Threads of the CPU.
    pub threads: usize,
    /// Networks that are trained at once on a GPU at most: fewer take less of its memory. It changes no result beyond the
    /// rounding of matrix products.
    pub stack: NonZero<usize>,
}

impl Compute {
    /// What trains a run's networks: those of `kinds`.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Engine`] if the engine asked for can't, [`EnsembleError::Kernels`] if there are to be CUDA kernels on
    /// the CPU, [`EnsembleError::Setting`] if settings don't fit a kind.
    pub fn engine_for(
        &self,
        kinds: &[MemberKind],
        params: &ValidNetworkParams,
    ) -> Result<EngineName, EnsembleError> {
        if self.kernels && self.device == Device::Cpu {
            return Err(EnsembleError::Kernels);
        }
        let mut networks: Vec<NetworkParams> = Vec::new();
        for kind in kinds {
            networks.extend(kind.settings(params)?.map(|params| (*params).clone()));
        }
        self.engine.resolve(self.device, &networks)
    }

    /// The CPU, with so many threads.
    #[must_use]
    pub fn cpu(threads: usize) -> Self {
        Self {
            device: Device::Cpu,
            engine: EngineChoice::Auto,
            kernels: false,
            threads,
            stack: NonZero::<usize>::MAX,
        }
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
    pub(crate) members: Vec<Member>,
    pub(crate) threads: usize,
    /// With a GPU, the engine that has it.
    gpu: Option<Candle>,
    /// Where the time of networks on a GPU went.
    on_gpu: Profile,
    /// Nanoseconds that models have predicted for.
    pub(crate) predicting: AtomicU64,
}

impl Ensemble {
    /// Puts models together, to be trained on the CPU.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Threads`] if the threads can't be started.
    pub fn new(members: Vec<Box<dyn Clusterer>>, threads: usize) -> Result<Self, EnsembleError> {
        Self::of_models(members.into_iter().map(Model::Other), threads)
    }

    /// As [`Ensemble::new`], of voters by communities: those that keep the same samples look for a sample's neighbours among them once.
    ///
    /// # Errors
    ///
    /// As [`Ensemble::new`].
    pub fn of_communities(
        members: Vec<Communities>,
        threads: usize,
    ) -> Result<Self, EnsembleError> {
        let model = |member| Model::Communities(Box::new(member));
        Self::of_models(members.into_iter().map(model), threads)
    }

    fn of_models(
        models: impl IntoIterator<Item = Model>,
        threads: usize,
    ) -> Result<Self, EnsembleError> {
        let members = (0..).zip(models).map(|(number, model)| Member::new(number, model));
        Self::of_members(members.collect(), threads, None)
    }

    /// Makes a model of each of the `kinds`, with random weights of its own.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] if a setting doesn't fit, [`EnsembleError::Threads`] if threads can't be started,
    /// [`EnsembleError::Device`] if the GPU can't be used, and those of [`Compute::engine_for`].
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
        let engine = compute.engine_for(kinds, params)?;
        let member = |(index, kind): (usize, &MemberKind)| -> Result<Member, EnsembleError> {
            let model = ModelIdx::from_index(first.index() + index);
            let Some(params) = kind.settings(params)? else {
                return Ok(Member::new(index, other(*kind, model, n_clusters)));
            };
            let network =
                Network::new(model, kind.name(), params, data, n_clusters, engine.into())?;
            Ok(Member::new(index, Model::Network(Box::new(network))))
        };
        let members = kinds.iter().enumerate().map(member).collect::<Result<_, _>>()?;
        let gpu = match compute.device {
            Device::Cpu => None,
            device => Some(Candle::on_gpu(device, data, compute.stack.get(), compute.kernels)?),
        };
        Self::of_members(members, compute.threads, gpu)
    }

    fn of_members(
        members: Vec<Member>,
        threads: usize,
        gpu: Option<Candle>,
    ) -> Result<Self, EnsembleError> {
        // Whether there are threads is said before anything is trained.
        pool(threads)?;
        let threads = threads.max(1);
        let (on_gpu, predicting) = (Profile::default(), AtomicU64::new(0));
        Ok(Self { members, threads, gpu, on_gpu, predicting })
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
        let first = self.members.last().map_or(0, |last| last.number + 1);
        let members = (first..).zip(models);
        self.members.extend(members.map(|(number, own)| Member::new(number, Model::Other(own))));
    }

    /// Has the hidden layers of all networks start from `start`, before they are trained. Their heads stay as they are, each its own.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] with both widths if they differ.
    pub fn start_from(&mut self, start: &Initialisation) -> Result<(), EnsembleError> {
        for member in &mut self.members {
            if let Model::Network(network) = &mut member.model {
                network.start_from(start)?;
            }
        }
        Ok(())
    }

    /// Number of models that are trained in epochs.
    #[must_use]
    pub fn n_networks(&self) -> usize {
        self.networks().into_iter().filter(|&network| network).count()
    }

    /// Whether each model is trained in epochs, length n_models.
    #[must_use]
    pub fn networks(&self) -> Vec<bool> {
        self.members.iter().map(|member| matches!(member.model, Model::Network(_))).collect()
    }

    /// Leaves only the models of these indices, which are ascending.
    pub fn keep(&mut self, models: &[usize]) {
        let mut index = 0..;
        self.members.retain(|_| models.binary_search(&index.next().unwrap_or(0)).is_ok());
    }

    /// The numbers of its models among all that it was made of, ascending, length n_models.
    #[must_use]
    pub fn numbers(&self) -> Vec<usize> {
        self.members.iter().map(|member| member.number).collect()
    }

    /// After how many steps the next phase of each model, by its number, has to end. Those that aren't named train to the end.
    pub fn limit(&mut self, most_steps: &[usize]) {
        for member in &mut self.members {
            member.most_steps = most_steps.get(member.number).copied();
        }
    }

    /// After how many steps the time was up in the last phase, length n_models: see [`Clusterer::cut`].
    #[must_use]
    pub fn cuts(&self) -> Vec<Option<usize>> {
        self.members.iter().map(|member| member.clusterer().cut()).collect()
    }

    /// Trains every model for one phase. `pseudo_labels` holds each model's labels in its own numbering, or is empty.
    ///
    /// A model that is lost ([`EnsembleError::Lost`]) isn't in the ensemble any more, as long as there is another.
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
        let (checkpoints, round) = (progress.checkpoints(), phase.round);
        let (mut stacked, mut jobs) = (Vec::new(), Vec::new());
        for (index, member) in self.members.iter_mut().enumerate() {
            if round > 0 {
                member.remember();
            }
            if !member.resume(round, checkpoints)? {
                let on_gpu = self.gpu.is_some() && matches!(member.model, Model::Network(_));
                if on_gpu { &mut stacked } else { &mut jobs }.push((index, member));
            }
        }
        let done = side_by_side(jobs, self.threads, |(index, member)| {
            let phase = Phase { most_steps: member.most_steps.or(phase.most_steps), ..*phase };
            let trained = member.clusterer_mut().train(data, &phase, labels(index), progress);
            (index, trained.map(|()| member.keep(round, checkpoints)))
        });
        let mut lost = Vec::new();
        for (index, result) in done? {
            match result {
                Err(error @ EnsembleError::Lost { .. }) => lost.push((index, error)),
                result => result?,
            }
        }
        if let Some(gpu) = self.gpu.as_ref().filter(|_| !stacked.is_empty()) {
            let labels: Vec<_> = stacked.iter().map(|&(index, _)| labels(index)).collect();
            let trainees = stacked.iter_mut().filter_map(|(_, member)| match &mut member.model {
                Model::Network(network) => {
                    Some(network.trainee(member.most_steps.or(phase.most_steps)))
                }
                Model::Communities(_) | Model::Other(_) => None,
            });
            let trainees = trainees.collect();
            let train = || driver::train(gpu, trainees, &labels, data, phase, progress);
            self.on_gpu += pool(self.threads)?.install(train)?;
            for (_, member) in stacked {
                if let Model::Network(network) = &mut member.model {
                    network.has_been_trained();
                }
                member.keep(round, checkpoints);
            }
        }
        self.leave_out(lost, progress)
    }

    fn leave_out(
        &mut self,
        lost: Vec<(usize, EnsembleError)>,
        progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        let all_are = lost.len() == self.members.len();
        let kept = |index: &usize| lost.iter().all(|(lost, _)| lost != index);
        let kept: Vec<usize> = (0..self.members.len()).filter(kept).collect();
        for (_, error) in lost {
            match error {
                EnsembleError::Lost { model, kind, reason } if !all_are => {
                    progress.model_lost(ModelIdx(model), kind, &reason);
                }
                error => return Err(error),
            }
        }
        self.keep(&kept);
        Ok(())
    }

    /// Whether [`Ensemble::go_back`] could come back to where the models are now, after another phase.
    #[must_use]
    pub fn can_come_back(&self) -> bool {
        self.members.iter().all(Member::can_come_back)
    }

    /// Whether [`Ensemble::go_back`] can undo the last phase.
    #[must_use]
    pub fn can_go_back(&self) -> bool {
        self.members.iter().all(Member::can_go_back)
    }

    /// Makes all models what they were before the last phase.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::NoState`] if a model doesn't tell its state, or the phase was the second in a row that is undone.
    pub fn go_back(&mut self) -> Result<(), EnsembleError> {
        self.members.iter_mut().try_for_each(Member::go_back)
    }

    /// The same models without their GPU, on `threads` threads: enough to predict.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Threads`] if the threads can't be started.
    pub fn on_cpu(self, threads: usize) -> Result<Self, EnsembleError> {
        Self::of_members(self.members, threads, None)
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
            Ok(Member::new(index, load(model, &path, (n_features, clusters))?))
        };
        let members: Result<_, EnsembleError> = n_clusters.iter().enumerate().map(member).collect();
        Self::of_members(members?, threads, None)
    }

    /// Time that models have spent so far, summed over them.
    #[must_use]
    pub fn profile(&self) -> Profile {
        let of_members = self.members.iter().map(|member| member.clusterer().profile());
        let mut profile: Profile = of_members.sum();
        profile += self.on_gpu;
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

/// A model that is no network.
fn other(kind: MemberKind, model: ModelIdx, n_clusters: usize) -> Model {
    match kind {
        MemberKind::Communities => {
            let params = CommunityParams::default();
            Model::Communities(Box::new(Communities::new(model, n_clusters, params)))
        }
        MemberKind::Mixture => Model::Other(Box::new(Mixture::new(model, n_clusters))),
        MemberKind::KMeans | MemberKind::Ladder | MemberKind::VatIm => {
            Model::Other(Box::new(KMeansModel::new(model, n_clusters)))
        }
    }
}

/// Where a model is saved.
fn path_of(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("model-{index:02}.safetensors"))
}
