//! New samples into the tables of a run that is there.
//!
//! The run is made anew beside itself: its files are linked, but for those that change. Then the two folders exchange their names. So whoever reads the
//! run finds it as it was or with all of the new samples, whenever the program ends.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use consilience_data::ClusterId;

use super::appended::{APPENDED, Appended, AppendedPart};
use super::manifest::{self, MANIFEST};
use super::read::{RunFolder, assigned, assigned_columns};
use super::results::{ASSIGNMENTS_CSV, ASSIGNMENTS_NPY, Assigned, write_clusters_alone};
use super::staging::Staging;
use super::{unwritable, write_text};
use crate::RunError;
use crate::wording::count;

/// Columns that added samples can fill.
const COLUMNS: [&str; 4] = ["sample", "id", "cluster", "confidence"];
/// Files that are written anew.
const CHANGED: [&str; 4] = [ASSIGNMENTS_CSV, ASSIGNMENTS_NPY, APPENDED, MANIFEST];

/// New samples on their way into a run.
pub struct Addition {
    run: PathBuf,
    staging: Staging,
    /// The run in the making, and its table of samples.
    folder: PathBuf,
    table: csv::Writer<File>,
    absent: Vec<(String, String)>,
    before: Appended,
    /// Hash of the data that were clustered.
    data_hash: Option<String>,
    /// Of all samples.
    clusters: Vec<Option<ClusterId>>,
    n_before: usize,
    /// What samples are called, if they are called anything.
    ids: Option<HashSet<String>>,
    /// Number of the first row that is added.
    first_row: usize,
}

impl Addition {
    /// Holds the run in `run`, checked to be whole. O(n).
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] if it is no run, is damaged, can't be written, or is being added to by another process.
    pub fn new(run: &Path) -> Result<Self, RunError> {
        let RunFolder { source, appended, .. } = RunFolder::open(run)?;
        let columns = assigned_columns(run)?;
        if let Some(column) = columns.iter().find(|column| !COLUMNS.contains(&column.as_str())) {
            let problem = format!(
                "its table of samples has a column '{column}', of which nothing is known for new ones; predict into a file (without --append)"
            );
            return Err(RunError::folder(run, &problem));
        }
        let run = fs::canonicalize(run).map_err(|error| unwritable(run, &error))?;
        let staging = Staging::hold_over(&run)?;
        // Its files are entered into a new manifest: what is damaged has to be found now.
        manifest::verify(&run, &[""])?;
        let (has_ids, lines) = assigned(&run)?;
        let n_before = lines.len();
        let before = appended.unwrap_or(Appended { n_clustered: n_before, parts: Vec::new() });
        let first_row = lines.iter().map(|line| line.sample).max().map_or(0, |last| last + 1);
        let clusters = lines.iter().map(|line| line.cluster).collect();
        let ids = lines.into_iter().map(|line| line.id.unwrap_or_default());
        let ids = has_ids.then(|| ids.collect());
        let folder = staging.folder()?;
        let table = folder.join(ASSIGNMENTS_CSV);
        let copied = link(&run, &folder, true).and_then(|()| {
            fs::copy(run.join(ASSIGNMENTS_CSV), &table)?;
            File::options().append(true).open(&table)
        });
        let copied = copied.map_err(|error| unwritable(&table, &error))?;
        let table = csv::WriterBuilder::new().has_headers(false).from_writer(copied);
        let (absent, data_hash) = (manifest::absent(&run)?, source.data_hash);
        Ok(Self {
            run,
            staging,
            folder,
            table,
            absent,
            before,
            data_hash,
            clusters,
            n_before,
            ids,
            first_row,
        })
    }

    /// The owner of what is being written.
    #[must_use]
    pub fn staging(&self) -> &Staging {
        &self.staging
    }

    /// Adds samples: what they are called, if the run's are called anything; which row of their data each is, if not all rows in their order;
    /// their clusters and how sure these are.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] for an id that is there already, or where one side alone has ids; [`RunError::Data`] if it can't be written.
    pub fn push(
        &mut self,
        ids: Option<&[String]>,
        rows: Option<&[usize]>,
        clusters: &[Option<ClusterId>],
        confidences: &[f32],
    ) -> Result<(), RunError> {
        let refused = |problem: &str| Err(RunError::folder(&self.run, &problem));
        match (&self.ids, ids) {
            (Some(_), None) => return refused("its samples have ids, and the new ones have none"),
            (None, Some(_)) => {
                return refused("its samples have no ids, and the new ones have some");
            }
            _ => {}
        }
        for (index, (&cluster, &confidence)) in clusters.iter().zip(confidences).enumerate() {
            let id = ids.map(|ids| ids[index].as_str());
            if let (Some(known), Some(id)) = (&mut self.ids, id)
                && !known.insert(id.to_owned())
            {
                let problem =
                    format!("the id '{id}' is there already; leave out samples that the run has");
                return Err(RunError::folder(&self.run, &problem));
            }
            let row = rows.map_or(self.clusters.len() - self.n_before, |rows| rows[index]);
            let line = Assigned { sample: self.first_row + row, id, cluster, confidence };
            let written = self.table.serialize(line);
            written.map_err(|error| unwritable(&self.folder, &error))?;
            self.clusters.push(cluster);
        }
        Ok(())
    }

    /// Puts the run with its new samples in place of the run; what was added to it so far.
    ///
    /// `data`, `data_hash`: see [`AppendedPart`].
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] if nothing tells samples apart and these data are in it already; [`RunError::Data`] if it can't be written;
    /// [`RunError::Cancelled`] if it was given up.
    pub fn publish(mut self, data: Vec<String>, data_hash: String) -> Result<Appended, RunError> {
        let n_samples = self.clusters.len() - self.n_before;
        let mut hashes =
            self.before.parts.iter().map(|part| &part.data_hash).chain(&self.data_hash);
        if self.ids.is_none() && hashes.any(|hash| *hash == data_hash) {
            let problem = format!(
                "these {} samples are there already (data with the hash {data_hash}), and nothing tells them apart; give samples ids to add some twice",
                count(n_samples)
            );
            return Err(RunError::folder(&self.run, &problem));
        }
        self.table.flush().map_err(|error| unwritable(&self.folder, &error))?;
        write_clusters_alone(&self.folder, &self.clusters)?;
        self.before.parts.push(AppendedPart { n_samples, data, data_hash });
        let text = serde_json::to_string_pretty(&self.before).expect("plain data") + "\n";
        write_text(&self.folder.join(APPENDED), &text)?;
        self.staging.publish(&self.absent)?;
        Ok(self.before)
    }
}

/// Links all files, or copies those that can't be linked. `is_top`: whether it is the run itself, of which some files are left out.
fn link(from: &Path, to: &Path, is_top: bool) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        if is_top && CHANGED.iter().any(|changed| name == *changed) {
            continue;
        }
        let (from, to) = (entry.path(), to.join(&name));
        if kind.is_dir() {
            fs::create_dir(&to)?;
            link(&from, &to, false)?;
        } else if kind.is_file() && fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}
