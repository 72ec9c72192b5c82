//! Networks that fit the data: dense layers; convolutions over images, and along series.

mod architecture;
mod convolution;
mod dense;
mod network;
mod parameters;
mod patches;
#[cfg(test)]
mod tests;

pub(super) use self::architecture::Architecture;
pub(super) use self::dense::DenseLayers;
pub(super) use self::network::Network;
pub(super) use self::parameters::Parameters;
