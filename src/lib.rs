//! Consilience clusters unlabelled data with an ensemble that votes, and keeps the labels on which it agrees.

pub mod algorithm;
pub mod config;
mod error;
pub mod evaluation;
pub mod metrics;
pub mod outcome;
pub mod progress;
pub mod run_folder;
mod teacher;

pub use algorithm::run;
pub use config::{Config, ValidConfig};
pub use error::RunError;
pub use metrics::Metrics;
pub use outcome::{Outcome, Round, StopReason};
