//! A model of an ensemble, and what is kept of it between the steps of a run.

use consilience_data::{Features, ModelAnswers, SoftAssignments};
use ndarray::Array2;

use crate::checkpoints::{Checkpoints, Record};
use crate::error::EnsembleError;
use crate::members::clusterer::Clusterer;
use crate::members::communities::Communities;
use crate::members::neighbour_vote::NeighbourVote;
use crate::members::network::Network;
use crate::progress::Progress;

/// The name of the probabilities in a record of votes.
const PROBABILITIES: &str = "probabilities";

/// A model of an ensemble.
pub(crate) struct Member {
    /// Its number among all that the ensemble was made of, whichever are left.
    pub(crate) number: usize,
    pub(crate) model: Model,
    /// After how many steps its next phase has to end.
    pub(crate) most_steps: Option<usize>,
    /// What a checkpoint has of it.
    kept: Kept,
    /// Its state before the last phase, to come back to.
    before: Option<Record>,
    /// What it has said of the samples that it was trained on, if it votes once.
    said: Option<ModelAnswers>,
}

/// What trains it.
pub(crate) enum Model {
    Network(Box<Network>),
    Communities(Box<Communities>),
    Other(Box<dyn Clusterer>),
}

impl Model {
    pub(crate) fn clusterer(&self) -> &dyn Clusterer {
        match self {
            Self::Network(network) => &**network,
            Self::Communities(communities) => &**communities,
            Self::Other(other) => &**other,
        }
    }

    pub(crate) fn clusterer_mut(&mut self) -> &mut dyn Clusterer {
        match self {
            Self::Network(network) => &mut **network,
            Self::Communities(communities) => &mut **communities,
            Self::Other(other) => &mut **other,
        }
    }
}

/// What a checkpoint has of a model after a phase of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Nothing: it has to be trained.
    Nothing,
    /// Its state, which it is in.
    State,
    /// Its votes alone: the state of a later round is there, and will come.
    Votes,
}

impl Member {
    pub(crate) fn new(number: usize, model: Model) -> Self {
        Self { number, model, most_steps: None, kept: Kept::Nothing, before: None, said: None }
    }

    pub(crate) fn clusterer(&self) -> &dyn Clusterer {
        self.model.clusterer()
    }

    pub(crate) fn clusterer_mut(&mut self) -> &mut dyn Clusterer {
        self.model.clusterer_mut()
    }

    /// Remembers the state that it is in, which the next phase begins from.
    pub(crate) fn remember(&mut self) {
        let is_there = self.kept != Kept::Votes && !self.clusterer().votes_once();
        self.before = if is_there { self.clusterer().state() } else { None };
    }

    /// Finds the phase of `round` among `checkpoints`; whether that was all, so that there is nothing to train.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::NoState`] if it has to be trained, but isn't as the round before left it.
    pub(crate) fn resume(
        &mut self,
        round: usize,
        checkpoints: &dyn Checkpoints,
    ) -> Result<bool, EnsembleError> {
        if let Some(state) = checkpoints.load(&self.step(round, "state")) {
            if !self.clusterer_mut().restore(state) {
                return Err(self.lost());
            }
            self.kept = Kept::State;
        } else if checkpoints.load(&self.step(round, "votes")).is_some() {
            self.kept = Kept::Votes;
        } else if self.kept == Kept::Votes {
            return Err(self.lost());
        } else {
            self.kept = Kept::Nothing;
        }
        Ok(self.kept != Kept::Nothing)
    }

    /// Whether [`Member::go_back`] could come back to the state that it is in, after another phase.
    pub(crate) fn can_come_back(&self) -> bool {
        self.clusterer().votes_once() || self.clusterer().state().is_some()
    }

    /// Whether [`Member::go_back`] can undo the last phase.
    pub(crate) fn can_go_back(&self) -> bool {
        self.clusterer().votes_once() || self.before.is_some()
    }

    /// Comes back to where it was before the last phase.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::NoState`] if it doesn't know.
    pub(crate) fn go_back(&mut self) -> Result<(), EnsembleError> {
        if self.clusterer().votes_once() {
            return Ok(());
        }
        let state = self.before.take();
        let restored = state.is_some_and(|state| self.clusterer_mut().restore(state));
        if restored { Ok(()) } else { Err(self.lost()) }
    }

    fn lost(&self) -> EnsembleError {
        EnsembleError::NoState { model: u16::try_from(self.number).unwrap_or(u16::MAX) }
    }

    /// Keeps its state after the phase of `round`, unless the time was up before its end.
    pub(crate) fn keep(&mut self, round: usize, checkpoints: &dyn Checkpoints) {
        if !checkpoints.keeps() || self.clusterer().cut().is_some() {
            return;
        }
        if let Some(state) = self.clusterer().state() {
            // The state before is what a round that isn't finished in time goes back to.
            let outdated = round.checked_sub(2).map(|before| self.step(before, "state"));
            checkpoints.save(&self.step(round, "state"), state, outdated.as_deref());
            self.kept = Kept::State;
        }
    }

    /// What its nearest neighbours decide, if it is of that kind and was trained.
    pub(crate) fn neighbour_vote(&self) -> Option<&NeighbourVote> {
        match &self.model {
            Model::Communities(communities) => communities.vote().ok(),
            _ => None,
        }
    }

    /// Whether it has said all that it ever says of the samples that it was trained on.
    pub(crate) fn has_said(&self) -> bool {
        self.said.is_some()
    }

    /// It votes once, and this is what it says.
    pub(crate) fn says(&mut self, answers: ModelAnswers) {
        self.said = Some(answers);
    }

    /// Its votes after the phase of `round` on the samples in `features`, which it was trained on: those that were kept, or new ones,
    /// which are then kept if its state is.
    pub(crate) fn vote(
        &mut self,
        features: &Features,
        round: usize,
        progress: &dyn Progress,
    ) -> Result<ModelAnswers, EnsembleError> {
        if let Some(said) = &self.said {
            return Ok(said.clone());
        }
        let checkpoints = progress.checkpoints();
        let step = self.step(round, "votes");
        if let Some(votes) = checkpoints.load(&step).and_then(votes_of) {
            return Ok(votes.into());
        }
        let votes = self.clusterer().predict_watched(features, progress)?;
        if self.clusterer().votes_once() {
            self.said = Some(votes.clone());
        }
        if let (Kept::State, ModelAnswers::Soft(votes)) = (self.kept, &votes) {
            let (mut record, votes) = (Record::default(), votes.view());
            record.push(PROBABILITIES, votes.shape(), votes.iter().copied().collect());
            checkpoints.save(&step, record, None);
        }
        Ok(votes)
    }

    fn step(&self, round: usize, part: &str) -> String {
        format!("round-{round:03}.model-{:05}.{part}", self.number)
    }
}

fn votes_of(mut record: Record) -> Option<SoftAssignments> {
    let (shape, values) = record.take(PROBABILITIES)?;
    let shape: [usize; 2] = shape.try_into().ok()?;
    Some(SoftAssignments::new(Array2::from_shape_vec(shape, values).ok()?))
}
