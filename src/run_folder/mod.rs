//! The folder that a run writes: complete or absent.
//!
//! It is written aside, into a sibling with a name of its own, and renamed when everything is in it. Before any
//! work is done, [`Destination::new`] finds out whether it can be written.

#[cfg(feature = "hdf5")]
mod h5;
mod models;
mod read;
mod results;
mod source;
mod votes;
mod write;

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use consilience_data::DataError;

#[cfg(feature = "hdf5")]
pub(crate) use self::h5::Documented;
pub(crate) use self::models::read as read_models;
pub use self::read::{RunFolder, read_recipe, read_source};
pub(crate) use self::results::{Columns, PSEUDO_LABELS, row};
pub use self::source::{CONFIG, GivenVotes, Provenance, RECIPE, Source, config_toml};
pub use self::write::{rewrite_metrics, write, write_from_votes};
use crate::RunError;

/// Ids of clusters are 16-bit numbers, of which the last is no cluster.
const MAX_CLUSTERS: usize = 65_535;

/// The name of the file with the numbers.
const METRICS: &str = "metrics.json";

/// Where runs are written by default.
const RUNS: &str = "runs";

/// Where a run folder is going to be.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The folder asked for; `None` for the next free number in `parent`.
    named: Option<PathBuf>,
    parent: PathBuf,
}

impl Destination {
    /// Checks that `out` doesn't exist or is an empty folder, and that it can be made. Without `out`, a run goes to
    /// `runs/<data>-<n>`, with the first free n. Nothing is written yet.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] if the folder is in use or can't be made.
    pub fn new(out: Option<&Path>) -> Result<Self, RunError> {
        let Some(out) = out else {
            let parent = PathBuf::from(RUNS);
            check_writable(&parent)?;
            return Ok(Self { named: None, parent });
        };
        if out.file_name().is_none() {
            return Err(RunError::folder(
                out,
                &"can't be a run folder; name one, such as --out runs/mine",
            ));
        }
        let out = match fs::read_dir(out) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    let message = "the folder isn't empty; name another with --out, or remove it";
                    return Err(RunError::folder(out, &message));
                }
                fs::canonicalize(out).map_err(|error| RunError::folder(out, &error.to_string()))?
            }
            Err(error) if error.kind() == ErrorKind::NotFound => out.to_path_buf(),
            Err(error) => {
                let message = format!("can't be the run folder: {error}; name another with --out");
                return Err(RunError::folder(out, &message));
            }
        };
        let parent = match out.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        check_writable(&parent)?;
        Ok(Self { named: Some(out), parent })
    }

    /// Makes the folder that is written aside. `data` names the run if nobody else did.
    ///
    /// # Errors
    ///
    /// [`DataError::Unwritable`].
    pub fn stage(self, data: &str) -> Result<Staging, RunError> {
        let stem = self.named.as_ref().and_then(|out| out.file_name());
        let stem = stem.map_or(data.into(), |name| name.to_string_lossy());
        let mut leftovers = Leftovers { folders: missing(&self.parent) };
        let made = fs::create_dir_all(&self.parent).and_then(|()| {
            let prefix = format!(".{stem}.partial-");
            let mut builder = tempfile::Builder::new();
            builder.prefix(&prefix);
            // Like any new folder; by default only its owner could read it.
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
            Ok(builder.tempdir_in(&self.parent)?.keep())
        });
        match made {
            Ok(path) => {
                leftovers.folders.insert(0, path.clone());
                Ok(Staging { path, data: data.into(), destination: self, leftovers })
            }
            Err(error) => {
                leftovers.remove();
                Err(unwritable(&self.parent, &error).into())
            }
        }
    }
}

/// A run folder in the making. Dropped before [`Staging::publish`], it is removed.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
    data: String,
    destination: Destination,
    leftovers: Leftovers,
}

impl Staging {
    /// Where to write.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What has to be removed if the program ends before [`Staging::publish`].
    #[must_use]
    pub fn leftovers(&self) -> Leftovers {
        self.leftovers.clone()
    }

    /// Gives the folder its name, and says which.
    ///
    /// # Errors
    ///
    /// [`DataError::Unwritable`].
    pub fn publish(mut self) -> Result<PathBuf, RunError> {
        let published = match self.destination.named.clone() {
            Some(out) => fs::rename(&self.path, &out).map(|()| out),
            None => self.publish_numbered(),
        };
        match published {
            Ok(folder) => {
                self.leftovers.folders.clear();
                Ok(folder)
            }
            Err(error) => Err(unwritable(&self.path, &error).into()),
        }
    }

    /// The first free number: another run may have taken one since this one started, or takes it right now.
    fn publish_numbered(&self) -> io::Result<PathBuf> {
        let mut number = 1_u64;
        loop {
            let folder = self.destination.parent.join(format!("{}-{number}", self.data));
            number += 1;
            if folder.symlink_metadata().is_ok() {
                continue;
            }
            match fs::rename(&self.path, &folder) {
                Ok(()) => return Ok(folder),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists
                    ) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        self.leftovers.remove();
    }
}

/// Folders that are of no use unless a run is completed: the one written aside, then those made to hold it.
#[derive(Debug, Clone)]
pub struct Leftovers {
    folders: Vec<PathBuf>,
}

impl Leftovers {
    /// A single file that is written aside.
    #[must_use]
    pub fn of_file(path: &Path) -> Self {
        Self { folders: vec![path.into()] }
    }

    /// Removes the folder written aside with all its files, and the others if they are empty.
    pub fn remove(&self) {
        let Some((staged, parents)) = self.folders.split_first() else {
            return;
        };
        // Another thread may be writing into it still.
        for _ in 0..10 {
            let is_file = staged.is_file() && fs::remove_file(staged).is_ok();
            if is_file || fs::remove_dir_all(staged).is_ok() || !staged.exists() {
                break;
            }
        }
        for parent in parents {
            let _ = fs::remove_dir(parent);
        }
    }
}

/// `folder` and the folders around it that don't exist, innermost first.
fn missing(folder: &Path) -> Vec<PathBuf> {
    let missing = folder.ancestors().filter(|path| !path.as_os_str().is_empty());
    missing.take_while(|path| !path.exists()).map(Path::to_path_buf).collect()
}

/// Checks that files can be made in `folder`, or in the innermost folder around it that exists.
fn check_writable(folder: &Path) -> Result<(), RunError> {
    let here = Path::new(".");
    let or_here = |path| if path == Path::new("") { here } else { path };
    let existing = folder.ancestors().map(or_here).find(|path| path.exists()).unwrap_or(here);
    // Nothing of it is ever seen, on Linux not even its name.
    tempfile::tempfile_in(existing).map(|_| ()).map_err(|error| {
        let message = format!("can't be written to: {error}; name another folder with --out");
        RunError::folder(existing, &message)
    })
}

/// Writes a file aside, then moves it over one that may be there.
///
/// # Errors
///
/// [`DataError::Unwritable`].
pub fn replace(path: &Path, content: &[u8]) -> Result<(), DataError> {
    let written = || -> io::Result<()> {
        let mut builder = tempfile::Builder::new();
        // Like any new file; by default only its owner could read it.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut aside = builder.prefix(".partial-").tempfile_in(folder)?;
        aside.write_all(content)?;
        aside.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    written().map_err(|error| unwritable(path, &error))
}

fn write_text(path: &Path, content: &str) -> Result<(), DataError> {
    fs::write(path, content).map_err(|error| unwritable(path, &error))
}

pub(crate) fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> DataError {
    DataError::Unwritable { source_name: path.display().to_string(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_not_published_is_removed_with_the_folders_made_for_it() {
        let sandbox = tempfile::tempdir().unwrap();
        let destination = Destination::new(Some(&sandbox.path().join("a/b/run"))).unwrap();
        assert!(names(sandbox.path()).is_empty(), "checking writes nothing");
        let staging = destination.stage("digits").unwrap();
        fs::write(staging.path().join("half"), "of a file").unwrap();
        assert!(names(&sandbox.path().join("a/b"))[0].starts_with(".run.partial-"));
        drop(staging);
        assert!(names(sandbox.path()).is_empty());
    }

    #[test]
    fn a_run_that_finds_its_number_taken_gets_the_next() {
        let sandbox = tempfile::tempdir().unwrap();
        let destination = Destination { named: None, parent: sandbox.path().into() };
        let stage = || {
            let staging = destination.clone().stage("digits").unwrap();
            fs::write(staging.path().join("file"), "").unwrap();
            staging
        };
        let (first, second) = (stage(), stage());
        second.publish().unwrap();
        assert_eq!(first.publish().unwrap(), sandbox.path().join("digits-2"));
        assert_eq!(names(sandbox.path()), ["digits-1", "digits-2"]);
    }

    #[test]
    fn a_folder_that_was_filled_meanwhile_is_left_alone() {
        let sandbox = tempfile::tempdir().unwrap();
        let out = sandbox.path().join("run");
        let staging = Destination::new(Some(&out)).unwrap().stage("digits").unwrap();
        fs::create_dir(&out).unwrap();
        fs::write(out.join("thesis"), "a year's work").unwrap();
        assert!(staging.publish().is_err());
        assert_eq!(
            (names(sandbox.path()), names(&out)),
            (vec!["run".into()], vec!["thesis".into()])
        );
    }
}
