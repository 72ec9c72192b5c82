//! Cutting the tree into a number of clusters.

use super::tree::Tree;
use crate::GraphError;

/// A tree cut into clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The cluster of each leaf, length n_leaves, numbered from left to right in the dendrogram; `None` of a leaf on an *island*, a branch
    /// with too few samples to be a cluster that hangs between clusters.
    pub of_leaf: Vec<Option<u16>>,
    /// Number of clusters.
    pub n_clusters: usize,
    /// Number of samples that every cluster has at least: as asked for, or as many as had to do.
    pub min_samples: u64,
}

impl Tree {
    /// Cuts the tree into `k` clusters of at least `min_samples` samples each.
    ///
    /// From the root down, the branch is split whose two parts are least similar, if both have `min_samples` samples. A part
    /// that has fewer is an island: the other part goes on without it. If that doesn't make `k` clusters, half as many samples do, and so on.
    /// With `min_samples` = 1 there are no islands: it is the plain cut.
    ///
    /// # Errors
    ///
    /// [`GraphError::ClusterCount`] unless 1 <= k <= 65535, [`GraphError::TooManyClusters`] if there are fewer leaves.
    pub fn cut(&self, k: usize, min_samples: u64) -> Result<Cut, GraphError> {
        if !(1..=usize::from(u16::MAX)).contains(&k) {
            return Err(GraphError::ClusterCount { k });
        }
        let n_leaves = self.n_leaves();
        if k > n_leaves {
            return Err(GraphError::TooManyClusters { k, n_signatures: n_leaves });
        }
        let (is_split, min_samples) = self.splits(k, min_samples);
        Ok(Cut { of_leaf: self.clusters(&is_split), n_clusters: k, min_samples })
    }

    /// Which merges are undone, and the samples that had to do. Merges are in order of falling similarity, so that the last
    /// ones are the least similar, and no merge is undone before those above it whose parts are large enough.
    fn splits(&self, k: usize, min_samples: u64) -> (Vec<bool>, u64) {
        let mut is_split = vec![false; self.left().len()];
        let mut n_clusters = 1;
        let mut least = min_samples.max(1);
        loop {
            for merge in (0..is_split.len()).rev() {
                if n_clusters == k {
                    return (is_split, least);
                }
                let parts = [self.left()[merge], self.right()[merge]];
                let is_enough = |&part: &u32| self.samples_of(part as usize) >= least;
                if !is_split[merge] && parts.iter().all(is_enough) {
                    is_split[merge] = true;
                    n_clusters += 1;
                }
            }
            if n_clusters == k {
                return (is_split, least);
            }
            debug_assert!(least > 1, "every merge can be undone, and there are k - 1");
            least /= 2;
        }
    }

    /// The cluster of each leaf.
    fn clusters(&self, is_split: &[bool]) -> Vec<Option<u16>> {
        let n = self.n_leaves();
        // Whether there is a split at a node or below it.
        let mut has_split = vec![false; n + is_split.len()];
        for (merge, &is_split) in is_split.iter().enumerate() {
            let (left, right) = (self.left()[merge] as usize, self.right()[merge] as usize);
            has_split[n + merge] = is_split || has_split[left] || has_split[right];
        }
        let mut of_leaf = vec![None; n];
        let mut n_clusters = 0;
        let root = self.root();
        let mut ahead = vec![(root, if has_split[root] { Part::Several } else { Part::New })];
        while let Some((node, mut part)) = ahead.pop() {
            if part == Part::New {
                part = Part::Of(n_clusters);
                n_clusters += 1;
            }
            let Some((left, right)) = self.children(node) else {
                of_leaf[node] = if let Part::Of(cluster) = part { Some(cluster) } else { None };
                continue;
            };
            for child in [right, left] {
                let below = match part {
                    Part::Several if has_split[child] => Part::Several,
                    Part::Several if is_split[node - n] => Part::New,
                    Part::Several => Part::Island,
                    part => part,
                };
                ahead.push((child, below));
            }
        }
        of_leaf
    }
}

/// What a branch of the tree is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    /// Several clusters, and islands between them.
    Several,
    /// A cluster that has no number yet.
    New,
    /// A cluster, or part of it.
    Of(u16),
    /// An island, or part of it.
    Island,
}
