//! `fit`: what `consilience cluster` does, up to the run folder, which stays in memory.

use std::time::Instant;

use consilience::metrics::{Curve, GranularityMetrics, Metrics};
use consilience::run_folder::{self, Provenance, Source, config_toml};
use consilience::{Config, Predictor, RunError, granularity, run_prepared, seek};
use consilience_data::{DataHash, Features, Recipe};
use consilience_ensembles::{Device, Progress};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::archive::Archive;
use crate::errors::{of_io, of_run};
use crate::model::Model;
use crate::numbers::Numbers;
use crate::options::Options;
use crate::results::Results;
use crate::watch::{Teller, Watch, owned};

/// What the `config.toml` of a run says that it repeats: the same as the command line's.
const COMMAND: &str = "cluster DATA...";

/// Clusters `x`, shape (n_samples, n_features), into as many clusters as there are from `n_clusters[0]` to `n_clusters[1]`, or as many as they
/// say if they are the same; `None` leaves it to the data. The model, and what came out.
#[pyfunction]
#[pyo3(signature = (x, n_clusters, options, *, feature_names=None, verbose=0, tell=None))]
pub(crate) fn fit<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    n_clusters: Option<(usize, usize)>,
    options: Options,
    feature_names: Option<Vec<String>>,
    verbose: u8,
    tell: Option<Bound<'py, PyAny>>,
) -> PyResult<(Model, Bound<'py, PyDict>)> {
    let start = Instant::now();
    let (features, offsets) = {
        let numbers = Numbers::new(x)?;
        let view = numbers.view();
        py.detach(|| view.features()).map_err(of_run)?
    };
    let recipe = Recipe { feature_names, offsets, ..Recipe::default() };
    let work = move |watch: &Watch| run(&features, recipe, n_clusters, &options, start, watch);
    let (archive, predictor, results) = owned(py, &Teller::new(verbose, tell), work)??;
    Ok((Model::new(archive, Some(predictor)), results.into_dict(py)?))
}

fn run(
    features: &Features,
    recipe: Recipe,
    n_clusters: Option<(usize, usize)>,
    options: &Options,
    start: Instant,
    watch: &Watch,
) -> PyResult<(Archive, Predictor, Results)> {
    let go_on = || if watch.cancelled() { Err(of_run(RunError::Cancelled)) } else { Ok(()) };
    let compute = options.compute();
    let ks = n_clusters.map_or(granularity::DEFAULT, |(from, to)| from..=to);
    let config_for = |k| options.config(features, &recipe, k)?.check(features, compute);
    let (config, outcome, found) = if ks.start() == ks.end() {
        let config = config_for(*ks.start()).map_err(of_run)?;
        let outcome = consilience::run(features, &config, watch).map_err(of_run)?;
        (config, outcome, None)
    } else {
        seek::within(features, &ks).map_err(of_run)?;
        let least = config_for(*ks.start()).map_err(of_run)?;
        let sought = seek::seek(features, &least, &ks, compute, watch).map_err(of_run)?;
        let config = config_for(sought.found.k).map_err(of_run)?;
        let outcome = run_prepared(sought.data, &config, Vec::new(), watch).map_err(of_run)?;
        (config, outcome, Some(sought.found))
    };

    let source = Source {
        device: Device::Cpu.to_string(),
        data_hash: Some(DataHash::of(features)),
        ..Source::default()
    };
    let written = Config { cut: outcome.cut.clone(), ..Config::clone(&config) };
    let written = config_toml(COMMAND, &written, &source).map_err(of_run)?;
    let seconds = start.elapsed().as_secs_f64();
    let mut metrics = Metrics::of_run(&outcome, &config, seconds, None).map_err(of_run)?;
    metrics.granularity = found.as_ref().map(GranularityMetrics::of);
    go_on()?;
    metrics.set_curve(Curve::of_run(&outcome, &config, None).map_err(of_run)?);
    go_on()?;

    // Written as the command line writes it, and read back: so it is the same, byte for byte.
    let temporary = std::env::temp_dir();
    let folder = tempfile::tempdir().map_err(|error| of_io(&temporary, &error))?;
    let provenance = Provenance { ids: None, rows: None, recipe: &recipe };
    run_folder::write(folder.path(), &outcome, &metrics, &written, &provenance).map_err(of_run)?;
    let is_text = config.preset == "text";
    run_folder::write_clusters(folder.path(), &outcome, features, &provenance, is_text)
        .map_err(of_run)?;
    if let Some(found) = &found {
        run_folder::write_layers(folder.path(), found).map_err(of_run)?;
    }
    go_on()?;
    let archive = Archive::read(folder.path())?;
    let answer = &outcome.answer;
    let clusters = answer.assignments.clusters().iter().copied().map(Some);
    let results = Results::new(clusters, answer.confidence.clone(), &answer.pseudo_labels);
    let predictor = Predictor::of(outcome, compute.threads).map_err(of_run)?;
    Ok((archive, predictor, results))
}
