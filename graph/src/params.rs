//! The settings of the agreement graph, as typed and as checked.

use serde::{Deserialize, Serialize};

use crate::{GraphError, Strictness};

/// Whose confidence counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// Both ends of a strong positive edge have to be confident.
    #[default]
    Both,
    /// Only the row's sample has to be, as in the authors' code: edges have a direction, and a mini-cluster
    /// of a confident anchor can hold unsure samples.
    Anchor,
}

/// The settings of the agreement graph, as typed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgreementParams {
    /// Models that put both samples in one cluster for a strong positive edge: at least so many.
    pub min_agree: Strictness,
    /// The same for a strong negative edge: at most so many.
    pub max_agree: Strictness,
    /// A pair on which fewer models voted (on both samples) has no edge of either kind. A share is of all models.
    pub min_common: Strictness,
    /// Every model that voted has to be more confident than this for a sample to pass the gate, 0..1.
    pub min_confidence: f32,
    /// Whose confidence counts.
    pub gate: Gate,
    /// Mini-clusters of fewer samples are not taken.
    pub min_size: usize,
}

impl Default for AgreementParams {
    fn default() -> Self {
        Self {
            min_agree: Strictness::ALL,
            max_agree: Strictness::percent(40),
            min_common: Strictness::percent(50),
            min_confidence: 0.8,
            gate: Gate::Both,
            min_size: 1,
        }
    }
}

impl AgreementParams {
    /// Checks the settings for an ensemble of `n_models`.
    ///
    /// # Errors
    ///
    /// One variant of [`GraphError`] for each setting that can't be, with its values.
    pub fn check(&self, n_models: usize) -> Result<ValidAgreement, GraphError> {
        let models = u16::try_from(n_models).map_err(|_| GraphError::ModelCount { n_models })?;
        if models == 0 {
            return Err(GraphError::ModelCount { n_models });
        }
        let (min_agree, max_agree) =
            (self.min_agree.at_least(models), self.max_agree.at_most(models));
        if !(max_agree < min_agree && min_agree <= models) {
            return Err(GraphError::Thresholds { max_agree, min_agree, n_models });
        }
        let min_common = self.min_common.at_least(models);
        if !(1..=models).contains(&min_common) {
            return Err(GraphError::MinCommon { min_common, n_models });
        }
        if !(0.0..1.0).contains(&self.min_confidence) {
            return Err(GraphError::MinConfidence { min_confidence: self.min_confidence });
        }
        if self.min_size == 0 {
            return Err(GraphError::MinSize);
        }
        Ok(ValidAgreement {
            thresholds: (0..=models)
                .map(|common| (common >= min_common).then(|| self.thresholds(common)))
                .collect(),
            min_confidence: self.min_confidence,
            gate: self.gate,
            min_size: self.min_size,
        })
    }

    /// What decides on a pair on which `common` models voted, enough of them.
    fn thresholds(&self, common: u16) -> Thresholds {
        let min_agree = self.min_agree.at_least(common);
        // A share for one side and a count for the other can cross where votes are missing. Then the
        // strong positive edge wins: no pair has both.
        let max_agree = self.max_agree.at_most(common).min(min_agree - 1);
        Thresholds { min_agree, max_agree }
    }
}

/// Settings of the agreement graph that fit each other and the number of models.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidAgreement {
    /// By the number of models that voted on both samples, length n_models + 1.
    thresholds: Vec<Option<Thresholds>>,
    min_confidence: f32,
    gate: Gate,
    min_size: usize,
}

/// What decides on a pair, both inclusive; `max_agree < min_agree`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thresholds {
    pub(crate) min_agree: u16,
    pub(crate) max_agree: u16,
}

impl ValidAgreement {
    /// Number of models that the settings are for.
    #[must_use]
    pub fn n_models(&self) -> usize {
        self.thresholds.len() - 1
    }

    /// Whether a pair is strongly positive, as far as agreement goes: `agree` models of the `common` ones
    /// that voted on both samples put them in one cluster.
    #[must_use]
    pub fn is_strong_positive(&self, agree: u16, common: u16) -> bool {
        self.at(common).is_some_and(|thresholds| agree >= thresholds.min_agree)
    }

    /// Whether a pair is strongly negative.
    #[must_use]
    pub fn is_strong_negative(&self, agree: u16, common: u16) -> bool {
        self.at(common).is_some_and(|thresholds| agree <= thresholds.max_agree)
    }

    /// Number of models that have to agree on a pair on which all voted for it to be strongly positive.
    #[must_use]
    pub fn min_agree(&self) -> u16 {
        let all = self.thresholds.last().copied().flatten();
        all.expect("min_common is at most n_models").min_agree
    }

    pub(crate) fn at(&self, common: u16) -> Option<Thresholds> {
        self.thresholds[usize::from(common)]
    }

    /// Bound that every confidence of a sample has to exceed.
    #[must_use]
    pub fn min_confidence(&self) -> f32 {
        self.min_confidence
    }

    /// Whose confidence counts.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.gate
    }

    /// Number of samples that a mini-cluster has at least.
    #[must_use]
    pub fn min_size(&self) -> usize {
        self.min_size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(min_agree: Strictness, max_agree: Strictness) -> AgreementParams {
        AgreementParams { min_agree, max_agree, ..AgreementParams::default() }
    }

    #[test]
    fn thresholds_that_cross_are_shown() {
        let error = params(Strictness::Count(8), Strictness::Count(8)).check(10).unwrap_err();
        assert_eq!(error.to_string(), "need max_agree < min_agree <= n_models, got 8 < 8 <= 10");
        assert!(params(Strictness::Count(11), Strictness::Count(2)).check(10).is_err());
        assert!(params(Strictness::Count(0), Strictness::Count(0)).check(10).is_err());
    }

    #[test]
    fn every_setting_that_cannot_be_is_rejected() {
        let default = AgreementParams::default;
        for (bad, message) in [
            (AgreementParams { min_common: Strictness::Count(0), ..default() }, "got 1 <= 0 <= 10"),
            (
                AgreementParams { min_common: Strictness::Count(11), ..default() },
                "got 1 <= 11 <= 10",
            ),
            (AgreementParams { min_confidence: 1.0, ..default() }, "got 1"),
            (AgreementParams { min_confidence: f32::NAN, ..default() }, "got NaN"),
            (AgreementParams { min_size: 0, ..default() }, "min_size"),
        ] {
            let error = bad.check(10).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        assert_eq!(default().check(0), Err(GraphError::ModelCount { n_models: 0 }));
        assert_eq!(default().check(70_000), Err(GraphError::ModelCount { n_models: 70_000 }));
    }

    #[test]
    fn shares_are_of_the_models_that_voted_on_both() {
        let valid = params(Strictness::percent(90), Strictness::percent(40)).check(10).unwrap();
        assert!(valid.is_strong_positive(9, 10) && !valid.is_strong_positive(8, 10));
        assert!(valid.is_strong_positive(5, 5) && !valid.is_strong_positive(4, 5));
        assert!(valid.is_strong_negative(2, 5) && !valid.is_strong_negative(3, 5));
        let too_few = [(4, 4), (0, 4), (0, 0)];
        assert!(too_few.iter().all(|&(agree, common)| {
            !valid.is_strong_positive(agree, common) && !valid.is_strong_negative(agree, common)
        }));
    }

    #[test]
    fn no_pair_has_both_edges() {
        let mut params = params(Strictness::ALL, Strictness::Count(4));
        params.min_common = Strictness::Count(1);
        let valid = params.check(10).unwrap();
        for common in 0..=10 {
            for agree in 0..=common {
                let both = valid.is_strong_positive(agree, common)
                    && valid.is_strong_negative(agree, common);
                assert!(!both, "{agree} of {common}");
            }
        }
    }

    #[test]
    fn unknown_settings_are_rejected() {
        assert!(serde_json::from_str::<AgreementParams>(r#"{"min_agre": 9}"#).is_err());
        let typed = r#"{"min_agree": "90%", "max_agree": 1, "gate": "anchor"}"#;
        let params: AgreementParams = serde_json::from_str(typed).unwrap();
        assert_eq!((params.max_agree, params.gate), (Strictness::Count(1), Gate::Anchor));
    }
}
