//! `pseudo_label`: what `consilience pseudo-label` does with votes that are in memory.

use consilience::RunError;
use consilience::consensus::ConsensusMethod;
use consilience::from_votes;
use consilience::from_votes::VotesConfig;
use consilience_data::{Numbering, Votes};
use consilience_ensembles::Progress;
use consilience_graph::{AgreementParams, Signatures, SignaturesBuilder, Threads};
use ndarray::{Array2, ArrayView1, ArrayView2};
use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::of_run;
use crate::known::Known;
use crate::options::{AgreementOptions, threads};
use crate::results::Results;
use crate::watch::{Teller, Watch, borrowed};

/// Samples whose votes are numbered at a time.
const CHUNK: usize = 1 << 18;

/// One model's votes, length n_samples, as Python lends them.
pub(crate) enum OfModel<'py> {
    Narrow(PyReadonlyArray1<'py, i32>),
    Wide(PyReadonlyArray1<'py, i64>),
}

#[derive(Clone, Copy)]
enum View<'a> {
    Narrow(ArrayView1<'a, i32>),
    Wide(ArrayView1<'a, i64>),
}

impl<'py> OfModel<'py> {
    fn new(array: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(narrow) = array.cast::<PyArray1<i32>>() {
            return Ok(Self::Narrow(narrow.readonly()));
        }
        let wide = array.cast::<PyArray1<i64>>();
        let wide = wide
            .map_err(|_| PyTypeError::new_err("need votes as int32 or int64, in one dimension"))?;
        Ok(Self::Wide(wide.readonly()))
    }

    fn view(&self) -> View<'_> {
        match self {
            Self::Narrow(array) => View::Narrow(array.as_array()),
            Self::Wide(array) => View::Wide(array.as_array()),
        }
    }
}

impl View<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Narrow(votes) => votes.len(),
            Self::Wide(votes) => votes.len(),
        }
    }

    fn at(&self, sample: usize) -> i64 {
        match self {
            Self::Narrow(votes) => votes[sample].into(),
            Self::Wide(votes) => votes[sample],
        }
    }
}

/// Labels votes: what came out, and a few numbers.
#[pyfunction]
#[pyo3(signature = (votes, n_clusters, agreement, *, confidences=None, consensus="auto", known=None, n_threads=0))]
#[expect(clippy::too_many_arguments, reason = "Python's, by name")]
pub(crate) fn pseudo_label<'py>(
    py: Python<'py>,
    votes: Vec<Bound<'py, PyAny>>,
    n_clusters: usize,
    agreement: AgreementOptions,
    confidences: Option<PyReadonlyArray2<'py, f32>>,
    consensus: &str,
    known: Option<Known>,
    n_threads: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let mut config =
        VotesConfig { n_clusters, consensus: method(consensus)?, ..VotesConfig::default() };
    agreement.apply(&mut config.agreement).map_err(of_run)?;
    let known = known.map(Known::read).transpose()?.unwrap_or_default().knowledge;
    let given: Vec<_> = votes.iter().map(OfModel::new).collect::<PyResult<_>>()?;
    let views: Vec<_> = given.iter().map(OfModel::view).collect();
    let confidences = confidences.as_ref().map(PyReadonlyArray2::as_array);
    let work = |watch: &Watch| -> Result<_, RunError> {
        let cancelled = || watch.cancelled();
        let threads = Threads::watched(threads(n_threads), &cancelled)?;
        let signatures = group(&views, confidences, &config.agreement, &threads, &cancelled)?;
        known.constraints().check(n_clusters)?;
        let agreement = config.agreement.check(signatures.n_models())?;
        let held = (!known.is_empty())
            .then(|| known.constraints().hold_signatures(&signatures, &agreement, &threads));
        let held = held.transpose()?;
        let used = held.as_ref().unwrap_or(&signatures);
        let mut outcome = from_votes(used, &config, &threads, |_, _| {})?;
        let votes_of = |model| signatures.votes_of(model);
        known.conclude_votes(&mut outcome, votes_of, signatures.n_models())?;
        Ok((outcome, signatures.len()))
    };
    let (outcome, n_signatures) = borrowed(py, &Teller::silent(), work)?.map_err(of_run)?;
    let (complete, diversity) = (outcome.complete, outcome.diversity.mean());
    let found = outcome.consensus;
    let results =
        Results::new(found.clusters.into_iter(), found.confidences, &outcome.pseudo_labels);
    let dict = results.into_dict(py)?;
    dict.set_item("complete", complete)?;
    dict.set_item("diversity", diversity)?;
    dict.set_item("n_signatures", n_signatures)?;
    Ok(dict)
}

fn method(name: &str) -> PyResult<ConsensusMethod> {
    serde_json::from_value(name.into()).map_err(|_| {
        PyValueError::new_err(format!(
            "consensus: need 'auto', 'linkage', 'linkage-dawid-skene' or 'dawid-skene', got '{name}'"
        ))
    })
}

/// Groups samples by their votes, a chunk at a time.
fn group(
    votes: &[View<'_>],
    confidences: Option<ArrayView2<'_, f32>>,
    agreement: &AgreementParams,
    threads: &Threads<'_>,
    cancelled: &dyn Fn() -> bool,
) -> Result<Signatures, RunError> {
    let mut builder = SignaturesBuilder::new(&agreement.check(votes.len())?);
    let n_samples = votes.first().map_or(0, View::len);
    let mut numberings = vec![Numbering::default(); votes.len()];
    for start in (0..n_samples).step_by(CHUNK) {
        if cancelled() {
            return Err(RunError::Cancelled);
        }
        let end = n_samples.min(start + CHUNK);
        let mut clusters = Array2::from_elem((votes.len(), end - start), Votes::MISSING);
        for (model, mut row) in clusters.rows_mut().into_iter().enumerate() {
            for (sample, cluster) in (start..end).zip(&mut row) {
                let found = numberings[model].cluster(votes[model].at(sample));
                *cluster = found.ok_or_else(|| RunError::Setting {
                    name: "votes",
                    need: "at most 65535 clusters a model".into(),
                    got: format!("more, in model {model}"),
                })?;
            }
        }
        let sure = confidences.as_ref().map(|all| all.slice(ndarray::s![.., start..end]));
        builder.push(clusters.view(), sure, threads)?;
    }
    Ok(builder.finish())
}

/// As [`pseudo_label`], up to the groups: for whoever looks at several K.
pub(crate) fn with_signatures<'py, R: Send>(
    py: Python<'py>,
    votes: &[Bound<'py, PyAny>],
    agreement: &AgreementParams,
    n_threads: usize,
    look: impl FnOnce(&Signatures, &Threads<'_>) -> Result<R, RunError> + Send,
) -> PyResult<R> {
    let given: Vec<_> = votes.iter().map(OfModel::new).collect::<PyResult<_>>()?;
    let views: Vec<_> = given.iter().map(OfModel::view).collect();
    let work = |watch: &Watch| -> Result<R, RunError> {
        let cancelled = || watch.cancelled();
        let threads = Threads::watched(threads(n_threads), &cancelled)?;
        look(&group(&views, None, agreement, &threads, &cancelled)?, &threads)
    };
    borrowed(py, &Teller::silent(), work)?.map_err(of_run)
}
