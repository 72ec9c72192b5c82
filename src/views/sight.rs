//! How new samples become what the models of a run see, in every view.

use consilience_data::{Features, Recipe};
use consilience_ensembles::Transform;

use super::view::{View, ViewSource};
use crate::error::RunError;

/// How samples become what models see, in every view.
pub(crate) struct Sight {
    /// Of the data.
    pub(crate) data: Transform,
    /// Of the other views, in order.
    pub(crate) views: Vec<ViewSight>,
}

/// How samples become what voters on a view see.
pub(crate) struct ViewSight {
    /// What the view is called.
    pub(crate) name: String,
    pub(crate) source: ViewSource,
    pub(crate) transform: Transform,
}

impl ViewSight {
    pub(crate) fn of(view: View) -> Self {
        let transform = view.data.transform().clone();
        Self { name: view.settings.name, source: view.source, transform }
    }
}

impl Sight {
    /// Views whose features have to be given, in order: names, numbers of features, and how files become these.
    pub(crate) fn to_give(&self) -> impl Iterator<Item = (&str, usize, &Recipe)> {
        self.views.iter().filter_map(|view| match &view.source {
            ViewSource::Given(recipe) => {
                Some((view.name.as_str(), view.transform.n_features(), &**recipe))
            }
            ViewSource::Learnt(_) => None,
        })
    }

    /// Samples as models see them, the data first, then every other view.
    ///
    /// # Arguments
    ///
    /// * `features`: of the data, shape (n_samples, n_features), unscaled.
    /// * `given`: of the views that can't be made of these, in order, of the same samples.
    ///
    /// # Errors
    ///
    /// [`RunError::Views`] if other views are given than there are; [`RunError::Ensemble`] for another number of features.
    pub(crate) fn see(
        &self,
        features: &Features,
        given: &[Features],
        threads: usize,
    ) -> Result<Vec<Features>, RunError> {
        self.check(given.len())?;
        let mut seen = vec![self.data.apply(features, threads)?];
        let mut given = given.iter();
        for ViewSight { name, source, transform } in &self.views {
            seen.push(match source {
                ViewSource::Learnt(encoder) => {
                    transform.apply(&encoder.embed(features, threads, &())?, threads)?
                }
                ViewSource::Given(_) => {
                    let given = given.next().expect("they were counted");
                    check_given(name, given, (features.n_samples(), transform.n_features()))?;
                    transform.apply(given, threads)?
                }
            });
        }
        Ok(seen)
    }

    /// Checks how many views are given.
    pub(crate) fn check(&self, given: usize) -> Result<(), RunError> {
        let names: Vec<&str> = self.to_give().map(|(name, _, _)| name).collect();
        if names.len() == given {
            return Ok(());
        }
        let names = if names.is_empty() { "none".into() } else { names.join(", ") };
        Err(RunError::Views { names, given })
    }
}

/// Checks that the features of the view `name` have so many rows and columns.
fn check_given(
    name: &str,
    given: &Features,
    (n_samples, n_features): (usize, usize),
) -> Result<(), RunError> {
    let (rows, columns) = (given.n_samples(), given.n_features());
    if (rows, columns) == (n_samples, n_features) {
        return Ok(());
    }
    let need = format!("{n_samples} samples of {n_features} features, as of {name}");
    Err(RunError::Setting { name: "views (--view)", need, got: format!("{rows} of {columns}") })
}
