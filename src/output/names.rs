//! Names of what is written aside, and giving things their own names.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::RunError;

/// Bytes of the name of what is written aside; file systems take 255.
const LONGEST: usize = 250;

/// A folder that is written aside is called like the run that it becomes, and so. What is in it says that it is ours.
const PARTIAL: &str = ".partial";
/// And so is a file, of which nothing in it could say so: others call files `.partial`, too.
const PARTIAL_FILE: &str = ".consilience.partial";

/// Where a folder that becomes `out` is written, beside it.
pub(crate) fn aside_of(out: &Path) -> PathBuf {
    called(out, PARTIAL)
}

/// Where a file that becomes `out` is written, in the same folder.
pub(crate) fn aside_of_file(out: &Path) -> PathBuf {
    called(out, PARTIAL_FILE)
}

fn called(out: &Path, partial: &str) -> PathBuf {
    let mut name = OsString::from(out.file_name().unwrap_or_default());
    name.push(partial);
    out.with_file_name(name)
}

/// Checks that `out` ends in a name, and that there is room for that of what is written `aside`.
pub(crate) fn check_name(out: &Path, aside: &Path) -> Result<(), RunError> {
    let [length, aside] =
        [out, aside].map(|path| path.file_name().map_or(0, |name| name.as_encoded_bytes().len()));
    if aside <= LONGEST {
        return Ok(());
    }
    let most = (LONGEST + length).saturating_sub(aside);
    let problem = format!(
        "a name of {length} bytes; at most {most} leave room for what is written aside: give a shorter one"
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
        let check = |length: usize, aside: fn(&Path) -> PathBuf| {
            let out = PathBuf::from("n".repeat(length));
            check_name(&out, &aside(&out)).map_err(|error| error.to_string())
        };
        assert_eq!((check(242, aside_of), check(230, aside_of_file)), (Ok(()), Ok(())));
        let error = check(243, aside_of).unwrap_err();
        assert!(error.contains("a name of 243 bytes; at most 242 leave room"), "{error}");
        let error = check(231, aside_of_file).unwrap_err();
        assert!(error.contains("a name of 231 bytes; at most 230 leave room"), "{error}");
        assert_eq!(aside_of(Path::new("runs/a.b")), Path::new("runs/a.b.partial"));
        let file = Path::new("runs/a.b.consilience.partial");
        assert_eq!(aside_of_file(Path::new("runs/a.b")), file);
    }
}
