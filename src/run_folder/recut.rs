//! The folder of another cut of a run.

use std::fs;
use std::path::Path;

use consilience_data::Features;

use super::clusters::{Clustering, write_clusters};
use super::models;
use super::pairs::PAIRS;
use super::read::RunFolder;
use super::results::{Beside, Results, write_results};
use super::sketch::SKETCH;
use super::source::{Provenance, Source, settings_toml, write_recipe};
use super::strays::write_scores;
use super::unwritable;
use super::votes::{self, VOTES};
use super::write::write_tree;
use crate::RunError;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::recut::Recut;

/// Writes all files of another cut of `run` into `folder`, which exists and is empty: the same as of a run, but for the report, and for what tells of
/// training or of how K was found.
///
/// # Arguments
///
/// * `config`: the settings of the run, with the new number of clusters.
/// * `features`: those of the run, shape (n_samples, n_features), unscaled.
///
/// # Errors
///
/// [`DataError::Unwritable`](consilience_data::DataError::Unwritable), [`RunError::Setting`].
pub fn write_recut(
    folder: &Path,
    (run, features): (&RunFolder, &Features),
    recut: &Recut,
    metrics: &Metrics,
    config: &Config,
) -> Result<(), RunError> {
    let (ids, rows) = (run.ids.as_deref(), run.rows.as_deref());
    let provenance = Provenance { ids, rows, recipe: &run.recipe };
    write_recipe(folder, &run.recipe)?;
    let (clusters, strays) = (recut.clusters(), recut.strays.as_ref());
    let results = Results {
        clusters: clusters.as_slice().into(),
        confidences: &recut.confidence,
        pseudo_labels: &recut.pseudo_labels,
        ids,
        rows,
        beside: Beside {
            strays: strays.map(|found| found.samples.as_slice()),
            ..Beside::default()
        },
    };
    let (cut_of, k) = (metrics.cut_of.clone(), recut.assignments.n_clusters());
    let title = format!(
        "All settings of a run, of which this is another cut. To repeat it: consilience cut {} -k {k}",
        cut_of.as_deref().unwrap_or("RUN")
    );
    let source = Source { cut_of, ..run.source.clone() };
    let config_toml = settings_toml(&title, config, &source)?;
    write_results(folder, &config_toml, &metrics.to_json(), &results)?;
    votes::write(&folder.join(VOTES), &recut.votes)?;
    write_tree(&folder.join("tree.npz"), &recut.tree)?;
    #[cfg(feature = "hdf5")]
    super::h5::write_recut(&folder.join("run.h5"), &recut.votes, &results)?;
    strays.map_or(Ok(()), |found| write_scores(folder, found))?;
    let rule = strays.map(|found| &found.rule);
    models::write_recut(folder, &run.path, &recut.placer, rule)?;
    let found = Clustering {
        clusters: &clusters,
        confidences: &recut.confidence,
        n_clusters: k,
        seen: &recut.seen,
    };
    write_clusters(folder, &found, features, &provenance, config.preset == "text")?;
    for name in [SKETCH, PAIRS] {
        let (own, place) = (run.path.join(name), folder.join(name));
        if own.exists() {
            fs::copy(own, &place).map_err(|error| unwritable(&place, &error))?;
        }
    }
    Ok(())
}
