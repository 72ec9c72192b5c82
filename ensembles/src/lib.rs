//! The models of an ensemble, and how they are trained.
//!
//! A [`Clusterer`] is one model; an [`Ensemble`] trains several side by side. Networks ([`NetworkParams`]: the ladder
//! network, and a plain network with virtual adversarial training) are trained by one of two engines ([`EngineChoice`]): candle,
//! on the CPU or a GPU, or passes written out for the CPU; k-means and mixtures are linfa's, communities those of the neighbour graph.
//!
//! An [`Encoder`] learns another view of the data, on a task that they pose themselves ([`Pretext`]).
//!
//! What a model may see is in [`Prepared`]: scaled features and distances among them. No function of this crate takes
//! ground truth, and none knows of the agreement graph.

mod checkpoints;
mod device;
mod engine;
mod ensemble;
mod error;
mod member;
mod members;
mod meta;
mod numerics;
mod preparation;
mod pretexts;
mod profile;
mod progress;
mod side_by_side;
mod threads;
mod voting;

pub use checkpoints::{Checkpoints, Record, Value, Values};
pub use device::Device;
pub use engine::choice::{EngineChoice, EngineName};
pub use ensemble::{Compute, Ensemble};
pub use error::EnsembleError;
pub use members::clusterer::{Clusterer, Phase};
pub use members::communities::{Communities, CommunityParams};
pub use members::halves::Halves;
pub use members::kmeans::KMeansModel;
pub use members::mixture::Mixture;
pub use members::network::Network;
pub use members::params::{
    Consistency, ConsistencyLoss, MemberKind, NetworkParams, Objective, ValidNetworkParams,
};
pub use members::propagation::{Propagation, Propagator};
pub use members::sizes::SizePrior;
pub use meta::few_shot::{FewShots, few_shot_accuracy};
pub use meta::initialisation::{Initialisation, Learnt};
pub use meta::learn::learn_initialisation;
pub use meta::params::{MetaMethod, MetaParams, ValidMetaParams};
pub use meta::sketch::Sketch;
pub use meta::tasks::MetaTask;
pub use numerics::matrix::CHUNK;
pub use preparation::data_kind::{DataKind, Look};
pub use preparation::density::Density;
pub use preparation::far_cells::FarCells;
pub use preparation::image::Image;
pub use preparation::neighbour_graph::NeighbourGraph;
pub use preparation::prepared::Prepared;
pub use preparation::reduction::principal_directions;
pub use preparation::sparse_reduction::mostly_zeros;
pub use preparation::transform::{Preparation, Scaling, Transform};
pub use preparation::wide_reduction::sparse_components;
pub use pretexts::{Encoder, Pretext, PretextParams, Trained};
pub use profile::Profile;
pub use progress::{EpochEnd, Progress};
