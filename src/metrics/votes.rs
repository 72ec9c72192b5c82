//! The numbers of votes that were given.

use consilience_data::{DataError, ModelIdx, Truth, VotesInfo};
use consilience_ensembles::Device;
use consilience_graph::Signatures;

use super::labels::PseudoLabelMetrics;
use super::machine::{Machine, peak_rss_mb};
use super::schema::{GraphMetrics, Metrics, ModelMetrics, RoundMetrics, milliseconds};
use super::trust::{Found, TrustMetrics};
use crate::RunError;
use crate::evaluation::Scores;
use crate::from_votes::{VotesConfig, VotesOutcome};
use crate::labelling::LabelRule;
use crate::outcome::StopReason;

/// What the outcome doesn't tell.
#[derive(Debug, Clone)]
pub struct VotesContext {
    /// What the files were understood to be.
    pub inputs: Vec<VotesInfo>,
    /// A name for each model.
    pub models: Vec<String>,
    /// Threads worked on.
    pub threads: usize,
    /// Wall-clock seconds so far.
    pub seconds: f64,
}

impl Metrics {
    /// Puts together the numbers of votes that were given, without a curve, and scores them if there is `truth`.
    ///
    /// # Errors
    ///
    /// [`DataError::LabelCount`] if the truth is of other samples.
    pub fn of_votes(
        outcome: &VotesOutcome,
        signatures: &Signatures,
        config: &VotesConfig,
        context: VotesContext,
        truth: Option<&Truth>,
    ) -> Result<Self, RunError> {
        // K as asked for: a consensus of fewer mini-clusters leaves the last ones empty.
        let (clusters, k) = (&outcome.consensus.clusters, config.n_clusters);
        let scores = truth.map(|truth| Scores::of_partial(truth, clusters, k)).transpose()?;
        let mut pseudo_labels = PseudoLabelMetrics::of(&outcome.pseudo_labels, truth)?;
        pseudo_labels.sizes.resize(k, 0);
        let acc = scores.as_ref().map(|scores| scores.acc);
        let models: Result<Vec<_>, DataError> = context
            .models
            .into_iter()
            .enumerate()
            .map(|model| voter(model, signatures, truth))
            .collect();
        let round = RoundMetrics {
            round: 0,
            seconds: None,
            models: models?,
            diversity: outcome.diversity.mean(),
            n_equal_pairs: Some(outcome.diversity.n_equal()),
            pseudo_labels: pseudo_labels.clone(),
            complete: outcome.complete,
            ensemble_acc: acc,
            consensus_ari_to_previous: None,
            neighbour_information: None,
            with_all_kinds: None,
            signatures: signatures.len(),
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
            granularity: None,
            cut_of: None,
            given: None,
            held: None,
            preset: None,
            seed: None,
            device: Device::Cpu,
            engine: None,
            kernels: false,
            threads: context.threads,
            seconds: milliseconds(context.seconds),
            parts: Some(outcome.seconds),
            peak_rss_mb: peak_rss_mb(),
            machine: Machine::this(),
            stop: StopReason::NoTraining,
            acc,
            nmi: scores.as_ref().map(|scores| scores.nmi),
            ari: scores.as_ref().map(|scores| scores.ari),
            n_far_off: 0,
            first_far_off: None,
            strays: None,
            n_without_votes: signatures.n_without_votes(),
            n_passing_gate: signatures.n_passing_gate(),
            complete: outcome.complete,
            chosen: None,
            answers: None,
            communities_coherence: None,
            communities_search: None,
            views: None,
            pseudo_label_kinds: None,
            pseudo_label_rule: LabelRule::MiniClusters,
            mean_confidence: mean_confidence(outcome),
            pseudo_labels,
            graph: GraphMetrics {
                signatures: signatures.len(),
                seconds: milliseconds(outcome.seconds.extraction),
            },
            profile: None,
            consensus_method: Some(outcome.method),
            consensus_min_agree: outcome.consensus_min_agree,
            curve: Vec::new(),
            curve_left_out: Vec::new(),
            trust,
            rounds: vec![round],
            inputs: Some(context.inputs),
            scores,
        })
    }
}

fn voter(
    (model, name): (usize, String),
    signatures: &Signatures,
    truth: Option<&Truth>,
) -> Result<ModelMetrics, DataError> {
    let model = ModelIdx::from_index(model);
    let (votes, n_clusters) = (signatures.votes_of(model), signatures.n_clusters(model));
    // Ids may have gaps where votes come from elsewhere than files.
    let n_ids = votes.iter().flatten().max().map_or(0, |largest| largest.index() + 1);
    let acc = |truth| Scores::of_partial(truth, &votes, n_ids).map(|scores| scores.acc);
    Ok(ModelMetrics {
        kind: None,
        name: Some(name),
        n_clusters,
        n_missing: votes.iter().filter(|vote| vote.is_none()).count(),
        acc: truth.map(acc).transpose()?,
        mean_confidence: None,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn mean_confidence(outcome: &VotesOutcome) -> f64 {
    let all = outcome.consensus.clusters.iter().zip(&outcome.consensus.confidences);
    let with_cluster = all.filter(|(cluster, _)| cluster.is_some()).map(|(_, &it)| f64::from(it));
    // Probabilities of the best of K are at least 1 / K; those without votes have 0.
    let voted: Vec<f64> = with_cluster.filter(|&confidence| confidence != 0.0).collect();
    voted.iter().sum::<f64>() / voted.len().max(1) as f64
}
