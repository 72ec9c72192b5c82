//! The signature with the most strong positive edges among those left.

use std::{cmp::Reverse, collections::BinaryHeap};

use rayon::prelude::*;

use crate::{
    AgreementGraph, SignatureIdx,
    degrees::{Counting, Method},
};

/// Signatures by their degree, the largest first (ties: the lowest signature).
///
/// Degrees only shrink as signatures are removed; so a degree counted some time ago is a bound, and the first in
/// the queue whose bound still holds is the largest. Only those that come to the front are counted again, one by
/// one, until that has cost as much as bringing all degrees up to date.
pub(crate) struct Queue {
    /// Degree, signature, and how many removals had been when it was counted.
    heap: BinaryHeap<(u64, Reverse<SignatureIdx>, usize)>,
    is_left: Vec<bool>,
    /// Whether a signature can be an anchor.
    can_start: Vec<bool>,
    removals: usize,
    /// As of when all were counted last.
    degrees: Vec<u64>,
    /// Signatures removed since then.
    gone: Vec<SignatureIdx>,
}

/// So many are counted one by one before it is asked what counting all would cost.
const PATIENCE: u64 = 16;

impl Queue {
    /// Of the signatures that can start a mini-cluster, by the degrees of all.
    pub(crate) fn new(degrees: Vec<u64>, can_start: Vec<bool>) -> Self {
        let is_left = vec![true; degrees.len()];
        let (heap, gone) = (BinaryHeap::new(), Vec::new());
        let mut queue = Self { heap, is_left, can_start, removals: 0, degrees, gone };
        queue.fill();
        queue
    }

    /// Starts anew with degrees as of now.
    fn fill(&mut self) {
        let nodes = self.degrees.iter().enumerate();
        let entry = |(node, &degree)| (degree, Reverse(SignatureIdx::new(node)), self.removals);
        let can_be_first = |node: usize| self.is_left[node] && self.can_start[node];
        let left = nodes.filter(|&(node, &degree)| degree > 0 && can_be_first(node));
        self.heap = left.map(entry).collect::<Vec<_>>().into();
    }

    /// The signature with the most strong positive edges among those left, and their number.
    pub(crate) fn pop(
        &mut self,
        graph: &AgreementGraph<'_>,
        left: &[SignatureIdx],
    ) -> Option<(SignatureIdx, u64)> {
        let (mut spent, mut update) = (0, None);
        while let Some((degree, Reverse(node), counted)) = self.heap.pop() {
            if !self.is_left(node) {
                continue;
            }
            if counted == self.removals {
                return Some((node, degree));
            }
            spent += left.len() as u64;
            if spent > PATIENCE * left.len() as u64 {
                let update = update.get_or_insert_with(|| Update::plan(graph, left, &self.gone));
                if spent > update.counting().cost() {
                    update.run(&mut self.degrees);
                    self.gone.clear();
                    self.fill();
                    continue;
                }
            }
            let degree = left
                .par_chunks(1 << 14)
                .map(|left| graph.degree_among(node, left.iter().copied()))
                .sum();
            self.heap.push((degree, Reverse(node), self.removals));
        }
        None
    }

    pub(crate) fn remove(&mut self, removed: &[SignatureIdx]) {
        for node in removed {
            self.is_left[node.index()] = false;
        }
        self.gone.extend_from_slice(removed);
        self.removals += 1;
    }

    pub(crate) fn is_left(&self, node: SignatureIdx) -> bool {
        self.is_left[node.index()]
    }
}

/// How to bring all degrees up to date.
enum Update<'g, 'a> {
    /// By counting the edges among those left.
    Anew(Counting<'g, 'a>),
    /// By counting the edges to those that were removed.
    Less(Counting<'g, 'a>),
}

impl<'g, 'a> Update<'g, 'a> {
    /// Whichever takes less time.
    fn plan(graph: &'g AgreementGraph<'a>, left: &[SignatureIdx], gone: &[SignatureIdx]) -> Self {
        let anew = Counting::among(graph, left, Method::Cheapest);
        let less = Counting::between(graph, left, gone, Method::Cheapest);
        if anew.cost() < less.cost() { Self::Anew(anew) } else { Self::Less(less) }
    }

    fn counting(&self) -> &Counting<'g, 'a> {
        match self {
            Self::Anew(counting) | Self::Less(counting) => counting,
        }
    }

    /// Degrees of removed signatures stay as they are or become 0.
    fn run(&self, degrees: &mut Vec<u64>) {
        let counts = self.counting().run();
        match self {
            Self::Anew(_) => *degrees = counts,
            Self::Less(_) => {
                degrees.iter_mut().zip(counts).for_each(|(degree, count)| *degree -= count);
            }
        }
    }
}
