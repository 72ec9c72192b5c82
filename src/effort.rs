//! How much work a run is worth: settings that follow the number of samples, and what the user asks for.

use std::fmt;
use std::str::FromStr;

use consilience_ensembles::MemberKind;

use crate::config::{Config, Schedule};
use crate::error::RunError;

/// With so many samples or more, networks, steps and candidates are as many and as large as they get on small data.
const ENOUGH: usize = 1000;

/// How much work a run is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effort {
    /// No networks, on views neither: communities of the neighbour graph, mixtures of Gaussians and k-means.
    Quick,
    /// What the preset has.
    #[default]
    Default,
    /// Twice the candidates, twice the steps of the first round, and twice the rounds at most.
    Thorough,
}

impl Effort {
    const ALL: [Self; 3] = [Self::Quick, Self::Default, Self::Thorough];

    /// Its name in settings and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Default => "default",
            Self::Thorough => "thorough",
        }
    }
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Effort {
    type Err = RunError;

    fn from_str(name: &str) -> Result<Self, RunError> {
        Self::ALL.into_iter().find(|effort| effort.name() == name).ok_or_else(|| RunError::Effort {
            name: name.into(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }
}

impl Config {
    /// The same settings with so much effort.
    #[must_use]
    pub fn with_effort(mut self, effort: Effort) -> Self {
        match effort {
            Effort::Quick => {
                self.members = vec![MemberKind::Mixture; QUICK_MIXTURES];
                (self.candidates, self.rounds) = (0, 1);
                self.views.iter_mut().for_each(|view| view.networks = None);
            }
            Effort::Default => {}
            Effort::Thorough => {
                let spare = self.candidates.saturating_sub(self.members.len());
                self.candidates += spare;
                self.first = twice(self.first);
                self.rounds = if self.rounds > 1 { 2 * self.rounds } else { 1 };
            }
        }
        self
    }
}

/// Mixtures beside communities in a quick run: enough that one which collapses costs a voter, not the answer.
const QUICK_MIXTURES: usize = 3;

fn twice(schedule: Schedule) -> Schedule {
    let Schedule { epochs, min_steps, anneal } = schedule;
    Schedule { epochs: 2 * epochs, min_steps: 2 * min_steps, anneal }
}

/// `most` for [`ENOUGH`] samples or more, and in proportion fewer for fewer, but at least `least`.
pub(crate) fn in_proportion(n_samples: usize, least: usize, most: usize) -> usize {
    (n_samples.min(ENOUGH) * most).div_ceil(ENOUGH).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effort_has_a_name_and_changes_settings() {
        for effort in Effort::ALL {
            assert_eq!(effort.name().parse::<Effort>().unwrap(), effort);
        }
        let error = "fast".parse::<Effort>().unwrap_err().to_string();
        assert!(error.contains("quick, default, thorough"), "{error}");
        let config = Config::default();
        assert_eq!(config.clone().with_effort(Effort::Default), config);
        let quick = config.clone().with_effort(Effort::Quick);
        assert!(quick.members.iter().all(|kind| !kind.is_network()) && quick.rounds == 1);
        let thorough = config.clone().with_effort(Effort::Thorough);
        assert!(thorough.candidates > config.candidates && thorough.rounds > config.rounds);
        assert_eq!(thorough.first.epochs, 2 * config.first.epochs);
    }

    #[test]
    fn small_data_gets_its_share() {
        assert_eq!(in_proportion(200, 100, 500), 100);
        assert_eq!(in_proportion(400, 100, 500), 200);
        assert_eq!(in_proportion(5, 100, 500), 100);
        assert_eq!(in_proportion(70_000, 100, 500), 500);
    }
}
