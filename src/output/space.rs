//! How much room a disk has.

use std::path::Path;

use crate::RunError;
use crate::wording::bytes;

/// Bytes that this process may still write where `path` is, or is going to be; `None` where the system doesn't say.
#[must_use]
pub fn free_bytes(path: &Path) -> Option<u64> {
    let here = Path::new(".");
    let existing =
        path.ancestors().find(|path| path.exists()).filter(|path| *path != Path::new(""));
    #[cfg(unix)]
    {
        let stats = rustix::fs::statvfs(existing.unwrap_or(here)).ok()?;
        Some(stats.f_bavail.saturating_mul(stats.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = (existing, here);
        None
    }
}

/// Refuses to write about `needed` bytes where there isn't room for them.
///
/// # Errors
///
/// [`RunError::Folder`] with what is needed and what is free.
pub fn need_space(path: &Path, needed: u64) -> Result<(), RunError> {
    match free_bytes(path) {
        Some(free) if free < needed => {
            let (needed, free) = (bytes(needed), bytes(free));
            let problem = format!(
                "about {needed} are needed there, and {free} are free; make room, or name a folder on another disk with --out"
            );
            Err(RunError::folder(path, &problem))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_does_not_fit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (there, later) = (folder.path(), folder.path().join("not/yet"));
        assert!(free_bytes(&later).unwrap() > 0);
        assert!(need_space(there, 1).is_ok());
        let error = need_space(&later, u64::MAX).unwrap_err().to_string();
        assert!(error.contains("are needed there, and"), "{error}");
    }
}
