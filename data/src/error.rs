//! What can be wrong with data.

use thiserror::Error;

/// What is wrong with data, where, and what to do about it, in one line.
#[derive(Debug, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum DataError {
    #[error("{source_name}: no samples or no features; give a file with at least one row and one column")]
    Empty { source_name: String },

    #[error("{source_name}: {rows} samples; at most 4,294,967,295 are supported")]
    TooManySamples { source_name: String, rows: usize },

    #[error("{source_name}: row {row}, column {column} is {value}, counted from 0; replace or drop values that are not finite")]
    NotFinite { source_name: String, row: usize, column: usize, value: f32 },

    #[error("{what}: shape {found:?}, expected {expected:?}")]
    ShapeMismatch { what: &'static str, found: Vec<usize>, expected: Vec<usize> },

    #[error("{labels} labels for {samples} samples; give one label a sample, in the same order")]
    LabelCount { labels: usize, samples: usize },
}
