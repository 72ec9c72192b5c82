//! Average linkage of the votes: a tree of samples, cut at any number of clusters.

mod chain;
mod cut;
mod leaves;
mod means;
mod partition;
mod placer;
mod tree;
mod weights;

pub use cut::Cut;
pub use partition::{Linkage, Partition};
pub use placer::{Placement, Placer, PlacerParts};
pub use tree::Tree;
pub use weights::VoteWeights;
