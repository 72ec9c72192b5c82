//! `fit`: what `consilience cluster` does, up to the run folder, which stays in memory.

use std::time::Instant;

use consilience::algorithm::prepared;
use consilience::few_labels::{self, FewLabels, Method};
use consilience::metrics::{Curve, GranularityMetrics, Metrics};
use consilience::run_folder::{self, Beside, Clustering, Provenance, Source, config_toml};
use consilience::views::prepare_views;
use consilience::{
    Config, Granularity, Outcome, Predictor, RunError, ValidConfig, check_memory, granularity,
    knowledge, run_prepared, seek,
};
use consilience_data::{DataHash, Features, GivenLabels, Recipe};
use consilience_ensembles::{Device, Prepared, Progress, Sketch};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::archive::Archive;
use crate::errors::{of_io, of_run};
use crate::known::{Facts, Known};
use crate::model::Model;
use crate::numbers::Numbers;
use crate::options::Options;
use crate::results::Results;
use crate::watch::{Teller, Watch, owned};

/// What the `config.toml` of a run says that it repeats: the same as the command line's.
const CLUSTER: &str = "cluster DATA...";
const TRAIN: &str = "train DATA... --labels-partial LABELS";

/// Labels to learn from, as `consilience/_classifier.py` passes them on.
#[derive(Debug, FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Given {
    /// The class of every sample, length n_samples; `None` where no label was given.
    classes: Vec<Option<usize>>,
    names: Vec<String>,
    methods: Vec<String>,
    tau: f32,
}

impl Given {
    fn read(self) -> Result<(GivenLabels, FewLabels), RunError> {
        let method = |name: &String| {
            name.parse().map_err(|need| RunError::Setting {
                name: "method",
                need,
                got: name.clone(),
            })
        };
        let methods = self.methods.iter().map(method).collect::<Result<Vec<Method>, _>>()?;
        let few = FewLabels { methods, tau: self.tau, first_tau: self.tau, ..FewLabels::default() };
        Ok((GivenLabels::new("y", self.classes, self.names)?, few))
    }
}

/// Clusters `x`, shape (n_samples, n_features), into as many clusters as there are from `n_clusters[0]` to `n_clusters[1]`, or as many as they
/// say if they are the same; `None` leaves it to the data. With labels that are `given`, it learns from these; what is `known` holds in all that comes
/// out. The model, and what came out.
#[pyfunction]
#[pyo3(signature = (x, n_clusters, options, *, given=None, known=None, feature_names=None, verbose=0, tell=None))]
#[expect(clippy::too_many_arguments, reason = "Python's, by name")]
pub(crate) fn fit<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    n_clusters: Option<(usize, usize)>,
    options: Options,
    given: Option<Given>,
    known: Option<Known>,
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
    let given = given.map(Given::read).transpose().map_err(of_run)?;
    let known = known.map(Known::read).transpose()?.unwrap_or_default();
    let task = Task { features, recipe, n_clusters, options, given, known };
    let work = move |watch: &Watch| task.run(start, watch);
    let (archive, predictor, results, not_shown) = owned(py, &Teller::new(verbose, tell), work)??;
    let results = results.into_dict(py)?;
    results.set_item("not_shown", not_shown)?;
    Ok((Model::new(archive, Some(predictor)), results))
}

/// What is to be done.
struct Task {
    features: Features,
    recipe: Recipe,
    n_clusters: Option<(usize, usize)>,
    options: Options,
    given: Option<(GivenLabels, FewLabels)>,
    known: Facts,
}

/// What `fit` gives: classes that clusters don't show are told, too.
type Fitted = (Archive, Predictor, Results, Option<String>);

/// What came out, by which settings, and how many clusters were found if that was sought.
type Done = (ValidConfig, Outcome, Option<Granularity>);

impl Task {
    fn config(&self, k: usize) -> Result<ValidConfig, RunError> {
        let few = self.given.as_ref().map(|(_, few)| few.clone());
        let config = self.options.config(&self.features, &self.recipe, k, few)?;
        let (compute, features) = (self.options.compute(), &self.features);
        check_memory((features, &[]), &config, compute.threads, None)?;
        config.check(features, compute)
    }

    fn done(&self, watch: &Watch) -> Result<Done, RunError> {
        let features = &self.features;
        let ks = self.n_clusters.map_or(granularity::DEFAULT, |(from, to)| from..=to);
        if let Some((given, _)) = &self.given {
            let config = self.config(given.n_classes())?;
            let outcome = few_labels::train(features, given, &config, watch)?;
            return Ok((config, outcome, None));
        }
        let known = &self.known.knowledge;
        let asked = *ks.end();
        let ks = known.enough(ks, features.n_samples());
        self.known.check(if ks.is_empty() { asked } else { *ks.end() })?;
        if ks.start() == ks.end() {
            let config = self.config(*ks.start())?;
            let data = prepared(features, &config, config.compute.threads, watch)?;
            let outcome = self.clustered(data, &config, watch)?;
            return Ok((config, outcome, None));
        }
        seek::within(features, &ks)?;
        let (least, compute) = (self.config(*ks.start())?, self.options.compute());
        let sought = seek::seek(features, &least, &ks, compute, watch)?;
        let config = self.config(sought.found.k)?;
        let outcome = self.clustered(sought.data, &config, watch)?;
        Ok((config, outcome, Some(sought.found)))
    }

    fn clustered(
        &self,
        data: Prepared,
        config: &ValidConfig,
        watch: &Watch,
    ) -> Result<Outcome, RunError> {
        let own = (&self.features, &self.recipe);
        let views = prepare_views(own, &[], config, watch)?;
        run_prepared((data, views), config, &self.known.knowledge, Vec::new(), watch)
    }

    fn run(&self, start: Instant, watch: &Watch) -> PyResult<Fitted> {
        let go_on = || if watch.cancelled() { Err(of_run(RunError::Cancelled)) } else { Ok(()) };
        let (features, recipe) = (&self.features, &self.recipe);
        let (config, outcome, found) = self.done(watch).map_err(of_run)?;
        let source = Source {
            device: Device::Cpu.to_string(),
            data_hash: Some(DataHash::of(features)),
            given_hash: self
                .given
                .as_ref()
                .map(|(given, _)| given)
                .or(self.known.knowledge.given())
                .map(GivenLabels::hash),
            links_hash: self.known.links_hash.clone(),
            ..Source::default()
        };
        let command = match self.given {
            Some(_) => TRAIN.into(),
            None => format!("{CLUSTER}{}", self.known.options()),
        };
        let views = outcome.views.iter().map(|it| it.view.settings.clone()).collect();
        let written = Config { cut: outcome.cut.clone(), views, ..Config::clone(&config) };
        let written = config_toml(&command, &written, &source).map_err(of_run)?;
        let seconds = start.elapsed().as_secs_f64();
        let mut metrics = Metrics::of_run(&outcome, &config, seconds, None).map_err(of_run)?;
        metrics.granularity = found.as_ref().map(GranularityMetrics::of);
        go_on()?;
        metrics.set_curve(Curve::of_run(&outcome, &config, None).map_err(of_run)?);
        go_on()?;

        // Written as the command line writes it, and read back: so it is the same, byte for byte.
        let temporary = std::env::temp_dir();
        let folder = tempfile::tempdir().map_err(|error| of_io(&temporary, &error))?;
        let provenance = Provenance { ids: None, rows: None, recipe };
        let beside = (&provenance, Beside::default());
        run_folder::write(folder.path(), &outcome, &metrics, &written, beside).map_err(of_run)?;
        let is_text = config.preset == "text";
        let clusters = outcome.clusters();
        let found_in = Clustering::of(&outcome, &clusters);
        run_folder::write_clusters(folder.path(), &found_in, features, &provenance, is_text)
            .map_err(of_run)?;
        let sketch = Sketch::of(features, config.preparation.scaling, watch);
        let sketch = sketch.map_err(|error| of_run(error.into()))?;
        run_folder::write_sketch(folder.path(), &sketch).map_err(|error| of_run(error.into()))?;
        if let Some(found) = &found {
            run_folder::write_layers(folder.path(), found).map_err(of_run)?;
        }
        if let Some(taught) = &outcome.taught {
            run_folder::write_taught(folder.path(), taught, &provenance).map_err(of_run)?;
        }
        run_folder::write_pairs(folder.path(), &self.known.knowledge, None).map_err(of_run)?;
        go_on()?;
        let archive = Archive::read(folder.path())?;
        let answer = &outcome.answer;
        let results =
            Results::new(clusters.into_iter(), answer.confidence.clone(), &answer.pseudo_labels);
        let not_shown = outcome.taught.as_ref().and_then(knowledge::not_shown);
        let predictor = Predictor::of(outcome, self.options.compute().threads).map_err(of_run)?;
        Ok((archive, predictor, results, not_shown))
    }
}
