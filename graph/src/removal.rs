//! Who has to go once a mini-cluster is taken.

use rayon::prelude::*;

use crate::{
    AgreementGraph, SignatureIdx,
    agreeing::Agreeing,
    packing::Pair,
    patterns::binomial,
    word_table::{WordTable, hash},
};

/// How those are told apart that the anchor alone doesn't decide on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// Whatever takes less time.
    Cheapest,
    /// Always by comparing with all members.
    #[cfg(test)]
    Pairs,
    /// By subsets of models, wherever there are no missing votes.
    #[cfg(test)]
    Subsets,
}

/// A mini-cluster's signatures, to be asked who is not strongly negative to all of them.
pub(crate) struct Members<'g, 'a> {
    graph: &'g AgreementGraph<'a>,
    /// Who was left when the mini-cluster was taken.
    left: &'g [SignatureIdx],
    /// How the models see the anchor and each of `left`.
    pairs: Vec<Pair>,
    /// The anchor first.
    members: Vec<SignatureIdx>,
    /// The largest number of models that voted on a member otherwise than on the anchor. Nobody agrees with a
    /// member in more models than with the anchor and so many.
    reach: u16,
    /// One member for each pattern of missing votes.
    patterns: Vec<SignatureIdx>,
}

impl<'g, 'a> Members<'g, 'a> {
    /// The anchor and its other strong positive neighbours among those left.
    pub(crate) fn of(
        graph: &'g AgreementGraph<'a>,
        anchor: SignatureIdx,
        left: &'g [SignatureIdx],
    ) -> Self {
        let signatures = graph.signatures();
        let pairs: Vec<Pair> = left.par_iter().map(|&node| signatures.pair(anchor, node)).collect();
        let joins = |&(&node, &pair): &(&SignatureIdx, &Pair)| {
            graph.agrees(pair) && graph.can_be_member(node) && node != anchor
        };
        let mut members = vec![anchor];
        if graph.can_be_anchor(anchor) {
            let others = left.par_iter().zip(&pairs).filter(joins);
            members.par_extend(others.map(|(&node, _)| node));
        }
        let reach = members.iter().map(|&member| {
            let n_votes = signatures.pair(member, member).common;
            n_votes - signatures.pair(anchor, member).agree
        });
        let reach = reach.max().unwrap_or(0);
        let patterns = if signatures.is_complete() {
            vec![anchor]
        } else {
            one_of_each_pattern(graph, &members)
        };
        Self { graph, left, pairs, members, reach, patterns }
    }

    /// The mini-cluster, the anchor first, then ascending.
    pub(crate) fn into_members(self) -> Vec<SignatureIdx> {
        self.members
    }

    /// Those left who are not strongly negative to all members; among them the members themselves. In no order.
    ///
    /// The anchor alone decides on nearly all: who is not strongly negative to it has to go, and who agrees with
    /// it in so few models that no member can differ from it enough may stay. What lies between is compared with
    /// the members, or, if these are many, looked up: two signatures that agree in more than `max_agree` models
    /// are equal in a subset of `max_agree + 1` of them.
    pub(crate) fn touched(&self, method: Method) -> Vec<SignatureIdx> {
        let decided: Vec<(SignatureIdx, Option<bool>)> = self
            .left
            .par_iter()
            .zip(&self.pairs)
            .map(|(&node, &pair)| (node, self.decide(node, pair)))
            .filter(|&(_, decision)| decision != Some(false))
            .collect();
        let with = |wanted| {
            let nodes = decided.iter().filter(move |&&(_, decision)| decision == wanted);
            nodes.map(|&(node, _)| node)
        };
        let mut touched: Vec<SignatureIdx> = with(Some(true)).collect();
        let undecided: Vec<SignatureIdx> = with(None).collect();
        if self.use_subsets(undecided.len(), method) {
            touched.extend(self.touched_by_subsets(&undecided));
        } else {
            touched.par_extend(undecided.into_par_iter().filter(|&node| self.touches(node)));
        }
        touched
    }

    /// Whether `node` is not strongly negative to all members, if the anchor, seen as `pair`, alone says so.
    fn decide(&self, node: SignatureIdx, pair: Pair) -> Option<bool> {
        let agreement = self.graph.agreement();
        if !agreement.is_strong_negative(pair.agree, pair.common) {
            return Some(true);
        }
        let at_most = pair.agree.saturating_add(self.reach);
        let signatures = self.graph.signatures();
        let stays = if signatures.is_complete() {
            agreement.is_strong_negative(at_most, pair.common)
        } else {
            self.patterns.iter().all(|&pattern| {
                let common = signatures.pair(pattern, node).common;
                agreement.is_strong_negative(at_most, common)
            })
        };
        stays.then_some(false)
    }

    fn touches(&self, node: SignatureIdx) -> bool {
        self.members.iter().any(|&member| !self.graph.is_strong_negative(member, node))
    }

    fn use_subsets(&self, n_undecided: usize, method: Method) -> bool {
        if !self.graph.signatures().is_complete() {
            return false;
        }
        let n_subsets = binomial(self.graph.signatures().n_models(), self.subset_size());
        let by_pairs = n_undecided as u64 * self.members.len() as u64;
        // A node in one subset takes longer than a pair; but in most subsets it is without members, and dropped.
        let entries = (n_undecided + self.members.len()) as u64;
        match method {
            Method::Cheapest => n_subsets.saturating_mul(entries) < by_pairs,
            #[cfg(test)]
            other => other == Method::Subsets,
        }
    }

    /// Number of models in which those agree at least that are not strongly negative, without missing votes.
    fn subset_size(&self) -> usize {
        let agreement = self.graph.agreement();
        let n_models = u16::try_from(agreement.n_models()).unwrap_or(u16::MAX);
        agreement.at(n_models).map_or(0, |thresholds| usize::from(thresholds.max_agree) + 1)
    }

    fn touched_by_subsets(&self, undecided: &[SignatureIdx]) -> Vec<SignatureIdx> {
        let signatures = self.graph.signatures();
        let models: Vec<usize> = (0..signatures.n_models()).collect();
        let agreeing = Agreeing::new(signatures, &models, self.subset_size());
        let counts = agreeing.between(undecided, &self.members);
        let touched = undecided.iter().zip(counts).filter(|&(_, count)| count > 0);
        touched.map(|(&node, _)| node).collect()
    }
}

fn one_of_each_pattern(graph: &AgreementGraph<'_>, members: &[SignatureIdx]) -> Vec<SignatureIdx> {
    let signatures = graph.signatures();
    let mut table = WordTable::new(signatures.layout.n_words());
    let mut voted = vec![0; signatures.layout.n_words()];
    let mut patterns = Vec::new();
    for &member in members {
        signatures.layout.voted(signatures.words_of(member), &mut voted);
        if table.intern(&voted, hash(&voted)) as usize == patterns.len() {
            patterns.push(member);
        }
    }
    patterns
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Signatures, Threads,
        common::{fitting, params, votes},
    };

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn touched_are_those_not_strongly_negative_to_all(
            votes in votes(), params in params(), anchor: prop::sample::Index,
        ) {
            let agreement = fitting(&votes, &params).check(votes.n_models()).unwrap();
            let threads = Threads::new(2).unwrap();
            let signatures = Signatures::group(&votes, &agreement, &threads).unwrap();
            let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
            let all: Vec<SignatureIdx> = signatures.iter().collect();
            let anchor = all[anchor.index(all.len())];
            let mut members = vec![anchor];
            members.extend(all.iter().filter(|&&node| {
                node != anchor && graph.is_strong_positive(anchor, node)
            }));
            let expected: Vec<_> = all.iter().copied()
                .filter(|&node| members.iter().any(|&member| !graph.is_strong_negative(member, node)))
                .collect();
            for method in [Method::Cheapest, Method::Pairs, Method::Subsets] {
                let taken = Members::of(&graph, anchor, &all);
                let mut found = taken.touched(method);
                found.sort_unstable();
                prop_assert_eq!(&found, &expected, "{:?}", method);
                prop_assert_eq!(taken.into_members(), members.clone());
            }
        }
    }
}
