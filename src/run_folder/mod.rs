//! The folder that a run writes: complete or absent.
//!
//! It is written aside and held, and gets its name when all of it is on the disk: [`Staging`]. Before any work is done,
//! [`Destination`] finds out whether it can be written. What is finished of a run that isn't is in a [`CheckpointFolder`].

mod addition;
mod appended;
mod checkpoint;
mod clusters;
mod destination;
mod estimate;
#[cfg(feature = "hdf5")]
mod h5;
mod index;
mod inside;
mod layers;
pub(crate) mod manifest;
mod models;
mod origin;
mod pairs;
mod read;
mod recut;
mod results;
mod sketch;
mod source;
mod staging;
mod strays;
mod taught;
mod transform;
mod unfinished;
mod views;
mod votes;
mod write;

use std::fs;
use std::path::Path;

use consilience_data::DataError;

pub use self::addition::Addition;
pub use self::appended::{Appended, AppendedPart};
pub use self::checkpoint::CheckpointFolder;
pub use self::clusters::{Clustering, write_clusters};
pub use self::destination::Destination;
pub use self::estimate::estimated_bytes;
#[cfg(feature = "hdf5")]
pub(crate) use self::h5::Documented;
pub use self::layers::write_layers;
pub(crate) use self::models::{Saved, read as read_models};
pub use self::origin::Origin;
pub use self::pairs::{read_pairs, write_pairs};
pub use self::read::{RunFolder, read_recipe, read_settings, read_source, verify_found};
pub use self::recut::write_recut;
pub use self::results::Beside;
pub(crate) use self::results::{Columns, PSEUDO_LABELS, row};
pub use self::sketch::{read_sketch, write_sketch};
pub use self::source::{CONFIG, GivenVotes, Provenance, RECIPE, Source, config_toml};
pub use self::staging::Staging;
pub(crate) use self::taught::ERRORS;
pub use self::taught::{
    GivenLabel, read_class_names, read_given, read_probabilities, write_taught,
};
pub use self::unfinished::command_of;
pub use self::write::{add_file, write, write_from_votes};
use crate::RunError;

/// Ids of clusters are 16-bit numbers, of which the last is no cluster.
const MAX_CLUSTERS: usize = 65_535;

/// The name of the file with the numbers.
const METRICS: &str = "metrics.json";

fn write_text(path: &Path, content: &str) -> Result<(), DataError> {
    fs::write(path, content).map_err(|error| unwritable(path, &error))
}

pub(crate) fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> DataError {
    DataError::Unwritable { source_name: path.display().to_string(), reason: error.to_string() }
}

fn damaged(path: &Path, why: &str) -> RunError {
    RunError::folder(
        path,
        &format!("can't be read as part of a run: {why}; run 'consilience cluster' again"),
    )
}
