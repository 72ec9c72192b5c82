//! Networks trained by candle: its operations are composed, and it finds the gradients. On the CPU and, where the build has
//! CUDA, on a GPU.
//!
//! Every tensor has a first dimension for the models, so that a GPU's matrix products are large enough to keep it busy.
//! Nothing is shared among the models of a stack: the loss is the sum of theirs, and a parameter's gradient that of its own
//! model's loss. Batches, noise and labels come from each model's own streams, so that a model becomes the same whatever it is
//! stacked with. `stack.rs` is a step's loss; `losses/` has a file for each; `encoder.rs` and `decoder.rs` are the ladder
//! network's two halves, of the operations in `ops.rs`, which go one of three [`ways`](ops::Way).
//!
//! On the CPU nothing runs in a pool of candle's, which are the process's: products are ours, and its other operations that
//! are used here have none.

mod adam;
mod decoder;
mod encoder;
#[cfg(all(feature = "cuda", test))]
mod gpu_tests;
mod held;
mod host;
mod kernels;
mod losses;
mod noise;
mod open;
mod ops;
mod parameters;
mod perturbation;
#[cfg(test)]
mod reference_tests;
mod session;
mod stack;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod train_tests;

pub(crate) use session::Candle;
pub(crate) use {
    adam::step,
    ops::{Way, linear, shift_relu},
    parameters::{Parameter, to_host},
};
#[cfg(test)]
pub(crate) use {
    noise::Streams,
    stack::{Blueprint, Inputs, Labelled, Stack},
};
