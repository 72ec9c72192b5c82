//! How what models say of a sample becomes its cluster.

use consilience_data::{Assignments, Features, SoftAssignments, Votes};
use consilience_ensembles::{Ensemble, KMeansModel};
use consilience_graph::{Alignment, Placer, consensus};

use crate::error::RunError;
use crate::judge::{Chosen, own_numbering, placed};
use crate::outcome::Outcome;

/// How what models say becomes one answer.
pub(crate) enum Rule {
    /// Their aligned probabilities are averaged.
    Averaged(Ensemble, Alignment),
    /// Their votes, those of the first ensemble first, are placed among the votes of the run.
    Placed(Vec<Ensemble>, Placer),
}

impl Rule {
    pub(crate) fn of(outcome: Outcome, threads: usize) -> Result<Self, RunError> {
        let Outcome { answer, ensemble, voters, alignment, .. } = outcome;
        let communities = voters.map(|voters| voters.ensemble);
        Ok(match (answer.chosen, answer.cut, communities, answer.k_means) {
            (Chosen::AcrossKinds, Some((_, placer)), Some(communities), _) => {
                Self::Placed(vec![ensemble, communities], placer)
            }
            (Chosen::Communities, Some((_, placer)), Some(communities), _) => {
                Self::Placed(vec![communities], placer)
            }
            (Chosen::KMeans, _, _, Some(model)) => Self::k_means(model, threads)?,
            _ => Self::Averaged(ensemble, alignment),
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
        match self {
            Self::Averaged(ensemble, alignment) => {
                Ok(consensus(&ensemble.predict_new(features)?, alignment)?.harden())
            }
            Self::Placed(ensembles, placer) => {
                let mut answers = Vec::new();
                for ensemble in ensembles {
                    answers.extend(ensemble.predict_new(features)?);
                }
                placed(placer, &Votes::from_answers(&answers)?)
            }
        }
    }
}
