//! Runs that were ended, and how to go on with them.

use std::path::{Path, PathBuf};

use super::destination::{checkpoint_of, finished};
use super::index::read_origin;
use super::inside;
use super::origin::Origin;
use super::source::CONFIG;
use crate::RunError;

/// What the run `run` (or the folder `run`.partial that it was written in) was started with, to go on with it: the run, and its command.
///
/// # Errors
///
/// [`RunError::Folder`] if it is finished, or has no checkpoint that is whole.
pub fn command_of(run: &Path) -> Result<(PathBuf, Origin), RunError> {
    let name = run.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.as_deref().and_then(|name| name.strip_suffix(".partial"));
    let out = match (inside::outside(run), name) {
        (Some(out), _) => out.to_path_buf(),
        (None, Some(name)) if run.is_dir() => run.with_file_name(name),
        _ => run.to_path_buf(),
    };
    if out.join(CONFIG).is_file() {
        return Err(finished(&out));
    }
    let checkpoint = checkpoint_of(&out);
    if !checkpoint.is_dir() {
        let problem = "there is no checkpoint to resume; start the run anew, with its data";
        return Err(RunError::folder(&out, &problem));
    }
    let origin = read_origin(&checkpoint)?;
    Ok((out, origin))
}
