//! `metrics.json` of `pseudo-label`: what became of votes, in numbers.

use consilience_data::{DataError, ModelIdx, Truth, VotesInfo};
use consilience_graph::{Extraction, Signatures, Strictness};
use serde::Serialize;

use super::trust::Found;
use super::{
    GraphMetrics, Machine, PseudoLabelMetrics, TrustMetrics, milliseconds, of_pseudo_labels,
    peak_rss_mb,
};
use crate::RunError;
use crate::evaluation::Scores;
use crate::from_votes::{VotesConfig, VotesOutcome, VotesSeconds};
use crate::outcome::StopReason;

/// What became of votes, in numbers. Fields that a run of `cluster` has too are called the same; those that votes
/// don't have are `null`.
#[derive(Debug, Clone, Serialize)]
pub struct VotesMetrics {
    /// Number of samples.
    pub n_samples: usize,
    /// Nothing is known of features.
    pub n_features: Option<usize>,
    /// Number of models.
    pub n_models: usize,
    /// Number of clusters that was asked for, K.
    pub n_clusters: usize,
    /// Nothing is random.
    pub seed: Option<u64>,
    /// Where it was computed.
    pub device: &'static str,
    /// Threads worked on.
    pub threads: usize,
    /// Wall-clock seconds, reading included, writing not.
    pub seconds: f64,
    /// The same in parts.
    pub parts: VotesSeconds,
    /// The most memory that was resident, in MiB; `None` where the system doesn't say.
    pub peak_rss_mb: Option<f64>,
    /// Where it was computed.
    pub machine: Machine,
    /// Always that nothing was trained.
    pub stop: StopReason,
    /// Accuracy of the consensus: see [`Scores`]. Samples without votes count as wrong.
    pub acc: Option<f64>,
    /// Normalised mutual information of the consensus.
    pub nmi: Option<f64>,
    /// Adjusted Rand index of the consensus.
    pub ari: Option<f64>,
    /// Whether all K mini-clusters were found.
    pub complete: bool,
    /// Mean confidence of the consensus, over the samples that have votes.
    pub mean_confidence: f64,
    /// Samples on which no model voted. They have neither a cluster nor a label.
    pub n_without_votes: usize,
    /// Samples in which every model that voted is more confident than `min_confidence`; others get no label.
    pub n_passing_gate: usize,
    /// The pseudo-labels.
    pub pseudo_labels: PseudoLabelMetrics,
    /// The agreement graph.
    pub graph: GraphMetrics,
    /// The `min_agree` of the mini-clusters from which the consensus starts.
    pub consensus_min_agree: Strictness,
    /// Coverage against strictness, strictest first.
    pub curve: Vec<CurvePoint>,
    /// Whether the result can be trusted.
    #[serde(flatten)]
    pub trust: TrustMetrics,
    /// The votes as a round that nobody trained.
    pub rounds: [VotesRound; 1],
    /// What the files were understood to be.
    pub inputs: Vec<VotesInfo>,
    /// All scores of the consensus.
    pub scores: Option<Scores>,
}

/// What a strictness gives.
#[derive(Debug, Clone, Serialize)]
pub struct CurvePoint {
    /// Models that have to put two samples together to join them: a number, or a share of those that voted.
    pub min_agree: Strictness,
    /// Whether all K mini-clusters were found.
    pub complete: bool,
    /// Number of mini-clusters that were found.
    pub n_found: usize,
    /// Number of samples in the smallest of them; 0 without any.
    pub smallest: usize,
    /// The pseudo-labels.
    #[serde(flatten)]
    pub pseudo_labels: PseudoLabelMetrics,
}

/// The votes, as the one round that there is.
#[derive(Debug, Clone, Serialize)]
pub struct VotesRound {
    /// 0.
    pub round: usize,
    /// Every model, in order.
    pub models: Vec<VoterMetrics>,
    /// Mean pairwise adjusted Rand index of the models; `None` with one.
    pub diversity: Option<f64>,
    /// Pairs of models that say the same.
    pub n_equal_pairs: usize,
    /// The pseudo-labels.
    pub pseudo_labels: PseudoLabelMetrics,
    /// Accuracy of the consensus.
    pub ensemble_acc: Option<f64>,
    /// There is no round before.
    pub consensus_ari_to_previous: Option<f64>,
}

/// A model in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct VoterMetrics {
    /// Its file, or its column.
    pub name: String,
    /// Number of clusters that it names.
    pub n_clusters: usize,
    /// Samples on which it did not vote.
    pub n_missing: usize,
    /// Accuracy of its votes; samples without one count as wrong.
    pub acc: Option<f64>,
}

/// What the outcome doesn't tell.
#[derive(Debug, Clone)]
pub struct VotesContext {
    /// What the files were understood to be.
    pub inputs: Vec<VotesInfo>,
    /// A name for each model.
    pub models: Vec<String>,
    /// Coverage against strictness, as observed.
    pub curve: Vec<CurvePoint>,
    /// Threads worked on.
    pub threads: usize,
    /// Wall-clock seconds so far.
    pub seconds: f64,
}

impl CurvePoint {
    /// A point of the curve, scored if there is `truth`.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the truth is of other samples.
    pub fn of(
        min_agree: Strictness,
        extraction: &Extraction,
        k: usize,
        truth: Option<&Truth>,
    ) -> Result<Self, DataError> {
        Ok(Self {
            min_agree,
            complete: extraction.is_complete(k),
            n_found: extraction.anchors.len(),
            smallest: extraction.smallest(),
            pseudo_labels: of_pseudo_labels(&extraction.pseudo_labels, truth)?,
        })
    }
}

impl VotesMetrics {
    /// Puts the numbers together, and scores them if there is `truth`.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the truth is of other samples.
    pub fn new(
        outcome: &VotesOutcome,
        signatures: &Signatures,
        config: &VotesConfig,
        context: VotesContext,
        truth: Option<&Truth>,
    ) -> Result<Self, RunError> {
        // K as asked for: a consensus of fewer mini-clusters leaves the last ones empty.
        let (clusters, k) = (&outcome.consensus.clusters, config.n_clusters);
        let scores = truth.map(|truth| Scores::of_partial(truth, clusters, k)).transpose()?;
        let mut pseudo_labels = of_pseudo_labels(&outcome.pseudo_labels, truth)?;
        pseudo_labels.sizes.resize(k, 0);
        let acc = scores.as_ref().map(|scores| scores.acc);
        let models: Result<Vec<_>, DataError> = context
            .models
            .into_iter()
            .enumerate()
            .map(|model| voter(model, signatures, truth))
            .collect();
        let round = VotesRound {
            round: 0,
            models: models?,
            diversity: outcome.diversity.mean(),
            n_equal_pairs: outcome.diversity.n_equal(),
            pseudo_labels: pseudo_labels.clone(),
            ensemble_acc: acc,
            consensus_ari_to_previous: None,
        };
        let found = Found {
            clusters,
            confidences: &outcome.consensus.confidences,
            pseudo_labels: &outcome.pseudo_labels,
            n_clusters: k,
        };
        let votes = (0..signatures.n_models())
            .map(|model| signatures.votes_of(ModelIdx::from_index(model)));
        let trust = TrustMetrics::new(found, votes, &outcome.diversity, truth)?;
        Ok(Self {
            n_samples: signatures.n_samples(),
            n_features: None,
            n_models: signatures.n_models(),
            n_clusters: config.n_clusters,
            seed: None,
            device: "cpu",
            threads: context.threads,
            seconds: milliseconds(context.seconds),
            parts: outcome.seconds,
            peak_rss_mb: peak_rss_mb(),
            machine: Machine::this(),
            stop: StopReason::NoTraining,
            acc,
            nmi: scores.as_ref().map(|scores| scores.nmi),
            ari: scores.as_ref().map(|scores| scores.ari),
            complete: outcome.complete,
            mean_confidence: mean_confidence(outcome),
            n_without_votes: signatures.n_without_votes(),
            n_passing_gate: signatures.n_passing_gate(),
            pseudo_labels,
            graph: GraphMetrics {
                signatures: signatures.len(),
                seconds: milliseconds(outcome.seconds.extraction),
            },
            consensus_min_agree: outcome.consensus_min_agree,
            curve: context.curve,
            trust,
            rounds: [round],
            inputs: context.inputs,
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

fn voter(
    (model, name): (usize, String),
    signatures: &Signatures,
    truth: Option<&Truth>,
) -> Result<VoterMetrics, DataError> {
    let model = ModelIdx::from_index(model);
    let (votes, n_clusters) = (signatures.votes_of(model), signatures.n_clusters(model));
    // Ids may have gaps where votes come from elsewhere than files.
    let n_ids = votes.iter().flatten().max().map_or(0, |largest| largest.index() + 1);
    let acc = |truth| Ok(Scores::of_partial(truth, &votes, n_ids)?.acc);
    Ok(VoterMetrics {
        name,
        n_clusters,
        n_missing: votes.iter().filter(|vote| vote.is_none()).count(),
        acc: truth.map(acc).transpose()?,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn mean_confidence(outcome: &VotesOutcome) -> f64 {
    let confidences = &outcome.consensus.confidences;
    // Probabilities of the best of K are at least 1 / K; those without votes have 0.
    let n_voted =
        confidences.len() - confidences.iter().filter(|&&confidence| confidence == 0.0).count();
    let sum: f64 = confidences.iter().map(|&confidence| f64::from(confidence)).sum();
    sum / n_voted.max(1) as f64
}
