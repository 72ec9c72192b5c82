//! Runs whose time was up: how far training went, so that the same can be done again without a clock.

use consilience_ensembles::Ensemble;
use consilience_graph::{AgreementParams, Strictness};
use serde::{Deserialize, Serialize};

/// How far training went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// Rounds that were finished. One that wasn't doesn't count.
    pub rounds: usize,
    /// Steps that each candidate was trained for in the first round, if that is where the time was up; 0: it was left out. Those
    /// that aren't named were trained to the end.
    #[serde(default)]
    pub steps: Vec<usize>,
}

/// Leaves the models that have learnt anything in the ensemble, after the first round's training; the steps of all, if any was
/// cut short of `planned`.
pub(crate) fn leave_untrained(ensemble: &mut Ensemble, planned: usize) -> Vec<usize> {
    let cuts = ensemble.cuts();
    if cuts.iter().all(Option::is_none) {
        return Vec::new();
    }
    let is_trained = |&model: &usize| cuts[model] != Some(0);
    let trained: Vec<usize> = (0..cuts.len()).filter(is_trained).collect();
    ensemble.keep(&trained);
    cuts.into_iter().map(|cut| cut.unwrap_or(planned)).collect()
}

/// Settings of the agreement graph for fewer models than were planned: counts of models become shares.
pub(crate) fn scaled(agreement: &AgreementParams, planned: usize) -> AgreementParams {
    let planned = u16::try_from(planned).unwrap_or(u16::MAX);
    let share = |strictness| match strictness {
        Strictness::Count(count) => Strictness::share_of(count, planned),
        share @ Strictness::Share(_) => share,
    };
    AgreementParams {
        min_agree: share(agreement.min_agree),
        max_agree: share(agreement.max_agree),
        min_common: share(agreement.min_common),
        ..agreement.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_models_have_to_agree_in_the_same_share() {
        let agreement = AgreementParams {
            min_agree: Strictness::Count(8),
            max_agree: Strictness::percent(20),
            min_common: Strictness::Count(5),
            ..AgreementParams::default()
        };
        let fewer = scaled(&agreement, 10);
        assert_eq!(fewer.min_agree, Strictness::percent(80));
        assert_eq!(
            (fewer.max_agree, fewer.min_common),
            (Strictness::percent(20), Strictness::percent(50))
        );
        for models in 1..10 {
            assert!(fewer.check(models).is_ok(), "{models}");
        }
    }
}
