//! The vocabulary of consilience, and its file formats.
//!
//! Every other crate speaks in these types: [`Features`] go in; [`Votes`], [`SoftAssignments`],
//! [`Assignments`] and [`PseudoLabels`] come out; [`GivenLabels`] are trained on, and a [`Truth`] can be held, and not read, as `consilience_truth` says;
//! [`Seed`] is the only source of randomness.
//!
//! Axes are always ordered models, samples, clusters (or features).
#![cfg_attr(
    not(all(feature = "hdf5", feature = "images", feature = "parquet")),
    allow(dead_code, unused_imports, reason = "what only some formats use")
)]

mod assignments;
mod contingency;
mod data_hash;
mod element;
mod embedded;
mod error;
mod features;
mod given_labels;
#[cfg(feature = "hdf5")]
pub mod hdf5_file;
mod ids;
mod memory;
mod pseudo_labels;
mod read;
mod recipe;
mod records;
mod seed;
mod sparse_rows;
mod votes;
mod wide;
pub mod write;

pub use assignments::{Assignments, ModelAnswers, SoftAssignments};
pub use consilience_truth::Truth;
pub use contingency::{Cell, Contingency};
pub use data_hash::DataHash;
pub use element::Element;
pub use error::DataError;
pub use features::Features;
pub use given_labels::GivenLabels;
pub use ids::{ClusterId, ModelIdx, SampleIdx};
pub use memory::free_memory;
pub use pseudo_labels::{PseudoLabel, PseudoLabels};
pub use read::{
    Dataset, FeaturesChunk, FeaturesReader, Numbering, SamplePair, VotesChunk, VotesInfo,
    VotesReader, describe, panics_are_caught, read_columns, read_dataset, read_dataset_as,
    read_dataset_with, read_given_labels, read_integers, read_labels, read_npz, read_pairs,
    read_sample_labels, recipe_of_run,
};
pub use recipe::{Missing, MissingValues, ReadOptions, Recipe};
pub use records::{
    ColumnInfo, ImagesInfo, LabelsAs, Offsets, Paired, PairedBy, PartInfo, Role, SampleKeys,
    SampleLabels,
};
pub use seed::{Rng, Seed, Stream};
pub use sparse_rows::SparseRows;
pub use votes::Votes;
