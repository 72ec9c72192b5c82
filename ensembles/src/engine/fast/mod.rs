//! Networks trained on the CPU, one by one: forward and backward passes written out by hand.
//!
//! Automatic differentiation makes new memory for every value and every gradient, and goes over each many times; written
//! out, a step needs hardly more than its matrix products. `trainer.rs` is what a step does, in order; `encoder.rs` and
//! `decoder.rs` are the ladder network's two halves; `layers.rs`, `combinator.rs` and `losses.rs` are the arithmetic between
//! the products. All of it is compared in tests with [`crate::engine::candle`], where candle finds the gradients.
//!
//! Work is split by shape alone, never by the number of threads, and no sum is split at all but for products, whose
//! order of terms doesn't depend on threads either: so any number of threads gives the same bytes.

pub(crate) mod combinator;
mod decoder;
mod dot_product;
mod encoder;
pub(crate) mod layers;
pub(crate) mod losses;
pub(crate) mod optimiser;
#[cfg(test)]
mod reference_tests;
mod session;
#[cfg(test)]
mod tests;
mod trainer;

pub(crate) use session::Fast;
pub(crate) use trainer::knows;
