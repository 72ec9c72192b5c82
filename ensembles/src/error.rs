//! What can go wrong with models.

use std::path::PathBuf;

use consilience_data::{DataError, ModelIdx};
use thiserror::Error;

use crate::device::Device;

/// What went wrong in preparing, training, predicting or saving.
#[derive(Debug, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum EnsembleError {
    #[error("setting {name}: need {need}, got {got}")]
    Setting { name: &'static str, need: &'static str, got: String },

    #[error(
        "model {model}: training diverged in epoch {epoch}; lower learning_rate (now {rate}) or check the features' scale"
    )]
    Diverged { model: u16, epoch: u64, rate: f64 },

    #[error("the loss isn't finite in iteration {iteration}; lower inner_rate (now {rate})")]
    MetaDiverged { iteration: usize, rate: f64 },

    #[error("{name}: {problem}")]
    Task { name: String, problem: String },

    #[error("model {model} can't predict before it is trained")]
    Untrained { model: u16 },

    #[error("{path}: can't write the model: {reason}")]
    Save { path: PathBuf, reason: String },

    #[error("{path}: can't be read as a model: {reason}")]
    Load { path: PathBuf, reason: String },

    #[error("{found} features; the models were trained on {expected}")]
    Width { found: usize, expected: usize },

    #[error(
        "model {model}: {found} rows of probabilities for {expected} samples; predict has to give each sample one"
    )]
    Rows { model: usize, found: usize, expected: usize },

    #[error(
        "model {model} has answers that aren't finite; its file may be damaged: run 'consilience cluster' again"
    )]
    NotFinite { model: u16 },

    #[error("the work was given up")]
    Cancelled,

    #[error(
        "model {model}: the checkpoint doesn't have its state; remove it, and start the run anew"
    )]
    NoState { model: u16 },

    #[error("a model that was loaded can't be trained any further; train a new one")]
    LoadedModel,

    #[error("can't start {threads} threads: {reason}")]
    Threads { threads: usize, reason: String },

    #[error("device {device}: {reason}")]
    Device { device: Device, reason: String },

    #[error("engine fast: {reason}; use --engine auto")]
    Engine { reason: String },

    #[error(
        "the GPU's memory is too small to train {models} models at once; train fewer with --stack, or lower batch_size"
    )]
    DeviceMemory { models: usize },

    #[error("--kernels: only a GPU runs CUDA kernels; leave it out, or add --device cuda")]
    Kernels,

    #[error("model {model} ({kind}): {reason}; leave it out of members")]
    Lost { model: u16, kind: &'static str, reason: String },

    #[error(transparent)]
    Data(Box<DataError>),

    #[error("k-means: {0}")]
    KMeans(String),

    #[error("tensor operation: {0}")]
    Tensor(#[from] candle_core::Error),
}

impl From<DataError> for EnsembleError {
    fn from(error: DataError) -> Self {
        Self::Data(error.into())
    }
}

impl EnsembleError {
    /// A model whose loss or answers, after so many epochs at this learning rate, aren't finite.
    pub(crate) fn diverged(model: ModelIdx, epoch: u64, rate: f64) -> Self {
        Self::Diverged { model: model.0, epoch, rate }
    }
}
