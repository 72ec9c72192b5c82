//! What can be wrong with votes, settings and their combination.

use thiserror::Error;

/// What is wrong, with the values, in one line.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum GraphError {
    #[error("'{text}': give a number of models, such as 9, or a share of them, such as 90%")]
    Strictness { text: String },

    #[error("need max_agree < min_agree <= n_models, got {max_agree} < {min_agree} <= {n_models}")]
    Thresholds { max_agree: u16, min_agree: u16, n_models: usize },

    #[error("need 1 <= min_common <= n_models, got 1 <= {min_common} <= {n_models}")]
    MinCommon { min_common: u16, n_models: usize },

    #[error("need 0 <= min_confidence < 1, got {min_confidence}")]
    MinConfidence { min_confidence: f32 },

    #[error("need min_size >= 1, got 0")]
    MinSize,

    #[error("need 1 <= n_models <= 65535, got {n_models}")]
    ModelCount { n_models: usize },

    #[error("settings for {settings} models, votes of {votes}")]
    OtherModelCount { settings: usize, votes: usize },

    #[error("samples are gated by min_confidence {grouped}, the settings say {asked}: group again")]
    OtherGate { grouped: f32, asked: f32 },

    #[error("need 1 <= K <= 65535 clusters, got {k}")]
    ClusterCount { k: usize },

    #[error(
        "K = {k} clusters, but the votes tell only {n_signatures} {} of samples apart; {}",
        if *n_signatures == 1 { "kind" } else { "kinds" },
        if *n_signatures > 1 { "give a smaller K" } else { "there is nothing to agree on" }
    )]
    TooManyClusters { k: usize, n_signatures: usize },

    #[error(
        "consensus of {n_models} models: K times the number of models can be at most 2^27, got K = {k}; give fewer clusters or models"
    )]
    ConsensusSize { k: usize, n_models: usize },

    #[error("no model voted on any sample: there is nothing to join")]
    NoVotes,

    #[error(
        "K = {k} clusters, but average linkage is of the {max_signatures} most frequent kinds of samples; give a smaller K"
    )]
    LinkageSize { k: usize, max_signatures: usize },

    #[error("need 0 <= min_share <= 1, got {min_share}")]
    MinShare { min_share: f64 },

    #[error("need theta > 0, got {theta}")]
    Theta { theta: f64 },

    #[error("{what}: {found} samples, expected {expected}")]
    SampleCount { what: &'static str, found: usize, expected: usize },

    #[error("{found} signatures with a cluster or none to start from, expected {expected}")]
    SignatureCount { found: usize, expected: usize },

    #[error("alignment: model {model} has no place for common cluster {common}")]
    Alignment { model: usize, common: u16 },

    #[error("{n_samples} samples; at most 4294967295 are supported")]
    TooManySamples { n_samples: usize },

    #[error(
        "{n_samples} samples of one signature; at most 4294967295 are supported: count a share of the samples"
    )]
    TooManyAlike { n_samples: u64 },

    #[error("'{name}' is no format for graphs: give graphml or dot")]
    GraphFormat { name: String },

    #[error("{k} clusters can't keep apart what has to be; give {least} or more")]
    NotApart { k: usize, least: usize },

    #[error("the work was given up")]
    Cancelled,

    #[error("cannot start {threads} threads: {reason}")]
    Threads { threads: usize, reason: String },
}
