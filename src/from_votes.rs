//! The algorithm without its training: votes of any tool in, pseudo-labels and a consensus out.

use std::ops::ControlFlow;
use std::time::Instant;

use consilience_data::SampleIdx;
use consilience_graph::{
    AgreementGraph, AgreementParams, Diversity, Extraction, Signatures, Threads, VoteConsensus,
    consensus_of_votes, strictness_curve,
};
use serde::{Deserialize, Serialize};

use crate::RunError;
use crate::outcome::renumber;

/// Settings, all that decides on the result: it can be repeated from these and the votes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VotesConfig {
    /// Version of the program that wrote this.
    pub version: String,
    /// Number of clusters, K. There is no default: 0 is refused.
    pub n_clusters: usize,
    /// The agreement graph.
    pub agreement: AgreementParams,
}

impl Default for VotesConfig {
    fn default() -> Self {
        let version = env!("CARGO_PKG_VERSION").into();
        Self { version, n_clusters: 0, agreement: AgreementParams::default() }
    }
}

/// What became of votes.
#[derive(Debug, Clone)]
pub struct VotesOutcome {
    /// The mini-clusters, numbered as the consensus is.
    pub extraction: Extraction,
    /// Whether as many mini-clusters were found as asked for.
    pub complete: bool,
    /// The cluster of every sample that has a vote.
    pub consensus: VoteConsensus,
    /// The `min_agree` of the mini-clusters from which the consensus starts: what was asked for if that found all K,
    /// else the next lower one that did, or the one that found most.
    pub consensus_min_agree: u16,
    /// Mean pairwise adjusted Rand index of the models; `None` with one model.
    pub diversity: Option<f64>,
    /// Wall-clock seconds.
    pub seconds: VotesSeconds,
}

/// How far to follow the curve of coverage against strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// Down to where strong positive and strong negative edges would meet.
    Whole,
    /// Only if K mini-clusters aren't found, until they are: the consensus needs them.
    Needed,
}

/// Wall-clock seconds of the parts, reading and grouping excluded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct VotesSeconds {
    /// Signatures to pseudo-labels.
    pub extraction: f64,
    /// Pseudo-labels at every strictness.
    pub curve: f64,
    /// Pseudo-labels to consensus.
    pub consensus: f64,
}

/// Extracts mini-clusters, at every strictness too, and forms the consensus.
///
/// # Arguments
///
/// * `signatures`: all votes, grouped with the settings' `min_confidence`.
/// * `curve`: how far to follow the curve of coverage against strictness. It takes most of the time.
/// * `observe`: is given each `min_agree`, in descending order, with what it extracts.
///
/// # Errors
///
/// [`RunError::Graph`] if the settings don't fit the votes.
pub fn from_votes(
    signatures: &Signatures,
    config: &VotesConfig,
    curve: Curve,
    threads: &Threads,
    mut observe: impl FnMut(u16, &Extraction),
) -> Result<VotesOutcome, RunError> {
    let k = config.n_clusters;
    signatures.check_k(k)?;
    let agreement = config.agreement.check(signatures.n_models())?;
    let start = Instant::now();
    let mut extraction = AgreementGraph::new(signatures, &agreement)?.extract(k, threads)?;
    let extracted = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let asked = agreement.min_agree();
    let mut anchored: Option<(u16, Extraction)> = None;
    if curve == Curve::Whole || !extraction.is_complete(k) {
        strictness_curve(signatures, &config.agreement, k, threads, |min_agree, looser| {
            observe(min_agree, &looser);
            let found = anchored.as_ref().map_or(&extraction, |(_, best)| best).anchors.len();
            if min_agree < asked && looser.anchors.len() > found {
                anchored = Some((min_agree, looser));
            }
            let is_enough = anchored.as_ref().is_some_and(|(_, best)| best.is_complete(k));
            if curve == Curve::Needed && is_enough {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
    }
    let followed = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let (consensus_min_agree, labels) = match &anchored {
        Some((min_agree, looser)) => (*min_agree, &looser.pseudo_labels),
        None => (asked, &extraction.pseudo_labels),
    };
    let consensus = consensus_of_votes(signatures, labels, threads)?;
    let complete = extraction.is_complete(k);
    if anchored.is_some() {
        let voted = "samples without votes have no pseudo-label";
        let cluster_of = |sample: SampleIdx| consensus.clusters[sample.index()].expect(voted);
        extraction.pseudo_labels =
            renumber(&extraction.pseudo_labels, cluster_of, consensus.n_clusters);
    }
    let seconds = VotesSeconds {
        extraction: extracted,
        curve: followed,
        consensus: start.elapsed().as_secs_f64(),
    };
    let diversity = Diversity::of(signatures, threads).mean();
    Ok(VotesOutcome { extraction, complete, consensus, consensus_min_agree, diversity, seconds })
}
