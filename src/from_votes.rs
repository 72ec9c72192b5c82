//! The algorithm without its training: votes of any tool in, pseudo-labels and a consensus out.

use std::time::Instant;

use consilience_data::{PseudoLabels, SampleIdx};
use consilience_graph::{
    AgreementGraph, AgreementParams, Diversity, Extraction, Signatures, Strictness, Threads,
    VoteConsensus, consensus_of_votes,
};
use serde::{Deserialize, Serialize};

use crate::RunError;
use crate::consensus::{ConsensusMethod, by_linkage};
use crate::renumber::renumber;

/// Settings, all that decides on the result: it can be repeated from these and the votes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VotesConfig {
    /// Version of the program that wrote this.
    pub version: String,
    /// Number of clusters, K. There is no default: 0 is refused.
    pub n_clusters: usize,
    /// How the consensus is found.
    pub consensus: ConsensusMethod,
    /// The agreement graph.
    pub agreement: AgreementParams,
}

impl Default for VotesConfig {
    fn default() -> Self {
        let version = env!("CARGO_PKG_VERSION").into();
        Self {
            version,
            n_clusters: 0,
            consensus: ConsensusMethod::default(),
            agreement: AgreementParams::default(),
        }
    }
}

/// What became of votes.
#[derive(Debug, Clone)]
pub struct VotesOutcome {
    /// The mini-clusters, numbered as the consensus is.
    pub pseudo_labels: PseudoLabels,
    /// Whether as many mini-clusters were found as asked for.
    pub complete: bool,
    /// The cluster of every sample that has a vote.
    pub consensus: VoteConsensus,
    /// How it was found; never `Auto`.
    pub method: ConsensusMethod,
    /// The `min_agree` of the mini-clusters from which the consensus starts: what was asked for if that found all K,
    /// else the next lower one that did, or the one that found most. `None` if it doesn't start from mini-clusters.
    pub consensus_min_agree: Option<Strictness>,
    /// All models' similarity in pairs.
    pub diversity: Diversity,
    /// Wall-clock seconds.
    pub seconds: VotesSeconds,
}

/// Wall-clock seconds of the parts, reading and grouping excluded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct VotesSeconds {
    /// Signatures to pseudo-labels.
    pub extraction: f64,
    /// Pseudo-labels at lower strictness, where all K mini-clusters aren't found, until they are, if the consensus needs them.
    pub looser: f64,
    /// Pseudo-labels to consensus.
    pub consensus: f64,
}

/// Extracts mini-clusters, and forms the consensus.
///
/// # Arguments
///
/// * `signatures`: all votes, grouped with the settings' `min_confidence`.
/// * `observe`: is given each strictness that is tried, in descending order, with what it extracts: the settings' own and, if
///   that doesn't find all K mini-clusters and the consensus starts from them, lower ones until one does.
///
/// # Errors
///
/// [`RunError::Graph`] if the settings don't fit the votes.
pub fn from_votes(
    signatures: &Signatures,
    config: &VotesConfig,
    threads: &Threads<'_>,
    mut observe: impl FnMut(Strictness, &Extraction),
) -> Result<VotesOutcome, RunError> {
    let (k, n_models) = (config.n_clusters, signatures.n_models());
    signatures.check_k(k)?;
    let method = config.consensus.resolve(k);
    method.check(signatures, k)?;
    let extract = |params: &AgreementParams| -> Result<Extraction, RunError> {
        let agreement = params.check(n_models)?;
        Ok(AgreementGraph::new(signatures, &agreement)?.extract(k, threads)?)
    };
    let start = Instant::now();
    let extraction = extract(&config.agreement)?;
    let extraction_seconds = start.elapsed().as_secs_f64();

    let start = Instant::now();
    observe(config.agreement.min_agree, &extraction);
    let asked = config.agreement.check(n_models)?.min_agree();
    // Of a looser strictness, if that finds more.
    let mut looser: Option<(Strictness, Extraction)> = None;
    let needs_all = method == ConsensusMethod::DawidSkene;
    let lower = config.agreement.by_strictness(n_models)?.into_iter();
    for (_, params) in lower.filter(|&(min_agree, _)| needs_all && min_agree < asked) {
        let most = looser.as_ref().map_or(&extraction, |(_, found)| found);
        if most.is_complete(k) {
            break;
        }
        let found = extract(&params)?;
        observe(params.min_agree, &found);
        if found.anchors.len() > most.anchors.len() {
            looser = Some((params.min_agree, found));
        }
    }
    let looser_seconds = start.elapsed().as_secs_f64();

    let start = Instant::now();
    let complete = extraction.is_complete(k);
    let extracted = extraction.pseudo_labels;
    let (consensus_min_agree, consensus, pseudo_labels) = match (method, looser) {
        (ConsensusMethod::DawidSkene, None) => {
            let consensus = consensus_of_votes(signatures, &extracted, threads)?;
            (Some(config.agreement.min_agree), consensus, extracted)
        }
        (ConsensusMethod::DawidSkene, Some((min_agree, found))) => {
            let consensus = consensus_of_votes(signatures, &found.pseudo_labels, threads)?;
            let labels = numbered_as(&consensus, &extracted);
            (Some(min_agree), consensus, labels)
        }
        _ => {
            let consensus = by_linkage(signatures, k, method, threads)?;
            let labels = numbered_as(&consensus, &extracted);
            (None, consensus, labels)
        }
    };
    let seconds = VotesSeconds {
        extraction: extraction_seconds,
        looser: looser_seconds,
        consensus: start.elapsed().as_secs_f64(),
    };
    let diversity = Diversity::of(signatures, threads);
    Ok(VotesOutcome {
        pseudo_labels,
        complete,
        consensus,
        method,
        consensus_min_agree,
        diversity,
        seconds,
    })
}

/// Mini-clusters with the ids of the clusters that they are in.
fn numbered_as(consensus: &VoteConsensus, pseudo_labels: &PseudoLabels) -> PseudoLabels {
    let voted = "samples without votes have no pseudo-label";
    let cluster_of = |sample: SampleIdx| consensus.clusters[sample.index()].expect(voted);
    renumber(pseudo_labels, cluster_of, consensus.n_clusters)
}
