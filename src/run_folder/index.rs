//! Which steps a checkpoint has, and in which files: see [`CheckpointFolder`](super::CheckpointFolder).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::origin::Origin;
use crate::RunError;
use crate::output::sync_folder;

pub(super) const INDEX: &str = "index";
pub(super) const NEW: &str = "index.new";
const PREVIOUS: &str = "index.previous";
/// How names of records end.
pub(super) const RECORD: &str = ".safetensors";

/// The version of these files.
const FORMAT: u32 = 1;

/// Whether there is a checkpoint in `folder`, whole or not.
pub(super) fn is_there(folder: &Path) -> bool {
    [INDEX, NEW, PREVIOUS].iter().any(|name| folder.join(name).exists())
}

/// What the checkpoint in `folder` is of.
///
/// # Errors
///
/// [`RunError::Folder`] if there is none, or none that is whole.
pub(super) fn read_origin(folder: &Path) -> Result<Origin, RunError> {
    Ok(find(folder)?.0.origin)
}

impl Origin {
    /// Checks that the checkpoint in `folder` is of a run that is made of this.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] with the first thing that differs; and if no checkpoint there is whole.
    pub fn fits(&self, folder: &Path) -> Result<(), RunError> {
        read_origin(folder)?.check(self, folder)
    }
}

/// An index.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Index {
    format: u32,
    pub(super) origin: Origin,
    /// By the names of steps.
    pub(super) steps: BTreeMap<String, Stored>,
}

/// Where a record is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) file: String,
    bytes: u64,
    xxh3: String,
}

impl Index {
    pub(super) fn new(origin: &Origin, steps: &BTreeMap<String, Stored>) -> Self {
        Self { format: FORMAT, origin: origin.clone(), steps: steps.clone() }
    }

    /// Makes this the newest, and the one that was that the one before. The files that it names are on the disk.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let path = |name: &str| folder.join(name);
        write_through(&path(NEW), self.text().as_bytes())?;
        if path(INDEX).exists() {
            fs::rename(path(INDEX), path(PREVIOUS))?;
        }
        fs::rename(path(NEW), path(INDEX))?;
        sync_folder(folder)
    }

    fn text(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("plain data");
        format!("{:016x}\n{json}\n", xxh3_64(json.as_bytes()))
    }

    /// An index that is whole, and whose files are.
    fn read(folder: &Path, name: &str) -> Option<Self> {
        let text = fs::read_to_string(folder.join(name)).ok()?;
        let (checksum, json) = text.split_once('\n')?;
        let json = json.strip_suffix('\n')?;
        if checksum != format!("{:016x}", xxh3_64(json.as_bytes())) {
            return None;
        }
        let index: Self = serde_json::from_str(json).ok()?;
        let whole = index.format == FORMAT
            && index.steps.values().all(|stored| stored.read(folder).is_some());
        whole.then_some(index)
    }
}

impl Stored {
    /// What is in a file that holds `bytes`.
    pub(super) fn of(file: String, bytes: &[u8]) -> Self {
        Self { file, bytes: bytes.len() as u64, xxh3: format!("{:016x}", xxh3_64(bytes)) }
    }

    /// The content, if it is what was written.
    pub(super) fn read(&self, folder: &Path) -> Option<Vec<u8>> {
        let bytes = fs::read(folder.join(&self.file)).ok()?;
        let whole =
            bytes.len() as u64 == self.bytes && format!("{:016x}", xxh3_64(&bytes)) == self.xxh3;
        whole.then_some(bytes)
    }
}

/// The newest checkpoint in `folder` that is whole, and whether it is the newest that was written.
pub(super) fn find(folder: &Path) -> Result<(Index, bool), RunError> {
    // Between two renames there is no index; the new one is whole then.
    let newest = if folder.join(INDEX).exists() { INDEX } else { NEW };
    for name in [newest, PREVIOUS] {
        if let Some(index) = Index::read(folder, name) {
            return Ok((index, name == newest));
        }
    }
    let problem = if is_there(folder) {
        "the checkpoint is damaged, and so is the one before, or it is of another version; remove that folder to start anew"
    } else {
        "there is no checkpoint to resume"
    };
    Err(RunError::folder(folder, &problem))
}

pub(super) fn file_name(number: u64) -> String {
    format!("{number:06}{RECORD}")
}

pub(super) fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
