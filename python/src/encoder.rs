//! Encoders that are trained on pretexts, and what they make of samples.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use consilience::RunError;
use consilience::embedding::params_for;
use consilience::overlay::overlay;
use consilience_data::{Recipe, Seed};
use consilience_ensembles::PretextParams;
use numpy::{IntoPyArray, PyArray2};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::{of_io, of_run};
use crate::numbers::Numbers;
use crate::options::{self, table, threads};
use crate::watch::{Teller, Watch, borrowed, owned};

/// A trained encoder.
#[pyclass(frozen, module = "consilience._core")]
pub(crate) struct Encoder(Arc<consilience_ensembles::Encoder>);

/// What makes an encoder again, and from what.
type Reduced<'py> = (Bound<'py, PyAny>, (Bound<'py, PyBytes>,));

/// Trains an encoder on `x`, shape (n_samples, n_features). `settings`: over those that go with the data, as JSON.
#[pyfunction]
#[pyo3(signature = (x, pretext, preset, settings, *, seed=0, n_threads=0, feature_names=None, verbose=0, tell=None))]
#[expect(clippy::too_many_arguments, reason = "Python's, by name")]
pub(crate) fn train_encoder<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    pretext: &str,
    preset: String,
    settings: String,
    seed: u64,
    n_threads: usize,
    feature_names: Option<Vec<String>>,
    verbose: u8,
    tell: Option<Bound<'py, PyAny>>,
) -> PyResult<(Encoder, usize, f64)> {
    let pretext = options::pretext("pretext", pretext).map_err(of_run)?;
    let (features, offsets) = {
        let numbers = Numbers::new(x)?;
        let view = numbers.view();
        py.detach(|| view.features()).map_err(of_run)?
    };
    let recipe = Recipe { feature_names, offsets, ..Recipe::default() };
    let work = move |watch: &Watch| {
        let params = params_for(pretext, &preset, &features, &recipe)?;
        let params: PretextParams = overlay(&params, table(&settings)?)?;
        let (seed, threads) = (Seed(seed), threads(n_threads));
        consilience_ensembles::Encoder::train(&features, &recipe, &params, seed, threads, watch)
            .map_err(RunError::from)
    };
    let (encoder, learnt) = owned(py, &Teller::new(verbose, tell), work)?.map_err(of_run)?;
    Ok((Encoder(Arc::new(encoder)), learnt.epochs, learnt.loss))
}

/// Reads an encoder that was saved, here or by `consilience embed`.
#[pyfunction]
pub(crate) fn load_encoder(py: Python<'_>, path: PathBuf) -> PyResult<Encoder> {
    let loaded = py.detach(|| consilience_ensembles::Encoder::load(&path));
    loaded.map(|encoder| Encoder(Arc::new(encoder))).map_err(|error| of_run(error.into()))
}

impl Encoder {
    fn bytes(&self) -> PyResult<Vec<u8>> {
        in_a_folder(|path| {
            self.0.save(path).map_err(|error| of_run(error.into()))?;
            std::fs::read(path).map_err(|error| of_io(path, &error))
        })
    }
}

#[pymethods]
impl Encoder {
    /// Number of features that samples have.
    #[getter]
    fn n_features(&self) -> usize {
        self.0.n_features()
    }

    /// Number of features of the embedding.
    #[getter]
    fn width(&self) -> usize {
        self.0.width()
    }

    /// The embedding of `x`, shape (n_samples, width).
    #[pyo3(signature = (x, n_threads=0))]
    fn embed<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyAny>,
        n_threads: usize,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let numbers = Numbers::new(x)?;
        let view = numbers.view();
        let work = |watch: &Watch| {
            let features = view.features_as(self.0.recipe().offsets.as_ref())?;
            self.0.embed(&features, threads(n_threads), watch).map_err(RunError::from)
        };
        let found = borrowed(py, &Teller::silent(), work)?.map_err(of_run)?;
        Ok(found.view().to_owned().into_pyarray(py))
    }

    /// Writes the file `path`, in place of nothing.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        if path.symlink_metadata().is_ok() {
            let error = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
            return Err(of_io(&path, &error));
        }
        py.detach(|| consilience::output::replace(&path, &self.bytes()?).map_err(of_run))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Reduced<'py>> {
        let bytes = PyBytes::new(slf.py(), &slf.get().bytes()?);
        Ok((slf.get_type().getattr("from_bytes")?, (bytes,)))
    }

    /// What was pickled.
    #[staticmethod]
    fn from_bytes(bytes: &[u8]) -> PyResult<Self> {
        in_a_folder(|path| {
            std::fs::write(path, bytes).map_err(|error| of_io(path, &error))?;
            let loaded = consilience_ensembles::Encoder::load(path);
            loaded.map(|encoder| Self(Arc::new(encoder))).map_err(|error| of_run(error.into()))
        })
    }
}

/// Does something with a file that is removed in the end.
fn in_a_folder<R>(work: impl FnOnce(&Path) -> PyResult<R>) -> PyResult<R> {
    let folder = tempfile::tempdir().map_err(|error| of_io(&std::env::temp_dir(), &error))?;
    work(&folder.path().join("encoder.safetensors"))
}
