//! Semi-supervised learning: a classifier for all samples, from the labels of a few and the features of all.
//!
//! [`train`] is the loop, with the clusterer's ensemble, agreement graph and outcome. [`FewLabels`] is its settings, among those of the run.

mod contradictions;
mod known;
mod methods;
mod probabilities;
mod pseudo_labels;
mod relabel;
mod settings;
mod taught;
mod train;

pub use self::contradictions::Contradiction;
pub(crate) use self::contradictions::contradictions;
pub(crate) use self::probabilities::{by_votes, spread, spread_as};
pub use self::settings::{FewLabels, Method};
pub use self::taught::Taught;
pub use self::train::train;
