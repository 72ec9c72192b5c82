//! Networks that fit the data: dense layers; convolutions over images, and along series; a transformer for sequences of words.

mod architecture;
mod convolution;
mod dense;
mod network;
mod parameters;
mod patches;
#[cfg(test)]
mod tests;
mod transformer;

pub(super) use self::architecture::Architecture;
pub(super) use self::dense::DenseLayers;
pub(super) use self::network::Network;
pub(super) use self::parameters::Parameters;
pub(super) use self::transformer::{HEADS, NOTHING, words};
