//! The models that vote: networks, communities, mixtures, k-means and propagated labels, their settings, and models as files.

pub(crate) mod clusterer;
pub(crate) mod communities;
mod drawn;
pub(crate) mod halves;
pub(crate) mod kmeans;
pub(crate) mod labels;
mod leiden;
pub(crate) mod loaded;
pub(crate) mod mixture;
pub(crate) mod neighbour_vote;
pub(crate) mod network;
pub(crate) mod params;
pub(crate) mod propagation;
pub(crate) mod save;
pub(crate) mod sizes;
pub(crate) mod state;
pub(crate) mod weights;
