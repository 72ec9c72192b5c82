//! From results to a folder with a name, or, where that fails, to a second one.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use consilience::RunError;
use consilience::run_folder::{Destination, Staging};

use super::style::word;

/// Where results go if they can't be where they were asked to.
fn second_places(name: &str) -> [PathBuf; 2] {
    let name = format!("consilience-{name}-{}", std::process::id());
    [std::env::temp_dir().join(&name), PathBuf::from(name)]
}

/// Has `fill` write the files, and gives the folder its name. `absent`: what `fill` leaves out, and why.
pub(super) fn publish(
    staging: &Staging,
    fill: impl Fn(&Path) -> Result<Vec<(String, String)>>,
) -> Result<PathBuf> {
    let into = |staging: &Staging| -> Result<PathBuf> {
        let absent = fill(&staging.folder()?)?;
        Ok(staging.publish(&absent)?.to_path_buf())
    };
    let error = match into(staging) {
        Err(error) if !matches!(error.downcast_ref(), Some(RunError::Cancelled)) => error,
        done => return done,
    };
    let name = staging.out().file_name().unwrap_or_default().to_string_lossy();
    for place in second_places(&name) {
        let held = Destination::new(Some(&place), false);
        let second = held.and_then(|destination| destination.stage("", |_| Ok(())));
        if let Ok(folder) = second.map_err(Into::into).and_then(|second| into(&second)) {
            bail!("{error:#}; the results are in {} instead", word(&folder));
        }
    }
    Err(error)
}
