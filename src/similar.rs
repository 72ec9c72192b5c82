//! Which earlier data are like new ones: sketches that runs and initialisations keep, ranked by their distance.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use consilience_data::Features;
use consilience_ensembles::{Progress, Scaling, Sketch};

use crate::RunError;
use crate::run_folder::{CONFIG, read_sketch};
use crate::start::read_start;

/// An earlier data set, as far as it is remembered.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// The run folder, or the file of `meta-train`.
    pub path: PathBuf,
    /// Which of the tasks of that file.
    pub task: Option<String>,
    /// What its data looked like.
    pub sketch: Sketch,
}

/// Data that an earlier data set can be compared with, and how far apart they are.
#[derive(Debug, Clone)]
pub struct Ranked {
    /// The earlier data set.
    pub earlier: Earlier,
    /// The maximum mean discrepancy, from 0 to the root of 2: see [`Sketch::distance`].
    pub distance: f64,
}

/// What a run folder, or a file of `meta-train`, remembers of its data: one sketch, or one of each task.
///
/// # Errors
///
/// [`RunError::Folder`] if it remembers nothing; and those of [`read_sketch`] and [`read_start`].
pub fn earlier(path: &Path) -> Result<Vec<Earlier>, RunError> {
    let of = |task: Option<&str>, sketch: &Sketch| Earlier {
        path: path.into(),
        task: task.map(Into::into),
        sketch: sketch.clone(),
    };
    if path.is_file() {
        let start = read_start(path)?;
        return Ok(start.sketches().map(|(task, sketch)| of(Some(task), sketch)).collect());
    }
    match read_sketch(path)? {
        Some(sketch) => Ok(vec![of(None, &sketch)]),
        None => Err(RunError::folder(
            path,
            &"keeps no sketch of its data, as its votes were given or it is of an older version; run 'consilience cluster' again",
        )),
    }
}

/// All of `known` that can be compared with `features`, the nearest first, then in the order of their paths and tasks; and the others. Every one on the scale of
/// its own, to which the features are brought for it. O(10,000 d frequencies) for each scale.
///
/// # Errors
///
/// Those of [`Sketch::of`].
pub fn rank(
    features: &Features,
    known: Vec<Earlier>,
    progress: &dyn Progress,
) -> Result<(Vec<Ranked>, Vec<Earlier>), RunError> {
    let mut own: BTreeMap<String, Sketch> = BTreeMap::new();
    let (mut ranked, mut others) = (Vec::new(), Vec::new());
    for earlier in known {
        if earlier.sketch.n_features() != features.n_features() {
            others.push(earlier);
            continue;
        }
        let scaling: Scaling = earlier.sketch.scaling();
        let name = format!("{scaling:?}");
        if !own.contains_key(&name) {
            own.insert(name.clone(), Sketch::of(features, scaling, progress)?);
        }
        match own[&name].distance(&earlier.sketch) {
            Some(distance) => ranked.push(Ranked { earlier, distance }),
            None => others.push(earlier),
        }
    }
    let order = |it: &Ranked| (it.earlier.path.clone(), it.earlier.task.clone());
    ranked.sort_by(|a, b| a.distance.total_cmp(&b.distance).then_with(|| order(a).cmp(&order(b))));
    Ok((ranked, others))
}

/// The run folders and files of `meta-train` in a folder, in the order of their names. What remembers no data is left out, and so is what can't be read.
///
/// # Errors
///
/// [`RunError::Folder`] if the folder can't be read.
pub fn earlier_in(folder: &Path) -> Result<Vec<Earlier>, RunError> {
    let unreadable = |error: std::io::Error| {
        RunError::folder(folder, &format!("can't be read as a folder of runs: {error}"))
    };
    let entries = fs::read_dir(folder).map_err(unreadable)?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let may_be = |path: &PathBuf| {
        let is_file = path.extension().is_some_and(|extension| extension == "safetensors");
        path.join(CONFIG).is_file() || is_file
    };
    Ok(paths
        .into_iter()
        .filter(may_be)
        .flat_map(|path| earlier(&path).unwrap_or_default())
        .collect())
}
