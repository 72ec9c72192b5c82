//! What `metrics.json` holds.

use consilience_data::{Seed, VotesInfo};
use consilience_ensembles::{Device, EngineName};
use consilience_graph::Strictness;
use serde::Serialize;

use super::curve::{Curve, CurvePoint};
use super::given::GivenMetrics;
use super::granularity::GranularityMetrics;
use super::labels::PseudoLabelMetrics;
use super::machine::Machine;
use super::trust::TrustMetrics;
use crate::consensus::ConsensusMethod;
use crate::evaluation::Scores;
use crate::evidence::Evidence;
use crate::from_votes::VotesSeconds;
use crate::judge::Chosen;
use crate::knowledge::Held;
use crate::labelling::LabelRule;
use crate::outcome::StopReason;
use crate::strays::{StrayLimit, StraysFound};
use crate::views::ViewVoters;
use crate::voters::Search;

/// A run in numbers, whether its models were trained or their votes given. What a run doesn't have is `null`. Fields are in the
/// order of the file.
#[derive(Debug, Clone, Serialize)]
pub struct Metrics {
    /// Number of samples.
    pub n_samples: usize,
    /// Number of features; `None` of votes that were given, of which nothing is known.
    pub n_features: Option<usize>,
    /// Number of models.
    pub n_models: usize,
    /// Number of clusters that was asked for, K.
    pub n_clusters: usize,
    /// How K was found; `None` where it was given.
    pub granularity: Option<GranularityMetrics>,
    /// The run of which this is another cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_of: Option<String>,
    /// The labels that the run learnt from; `None` of a run that clustered.
    pub given: Option<GivenMetrics>,
    /// What became of what was known of some samples, in a run that was told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// The preset that settings were started from; `None` without training.
    pub preset: Option<String>,
    /// The seed of the run; `None` where nothing is random.
    pub seed: Option<Seed>,
    /// Where the networks were trained.
    pub device: Device,
    /// What trained them; `None` without training.
    pub engine: Option<EngineName>,
    /// Whether a GPU used our own CUDA kernels.
    pub kernels: bool,
    /// Threads worked on.
    pub threads: usize,
    /// Wall-clock seconds, reading included, the curve and writing not.
    pub seconds: f64,
    /// What given votes took, in parts; `None` with training, of which [`Metrics::profile`] tells.
    pub parts: Option<VotesSeconds>,
    /// The most memory that was resident, in MiB; `None` where the system doesn't say.
    pub peak_rss_mb: Option<f64>,
    /// Where it was computed.
    pub machine: Machine,
    /// Why there was no further round.
    pub stop: StopReason,
    /// Accuracy of the assignments: see [`Scores`]. Samples without votes count as wrong.
    pub acc: Option<f64>,
    /// Normalised mutual information of the assignments.
    pub nmi: Option<f64>,
    /// Adjusted Rand index of the assignments.
    pub ari: Option<f64>,
    /// Samples so far from all others that they were pulled in: see [`Prepared::far_off`](consilience_ensembles::Prepared::far_off).
    pub n_far_off: usize,
    /// The first of them.
    pub first_far_off: Option<usize>,
    /// Samples that were left without a cluster, as they belong nowhere; `None` if they weren't sought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strays: Option<StrayMetrics>,
    /// Samples on which no model voted. They have no label, and a cluster only from models that were trained.
    pub n_without_votes: usize,
    /// Samples in which every model that voted is more confident than `agreement.min_confidence`: only these can be agreed on.
    pub n_passing_gate: usize,
    /// Whether each of the K clusters has final pseudo-labels.
    pub complete: bool,
    /// Which clustering was chosen; `None` where there was no other.
    pub chosen: Option<Chosen>,
    /// All clusterings that were compared, the networks' first; `None` where there was no other.
    pub answers: Option<Vec<AnswerMetrics>>,
    /// How far communities of neighbouring granularities agree: mean adjusted Rand index; `None` without communities.
    pub communities_coherence: Option<f64>,
    /// Which communities count; `None` without communities.
    pub communities_search: Option<Search>,
    /// Views of the samples beside the data, in order; `None` without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub views: Option<Vec<ViewMetrics>>,
    /// Kinds of models that stand behind every pseudo-label; `None` where votes were given.
    pub pseudo_label_kinds: Option<Vec<&'static str>>,
    /// What the pseudo-labels come from.
    pub pseudo_label_rule: LabelRule,
    /// Mean confidence of the assignments, over the samples that have any.
    pub mean_confidence: f64,
    /// The final pseudo-labels.
    pub pseudo_labels: PseudoLabelMetrics,
    /// The agreement graph.
    pub graph: GraphMetrics,
    /// Where the time of training went.
    pub profile: Option<ProfileMetrics>,
    /// How the consensus of votes that were given was found.
    pub consensus_method: Option<ConsensusMethod>,
    /// The `min_agree` of the mini-clusters from which it starts, if it does.
    pub consensus_min_agree: Option<Strictness>,
    /// Coverage against strictness, for the last round's votes, strictest first.
    pub curve: Vec<CurvePoint>,
    /// Points of the curve that would have taken too long, as `min_agree`, strictest first.
    pub curve_left_out: Vec<Strictness>,
    /// Whether the result can be trusted.
    #[serde(flatten)]
    pub trust: TrustMetrics,
    /// All rounds. Votes that were given are the only one.
    pub rounds: Vec<RoundMetrics>,
    /// What files of votes were understood to be.
    pub inputs: Option<Vec<VotesInfo>>,
    /// All scores of the assignments: also purity, each class, and the contingency table.
    pub scores: Option<Scores>,
}

/// Samples that belong nowhere.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct StrayMetrics {
    /// Which were to be left without a cluster.
    pub asked: StrayLimit,
    /// Number of them.
    pub count: usize,
    /// Their share of all samples.
    pub share: f64,
    /// The score from which on samples are left without a cluster; above 1 if none is.
    pub threshold: f32,
}

impl StrayMetrics {
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub(super) fn of(found: &StraysFound, asked: StrayLimit) -> Self {
        let count = found.count();
        let share = count as f64 / found.samples.len().max(1) as f64;
        Self { asked, count, share, threshold: found.rule.threshold() }
    }
}

/// A view of the samples beside the data.
#[derive(Debug, Clone, Serialize)]
pub struct ViewMetrics {
    /// What it is called: its file, or its pretext.
    pub name: String,
    /// Whether an encoder makes it of the data.
    pub learnt: bool,
    /// Number of its features, before they are scaled.
    pub n_features: usize,
    /// Number of networks that vote on it.
    pub networks: usize,
    /// How far its communities of neighbouring granularities agree; `None` without communities.
    pub coherence: Option<f64>,
    /// Which of its communities count; `None` without communities.
    pub search: Option<Search>,
    /// Whether these can be evidence.
    pub is_evidence: bool,
}

impl ViewMetrics {
    pub(super) fn of(voters: &ViewVoters) -> Self {
        let settings = &voters.view.settings;
        let communities = voters.communities.as_ref();
        Self {
            name: settings.name.clone(),
            learnt: !settings.is_given(),
            n_features: voters.view.data.transform().n_features(),
            networks: voters.members.n_networks(),
            coherence: communities.map(|it| it.coherence),
            search: communities.map(|it| it.search),
            is_evidence: voters.evident().is_some(),
        }
    }
}

/// A clustering that a run could have ended with.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct AnswerMetrics {
    /// Which it is.
    pub of: Chosen,
    /// Accuracy of its assignments.
    pub acc: Option<f64>,
    /// Adjusted Rand index of its assignments.
    pub ari: Option<f64>,
    /// What speaks for it.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// The agreement graph in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct GraphMetrics {
    /// Distinct signatures in the last round.
    pub signatures: usize,
    /// Wall-clock seconds from votes to pseudo-labels, over all rounds, the curve left out.
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

/// A round in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct RoundMetrics {
    /// 0 for the first.
    pub round: usize,
    /// Wall-clock seconds; `None` where the votes were given.
    pub seconds: Option<f64>,
    /// Every model, in order.
    pub models: Vec<ModelMetrics>,
    /// Mean pairwise adjusted Rand index of the models; `None` with one.
    pub diversity: Option<f64>,
    /// Pairs of models that say the same; `None` where rounds don't keep it.
    pub n_equal_pairs: Option<usize>,
    /// The round's pseudo-labels.
    pub pseudo_labels: PseudoLabelMetrics,
    /// Whether there are all K mini-clusters.
    pub complete: bool,
    /// Accuracy of the consensus.
    pub ensemble_acc: Option<f64>,
    /// Adjusted Rand index of this round's consensus and the last one's.
    pub consensus_ari_to_previous: Option<f64>,
    /// What the consensus tells of neighbours' clusters, in nats; `None` without features.
    pub neighbour_information: Option<f64>,
    /// What speaks for the answer of all kinds with this round's models in it, in nats; `None` where no other kind can be evidence.
    pub with_all_kinds: Option<Evidence>,
    /// Distinct signatures among the votes.
    pub signatures: usize,
}

/// A model in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct ModelMetrics {
    /// What kind of model it is; `None` where its votes were given.
    pub kind: Option<&'static str>,
    /// The file or column of its votes, where they were given.
    pub name: Option<String>,
    /// Number of clusters that it can name or, where its votes were given, does.
    pub n_clusters: usize,
    /// Samples on which it did not vote.
    pub n_missing: usize,
    /// Accuracy of its votes; samples without one count as wrong.
    pub acc: Option<f64>,
    /// Mean confidence of its votes; `None` where votes were given, of which no model's own is kept.
    pub mean_confidence: Option<f64>,
}

impl Metrics {
    /// Adds a curve, which is followed after everything else is known.
    pub fn set_curve(&mut self, curve: Curve) {
        (self.curve, self.curve_left_out) = (curve.points, curve.left_out);
    }

    /// The content of `metrics.json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("plain structs of numbers and texts");
        json + "\n"
    }
}

/// Whole milliseconds.
pub(super) fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
