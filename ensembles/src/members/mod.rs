//! The models that vote: networks and k-means, their settings, and models as files.

pub(crate) mod clusterer;
pub(crate) mod kmeans;
pub(crate) mod labels;
pub(crate) mod loaded;
pub(crate) mod network;
pub(crate) mod params;
pub(crate) mod save;
pub(crate) mod sizes;
pub(crate) mod state;
pub(crate) mod weights;
