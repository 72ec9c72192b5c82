//! All samples of a run, with what it says of each; and the given labels that seem wrong.

use std::io;
use std::path::Path;

use consilience_data::write::{Member, npz};
use consilience_data::{ClusterId, DataError};
use ndarray::{Array2, ArrayView1, Axis};

use super::Format;
use super::cells::Cells;
use super::names::LabelNames;
use crate::RunError;
use crate::run_folder::{ERRORS, RunFolder, manifest, read_given, read_probabilities, unwritable};

/// What is written of every sample beside its cluster.
#[derive(Debug, Clone, Copy)]
pub struct AllSamples<'a> {
    /// The probabilities of all clusters.
    pub soft: bool,
    /// A weight for a classifier to train with, 0..=1.
    pub weights: bool,
    /// What clusters are called.
    pub names: Option<&'a LabelNames>,
    /// How texts are written to CSV.
    pub cells: Cells,
}

impl AllSamples<'_> {
    /// Writes all samples of `run` to `path`: as CSV sample, id, label, name, confidence, weight, then p0, p1, ...; as `.npz` `y`,
    /// `sample`, `id`, `confidence`, `weight`, `P` (shape (n_samples, n_clusters)), `names`. Samples without a cluster have the label -1.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] for a run that is damaged, [`DataError::Unwritable`]; [`DataError::Unsupported`] for other formats.
    pub fn write(&self, run: &RunFolder, format: Format, path: &Path) -> Result<(), RunError> {
        let probabilities = read_probabilities(run)?;
        let weights = self.weights.then(|| weights(run, &probabilities)).transpose()?;
        let rows: Vec<usize> =
            (0..run.n_samples()).map(|n| run.rows.as_ref().map_or(n, |rows| rows[n])).collect();
        let table = Table { all: self, run, rows, weights, probabilities };
        match format {
            Format::Csv => table.csv(path).map_err(|error| unwritable(path, &error))?,
            Format::Npz => table.npz(path)?,
            _ => {
                return Err(DataError::Unsupported {
                    source_name: path.display().to_string(),
                    found: format!("{} of all samples", format.name()),
                    supported: "csv or npz",
                }
                .into());
            }
        }
        Ok(())
    }
}

/// By how much a sample's cluster is more probable than by chance, as a share of the most that it can be; 1 where the label was given.
///
/// An unsure sample counts less: its label is as often wrong as that says, and what is learnt of it is noise.
fn weights(run: &RunFolder, probabilities: &Array2<f32>) -> Result<Vec<f32>, RunError> {
    #[expect(clippy::cast_precision_loss, reason = "at most 65,535 clusters")]
    let k = run.n_clusters().max(2) as f32;
    let of = |(row, cluster): (ArrayView1<'_, f32>, &Option<ClusterId>)| {
        let own = cluster.map_or(0.0, |cluster| row[cluster.index()]);
        ((k * own - 1.0) / (k - 1.0)).clamp(0.0, 1.0)
    };
    let samples = probabilities.rows().into_iter().zip(&run.clusters);
    let mut weights: Vec<f32> = samples.map(of).collect();
    for label in read_given(run)? {
        weights[label.sample.index()] = 1.0;
    }
    Ok(weights)
}

struct Table<'a> {
    all: &'a AllSamples<'a>,
    run: &'a RunFolder,
    /// Of the data, length n_samples.
    rows: Vec<usize>,
    weights: Option<Vec<f32>>,
    probabilities: Array2<f32>,
}

impl Table<'_> {
    fn csv(&self, path: &Path) -> Result<(), io::Error> {
        let (run, all) = (self.run, self.all);
        let mut header = vec!["sample".to_owned()];
        header.extend(run.ids.as_ref().map(|_| "id".into()));
        header.push("label".into());
        header.extend(all.names.map(|_| "name".into()));
        header.push("confidence".into());
        header.extend(self.weights.as_ref().map(|_| "weight".into()));
        if all.soft {
            header.extend((0..run.n_clusters()).map(|cluster| format!("p{cluster}")));
        }
        let mut writer = csv::Writer::from_path(path)?;
        writer.write_record(&header)?;
        for (sample, cluster) in run.clusters.iter().enumerate() {
            let mut line = vec![self.rows[sample].to_string()];
            line.extend(run.ids.as_ref().map(|ids| all.cells.write(&ids[sample]).into_owned()));
            line.push(cluster.map_or_else(|| "-1".into(), |cluster| cluster.0.to_string()));
            if let Some(names) = all.names {
                let name = |cluster| all.cells.write(names.of(cluster)).into_owned();
                line.push(cluster.map_or_else(String::new, name));
            }
            line.push(run.confidences[sample].to_string());
            line.extend(self.weights.as_ref().map(|weights| weights[sample].to_string()));
            if all.soft {
                line.extend(self.probabilities.row(sample).iter().map(ToString::to_string));
            }
            writer.write_record(&line)?;
        }
        writer.flush()
    }

    fn npz(&self, path: &Path) -> Result<(), DataError> {
        let run = self.run;
        let label =
            |cluster: &Option<ClusterId>| cluster.map_or(-1, |cluster| i64::from(cluster.0));
        let y: Vec<i64> = run.clusters.iter().map(label).collect();
        let sample: Vec<i64> = self.rows.iter().map(|&row| row as i64).collect();
        let mut members: Vec<(&str, Member<'_>)> = vec![
            ("y", ArrayView1::from(&y).into()),
            ("sample", ArrayView1::from(&sample).into()),
            ("confidence", ArrayView1::from(&run.confidences).into()),
        ];
        if let Some(ids) = &run.ids {
            members.push(("id", Member::Texts(ids.iter().map(String::as_str).collect())));
        }
        if let Some(weights) = &self.weights {
            members.push(("weight", ArrayView1::from(weights).into()));
        }
        if self.all.soft {
            debug_assert_eq!(self.probabilities.len_of(Axis(0)), y.len());
            members.push(("P", self.probabilities.view().into()));
        }
        if let Some(names) = self.all.names {
            members
                .push(("names", Member::Texts(names.all().iter().map(String::as_str).collect())));
        }
        npz(path, &members)
    }
}

/// Writes the given labels that the other samples contradict, the clearest first, to `path`: sample, id, given, found, for_given,
/// for_found. How many there are.
///
/// # Errors
///
/// [`RunError::Folder`] for a run that learnt from no labels, [`DataError::Unwritable`].
pub fn label_errors(run: &RunFolder, path: &Path) -> Result<usize, RunError> {
    let from = run.path.join(ERRORS);
    if !from.is_file() {
        let problem = "it learnt from no labels, so none can be wrong; consilience train does";
        return Err(RunError::folder(&run.path, &problem));
    }
    manifest::verify(&run.path, &[ERRORS])?;
    let text = std::fs::read_to_string(&from)
        .map_err(|error| RunError::folder(&run.path, &error.to_string()))?;
    std::fs::write(path, &text).map_err(|error| unwritable(path, &error))?;
    Ok(text.lines().count().saturating_sub(1))
}
