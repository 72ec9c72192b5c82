//! The models of an ensemble, and how they are trained.
//!
//! A [`Clusterer`] is one model; an [`Ensemble`] trains several side by side. Networks ([`NetworkParams`]: the ladder
//! network, and a plain network with virtual adversarial training) are trained by passes written out on the CPU, and by candle
//! on a GPU; k-means is linfa's.
//!
//! What a model may see is in [`Prepared`]: scaled features and distances among them. No function of this crate takes
//! ground truth, and none knows of the agreement graph.

mod batches;
mod clusterer;
mod cpu;
mod device;
mod ensemble;
mod error;
mod kmeans;
mod labels;
mod loaded;
mod math;
mod neighbours;
mod network;
mod noise;
mod params;
mod prepared;
mod profile;
mod reduction;
mod save;
mod shift;
mod sizes;
mod stacked;
mod transform;
mod weights;

pub use clusterer::{Clusterer, EpochEnd, Phase, Progress};
pub use device::Device;
pub use ensemble::{Compute, Ensemble};
pub use error::EnsembleError;
pub use kmeans::KMeansModel;
pub use network::Network;
pub use params::{Consistency, MemberKind, NetworkParams, Objective, ValidNetworkParams};
pub use prepared::Prepared;
pub use profile::Profile;
pub use reduction::principal_directions;
pub use shift::Image;
pub use sizes::SizePrior;
pub use transform::{Preparation, Scaling, Transform};
