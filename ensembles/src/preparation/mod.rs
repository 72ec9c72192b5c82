//! From features as they come to data as models see it: a common scale, fewer directions, what is near what, and moves that
//! leave an image what it is.

pub(crate) mod data_kind;
pub(crate) mod neighbours;
pub(crate) mod prepared;
pub(crate) mod reduction;
pub(crate) mod shift;
pub(crate) mod transform;
