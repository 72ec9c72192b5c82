//! What a classifier learns by, beside the labels that are given.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::RunError;

/// A way to learn from samples without labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// None: a network that sees the labels alone, for comparison.
    Supervised,
    /// Denoising of every layer (A. Rasmus et al., *Semi-Supervised Learning with Ladder Networks*, 2015).
    Ladder,
    /// Labels that the networks themselves are sure of, round after round (D.-H. Lee, *Pseudo-Label*, 2013).
    Confidence,
    /// Networks are held to their answers when samples are moved: adversarially and, as images, affinely (T. Miyato et al., 2018; S. Laine
    /// and T. Aila, 2017).
    Consistency,
    /// Networks are held to the same answers for neighbours (J. Weston et al., *Deep Learning via Semi-Supervised Embedding*, 2008).
    Graph,
    /// Labels spread along the neighbour graph (D. Zhou et al., 2004).
    Propagation,
    /// The clusterer's loop, around the labels: what models of several kinds agree on is learnt from (Kingdra; D. Gupta et al., 2020).
    Agreement,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Supervised,
        Self::Ladder,
        Self::Confidence,
        Self::Consistency,
        Self::Graph,
        Self::Propagation,
        Self::Agreement,
    ];

    /// As settings call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Supervised => "supervised",
            Self::Ladder => "ladder",
            Self::Confidence => "confidence",
            Self::Consistency => "consistency",
            Self::Graph => "graph",
            Self::Propagation => "propagation",
            Self::Agreement => "agreement",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|method| method.name() == text);
        found.ok_or_else(|| format!("need one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// Settings of a run that learns from labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FewLabels {
    /// Ways to learn from samples without labels, together.
    pub methods: Vec<Method>,
    /// In [`Method::Confidence`]: what the networks' mean probability has to exceed for a label to be learnt from.
    pub tau: f32,
    /// The same after the first round; in between it goes evenly to `tau`. Equal to `tau`: fixed.
    pub first_tau: f32,
}

impl Default for FewLabels {
    fn default() -> Self {
        Self { methods: vec![Method::Agreement], tau: 0.95, first_tau: 0.95 }
    }
}

impl FewLabels {
    /// Whether `method` is among the methods.
    #[must_use]
    pub fn has(&self, method: Method) -> bool {
        self.methods.contains(&method)
    }

    /// Whether networks are trained.
    #[must_use]
    pub fn has_networks(&self) -> bool {
        self.methods.iter().any(|&method| method != Method::Propagation)
    }

    /// What a label's probability has to exceed after `round` of so many.
    pub(crate) fn tau_of(&self, round: usize, rounds: usize) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "a few rounds")]
        let share = round as f32 / rounds.saturating_sub(2).max(1) as f32;
        self.first_tau + (self.tau - self.first_tau) * share.min(1.0)
    }

    /// Checks every setting.
    ///
    /// # Errors
    ///
    /// [`RunError::Setting`] with the first that can't be.
    pub fn check(&self) -> Result<(), RunError> {
        let wrong =
            |name, need: &str, got: String| Err(RunError::Setting { name, need: need.into(), got });
        let all: Vec<&str> = self.methods.iter().map(|method| method.name()).collect();
        if self.methods.is_empty() {
            return wrong("few_labels.methods", "a method at least", "none".into());
        }
        if self.methods.len() > 1 && self.has(Method::Supervised) {
            let need = "supervised alone, as it learns from no samples without labels";
            return wrong("few_labels.methods", need, all.join(", "));
        }
        if self.has(Method::Agreement) && self.has(Method::Confidence) {
            let need = "agreement or confidence, as both say which labels are learnt from";
            return wrong("few_labels.methods", need, all.join(", "));
        }
        for (name, tau) in [("few_labels.tau", self.tau), ("few_labels.first_tau", self.first_tau)]
        {
            if !(0.0..1.0).contains(&tau) {
                return wrong(name, "0 or more, and below 1", tau.to_string());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_read_by_name_and_checked_together() {
        for method in Method::ALL {
            assert_eq!(method.name().parse(), Ok(method));
        }
        assert!("magic".parse::<Method>().unwrap_err().contains("ladder, confidence"));
        let problem = |methods: &[Method]| {
            let few = FewLabels { methods: methods.to_vec(), ..FewLabels::default() };
            few.check().err().map_or(String::new(), |error| error.to_string())
        };
        assert!(problem(&[]).contains("a method at least"));
        assert!(problem(&[Method::Supervised, Method::Graph]).contains("supervised alone"));
        assert!(problem(&[Method::Agreement, Method::Confidence]).contains("agreement or"));
        assert_eq!(problem(&[Method::Ladder, Method::Graph]), "");
        let wrong = FewLabels { tau: 1.0, ..FewLabels::default() };
        assert!(wrong.check().unwrap_err().to_string().contains("few_labels.tau"));
    }

    #[test]
    fn the_bound_goes_evenly_to_where_it_ends() {
        let few = FewLabels { first_tau: 0.9, tau: 0.6, ..FewLabels::default() };
        let bounds: Vec<f32> = (0..4).map(|round| few.tau_of(round, 4)).collect();
        let expected = [0.9, 0.75, 0.6, 0.6];
        assert!(bounds.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{bounds:?}");
        assert!((FewLabels::default().tau_of(0, 1) - 0.95).abs() < 1e-6);
    }
}
