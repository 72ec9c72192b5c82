//! What average linkage joins, in order.

/// A binary tree over leaves, each of which stands for a number of samples.
///
/// Nodes are numbered as SciPy does it: the n leaves first, from 0, then merges in the order in which they are made, from n on, the
/// root last. Similarities never increase along this order, so a node's similarity is at most that of its children.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    leaf_samples: Vec<u64>,
    left: Vec<u32>,
    right: Vec<u32>,
    similarity: Vec<f32>,
    samples: Vec<u64>,
}

/// Two nodes become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Merge {
    /// The child that holds the lowest leaf of both.
    pub(super) left: u32,
    /// The other child.
    pub(super) right: u32,
    /// Mean similarity of the pairs of samples between the children.
    pub(super) similarity: f64,
}

impl Tree {
    /// From merges in any order in which children come before parents, which refer to nodes in that order.
    ///
    /// # Arguments
    ///
    /// * `leaf_samples`: number of samples of each leaf, length n, at least 1.
    /// * `merges`: length n - 1. Where rounding makes a node more similar than a child of it, it counts as no more similar.
    pub(super) fn new(leaf_samples: Vec<u64>, mut merges: Vec<Merge>) -> Self {
        let n = leaf_samples.len();
        debug_assert_eq!(merges.len() + 1, n);
        for at in 0..merges.len() {
            let Merge { left, right, similarity } = merges[at];
            let of = |child: u32| {
                let merge = (child as usize).checked_sub(n);
                merge.map_or(f64::INFINITY, |merge| merges[merge].similarity)
            };
            merges[at].similarity = similarity.min(of(left)).min(of(right));
        }
        // Stable: among equals, children stay before parents.
        let mut by_similarity: Vec<usize> = (0..merges.len()).collect();
        by_similarity.sort_by(|&a, &b| merges[b].similarity.total_cmp(&merges[a].similarity));
        let mut renumbered: Vec<usize> = (0..n + merges.len()).collect();
        for (to, &from) in by_similarity.iter().enumerate() {
            renumbered[n + from] = n + to;
        }
        let mut tree = Self {
            leaf_samples,
            left: Vec::with_capacity(merges.len()),
            right: Vec::with_capacity(merges.len()),
            similarity: Vec::with_capacity(merges.len()),
            samples: Vec::with_capacity(merges.len()),
        };
        for from in by_similarity {
            let Merge { left, right, similarity } = merges[from];
            let [left, right] = [left, right].map(|child| renumbered[child as usize]);
            tree.samples.push(tree.samples_of(left) + tree.samples_of(right));
            #[expect(clippy::cast_possible_truncation, reason = "fewer than 2^32 nodes, storage")]
            {
                tree.left.push(left as u32);
                tree.right.push(right as u32);
                tree.similarity.push(similarity as f32);
            }
        }
        tree
    }

    /// Number of leaves, n, at least 1.
    #[must_use]
    pub fn n_leaves(&self) -> usize {
        self.leaf_samples.len()
    }

    /// Number of samples of each leaf, length n.
    #[must_use]
    pub fn leaf_samples(&self) -> &[u64] {
        &self.leaf_samples
    }

    /// The first child of each merge, the one with the lowest leaf, length n - 1.
    #[must_use]
    pub fn left(&self) -> &[u32] {
        &self.left
    }

    /// The second child of each merge, length n - 1.
    #[must_use]
    pub fn right(&self) -> &[u32] {
        &self.right
    }

    /// Mean similarity of the pairs of samples that each merge brings together, length n - 1, descending.
    #[must_use]
    pub fn similarity(&self) -> &[f32] {
        &self.similarity
    }

    /// Number of samples below each merge, length n - 1.
    #[must_use]
    pub fn samples(&self) -> &[u64] {
        &self.samples
    }

    /// All leaves, as a dendrogram shows them from left to right: branches never cross.
    #[must_use]
    pub fn order(&self) -> Vec<u32> {
        let mut order = Vec::with_capacity(self.n_leaves());
        let mut ahead = vec![self.root()];
        while let Some(node) = ahead.pop() {
            match self.children(node) {
                Some((left, right)) => ahead.extend([right, left]),
                None => order.extend(u32::try_from(node)),
            }
        }
        order
    }

    pub(super) fn root(&self) -> usize {
        self.n_leaves() + self.left.len() - 1
    }

    /// The two nodes below a node; `None` of a leaf.
    pub(super) fn children(&self, node: usize) -> Option<(usize, usize)> {
        let merge = node.checked_sub(self.n_leaves())?;
        Some((self.left[merge] as usize, self.right[merge] as usize))
    }

    /// Number of samples below a node.
    pub(super) fn samples_of(&self, node: usize) -> u64 {
        match node.checked_sub(self.n_leaves()) {
            Some(merge) => self.samples[merge],
            None => self.leaf_samples[node],
        }
    }
}
