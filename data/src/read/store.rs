//! Folders and zip archives of files.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::npz::zip_error;
use super::source::{self, unreadable};
use super::zip_names;
use crate::DataError;

/// Folders in folders are searched this deep.
const MAX_DEPTH: usize = 64;
/// Bytes that a file may have, unpacked.
const MAX_LEN: u64 = 1 << 30;

/// A folder or an archive.
#[derive(Debug, Clone)]
pub(super) enum Store {
    Folder(PathBuf),
    Zip(PathBuf),
}

/// A file of a store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// Its path in the store, with forward slashes.
    pub(super) path: String,
    pub(super) place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    File(PathBuf),
    /// The number of an archive's member.
    Member(usize),
}

impl Store {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Folder(path) | Self::Zip(path) => path,
        }
    }

    /// For reading by one thread.
    pub(super) fn open(&self) -> Result<Opener, DataError> {
        let name = self.path().display().to_string();
        let zip = match self {
            Self::Folder(_) => None,
            Self::Zip(path) => {
                let zip = ZipArchive::new(source::reopen(path)?);
                Some(zip.map_err(|error| zip_error(error, &name))?)
            }
        };
        Ok(Opener { path: self.path().into(), name, zip })
    }
}

/// A store, opened.
pub(super) struct Opener {
    path: PathBuf,
    name: String,
    zip: Option<ZipArchive<BufReader<File>>>,
}

impl Opener {
    /// How messages name a file.
    pub(super) fn name(&self, entry: &Entry) -> String {
        format!("{}/{}", self.name.trim_end_matches('/'), entry.path)
    }

    /// All files, in the order of their paths; and what is to be said of their names, if anything.
    ///
    /// `encoding`: of an archive's names that aren't UTF-8, if a person said it.
    pub(super) fn entries(
        &mut self,
        encoding: Option<&str>,
    ) -> Result<(Vec<Entry>, Option<String>), DataError> {
        let mut entries = Vec::new();
        let mut note = None;
        match &self.zip {
            None => collect(&self.path, &mut entries)?,
            Some(zip) => {
                let raw: Vec<&[u8]> = zip.file_names_raw().collect();
                let own = zip.file_names().map(|name| Some(name.ok()?.into_owned())).collect();
                let (names, used) = zip_names::decode(&raw, own, encoding);
                note = used.map(|used| {
                    format!("names of files aren't UTF-8: read as {used} (--encoding says another)")
                });
                for (member, path) in names.into_iter().enumerate() {
                    let path = path.replace('\\', "/");
                    if !path.ends_with('/') {
                        entries.push(Entry { path, place: Place::Member(member) });
                    }
                }
            }
        }
        entries.sort_unstable();
        Ok((entries, note))
    }

    /// A file's bytes, or the first of them.
    pub(super) fn read(
        &mut self,
        entry: &Entry,
        first: Option<usize>,
    ) -> Result<Vec<u8>, DataError> {
        let name = self.name(entry);
        let mut bytes = Vec::new();
        let limit = first.map_or(MAX_LEN, |first| first as u64);
        let read = match (&entry.place, &mut self.zip) {
            (Place::Member(member), Some(zip)) => {
                let file = zip.by_index(*member).map_err(|error| zip_error(error, &name))?;
                file.take(limit).read_to_end(&mut bytes)
            }
            (Place::File(path), _) => {
                let file = File::open(path).map_err(|error| unreadable(&error, &name))?;
                file.take(limit).read_to_end(&mut bytes)
            }
            (Place::Member(_), None) => Ok(0),
        };
        read.map_err(|error| unreadable(&error, &name))?;
        if bytes.len() as u64 == MAX_LEN {
            return Err(DataError::Corrupt {
                source_name: name,
                problem: "more than 1 GiB for one sample".into(),
            });
        }
        Ok(bytes)
    }
}

/// All files in a folder. A folder that several paths lead to is followed once: by the path without links, else by the first link
/// in the order of their paths.
fn collect(folder: &Path, entries: &mut Vec<Entry>) -> Result<(), DataError> {
    let mut seen = HashSet::new();
    // Links are looked at when all else has been seen.
    let mut links = BTreeMap::from([(String::new(), folder.to_owned())]);
    while let Some((prefix, folder)) = links.pop_first() {
        let mut folders = vec![(prefix, folder, 0)];
        while let Some((prefix, folder, depth)) = folders.pop() {
            let failed = |error: &io::Error| unreadable(error, &folder.display().to_string());
            let real = folder.canonicalize().map_err(|error| failed(&error))?;
            if depth > MAX_DEPTH || !seen.insert(real) {
                continue;
            }
            for entry in fs::read_dir(&folder).map_err(|error| failed(&error))? {
                let entry = entry.map_err(|error| failed(&error))?;
                let path = entry.path();
                let relative = format!("{prefix}{}", name_of(&entry.file_name()));
                // A link to nothing is no file.
                let Ok(metadata) = fs::metadata(&path) else { continue };
                if metadata.is_file() {
                    entries.push(Entry { path: relative, place: Place::File(path) });
                } else if metadata.is_dir() && path.is_symlink() {
                    links.insert(format!("{relative}/"), path);
                } else if metadata.is_dir() {
                    folders.push((format!("{relative}/"), path, depth + 1));
                }
            }
        }
    }
    Ok(())
}

/// A file's name, with bytes that aren't UTF-8 as `%B9`, so that different names stay different.
fn name_of(name: &OsStr) -> String {
    name.to_str().map_or_else(|| zip_names::escaped(name.as_encoded_bytes()), Into::into)
}
