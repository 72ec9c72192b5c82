//! The models of an ensemble, and how they are trained.
//!
//! A [`Clusterer`] is one model; an [`Ensemble`] trains several side by side. Networks ([`NetworkParams`]: the ladder
//! network, and a plain network with virtual adversarial training) are trained by passes written out on the CPU, and by candle
//! on a GPU; k-means is linfa's.
//!
//! What a model may see is in [`Prepared`]: scaled features and distances among them. No function of this crate takes
//! ground truth, and none knows of the agreement graph.

mod device;
mod engine;
mod ensemble;
mod error;
mod members;
mod numerics;
mod preparation;
mod profile;
mod threads;

pub use device::Device;
pub use ensemble::{Compute, Ensemble};
pub use error::EnsembleError;
pub use members::clusterer::{Clusterer, EpochEnd, Phase, Progress};
pub use members::kmeans::KMeansModel;
pub use members::network::Network;
pub use members::params::{Consistency, MemberKind, NetworkParams, Objective, ValidNetworkParams};
pub use members::sizes::SizePrior;
pub use preparation::data_kind::{DataKind, Look};
pub use preparation::prepared::Prepared;
pub use preparation::reduction::principal_directions;
pub use preparation::shift::Image;
pub use preparation::transform::{Preparation, Scaling, Transform};
pub use profile::Profile;
