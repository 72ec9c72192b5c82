//! Which voters are meant.

use serde::{Deserialize, Serialize};

/// What votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Voting {
    /// The members of the ensemble; on another view, networks, or mixtures and k-means where there are none.
    Members,
    /// Communities of the neighbour graph.
    Communities,
}

/// The voters of one kind on one view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// 0 for the data; from 1 on the other views, in order.
    pub view: usize,
    /// What votes.
    pub voting: Voting,
}

impl Part {
    /// The members of the ensemble.
    pub const MEMBERS: Self = Self::members(0);
    /// Communities of the data.
    pub const COMMUNITIES: Self = Self::communities(0);

    /// Those that aren't communities.
    #[must_use]
    pub const fn members(view: usize) -> Self {
        Self { view, voting: Voting::Members }
    }

    /// Communities.
    #[must_use]
    pub const fn communities(view: usize) -> Self {
        Self { view, voting: Voting::Communities }
    }

    /// What it is called where kinds are named: members are networks as a rule, and all other views are one kind.
    pub(crate) fn kind(self) -> &'static str {
        match (self.view, self.voting) {
            (0, Voting::Members) => "networks",
            (0, Voting::Communities) => "communities",
            _ => "other views",
        }
    }
}
