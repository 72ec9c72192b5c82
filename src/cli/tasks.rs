//! Tasks on a command line: data with labels to learn from, or runs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use consilience::Config;
use consilience::run_folder::{CONFIG, RunFolder};
use consilience_data::{
    Features, GivenLabels, ReadOptions, Recipe, read_dataset_with, read_given_labels,
};
use consilience_ensembles::{MetaTask, Progress, Scaling};

use super::reading;

/// What is between data and their labels.
const LABELS: char = '=';
/// What comes before the name of a column of the data.
const COLUMN: &str = "column:";

/// A task as it was read.
struct Read {
    name: String,
    features: Features,
    recipe: Recipe,
    given: GivenLabels,
}

/// Reads tasks, each `DATA` with labels in it, `DATA=LABELS`, `DATA=column:NAME`, or a run folder. Their features are brought to one scale: that given, else
/// that of the preset for the first task's kind of data.
pub(super) fn read(
    tasks: &[String],
    options: &ReadOptions,
    preset: &str,
    scaling: Option<Scaling>,
    progress: &dyn Progress,
) -> Result<Vec<MetaTask>> {
    let (mut found, mut scaling) = (Vec::new(), scaling);
    for task in tasks {
        let Read { name, features, recipe, given } = match Path::new(task).join(CONFIG).is_file() {
            true => of_run(Path::new(task))?,
            false => of_data(task, options)?,
        };
        let scaling = match scaling {
            Some(scaling) => scaling,
            None => {
                let of_kind = Config::preset_for(preset, &features, &recipe, 0)?;
                *scaling.insert(of_kind.preparation.scaling)
            }
        };
        found.push(MetaTask::new(&name, &features, &given, scaling, progress)?);
    }
    Ok(found)
}

fn of_data(task: &str, options: &ReadOptions) -> Result<Read> {
    let (data, labels) = match task.rsplit_once(LABELS) {
        // A file may be called so.
        Some((data, labels)) if !Path::new(task).exists() => (data, Some(labels)),
        _ => (task, None),
    };
    let paths = [PathBuf::from(data)];
    let column = labels.and_then(|labels| labels.strip_prefix(COLUMN));
    let (mut of_features, mut of_labels) = (options.clone(), options.clone());
    if let Some(column) = column {
        of_features.ignored_columns.push(column.into());
        of_labels.labels_column = Some(column.into());
    }
    let files = match labels {
        Some(labels) if column.is_none() => [PathBuf::from(labels)],
        _ => paths.clone(),
    };
    let read = read_dataset_with(&paths, &[], &of_features)?;
    let (given, _) =
        read_given_labels(&files, &of_labels, &read).with_context(|| match labels {
            Some(_) => task.to_owned(),
            None => format!(
                "{data}: its labels; a task is DATA with labels in it, or {data}{LABELS}LABELS"
            ),
        })?;
    Ok(Read { name: task.into(), features: read.features, recipe: read.recipe, given })
}

/// A run's data, with its pseudo-labels for labels.
fn of_run(path: &Path) -> Result<Read> {
    let run = RunFolder::open(path)?;
    let recorded: Vec<PathBuf> = run.source.data.iter().map(PathBuf::from).collect();
    let data = reading::again(&run, &recorded)
        .with_context(|| format!("{}: the data that it names can't be read", path.display()))?;
    let data = run.own(data, None)?;
    let labels = run.pseudo_labels.entries();
    let mut clusters: Vec<usize> = labels.iter().map(|entry| entry.label.index()).collect();
    clusters.sort_unstable();
    clusters.dedup();
    let mut classes = vec![None; run.n_samples()];
    for entry in labels {
        classes[entry.sample.index()] = clusters.binary_search(&entry.label.index()).ok();
    }
    let (name, names) = (path.display().to_string(), clusters.iter().map(usize::to_string));
    let given = GivenLabels::new(&name, classes, names.collect())?;
    Ok(Read { name, features: data.features, recipe: data.recipe, given })
}
