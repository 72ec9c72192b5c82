//! Run folders, read back.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use consilience_data::{
    ClusterId, DataHash, Dataset, PseudoLabel, PseudoLabels, Recipe, SampleIdx,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::appended::{APPENDED, Appended};
use super::results::{ASSIGNMENTS_CSV as ASSIGNMENTS, row};
use super::source::{CONFIG, RECIPE, Source};
use super::{MAX_CLUSTERS, METRICS, damaged, manifest};
use crate::RunError;
use crate::config::Config;
use crate::wording::count;

/// Names of files with results.
const PSEUDO_LABELS: &str = "pseudo_labels.csv";

/// What a run left, in memory: everything but the votes and the models.
#[derive(Debug, Clone)]
pub struct RunFolder {
    /// Where it is.
    pub path: PathBuf,
    /// The settings of the run, with the table `[run]`.
    pub config: toml::Table,
    /// What the run was made of.
    pub source: Source,
    /// `metrics.json`.
    pub metrics: serde_json::Value,
    /// How files became features. The default for runs that had their votes given.
    pub recipe: Recipe,
    /// What samples are called, length n_samples, if the data said it.
    pub ids: Option<Vec<String>>,
    /// Which row of the data each is, length n_samples, if they aren't all rows in their order.
    pub rows: Option<Vec<usize>>,
    /// The cluster of each sample, length n_samples; `None` where nobody voted.
    pub clusters: Vec<Option<ClusterId>>,
    /// Its probability, length n_samples.
    pub confidences: Vec<f32>,
    /// The subset on which the models agree.
    pub pseudo_labels: PseudoLabels,
    /// Samples that were added since, of which nothing else here tells.
    pub appended: Option<Appended>,
}

/// A line of `assignments.csv`.
#[derive(Deserialize)]
pub(super) struct Assigned {
    pub(super) sample: usize,
    pub(super) id: Option<String>,
    pub(super) cluster: Option<ClusterId>,
    confidence: f32,
}

/// A line of `pseudo_labels.csv`.
#[derive(Deserialize)]
struct Labelled {
    sample: usize,
    label: ClusterId,
    agreement: u16,
    margin: i32,
    confidence: f32,
}

impl RunFolder {
    /// Reads the folder at `path`. O(n).
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] if it is no run folder, and for a file in it that is missing or damaged.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        check(path)?;
        let read = [CONFIG, METRICS, RECIPE, ASSIGNMENTS, PSEUDO_LABELS, APPENDED];
        manifest::verify(path, &read)?;
        let config = read_config(path)?;
        let source = source_of(&config);
        let metrics: serde_json::Value = json(&path.join(METRICS))?;
        let recipe = read_recipe(path)?;

        let assigned_path = path.join(ASSIGNMENTS);
        let (has_ids, mut assigned) = assigned(path)?;
        let appended = Appended::read(path)?;
        if let Some(appended) = &appended {
            let n_later = assigned.len().checked_sub(appended.n_clustered);
            if n_later != Some(appended.n_samples()) {
                return Err(damaged(&assigned_path, "samples that were appended are missing"));
            }
            assigned.truncate(appended.n_clustered);
        }
        let n_samples = assigned.len();
        let in_order = assigned.iter().zip(0..).all(|(row, sample)| row.sample == sample);
        let rows: Option<Vec<usize>> =
            (!in_order).then(|| assigned.iter().map(|row| row.sample).collect());
        // Rows may have been left out of the data, but all samples of the run are there.
        let expected = metrics["n_samples"].as_u64().and_then(|n| usize::try_from(n).ok());
        if n_samples == 0 || expected.map_or(!in_order, |expected| expected != n_samples) {
            return Err(damaged(&assigned_path, "samples are missing"));
        }
        let samples: HashMap<usize, usize> =
            rows.iter().flatten().enumerate().map(|(sample, &row)| (row, sample)).collect();
        if rows.is_some() && samples.len() < n_samples {
            return Err(damaged(&assigned_path, "a sample is there twice"));
        }
        let sample_of = |row: usize| match &rows {
            None => Some(row).filter(|&row| row < n_samples),
            Some(_) => samples.get(&row).copied(),
        };
        let n_clusters = metrics["n_clusters"].as_u64().and_then(|k| usize::try_from(k).ok());
        let n_clusters = n_clusters.filter(|&k| k <= MAX_CLUSTERS);
        let n_clusters = n_clusters.ok_or_else(|| damaged(&path.join(METRICS), "no n_clusters"))?;
        let in_range = |cluster: ClusterId| cluster.index() < n_clusters;
        if !assigned.iter().filter_map(|row| row.cluster).all(in_range) {
            return Err(damaged(&assigned_path, &format!("a cluster of {n_clusters} or more")));
        }

        let labels_path = path.join(PSEUDO_LABELS);
        let (_, labelled): (bool, Vec<Labelled>) = lines(&labels_path)?;
        let entry = |row: &Labelled| {
            Some(PseudoLabel {
                sample: SampleIdx::from_index(sample_of(row.sample)?),
                label: Some(row.label).filter(|&label| in_range(label))?,
                agreement: row.agreement,
                margin: row.margin,
                confidence: row.confidence,
            })
        };
        let entries: Option<Vec<PseudoLabel>> = labelled.iter().map(entry).collect();
        let ascending = |entries: &Vec<PseudoLabel>| {
            entries.windows(2).all(|pair| pair[0].sample < pair[1].sample)
        };
        let entries = entries
            .filter(ascending)
            .ok_or_else(|| damaged(&labels_path, "samples or labels that the run doesn't have"))?;
        let pseudo_labels = PseudoLabels::new(entries, n_clusters, n_samples);
        Ok(Self {
            path: path.into(),
            config,
            source,
            metrics,
            recipe,
            rows,
            clusters: assigned.iter().map(|row| row.cluster).collect(),
            confidences: assigned.iter().map(|row| row.confidence).collect(),
            // An empty id is read as none at all.
            ids: has_ids
                .then(|| assigned.into_iter().map(|row| row.id.unwrap_or_default()).collect()),
            pseudo_labels,
            appended,
        })
    }

    /// Number of samples.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.clusters.len()
    }

    /// Checks that data are of the run's samples, as far as their number and what they are called can tell. O(n).
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] with the two numbers, or the first sample that is called otherwise.
    pub fn check_samples(&self, n_samples: usize, ids: Option<&[String]>) -> Result<(), RunError> {
        let refused = |what: &str| {
            Err(RunError::folder(&self.path, &format!("{what}; name the data that was clustered")))
        };
        if n_samples != self.n_samples() {
            let (ours, theirs) = (count(self.n_samples()), count(n_samples));
            return refused(&format!("has {ours} samples, the data {theirs}"));
        }
        if let (Some(ours), Some(theirs)) = (&self.ids, ids)
            && let Some(row) = ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs)
        {
            let (ours, theirs) = (&ours[row], &theirs[row]);
            return refused(&format!(
                "sample {row} is called '{ours}' in the run, '{theirs}' in the data"
            ));
        }
        Ok(())
    }

    /// Data that were read again, checked to be the run's, in its order: samples are found by their ids, if both have them.
    ///
    /// `changed`: whether values may differ.
    ///
    /// # Errors
    ///
    /// As [`RunFolder::check_samples`]; samples that aren't in both; and, unless `changed`, [`RunError::Folder`] with both hashes. `None`: others aren't taken, whatever
    /// the user says.
    pub fn own(&self, data: Dataset, changed: Option<bool>) -> Result<Dataset, RunError> {
        let run = self.path.display().to_string();
        if data.features.n_samples() != self.n_samples() {
            self.check_samples(data.features.n_samples(), None)?;
        }
        let data = data.in_order_of(self.ids.as_deref(), &run)?;
        let Some(expected) = self.source.data_hash.as_ref().filter(|_| changed != Some(true))
        else {
            return Ok(data);
        };
        let found = DataHash::of(&data.features);
        if *expected == found {
            return Ok(data);
        }
        let name = &data.name;
        let or_these = if changed.is_some() { ", or add --data-changed to take these" } else { "" };
        let problem = format!(
            "was made of other values, or of samples in another order, than {name} has now: the run's data have the hash {expected}, \
             these {found}; name the data that was clustered{or_these}"
        );
        Err(RunError::folder(&self.path, &problem))
    }

    /// The settings of a run that clustered data.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] for settings that aren't of such a run.
    pub fn settings(&self) -> Result<Config, RunError> {
        let mut table = self.config.clone();
        table.remove("run");
        let wrong = |error: toml::de::Error| {
            let problem = format!(
                "{}; only runs of cluster and train have settings for data",
                error.message()
            );
            RunError::folder(&self.path, &problem)
        };
        toml::Value::Table(table).try_into().map_err(wrong)
    }

    /// Number of clusters, K.
    #[must_use]
    pub fn n_clusters(&self) -> usize {
        self.pseudo_labels.n_clusters()
    }

    /// From rows of the data to samples of the run.
    pub(super) fn samples_by_row(&self) -> impl Fn(usize) -> Option<SampleIdx> {
        let n = self.n_samples();
        let samples: Option<HashMap<usize, usize>> = self
            .rows
            .as_ref()
            .map(|rows| rows.iter().enumerate().map(|(sample, &row)| (row, sample)).collect());
        move |row| {
            let sample = match &samples {
                None => Some(row).filter(|&row| row < n),
                Some(samples) => samples.get(&row).copied(),
            };
            sample.map(SampleIdx::from_index)
        }
    }

    /// What `sample` is called: its id, else its row in the data.
    #[must_use]
    pub fn id(&self, sample: usize) -> String {
        let row = || row(self.rows.as_deref(), SampleIdx::from_index(sample));
        self.ids.as_ref().map_or_else(|| row().to_string(), |ids| ids[sample].clone())
    }
}

/// How the files of the run in `path` became features: the default if it doesn't say.
///
/// # Errors
///
/// [`RunError::Folder`] if it is no run folder, and for a file that is damaged.
pub fn read_recipe(path: &Path) -> Result<Recipe, RunError> {
    check(path)?;
    manifest::verify(path, &[RECIPE])?;
    let recipe = path.join(RECIPE);
    if recipe.exists() { json(&recipe) } else { Ok(Recipe::default()) }
}

/// What the run in `path` was made of, as far as it says.
///
/// # Errors
///
/// [`RunError::Folder`] if it is no run folder, and for settings that are damaged.
pub fn read_source(path: &Path) -> Result<Source, RunError> {
    Ok(source_of(&read_settings(path)?))
}

/// All settings of the run in `path`, with the table `[run]`.
///
/// # Errors
///
/// [`RunError::Folder`] if it is no run folder, and for settings that are damaged.
pub fn read_settings(path: &Path) -> Result<toml::Table, RunError> {
    check(path)?;
    manifest::verify(path, &[CONFIG])?;
    read_config(path)
}

/// Checks that results that are read without [`RunFolder`] are as a run has written them, if `path` is a run folder or one of its
/// files. Runs of older versions don't know.
///
/// # Errors
///
/// [`RunError::Folder`] with the first file that is damaged, missing or of another run; and if the run is of a newer version.
pub fn verify_found(path: &Path) -> Result<(), RunError> {
    if path.join(CONFIG).is_file() {
        return manifest::verify(path, &["assignments.", "votes."]);
    }
    match (path.parent(), path.file_name().and_then(|name| name.to_str())) {
        (Some(folder), Some(name)) if path.is_file() && folder.join(CONFIG).is_file() => {
            manifest::verify(folder, &[name])
        }
        _ => Ok(()),
    }
}

fn read_config(path: &Path) -> Result<toml::Table, RunError> {
    let config = text(&path.join(CONFIG))?;
    config.parse().map_err(|error: toml::de::Error| damaged(&path.join(CONFIG), error.message()))
}

fn source_of(config: &toml::Table) -> Source {
    let source = config.get("run").cloned().unwrap_or(toml::Table::new().into());
    source.try_into().unwrap_or_default()
}

/// Whether there is a run folder.
pub(super) fn check(path: &Path) -> Result<(), RunError> {
    if path.join(CONFIG).is_file() {
        return Ok(());
    }
    let what = if path.is_dir() {
        "not a run folder: it has no config.toml"
    } else if path.exists() {
        "a file, where the run folder comes first"
    } else {
        "no such run folder"
    };
    Err(RunError::folder(path, &format!("{what}; name one that 'consilience cluster' has written")))
}

fn text(path: &Path) -> Result<String, RunError> {
    fs::read_to_string(path).map_err(|error| damaged(path, &error.to_string()))
}

pub(super) fn json<T: DeserializeOwned>(path: &Path) -> Result<T, RunError> {
    serde_json::from_str(&text(path)?).map_err(|error| damaged(path, &error.to_string()))
}

/// All lines of `assignments.csv`, those included that were appended, and whether they have ids.
pub(super) fn assigned(path: &Path) -> Result<(bool, Vec<Assigned>), RunError> {
    lines(&path.join(ASSIGNMENTS))
}

/// Names of the columns of `assignments.csv`.
pub(super) fn assigned_columns(path: &Path) -> Result<Vec<String>, RunError> {
    let path = path.join(ASSIGNMENTS);
    let read = || -> Result<Vec<String>, csv::Error> {
        let mut reader = csv::Reader::from_path(&path)?;
        Ok(reader.headers()?.iter().map(Into::into).collect())
    };
    read().map_err(|error| damaged(&path, &error.to_string()))
}

/// All lines of a CSV file, and whether there is a column of ids.
pub(super) fn lines<T: DeserializeOwned>(path: &Path) -> Result<(bool, Vec<T>), RunError> {
    let read = || -> Result<(bool, Vec<T>), csv::Error> {
        let mut reader = csv::Reader::from_path(path)?;
        let has_ids = reader.headers()?.iter().any(|name| name == "id");
        Ok((has_ids, reader.into_deserialize().collect::<Result<_, _>>()?))
    };
    read().map_err(|error| damaged(path, &error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in [
            (CONFIG, "seed = 1\n[run]\ndata = ['x.npy']\nlabels = []\ndevice = 'cpu'\n"),
            ("metrics.json", "{\"n_clusters\": 2}"),
            (
                "assignments.csv",
                "sample,id,cluster,confidence\n0,,1,0.5\n1,\"b, c\",,0\n2,d,0,1.0\n",
            ),
            ("pseudo_labels.csv", "sample,id,label,agreement,margin,confidence\n2,d,0,5,-1,0.9\n"),
        ] {
            fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    #[test]
    fn a_folder_is_read_back() {
        let folder = folder();
        let run = RunFolder::open(folder.path()).unwrap();
        assert_eq!(run.ids.as_deref().unwrap(), ["", "b, c", "d"]);
        assert_eq!(run.clusters, [Some(ClusterId(1)), None, Some(ClusterId(0))]);
        assert_eq!(run.confidences, [0.5, 0.0, 1.0]);
        assert_eq!((run.n_samples(), run.n_clusters(), run.id(1)), (3, 2, "b, c".into()));
        let label = run.pseudo_labels.entries()[0];
        assert_eq!((label.sample, label.agreement, label.margin), (SampleIdx(2), 5, -1));
        assert_eq!(run.source.data, ["x.npy"]);
    }

    #[test]
    fn what_is_damaged_is_named() {
        for (name, content, words) in [
            ("assignments.csv", "sample,cluster,confidence\n1,0,0.5\n", "samples are missing"),
            ("assignments.csv", "sample,cluster,confidence\n0,2,0.5\n", "a cluster of 2 or more"),
            ("assignments.csv", "sample,cluster,confidence\n0,x,0.5\n", "assignments.csv"),
            (
                "pseudo_labels.csv",
                "sample,label,agreement,margin,confidence\n3,0,1,1,1\n",
                "doesn't have",
            ),
            ("metrics.json", "{", "metrics.json"),
            ("config.toml", "seed = ", "config.toml"),
        ] {
            let folder = folder();
            fs::write(folder.path().join(name), content).unwrap();
            let error = RunFolder::open(folder.path()).unwrap_err().to_string();
            assert!(error.contains(words), "{name}: {error}");
        }
        let nowhere = RunFolder::open(Path::new("/nonexistent")).unwrap_err().to_string();
        assert!(nowhere.contains("no such run folder"), "{nowhere}");
    }
}
