//! Consilience clusters unlabelled data with an ensemble of models, and labels the samples on which they agree.
//!
//! [`run`] takes features and settings, and gives back the record of every round: votes, pseudo-labels, consensus.
//! [`algorithm`] is the paper's loop, short enough to read in a minute. [`from_votes()`] is the same without training: it
//! takes the votes of any clusterers. Scores, which need the truth, are computed afterwards, by [`evaluation`].
//!
//! # Example
//!
//! ```
//! use consilience::{Config, evaluation::Scores, run};
//! use consilience_data::{Seed, read_dataset};
//! use consilience_ensembles::MemberKind;
//!
//! let digits = read_dataset(&["digits".into()], &[])?;
//! let mut config = Config { seed: Seed(7), rounds: 2, ..Config::auto(&digits.features, 10) };
//! config.members = vec![MemberKind::Ladder; 3];
//! config.first.min_steps = 150; // a quick look; the default trains for longer
//! config.retrain.min_steps = 50;
//! let threads = 2; // as many as you like: the result is the same
//!
//! let outcome = run(&digits.features, &config.check(&digits.features, threads)?, &())?;
//! let last = outcome.last();
//! println!("{} of {} samples have a pseudo-label", last.pseudo_labels.len(), last.consensus.n_samples());
//!
//! let truth = digits.truth.expect("the embedded set has its labels beside it");
//! assert!(Scores::of_assignments(&truth, &last.consensus)?.acc > 0.6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// The command line calls the library by the name that others call it.
extern crate self as consilience;

pub mod algorithm;
mod choice;
pub mod cli;
mod coarser;
pub mod compare;
pub mod config;
pub mod consensus;
mod contrast;
pub mod cut;
mod effort;
pub mod embedding;
mod error;
pub mod evaluation;
pub mod evidence;
pub mod export;
pub mod few_labels;
pub mod from_counts;
pub mod from_votes;
pub mod granularity;
mod joining;
pub mod judge;
pub mod k_range;
pub mod knowledge;
mod labeller;
pub mod labelling;
pub mod linfa;
mod linked;
mod memory;
pub mod metrics;
pub mod outcome;
pub mod output;
pub mod overlay;
pub mod predict;
mod presets;
pub mod progress;
pub mod recut;
mod renumber;
pub mod report;
pub mod round;
mod rule;
pub mod run_folder;
pub mod schedule;
pub mod seek;
mod selection;
mod settled;
pub mod similar;
mod standing;
pub mod start;
pub mod strays;
pub mod suggest;
pub mod views;
pub mod voters;
pub mod wording;

pub use algorithm::{run, run_knowing, run_prepared, run_with};
pub use config::{Config, ValidConfig};
pub use consilience_ensembles::{DataKind, Look};
pub use effort::Effort;
pub use error::RunError;
pub use from_votes::from_votes;
pub use granularity::Granularity;
pub use knowledge::Knowledge;
pub use memory::{check_memory, estimated_memory, estimated_sparse_memory, keeps_sparse};
pub use metrics::Metrics;
pub use outcome::{Outcome, StopReason};
pub use predict::{Prediction, Predictor, Voted};
pub use round::Round;
pub use seek::run_within;
