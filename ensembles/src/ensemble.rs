//! Several models, trained side by side.

use std::path::Path;

use consilience_data::{ModelIdx, PseudoLabels, SoftAssignments};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{
    Clusterer, EnsembleError, KMeansModel, MemberKind, Network, Phase, Prepared, Progress,
    ValidNetworkParams,
};

/// Models and the threads they are trained on.
///
/// Each model works on one thread, so that results don't depend on how many there are.
pub struct Ensemble {
    members: Vec<Box<dyn Clusterer>>,
    pool: ThreadPool,
}

impl Ensemble {
    /// Puts models together.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Threads`] if the threads can't be started.
    pub fn new(members: Vec<Box<dyn Clusterer>>, threads: usize) -> Result<Self, EnsembleError> {
        Ok(Self { members, pool: pool(threads)? })
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
        let members = self.members.par_iter_mut().with_max_len(1).enumerate();
        let done: Vec<Result<(), EnsembleError>> = self.pool.install(|| {
            members
                .map(|(index, member)| {
                    member.train(data, phase, pseudo_labels.get(index).unwrap_or(&none), progress)
                })
                .collect()
        });
        done.into_iter().collect()
    }

    /// Every model's probabilities, in the order of models.
    ///
    /// # Errors
    ///
    /// The first model's error, in the order of models.
    pub fn predict(&self, data: &Prepared) -> Result<Vec<SoftAssignments>, EnsembleError> {
        let members = self.members.par_iter().with_max_len(1);
        let done: Vec<Result<_, _>> =
            self.pool.install(|| members.map(|member| member.predict(data)).collect());
        done.into_iter().collect()
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

/// A pool of `threads` threads of its own: the global one is candle's.
pub(crate) fn pool(threads: usize) -> Result<ThreadPool, EnsembleError> {
    ThreadPoolBuilder::new()
        .num_threads(threads.max(1))
        .build()
        .map_err(|error| EnsembleError::Threads { threads, reason: error.to_string() })
}
