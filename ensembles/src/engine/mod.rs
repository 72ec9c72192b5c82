//! How networks are trained: what is minimised (`terms.rs`), what a step sees and draws (`batches.rs`, `noise.rs`), what is
//! around steps (`driver.rs`), and the two engines that take them: `candle` and `fast`.

pub(crate) mod batches;
pub(crate) mod candle;
pub(crate) mod choice;
pub(crate) mod driver;
pub(crate) mod fast;
pub(crate) mod inference;
pub(crate) mod noise;
#[cfg(test)]
pub(crate) mod reference;
pub(crate) mod terms;
