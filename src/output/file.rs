//! A file in the making: written aside, brought to the disk, then given its name.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use consilience_data::DataError;

use super::lock::{Lock, Taken};
use super::names::{aside_of_file, check_name, rename_new};
use super::sync::{sync_file, sync_folder};
use crate::RunError;

/// A file that is written aside. Dropped before [`Aside::publish`], it is removed; if the process dies, the next one that writes the
/// same file removes it.
#[derive(Debug, Clone)]
pub struct Aside {
    out: PathBuf,
    path: PathBuf,
    /// Nothing once it has its name or is removed.
    lock: Arc<Mutex<Option<Lock>>>,
}

impl Aside {
    /// Begins the file that is going to be `out`.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] if another process is writing it, or if it can't be written.
    pub fn new(out: &Path) -> Result<Self, RunError> {
        let path = aside_of_file(out);
        check_name(out, &path)?;
        // A link would be written through.
        if fs::symlink_metadata(&path).is_ok_and(|there| !there.is_file()) {
            let problem = format!(
                "can't be written: {} is there and no file; move it away, or name another with --out",
                path.display()
            );
            return Err(RunError::folder(out, &problem));
        }
        let lock = Lock::new(&path).map_err(|taken| match taken {
            Taken::By(_) => RunError::folder(
                out,
                &"another process is writing it; wait for it, or name another with --out",
            ),
            Taken::Failed(error) => RunError::folder(
                out,
                &format!("can't be written: {error}; name another with --out"),
            ),
        })?;
        let emptied = lock.file.set_len(0);
        emptied.map_err(|error| RunError::folder(out, &format!("can't be written: {error}")))?;
        let lock = Arc::new(Mutex::new(Some(lock)));
        Ok(Self { out: out.into(), path, lock })
    }

    /// The file that it is written to.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A handle to write to.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn writer(&self) -> io::Result<File> {
        File::options().write(true).open(&self.path)
    }

    /// Gives the file its name, in place of nothing or, if `over`, of one that is there.
    ///
    /// # Errors
    ///
    /// Those of the system; of kind `AlreadyExists` if there is something now.
    pub fn publish(&self, over: bool) -> io::Result<()> {
        // Whoever ends the program waits for this, or this for ever.
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_none() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        sync_file(&self.path)?;
        if over { fs::rename(&self.path, &self.out) } else { rename_new(&self.path, &self.out) }?;
        *lock = None;
        sync_folder(self.out.parent().unwrap_or(Path::new("")))
    }

    /// Removes what was written, unless it has its name.
    pub fn remove(&self) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = lock.take() {
            let _ = fs::remove_file(&lock.path);
        }
    }
}

/// Writes a file aside, then moves it over one that may be there.
///
/// # Errors
///
/// [`RunError::Folder`] if another process is writing it, [`DataError::Unwritable`].
pub fn replace(path: &Path, content: &[u8]) -> Result<(), RunError> {
    let aside = Aside::new(path)?;
    let written = || -> io::Result<()> {
        aside.writer()?.write_all(content)?;
        aside.publish(true)
    };
    written().map_err(|error| {
        aside.remove();
        let (source_name, reason) = (path.display().to_string(), error.to_string());
        DataError::Unwritable { source_name, reason }.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (out, kept) = (folder.path().join("out.csv"), folder.path().join("kept"));
        fs::write(&kept, "mine").unwrap();
        std::os::unix::fs::symlink(&kept, aside_of_file(&out)).unwrap();
        let error = Aside::new(&out).unwrap_err().to_string();
        let says = "out.csv.consilience.partial is there and no file; move it away";
        assert!(error.contains(says), "{error}");
        assert_eq!(fs::read_to_string(&kept).unwrap(), "mine");
    }

    #[test]
    fn a_file_of_somebody_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (out, mine) = (folder.path().join("out.csv"), folder.path().join("out.csv.partial"));
        fs::write(&mine, "a download").unwrap();
        replace(&out, b"new").unwrap();
        let given_up = Aside::new(&out).unwrap();
        given_up.remove();
        assert_eq!(fs::read_to_string(&mine).unwrap(), "a download");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_is_whole_or_absent_and_held_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out.csv");
        fs::write(aside_of_file(&out), "left by a dead process").unwrap();
        let aside = Aside::new(&out).unwrap();
        let error = Aside::new(&out).unwrap_err().to_string();
        assert!(error.contains("another process is writing it"), "{error}");
        aside.writer().unwrap().write_all(b"whole").unwrap();
        assert!(!out.exists());
        aside.publish(false).unwrap();
        assert_eq!(fs::read_to_string(&out).unwrap(), "whole");
        aside.remove();
        assert!(out.exists(), "it has its name");

        let second = Aside::new(&out).unwrap();
        assert_eq!(second.publish(false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        second.remove();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(second.publish(true).is_err(), "it was given up");
        replace(&out, b"new").unwrap();
        assert_eq!(fs::read_to_string(&out).unwrap(), "new");
    }
}
