//! Who has to go once a mini-cluster is taken.

use rayon::prelude::*;

use crate::{AgreementGraph, SignatureIdx};

/// A mini-cluster's signatures.
pub(crate) struct Members<'g, 'a> {
    graph: &'g AgreementGraph<'a>,
    members: &'g [SignatureIdx],
}

impl<'g, 'a> Members<'g, 'a> {
    /// `members` contain their `anchor`.
    pub(crate) fn new(
        graph: &'g AgreementGraph<'a>,
        anchor: SignatureIdx,
        members: &'g [SignatureIdx],
    ) -> Self {
        debug_assert!(members.contains(&anchor));
        Self { graph, members }
    }

    /// Those of `left` that are not strongly negative to all members; among them the members themselves.
    pub(crate) fn touched(&self, left: &[SignatureIdx]) -> Vec<SignatureIdx> {
        let is_touched = |node: SignatureIdx| {
            self.members.iter().any(|&member| !self.graph.is_strong_negative(member, node))
        };
        left.par_iter().copied().filter(|&node| is_touched(node)).collect()
    }
}
