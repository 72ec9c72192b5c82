//! `sketch.json`: what the data of a run looked like, so that other data can be compared with them.

use std::path::Path;

use consilience_data::DataError;
use consilience_ensembles::Sketch;

use super::read::{check, json};
use super::{damaged, manifest, write_text};
use crate::RunError;

pub(super) const SKETCH: &str = "sketch.json";

/// Writes the sketch of a run's data, some twenty kilobytes.
///
/// # Errors
///
/// [`DataError::Unwritable`].
pub fn write_sketch(folder: &Path, sketch: &Sketch) -> Result<(), DataError> {
    let sketch = serde_json::to_string(sketch).expect("plain data") + "\n";
    write_text(&folder.join(SKETCH), &sketch)
}

/// The sketch of the data of the run in `path`; `None` for runs of votes, and of versions that kept none.
///
/// # Errors
///
/// [`RunError::Folder`] if it is no run folder, and for a file that is damaged.
pub fn read_sketch(path: &Path) -> Result<Option<Sketch>, RunError> {
    check(path)?;
    manifest::verify(path, &[SKETCH])?;
    let file = path.join(SKETCH);
    if !file.exists() {
        return Ok(None);
    }
    let sketch: Sketch = json(&file)?;
    match sketch.is_whole() {
        true => Ok(Some(sketch)),
        false => Err(damaged(&file, "it is no sketch of this version")),
    }
}
