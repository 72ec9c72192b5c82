//! Clusters for new samples, from the models of a run.
//!
//! A sample's answer depends on the sample and on the models alone, so that samples can come in any number, a chunk at a
//! time. Those that the models were trained on get the clusters and confidences of the run, to the bit, on the same machine
//! (and, as this is the CPU's work, if the models were trained there): matrix products round by the number of rows, so rows go
//! through in thousands, counted from the first, in training as here.

use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

use consilience_data::{
    Assignments, ClusterId, Features, FeaturesChunk, FeaturesReader, SoftAssignments,
};
use consilience_ensembles::{EnsembleError, Transform};

use crate::RunError;
use crate::outcome::Outcome;
use crate::rule::Rule;
use crate::run_folder::read_models;

/// Chunks that are read ahead.
const AHEAD: usize = 1;

/// The models of a run, ready for samples that they weren't trained on.
pub struct Predictor {
    transform: Transform,
    rule: Rule,
    threads: usize,
}

/// What the models say of samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// A cluster for every sample, in the numbering of the run.
    pub assignments: Assignments,
    /// How sure it is, length n_samples: see [`Candidate::confidence`](crate::judge::Candidate::confidence).
    pub confidences: Vec<f32>,
}

impl Prediction {
    /// The cluster of every sample whose confidence is at least `min_confidence`, length n_samples; the others have
    /// none.
    pub fn confident(&self, min_confidence: f32) -> impl Iterator<Item = Option<ClusterId>> {
        let enough = move |sample: usize| self.confidences[sample] >= min_confidence;
        let clusters = self.assignments.clusters().iter().enumerate();
        clusters.map(move |(sample, &cluster)| enough(sample).then_some(cluster))
    }
}

impl Predictor {
    /// Reads the models of the run in `folder`, to work on `threads` threads. Their number changes no bit of any answer.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] if it is no run folder or has no models, [`RunError::Ensemble`] or [`RunError::Data`] for
    /// a file that is missing or damaged.
    pub fn load(folder: &Path, threads: usize) -> Result<Self, RunError> {
        let saved = read_models(folder, threads)?;
        Ok(Self { transform: saved.transform, rule: saved.rule, threads })
    }

    /// The models of a run that is in memory.
    ///
    /// # Errors
    ///
    /// [`RunError::Ensemble`] if the threads can't be started.
    pub fn of(outcome: Outcome, threads: usize) -> Result<Self, RunError> {
        let transform = outcome.data.transform().clone();
        let rule = Rule::of(outcome, threads)?.on_cpu(threads)?;
        Ok(Self { transform, rule, threads })
    }

    /// Number of features that a sample has to have.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.transform.n_features()
    }

    /// Number of clusters.
    #[must_use]
    pub fn n_clusters(&self) -> usize {
        self.rule.n_clusters()
    }

    /// Clusters for samples, `features` being of shape (n_samples, n_features), unscaled as the run's were.
    ///
    /// O(n parameters), and memory O(n).
    ///
    /// # Errors
    ///
    /// [`RunError::Ensemble`] for another number of features.
    pub fn predict(&self, features: &Features) -> Result<Prediction, RunError> {
        let seen = self.transform.apply(features, self.threads)?;
        let (assignments, confidences) = self.rule.answer(&seen)?;
        Ok(Prediction { assignments, confidences })
    }

    /// The probability of each cluster for samples, `features` being as in [`Predictor::predict`], whose clusters are the most probable of these;
    /// `None` where the run ended with an answer that has none (votes placed in a tree). O(n parameters).
    ///
    /// # Errors
    ///
    /// As [`Predictor::predict`].
    pub fn probabilities(&self, features: &Features) -> Result<Option<SoftAssignments>, RunError> {
        self.rule.probabilities(&self.transform.apply(features, self.threads)?)
    }

    /// Gives `take` the clusters of all samples of `reader`, a chunk at a time, in order. The next chunk is read meanwhile, and
    /// no more than three are in memory.
    ///
    /// # Errors
    ///
    /// The first error of reading, of [`Predictor::predict`] or of `take`.
    pub fn predict_chunks<E: From<RunError> + Send>(
        &self,
        reader: &mut FeaturesReader,
        mut take: impl FnMut(&FeaturesChunk, &Prediction) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        let failed = |error| E::from(RunError::from(error));
        let expected = self.n_features();
        if let Some((_, found)) = reader.width().filter(|width| width.1 != expected) {
            return Err(E::from(RunError::from(EnsembleError::Width { found, expected })));
        }
        thread::scope(|scope| {
            let (sender, receiver) = sync_channel::<FeaturesChunk>(AHEAD);
            let worker = scope.spawn(move || {
                for chunk in receiver {
                    take(&chunk, &self.predict(&chunk.features)?)?;
                }
                Ok(())
            });
            let read = loop {
                match reader.next_chunk() {
                    Ok(Some(chunk)) => {
                        if sender.send(chunk).is_err() {
                            // The worker has ended, and says why.
                            break Ok(());
                        }
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(failed(error)),
                }
            };
            drop(sender);
            let worked = worker.join().expect("whatever data can cause is an error");
            worked.and(read)
        })
    }
}
