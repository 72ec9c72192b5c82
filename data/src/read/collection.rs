//! Many small files in a folder or a zip archive: images, or texts.

use super::encoding::decode_all;
use super::images::{self, Images};
use super::part::{Content, Part};
use super::store::{Entry, Store};
use crate::records::{PartInfo, Request};
use crate::{DataError, Truth};

/// Bytes by which an image is recognised.
const MAGIC: usize = 8;
/// Files that are left aside are told by name, up to so many.
const TOLD: usize = 5;

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
        info.notes.extend(images.notes());
        Content::Images(images)
    };
    Ok(Part { truth, ids, ..Part::new(info, content) })
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

#[cfg(test)]
mod tests {
    use super::super::store::Place;
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
