//! Names of what is written aside, and giving things their own names.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::RunError;

/// Bytes of a name; file systems take 255. The rest is for what is written aside.
const LONGEST: usize = 242;

/// What is written aside is called like what it becomes, and so.
const PARTIAL: &str = ".partial";

/// Where what becomes `out` is written, in the same folder.
pub(crate) fn aside_of(out: &Path) -> PathBuf {
    let mut name = OsString::from(out.file_name().unwrap_or_default());
    name.push(PARTIAL);
    out.with_file_name(name)
}

/// Checks that `out` ends in a name, and that there is room for that of what is written aside.
pub(crate) fn check_name(out: &Path) -> Result<(), RunError> {
    let length = out.file_name().map_or(0, |name| name.as_encoded_bytes().len());
    if length <= LONGEST {
        return Ok(());
    }
    let problem = format!(
        "a name of {length} bytes; at most {LONGEST} leave room for what is written aside: give a shorter one"
    );
    Err(RunError::folder(out, &problem))
}

/// Gives a file or folder a name that nothing has yet.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            // Not every file system has it.
            Err(
                rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP,
            ) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if to.symlink_metadata().is_ok() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// Gives two folders each other's names, at once.
pub(crate) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (one, other);
        Err(ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["a", "b"] {
            fs::write(path(name), name).unwrap();
        }
        let error = rename_new(&path("a"), &path("b")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        rename_new(&path("a"), &path("c")).unwrap();
        assert_eq!(fs::read_to_string(path("c")).unwrap(), "a");
        assert_eq!(fs::read_to_string(path("b")).unwrap(), "b");
    }

    #[test]
    fn names_leave_room() {
        assert!(check_name(Path::new(&"n".repeat(242))).is_ok());
        let error = check_name(Path::new(&"n".repeat(243))).unwrap_err().to_string();
        assert!(error.contains("a name of 243 bytes"), "{error}");
        assert_eq!(aside_of(Path::new("runs/a.b")), Path::new("runs/a.b.partial"));
    }
}
