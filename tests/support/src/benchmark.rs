//! Where the benchmark files lie, which the repository hasn't.

use std::path::{Path, PathBuf};

use crate::skip;

/// Paths of benchmark files, as `optdigits/optdigits.npz`: in the folder that `CONSILIENCE_DATA` names, or else in
/// `../shared/data`, beside the repository. Without one of them the test is skipped, as by [`skip`].
///
/// # Panics
///
/// With `CI=true`, where one is missing.
#[must_use]
#[track_caller]
pub fn benchmark_files(names: &[&str]) -> Option<Vec<PathBuf>> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("CONSILIENCE_DATA").map_or_else(beside, PathBuf::from);
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    if let Some(missing) = paths.iter().find(|path| !path.is_file()) {
        skip(&format!(
            "no {}; CONSILIENCE_DATA names the folder of benchmark files",
            missing.display()
        ));
        return None;
    }
    Some(paths)
}
