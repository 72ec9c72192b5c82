//! How many clusters there are: the branches of a tree that are found again, and stay whole for long.

use super::branches::Branch;
use super::chain::count;
use super::leaves::Leaves;
use super::partition::{Linkage, Partition};
use super::tree::Tree;
use crate::{GraphError, Signatures};

/// How far a branch has to be found again to count at all, and to count in full: its Jaccard index with the most similar group of
/// the other tree. Tibshirani and Walther (*Cluster validation by prediction strength*, JCGS 14, 2005) ask for 0.8 to 0.9 of the pairs of a cluster: that is
/// where half of it counts, and more.
const FOUND_AGAIN: (f64, f64) = (0.7, 0.9);

/// What data without structure show, too, as shares of the voters from the coarsest to the finest: see [`Kinds`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NullModel {
    /// How long a group stays whole that is no cluster.
    pub crowd: f64,
    /// How many of the voters are so coarse that all samples are together unless hardly anything joins them: that they are tells nothing.
    pub coarse: f64,
}

/// The branches of a tree, and which of them are clusters.
///
/// A branch *counts* as far as each half of the voters has a group of the same samples: in full with a Jaccard index of 0.9, not at all with 0.7.
/// Clusters are those that stay whole longest, by what they count and summed over samples: the *excess of mass* of HDBSCAN's condensed tree. The halves may have been shown different samples: then
/// what is found again is in the data, and not in the sample. Of the time that a branch stays whole only that counts which is beyond [`NullModel::crowd`]: what was
/// cut out of a crowd stays whole for a while, too. The root came loose from nothing, and counts beyond [`NullModel::coarse`].
#[derive(Debug, Clone)]
pub struct Kinds {
    branches: Vec<Branch>,
    /// How long each branch stays whole beyond the null model, summed over its samples.
    whole: Vec<f64>,
    /// How far each branch is found again in the half that has it less: Jaccard index, mean over splits, 0..=1.
    found_again: Vec<f64>,
    n_samples: u64,
}

/// Branches that hold all samples together, with what speaks for them.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Numbers of branches, ascending.
    pub branches: Vec<usize>,
    /// For which share of the voters, from the coarsest to the finest, a sample's cluster is the same, beyond what data without structure show ([`NullModel`]): mean over
    /// samples, by how far their clusters count, 0..=1.
    pub persistence: f64,
    /// Of the branch that is found again least: its Jaccard index, 0..=1.
    pub found_again: f64,
}

impl Kinds {
    /// The branches of `whole` with at least `min_samples` samples.
    ///
    /// # Arguments
    ///
    /// * `signatures`: those that `whole` is of.
    /// * `splits`: trees of some of its models each, two halves of the voters a split, with the signatures that they are of, on the same samples.
    /// * `null`: what data without structure show, too.
    ///
    /// # Errors
    ///
    /// [`GraphError::SampleCount`] if a half is of another number of samples.
    ///
    /// # Complexity
    ///
    /// O(n_splits * n_branches * n_leaves).
    pub fn new(
        (whole, signatures): (&Linkage<'_>, &Signatures),
        splits: &[[(&Linkage<'_>, &Signatures); 2]],
        min_samples: u64,
        null: NullModel,
    ) -> Result<Self, GraphError> {
        let branches = whole.tree().branches(min_samples);
        let mut found_again = vec![0.0_f64; branches.len()];
        for halves in splits {
            let mut least = vec![1.0_f64; branches.len()];
            for &(half, of_half) in halves {
                let (found, expected) = (of_half.n_samples(), signatures.n_samples());
                if found != expected {
                    let what = "half of the voters";
                    return Err(GraphError::SampleCount { what, found, expected });
                }
                let leaves = leaves_in(whole, signatures, half, of_half);
                for (best, branch) in least.iter_mut().zip(&branches) {
                    *best = best.min(most_similar(whole.tree(), branch.node, half.tree(), &leaves));
                }
            }
            #[expect(clippy::cast_precision_loss, reason = "a handful")]
            let share = 1.0 / splits.len() as f64;
            found_again.iter_mut().zip(least).for_each(|(sum, least)| *sum += share * least);
        }
        let n_samples = branches[0].samples;
        let whole = |(at, branch): (usize, &Branch)| {
            let told = if at == 0 { null.coarse } else { null.crowd };
            (branch.persistence - told * count(branch.samples)).max(0.0)
        };
        let whole = branches.iter().enumerate().map(whole).collect();
        Ok(Self { branches, whole, found_again, n_samples })
    }

    /// The branches, parents before their parts, the root first.
    #[must_use]
    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }

    /// How long a branch stays whole beyond the null model, summed over its samples, by how far it counts.
    fn persistence(&self, branch: usize) -> f64 {
        let (none, full) = FOUND_AGAIN;
        let counts = ((self.found_again[branch] - none) / (full - none)).clamp(0.0, 1.0);
        counts * self.whole[branch]
    }

    /// The clusters that there are: from the finest up, two parts are joined to the branch that they are of unless they stay whole longer
    /// than it does. One cluster, the root, where nothing counts. O(n_branches).
    #[must_use]
    pub fn chosen(&self) -> Layer {
        let n = self.branches.len();
        let mut best: Vec<f64> = (0..n).map(|branch| self.persistence(branch)).collect();
        let mut is_taken_apart = vec![false; n];
        for branch in (0..n).rev() {
            if let Some((left, right)) = self.branches[branch].parts {
                let parts = best[left] + best[right];
                if parts > best[branch] {
                    (best[branch], is_taken_apart[branch]) = (parts, true);
                }
            }
        }
        self.layer(&is_taken_apart)
    }

    /// The layers with 1, 2, ... up to `most` clusters that stay whole longest, as far as there are any.
    ///
    /// # Complexity
    ///
    /// O(`most`² * n_branches) time, O(`most` * n_branches) memory.
    #[must_use]
    pub fn layers(&self, most: usize) -> Vec<Layer> {
        // By branch, for each number of clusters from 1 on: the most that they persist, and how many of them are in the left part.
        let mut tables: Vec<Vec<(f64, usize)>> = vec![Vec::new(); self.branches.len()];
        for branch in (0..self.branches.len()).rev() {
            let mut table = vec![(self.persistence(branch), 0)];
            if let Some((left, right)) = self.branches[branch].parts {
                let (lefts, rights) = (&tables[left], &tables[right]);
                table.resize((lefts.len() + rights.len()).min(most.max(1)), (-1.0, 0));
                for (at, &(of_left, _)) in lefts.iter().enumerate() {
                    for (other, &(of_right, _)) in rights.iter().enumerate() {
                        let Some(cell) = table.get_mut(at + other + 1) else { break };
                        if of_left + of_right > cell.0 {
                            *cell = (of_left + of_right, at + 1);
                        }
                    }
                }
            }
            tables[branch] = table;
        }
        (1..=tables[0].len()).map(|k| self.traced(&tables, k)).collect()
    }

    /// The layer with `k` clusters, from the tables.
    fn traced(&self, tables: &[Vec<(f64, usize)>], k: usize) -> Layer {
        let mut is_taken_apart = vec![false; self.branches.len()];
        let mut ahead = vec![(0, k)];
        while let Some((branch, k)) = ahead.pop() {
            if k < 2 {
                continue;
            }
            let (left, right) = self.branches[branch].parts.expect("it has so many clusters");
            let of_left = tables[branch][k - 1].1;
            is_taken_apart[branch] = true;
            ahead.extend([(left, of_left), (right, k - of_left)]);
        }
        self.layer(&is_taken_apart)
    }

    fn layer(&self, is_taken_apart: &[bool]) -> Layer {
        let (mut branches, mut ahead) = (Vec::new(), vec![0]);
        while let Some(branch) = ahead.pop() {
            match self.branches[branch].parts {
                Some((left, right)) if is_taken_apart[branch] => ahead.extend([right, left]),
                _ => branches.push(branch),
            }
        }
        branches.sort_unstable();
        let persistence: f64 = branches.iter().map(|&branch| self.persistence(branch)).sum();
        let found_again = branches.iter().map(|&branch| self.found_again[branch]);
        Layer {
            persistence: persistence / count(self.n_samples),
            found_again: found_again.fold(1.0, f64::min),
            branches,
        }
    }

    /// Share of all samples in the smallest branch of `layer`, 0..=1.
    #[must_use]
    pub fn smallest(&self, layer: &Layer) -> f64 {
        let sizes = layer.branches.iter().map(|&branch| self.branches[branch].samples);
        count(sizes.min().unwrap_or(0)) / count(self.n_samples)
    }

    /// The cluster of each leaf of `tree`, whose branches these are, by its place in `layer`; `None` of leaves that left branches before these.
    #[must_use]
    pub fn of_leaves(&self, tree: &Tree, layer: &Layer) -> Vec<Option<u16>> {
        let mut of_leaf = vec![None; tree.n_leaves()];
        for (&branch, cluster) in layer.branches.iter().zip(0..) {
            below(tree, self.branches[branch].node, |leaf| of_leaf[leaf] = Some(cluster));
        }
        of_leaf
    }
}

impl Linkage<'_> {
    /// A partition into the branches of `layer`, in their order. What is in none of them joins the cluster with whose samples it has the
    /// highest mean co-association.
    ///
    /// # Arguments
    ///
    /// * `kinds`: of this tree.
    #[must_use]
    pub fn split(&self, kinds: &Kinds, layer: &Layer) -> Partition<'_> {
        let sizes = layer.branches.iter().map(|&branch| kinds.branches()[branch].samples);
        let least = sizes.min().unwrap_or(0);
        self.joined(kinds.of_leaves(self.tree(), layer), layer.branches.len(), least)
    }
}

/// Calls `visit` with every leaf below a node.
fn below(tree: &Tree, node: usize, mut visit: impl FnMut(usize)) {
    let mut ahead = vec![node];
    while let Some(node) = ahead.pop() {
        match tree.children(node) {
            Some((left, right)) => ahead.extend([right, left]),
            None => visit(node),
        }
    }
}

/// The leaf of `half` in which the samples of each leaf of `whole` are; [`Leaves::NONE`] where it has none.
fn leaves_in(
    whole: &Linkage<'_>,
    signatures: &Signatures,
    half: &Linkage<'_>,
    of_half: &Signatures,
) -> Vec<u32> {
    let mut leaves = vec![Leaves::NONE; whole.tree().n_leaves()];
    for signature in signatures.iter() {
        if let Some(leaf) = whole.leaf_of(signature) {
            let there = of_half.of_sample(signatures.first_sample(signature));
            leaves[leaf as usize] = half.leaf_of(there).unwrap_or(Leaves::NONE);
        }
    }
    leaves
}

/// The highest Jaccard index of the samples below `node` of `whole` with those below any node of `half`. `leaves`: as [`leaves_in`]
/// gives them. O(n_leaves).
fn most_similar(whole: &Tree, node: usize, half: &Tree, leaves: &[u32]) -> f64 {
    let n = half.n_leaves();
    // Samples of the tree below each node of the half, and those of them that are below `node`.
    let (mut all, mut common) = (vec![0_u64; n], vec![0_u64; n]);
    for (leaf, &there) in leaves.iter().enumerate().filter(|&(_, &there)| there != Leaves::NONE) {
        all[there as usize] += whole.leaf_samples()[leaf];
    }
    below(whole, node, |leaf| {
        if leaves[leaf] != Leaves::NONE {
            common[leaves[leaf] as usize] += whole.leaf_samples()[leaf];
        }
    });
    for (&left, &right) in half.left().iter().zip(half.right()) {
        let sum = |counts: &[u64]| counts[left as usize] + counts[right as usize];
        let (sum_all, sum_common) = (sum(&all), sum(&common));
        all.push(sum_all);
        common.push(sum_common);
    }
    let own = whole.samples_of(node);
    let jaccard = |(&all, &common): (&u64, &u64)| count(common) / count(own + all - common);
    all.iter().zip(&common).map(jaccard).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use consilience_data::{ModelIdx, SampleIdx};
    use proptest::prelude::*;

    use super::*;
    use crate::common::votes;
    use crate::{AgreementParams, Threads, VoteWeights};

    /// The tree of some models of `signatures`.
    fn tree<'a>(signatures: &'a Signatures, threads: &Threads<'_>) -> Option<Linkage<'a>> {
        Linkage::new(signatures, VoteWeights::equal(signatures), 1000, threads).ok()
    }

    /// Every way to hold all samples below `branch` in branches.
    fn partitions(branches: &[Branch], branch: usize) -> Vec<Vec<usize>> {
        let mut all = vec![vec![branch]];
        if let Some((left, right)) = branches[branch].parts {
            let rights = partitions(branches, right);
            for left in partitions(branches, left) {
                all.extend(rights.iter().map(|right| [&left[..], right].concat()));
            }
        }
        all
    }

    /// The sets of samples below every node of a tree.
    fn groups(linkage: &Linkage<'_>, signatures: &Signatures) -> Vec<BTreeSet<usize>> {
        let tree = linkage.tree();
        let mut groups = vec![BTreeSet::new(); tree.n_leaves()];
        for sample in 0..signatures.n_samples() {
            let signature = signatures.of_sample(SampleIdx::from_index(sample));
            if let Some(leaf) = linkage.leaf_of(signature) {
                groups[leaf as usize].insert(sample);
            }
        }
        for (&left, &right) in tree.left().iter().zip(tree.right()) {
            groups.push(&groups[left as usize] | &groups[right as usize]);
        }
        groups
    }

    fn jaccard(a: &BTreeSet<usize>, b: &BTreeSet<usize>) -> f64 {
        a.intersection(b).count() as f64 / a.union(b).count() as f64
    }

    proptest! {
        #[test]
        fn branches_are_found_again_and_layers_are_the_best_of_all(votes in votes(), least in 1_u64..4, crowd in 0.0..0.3) {
            let null = NullModel { crowd, coarse: 0.5 * crowd };
            let no_gate = AgreementParams { min_confidence: 0.0, ..AgreementParams::default() };
            let threads = Threads::new(1).unwrap();
            let agreement = no_gate.check(votes.n_models());
            prop_assume!(votes.n_models() > 1 && agreement.is_ok());
            let whole = Signatures::group(&votes, &agreement.unwrap(), &threads).unwrap();
            let half = |first: usize| {
                let models = (first..votes.n_models()).step_by(2).map(ModelIdx::from_index);
                whole.of_models(&models.collect::<Vec<_>>())
            };
            let halves = [half(0), half(1)];
            let trees = (tree(&whole, &threads), tree(&halves[0], &threads), tree(&halves[1], &threads));
            let (Some(of_all), Some(first), Some(second)) = trees else { return Ok(()) };
            let of_halves = [(&first, &halves[0]), (&second, &halves[1])];
            let kinds = Kinds::new((&of_all, &whole), &[of_halves], least, null).unwrap();

            let all = groups(&of_all, &whole);
            // Samples that are in no leaf of the whole tree count nowhere.
            let known = all.last().unwrap().clone();
            for (branch, &found_again) in kinds.branches().iter().zip(&kinds.found_again) {
                let best = |(linkage, signatures)| {
                    let groups = groups(linkage, signatures).into_iter();
                    groups.map(|g| jaccard(&all[branch.node], &(&g & &known))).fold(0.0, f64::max)
                };
                let expected = f64::min(best(of_halves[0]), best(of_halves[1]));
                prop_assert!((found_again - expected).abs() < 1e-12);
            }

            let every = partitions(kinds.branches(), 0);
            let persistence = |branches: &[usize]| -> f64 {
                branches.iter().map(|&branch| kinds.persistence(branch)).sum()
            };
            let n = known.len() as f64;
            for (layer, k) in kinds.layers(6).iter().zip(1..) {
                prop_assert_eq!(layer.branches.len(), k);
                let of_k = every.iter().filter(|branches| branches.len() == k);
                let best = of_k.map(|branches| persistence(branches)).fold(0.0, f64::max);
                prop_assert!((layer.persistence - best / n).abs() < 1e-9);
                let samples: u64 =
                    layer.branches.iter().map(|&branch| kinds.branches()[branch].samples).sum();
                prop_assert!(samples <= known.len() as u64);
                let of_branch = |&branch: &usize| all[kinds.branches()[branch].node].len();
                let smallest = layer.branches.iter().map(of_branch).min().unwrap() as f64 / n;
                prop_assert!((kinds.smallest(layer) - smallest).abs() < 1e-12);
            }
            // What is chosen holds all samples, and no part of it gains by being taken apart.
            let chosen = kinds.chosen().branches;
            for &branch in &chosen {
                let of_parts = partitions(kinds.branches(), branch).into_iter().skip(1);
                let apart = |parts: &[usize]| parts.len() == 2;
                let most = of_parts.filter(|parts| apart(parts)).map(|parts| persistence(&parts));
                prop_assert!(most.fold(0.0, f64::max) <= kinds.persistence(branch) + 1e-9);
            }
        }
    }
}
