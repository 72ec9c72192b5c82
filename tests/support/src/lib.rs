//! What tests of all crates share. A development dependency only, and dependent on nothing.

#![allow(clippy::unwrap_used, reason = "tests")]

mod accuracy;
mod benchmark;
mod folder;
mod skip;

pub use accuracy::{accuracy, matching};
pub use benchmark::benchmark_files;
pub use folder::names_in;
pub use skip::{skip, skip_without_gpu};
