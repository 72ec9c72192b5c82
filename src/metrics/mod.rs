//! `metrics.json`: a run in numbers, for scripts.
//!
//! Everything is derived from what the run recorded. Scores are computed here and now, by [`Scores`]; without the
//! truth each is `null`.

mod machine;
mod trust;
mod votes;

use consilience_data::{
    Assignments, ClusterId, DataError, ModelIdx, PseudoLabels, Seed, Truth, Votes,
};
use std::time::Duration;

use consilience_ensembles::{Device, EngineName};
use consilience_graph::{Diversity, Signatures, Threads};
use serde::Serialize;

use crate::evaluation::Scores;
use crate::guard::{Baseline, Chosen};
use crate::outcome::{Outcome, Round, StopReason};
use crate::{Config, RunError, ValidConfig};

pub use self::machine::Machine;
use self::trust::Found;
pub use self::trust::{ClusterMetrics, MAX_SIDE, Matrix, TrustMetrics};
pub use self::votes::{CurvePoint, VoterMetrics, VotesContext, VotesMetrics, VotesRound};

/// A run in numbers. Fields are in the order of the file.
#[derive(Debug, Clone, Serialize)]
pub struct Metrics {
    /// Number of samples.
    pub n_samples: usize,
    /// Number of features.
    pub n_features: usize,
    /// Number of clusters that was asked for, K.
    pub n_clusters: usize,
    /// The preset that settings were started from.
    pub preset: String,
    /// The seed of the run.
    pub seed: Seed,
    /// Where the networks were trained.
    pub device: Device,
    /// What trained them.
    pub engine: EngineName,
    /// Whether a GPU used our own CUDA kernels.
    pub kernels: bool,
    /// Threads worked on.
    pub threads: usize,
    /// Wall-clock seconds, reading included, writing not.
    pub seconds: f64,
    /// The most memory that was resident, in MiB; `None` where the system doesn't say.
    pub peak_rss_mb: Option<f64>,
    /// Where it was computed.
    pub machine: Machine,
    /// Why there was no further round.
    pub stop: StopReason,
    /// Accuracy of the assignments: see [`Scores`].
    pub acc: Option<f64>,
    /// Normalised mutual information of the assignments.
    pub nmi: Option<f64>,
    /// Adjusted Rand index of the assignments.
    pub ari: Option<f64>,
    /// Number of samples in which every model's confidence exceeds `agreement.min_confidence`: only these can be agreed on.
    pub n_passing_gate: usize,
    /// Whether the final set of pseudo-labels has all K mini-clusters.
    pub complete: bool,
    /// Which clustering was chosen.
    pub chosen: Chosen,
    /// What it was compared with.
    pub k_means: Option<BaselineMetrics>,
    /// Mean confidence of the assignments.
    pub mean_confidence: f64,
    /// The final pseudo-labels.
    pub pseudo_labels: PseudoLabelMetrics,
    /// The agreement graph.
    pub graph: GraphMetrics,
    /// Where the time went.
    pub profile: ProfileMetrics,
    /// Coverage against strictness, for the last round's votes, strictest first.
    pub curve: Vec<CurvePoint>,
    /// Whether the result can be trusted.
    #[serde(flatten)]
    pub trust: TrustMetrics,
    /// All rounds.
    pub rounds: Vec<RoundMetrics>,
    /// All scores of the assignments: also purity, each class, and the contingency table.
    pub scores: Option<Scores>,
}

/// k-means in numbers.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BaselineMetrics {
    /// Accuracy of its assignments.
    pub acc: Option<f64>,
    /// What they tell of neighbours' clusters, in nats.
    pub neighbour_information: f64,
}

/// Pseudo-labels in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct PseudoLabelMetrics {
    /// Number of samples with a label.
    pub count: usize,
    /// Their share of all samples.
    pub coverage: f64,
    /// Accuracy over them alone; `None` also if there are none.
    pub acc: Option<f64>,
    /// Number of samples in each mini-cluster, length n_clusters.
    pub sizes: Vec<usize>,
}

/// The agreement graph in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct GraphMetrics {
    /// Distinct signatures in the last round.
    pub signatures: usize,
    /// Wall-clock seconds from votes to pseudo-labels, over all rounds.
    pub seconds: f64,
}

/// Where the time went, in seconds. What models do is summed over them, who work side by side; the graph is one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ProfileMetrics {
    /// Gathering batches and drawing noise and directions.
    pub noise: f64,
    /// Activations and losses.
    pub forward: f64,
    /// Gradients, those of adversarial directions included.
    pub backward: f64,
    /// Adam.
    pub optimiser: f64,
    /// All of these on a GPU, where they can't be told apart without waiting for each.
    pub gpu: f64,
    /// Population statistics and votes.
    pub prediction: f64,
    /// Votes to pseudo-labels.
    pub graph: f64,
}

impl ProfileMetrics {
    fn new(outcome: &Outcome) -> Self {
        let models = outcome.last().seconds.models;
        let seconds = |time: Duration| milliseconds(time.as_secs_f64());
        Self {
            noise: seconds(models.noise),
            forward: seconds(models.forward),
            backward: seconds(models.backward),
            optimiser: seconds(models.optimiser),
            gpu: seconds(models.gpu),
            prediction: seconds(models.prediction),
            graph: graph_seconds(outcome),
        }
    }
}

fn graph_seconds(outcome: &Outcome) -> f64 {
    milliseconds(outcome.rounds.iter().map(|round| round.seconds.graph).sum())
}

/// A round in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct RoundMetrics {
    /// 0 for the first.
    pub round: usize,
    /// Wall-clock seconds.
    pub seconds: f64,
    /// Every model, in order.
    pub models: Vec<ModelMetrics>,
    /// Mean pairwise adjusted Rand index of the models; `None` with one.
    pub diversity: Option<f64>,
    /// The round's pseudo-labels.
    pub pseudo_labels: PseudoLabelMetrics,
    /// Whether there are all K mini-clusters.
    pub complete: bool,
    /// Accuracy of the consensus.
    pub ensemble_acc: Option<f64>,
    /// Adjusted Rand index of this round's consensus and the last one's.
    pub consensus_ari_to_previous: Option<f64>,
    /// What the consensus tells of neighbours' clusters, in nats.
    pub neighbour_information: f64,
    /// Distinct signatures among the votes.
    pub signatures: usize,
}

/// A model in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct ModelMetrics {
    /// What kind of model it is.
    pub kind: &'static str,
    /// Accuracy of its votes.
    pub acc: Option<f64>,
    /// Mean confidence of its votes.
    pub mean_confidence: f64,
}

impl Metrics {
    /// Puts a run's numbers together, and scores it if there is `truth`. `seconds`: by the wall's clock, so far.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the truth is of other samples, [`GraphError::Threads`] if the system gives none.
    ///
    /// [`GraphError::Threads`]: consilience_graph::GraphError::Threads
    pub fn new(
        outcome: &Outcome,
        config: &ValidConfig,
        seconds: f64,
        truth: Option<&Truth>,
    ) -> Result<Self, RunError> {
        let (last, data) = (outcome.last(), outcome.data.features());
        let answer = &outcome.answer;
        let scores =
            truth.map(|truth| Scores::of_assignments(truth, &answer.assignments)).transpose()?;
        let k_means = |baseline: &Baseline| -> Result<_, DataError> {
            let acc = accuracy(&baseline.assignments, truth)?;
            Ok(BaselineMetrics { acc, neighbour_information: baseline.information })
        };
        let kinds = outcome.ensemble.kinds();
        let rounds: Result<Vec<_>, DataError> =
            outcome.rounds.iter().enumerate().map(|round| of_round(round, &kinds, truth)).collect();
        let settings: &Config = config;
        let (k, threads) = (config.n_clusters, Threads::new(config.compute.threads)?);
        let n_own = outcome.ensemble.n_models() - config.members.len();
        let agreement = config.agreement_with(n_own)?;
        let signatures = Signatures::group(&last.votes, &agreement, &threads)?;
        let clusters: Vec<_> = answer.assignments.clusters().iter().copied().map(Some).collect();
        let found = Found {
            clusters: &clusters,
            confidences: &answer.confidence,
            pseudo_labels: &answer.pseudo_labels,
            n_clusters: k,
        };
        let votes = last.votes.clusters();
        let votes = votes.rows().into_iter().map(|row| row.iter().map(voted).collect());
        let trust = TrustMetrics::new(found, votes, &Diversity::of(&signatures, &threads), truth)?;
        Ok(Self {
            n_samples: data.n_samples(),
            n_features: outcome.data.transform().shift.len(),
            n_clusters: config.n_clusters,
            preset: config.preset.clone(),
            seed: config.seed,
            device: config.compute.device,
            engine: config.trained_by,
            kernels: config.compute.kernels,
            threads: config.compute.threads,
            seconds: milliseconds(seconds),
            peak_rss_mb: peak_rss_mb(),
            machine: Machine::this(),
            stop: outcome.stop,
            acc: scores.as_ref().map(|scores| scores.acc),
            nmi: scores.as_ref().map(|scores| scores.nmi),
            ari: scores.as_ref().map(|scores| scores.ari),
            n_passing_gate: signatures.n_passing_gate(),
            complete: last.complete,
            chosen: answer.chosen,
            k_means: answer.k_means.as_ref().map(k_means).transpose()?,
            mean_confidence: mean(&answer.confidence),
            pseudo_labels: of_pseudo_labels(&answer.pseudo_labels, truth)?,
            graph: GraphMetrics { signatures: last.n_signatures, seconds: graph_seconds(outcome) },
            profile: ProfileMetrics::new(outcome),
            curve: trust::curve(&signatures, &settings.agreement, k, &threads, truth)?,
            trust,
            rounds: rounds?,
            scores,
        })
    }

    /// The content of `metrics.json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("plain structs of numbers and texts");
        json + "\n"
    }
}

fn of_round(
    (index, round): (usize, &Round),
    kinds: &[&'static str],
    truth: Option<&Truth>,
) -> Result<RoundMetrics, DataError> {
    let models: Result<Vec<_>, DataError> = kinds
        .iter()
        .enumerate()
        .map(|(index, &kind)| {
            let model = ModelIdx::from_index(index);
            let votes: Vec<_> = round.votes.of_model(model).iter().map(voted).collect();
            let k = round.votes.n_clusters(model);
            let acc =
                truth.map(|truth| Ok(Scores::of_partial(truth, &votes, k)?.acc)).transpose()?;
            let mean_confidence = mean(&round.votes.confidences().row(index).to_vec());
            Ok(ModelMetrics { kind, acc, mean_confidence })
        })
        .collect();
    Ok(RoundMetrics {
        round: index,
        seconds: milliseconds(round.seconds.total),
        models: models?,
        diversity: round.diversity,
        pseudo_labels: of_pseudo_labels(&round.pseudo_labels, truth)?,
        complete: round.complete,
        ensemble_acc: accuracy(&round.consensus, truth)?,
        consensus_ari_to_previous: round.ari_to_previous,
        neighbour_information: round.information,
        signatures: round.n_signatures,
    })
}

fn voted(&cluster: &u16) -> Option<ClusterId> {
    (cluster != Votes::MISSING).then_some(ClusterId(cluster))
}

fn of_pseudo_labels(
    labels: &PseudoLabels,
    truth: Option<&Truth>,
) -> Result<PseudoLabelMetrics, DataError> {
    let scores = truth.map(|truth| Scores::of_pseudo_labels(truth, labels)).transpose()?;
    Ok(PseudoLabelMetrics {
        count: labels.len(),
        coverage: labels.coverage(),
        acc: scores.map(|scores| scores.acc).filter(|acc| acc.is_finite()),
        sizes: labels.sizes(),
    })
}

fn accuracy(found: &Assignments, truth: Option<&Truth>) -> Result<Option<f64>, DataError> {
    let acc = |truth| Ok(Scores::of_assignments(truth, found)?.acc);
    truth.map(acc).transpose()
}

#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn mean(confidences: &[f32]) -> f64 {
    confidences.iter().map(|&confidence| f64::from(confidence)).sum::<f64>()
        / confidences.len() as f64
}

fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// The high-water mark of resident memory, from Linux.
fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kibibytes / 102.4).round() / 10.0)
}
