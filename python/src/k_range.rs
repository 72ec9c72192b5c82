//! `k_range`: what each of several K would give.

use consilience::k_range::{KRow, of_runs, of_votes};
use consilience_data::Recipe;
use consilience_graph::AgreementParams;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::of_run;
use crate::numbers::Numbers;
use crate::options::{AgreementOptions, Options};
use crate::votes::with_signatures;
use crate::watch::{Teller, Watch, owned};

/// What each K from `first` to `last` gives for `x`, shape (n_samples, n_features), as JSON: a run for each.
#[pyfunction]
#[pyo3(signature = (x, first, last, options, *, feature_names=None, verbose=0, tell=None))]
#[expect(clippy::too_many_arguments, reason = "keywords of a function of Python's")]
pub(crate) fn k_range<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    first: usize,
    last: usize,
    options: Options,
    feature_names: Option<Vec<String>>,
    verbose: u8,
    tell: Option<Bound<'py, PyAny>>,
) -> PyResult<String> {
    let (features, offsets) = {
        let numbers = Numbers::new(x)?;
        let view = numbers.view();
        py.detach(|| view.features()).map_err(of_run)?
    };
    let recipe = Recipe { feature_names, offsets, ..Recipe::default() };
    let work = move |watch: &Watch| {
        let mut config = options.config(&features, &recipe, last, None)?;
        config.rounds = options.rounds().unwrap_or(1);
        let tell = |row: &KRow| watch.say(format!("K = {}: {} mini-clusters", row.k, row.n_found));
        of_runs(&features, &config, first..=last, options.compute(), watch, tell)
    };
    let rows = owned(py, &Teller::new(verbose, tell), work)?.map_err(of_run)?;
    json(&rows)
}

/// The same for votes, one array for each model.
#[pyfunction]
#[pyo3(signature = (votes, first, last, agreement, n_threads=0))]
pub(crate) fn k_range_of_votes<'py>(
    py: Python<'py>,
    votes: Vec<Bound<'py, PyAny>>,
    first: usize,
    last: usize,
    agreement: AgreementOptions,
    n_threads: usize,
) -> PyResult<String> {
    let mut params = AgreementParams::default();
    agreement.apply(&mut params).map_err(of_run)?;
    let rows = with_signatures(py, &votes, &params, n_threads, |signatures, threads| {
        of_votes(signatures, &params, first..=last, threads)
    })?;
    json(&rows)
}

fn json(rows: &[KRow]) -> PyResult<String> {
    serde_json::to_string(rows).map_err(|error| PyValueError::new_err(error.to_string()))
}
