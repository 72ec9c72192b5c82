//! A fitted model: a run folder in memory, and what predicts from it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use consilience::from_counts::{LabelledCounts, agreement_of, from_counts};
use consilience::recut::{check_recut, recut};
use consilience::report::{self, Data, REPORT};
use consilience::run_folder::{
    CONFIG, Destination, RECIPE, RunFolder, read_given, read_recipe, write_recut,
};
use consilience::suggest::suggest;
use consilience::{Metrics, Prediction, Predictor, RunError};
use consilience_data::{Features, Offsets, Recipe};
use consilience_ensembles::{CHUNK, Progress};
use consilience_graph::{Codes, Threads};
use ndarray::Array2;
use numpy::{IntoPyArray, PyArray1, PyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::archive::Archive;
use crate::counts::{GivenCounts, labelled};
use crate::errors::{of_io, of_run};
use crate::numbers::{Numbers, View};
use crate::options::{AgreementOptions, threads};
use crate::results::Results;
use crate::watch::{Teller, Watch, borrowed};

/// What prediction needs of a run.
const PREDICTING: [&str; 3] = ["config.toml", RECIPE, "models/"];
/// What a run is called that has no folder.
const IN_MEMORY: &str = "RUN";
/// The version of what is pickled.
const FORMAT: u32 = 1;

/// A fitted model.
#[pyclass(frozen, module = "consilience._core")]
pub(crate) struct Model {
    archive: Arc<Archive>,
    offsets: Option<Offsets>,
    ready: Mutex<Option<Ready>>,
}

/// What predicts.
struct Ready {
    predictor: Arc<Predictor>,
    threads: Option<usize>,
    /// A process that was forked from another has none of its threads.
    process: u32,
}

/// Clusters and confidences, length n_samples each.
type Predicted<'py> = (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray1<f32>>);

/// Rows of samples, and their places, shape (n, 2).
type Places<'py> = (Bound<'py, PyArray1<i64>>, Bound<'py, PyArray2<f32>>);

/// Clusters, confidences, lowest confidences and signatures, length n_samples each.
type Voting<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<f32>>,
    Bound<'py, PyArray1<f32>>,
    Bound<'py, PyAny>,
);

/// What makes a model again, and from what.
type Reduced<'py> = (Bound<'py, PyAny>, (u32, &'static str, Bound<'py, PyDict>));

fn damaged() -> PyErr {
    PyValueError::new_err("the run's config.toml is damaged; fit again")
}

/// The clusters of samples as Python has them: -1 of strays.
fn ids(found: &Prediction) -> impl Iterator<Item = i64> {
    found.clusters().map(|id| id.map_or(-1, |id| i64::from(id.0)))
}

impl Model {
    /// `predictor`: if there is one already, on as many threads as the model was fitted.
    pub(crate) fn new(archive: Archive, predictor: Option<Predictor>) -> Self {
        let recipe =
            archive.0.get(RECIPE).and_then(|text| serde_json::from_slice::<Recipe>(text).ok());
        let ready = predictor.map(|predictor| Ready {
            predictor: Arc::new(predictor),
            threads: None,
            process: std::process::id(),
        });
        let offsets = recipe.and_then(|recipe| recipe.offsets);
        Self { archive: Arc::new(archive), offsets, ready: Mutex::new(ready) }
    }

    /// What predicts on so many threads, read from the archive if it isn't there.
    fn predictor(&self, threads: usize) -> PyResult<Arc<Predictor>> {
        let process = std::process::id();
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = &*ready
            && ready.process == process
            && ready.threads.is_none_or(|has| has == threads)
        {
            return Ok(Arc::clone(&ready.predictor));
        }
        let folder = self.unpack(&PREDICTING)?;
        let predictor = Arc::new(Predictor::load(folder.path(), threads).map_err(of_run)?);
        // Threads of a process that this one was forked from can't be waited for.
        std::mem::forget(ready.take().filter(|before| before.process != process));
        *ready = Some(Ready { predictor: Arc::clone(&predictor), threads: Some(threads), process });
        Ok(predictor)
    }

    fn unpack(&self, names: &[&str]) -> PyResult<tempfile::TempDir> {
        let temporary = std::env::temp_dir();
        let folder = tempfile::tempdir().map_err(|error| of_io(&temporary, &error))?;
        self.archive.write(folder.path(), names)?;
        Ok(folder)
    }

    /// What `answer` says of `view`, a few blocks of rows at a time: enough for all threads, and few enough that Ctrl-C is answered.
    fn in_steps<T>(
        &self,
        view: View<'_>,
        n_threads: usize,
        watch: &Watch,
        answer: impl Fn(&Predictor, &Features) -> Result<T, RunError>,
        mut take: impl FnMut(T),
    ) -> PyResult<()> {
        let predictor = self.predictor(n_threads)?;
        let (n_samples, step) = (view.n_samples(), CHUNK * (2 * n_threads).max(4));
        for start in (0..n_samples).step_by(step) {
            if watch.cancelled() {
                return Err(of_run(RunError::Cancelled));
            }
            let rows = view.rows(start, n_samples.min(start + step));
            let features = rows.features_as(self.offsets.as_ref()).map_err(of_run)?;
            take(answer(&predictor, &features).map_err(of_run)?);
        }
        Ok(())
    }

    /// The content of `config.toml`.
    fn settings(&self) -> PyResult<toml::Table> {
        let text = self.archive.0.get(CONFIG).and_then(|text| std::str::from_utf8(text).ok());
        text.and_then(|text| text.parse().ok()).ok_or_else(damaged)
    }

    fn page(&self, folder: &Path, x: View<'_>) -> PyResult<String> {
        let features = x.features_as(self.offsets.as_ref()).map_err(of_run)?;
        let run = RunFolder::open(folder).map_err(of_run)?;
        report::render(&run, Data::Features(&features)).map_err(of_run)
    }
}

#[pymethods]
impl Model {
    /// Number of features that samples have.
    #[getter]
    fn n_features(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(py.detach(|| self.predictor(threads(0)))?.n_features())
    }

    /// Clusters and confidences of `x`, shape (n_samples, n_features).
    #[pyo3(signature = (x, n_threads=0))]
    fn predict<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        n_threads: usize,
    ) -> PyResult<Predicted<'py>> {
        let numbers = Numbers::new(x)?;
        let (view, n_threads) = (numbers.view(), threads(n_threads));
        let work = |watch: &Watch| {
            let (mut clusters, mut confidences) = (Vec::new(), Vec::new());
            self.in_steps(view, n_threads, watch, Predictor::predict, |found| {
                clusters.extend(ids(&found));
                confidences.extend(found.confidences);
            })?;
            Ok::<_, PyErr>((clusters, confidences))
        };
        let (clusters, confidences) = borrowed(py, &Teller::silent(), work)??;
        Ok((clusters.into_pyarray(py), confidences.into_pyarray(py)))
    }

    /// Clusters, confidences, lowest confidences and signatures of `x`, shape (n_samples, n_features): a sample's depend on it alone.
    /// Signatures are a list of strings, or an array of int64 if [`Model::has_numbers`] says so.
    #[pyo3(signature = (x, n_threads=0))]
    fn vote<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        n_threads: usize,
    ) -> PyResult<Voting<'py>> {
        let numbers = Numbers::new(x)?;
        let (view, n_threads) = (numbers.view(), threads(n_threads));
        let work = |watch: &Watch| {
            let (mut clusters, mut confidences, mut lowest) = (Vec::new(), Vec::new(), Vec::new());
            let (mut numbers, mut texts) = (Vec::new(), Vec::new());
            self.in_steps(view, n_threads, watch, Predictor::vote, |found| {
                clusters.extend(ids(&found.prediction));
                confidences.extend(found.prediction.confidences);
                lowest.extend(found.lowest_confidences);
                match found.signatures {
                    Codes::Numbers(found) => numbers.extend(found),
                    Codes::Texts(found) => texts.extend(found),
                }
            })?;
            Ok::<_, PyErr>((clusters, confidences, lowest, numbers, texts))
        };
        let (clusters, confidences, lowest, numbers, texts) =
            borrowed(py, &Teller::silent(), work)??;
        let signatures = match texts.is_empty() {
            true => numbers.into_pyarray(py).into_any(),
            false => texts.into_pyobject(py)?,
        };
        let [confidences, lowest] = [confidences, lowest].map(|values| values.into_pyarray(py));
        Ok((clusters.into_pyarray(py), confidences, lowest, signatures))
    }

    /// Whether signatures are whole numbers of 64 bits.
    fn has_numbers(&self, py: Python<'_>) -> PyResult<bool> {
        let predictor = py.detach(|| self.predictor(threads(0)))?;
        Ok(predictor.signature_codes().map_err(of_run)?.are_numbers())
    }

    /// The same model with nothing but what prediction needs: it is sent to many machines.
    fn for_prediction(&self) -> Self {
        let needed = |name: &str| PREDICTING.iter().any(|start| name.starts_with(start));
        let files = self.archive.0.iter().filter(|(name, _)| needed(name));
        Self::new(Archive(files.map(|(name, file)| (name.clone(), file.clone())).collect()), None)
    }

    /// Labels signatures that were counted, by the settings of the run with those of `agreement` in their place: see
    /// `consilience::from_counts`.
    #[pyo3(signature = (counts, agreement, n_threads=0))]
    fn label_counts<'py>(
        &self,
        py: Python<'py>,
        counts: GivenCounts,
        agreement: AgreementOptions,
        n_threads: usize,
    ) -> PyResult<Bound<'py, PyDict>> {
        let config = self.settings()?;
        let counts = counts.into();
        let n_threads = threads(n_threads);
        let work = |watch: &Watch| {
            let predictor = self.predictor(n_threads)?;
            let label = || -> Result<LabelledCounts, RunError> {
                let codes = predictor.signature_codes()?;
                let mut settings = agreement_of(&config, codes.n_models())?;
                agreement.apply(&mut settings)?;
                let cancelled = || watch.cancelled();
                let threads = Threads::watched(n_threads, &cancelled)?;
                from_counts(&counts, &codes, predictor.n_clusters(), &settings, &threads)
            };
            label().map_err(of_run)
        };
        labelled(py, borrowed(py, &Teller::silent(), work)??)
    }

    /// The probability of each cluster for `x`, shape (n_samples, n_clusters); `None` where the run ended with an answer that has none.
    #[pyo3(signature = (x, n_threads=0))]
    fn probabilities<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        n_threads: usize,
    ) -> PyResult<Option<Bound<'py, PyArray2<f32>>>> {
        let numbers = Numbers::new(x)?;
        let (view, n_threads) = (numbers.view(), threads(n_threads));
        let work = |_: &Watch| {
            let predictor = self.predictor(n_threads)?;
            let features = view.features_as(self.offsets.as_ref()).map_err(of_run)?;
            predictor.probabilities(&features).map_err(of_run)
        };
        let found = borrowed(py, &Teller::silent(), work)??;
        Ok(found.map(|found| found.view().to_owned().into_pyarray(py)))
    }

    /// The `count` samples of the run, `x` being its data, whose labels would tell most, the best first.
    #[pyo3(signature = (x, count, n_threads=0))]
    fn suggest<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        count: usize,
        n_threads: usize,
    ) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let numbers = Numbers::new(x)?;
        let (view, n_threads) = (numbers.view(), threads(n_threads));
        let work = |watch: &Watch| {
            let folder = self.unpack(&[""])?;
            let run = RunFolder::open(folder.path()).map_err(of_run)?;
            let given = read_given(&run).map_err(of_run)?;
            let labelled: Vec<usize> = given.iter().map(|label| label.sample.index()).collect();
            let features = view.features_as(self.offsets.as_ref()).map_err(of_run)?;
            suggest(&run, &features, &labelled, count, n_threads, watch).map_err(of_run)
        };
        let found = borrowed(py, &Teller::silent(), work)??;
        let samples = found.iter().map(|suggestion| i64::from(suggestion.sample.0));
        Ok(samples.collect::<Vec<_>>().into_pyarray(py))
    }

    /// The run, `x` being its data, cut into `k` clusters: the model, and what came out.
    #[pyo3(signature = (x, k, n_threads=0))]
    fn cut<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        k: usize,
        n_threads: usize,
    ) -> PyResult<(Self, Bound<'py, PyDict>)> {
        let start = Instant::now();
        let numbers = Numbers::new(x)?;
        let (view, n_threads) = (numbers.view(), threads(n_threads));
        let work = |watch: &Watch| {
            let folder = self.unpack(&[""])?;
            let cut = || -> Result<_, RunError> {
                let run = RunFolder::open(folder.path())?;
                check_recut(&run, k)?;
                let mut config = run.settings()?;
                let features = view.features_as(self.offsets.as_ref())?;
                run.check_samples(features.n_samples(), None)?;
                let found = recut(&run, &features, k, n_threads, watch)?;
                config.n_clusters = k;
                config.version = env!("CARGO_PKG_VERSION").into();
                let work = (n_threads, start.elapsed().as_secs_f64());
                let metrics = Metrics::of_recut(&found, &config, IN_MEMORY, work, None)?;
                let written = tempfile::tempdir().map_err(|error| RunError::Folder {
                    path: std::env::temp_dir().display().to_string(),
                    problem: error.to_string(),
                })?;
                write_recut(written.path(), (&run, &features), &found, &metrics, &config)?;
                let clusters = found.clusters().into_iter();
                let results = Results::new(clusters, found.confidence, &found.pseudo_labels);
                Ok((written, results))
            };
            let (written, results) = cut().map_err(of_run)?;
            Ok::<_, PyErr>((Archive::read(written.path())?, results))
        };
        let (archive, results) = borrowed(py, &Teller::silent(), work)??;
        Ok((Self::new(archive, None), results.into_dict(py)?))
    }

    /// Writes the run folder `path`, with a report if `x` is given. `data`: what the data are called.
    #[pyo3(signature = (path, x=None, data=None))]
    fn save<'py>(
        &self,
        py: Python<'py>,
        path: PathBuf,
        x: Option<Bound<'py, PyAny>>,
        data: Option<Vec<String>>,
    ) -> PyResult<()> {
        let numbers = x.as_ref().map(Numbers::new).transpose()?;
        let view = numbers.as_ref().map(Numbers::view);
        let archive = match data {
            Some(data) => Arc::new(self.archive.with_data(data)?),
            None => Arc::clone(&self.archive),
        };
        let work = |watch: &Watch| {
            let destination = Destination::new(Some(&path), false).map_err(of_run)?;
            let staging = destination.stage("", |_| Ok(())).map_err(of_run)?;
            let folder = staging.folder().map_err(of_run)?;
            archive.write(&folder, &[""])?;
            let mut absent = Vec::new();
            match view {
                Some(view) => {
                    let page = self.page(&folder, view)?;
                    let place = folder.join(REPORT);
                    std::fs::write(&place, page).map_err(|error| of_io(&place, &error))?;
                }
                None => absent.push((REPORT.into(), "consilience report writes it".into())),
            }
            if watch.cancelled() {
                return Err(of_run(RunError::Cancelled));
            }
            staging.publish(&absent).map(drop).map_err(of_run)
        };
        borrowed(py, &Teller::silent(), work)?
    }

    /// The report as a page, with members and a map if `x` is given.
    #[pyo3(signature = (x=None))]
    fn report<'py>(&self, py: Python<'py>, x: Option<Bound<'py, PyAny>>) -> PyResult<String> {
        let numbers = x.as_ref().map(Numbers::new).transpose()?;
        let view = numbers.as_ref().map(Numbers::view);
        let work = |_: &Watch| {
            let folder = self.unpack(&[""])?;
            match view {
                Some(view) => self.page(folder.path(), view),
                None => {
                    let run = RunFolder::open(folder.path()).map_err(of_run)?;
                    let missing = "the data weren't given: report(X) shows members and the map";
                    report::render(&run, Data::Missing(missing)).map_err(of_run)
                }
            }
        };
        borrowed(py, &Teller::silent(), work)?
    }

    /// Rows of the samples that a map shows, and their places, shape (n, 2). `x`: what was clustered.
    fn places<'py>(&self, py: Python<'py>, x: &Bound<'py, PyAny>) -> PyResult<Places<'py>> {
        let numbers = Numbers::new(x)?;
        let view = numbers.view();
        let work = |_: &Watch| {
            let folder = self.unpack(&[""])?;
            let run = RunFolder::open(folder.path()).map_err(of_run)?;
            let features = view.features_as(self.offsets.as_ref()).map_err(of_run)?;
            report::places(&run, &features).map_err(of_run)
        };
        let (rows, places) = borrowed(py, &Teller::silent(), work)??;
        let rows = rows.into_iter().map(|row| i64::try_from(row).unwrap_or(i64::MAX));
        let rows: Vec<i64> = rows.collect();
        Ok((rows.into_pyarray(py), Array2::from(places).into_pyarray(py)))
    }

    /// The content of a file of the run folder.
    fn file<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyBytes>> {
        let content = self.archive.0.get(name);
        let content =
            content.ok_or_else(|| PyValueError::new_err(format!("the run has no {name}")))?;
        Ok(PyBytes::new(py, content))
    }

    /// The settings, as JSON.
    fn config(&self) -> PyResult<String> {
        serde_json::to_string(&self.settings()?).map_err(|_| damaged())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Reduced<'py>> {
        let py = slf.py();
        let files = PyDict::new(py);
        for (name, content) in &slf.get().archive.0 {
            files.set_item(name, PyBytes::new(py, content))?;
        }
        let rebuild = slf.get_type().getattr("from_files")?;
        Ok((rebuild, (FORMAT, env!("CARGO_PKG_VERSION"), files)))
    }

    /// What was pickled.
    #[staticmethod]
    fn from_files(format: u32, version: &str, files: BTreeMap<String, Vec<u8>>) -> PyResult<Self> {
        if format > FORMAT {
            let ours = env!("CARGO_PKG_VERSION");
            return Err(PyValueError::new_err(format!(
                "the model was pickled by consilience {version} in format {format}, and this is {ours}, which reads formats up to {FORMAT}; \
                 use the newer version, or fit again"
            )));
        }
        Ok(Self::new(Archive(files), None))
    }
}

/// Reads the run folder `path`: the model, what came out, and the content of `metrics.json`.
#[pyfunction]
pub(crate) fn load(py: Python<'_>, path: PathBuf) -> PyResult<(Model, Bound<'_, PyDict>)> {
    let work = || {
        // Checks what is read against the manifest.
        let run = RunFolder::open(&path).map_err(of_run)?;
        read_recipe(&path).map_err(of_run)?;
        let results = Results::new(run.clusters.into_iter(), run.confidences, &run.pseudo_labels);
        let predictor = Predictor::load(&path, threads(0)).map_err(of_run)?;
        Ok::<_, PyErr>((Archive::read(&path)?, predictor, results))
    };
    let (archive, predictor, results) = py.detach(work)?;
    let model = Model::new(archive, Some(predictor));
    Ok((model, results.into_dict(py)?))
}
