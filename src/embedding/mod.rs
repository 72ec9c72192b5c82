//! Embeddings: what an encoder that was trained on a pretext makes of samples, and their files.
//!
//! | file | content |
//! | --- | --- |
//! | `F.npy` | the embedding, `float32`, shape (n_samples, width) |
//! | `F.npz` | the same as `X`, with `id` if the samples have ids |
//! | `F.parquet` | a row a sample: `sample` (its row in the data, from 0), `id` if the samples have ids, `features` |
//! | `F-samples.csv` | beside an `.npy`, if the samples have ids or some were left out: sample, id |
//! | `F-encoder.safetensors` | the encoder, with all that new data need; see [`Encoder::save`](consilience_ensembles::Encoder::save) |
//!
//! One of the first three, as it is named; it comes last, so that the others are there if it is.

mod files;
#[cfg(feature = "parquet")]
mod parquet;
mod settings;
mod table;

pub use self::files::{Files, Published};
pub use self::settings::params_for;
pub use self::table::Embedding;
