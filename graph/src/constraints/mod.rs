//! What is known of some samples: that two are in one cluster, or in two.

mod apart;
mod hold;

use std::collections::{BTreeMap, VecDeque};

use consilience_data::SampleIdx;
use petgraph::unionfind::UnionFind;

use self::apart::Apart;
pub use self::hold::Settled;
use crate::GraphError;

/// Samples of which is known that they are in one cluster (must-link), or that they aren't (cannot-link).
///
/// Must-links are transitive, so linked samples are in a *block* together; a cannot-link keeps two blocks apart with all of their samples (K. Wagstaff
/// et al., *Constrained k-means clustering with background knowledge*, ICML 2001). Samples whose class is known are a special case: a block
/// for each class, each apart from all others.
///
/// # Example
///
/// ```
/// use consilience_data::SampleIdx;
/// use consilience_graph::Constraints;
///
/// let pair = |a, b| [SampleIdx(a), SampleIdx(b)];
/// let constraints = Constraints::new(&[pair(4, 2), pair(2, 7)], &[pair(7, 1)])?;
/// assert_eq!(constraints.blocks(), [vec![SampleIdx(1)], vec![2, 4, 7].into_iter().map(SampleIdx).collect()]);
/// assert_eq!(constraints.least_clusters(), 2);
///
/// let wrong = Constraints::new(&[pair(4, 2), pair(2, 7)], &[pair(4, 7)]).unwrap_err();
/// assert_eq!((wrong.cannot, wrong.chain), (0, vec![0, 1]));
/// # Ok::<(), consilience_graph::Contradiction>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Constraints {
    /// Samples that are together, ascending; the block with the lowest sample first.
    blocks: Vec<Vec<SampleIdx>>,
    /// The block of every sample that is in one, by sample.
    block_of: BTreeMap<SampleIdx, usize>,
    apart: Apart,
}

/// A cannot-link whose samples are linked by must-links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// Which of the cannot-links.
    pub cannot: usize,
    /// Which must-links lead from its first sample to its second, in this order: none if it is one sample.
    pub chain: Vec<usize>,
}

impl std::fmt::Display for Contradiction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot-link {} is of samples that must-links {:?} join", self.cannot, self.chain)
    }
}

impl std::error::Error for Contradiction {}

impl Constraints {
    /// Takes pairs of samples that are in one cluster, and pairs that are in two. A must-link of a sample with itself makes it a block of
    /// its own.
    ///
    /// # Errors
    ///
    /// The first of the pairs `cannot` that contradicts `must`.
    ///
    /// # Complexity
    ///
    /// O(p log p) for p pairs, and for each group of blocks that are apart that of colouring a graph: bounded, see
    /// [`Constraints::least_clusters`].
    pub fn new(must: &[[SampleIdx; 2]], cannot: &[[SampleIdx; 2]]) -> Result<Self, Contradiction> {
        let mut numbers: BTreeMap<SampleIdx, usize> =
            must.iter().chain(cannot).flatten().map(|&sample| (sample, 0)).collect();
        numbers.values_mut().zip(0..).for_each(|(number, at)| *number = at);
        let mut sets = UnionFind::<usize>::new(numbers.len());
        for [first, second] in must {
            sets.union(numbers[first], numbers[second]);
        }
        let mut blocks: Vec<Vec<SampleIdx>> = Vec::new();
        let mut block_of_set = vec![usize::MAX; numbers.len()];
        let mut block_of = BTreeMap::new();
        for (&sample, &number) in &numbers {
            let block = &mut block_of_set[sets.find(number)];
            if *block == usize::MAX {
                *block = blocks.len();
                blocks.push(Vec::new());
            }
            blocks[*block].push(sample);
            block_of.insert(sample, *block);
        }
        let mut edges = Vec::with_capacity(cannot.len());
        for (at, [first, second]) in cannot.iter().enumerate() {
            let (a, b) = (block_of[first], block_of[second]);
            if a == b {
                return Err(Contradiction { cannot: at, chain: chain(must, *first, *second) });
            }
            edges.push((a, b));
        }
        let apart = Apart::new(blocks.len(), &edges);
        Ok(Self { blocks, block_of, apart })
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Samples that are together, ascending; the block with the lowest sample first.
    #[must_use]
    pub fn blocks(&self) -> &[Vec<SampleIdx>] {
        &self.blocks
    }

    /// The block that a sample is in, if anything is known of it.
    #[must_use]
    pub fn block_of(&self, sample: SampleIdx) -> Option<usize> {
        self.block_of.get(&sample).copied()
    }

    /// The smallest number of clusters that is known to keep apart what has to be; 1 if nothing has to.
    ///
    /// That is the number of colours that a graph needs, which can't be found in bounded time for every graph. So the search ends after
    /// some steps, and there may be a smaller number; not where blocks are few, nor where all are apart from one another.
    #[must_use]
    pub fn least_clusters(&self) -> usize {
        self.apart.least()
    }

    /// Blocks all of which are apart from one another, as many as were found: there are at least so many clusters.
    #[must_use]
    pub fn mutually_apart(&self) -> &[usize] {
        self.apart.clique()
    }

    /// Checks that `k` clusters can keep apart what has to be.
    ///
    /// # Errors
    ///
    /// [`GraphError::NotApart`].
    pub fn check(&self, k: usize) -> Result<(), GraphError> {
        let least = self.least_clusters();
        if k < least { Err(GraphError::NotApart { k, least }) } else { Ok(()) }
    }
}

/// Must-links that lead from `first` to `second`, as few as possible: breadth first.
fn chain(must: &[[SampleIdx; 2]], first: SampleIdx, second: SampleIdx) -> Vec<usize> {
    let mut links: BTreeMap<SampleIdx, Vec<(usize, SampleIdx)>> = BTreeMap::new();
    for (at, &[a, b]) in must.iter().enumerate() {
        links.entry(a).or_default().push((at, b));
        links.entry(b).or_default().push((at, a));
    }
    let mut came_by = BTreeMap::from([(first, None)]);
    let mut queue = VecDeque::from([first]);
    while let Some(sample) = queue.pop_front().filter(|&sample| sample != second) {
        for &(at, next) in links.get(&sample).into_iter().flatten() {
            came_by.entry(next).or_insert_with(|| {
                queue.push_back(next);
                Some((at, sample))
            });
        }
    }
    let mut found = Vec::new();
    let mut sample = second;
    while let Some(Some((at, before))) = came_by.get(&sample) {
        found.push(*at);
        sample = *before;
    }
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(pairs: &[(u32, u32)]) -> Vec<[SampleIdx; 2]> {
        pairs.iter().map(|&(a, b)| [SampleIdx(a), SampleIdx(b)]).collect()
    }

    #[test]
    fn a_contradiction_is_told_by_the_links_that_make_it() {
        let must = pairs(&[(1, 2), (8, 9), (3, 2), (3, 4), (2, 4)]);
        let wrong = Constraints::new(&must, &pairs(&[(1, 8), (1, 4)])).unwrap_err();
        assert_eq!(wrong, Contradiction { cannot: 1, chain: vec![0, 4] });
        let itself = Constraints::new(&[], &pairs(&[(5, 5)])).unwrap_err();
        assert_eq!(itself, Contradiction { cannot: 0, chain: vec![] });
        assert!(Constraints::new(&[], &[]).unwrap().is_empty());
    }

    #[test]
    fn too_few_clusters_are_refused() {
        let four = pairs(&[(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]);
        let constraints = Constraints::new(&[], &four).unwrap();
        assert_eq!((constraints.least_clusters(), constraints.mutually_apart().len()), (4, 4));
        assert_eq!(constraints.check(3), Err(GraphError::NotApart { k: 3, least: 4 }));
        assert!(constraints.check(4).is_ok());
        // Joined by a must-link, two of them need one cluster.
        let linked = Constraints::new(&pairs(&[(0, 9)]), &pairs(&[(9, 1), (0, 2)])).unwrap();
        assert_eq!(linked.least_clusters(), 2);
    }

    proptest! {
        /// Against the closure, computed by going over all pairs until nothing changes.
        #[test]
        fn blocks_are_the_closure(
            must in prop::collection::vec((0u32..12, 0u32..12), 0..10),
            cannot in prop::collection::vec((0u32..12, 0u32..12), 0..4),
        ) {
            let mut together: Vec<[bool; 12]> = vec![[false; 12]; 12];
            (0..12).for_each(|sample| together[sample][sample] = true);
            let mut changed = true;
            while changed {
                changed = false;
                for &(a, b) in &must {
                    for row in &mut together {
                        if row[a as usize] != row[b as usize] {
                            (row[a as usize], row[b as usize], changed) = (true, true, true);
                        }
                    }
                }
            }
            let is_wrong = |&(a, b): &(u32, u32)| together[a as usize][b as usize];
            match Constraints::new(&pairs(&must), &pairs(&cannot)) {
                Err(wrong) => {
                    prop_assert_eq!(Some(wrong.cannot), cannot.iter().position(is_wrong));
                    // The chain leads from one to the other.
                    let (first, second) = cannot[wrong.cannot];
                    let mut at = first;
                    for link in wrong.chain {
                        let (a, b) = must[link];
                        prop_assert!(a == at || b == at);
                        at = if a == at { b } else { a };
                    }
                    prop_assert_eq!(at, second);
                }
                Ok(constraints) => {
                    prop_assert!(!cannot.iter().any(is_wrong));
                    for (a, row) in together.iter().enumerate() {
                        for (b, &together) in row.iter().enumerate() {
                            let block = |at: usize| constraints.block_of(SampleIdx::from_index(at));
                            let same = a == b || block(a).is_some() && block(a) == block(b);
                            prop_assert_eq!(same, together);
                        }
                    }
                }
            }
        }
    }
}
