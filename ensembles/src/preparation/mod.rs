//! From features as they come to data as models see it: a common scale, fewer directions, what is near what, and moves that
//! leave an image what it is.

pub(crate) mod approximate_search;
pub(crate) mod data_kind;
pub(crate) mod density;
pub(crate) mod directions;
pub(crate) mod exact_search;
pub(crate) mod far_cells;
pub(crate) mod far_off;
pub(crate) mod image;
pub(crate) mod inverted_lists;
pub(crate) mod layout;
pub(crate) mod moments;
pub(crate) mod moves;
pub(crate) mod neighbour_evidence;
pub(crate) mod neighbour_graph;
pub(crate) mod prepared;
pub(crate) mod reduction;
pub(crate) mod rows;
pub(crate) mod sparse_product;
pub(crate) mod sparse_reduction;
pub(crate) mod sparse_search;
pub(crate) mod transform;
pub(crate) mod wide_reduction;
