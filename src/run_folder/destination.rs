//! Where a run folder is going to be.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::index;
use super::inside;
use super::source::CONFIG;
use super::staging::Staging;
use crate::RunError;
use crate::output::aside_of;

/// Where runs are written by default.
const RUNS: &str = "runs";

/// Where a run folder is going to be.
#[derive(Debug)]
pub struct Destination {
    place: Place,
    resume: bool,
}

#[derive(Debug)]
enum Place {
    Named(Staging),
    /// The next free number in this folder.
    Numbered(PathBuf),
}

impl Destination {
    /// Checks that `out` doesn't exist or is an empty folder, and holds it. Without `out`, a run goes to `runs/<data>-<n>`,
    /// with the first free n. With `resume`, a checkpoint that was left there is gone on with.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] if the folder is in use or can't be made; without `resume`, if there is a checkpoint that would be
    /// lost; with it, if the run is finished.
    pub fn new(out: Option<&Path>, resume: bool) -> Result<Self, RunError> {
        let Some(out) = out else {
            let parent = PathBuf::from(RUNS);
            // Whether folders can be made there is found out now, too.
            drop(Staging::hold(&parent.join(format!("run-{}", std::process::id())))?);
            return Ok(Self { place: Place::Numbered(parent), resume });
        };
        if out.file_name().is_none() {
            return Err(RunError::folder(
                out,
                &"can't be a run folder; name one, such as --out runs/mine",
            ));
        }
        if resume && out.join(CONFIG).is_file() {
            return Err(finished(out));
        }
        let out = whole(out)?;
        if !resume && index::is_there(&checkpoint_of(&out)) {
            let aside = where_aside(&out);
            let problem = format!(
                "{} has a checkpoint of a run that was ended: go on with it with --resume, or remove that folder to start anew",
                aside.display()
            );
            return Err(RunError::folder(&out, &problem));
        }
        Ok(Self { place: Place::Named(Staging::hold(&out)?), resume })
    }

    /// What is held already: a folder that was named.
    #[must_use]
    pub fn held(&self) -> Option<&Staging> {
        match &self.place {
            Place::Named(staging) => Some(staging),
            Place::Numbered(_) => None,
        }
    }

    /// Where the run is written. `data` names it if nobody else did. `fits`: whether the checkpoint in a folder is of this run.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] if it can't be made; what `fits` says, if all that could be gone on with is of other runs.
    pub fn stage(
        self,
        data: &str,
        fits: impl Fn(&Path) -> Result<(), RunError>,
    ) -> Result<Staging, RunError> {
        let parent = match self.place {
            Place::Named(staging) => return Ok(staging),
            Place::Numbered(parent) => parent,
        };
        let name = |number: u64| parent.join(format!("{data}-{number}"));
        if self.resume {
            let mut refused = None;
            // Oldest first; numbers that were removed meanwhile are gaps.
            for number in 1..=last_number(&parent, data) {
                let checkpoint = checkpoint_of(&name(number));
                if !index::is_there(&checkpoint) {
                    continue;
                }
                match fits(&checkpoint) {
                    Ok(()) => return Staging::hold(&name(number)),
                    Err(error) => refused = Some(error),
                }
            }
            if let Some(refused) = refused {
                return Err(refused);
            }
        }
        let mut number = 1_u64;
        loop {
            let out = name(number);
            number += 1;
            if out.symlink_metadata().is_ok() || index::is_there(&checkpoint_of(&out)) {
                continue;
            }
            match Staging::hold(&out) {
                // Another run has it.
                Err(_) if aside_of(&out).is_dir() => {}
                held => return held,
            }
        }
    }
}

/// The largest number that a run of `data` in the making has.
fn last_number(parent: &Path, data: &str) -> u64 {
    let names = fs::read_dir(parent).into_iter().flatten().flatten();
    let number = |name: std::ffi::OsString| {
        let name = name.into_string().ok()?;
        name.strip_prefix(data)?.strip_prefix('-')?.strip_suffix(".partial")?.parse().ok()
    };
    names.filter_map(|entry| number(entry.file_name())).max().unwrap_or(0)
}

/// Where the checkpoint of the run `out` is.
pub(super) fn checkpoint_of(out: &Path) -> PathBuf {
    where_aside(out).join("checkpoint")
}

/// Where what becomes the run `out` is written, if something is.
fn where_aside(out: &Path) -> PathBuf {
    Some(inside::aside_in(out)).filter(|aside| aside.is_dir()).unwrap_or_else(|| aside_of(out))
}

/// What is said of a run that can't be gone on with because it is there.
pub(super) fn finished(out: &Path) -> RunError {
    RunError::folder(
        out,
        &"the run is finished: there is nothing to resume; name another folder with --out to run again",
    )
}

/// `out` without links, checked to be nothing or an empty folder.
fn whole(out: &Path) -> Result<PathBuf, RunError> {
    match inside::is_free(out) {
        Ok(is_free) => {
            if !is_free {
                let message = "the folder isn't empty; name another with --out, or remove it";
                return Err(RunError::folder(out, &message));
            }
            fs::canonicalize(out).map_err(|error| RunError::folder(out, &error.to_string()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            if out.symlink_metadata().is_ok() {
                let message = "is a link to nothing; name another with --out, or remove it";
                return Err(RunError::folder(out, &message));
            }
            Ok(out.to_path_buf())
        }
        Err(error) => {
            let message = format!("can't be the run folder: {error}; name another with --out");
            Err(RunError::folder(out, &message))
        }
    }
}

#[cfg(test)]
mod tests {
    use consilience_testing::names_in as names;

    use super::*;

    fn refused(out: &Path) -> String {
        Destination::new(Some(out), false).unwrap_err().to_string()
    }

    fn any(_: &Path) -> Result<(), RunError> {
        Ok(())
    }

    fn numbered(parent: &Path) -> Staging {
        let place = Place::Numbered(parent.into());
        Destination { place, resume: false }.stage("digits", any).unwrap()
    }

    #[test]
    fn what_is_not_published_is_removed_with_the_folders_made_for_it() {
        let sandbox = tempfile::tempdir().unwrap();
        let destination = Destination::new(Some(&sandbox.path().join("a/b/run")), false).unwrap();
        let staging = destination.stage("digits", any).unwrap();
        fs::write(staging.folder().unwrap().join("half"), "of a file").unwrap();
        assert_eq!(names(&sandbox.path().join("a/b")), ["run.partial"]);
        let handle = staging.clone();
        drop(staging);
        assert!(!handle.give_up());
        assert!(names(sandbox.path()).is_empty());
        assert!(handle.publish(&[]).is_err(), "it was given up");
    }

    #[test]
    fn runs_at_the_same_time_have_numbers_of_their_own() {
        let sandbox = tempfile::tempdir().unwrap();
        let (first, second) = (numbered(sandbox.path()), numbered(sandbox.path()));
        for staging in [&second, &first] {
            fs::write(staging.folder().unwrap().join("file"), "").unwrap();
            staging.publish(&[]).unwrap();
        }
        assert_eq!(first.out(), sandbox.path().join("digits-1"));
        assert_eq!(names(sandbox.path()), ["digits-1", "digits-2"]);
        assert_eq!(names(first.out()), ["file", "manifest.json"]);
    }

    #[test]
    fn a_folder_is_held_by_one_run() {
        let sandbox = tempfile::tempdir().unwrap();
        let out = sandbox.path().join("run");
        let first = Destination::new(Some(&out), false).unwrap();
        let error = refused(&out);
        assert!(error.contains("another run is being written there (process"), "{error}");
        drop(first);
        assert!(Destination::new(Some(&out), false).is_ok());
    }

    #[test]
    fn a_folder_that_was_filled_meanwhile_is_left_alone() {
        let sandbox = tempfile::tempdir().unwrap();
        let out = sandbox.path().join("run");
        let staging = Destination::new(Some(&out), false).unwrap().stage("digits", any).unwrap();
        staging.folder().unwrap();
        fs::create_dir(&out).unwrap();
        fs::write(out.join("thesis"), "a year's work").unwrap();
        assert!(staging.publish(&[]).is_err());
        drop(staging);
        assert_eq!(
            (names(sandbox.path()), names(&out)),
            (vec!["run".into()], vec!["thesis".into()])
        );
    }

    #[test]
    fn what_a_dead_process_left_is_cleared_away() {
        let sandbox = tempfile::tempdir().unwrap();
        let left = sandbox.path().join("run.partial/run");
        fs::create_dir_all(&left).unwrap();
        fs::write(left.join("half"), "of a file").unwrap();
        fs::write(sandbox.path().join("run.partial/lock"), "1\n").unwrap();
        let out = sandbox.path().join("run");
        let staging = Destination::new(Some(&out), false).unwrap().stage("digits", any).unwrap();
        assert!(names(&staging.folder().unwrap()).is_empty());
        staging.publish(&[]).unwrap();
        assert_eq!(names(sandbox.path()), ["run"]);
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let sandbox = tempfile::tempdir().unwrap();
        let (out, mine) = (sandbox.path().join("run"), sandbox.path().join("run.partial"));
        fs::create_dir(&mine).unwrap();
        fs::write(mine.join("gold"), "mine").unwrap();
        let error = refused(&out);
        assert!(error.contains("run.partial is there and no run in the making"), "{error}");
        assert_eq!(names(&mine), ["gold"]);
        #[cfg(unix)]
        {
            let treasure = sandbox.path().join("treasure");
            fs::rename(&mine, &treasure).unwrap();
            fs::remove_file(treasure.join("gold")).unwrap();
            std::os::unix::fs::symlink(&treasure, &mine).unwrap();
            assert!(refused(&out).contains("no run in the making"));
            assert!(names(&treasure).is_empty());
        }
    }

    #[cfg(unix)]
    #[test]
    fn places_that_cannot_be_are_refused() {
        let sandbox = tempfile::tempdir().unwrap();
        let path = |name: &str| sandbox.path().join(name);
        std::os::unix::fs::symlink("nowhere", path("link")).unwrap();
        fs::write(path("file"), "").unwrap();
        for (out, words) in [
            (path("link"), "is a link to nothing"),
            (path("file"), "can't be the run folder"),
            (path("file/in"), "can't be"),
            (path(&"n".repeat(243)), "a name of 243 bytes"),
            ("/proc/run".into(), "can't be written"),
            ("/".into(), "can't be a run folder"),
        ] {
            let error = refused(&out);
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(names(sandbox.path()), ["file", "link"]);
        fs::create_dir(path("empty")).unwrap();
        std::os::unix::fs::symlink("empty", path("to-empty")).unwrap();
        let linked = Destination::new(Some(&path("to-empty")), false).unwrap();
        let linked = linked.stage("x", any).unwrap();
        linked.folder().unwrap();
        assert!(linked.publish(&[]).unwrap().ends_with("empty"));
    }
}
