//! `--init`: what a run's networks start from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use consilience::similar::{Ranked, earlier_in, rank};
use consilience::start::read_start;
use consilience_data::Dataset;
use consilience_ensembles::Initialisation;

use super::ClusterArgs;
use super::style::{plural, word};
use super::watcher::Watcher;

/// Stands for the nearest.
const AUTO: &str = "auto";
/// Where runs are by default.
const RUNS: &str = "runs";

/// A start, and where it is from.
pub(super) struct Start {
    pub(super) initialisation: Arc<Initialisation>,
    pub(super) path: PathBuf,
    /// How like its data are to these, if it was chosen for that.
    nearest: Option<Ranked>,
}

/// What was asked for, if anything was.
pub(super) fn find(args: &ClusterArgs, data: &Dataset) -> Result<Option<Start>> {
    let Some(init) = args.init.as_deref() else { return Ok(None) };
    if init == AUTO {
        return nearest(args.runs.as_deref().unwrap_or(Path::new(RUNS)), data).map(Some);
    }
    if args.runs.is_some() {
        bail!("--runs: only --init auto looks there; leave it out, or give --init auto");
    }
    let path = PathBuf::from(init);
    let initialisation = Arc::new(read_start(&path)?);
    let (own, found) = (data.features.n_features(), initialisation.n_features());
    if own != found {
        bail!(
            "--init {}: it is for data of {}, and {} has {own}",
            word(&path),
            plural(found, "feature"),
            data.name
        );
    }
    Ok(Some(Start { initialisation, path, nearest: None }))
}

/// The start whose data are most like these.
fn nearest(folder: &Path, data: &Dataset) -> Result<Start> {
    let (ranked, others) = rank(&data.features, earlier_in(folder)?, &Watcher::new(true))?;
    for found in ranked {
        // Of runs of other kinds of models nothing can start.
        if let Ok(start) = read_start(&found.earlier.path) {
            let (initialisation, path) = (Arc::new(start), found.earlier.path.clone());
            return Ok(Start { initialisation, path, nearest: Some(found) });
        }
    }
    let why = match others.first() {
        Some(other) => format!(
            "what is there is of other data, such as {} of {}, where {} has {}",
            word(&other.path),
            plural(other.sketch.n_features(), "feature"),
            data.name,
            data.features.n_features()
        ),
        None => "there is no run of networks with a sketch of its data, and no file of meta-train"
            .into(),
    };
    bail!("--init auto: nothing in {} to start from: {why}; leave --init out", word(folder))
}

impl Start {
    /// What a person should know of it.
    pub(super) fn line(&self) -> String {
        let widths: Vec<String> =
            self.initialisation.widths().iter().map(usize::to_string).collect();
        let nearest = self.nearest.as_ref().map_or_else(String::new, |found| {
            let task = found.earlier.task.as_ref();
            let task = task.map_or_else(String::new, |task| format!(", for its task {task}"));
            format!(", the nearest (distance {:.3}{task})", found.distance)
        });
        format!(
            "networks start from {}{nearest}: hidden layers of {}",
            word(&self.path),
            widths.join(", ")
        )
    }
}
