//! Files that one process holds at a time.
//!
//! A lock ends with its process, however that ends. So a file that is there and not locked was left by a dead one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// A file that this process holds. It stays when the lock is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
}

/// Why a file can't be held.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Another process does, of this number if it says so.
    By(Option<u32>),
    /// It can't be made or opened.
    Failed(io::Error),
}

/// Others that remove what they hold, just when it was opened here: so often that it is no chance any more.
const TRIES: usize = 100;

impl Lock {
    /// Holds the file at `path`, which is made if it isn't there. What is in it stays.
    pub(crate) fn new(path: &Path) -> Result<Self, Taken> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        for _ in 0..TRIES {
            let mut file = options.open(path).map_err(Taken::Failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(Taken::By(process(&mut file))),
                // Some network file systems have no locks; there, nothing is held.
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
                Err(TryLockError::Error(error)) => return Err(Taken::Failed(error)),
            }
            // Whoever held it may have removed it, or given it another name, since it was opened.
            if is_at(&file, path).map_err(Taken::Failed)? {
                return Ok(Self { file, path: path.into() });
            }
        }
        Err(Taken::By(None))
    }

    /// Says in the file which process holds it.
    pub(crate) fn sign(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        writeln!(self.file, "{}", std::process::id())
    }
}

fn process(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Whether an open file is the one that has this name now.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;

    let named = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        named => named?,
    };
    let opened = file.metadata()?;
    Ok((opened.dev(), opened.ino()) == (named.dev(), named.ino()))
}

/// Elsewhere an open file keeps its name.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_held_once_and_knows_by_whom() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let mut lock = Lock::new(&path).unwrap();
        lock.sign().unwrap();
        let Err(Taken::By(process)) = Lock::new(&path) else { panic!("held twice") };
        assert_eq!(process, Some(std::process::id()));
        drop(lock);
        assert!(Lock::new(&path).is_ok());
    }

    #[test]
    fn a_file_that_got_another_name_is_not_held_by_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("lock"), folder.path().join("other"));
        let lock = Lock::new(&path).unwrap();
        assert!(is_at(&lock.file, &path).unwrap());
        fs::rename(&path, &other).unwrap();
        assert!(!is_at(&lock.file, &path).unwrap() && is_at(&lock.file, &other).unwrap());
        let second = Lock::new(&path).unwrap();
        assert!(is_at(&second.file, &path).unwrap(), "a new file");
    }
}
