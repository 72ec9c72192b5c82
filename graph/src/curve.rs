//! What a user can trade: coverage against strictness.

use std::ops::ControlFlow;

use crate::{
    AgreementGraph, AgreementParams, Extraction, GraphError, Signatures, Strictness, Threads,
};

/// Extracts at every strictness from all models down to where strong positive and strong negative edges would
/// meet, so that a user can choose between many labels and sure ones.
///
/// # Arguments
///
/// * `signatures`: grouped with the `min_confidence` of `params`.
/// * `params`: all settings but `min_agree`; that is a share of the models that voted if `params` has a share
///   there, and a count if it has a count.
/// * `observe`: is given each `min_agree`, in descending order, with what was extracted, and can score it or keep
///   of it what it needs; and says whether to go on.
///
/// # Errors
///
/// As [`AgreementParams::check`], [`AgreementGraph::new`] and [`AgreementGraph::extract`].
///
/// # Complexity
///
/// One extraction a point. Counting walks ever more subsets of models as `min_agree` goes down; see
/// [`AgreementGraph::degrees`].
///
/// # Example
///
/// ```
/// use std::ops::ControlFlow;
///
/// use consilience_data::Votes;
/// use consilience_graph::{AgreementParams, Signatures, Threads, strictness_curve};
/// use ndarray::{Array2, array};
///
/// let clusters = array![[0, 0, 1, 1], [0, 0, 1, 0], [1, 1, 0, 0]];
/// let votes = Votes::new(clusters, Array2::ones((3, 4)))?;
/// let params = AgreementParams::default();
/// let threads = Threads::new(1)?;
/// let signatures = Signatures::group(&votes, &params.check(3)?, &threads)?;
/// let mut curve = Vec::new();
/// strictness_curve(&signatures, &params, 2, &threads, |min_agree, extraction| {
///     curve.push((min_agree, extraction.pseudo_labels.sizes()));
///     ControlFlow::Continue(())
/// })?;
/// assert_eq!(curve, [(3, vec![2, 1]), (2, vec![2, 2])]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn strictness_curve(
    signatures: &Signatures,
    params: &AgreementParams,
    k: usize,
    threads: &Threads,
    mut observe: impl FnMut(u16, Extraction) -> ControlFlow<()>,
) -> Result<(), GraphError> {
    let n_models = signatures.n_models();
    let models = u16::try_from(n_models).map_err(|_| GraphError::ModelCount { n_models })?;
    let max_agree = params.max_agree.at_most(models);
    for count in (max_agree.saturating_add(1)..=models).rev() {
        let min_agree = match params.min_agree {
            Strictness::Count(_) => Strictness::Count(count),
            Strictness::Share(_) => Strictness::share_of(count, models),
        };
        let agreement = AgreementParams { min_agree, ..params.clone() }.check(n_models)?;
        let extraction = AgreementGraph::new(signatures, &agreement)?.extract(k, threads)?;
        if observe(count, extraction).is_break() {
            break;
        }
    }
    Ok(())
}
