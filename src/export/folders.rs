//! A folder a label, with links to the images in it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use consilience_data::{DataError, PseudoLabel};
use zip::ZipArchive;

use super::Export;
use crate::RunError;
use crate::run_folder::unwritable;

impl Export<'_> {
    /// Makes a folder for each label, called like it, in `folder`, which exists and is empty. In it are links to its
    /// images, relative ones where there is a way from `place`; copies if they are in an archive, and on systems other
    /// than Unix. An image is called like its id, with `_` for each `/`; if another has that name, its
    /// sample's number stands before it. O(n).
    ///
    /// # Arguments
    ///
    /// * `images`: the folder, or `.zip` archive of one, in which images are found by their ids.
    /// * `place`: where `folder` is going to be, as deep as `folder` itself.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] if the samples have no ids or one of them is no image of `images`; [`DataError::Unwritable`].
    pub fn link(&self, images: &Path, folder: &Path, place: &Path) -> Result<(), RunError> {
        if self.ids.is_none() {
            let why = "the run's samples have no file names, which only folders and .zip files of images \
                       give; choose another --format";
            return Err(RunError::folder(images, &why));
        }
        let mut source = Source::open(images, place)?;
        let mut taken = HashSet::new();
        for entry in self.entries() {
            let id = self.id(entry).unwrap_or_default();
            let label = fitting("", &self.folder_name(entry));
            let flat = plain(id);
            let mut file = PathBuf::from(&label).join(fitting("", &flat));
            let mut prefix = format!("{}_", entry.sample.0);
            while !taken.insert(file.clone()) {
                file = PathBuf::from(&label).join(fitting(&prefix, &flat));
                prefix += "_";
            }
            let target = folder.join(&file);
            fs::create_dir_all(folder.join(label)).map_err(|error| unwritable(&target, &error))?;
            source.put(id, &target).map_err(|error| match error {
                Missing::Image => RunError::folder(
                    images,
                    &format!("has no image '{id}'; name the folder that the run was made from"),
                ),
                Missing::Written(error) => unwritable(&target, &error).into(),
            })?;
        }
        Ok(())
    }

    fn folder_name(&self, entry: &PseudoLabel) -> String {
        self.name(entry).map_or_else(|| entry.label.0.to_string(), plain)
    }
}

/// A text as the name of one file: nothing in it leads elsewhere.
fn plain(text: &str) -> String {
    let text = text.replace(['/', '\\', '\0'], "_");
    if text.chars().all(|letter| letter == '.') { "_".into() } else { text }
}

/// A name behind `prefix`: its end, with what the file is, if the whole is longer than file systems allow.
fn fitting(prefix: &str, name: &str) -> String {
    const MOST: usize = 255;
    let too_many = (prefix.len() + name.len()).saturating_sub(MOST);
    let start = (too_many..name.len()).find(|&start| name.is_char_boundary(start));
    format!("{prefix}{}", &name[start.unwrap_or(0)..])
}

/// Where images are taken from.
enum Source {
    /// The folder, and the way to it from the folder of a label.
    Folder { from: PathBuf, way: PathBuf },
    /// The archive, and what stands before an id in it.
    Zip { archive: ZipArchive<File>, prefix: Option<String> },
}

/// Why an image isn't where it should be.
enum Missing {
    Image,
    Written(io::Error),
}

impl Source {
    fn open(images: &Path, place: &Path) -> Result<Self, RunError> {
        let is_zip = images.extension().is_some_and(|end| end.eq_ignore_ascii_case("zip"));
        if images.is_dir() {
            let from =
                fs::canonicalize(images).map_err(|error| RunError::folder(images, &error))?;
            let way = way_from(place, &from).unwrap_or_else(|| from.clone());
            return Ok(Self::Folder { from, way });
        }
        if !images.is_file() || !is_zip {
            let why = "not there as a folder or .zip of images; name the one that the run was made from, \
                       or choose another --format";
            return Err(RunError::folder(images, &why));
        }
        let file = File::open(images).map_err(|error| RunError::folder(images, &error))?;
        let archive = ZipArchive::new(file).map_err(|error| {
            let source_name = images.display().to_string();
            let problem = format!("no complete zip archive ({error})");
            DataError::Corrupt { source_name, problem }
        })?;
        Ok(Self::Zip { archive, prefix: None })
    }

    /// Puts the image `id` to `target`.
    fn put(&mut self, id: &str, target: &Path) -> Result<(), Missing> {
        match self {
            Self::Folder { from, way } => {
                // An id that leads out of the folder was never one of its images.
                let is_inside =
                    Path::new(id).components().all(|part| matches!(part, Component::Normal(_)));
                if !is_inside || !from.join(id).is_file() {
                    return Err(Missing::Image);
                }
                link(&way.join(id), &from.join(id), target).map_err(Missing::Written)
            }
            Self::Zip { archive, prefix } => {
                let prefix = prefix.get_or_insert_with(|| prefix_of(archive, id));
                let wanted = format!("{prefix}{id}");
                // Windows writes the other slash, which ids don't have.
                let is_it = |name: &str| name == wanted || name.replace('\\', "/") == wanted;
                let index = archive.index_for_name(&wanted).or_else(|| {
                    archive.file_names().position(|name| name.is_ok_and(|name| is_it(&name)))
                });
                let index = index.ok_or(Missing::Image)?;
                let mut image = archive.by_index(index).map_err(|_| Missing::Image)?;
                let mut copy = File::create(target).map_err(Missing::Written)?;
                io::copy(&mut image, &mut copy).map(|_| ()).map_err(Missing::Written)
            }
        }
    }
}

/// What stands before `id` in an archive: nothing, or the folder that was packed.
fn prefix_of(archive: &ZipArchive<File>, id: &str) -> String {
    if archive.index_for_name(id).is_some() {
        return String::new();
    }
    let end = format!("/{id}");
    let names = archive.file_names().flatten();
    let mut names = names.map(|name| name.replace('\\', "/"));
    let name = names.find(|name| name.ends_with(&end));
    name.map_or(String::new(), |name| name[..name.len() - id.len()].to_owned())
}

#[cfg(unix)]
fn link(way: &Path, _image: &Path, target: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(way, target)
}

#[cfg(not(unix))]
fn link(_way: &Path, image: &Path, target: &Path) -> io::Result<()> {
    fs::copy(image, target).map(|_| ())
}

/// The relative way from a folder in `place` to `to`; `None` between drives.
fn way_from(place: &Path, to: &Path) -> Option<PathBuf> {
    let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = fs::canonicalize(parent.unwrap_or(Path::new("."))).ok()?;
    let start = parent.join(place.file_name()?).join("label");
    let shared = start.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    if shared == 0 {
        return None;
    }
    let up = start.components().skip(shared).map(|_| Component::ParentDir);
    Some(up.chain(to.components().skip(shared)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_relative() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let way = way_from(&root.join("a/../out"), &root.join("data/images"));
        assert_eq!(way, None, "the parent isn't there");
        let way = way_from(&root.join("out"), &root.join("data/images"));
        assert_eq!(way, Some("../../data/images".into()));
        let way = way_from(&root.join("out"), &root.join("out/label/x"));
        assert_eq!(way, Some("x".into()));
    }

    #[test]
    fn long_names_keep_their_prefix_and_their_end() {
        let name = format!("{}.png", "ä".repeat(140));
        let short = fitting("7_", &name);
        assert!(short.len() <= 255 && short.starts_with("7_ä") && short.ends_with("ä.png"));
        assert_eq!(fitting("", "a.png"), "a.png");
    }

    #[test]
    fn names_lead_nowhere() {
        assert_eq!(["a/b.png", "..", "", "c\\d"].map(plain), ["a_b.png", "_", "_", "c_d"]);
    }
}
