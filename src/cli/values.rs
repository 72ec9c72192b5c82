//! From words of a command line to values.

use std::num::NonZero;
use std::thread;

use consilience::consensus::ConsensusMethod;
use consilience::labelling::Labelling;
use consilience_ensembles::{EngineChoice, MemberKind};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;

/// Cores that this process may use.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// A number of threads, for the command line.
pub(super) fn threads(text: &str) -> Result<usize, String> {
    let threads = text.parse().ok().filter(|&threads| threads > 0);
    threads.ok_or_else(|| "give a whole number, at least 1".into())
}

/// A share, for the command line.
pub(super) fn share(text: &str) -> Result<f32, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "give a number from 0 to 1".into())
}

/// A kind of models, for the command line.
pub(super) fn member_kind(name: &str) -> Result<MemberKind, ValueError> {
    MemberKind::deserialize(name.into_deserializer())
}

/// What trains networks, for the command line.
pub(super) fn engine(name: &str) -> Result<EngineChoice, ValueError> {
    EngineChoice::deserialize(name.into_deserializer())
}

/// How the consensus of votes is found, for the command line.
pub(super) fn consensus(name: &str) -> Result<ConsensusMethod, ValueError> {
    ConsensusMethod::deserialize(name.into_deserializer())
}

/// What pseudo-labels come from, for the command line.
pub(super) fn labelling(name: &str) -> Result<Labelling, ValueError> {
    Labelling::deserialize(name.into_deserializer())
}
