//! How what models say of a sample becomes its cluster.

use std::collections::BTreeMap;

use consilience_data::{Assignments, Features, ModelAnswers, SoftAssignments, Votes};
use consilience_ensembles::{Ensemble, KMeansModel};
use consilience_graph::{Alignment, Placer, consensus};

use crate::error::RunError;
use crate::judge::{Chosen, own_numbering};
use crate::linked::placed;
use crate::outcome::Outcome;
use crate::views::{Part, ViewSight, ViewVoters};

/// How what models say becomes one answer.
pub(crate) enum Rule {
    /// Their aligned probabilities are averaged.
    Averaged(Ensemble, Alignment),
    /// Their votes, those of the first ensemble first, are placed among the votes of the run. Each ensemble is of a view, which is 0 for the data.
    Placed(Vec<(usize, Ensemble)>, Placer),
}

/// The rule of a run, its members where they have no part in it, and how samples are seen in views beside the data.
pub(crate) struct Ruling {
    pub(crate) rule: Rule,
    pub(crate) apart: Option<Ensemble>,
    pub(crate) views: Vec<ViewSight>,
}

impl Rule {
    /// The rule of a run.
    pub(crate) fn of(outcome: Outcome, threads: usize) -> Result<Ruling, RunError> {
        let Outcome { answer, ensemble, voters, views: of_views, alignment, .. } = outcome;
        let communities = voters.map(|voters| (Part::COMMUNITIES, voters.ensemble));
        let mut others: BTreeMap<Part, Ensemble> = communities.into_iter().collect();
        let mut views = Vec::new();
        for (at, ViewVoters { view, members, communities, .. }) in (1..).zip(of_views) {
            others.insert(Part::members(at), members);
            others.extend(communities.map(|it| (Part::communities(at), it.ensemble)));
            views.push(ViewSight::of(view));
        }
        let (rule, apart) = match (answer.chosen, answer.cut, answer.k_means) {
            (Chosen::AcrossKinds | Chosen::Communities, Some((_, placer)), _) => {
                Self::placed(&answer.parts, ensemble, others, placer)
            }
            (Chosen::KMeans, _, Some(model)) => (Self::k_means(model, threads)?, Some(ensemble)),
            _ => (Self::Averaged(ensemble, alignment), None),
        };
        Ok(Ruling { rule, apart, views })
    }

    /// The votes of `parts`, in this order, are placed. The members of the run come back if they aren't among these.
    pub(crate) fn placed(
        parts: &[Part],
        members: Ensemble,
        mut others: BTreeMap<Part, Ensemble>,
        placer: Placer,
    ) -> (Self, Option<Ensemble>) {
        others.insert(Part::MEMBERS, members);
        let of_part = |part: &Part| Some((part.view, others.remove(part)?));
        let placed: Vec<_> = parts.iter().filter_map(of_part).collect();
        debug_assert_eq!(placed.len(), parts.len());
        (Self::Placed(placed, placer), others.remove(&Part::MEMBERS))
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
                let on_cpu = ensembles
                    .into_iter()
                    .map(|(view, ensemble)| Ok::<_, RunError>((view, ensemble.on_cpu(threads)?)));
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

    /// The mean probability of every cluster for every sample; `None` where votes are placed, which has none. `seen`: samples as models see them in every view, the
    /// data first.
    pub(crate) fn probabilities(
        &self,
        seen: &[Features],
    ) -> Result<Option<SoftAssignments>, RunError> {
        Ok(match self {
            Self::Averaged(_, alignment) => Some(consensus(&self.ask(seen)?, alignment)?),
            Self::Placed(..) => None,
        })
    }

    /// The cluster of every sample, and its confidence.
    pub(crate) fn answer(&self, seen: &[Features]) -> Result<(Assignments, Vec<f32>), RunError> {
        self.weigh(&self.ask(seen)?)
    }

    /// The same, and how the first ensemble voted.
    pub(crate) fn answer_and_votes(
        &self,
        seen: &[Features],
    ) -> Result<(Assignments, Vec<f32>, Votes), RunError> {
        let answers = self.ask(seen)?;
        let (assignments, confidences) = self.weigh(&answers)?;
        let first = match self {
            Self::Averaged(ensemble, _) => Some(ensemble),
            Self::Placed(ensembles, _) => ensembles.first().map(|(_, ensemble)| ensemble),
        };
        let n_models = first.map_or(0, Ensemble::n_models);
        Ok((assignments, confidences, Votes::from_answers(&answers[..n_models])?))
    }

    /// What every model says.
    pub(crate) fn ask(&self, seen: &[Features]) -> Result<Vec<ModelAnswers>, RunError> {
        Ok(match self {
            Self::Averaged(ensemble, _) => ensemble.predict_new(&seen[0])?,
            Self::Placed(ensembles, _) => {
                let mut answers = Vec::new();
                for (view, ensemble) in ensembles {
                    answers.extend(ensemble.predict_new(&seen[*view])?);
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
