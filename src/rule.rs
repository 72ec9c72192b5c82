//! How what models say of a sample becomes its cluster.

use consilience_data::{Assignments, Features, ModelAnswers, SoftAssignments, Votes};
use consilience_ensembles::{Ensemble, KMeansModel};
use consilience_graph::{Alignment, Placer, consensus};

use crate::error::RunError;
use crate::judge::{Chosen, own_numbering};
use crate::linked::placed;
use crate::outcome::Outcome;

/// How what models say becomes one answer.
pub(crate) enum Rule {
    /// Their aligned probabilities are averaged.
    Averaged(Ensemble, Alignment),
    /// Their votes, those of the first ensemble first, are placed among the votes of the run.
    Placed(Vec<Ensemble>, Placer),
}

impl Rule {
    /// The rule of a run, and its members where they have no part in it.
    pub(crate) fn of(
        outcome: Outcome,
        threads: usize,
    ) -> Result<(Self, Option<Ensemble>), RunError> {
        let Outcome { answer, ensemble, voters, alignment, .. } = outcome;
        let communities = voters.map(|voters| voters.ensemble);
        Ok(match (answer.chosen, answer.cut, communities, answer.k_means) {
            (Chosen::AcrossKinds, Some((_, placer)), Some(communities), _) => {
                (Self::Placed(vec![ensemble, communities], placer), None)
            }
            (Chosen::Communities, Some((_, placer)), Some(communities), _) => {
                (Self::Placed(vec![communities], placer), Some(ensemble))
            }
            (Chosen::KMeans, _, _, Some(model)) => (Self::k_means(model, threads)?, Some(ensemble)),
            _ => (Self::Averaged(ensemble, alignment), None),
        })
    }

    /// One model, whose clusters are those of the run.
    pub(crate) fn k_means(model: KMeansModel, threads: usize) -> Result<Self, RunError> {
        let alignment = own_numbering(model.n_clusters())?;
        Ok(Self::Averaged(Ensemble::new(vec![Box::new(model)], threads)?, alignment))
    }

    pub(crate) fn on_cpu(self, threads: usize) -> Result<Self, RunError> {
        Ok(match self {
            Self::Averaged(ensemble, alignment) => {
                Self::Averaged(ensemble.on_cpu(threads)?, alignment)
            }
            Self::Placed(ensembles, placer) => {
                let on_cpu = ensembles.into_iter().map(|ensemble| ensemble.on_cpu(threads));
                Self::Placed(on_cpu.collect::<Result<_, _>>()?, placer)
            }
        })
    }

    pub(crate) fn n_clusters(&self) -> usize {
        match self {
            Self::Averaged(_, alignment) => alignment.n_common().max(1),
            Self::Placed(_, placer) => placer.n_clusters(),
        }
    }

    /// The mean probability of every cluster for every sample; `None` where votes are placed, which has none.
    pub(crate) fn probabilities(
        &self,
        features: &Features,
    ) -> Result<Option<SoftAssignments>, RunError> {
        Ok(match self {
            Self::Averaged(ensemble, alignment) => {
                Some(consensus(&ensemble.predict_new(features)?, alignment)?)
            }
            Self::Placed(..) => None,
        })
    }

    /// The cluster of every sample, and its confidence.
    pub(crate) fn answer(&self, features: &Features) -> Result<(Assignments, Vec<f32>), RunError> {
        self.weigh(&self.ask(features)?)
    }

    /// The same, and how the first ensemble voted.
    pub(crate) fn answer_and_votes(
        &self,
        features: &Features,
    ) -> Result<(Assignments, Vec<f32>, Votes), RunError> {
        let answers = self.ask(features)?;
        let (assignments, confidences) = self.weigh(&answers)?;
        let first = match self {
            Self::Averaged(ensemble, _) => Some(ensemble),
            Self::Placed(ensembles, _) => ensembles.first(),
        };
        let n_models = first.map_or(0, Ensemble::n_models);
        Ok((assignments, confidences, Votes::from_answers(&answers[..n_models])?))
    }

    /// What every model says.
    pub(crate) fn ask(&self, features: &Features) -> Result<Vec<ModelAnswers>, RunError> {
        Ok(match self {
            Self::Averaged(ensemble, _) => ensemble.predict_new(features)?,
            Self::Placed(ensembles, _) => {
                let mut answers = Vec::new();
                for ensemble in ensembles {
                    answers.extend(ensemble.predict_new(features)?);
                }
                answers
            }
        })
    }

    fn weigh(&self, answers: &[ModelAnswers]) -> Result<(Assignments, Vec<f32>), RunError> {
        match self {
            Self::Averaged(_, alignment) => Ok(consensus(answers, alignment)?.harden()),
            Self::Placed(_, placer) => placed(placer, &Votes::from_answers(answers)?),
        }
    }
}
