//! What a classifier learns by, beside the labels that are given.

use std::fmt;
use std::str::FromStr;

use consilience_data::SoftAssignments;
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
    /// In [`Method::Confidence`]: a lower bound for classes of which networks are seldom sure, as hard classes have no labels else and stay hard
    /// (FlexMatch; B. Zhang et al., NeurIPS 2021).
    #[serde(skip_serializing_if = "is_off")]
    pub tau_per_class: bool,
    /// A found label counts only if the networks said the same in the round before: one that keeps changing is a guess
    /// (M. Toneva et al., *An Empirical Study of Example Forgetting*, ICLR 2019).
    #[serde(skip_serializing_if = "is_off")]
    pub steady: bool,
    /// Each network learns from labels that the others find, as its own mistakes look right to it (co-teaching; B. Han et al., NeurIPS 2018).
    #[serde(skip_serializing_if = "is_off")]
    pub co_teaching: bool,
    /// Given labels that the other samples contradict are kept in what is written, and not learnt from, as their loss would stay high; each
    /// class keeps one. Where many labels are wrong.
    #[serde(skip_serializing_if = "is_off")]
    pub doubt: bool,
    /// Found labels are learnt from as far as they are probable: by the mean of all networks or, with co-teaching, of the others (soft targets; G. Hinton et al.,
    /// *Distilling the Knowledge in a Neural Network*, 2015). Every time that a sample is learnt from, its label is drawn from these probabilities, so that on
    /// average its loss is the cross-entropy with them.
    #[serde(skip_serializing_if = "is_off")]
    pub soft: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_off(switch: &bool) -> bool {
    !switch
}

impl Default for FewLabels {
    fn default() -> Self {
        Self {
            methods: vec![Method::Agreement],
            tau: 0.95,
            first_tau: 0.95,
            tau_per_class: false,
            steady: false,
            co_teaching: false,
            doubt: false,
            soft: false,
        }
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

    /// What the probability of each class's labels has to exceed, length n_clusters, where that of a label is `tau` as a rule.
    ///
    /// With a bound for each class: `tau` times c / (2 - c), c being the class's number of samples that exceed `tau`, as a share of
    /// the largest; but at least a half, so that a label has the majority.
    pub(crate) fn bounds(&self, tau: f32, sure: &SoftAssignments) -> Vec<f32> {
        let k = sure.n_clusters();
        if !self.tau_per_class {
            return vec![tau; k];
        }
        let (assignments, confidences) = sure.harden();
        let mut counts = vec![0_u32; k];
        for (cluster, confidence) in assignments.clusters().iter().zip(confidences) {
            counts[cluster.index()] += u32::from(confidence > tau);
        }
        let most = counts.iter().copied().max().unwrap_or(0).max(1);
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let bound = |&count: &u32| {
            let share = count as f32 / most as f32;
            (tau * share / (2.0 - share)).max(0.5_f32.min(tau))
        };
        counts.iter().map(bound).collect()
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
        let is_any = self.has(Method::Confidence);
        if self.tau_per_class && !is_any {
            let need = "the method confidence, which has a bound for probabilities";
            return wrong("few_labels.tau_per_class", need, all.join(", "));
        }
        if (self.steady || self.co_teaching || self.soft) && !is_any && !self.has(Method::Agreement)
        {
            let need = "the method agreement or confidence, which find labels";
            let name = "few_labels.steady, few_labels.co_teaching, few_labels.soft";
            return wrong(name, need, all.join(", "));
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
    fn classes_that_are_seldom_sure_have_a_lower_bound() {
        // Four sure of the first, two of the second, none of the third.
        let row = |cluster: usize, sure: f32| {
            (0..3).map(move |at| if at == cluster { sure } else { (1.0 - sure) / 2.0 })
        };
        let rows =
            [0, 0, 0, 0, 1, 1, 1, 2].into_iter().zip([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.6, 0.7]);
        let rows: Vec<f32> = rows.flat_map(|(cluster, sure)| row(cluster, sure)).collect();
        let sure = SoftAssignments::new(ndarray::Array2::from_shape_vec((8, 3), rows).unwrap());
        let few = FewLabels { tau_per_class: true, ..FewLabels::default() };
        assert_eq!(few.bounds(0.9, &sure), [0.9, 0.5, 0.5]);
        assert_eq!(few.bounds(0.3, &sure), [0.3, 0.3, 0.3], "no higher than it is as a rule");
        assert_eq!(FewLabels::default().bounds(0.9, &sure), [0.9; 3]);
        let wrong = few.check().unwrap_err().to_string();
        assert!(wrong.contains("the method confidence"), "{wrong}");
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
