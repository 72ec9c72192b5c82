//! The numbers of a run that trained its models.

use std::time::Duration;

use consilience_data::{Assignments, ClusterId, DataError, Truth, Votes};
use consilience_graph::{Diversity, Signatures, Threads};

use super::given::GivenMetrics;
use super::labels::PseudoLabelMetrics;
use super::machine::{Machine, peak_rss_mb};
use super::schema::{
    AnswerMetrics, GraphMetrics, Metrics, ModelMetrics, ProfileMetrics, RoundMetrics, StrayMetrics,
    ViewMetrics, milliseconds,
};
use super::trust::{Found, TrustMetrics};
use crate::evaluation::Scores;
use crate::judge::Candidate;
use crate::outcome::Outcome;
use crate::round::{ModelVotes, Round};
use crate::{RunError, ValidConfig};

impl Metrics {
    /// Puts a run's numbers together, without a curve, and scores it if there is `truth`. `seconds`: by the wall's clock, so far.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the truth is of other samples, [`GraphError::Threads`] if the system gives none.
    ///
    /// [`GraphError::Threads`]: consilience_graph::GraphError::Threads
    pub fn of_run(
        outcome: &Outcome,
        config: &ValidConfig,
        seconds: f64,
        truth: Option<&Truth>,
    ) -> Result<Self, RunError> {
        let (last, data) = (outcome.last(), outcome.data.features());
        let answer = &outcome.answer;
        let (clusters, k) = (outcome.clusters(), config.n_clusters);
        let scored = |truth| match outcome.strays {
            None => Scores::of_assignments(truth, &answer.assignments),
            Some(_) => Scores::of_partial(truth, &clusters, k),
        };
        let scores = truth.map(scored).transpose()?;
        let compared = |candidate: &Candidate| -> Result<_, DataError> {
            let scores = truth.map(|truth| Scores::of_assignments(truth, &candidate.assignments));
            let scores = scores.transpose()?;
            Ok(AnswerMetrics {
                of: candidate.of,
                acc: scores.as_ref().map(|scores| scores.acc),
                ari: scores.as_ref().map(|scores| scores.ari),
                evidence: candidate.evidence,
            })
        };
        let answers: Result<Vec<_>, DataError> = answer.candidates.iter().map(compared).collect();
        let kinds = outcome.ensemble.kinds();
        let rounds: Result<Vec<_>, DataError> =
            outcome.rounds.iter().enumerate().map(|round| of_round(round, &kinds, truth)).collect();
        let threads = Threads::new(config.compute.threads)?;
        let agreement = config.agreement_for(outcome.ensemble.n_models())?;
        let signatures = Signatures::group(&outcome.votes, &agreement, &threads)?;
        let found = Found {
            clusters: &clusters,
            confidences: &answer.confidence,
            pseudo_labels: &answer.pseudo_labels,
            n_clusters: k,
        };
        let votes = outcome.votes.clusters();
        let votes = votes.rows().into_iter().map(|row| row.iter().map(voted).collect());
        let trust = TrustMetrics::new(found, votes, &Diversity::of(&signatures, &threads), truth)?;
        Ok(Self {
            n_samples: data.n_samples(),
            n_features: Some(outcome.data.transform().shift.len()),
            n_models: signatures.n_models(),
            n_clusters: config.n_clusters,
            granularity: None,
            cut_of: None,
            given: GivenMetrics::of(outcome, config.few_labels.as_ref(), truth)?,
            held: outcome.held,
            preset: Some(config.preset.clone()),
            seed: Some(config.seed),
            device: config.compute.device,
            engine: Some(config.trained_by),
            kernels: config.compute.kernels,
            threads: config.compute.threads,
            seconds: milliseconds(seconds),
            parts: None,
            peak_rss_mb: peak_rss_mb(),
            machine: Machine::this(),
            stop: outcome.stop,
            acc: scores.as_ref().map(|scores| scores.acc),
            nmi: scores.as_ref().map(|scores| scores.nmi),
            ari: scores.as_ref().map(|scores| scores.ari),
            n_far_off: outcome.data.far_off().len(),
            first_far_off: outcome.data.far_off().first().copied(),
            strays: outcome
                .strays
                .as_ref()
                .zip(config.strays)
                .map(|(found, asked)| StrayMetrics::of(found, asked)),
            n_without_votes: signatures.n_without_votes(),
            n_passing_gate: signatures.n_passing_gate(),
            complete: answer.is_complete(),
            chosen: Some(answer.chosen),
            answers: Some(answers?),
            communities_coherence: answer.coherence,
            communities_search: outcome.voters.as_ref().map(|voters| voters.search),
            views: (!outcome.views.is_empty())
                .then(|| outcome.views.iter().map(ViewMetrics::of).collect()),
            pseudo_label_kinds: Some(answer.kinds.clone()),
            pseudo_label_rule: answer.rule,
            mean_confidence: mean(&clusters, &answer.confidence),
            pseudo_labels: PseudoLabelMetrics::of(&answer.pseudo_labels, truth)?,
            graph: GraphMetrics { signatures: last.n_signatures, seconds: graph_seconds(outcome) },
            profile: Some(profile(outcome)),
            consensus_method: None,
            consensus_min_agree: None,
            curve: Vec::new(),
            curve_left_out: Vec::new(),
            trust,
            rounds: rounds?,
            inputs: None,
            scores,
        })
    }
}

fn profile(outcome: &Outcome) -> ProfileMetrics {
    let models = outcome.last().seconds.models;
    let seconds = |time: Duration| milliseconds(time.as_secs_f64());
    ProfileMetrics {
        noise: seconds(models.noise),
        forward: seconds(models.forward),
        backward: seconds(models.backward),
        optimiser: seconds(models.optimiser),
        gpu: seconds(models.gpu),
        prediction: seconds(models.prediction),
        graph: graph_seconds(outcome),
    }
}

fn graph_seconds(outcome: &Outcome) -> f64 {
    milliseconds(outcome.rounds.iter().map(|round| round.seconds.graph).sum())
}

fn of_round(
    (index, round): (usize, &Round),
    kinds: &[&'static str],
    truth: Option<&Truth>,
) -> Result<RoundMetrics, DataError> {
    let models = kinds.iter().zip(&round.models).map(|(&kind, model)| of_model(kind, model, truth));
    Ok(RoundMetrics {
        round: index,
        seconds: Some(milliseconds(round.seconds.total)),
        models: models.collect::<Result<_, DataError>>()?,
        diversity: round.diversity,
        n_equal_pairs: None,
        pseudo_labels: PseudoLabelMetrics::of(&round.pseudo_labels, truth)?,
        complete: round.complete,
        ensemble_acc: accuracy(&round.consensus, truth)?,
        consensus_ari_to_previous: round.ari_to_previous,
        neighbour_information: Some(round.information),
        with_all_kinds: round.with_all_kinds,
        signatures: round.n_signatures,
    })
}

fn of_model(
    kind: &'static str,
    model: &ModelVotes,
    truth: Option<&Truth>,
) -> Result<ModelMetrics, DataError> {
    let (votes, n_clusters) = (model.clusters(), model.n_clusters());
    let acc = |truth| Scores::of_partial(truth, &votes, n_clusters).map(|scores| scores.acc);
    Ok(ModelMetrics {
        kind: Some(kind),
        name: None,
        n_clusters,
        n_missing: votes.iter().filter(|vote| vote.is_none()).count(),
        acc: truth.map(acc).transpose()?,
        mean_confidence: Some(model.mean_confidence),
    })
}

fn voted(&cluster: &u16) -> Option<ClusterId> {
    (cluster != Votes::MISSING).then_some(ClusterId(cluster))
}

fn accuracy(found: &Assignments, truth: Option<&Truth>) -> Result<Option<f64>, DataError> {
    let acc = |truth| Ok(Scores::of_assignments(truth, found)?.acc);
    truth.map(acc).transpose()
}

fn mean(clusters: &[Option<ClusterId>], confidences: &[f32]) -> f64 {
    let with_cluster = clusters.iter().zip(confidences).filter(|(cluster, _)| cluster.is_some());
    let (sum, count) = with_cluster
        .fold((0.0, 0), |(sum, count), (_, &confidence)| (sum + f64::from(confidence), count + 1));
    sum / f64::from(count).max(1.0)
}
