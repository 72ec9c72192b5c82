//! What is known of some samples: labels, and pairs of rows.

use consilience::knowledge::Words;
use consilience::{Knowledge, RunError};
use consilience_data::{GivenLabels, SampleIdx, SamplePair};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::of_run;

/// What is known of some samples, as `consilience/_validation.py` passes it on.
#[derive(Debug, FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Known {
    given: Option<Named>,
    must_link: Vec<[u32; 2]>,
    cannot_link: Vec<[u32; 2]>,
    /// Whether there are pairs at all, if only none.
    has_links: bool,
}

/// Labels of some samples.
#[derive(Debug, FromPyObject)]
#[pyo3(from_item_all)]
struct Named {
    /// The class of every sample, length n_samples; `None` where no label was given.
    classes: Vec<Option<usize>>,
    names: Vec<String>,
}

/// What is known, and what a run's `config.toml` says of it.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) knowledge: Knowledge,
    pub(crate) links_hash: Option<[String; 2]>,
    has_links: [bool; 2],
}

impl Known {
    /// Checks that nothing contradicts itself.
    pub(crate) fn read(self) -> PyResult<Facts> {
        let given = self.given.map(|it| GivenLabels::new("labels_partial", it.classes, it.names));
        let given = given.transpose().map_err(|error| of_run(RunError::Data(error)))?;
        let pairs = |pairs: &[[u32; 2]]| -> Vec<[SampleIdx; 2]> {
            pairs.iter().map(|pair| pair.map(SampleIdx)).collect()
        };
        let (must, cannot) = (pairs(&self.must_link), pairs(&self.cannot_link));
        let knowledge = Knowledge::new(given.clone(), &must, &cannot).map_err(|conflict| {
            let words = Words {
                cannot: &cannot,
                must_at: &|at| format!("must_link[{at}]"),
                cannot_at: &|at| format!("cannot_link[{at}]"),
                called: &|sample| format!("row {sample}"),
                given: given.as_ref(),
            };
            PyValueError::new_err(conflict.told(&words))
        })?;
        let hash = || [&must, &cannot].map(|pairs| SamplePair::hash(pairs));
        let has_links = [!must.is_empty(), !cannot.is_empty()];
        Ok(Facts { knowledge, links_hash: self.has_links.then(hash), has_links })
    }
}

impl Facts {
    /// What is added to the command that repeats a run.
    pub(crate) fn options(&self) -> String {
        let [must, cannot] = self.has_links;
        let options = [
            (self.knowledge.given().is_some(), " --labels-partial LABELS"),
            (must, " --must-link PAIRS"),
            (cannot, " --cannot-link PAIRS"),
        ];
        options.into_iter().filter_map(|(is_given, option)| is_given.then_some(option)).collect()
    }

    /// Refuses a number of clusters that is too small for the classes that there are labels of.
    pub(crate) fn check(&self, k: usize) -> Result<(), RunError> {
        let classes = self.knowledge.given().map_or(0, GivenLabels::n_classes);
        if k < classes {
            let need = format!("at least {classes}, as there are labels of so many classes");
            return Err(RunError::Setting { name: "n_clusters", need, got: k.to_string() });
        }
        Ok(self.knowledge.constraints().check(k)?)
    }
}
