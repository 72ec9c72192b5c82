//! What a run leaves behind: a record of every round, from which everything else is derived.

use consilience_data::{ClusterId, ModelAnswers, Votes};
use consilience_ensembles::{Ensemble, Prepared};
use consilience_graph::Alignment;
use serde::Serialize;

use crate::cut::Cut;
use crate::few_labels::Taught;
use crate::judge::Answer;
use crate::knowledge::Held;
use crate::round::Round;
use crate::strays::StraysFound;
use crate::views::ViewVoters;
use crate::voters::Voters;

/// The result of a run.
pub struct Outcome {
    /// All rounds that stand, at least one.
    pub rounds: Vec<Round>,
    /// Why there was no further round.
    pub stop: StopReason,
    /// What was done until the time was up, if it was: with it in its settings, a run does the same without a clock.
    pub cut: Option<Cut>,
    /// What came out.
    pub answer: Answer,
    /// All models' votes in the last round.
    pub votes: Votes,
    /// All models' answers in the last round, each in its own numbering, length n_models.
    pub answers: Vec<ModelAnswers>,
    /// The models as they were last trained.
    pub ensemble: Ensemble,
    /// Voters of another kind, if there were any.
    pub voters: Option<Voters>,
    /// Other views of the samples, and what voted on them.
    pub views: Vec<ViewVoters>,
    /// Which of their clusters is which of the consensus in the last round.
    pub alignment: Alignment,
    /// The data as the models saw it.
    pub data: Prepared,
    /// Samples that belong nowhere, if they were sought.
    pub strays: Option<StraysFound>,
    /// What it was taught, in a run that learnt from labels.
    pub taught: Option<Taught>,
    /// What became of what was known of some samples, in a run that was told it.
    pub held: Option<Held>,
}

impl Outcome {
    /// The last round.
    #[must_use]
    pub fn last(&self) -> &Round {
        self.rounds.last().expect("a run has at least one round")
    }

    /// The cluster of every sample, length n_samples; `None` of strays.
    #[must_use]
    pub fn clusters(&self) -> Vec<Option<ClusterId>> {
        let found = &self.answer.assignments;
        let all = || found.clusters().iter().copied().map(Some).collect();
        self.strays.as_ref().map_or_else(all, |strays| strays.clusters(found))
    }
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum StopReason {
    /// All rounds were done.
    RoundLimit,
    /// The consensus hardly changed any more.
    #[expect(missing_docs, reason = "adjusted Rand index of the last two rounds' consensus")]
    Stable { ari_to_previous: f64 },
    /// The last round told less of neighbours' clusters than one before: it isn't among the rounds, and the one before it stands.
    #[expect(
        missing_docs,
        reason = "what that round told of neighbours' clusters, in nats, and the most before it"
    )]
    Worse { information: f64, best: f64 },
    /// With the last round, neighbours would speak less for the answer of all kinds than with one before: it isn't among the rounds, and the one before it stands.
    #[expect(
        missing_docs,
        reason = "net evidence of that answer, in nats, and the most before it: see `Evidence::net`"
    )]
    WorseTogether { evidence: f64, best: f64 },
    /// The time was up.
    TimeLimit,
    /// All rounds were done, and none found K mini-clusters.
    NoCluster,
    /// The votes were given: there was nothing to train.
    NoTraining,
}
