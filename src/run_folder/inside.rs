//! A folder that can't be replaced as a whole, as its parent isn't ours or it is a mount point: it is filled from within.
//!
//! What becomes it is written in `RUN/.partial`, and moved up piece by piece in the end, `config.toml` last: without that it is no run to
//! anybody. What is going to be moved is written down before; whoever finds that and no process that holds it removes what was moved.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::manifest::MANIFEST;
use super::source::CONFIG;
use crate::output::{sync_file, sync_folder};

/// The folder in it.
const INSIDE: &str = ".partial";
/// Names of what is moved, in that folder.
const MOVING: &str = "moving.json";

/// Where what becomes `out` is written.
pub(super) fn aside_in(out: &Path) -> PathBuf {
    out.join(INSIDE)
}

/// The folder whose inside this is.
pub(super) fn outside(path: &Path) -> Option<&Path> {
    path.parent().filter(|_| path.file_name().is_some_and(|name| name == INSIDE))
}

/// Whether a folder is empty, but for what a process has left that didn't end its work.
pub(super) fn is_free(out: &Path) -> io::Result<bool> {
    let moved = moving(out)?;
    for entry in fs::read_dir(out)? {
        let name = entry?.file_name();
        let is_ours = name == INSIDE || moved.iter().any(|moved| name == moved.as_str());
        if !is_ours || name == CONFIG {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes what a dead process has moved up.
pub(super) fn clear(out: &Path) -> io::Result<()> {
    for name in moving(out)? {
        let path = out.join(name);
        let removed = match fs::symlink_metadata(&path) {
            Ok(there) if there.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(error) => Err(error),
        };
        removed.or_else(|error| match error.kind() {
            ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
    }
    match fs::remove_file(aside_in(out).join(MOVING)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Moves all that is in `folder`, which is on the disk, up into `out`.
pub(super) fn move_up(folder: &Path, out: &Path) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().into_string();
        names.push(name.map_err(|_| io::Error::other("a name that isn't UTF-8"))?);
    }
    names.sort_by_key(|name| (name == CONFIG, name == MANIFEST, name.clone()));
    let list = aside_in(out).join(MOVING);
    fs::write(&list, serde_json::to_string(&names).expect("plain data"))?;
    sync_file(&list)?;
    sync_folder(&aside_in(out))?;
    for (index, name) in names.iter().enumerate() {
        if index + 1 == names.len() {
            // The others are on the disk before the one that makes it a run.
            sync_folder(out)?;
        }
        fs::rename(folder.join(name), out.join(name))?;
    }
    sync_folder(out)
}

fn moving(out: &Path) -> io::Result<Vec<String>> {
    match fs::read(aside_in(out).join(MOVING)) {
        Ok(text) => {
            let mut names: Vec<String> = serde_json::from_slice(&text).unwrap_or_default();
            // Of this folder, whatever is written there.
            names
                .retain(|name| Path::new(name).file_name().is_some_and(|own| own == name.as_str()));
            Ok(names)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use consilience_testing::names_in as names;

    use super::*;

    #[test]
    fn what_was_moved_by_halves_is_cleared_and_nothing_else() {
        let sandbox = tempfile::tempdir().unwrap();
        let (out, folder) = (sandbox.path(), aside_in(sandbox.path()).join("run"));
        assert!(is_free(out).unwrap());
        fs::create_dir_all(folder.join("models")).unwrap();
        for name in [CONFIG, MANIFEST, "votes.npz", "models/model-00"] {
            fs::write(folder.join(name), name).unwrap();
        }
        // A file in the way of the last one: as if the process had died there.
        fs::create_dir_all(out.join(CONFIG).join("in the way")).unwrap();
        assert!(move_up(&folder, out).is_err());
        assert_eq!(names(out), [".partial", CONFIG, MANIFEST, "models", "votes.npz"]);
        fs::remove_dir_all(out.join(CONFIG)).unwrap();
        assert!(is_free(out).unwrap(), "no run to anybody");
        fs::write(out.join("thesis"), "a year's work").unwrap();
        assert!(!is_free(out).unwrap());
        clear(out).unwrap();
        assert_eq!(names(out), [".partial", "thesis"]);
        let list = aside_in(out).join(MOVING);
        fs::write(&list, "[\"../other\", \"/etc\", \"..\", \"a/b\"]").unwrap();
        assert!(moving(out).unwrap().is_empty());
    }

    #[test]
    fn moved_up_it_is_a_run() {
        let sandbox = tempfile::tempdir().unwrap();
        let (out, folder) = (sandbox.path(), aside_in(sandbox.path()).join("run"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(CONFIG), "").unwrap();
        move_up(&folder, out).unwrap();
        assert_eq!(names(out), [".partial", CONFIG]);
        assert!(!is_free(out).unwrap(), "whole");
    }
}
