//! Many small files in a folder or a zip archive: images, or texts.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::encoding::decode_all;
use super::images::{self, Images};
use super::npz::zip_error;
use super::part::{Content, Part};
use super::source::{self, unreadable};
use super::zip_names;
use crate::records::{Fitted, PartInfo, Request};
use crate::{DataError, Truth};

/// Folders in folders are searched this deep.
const MAX_DEPTH: usize = 64;
/// Bytes that a file may have, unpacked.
const MAX_LEN: u64 = 1 << 30;
/// Bytes by which an image is recognised.
const MAGIC: usize = 8;
/// Files that are left aside are told by name, up to so many.
const TOLD: usize = 5;

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
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    File(PathBuf),
    /// The number of an archive's member.
    Member(usize),
}

/// Reads a folder or an archive: the images in it, else the texts, in the order of their paths, byte by byte.
///
/// The path in the folder is the id; the folder is the class if all files lie exactly one folder below the deepest that
/// they share. Hidden files and files of other kinds are left aside.
pub(super) fn read(store: Store, request: Request<'_>) -> Result<Part, DataError> {
    let name = store.path().display().to_string();
    let mut opener = store.open()?;
    let (mut images, mut texts, mut aside) = (Vec::new(), Vec::new(), Vec::new());
    let (entries, note) = opener.entries(request.options.encoding.as_deref())?;
    for entry in entries {
        let hidden = |part: &str| part.starts_with('.') || part == "__MACOSX";
        let lower = entry.path.to_lowercase();
        let extension = lower.rsplit_once('.').map_or("", |(_, extension)| extension);
        if entry.path.split('/').any(hidden) {
            aside.push(entry);
        } else if extension == "txt" {
            texts.push(entry);
        } else if ["png", "jpg", "jpeg"].contains(&extension)
            || images::is_image(&opener.read(&entry, Some(MAGIC))?)
        {
            images.push(entry);
        } else {
            aside.push(entry);
        }
    }
    let kind = if images.is_empty() { "texts" } else { "images" };
    let format = match &store {
        Store::Folder(_) => format!("folder of {kind}"),
        Store::Zip(_) => format!("zip of {kind}"),
    };
    let entries = if images.is_empty() {
        texts
    } else {
        aside.extend(texts);
        images
    };
    if entries.is_empty() {
        return Err(DataError::NoImages { source_name: name, files: aside.len() });
    }
    let mut info = PartInfo::new(&name, format, &[entries.len()]);
    info.notes.extend(note);
    info.ids_from = Some("paths".into());
    info.left_aside = told(aside);
    let classes = classes(&entries);
    info.has_truth = classes.is_some();
    info.truth_from = classes.is_some().then(|| "folders".into());
    let truth = classes.filter(|_| request.with_truth);
    let truth = truth.map(|classes| Truth::from_labels(&classes)).transpose()?;
    let ids = Some(entries.iter().map(|entry| entry.path.clone()).collect());
    let content = if kind == "texts" {
        let mut texts = Vec::new();
        for entry in &entries {
            texts.push((opener.name(entry), opener.read(entry, None)?));
        }
        let (texts, encoding) = decode_all(texts, &name, request.options.encoding.as_deref())?;
        info.encoding = encoding.map(Into::into);
        info.notes
            .extend(encoding.map(|it| format!("what isn't UTF-8 was read as {it} (--encoding)")));
        Content::Texts(texts)
    } else {
        let images = Images::look(store, entries, request.options.max_memory)?;
        info.notes.extend(images.note());
        Content::Images(images)
    };
    Ok(Part { info, name, content, truth, ids, feature_names: None, fitted: Fitted::default() })
}

/// Names of files, or of some of them and the number of the others.
fn told(mut aside: Vec<Entry>) -> Vec<String> {
    aside.sort_unstable();
    let more = aside.len().saturating_sub(TOLD);
    let names = aside.into_iter().take(TOLD).map(|entry| entry.path);
    names.chain((more > 0).then(|| format!("{more} more files"))).collect()
}

/// The folder of each file, if they are classes: several, of which none is in another, and no file beside them.
fn classes(entries: &[Entry]) -> Option<Vec<&str>> {
    let folders: Vec<&str> = entries
        .iter()
        .map(|entry| entry.path.rsplit_once('/').map_or("", |split| split.0))
        .collect();
    let first = folders.first()?;
    if folders.iter().all(|folder| folder == first) {
        return None;
    }
    let parent = |folder: &'_ str| folder.rsplit_once('/').map_or("", |split| split.0).to_owned();
    let shared = parent(first);
    let is_class = |folder: &&str| !folder.is_empty() && parent(folder) == shared;
    let name = |folder: &'_ str| folder.rfind('/').map_or(0, |slash| slash + 1);
    let all = folders.iter().all(is_class);
    all.then(|| folders.into_iter().map(|folder| &folder[name(folder)..]).collect())
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
    fn entries(
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

#[cfg(test)]
mod tests {
    use super::*;

    fn classes_of(paths: &[&str]) -> Option<Vec<String>> {
        let entry = |path: &&str| Entry { path: (*path).into(), place: Place::Member(0) };
        let entries: Vec<Entry> = paths.iter().map(entry).collect();
        Some(classes(&entries)?.into_iter().map(String::from).collect())
    }

    #[test]
    fn classes_are_folders_beside_one_another() {
        assert_eq!(classes_of(&["a/1", "b/1"]).unwrap(), ["a", "b"]);
        assert_eq!(classes_of(&["top/a/1", "top/b/1", "top/a/2"]).unwrap(), ["a", "b", "a"]);
        for none in
            [&["1", "2"][..], &["a/1", "a/2"], &["a/1", "2"], &["a/1", "b/c/1"], &["a/1", "a/b/1"]]
        {
            assert_eq!(classes_of(none), None, "{none:?}");
        }
    }
}
