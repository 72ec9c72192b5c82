//! How networks are trained: what a step sees and draws, and the two ways to take it.

pub(crate) mod batches;
pub(crate) mod candle;
pub(crate) mod fast;
pub(crate) mod inference;
pub(crate) mod noise;
