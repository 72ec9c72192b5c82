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
    Assignments, ClusterId, Features, FeaturesChunk, FeaturesReader, ModelIdx, Recipe,
    SoftAssignments, Votes,
};
use consilience_ensembles::{CHUNK, Ensemble, EnsembleError};
use consilience_graph::{Codes, SignatureCodes};
use ndarray::{Array2, ArrayView1, s};

use crate::RunError;
use crate::outcome::Outcome;
use crate::rule::{Rule, Ruling};
use crate::run_folder::{Saved, read_models};
use crate::strays::{Stray, Strays};
use crate::views::Sight;

/// Chunks that are read ahead.
const AHEAD: usize = 1;

/// The models of a run, ready for samples that they weren't trained on.
pub struct Predictor {
    sight: Sight,
    rule: Rule,
    /// The members of the run, where they have no part in the rule.
    apart: Option<Ensemble>,
    /// Number of clusters of each member.
    n_clusters: Vec<usize>,
    threads: usize,
    strays: Option<Strays>,
}

/// What the models say of samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// A cluster for every sample, in the numbering of the run.
    pub assignments: Assignments,
    /// How sure it is, length n_samples: see [`Candidate::confidence`](crate::judge::Candidate::confidence).
    pub confidences: Vec<f32>,
    /// How little each sample belongs anywhere, length n_samples; `None` of a run that sought no strays.
    pub strays: Option<Vec<Stray>>,
}

/// What the models say of samples, and how the members of the run voted on them.
#[derive(Debug, Clone, PartialEq)]
pub struct Voted {
    /// The clusters.
    pub prediction: Prediction,
    /// The lowest confidence of all members, 0..=1, length n_samples.
    pub lowest_confidences: Vec<f32>,
    /// The votes of all members as one value a sample: see [`Predictor::signature_codes`].
    pub signatures: Codes,
}

impl Prediction {
    /// The cluster of every sample, length n_samples; strays have none, by what the run took for such.
    pub fn clusters(&self) -> impl Iterator<Item = Option<ClusterId>> {
        self.confident(f32::NEG_INFINITY)
    }

    /// The cluster of every sample whose confidence is at least `min_confidence`, length n_samples; the others have
    /// none, and neither have strays.
    pub fn confident(&self, min_confidence: f32) -> impl Iterator<Item = Option<ClusterId>> {
        let is_stray =
            |sample: usize| self.strays.as_ref().is_some_and(|strays| strays[sample].is_stray);
        let enough =
            move |sample: usize| self.confidences[sample] >= min_confidence && !is_stray(sample);
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
        let Saved { sight, rule, apart, n_clusters, strays, .. } = saved;
        Ok(Self { sight, rule, apart, n_clusters, threads, strays })
    }

    /// The models of a run that is in memory.
    ///
    /// # Errors
    ///
    /// [`RunError::Ensemble`] if the threads can't be started.
    pub fn of(outcome: Outcome, threads: usize) -> Result<Self, RunError> {
        let data = outcome.data.transform().clone();
        let of_member = |model| outcome.alignment.from_model(ModelIdx::from_index(model)).len();
        let n_clusters = (0..outcome.alignment.n_models()).map(of_member).collect();
        let strays = outcome.strays.as_ref().map(|found| found.rule.clone());
        let Ruling { rule, apart, views } = Rule::of(outcome, threads)?;
        let apart = apart.map(|members| members.on_cpu(threads)).transpose()?;
        let (rule, sight) = (rule.on_cpu(threads)?, Sight { data, views });
        Ok(Self { sight, rule, apart, n_clusters, threads, strays })
    }

    /// Number of features that a sample has to have.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.sight.data.n_features()
    }

    /// Views whose features have to be given beside those of the data, in order: what each was called, its number of features, and how files become these. Views that an
    /// encoder makes of the data aren't among them.
    pub fn views(&self) -> impl Iterator<Item = (&str, usize, &Recipe)> {
        self.sight.to_give()
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
    /// [`RunError::Ensemble`] for another number of features, [`RunError::Views`] of a run with [views](Predictor::views) that have to be given.
    pub fn predict(&self, features: &Features) -> Result<Prediction, RunError> {
        self.predict_viewed(features, &[])
    }

    /// As [`Predictor::predict`], of a run with [views](Predictor::views) that have to be given: theirs of the same samples, in their order.
    ///
    /// # Errors
    ///
    /// As [`Predictor::predict`], and [`RunError::Views`] and [`RunError::Setting`] if the views aren't those of the run, or of other samples.
    pub fn predict_viewed(
        &self,
        features: &Features,
        views: &[Features],
    ) -> Result<Prediction, RunError> {
        let seen = self.sight.see(features, views, self.threads)?;
        let (assignments, confidences) = self.rule.answer(&seen)?;
        let strays = self.strays_of(&seen[0], &assignments)?;
        Ok(Prediction { assignments, confidences, strays })
    }

    /// How the votes of the run's members are written as signatures: the members whose agreement made the run's mini-clusters, not the
    /// communities beside them.
    ///
    /// # Errors
    ///
    /// [`RunError::Graph`] for a run of more models or clusters than there can be.
    pub fn signature_codes(&self) -> Result<SignatureCodes, RunError> {
        Ok(SignatureCodes::new(&self.n_clusters)?)
    }

    /// Clusters as [`Predictor::predict`] gives them, and how the run's members voted.
    ///
    /// A sample's answer depends on it alone, to the bit: the models see thousands of rows, the last of which are filled up, so that whoever
    /// cuts samples into calls can cut them anywhere. [`Predictor::predict`] rounds as the run itself did, which may differ in the last
    /// bits of the last of its samples.
    ///
    /// # Errors
    ///
    /// As [`Predictor::predict`].
    pub fn vote(&self, features: &Features) -> Result<Voted, RunError> {
        self.vote_viewed(features, &[])
    }

    /// As [`Predictor::vote`], of a run with [views](Predictor::views) that have to be given: theirs of the same samples, in their order.
    ///
    /// # Errors
    ///
    /// As [`Predictor::predict_viewed`].
    pub fn vote_viewed(&self, features: &Features, views: &[Features]) -> Result<Voted, RunError> {
        let n_samples = features.n_samples();
        let views = views.iter().map(filled_up).collect::<Result<Vec<_>, _>>()?;
        let seen = self.sight.see(&filled_up(features)?, &views, self.threads)?;
        let (assignments, mut confidences, votes) = match &self.apart {
            None => self.rule.answer_and_votes(&seen)?,
            Some(members) => {
                let (assignments, confidences) = self.rule.answer(&seen)?;
                (assignments, confidences, Votes::from_answers(&members.predict_new(&seen[0])?)?)
            }
        };
        let mut strays = self.strays_of(&seen[0], &assignments)?;
        strays.iter_mut().for_each(|strays| strays.truncate(n_samples));
        let votes = votes.of_first(n_samples)?;
        confidences.truncate(n_samples);
        let clusters = assignments.clusters()[..n_samples].to_vec();
        let assignments = Assignments::new(clusters, assignments.n_clusters());
        let lowest = |row: ArrayView1<'_, f32>| row.iter().copied().fold(f32::INFINITY, f32::min);
        Ok(Voted {
            prediction: Prediction { assignments, confidences, strays },
            lowest_confidences: votes.confidences().columns().into_iter().map(lowest).collect(),
            signatures: self.signature_codes()?.encode(&votes),
        })
    }

    /// Whether samples may be sparse without being made dense.
    #[must_use]
    pub fn keeps_sparse(&self) -> bool {
        self.sight.data.sparse
    }

    /// Whether the run sought strays.
    #[must_use]
    pub fn has_strays(&self) -> bool {
        self.strays.is_some()
    }

    fn strays_of(
        &self,
        seen: &Features,
        found: &Assignments,
    ) -> Result<Option<Vec<Stray>>, RunError> {
        self.strays.as_ref().map(|rule| rule.of(seen, found, self.threads)).transpose()
    }

    /// The probability of each cluster for samples, `features` being as in [`Predictor::predict`], whose clusters are the most probable of these;
    /// `None` where the run ended with an answer that has none (votes placed in a tree). O(n parameters).
    ///
    /// # Errors
    ///
    /// As [`Predictor::predict`].
    pub fn probabilities(&self, features: &Features) -> Result<Option<SoftAssignments>, RunError> {
        self.rule.probabilities(&self.sight.see(features, &[], self.threads)?)
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
        take: impl FnMut(&FeaturesChunk, &Prediction) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        self.chunks(reader, |features| self.predict(features), take)
    }

    /// As [`Predictor::predict_chunks`], with what [`Predictor::vote`] gives.
    ///
    /// # Errors
    ///
    /// As [`Predictor::predict_chunks`].
    pub fn vote_chunks<E: From<RunError> + Send>(
        &self,
        reader: &mut FeaturesReader,
        take: impl FnMut(&FeaturesChunk, &Voted) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        self.chunks(reader, |features| self.vote(features), take)
    }

    fn chunks<T, E: From<RunError> + Send>(
        &self,
        reader: &mut FeaturesReader,
        answer: impl Fn(&Features) -> Result<T, RunError> + Send,
        mut take: impl FnMut(&FeaturesChunk, &T) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        let failed = |error| E::from(RunError::from(error));
        let expected = self.n_features();
        self.sight.check(0)?;
        if let Some((_, found)) = reader.width().filter(|width| width.1 != expected) {
            return Err(E::from(RunError::from(EnsembleError::Width { found, expected })));
        }
        thread::scope(|scope| {
            let (sender, receiver) = sync_channel::<FeaturesChunk>(AHEAD);
            let worker = scope.spawn(move || {
                for chunk in receiver {
                    take(&chunk, &answer(&chunk.features)?)?;
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

/// Rows up to a whole number of blocks; those that are added are zeros.
fn filled_up(features: &Features) -> Result<Features, RunError> {
    if let Some(rows) = features.as_sparse() {
        let mut filled = rows.clone();
        (rows.n_samples()..rows.n_samples().next_multiple_of(CHUNK)).for_each(|_| filled.push([]));
        return Ok(Features::sparse(filled, "samples")?);
    }
    let (n_samples, n_features) = features.view().dim();
    let mut filled = Array2::zeros((n_samples.next_multiple_of(CHUNK), n_features));
    filled.slice_mut(s![..n_samples, ..]).assign(&features.view());
    Ok(Features::new(filled, "samples")?)
}
