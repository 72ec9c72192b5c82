//! `manifest.json`: all files of a run with their sizes and checksums, written last.
//!
//! Whoever reads a run checks what it reads against it. So a file that is damaged, or of another run, is named, and not computed
//! with. Runs of older versions have none, and are read as they are.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

use super::damaged;
use crate::RunError;
use crate::output;

/// The name of the file.
pub(super) const MANIFEST: &str = "manifest.json";

/// The version of what a run folder holds. A program reads its own and those before.
const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    /// The version of what is in the folder.
    format: u32,
    /// The version of the program.
    version: String,
    /// What should be in it and isn't, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    absent: BTreeMap<String, String>,
    /// All other files, by their paths with `/`.
    files: BTreeMap<String, Entry>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    bytes: u64,
    /// XXH3, 64 bits, in hexadecimal.
    xxh3: String,
}

/// Writes the manifest of the files in `folder`.
pub(super) fn write(folder: &Path, absent: &[(String, String)]) -> io::Result<()> {
    let mut files = BTreeMap::new();
    collect(folder, "", &mut files)?;
    let version = env!("CARGO_PKG_VERSION").into();
    let absent = absent.iter().cloned().collect();
    fs::write(folder.join(MANIFEST), text(&Manifest { format: FORMAT, version, absent, files }))
}

/// What should be in the run in `folder` and isn't, and why.
pub(super) fn absent(folder: &Path) -> Result<Vec<(String, String)>, RunError> {
    Ok(read(folder)?.map(|manifest| manifest.absent.into_iter().collect()).unwrap_or_default())
}

/// Enters a file that was written anew into the manifest of the run in `folder`, if it has one.
pub(super) fn renew(folder: &Path, name: &str) -> Result<(), RunError> {
    let Some(mut manifest) = read(folder)? else { return Ok(()) };
    let path = folder.join(name);
    let entry = entry(&path).map_err(|error| damaged(&path, &error.to_string()))?;
    manifest.files.insert(name.into(), entry);
    manifest.absent.remove(name);
    output::replace(&folder.join(MANIFEST), text(&manifest).as_bytes())
}

/// Checks that what is in `folder` can be understood, and that those of its files whose names begin with one of `names` are those
/// that the run has written.
pub(crate) fn verify(folder: &Path, names: &[&str]) -> Result<(), RunError> {
    let Some(manifest) = read(folder)? else { return Ok(()) };
    let asked = |name: &&String| names.iter().any(|start| name.starts_with(start));
    for name in manifest.files.keys().filter(asked) {
        let (path, expected) = (folder.join(name), &manifest.files[name]);
        let problem = match entry(&path) {
            Err(error) => error.to_string(),
            Ok(found) if found == *expected => continue,
            Ok(_) => "it isn't what the run has written (manifest.json): damaged, changed or of another run".into(),
        };
        return Err(damaged(&path, &problem));
    }
    Ok(())
}

fn read(folder: &Path) -> Result<Option<Manifest>, RunError> {
    let path = folder.join(MANIFEST);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|error| damaged(&path, &error.to_string()))?,
    };
    /// What every version has.
    #[derive(Deserialize)]
    struct Version {
        format: u32,
        version: String,
    }
    let wrong = |error: serde_json::Error| damaged(&path, &error.to_string());
    let Version { format, version } = serde_json::from_str(&text).map_err(wrong)?;
    if format > FORMAT {
        let problem = format!(
            "was written by consilience {version} in format {format}, and this version reads formats up to {FORMAT}; use the newer program"
        );
        return Err(RunError::folder(folder, &problem));
    }
    serde_json::from_str(&text).map(Some).map_err(wrong)
}

fn text(manifest: &Manifest) -> String {
    serde_json::to_string_pretty(manifest).expect("plain data") + "\n"
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Entry>) -> io::Result<()> {
    for found in fs::read_dir(folder)? {
        let found = found?;
        let name = format!("{prefix}{}", found.file_name().to_string_lossy());
        let kind = found.file_type()?;
        if kind.is_dir() {
            collect(&found.path(), &format!("{name}/"), files)?;
        } else if kind.is_file() && name != MANIFEST {
            files.insert(name, entry(&found.path())?);
        }
    }
    Ok(())
}

fn entry(path: &Path) -> io::Result<Entry> {
    let mut hash = Xxh3Default::new();
    let bytes = io::copy(&mut File::open(path)?, &mut hash)?;
    Ok(Entry { bytes, xxh3: format!("{:016x}", hash.digest()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("models")).unwrap();
        for name in ["votes.npz", "metrics.json", "models/model-00.safetensors"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        write(folder.path(), &[("report.html".into(), "no data".into())]).unwrap();
        folder
    }

    #[test]
    fn what_is_damaged_missing_or_newer_is_named() {
        let folder = run();
        let path = |name: &str| folder.path().join(name);
        assert!(verify(folder.path(), &[""]).is_ok());
        fs::write(path("models/model-00.safetensors"), "models/model-01.safetensors").unwrap();
        assert!(verify(folder.path(), &["votes.npz", "metrics.json"]).is_ok(), "not asked for");
        let error = verify(folder.path(), &["models/"]).unwrap_err().to_string();
        assert!(
            error.contains("model-00.safetensors") && error.contains("isn't what the run"),
            "{error}"
        );
        fs::remove_file(path("votes.npz")).unwrap();
        let error = verify(folder.path(), &["votes.npz"]).unwrap_err().to_string();
        assert!(error.contains("votes.npz") && error.contains("No such file"), "{error}");

        let manifest = fs::read_to_string(path(MANIFEST)).unwrap();
        fs::write(path(MANIFEST), manifest.replace("\"format\": 1", "\"format\": 2")).unwrap();
        let error = verify(folder.path(), &[]).unwrap_err().to_string();
        assert!(error.contains("in format 2, and this version reads formats up to 1"), "{error}");
        fs::remove_file(path(MANIFEST)).unwrap();
        assert!(verify(folder.path(), &[""]).is_ok(), "a run of an older version");
    }

    #[test]
    fn a_file_that_is_written_anew_is_entered() {
        let folder = run();
        fs::write(folder.path().join("report.html"), "a page").unwrap();
        renew(folder.path(), "report.html").unwrap();
        let manifest = read(folder.path()).unwrap().unwrap();
        assert!(manifest.absent.is_empty());
        assert_eq!(manifest.files["report.html"].bytes, 6);
        assert!(verify(folder.path(), &[""]).is_ok());
    }
}
