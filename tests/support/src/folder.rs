//! What is in a folder.

use std::fs;
use std::path::Path;

/// The names of all that is in `folder`, in order.
///
/// # Panics
///
/// If the folder can't be read, or a name isn't UTF-8.
#[must_use]
pub fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
