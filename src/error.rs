//! What can stop a run.

use std::fmt::Display;
use std::path::Path;

use thiserror::Error;

use consilience_data::DataError;
use consilience_ensembles::EnsembleError;
use consilience_graph::GraphError;

/// Why a configuration or a run can't be: what, where, and what to do, in one line.
#[derive(Debug, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum RunError {
    #[error("setting {name}: need {need}, got {got}")]
    Setting { name: &'static str, need: String, got: String },

    #[error("setting {key}: {problem}")]
    Overlay { key: String, problem: String },

    #[error("no preset '{name}'; presets: {known}")]
    Preset { name: String, known: String },

    #[error("effort '{name}' is unknown; expected one of {known}")]
    Effort { name: String, known: String },

    #[error(
        "K = {k}, but the data has only {distinct} distinct {}; {}",
        if *distinct == 1 { "row" } else { "rows" },
        if *distinct < 2 { "there is nothing to cluster" } else { "give a smaller K" }
    )]
    TooFewDistinct { k: usize, distinct: usize },

    #[error("{path}: {problem}")]
    Folder { path: String, problem: String },

    #[error(transparent)]
    Linfa(#[from] linfa::Error),

    #[error(transparent)]
    Data(#[from] DataError),

    #[error(transparent)]
    Ensemble(EnsembleError),

    #[error(transparent)]
    Graph(GraphError),

    #[error("the time was up before any model had learnt anything; give --max-time more")]
    NoTime,

    #[error(
        "about {need} of memory are needed, and there are {have}; use fewer rows (fit on some, and predict the others), fewer columns, fewer clusters, or a machine with more (--max-memory says how much there is)"
    )]
    Memory { need: String, have: String },

    #[error(
        "the run has views beside its data whose features have to be given: {names}; give those of the same samples, each with --view, in this order (got {given})"
    )]
    Views { names: String, given: usize },

    #[error("the run was given up")]
    Cancelled,
}

impl From<EnsembleError> for RunError {
    fn from(error: EnsembleError) -> Self {
        match error {
            EnsembleError::Cancelled => Self::Cancelled,
            EnsembleError::Data(error) => Self::Data(*error),
            error => Self::Ensemble(error),
        }
    }
}

impl From<GraphError> for RunError {
    fn from(error: GraphError) -> Self {
        match error {
            GraphError::Cancelled => Self::Cancelled,
            error => Self::Graph(error),
        }
    }
}

impl RunError {
    pub(crate) fn folder(path: &Path, problem: &dyn Display) -> Self {
        Self::Folder { path: path.display().to_string(), problem: problem.to_string() }
    }
}
