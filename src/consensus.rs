//! How one clustering is made of votes that were given.

use consilience_data::ClusterId;
use consilience_graph::{
    Linkage, Signatures, Threads, VoteConsensus, VoteWeights, check_consensus_size, consensus_from,
};
use serde::{Deserialize, Serialize};

use crate::RunError;

/// Signatures in the tree of average linkage, at most: 144 MB, and two seconds.
pub(crate) const MAX_SIGNATURES: usize = 6000;
/// What a cluster of the tree has at least, as a share of the samples that there are for each of K: islands are no clusters.
const MIN_SHARE: f64 = 0.05;

/// How the consensus of votes is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsensusMethod {
    /// `linkage-dawid-skene`, or `dawid-skene` where K is above 6,000, for which the tree has no room.
    #[default]
    Auto,
    /// Average linkage on how often models put samples together, cut into K clusters.
    Linkage,
    /// Expectation maximisation that starts from the clusters of average linkage.
    LinkageDawidSkene,
    /// Expectation maximisation that starts from the mini-clusters.
    DawidSkene,
}

impl ConsensusMethod {
    /// What `auto` stands for, for K clusters.
    pub(crate) fn resolve(self, k: usize) -> Self {
        match self {
            Self::Auto if k > MAX_SIGNATURES => Self::DawidSkene,
            Self::Auto => Self::LinkageDawidSkene,
            named => named,
        }
    }

    /// Checks that the consensus can be had for K clusters, before anything is done for it.
    pub(crate) fn check(self, signatures: &Signatures, k: usize) -> Result<(), RunError> {
        if self != Self::Linkage {
            check_consensus_size(signatures, k)?;
        }
        Ok(())
    }
}

/// The consensus by average linkage, with expectation maximisation or without.
pub(crate) fn by_linkage(
    signatures: &Signatures,
    k: usize,
    method: ConsensusMethod,
    threads: &Threads<'_>,
) -> Result<VoteConsensus, RunError> {
    let equal = VoteWeights::equal(signatures);
    let linkage = Linkage::new(signatures, equal, MAX_SIGNATURES, threads)?;
    let partition = linkage.cut(k, MIN_SHARE)?;
    if method == ConsensusMethod::Linkage {
        return Ok(partition.consensus(threads));
    }
    let places = partition.placements(threads).into_iter();
    let start: Vec<Option<ClusterId>> = places.map(|place| Some(place?.cluster)).collect();
    Ok(consensus_from(signatures, &start, k, threads)?)
}
