//! `appended.json`: which samples of a run were added after it was made (`predict --append`).
//!
//! They are the last rows of `assignments.csv` and `.npy`, clustered by the run's models. All else in the folder is of the samples that were
//! clustered.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::damaged;
use crate::RunError;

/// The name of the file.
pub(super) const APPENDED: &str = "appended.json";

/// What was added to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appended {
    /// Samples that the run was made of: the first row that was added, counted from 0.
    pub n_clustered: usize,
    /// What was added, in order.
    pub parts: Vec<AppendedPart>,
}

/// Samples that were added together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppendedPart {
    /// How many they are.
    pub n_samples: usize,
    /// The data, as named on the command line.
    pub data: Vec<String>,
    /// The [`DataHash`](consilience_data::DataHash) of their features.
    pub data_hash: String,
}

impl Appended {
    /// Number of samples that were added.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.parts.iter().map(|part| part.n_samples).fold(0, usize::saturating_add)
    }

    /// What was added to the run in `folder`, if anything.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, RunError> {
        let path = folder.join(APPENDED);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| damaged(&path, &error.to_string()))?,
        };
        serde_json::from_str(&text).map(Some).map_err(|error| damaged(&path, &error.to_string()))
    }
}
