//! Average linkage of the votes: a tree of samples, cut at any number of clusters.

mod branches;
mod chain;
mod cut;
mod kinds;
mod leaves;
mod means;
mod partition;
mod placer;
mod tree;
mod weights;

pub use branches::Branch;
pub use cut::Cut;
pub use kinds::{Kinds, Layer, NullModel};
pub use partition::{Linkage, Partition};
pub use placer::{Placement, Placer, PlacerParts};
pub use tree::Tree;
pub use weights::VoteWeights;
