//! Average linkage by a chain of nearest neighbours.

use super::tree::{Merge, Tree};
use crate::GraphError;

/// Sums of similarities between groups: of every pair, each kept once.
///
/// Row `i` holds the pairs with `0..i`.
pub(super) struct Triangle {
    n: usize,
    sums: Vec<f64>,
}

impl Triangle {
    /// Zeros for `n` groups.
    pub(super) fn new(n: usize) -> Self {
        Self { n, sums: vec![0.0; n * n.saturating_sub(1) / 2] }
    }

    /// Each row by itself, for threads to fill. Row `i` has length `i`.
    pub(super) fn rows_mut(&mut self) -> Vec<&mut [f64]> {
        let mut rest = self.sums.as_mut_slice();
        let mut rows = Vec::with_capacity(self.n);
        for length in 0..self.n {
            let (row, later) = rest.split_at_mut(length);
            rows.push(row);
            rest = later;
        }
        rows
    }

    #[inline]
    fn place(a: usize, b: usize) -> usize {
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        high * (high - 1) / 2 + low
    }
}

/// A group while it grows, in the slot of its lowest leaf.
struct Group {
    node: u32,
    samples: f64,
}

/// Joins the two most similar groups until one is left, as average linkage (UPGMA) defines it: two groups are as similar as the
/// mean over their pairs of samples.
///
/// A chain goes from a group to the most similar one, from that to its own most similar one, until two are each other's; these are joined.
/// Joining makes no third group more similar to any other than it was to one of the two (the linkage is *reducible*), so the
/// chain stays valid, and the same tree comes out as by searching for the best pair each time (Murtagh, *A survey of recent advances in
/// hierarchical clustering algorithms*, The Computer Journal 26, 1983). Ties go to the chain's last but one, then to the lowest slot.
///
/// # Arguments
///
/// * `leaf_samples`: number of samples of each leaf, length n, at least 1.
/// * `similarities`: sums over the pairs of samples of each two leaves.
/// * `go_on`: asked once a step; its error ends the work.
///
/// # Complexity
///
/// O(n²) time, and no memory beyond that of `similarities`.
pub(super) fn join(
    leaf_samples: Vec<u64>,
    mut similarities: Triangle,
    go_on: impl Fn() -> Result<(), GraphError>,
) -> Result<Tree, GraphError> {
    let n = leaf_samples.len();
    let mut groups: Vec<Group> = leaf_samples
        .iter()
        .zip(0..)
        .map(|(&samples, node)| Group { node, samples: count(samples) })
        .collect();
    let mut active: Vec<usize> = (0..n).collect();
    let mut chain: Vec<usize> = Vec::new();
    let mut merges = Vec::with_capacity(n.saturating_sub(1));
    while active.len() > 1 {
        go_on()?;
        let tip = *chain.last().unwrap_or(&active[0]);
        if chain.is_empty() {
            chain.push(tip);
        }
        let before = chain.len().checked_sub(2).map(|at| chain[at]);
        let (nearest, similarity) = nearest(tip, before, &active, &groups, &similarities.sums);
        if before != Some(nearest) {
            chain.push(nearest);
            continue;
        }
        chain.truncate(chain.len() - 2);
        let (keep, gone) = (tip.min(nearest), tip.max(nearest));
        merges.push(Merge { left: groups[keep].node, right: groups[gone].node, similarity });
        active.retain(|&slot| slot != gone);
        for &other in active.iter().filter(|&&other| other != keep) {
            let sum = similarities.sums[Triangle::place(gone, other)];
            similarities.sums[Triangle::place(keep, other)] += sum;
        }
        groups[keep].samples += groups[gone].samples;
        groups[keep].node = u32::try_from(n + merges.len() - 1).expect("the table is far smaller");
    }
    Ok(Tree::new(leaf_samples, merges))
}

/// The group most similar to `tip`, and its similarity.
fn nearest(
    tip: usize,
    before: Option<usize>,
    active: &[usize],
    groups: &[Group],
    sums: &[f64],
) -> (usize, f64) {
    let mean = |other: usize| {
        sums[Triangle::place(tip, other)] / (groups[tip].samples * groups[other].samples)
    };
    let start = before.map_or((usize::MAX, f64::NEG_INFINITY), |before| (before, mean(before)));
    active.iter().filter(|&&other| other != tip).fold(start, |best, &other| {
        let similarity = mean(other);
        if similarity > best.1 { (other, similarity) } else { best }
    })
}

/// Exact: there are fewer than 2^32 samples.
#[expect(clippy::cast_precision_loss, reason = "fewer than 2^53")]
pub(super) fn count(samples: u64) -> f64 {
    samples as f64
}
