//! What can be learnt without any label: encoders, each trained on a task that the data pose themselves, a *pretext*. What an encoder makes of samples
//! is another *view* of them.
//!
//! An [`Encoder`] is trained by one loop (`training.rs`) on the loss of a [`Pretext`], each a file: `autoencoder.rs`, `contrastive.rs`,
//! `masked.rs` and, of sequences of words, `masked_words.rs`, `forecast.rs`. What they minimise is in `losses/`, the networks in `encoders/`. All of it is composed of candle's operations, on
//! the CPU; products are ours, so that nothing works in a pool of the process, and the number of threads changes no bit.

mod augmentation;
mod autoencoder;
mod batch;
mod contrastive;
mod description;
mod encoder;
mod encoders;
mod forecast;
mod losses;
mod masked;
mod masked_words;
mod params;
mod pretext;
mod training;
mod windows;

pub use self::encoder::{Encoder, Trained};
pub use self::params::PretextParams;
pub use self::pretext::Pretext;
