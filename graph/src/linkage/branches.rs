//! The branches of a tree that are large enough to be clusters, and how long each stays whole.

use super::chain::count;
use super::tree::Tree;

/// A branch of a tree: a group of samples from the merge at which it comes loose from all others, going down, to the one at which it falls
/// into two branches, or into pieces too small to be one.
///
/// Similarities are co-associations: the share of the voters that put two samples together. Where voters look ever more finely, a branch
/// is a cluster to those between its `birth` and its `death`.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// Its node in the tree.
    pub(super) node: usize,
    /// The branch that it is part of; `None` of the root, which is the first.
    pub parent: Option<usize>,
    /// The two branches that it falls into, if it does.
    pub parts: Option<(usize, usize)>,
    /// Number of samples.
    pub samples: u64,
    /// The similarity at which it is joined to others; 0 of the root.
    pub birth: f64,
    /// The similarity at which it falls apart.
    pub death: f64,
    /// `death - birth`, summed over its samples; those that leave it before, in pieces too small to be a branch, count until then.
    pub(super) persistence: f64,
}

impl Tree {
    /// The branches with at least `min_samples` samples, parents before their parts, the root first.
    ///
    /// They are those of the condensed tree of HDBSCAN (Campello, Moulavi, Zimek and Sander, *Hierarchical density estimates for data
    /// clustering, visualization, and outlier detection*, ACM TKDD 10, 2015), of votes in place of density. O(n_leaves).
    #[must_use]
    pub fn branches(&self, min_samples: u64) -> Vec<Branch> {
        let mut branches = vec![Branch::new(self, self.root(), None, 0.0)];
        let mut at = 0;
        while at < branches.len() {
            let (parts, death, persistence) =
                self.followed(branches[at].node, branches[at].birth, min_samples.max(1));
            branches[at].persistence = persistence;
            branches[at].death = death;
            if let Some([left, right]) = parts {
                branches[at].parts = Some((branches.len(), branches.len() + 1));
                branches.push(Branch::new(self, left, Some(at), death));
                branches.push(Branch::new(self, right, Some(at), death));
            }
            at += 1;
        }
        branches
    }

    /// Where a branch ends that starts at `node`: the nodes of its parts, the similarity, and its persistence.
    fn followed(&self, node: usize, birth: f64, least: u64) -> (Option<[usize; 2]>, f64, f64) {
        let (mut node, mut persistence) = (node, 0.0);
        loop {
            let samples = count(self.samples_of(node));
            let Some((left, right)) = self.children(node) else {
                return (None, 1.0, persistence + samples * (1.0 - birth));
            };
            let death = f64::from(self.similarity()[node - self.n_leaves()]);
            let enough = [left, right].map(|part| self.samples_of(part) >= least);
            let (stays, leaves) = match enough {
                [true, true] => {
                    let persistence = persistence + samples * (death - birth);
                    return (Some([left, right]), death, persistence);
                }
                [false, false] => return (None, death, persistence + samples * (death - birth)),
                [true, false] => (left, right),
                [false, true] => (right, left),
            };
            persistence += count(self.samples_of(leaves)) * (death - birth);
            node = stays;
        }
    }
}

impl Branch {
    fn new(tree: &Tree, node: usize, parent: Option<usize>, birth: f64) -> Self {
        let samples = tree.samples_of(node);
        Self { node, parent, parts: None, samples, birth, death: 1.0, persistence: 0.0 }
    }

    /// How long it stays whole: the mean over its samples, 0..=1.
    #[must_use]
    pub fn persistence(&self) -> f64 {
        self.persistence / count(self.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::Merge;
    use super::*;

    fn merge(left: u32, right: u32, similarity: f64) -> Merge {
        Merge { left, right, similarity }
    }

    #[test]
    fn branches_lose_what_is_too_small_and_fall_into_what_is_large_enough() {
        // Leaves of 10, 10, 1 and 12 samples: the first two join at 0.9, a single one joins them at 0.5, the last at 0.25.
        let merges = vec![merge(0, 1, 0.9), merge(4, 2, 0.5), merge(5, 3, 0.25)];
        let tree = Tree::new(vec![10, 10, 1, 12], merges);
        let found = tree.branches(5);
        let told: Vec<_> =
            found.iter().map(|b| (b.samples, b.birth, b.death, b.parts, b.parent)).collect();
        let f = |similarity: f32| f64::from(similarity);
        assert_eq!(
            told,
            [
                (33, 0.0, 0.25, Some((1, 2)), None),
                (21, 0.25, f(0.9), Some((3, 4)), Some(0)),
                (12, 0.25, 1.0, None, Some(0)),
                (10, f(0.9), 1.0, None, Some(1)),
                (10, f(0.9), 1.0, None, Some(1)),
            ]
        );
        // The single sample leaves at 0.5.
        assert!((found[1].persistence - (20.0 * (f(0.9) - 0.25) + 0.25)).abs() < 1e-9);
        assert!((found[2].persistence() - 0.75).abs() < 1e-9);
        assert_eq!(tree.branches(13).len(), 1, "no two parts are that large");
        let one = Tree::new(vec![7], Vec::new()).branches(3);
        assert_eq!((one.len(), one[0].persistence()), (1, 1.0));
    }
}
