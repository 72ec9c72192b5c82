//! Settings of learning an initialisation: as they are written, and as they have been checked.

use std::fmt;
use std::str::FromStr;

use consilience_data::Seed;
use serde::{Deserialize, Serialize};

use crate::error::EnsembleError;
use crate::meta::tasks::Shape;

/// How an initialisation is learnt from tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetaMethod {
    /// First-order MAML: the gradient of a task's loss on other samples, after the steps, is taken for that before them (C. Finn, P. Abbeel, S. Levine,
    /// *Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks*, ICML 2017, section 5.2).
    Fomaml,
    /// Reptile: towards where the steps lead (A. Nichol, J. Achiam, J. Schulman, *On First-Order Meta-Learning Algorithms*, 2018).
    Reptile,
}

impl MetaMethod {
    /// As settings call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fomaml => "fomaml",
            Self::Reptile => "reptile",
        }
    }
}

impl fmt::Display for MetaMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for MetaMethod {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = [Self::Fomaml, Self::Reptile].into_iter().find(|method| method.name() == text);
        found.ok_or_else(|| "need fomaml or reptile".into())
    }
}

/// Settings of learning an initialisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetaParams {
    /// How it is learnt.
    pub method: MetaMethod,
    /// The seed of all randomness.
    pub seed: Seed,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Classes of a task that an episode is of, at most.
    pub ways: usize,
    /// Labelled samples of each class that a network adapts to.
    pub shots: usize,
    /// Further samples of each class, on which it is then judged.
    pub queries: usize,
    /// Steps of adaptation.
    pub inner_steps: usize,
    /// Their rate, of plain gradient descent.
    pub inner_rate: f64,
    /// Rate of the initialisation's own steps (Adam), which falls linearly to zero.
    pub outer_rate: f64,
    /// Number of these steps.
    pub iterations: usize,
    /// Episodes that each of them is the mean of.
    pub episodes: usize,
}

impl Default for MetaParams {
    fn default() -> Self {
        Self {
            method: MetaMethod::Fomaml,
            seed: Seed(0),
            hidden: vec![250, 250],
            ways: 3,
            shots: 5,
            queries: 15,
            inner_steps: 5,
            inner_rate: 0.3,
            outer_rate: 0.001,
            iterations: 500,
            episodes: 4,
        }
    }
}

/// Settings that have been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidMetaParams(MetaParams);

impl std::ops::Deref for ValidMetaParams {
    type Target = MetaParams;

    fn deref(&self) -> &MetaParams {
        &self.0
    }
}

impl MetaParams {
    /// Checks every setting.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] with the first that is out of bounds.
    pub fn check(self) -> Result<ValidMetaParams, EnsembleError> {
        let counts = [
            ("shots", self.shots, 1),
            ("queries", self.queries, 1),
            ("ways", self.ways, 2),
            ("inner_steps", self.inner_steps, 1),
            ("iterations", self.iterations, 1),
            ("episodes", self.episodes, 1),
        ];
        for (name, value, least) in counts {
            if value < least {
                let need = if least == 1 { "at least 1" } else { "at least 2" };
                return Err(EnsembleError::Setting { name, need, got: value.to_string() });
            }
        }
        for (name, value) in [("inner_rate", self.inner_rate), ("outer_rate", self.outer_rate)] {
            if !(value.is_finite() && value > 0.0) {
                let need = "more than 0";
                return Err(EnsembleError::Setting { name, need, got: value.to_string() });
            }
        }
        if self.hidden.is_empty() || self.hidden.contains(&0) {
            let need = "at least one layer, each of width 1 or more";
            let got = format!("{:?}", self.hidden);
            return Err(EnsembleError::Setting { name: "hidden", need, got });
        }
        Ok(ValidMetaParams(self))
    }

    /// What episodes are of.
    pub(crate) fn shape(&self) -> Shape {
        Shape { ways: self.ways, shots: self.shots, queries: self.queries }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_is_checked() {
        let rejected = |change: fn(&mut MetaParams)| {
            let mut params = MetaParams::default();
            change(&mut params);
            params.check().unwrap_err().to_string()
        };
        assert!(rejected(|p| p.shots = 0).contains("shots: need at least 1, got 0"));
        assert!(rejected(|p| p.queries = 0).contains("queries"));
        assert!(rejected(|p| p.ways = 1).contains("ways: need at least 2, got 1"));
        assert!(rejected(|p| p.inner_steps = 0).contains("inner_steps"));
        assert!(rejected(|p| p.iterations = 0).contains("iterations"));
        assert!(rejected(|p| p.episodes = 0).contains("episodes"));
        assert!(rejected(|p| p.inner_rate = 0.0).contains("inner_rate: need more than 0"));
        assert!(rejected(|p| p.outer_rate = f64::NAN).contains("outer_rate"));
        assert!(rejected(|p| p.hidden = vec![3, 0]).contains("hidden"));
        assert!(MetaParams::default().check().is_ok());
        assert_eq!("reptile".parse(), Ok(MetaMethod::Reptile));
        assert!("maml".parse::<MetaMethod>().is_err());
    }
}
