//! Labels that a run learnt from, in numbers.

use consilience_data::{ClusterId, DataError, Truth};
use serde::Serialize;

use crate::evaluation::accuracy_by_name;
use crate::few_labels::{FewLabels, Method};
use crate::outcome::Outcome;

/// What a run learnt from, and how well; scores leave out the samples with labels.
#[derive(Debug, Clone, Serialize)]
pub struct GivenMetrics {
    /// Samples with a label.
    pub count: usize,
    /// Their share of all samples.
    pub coverage: f64,
    /// What the classes are called, length n_classes: the names of the first clusters.
    pub classes: Vec<String>,
    /// The cluster of each, length n_classes, where these aren't the first clusters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clusters: Option<Vec<ClusterId>>,
    /// Labels of each, length n_classes.
    pub sizes: Vec<usize>,
    /// How the run learnt from the other samples; nothing of one that clustered them.
    pub methods: Vec<Method>,
    /// Labels that the other samples contradict.
    pub contradicted: usize,
    /// The share of the other samples that have their true class, by name: no cluster is matched to a class.
    pub accuracy: Option<f64>,
    /// The same of each round, in order.
    pub accuracy_of_rounds: Option<Vec<f64>>,
}

impl GivenMetrics {
    /// The numbers of a run that was taught.
    pub(super) fn of(
        outcome: &Outcome,
        few: Option<&FewLabels>,
        truth: Option<&Truth>,
    ) -> Result<Option<Self>, DataError> {
        let Some(taught) = &outcome.taught else { return Ok(None) };
        let given = &taught.given;
        let names: Vec<(ClusterId, &str)> = taught.names().collect();
        let accuracy =
            |found| truth.map_or(Ok(None), |truth| accuracy_by_name(truth, found, &names));
        // Only classes that networks learnt have the same clusters in all rounds.
        let has_learnt = taught.probabilities.is_some();
        let rounds = outcome.rounds.iter().filter(|_| has_learnt);
        let rounds = rounds.map(|round| accuracy(&round.consensus));
        let rounds = rounds.collect::<Result<Option<Vec<_>>, _>>()?;
        let in_order = taught.clusters.iter().enumerate().all(|(at, id)| id.index() == at);
        let count = given.n_labelled();
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let coverage = count as f64 / given.n_samples() as f64;
        Ok(Some(Self {
            count,
            coverage,
            classes: given.names().to_vec(),
            clusters: (!in_order).then(|| taught.clusters.clone()),
            sizes: given.sizes(),
            methods: match has_learnt {
                true => few.cloned().unwrap_or_default().methods,
                false => Vec::new(),
            },
            contradicted: taught.contradictions.len(),
            accuracy: accuracy(&outcome.answer.assignments)?,
            accuracy_of_rounds: rounds.filter(|_| has_learnt),
        }))
    }
}
