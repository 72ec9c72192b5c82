//! The agreement graph of an ensemble of clusterings, and what is extracted from it.
//!
//! Votes go in; a subset of the samples comes out, with a label for each, on which (nearly) all models agree.
//! In the order in which data flows:
//!
//! 1. [`Signatures`]: samples with equal votes of all models are one node. This is exact, and there are few nodes.
//! 2. [`AgreementGraph`]: strong positive edges join signatures that many models put together, strong negative
//!    edges separate those that few models put together.
//! 3. [`AgreementGraph::extract`]: takes K mini-clusters, greedily: the pseudo-labels.
//! 4. [`Alignment`]: which of each model's clusters is which mini-cluster.
//! 5. [`consensus`]: all models' aligned probabilities, averaged; [`consensus_of_votes`], where there are none.
//!
//! [`Linkage`] goes from signatures to a consensus without extraction: a tree of samples by how often models put them
//! together, cut at any K.
//!
//! Where an engine that has more samples than a machine can hold has counted signatures ([`SignatureCodes`]), [`Signatures::of_counts`] takes
//! their place, and [`AgreementGraph::extract_signatures`] gives the same labels, by signature.
//!
//! # Example
//!
//! ```
//! use consilience_data::Votes;
//! use consilience_graph::{
//!     AgreementGraph, AgreementParams, Signatures, Threads, consensus_of_votes,
//! };
//! use ndarray::{Array2, array};
//!
//! // Three models, six samples. The models number their clusters each in their own way, and the last sample
//! // is in dispute.
//! let clusters = array![[0, 0, 1, 1, 1, 1], [1, 1, 0, 0, 0, 1], [0, 0, 1, 1, 1, 0]];
//! let votes = Votes::new(clusters, Array2::ones((3, 6)))?;
//!
//! let agreement = AgreementParams::default().check(votes.n_models())?;
//! let threads = Threads::new(2)?;
//! let signatures = Signatures::group(&votes, &agreement, &threads)?;
//! let extraction = AgreementGraph::new(&signatures, &agreement)?.extract(2, &threads)?;
//! assert!(extraction.is_complete(2));
//! let labels = extraction.pseudo_labels.entries().iter();
//! let labels: Vec<_> = labels.map(|entry| (entry.sample.0, entry.label.0, entry.agreement)).collect();
//! assert_eq!(labels, [(0, 1, 3), (1, 1, 3), (2, 0, 3), (3, 0, 3), (4, 0, 3)]);
//!
//! let consensus = consensus_of_votes(&signatures, &extraction.pseudo_labels, &threads)?;
//! assert_eq!(consensus.clusters[5].unwrap().0, 1, "two of three models say so");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agreeing;
mod agreement;
mod alignment;
mod codes;
mod consensus;
mod constraints;
mod counted;
mod curve;
mod dawid_skene;
mod degrees;
mod diversity;
mod draw;
mod error;
mod export;
mod extraction;
mod grouping;
mod groups;
mod k_curve;
mod linkage;
mod matching;
mod neighbours;
mod packing;
mod pairs;
mod params;
mod patterns;
mod queue;
mod removal;
mod seeded;
mod shards;
mod signatures;
mod strictness;
mod subset;
mod threads;
mod visit;
mod vote_consensus;
mod word_table;

// The tests' oracle and random votes are shared with the tests from outside, which call the crate by its name.
#[cfg(test)]
extern crate self as consilience_graph;
#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;

pub use agreement::AgreementGraph;
pub use alignment::Alignment;
pub use codes::{Codes, SignatureCodes};
pub use consensus::consensus;
pub use constraints::{Constraints, Contradiction, Settled};
pub use counted::Counted;
pub use dawid_skene::{check_consensus_size, consensus_from, consensus_of_votes};
pub use diversity::Diversity;
pub use error::GraphError;
pub use export::GraphFormat;
pub use extraction::{Extraction, SignatureExtraction, SignatureLabel, extract};
pub use grouping::SignaturesBuilder;
pub use k_curve::KPoint;
pub use linkage::{
    Branch, Cut, Kinds, Layer, Linkage, NullModel, Partition, Placement, Placer, PlacerParts, Tree,
    VoteWeights,
};
pub use matching::maximum_matching;
pub use pairs::PairCounts;
pub use params::{AgreementParams, Gate, ValidAgreement};
pub use signatures::{SignatureIdx, Signatures};
pub use strictness::Strictness;
pub use threads::Threads;
pub use visit::{StrongPositive, StrongPositives};
pub use vote_consensus::VoteConsensus;
