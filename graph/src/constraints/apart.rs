//! Blocks that have to be apart: how many clusters that takes, and the best clusters that keep them so.
//!
//! This is graph colouring, blocks being nodes and clusters colours. Colours are found by DSATUR (D. Brélaz, *New methods to color the vertices of a
//! graph*, CACM 22, 1979), and by its search for fewer, which is bounded.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use consilience_data::Contingency;
use ndarray::ArrayView2;

use crate::matching::maximum_matching;

/// Steps of the search for fewer colours, for each number of them.
const STEPS: usize = 100_000;
/// Passes over all blocks in which they may change places.
const PASSES: usize = 20;
/// Scores are matched as whole numbers of these parts.
const PARTS: f64 = 1_048_576.0;

/// Which blocks have to be apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Apart {
    /// The others of each block, ascending.
    others: Vec<Vec<usize>>,
    /// Groups of two or more blocks that cannot-links connect, each ascending.
    groups: Vec<Vec<usize>>,
    /// A colour for each block, below `least`.
    colours: Vec<usize>,
    least: usize,
    clique: Vec<usize>,
}

impl Apart {
    pub(super) fn new(n_blocks: usize, edges: &[(usize, usize)]) -> Self {
        let mut others = vec![Vec::new(); n_blocks];
        for &(a, b) in edges {
            others[a].push(b);
            others[b].push(a);
        }
        others.iter_mut().for_each(|others| {
            others.sort_unstable();
            others.dedup();
        });
        let mut apart = Self { others, colours: vec![0; n_blocks], ..Self::default() };
        apart.groups = apart.connected();
        apart.least = 1;
        for group in apart.groups.clone() {
            let clique = apart.clique_in(&group);
            let colours = apart.fewest_colours(&group, clique.len());
            let used = colours.iter().max().map_or(0, |&most| most + 1);
            group.iter().zip(colours).for_each(|(&block, colour)| apart.colours[block] = colour);
            apart.least = apart.least.max(used);
            if clique.len() > apart.clique.len() {
                apart.clique = clique;
            }
        }
        apart
    }

    pub(super) fn least(&self) -> usize {
        self.least.max(1)
    }

    pub(super) fn clique(&self) -> &[usize] {
        &self.clique
    }

    /// A cluster for each block, so that those that have to be apart are, with as high scores as were found: the highest, where nothing has to be apart
    /// or all that is connected is apart from one another, as classes are.
    ///
    /// `scores`: not negative, shape (n_blocks, k), k being at least [`Apart::least`]. Ties: the lowest cluster.
    pub(super) fn best(&self, scores: ArrayView2<'_, f64>) -> Vec<usize> {
        debug_assert!(scores.ncols() >= self.least());
        let mut found: Vec<usize> =
            scores.rows().into_iter().map(|row| argmax(row.iter().copied())).collect();
        for group in &self.groups {
            let is_complete =
                group.iter().all(|&block| self.others[block].len() + 1 == group.len());
            let clusters = if is_complete {
                matched(group, scores)
            } else {
                let start = self.greedy(group, scores);
                let mut clusters = start.unwrap_or_else(|| self.by_colours(group, scores));
                self.improve(group, scores, &mut clusters);
                clusters
            };
            group.iter().zip(clusters).for_each(|(&block, cluster)| found[block] = cluster);
        }
        found
    }

    fn connected(&self) -> Vec<Vec<usize>> {
        let mut seen = vec![false; self.others.len()];
        let mut groups = Vec::new();
        for first in 0..self.others.len() {
            if seen[first] || self.others[first].is_empty() {
                continue;
            }
            let mut group = vec![first];
            seen[first] = true;
            let mut next = 0;
            while let Some(&block) = group.get(next) {
                next += 1;
                for &other in &self.others[block] {
                    if !std::mem::replace(&mut seen[other], true) {
                        group.push(other);
                    }
                }
            }
            group.sort_unstable();
            groups.push(group);
        }
        groups
    }

    fn are_apart(&self, a: usize, b: usize) -> bool {
        self.others[a].binary_search(&b).is_ok()
    }

    /// Blocks that are all apart from one another: those with most others first, as long as they fit.
    fn clique_in(&self, group: &[usize]) -> Vec<usize> {
        let mut by_degree = group.to_vec();
        by_degree.sort_by_key(|&block| (Reverse(self.others[block].len()), block));
        let mut clique: Vec<usize> = Vec::new();
        for block in by_degree {
            if clique.iter().all(|&other| self.are_apart(block, other)) {
                clique.push(block);
            }
        }
        clique.sort_unstable();
        clique
    }

    /// Colours for the blocks of a group, as few as were found, but no fewer than `bound`.
    fn fewest_colours(&self, group: &[usize], bound: usize) -> Vec<usize> {
        let mut search = Search::new(self, group);
        search.colour(usize::MAX, &mut group.len().clone());
        let mut found = search.colours.clone();
        let used = found.iter().max().map_or(0, |&most| most + 1);
        for fewer in (bound.max(1)..used).rev() {
            let mut search = Search::new(self, group);
            if !search.colour(fewer, &mut STEPS.clone()) {
                break;
            }
            found = search.colours;
        }
        found
    }

    /// Each block's best cluster that is free, those with most others first; `None` if one finds none free.
    fn greedy(&self, group: &[usize], scores: ArrayView2<'_, f64>) -> Option<Vec<usize>> {
        let k = scores.ncols();
        let mut order: Vec<usize> = (0..group.len()).collect();
        order.sort_by_key(|&at| (Reverse(self.others[group[at]].len()), at));
        let mut found: Vec<Option<usize>> = vec![None; group.len()];
        for at in order {
            let block = group[at];
            let mut is_free = vec![true; k];
            for other in &self.others[block] {
                if let Some(taken) = found[place(group, *other)] {
                    is_free[taken] = false;
                }
            }
            let free = (0..k).filter(|&cluster| is_free[cluster]);
            let score = |cluster: usize| scores[(block, cluster)];
            let best =
                free.reduce(|best, next| if score(next) > score(best) { next } else { best });
            found[at] = Some(best?);
        }
        found.into_iter().collect()
    }

    /// The colours that are known to suffice, each matched to a cluster.
    fn by_colours(&self, group: &[usize], scores: ArrayView2<'_, f64>) -> Vec<usize> {
        let (k, n_colours) = (scores.ncols(), self.least());
        let cells = group.iter().flat_map(|&block| {
            let of =
                move |cluster| ((self.colours[block], cluster), parts(scores[(block, cluster)]));
            (0..k).map(of)
        });
        let matching = maximum_matching(&Contingency::weigh(cells, n_colours, k));
        let cluster = |&block: &usize| {
            matching[self.colours[block]].expect("there are at least as many clusters as colours")
        };
        group.iter().map(cluster).collect()
    }

    /// Lets blocks change to another cluster, with all those that have to change back for it (a Kempe chain), as long as scores rise.
    fn improve(&self, group: &[usize], scores: ArrayView2<'_, f64>, clusters: &mut [usize]) {
        for _ in 0..PASSES {
            let mut is_better = false;
            for at in 0..group.len() {
                for to in 0..scores.ncols() {
                    let from = clusters[at];
                    if to == from {
                        continue;
                    }
                    let chain = self.kempe_chain(group, clusters, at, to);
                    let gain = |&at: &usize| {
                        let (own, other) = (clusters[at], from + to - clusters[at]);
                        scores[(group[at], other)] - scores[(group[at], own)]
                    };
                    if chain.iter().map(gain).sum::<f64>() > 1e-9 {
                        chain.iter().for_each(|&at| clusters[at] = from + to - clusters[at]);
                        is_better = true;
                    }
                }
            }
            if !is_better {
                return;
            }
        }
    }

    /// Places in `group` of the blocks in two clusters, that of `at` and `to`, that are connected to `at` by being apart.
    fn kempe_chain(&self, group: &[usize], clusters: &[usize], at: usize, to: usize) -> Vec<usize> {
        let from = clusters[at];
        let mut chain = vec![at];
        let mut seen = BTreeSet::from([at]);
        let mut next = 0;
        while let Some(&at) = chain.get(next) {
            next += 1;
            for &other in &self.others[group[at]] {
                let other = place(group, other);
                if (clusters[other] == from || clusters[other] == to) && seen.insert(other) {
                    chain.push(other);
                }
            }
        }
        chain
    }
}

fn place(group: &[usize], block: usize) -> usize {
    group.binary_search(&block).expect("a group holds all that is connected")
}

/// The best clusters for blocks that are all apart from one another.
fn matched(group: &[usize], scores: ArrayView2<'_, f64>) -> Vec<usize> {
    let k = scores.ncols();
    let cells = group.iter().enumerate().flat_map(|(at, &block)| {
        (0..k).map(move |cluster| ((at, cluster), parts(scores[(block, cluster)])))
    });
    let matching = maximum_matching(&Contingency::weigh(cells, group.len(), k));
    let cluster = |found: Option<usize>| found.expect("there are at least as many clusters");
    matching.into_iter().map(cluster).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "scores of samples")]
fn parts(score: f64) -> u64 {
    (score * PARTS).round() as u64
}

/// The place of the first of the highest.
fn argmax(values: impl Iterator<Item = f64>) -> usize {
    let first_of_higher =
        |best: (usize, f64), next: (usize, f64)| if next.1 > best.1 { next } else { best };
    values.enumerate().reduce(first_of_higher).map_or(0, |(at, _)| at)
}

/// A search for colours: always the block that has fewest left goes next.
struct Search<'a> {
    apart: &'a Apart,
    group: &'a [usize],
    /// By place in the group; `usize::MAX`: none yet.
    colours: Vec<usize>,
    /// How many others have a colour, for each place and colour that one has.
    taken: Vec<Vec<u32>>,
    /// Different colours that others of a place have.
    saturation: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(apart: &'a Apart, group: &'a [usize]) -> Self {
        let n = group.len();
        let (colours, taken, saturation) = (vec![usize::MAX; n], vec![Vec::new(); n], vec![0; n]);
        Self { apart, group, colours, taken, saturation }
    }

    /// Colours all that have none, with `most` colours at most. Whether that was possible, in so many steps. Not recursive in the number
    /// of blocks: places on a stack, with the next colour to try.
    fn colour(&mut self, most: usize, steps: &mut usize) -> bool {
        // Of each place that was coloured: itself, the next colour to try, and how many colours were in use before.
        let mut stack: Vec<(usize, usize, usize)> = Vec::new();
        let mut used = 0;
        let mut current = self.next().map(|at| (at, 0));
        while let Some((at, first)) = current {
            let free = |colour: &usize| self.taken[at].get(*colour).is_none_or(|&count| count == 0);
            // One colour that nobody has is as good as another.
            let found = (first..most.min(used + 1)).find(free);
            match found {
                Some(colour) => {
                    if *steps == 0 {
                        return false;
                    }
                    *steps -= 1;
                    self.set(at, colour);
                    stack.push((at, colour + 1, used));
                    used = used.max(colour + 1);
                    current = self.next().map(|at| (at, 0));
                }
                None => {
                    let Some((before, next, used_before)) = stack.pop() else { return false };
                    self.unset(before);
                    used = used_before;
                    current = Some((before, next));
                }
            }
        }
        true
    }

    /// The place without a colour that has fewest left to choose from; of equals that with most others, then the first.
    fn next(&self) -> Option<usize> {
        let left = (0..self.group.len()).filter(|&at| self.colours[at] == usize::MAX);
        let others = |at: usize| self.apart.others[self.group[at]].len();
        left.max_by_key(|&at| (self.saturation[at], others(at), Reverse(at)))
    }

    fn set(&mut self, at: usize, colour: usize) {
        self.colours[at] = colour;
        for other in &self.apart.others[self.group[at]] {
            let other = place(self.group, *other);
            let taken = &mut self.taken[other];
            if taken.len() <= colour {
                taken.resize(colour + 1, 0);
            }
            taken[colour] += 1;
            self.saturation[other] += usize::from(taken[colour] == 1);
        }
    }

    fn unset(&mut self, at: usize) {
        let colour = std::mem::replace(&mut self.colours[at], usize::MAX);
        for other in &self.apart.others[self.group[at]] {
            let other = place(self.group, *other);
            self.taken[other][colour] -= 1;
            self.saturation[other] -= usize::from(self.taken[other][colour] == 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;

    /// The highest sum of scores of all ways that keep apart what has to be, and whether there is one.
    fn brute_force(apart: &Apart, scores: &Array2<f64>) -> Option<f64> {
        let (n, k) = scores.dim();
        let ways = (0..k.pow(u32::try_from(n).unwrap())).map(|way| {
            (0..n).map(|block| way / k.pow(u32::try_from(block).unwrap()) % k).collect::<Vec<_>>()
        });
        let fits = |way: &Vec<usize>| is_kept(apart, way);
        let score = |way: Vec<usize>| sum(scores, &way);
        ways.filter(fits).map(score).reduce(f64::max)
    }

    fn is_kept(apart: &Apart, way: &[usize]) -> bool {
        let blocks = apart.others.iter().enumerate();
        blocks
            .flat_map(|(a, others)| others.iter().map(move |&b| (a, b)))
            .all(|(a, b)| way[a] != way[b])
    }

    fn sum(scores: &Array2<f64>, way: &[usize]) -> f64 {
        way.iter().enumerate().map(|(block, &cluster)| scores[(block, cluster)]).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Against all ways there are: as few clusters, none of them broken, and the best where that is promised.
        #[test]
        fn what_has_to_be_apart_is(
            edges in prop::collection::vec((0usize..6, 0usize..6), 0..12),
            k in 1usize..5,
            values in prop::collection::vec(0u8..9, 24),
            all_apart in prop::bool::weighted(0.2),
        ) {
            let all = (0..4).flat_map(|a| (0..a).map(move |b| (a, b)));
            let edges: Vec<(usize, usize)> = match all_apart {
                true => all.collect(),
                false => edges.into_iter().filter(|(a, b)| a != b).collect(),
            };
            let apart = Apart::new(6, &edges);
            let scores = Array2::from_shape_fn((6, k), |(block, cluster)| f64::from(values[block * 4 + cluster]));
            let best = brute_force(&apart, &scores);
            prop_assert_eq!(best.is_some(), k >= apart.least(), "{} colours", apart.least());
            prop_assert!(apart.clique().iter().all(|&a| apart.clique().iter().all(|&b| a == b || apart.are_apart(a, b))));
            prop_assert!(apart.clique().len() <= apart.least());
            if let Some(best) = best {
                let found = apart.best(scores.view());
                prop_assert!(is_kept(&apart, &found), "{found:?}");
                let found = sum(&scores, &found);
                let is_exact = all_apart || edges.is_empty();
                prop_assert!(if is_exact { found == best } else { found <= best && found >= 0.5 * best }, "{found} of {best}");
            }
        }
    }

    /// An odd ring needs three colours though no three are all apart; the fallback has to hold where greedy choices don't.
    #[test]
    fn rings_and_wheels_are_coloured() {
        for n in [5, 7, 31] {
            let mut edges: Vec<(usize, usize)> = (0..n).map(|at| (at, (at + 1) % n)).collect();
            let apart = Apart::new(n, &edges);
            assert_eq!((apart.least(), apart.clique().len()), (3, 2));
            // All would like to be in the first.
            let scores = Array2::from_shape_fn((n, 3), |(_, cluster)| [1.0, 0.0, 0.0][cluster]);
            let found = apart.best(scores.view());
            assert!(is_kept(&apart, &found));
            assert!(sum(&scores, &found) >= ((n - 1) / 2 - 1) as f64, "{n}: {found:?}");
            edges.extend((0..n).map(|at| (at, n)));
            assert_eq!(Apart::new(n + 1, &edges).least(), 4);
        }
    }

    #[test]
    fn many_blocks_take_no_time_and_no_stack() {
        let chain: Vec<(usize, usize)> = (1..20_000).map(|at| (at - 1, at)).collect();
        // The search for colours looks at all blocks for each.
        let short = Apart::new(3000, &chain[..2999]);
        assert_eq!(short.least(), 2);
        let scores = Array2::from_shape_fn((3000, 4), |(block, cluster)| {
            f64::from(u8::from(block % 3 == cluster))
        });
        assert!(is_kept(&short, &short.best(scores.view())));
    }
}
