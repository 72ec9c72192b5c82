//! The one owner of a folder in the making.
//!
//! What becomes `RUN` is written in `RUN.partial`, which is made and held before any work is done:
//!
//! | in it | what |
//! | --- | --- |
//! | `lock` | held by the process that writes the run; it has its number |
//! | `run/` | what becomes the run |
//! | `checkpoint/` | finished steps, if there are any: see [`CheckpointFolder`](super::CheckpointFolder) |
//!
//! Where `RUN` is there, empty, and can't be replaced, all this is in `RUN/.partial`: see [`inside`](super::inside).
//!
//! Whoever comes next and finds it not held knows that its process is dead, and goes on with the checkpoint or clears it away.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::unwritable;
use super::{index, inside, manifest};
use crate::RunError;
use crate::output::{
    Lock, Taken, aside_of, check_name, exchange, rename_new, sync_file, sync_folder, sync_tree,
};

const LOCK: &str = "lock";
const RUN: &str = "run";
const CHECKPOINT: &str = "checkpoint";

/// A folder in the making, held by this process. Whoever has a clone of it can give it up; what is given up can't be published any more.
///
/// Dropped or given up before it is published, it is removed, but for a checkpoint and for the folders that were there before.
#[derive(Debug, Clone)]
pub struct Staging(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// `RUN`.
    out: PathBuf,
    /// `RUN.partial`, or `RUN/.partial`.
    aside: PathBuf,
    how: How,
    state: Mutex<State>,
}

/// How what was written gets its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// In place of nothing, or of an empty folder.
    Named,
    /// Piece by piece, in a folder that is there.
    Filled,
    /// In place of a run, which is there until then.
    Exchanged,
}

#[derive(Debug)]
enum State {
    /// Held; with the folders that were made for it, innermost first.
    Held(Lock, Vec<PathBuf>),
    Published,
    GivenUp,
}

impl Staging {
    /// Makes and holds what is going to be `out`.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] if another process holds it, if it can't be made, or if `out` can't be given that place later.
    pub(super) fn hold(out: &Path) -> Result<Self, RunError> {
        check_name(out, &aside_of(out))?;
        Self::hold_at(out, How::Named).or_else(|refused| match refused {
            // What can't be replaced may still be filled.
            Refused::InPlace(_) if out.is_dir() => {
                Self::hold_at(out, How::Filled).map_err(|inside| match inside {
                    Refused::Held(error) => error,
                    Refused::InPlace(_) => refused.into_error(),
                })
            }
            _ => Err(refused.into_error()),
        })
    }

    /// Makes and holds what is going to be in place of the run `run`.
    ///
    /// # Errors
    ///
    /// As [`Staging::hold`].
    pub(super) fn hold_over(run: &Path) -> Result<Self, RunError> {
        check_name(run, &aside_of(run))?;
        Self::hold_at(run, How::Exchanged).map_err(Refused::into_error)
    }

    fn hold_at(out: &Path, how: How) -> Result<Self, Refused> {
        let aside = if how == How::Filled { inside::aside_in(out) } else { aside_of(out) };
        let parent = aside.parent().unwrap_or(Path::new(""));
        let made = missing(parent);
        let give_back =
            |made: &[PathBuf]| made.iter().for_each(|folder| drop(fs::remove_dir(folder)));
        let folders = fs::create_dir_all(parent).and_then(|()| match fs::create_dir(&aside) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => check_ours(&aside),
            made => made,
        });
        let unwritable = |error: &io::Error| {
            let remedy = match how {
                How::Exchanged => "",
                _ => "; name another folder with --out",
            };
            let problem = format!("can't be written: {error}{remedy}");
            Refused::InPlace(RunError::folder(out, &problem))
        };
        if let Err(error) = folders {
            give_back(&made);
            return Err(unwritable(&error));
        }
        let mut lock = Lock::new(&aside.join(LOCK)).map_err(|taken| match taken {
            Taken::By(process) => {
                let who = process.map_or(String::new(), |process| format!(" (process {process})"));
                let problem = match how {
                    How::Exchanged => format!("another process is adding to it{who}; wait for it"),
                    _ => format!(
                        "another run is being written there{who}; wait for it, or name another folder with --out"
                    ),
                };
                Refused::Held(RunError::folder(out, &problem))
            }
            Taken::Failed(error) => unwritable(&error),
        })?;
        lock.sign().map_err(|error| unwritable(&error))?;
        let state = Mutex::new(State::Held(lock, made));
        let staging = Self(Arc::new(Inner { out: out.into(), aside, how, state }));
        // What a dead process has left.
        staging.clear().map_err(|error| unwritable(&error))?;
        let is_free = match how {
            How::Named => staging.try_out(),
            How::Filled => inside::clear(out),
            How::Exchanged => Ok(()),
        };
        is_free.map_err(|error| unwritable(&error))?;
        Ok(staging)
    }

    /// Replaces `out`, if it is there, by an empty folder like itself: if that can be done now, so can it be in the end.
    fn try_out(&self) -> io::Result<()> {
        let (out, probe) = (&self.0.out, self.0.aside.join(RUN));
        fs::create_dir(&probe)?;
        let done = match fs::metadata(out) {
            Ok(there) => fs::set_permissions(&probe, there.permissions())
                .and_then(|()| fs::rename(&probe, out)),
            Err(_) => Ok(()),
        };
        let _ = fs::remove_dir(&probe);
        done
    }

    /// What the run is going to be called.
    #[must_use]
    pub fn out(&self) -> &Path {
        &self.0.out
    }

    /// Where finished steps are kept.
    #[must_use]
    pub fn checkpoint(&self) -> PathBuf {
        self.0.aside.join(CHECKPOINT)
    }

    /// Makes the folder that is to be written in, which is empty.
    ///
    /// # Errors
    ///
    /// [`RunError::Data`] if it can't be written.
    pub fn folder(&self) -> Result<PathBuf, RunError> {
        let folder = self.0.aside.join(RUN);
        let made = self.clear().and_then(|()| fs::create_dir(&folder));
        made.map_err(|error| unwritable(&folder, &error))?;
        Ok(folder)
    }

    /// Gives the folder its name, with a manifest of all files. `absent`: what should be in it and isn't, and why.
    ///
    /// # Errors
    ///
    /// [`RunError::Data`] if it can't be; [`RunError::Cancelled`] if it was given up.
    pub fn publish(&self, absent: &[(String, String)]) -> Result<&Path, RunError> {
        let folder = self.0.aside.join(RUN);
        let written = manifest::write(&folder, absent).and_then(|()| sync_tree(&folder));
        self.named(written.and_then(|()| self.rename(|out| self.place(&folder, out))))
    }

    /// Gives the folder its name as it is, if it isn't a run but links to what others keep.
    ///
    /// # Errors
    ///
    /// As [`Staging::publish`].
    pub fn publish_links(&self) -> Result<&Path, RunError> {
        let folder = self.0.aside.join(RUN);
        self.named(sync_tree(&folder).and_then(|()| self.rename(|out| self.place(&folder, out))))
    }

    /// Gives one file of the folder the name, in place of nothing. The rest is removed.
    ///
    /// # Errors
    ///
    /// As [`Staging::publish`].
    pub fn publish_file(&self, file: &Path) -> Result<&Path, RunError> {
        self.named(sync_file(file).and_then(|()| self.rename(|out| rename_new(file, out))))
    }

    fn place(&self, folder: &Path, out: &Path) -> io::Result<()> {
        match self.0.how {
            How::Named => fs::rename(folder, out),
            How::Filled => inside::move_up(folder, out).inspect_err(|_| drop(inside::clear(out))),
            How::Exchanged => exchange(folder, out),
        }
    }

    fn named(&self, done: io::Result<()>) -> Result<&Path, RunError> {
        done.map_err(|error| match error.kind() {
            ErrorKind::Interrupted => RunError::Cancelled,
            _ => unwritable(&self.0.out, &error).into(),
        })?;
        Ok(&self.0.out)
    }

    fn rename(&self, rename: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
        // Whoever ends the program waits for this, or this for ever: nothing is published by halves.
        let mut state = self.state();
        if !matches!(*state, State::Held(..)) {
            return Err(ErrorKind::Interrupted.into());
        }
        rename(&self.0.out)?;
        *state = State::Published;
        let _ = sync_folder(self.0.out.parent().unwrap_or(Path::new("")));
        let _ = fs::remove_dir_all(&self.0.aside);
        Ok(())
    }

    /// Gives it up, and waits for nothing but a name that is just being given; whether a checkpoint is left.
    pub fn give_up(&self) -> bool {
        let mut state = self.state();
        let State::Held(lock, made) = std::mem::replace(&mut *state, State::GivenUp) else {
            return false;
        };
        // Another thread may be writing into it still.
        for _ in 0..10 {
            if self.clear().is_ok() {
                break;
            }
        }
        if index::is_there(&self.checkpoint()) {
            return true;
        }
        let _ = fs::remove_dir_all(&self.0.aside);
        drop(lock);
        made.iter().for_each(|folder| drop(fs::remove_dir(folder)));
        false
    }

    fn clear(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.0.aside.join(RUN)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // The last one.
        if Arc::strong_count(&self.0) == 1 {
            self.give_up();
        }
    }
}

/// Refuses a folder that isn't one in the making: what is in there is somebody's own, and would be lost. So is a link, which would be followed.
fn check_ours(aside: &Path) -> io::Result<()> {
    let is_ours = |name: &std::ffi::OsStr| [LOCK, RUN, CHECKPOINT].iter().any(|own| name == *own);
    let is_folder = fs::symlink_metadata(aside)?.is_dir();
    let mut names = match is_folder {
        true => fs::read_dir(aside)?.collect::<io::Result<Vec<_>>>()?,
        false => Vec::new(),
    };
    names.retain(|entry| !is_ours(&entry.file_name()));
    if is_folder && names.is_empty() {
        return Ok(());
    }
    let problem = format!("{} is there and no run in the making; move it away", aside.display());
    Err(io::Error::new(ErrorKind::AlreadyExists, problem))
}

/// Why a folder can't be held.
enum Refused {
    /// Another process has it.
    Held(RunError),
    /// It can't be made, or not be replaced.
    InPlace(RunError),
}

impl Refused {
    fn into_error(self) -> RunError {
        match self {
            Self::Held(error) | Self::InPlace(error) => error,
        }
    }
}

/// `folder` and the folders around it that don't exist, innermost first.
fn missing(folder: &Path) -> Vec<PathBuf> {
    let missing = folder.ancestors().filter(|path| !path.as_os_str().is_empty());
    missing.take_while(|path| !path.exists()).map(Path::to_path_buf).collect()
}
