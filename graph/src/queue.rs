//! Who has the most strong positive edges among those left.

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
/// one, until that has cost as much as counting all that are left.
pub(crate) struct Queue {
    /// Degree, signature, and how many removals had been when it was counted.
    heap: BinaryHeap<(u64, Reverse<SignatureIdx>, usize)>,
    is_left: Vec<bool>,
    removals: usize,
}

/// So many are counted one by one before it is asked what counting all would cost.
const PATIENCE: u64 = 16;

impl Queue {
    pub(crate) fn new(degrees: &[u64]) -> Self {
        let is_left = vec![true; degrees.len()];
        let mut queue = Self { heap: BinaryHeap::new(), is_left, removals: 0 };
        queue.fill(degrees);
        queue
    }

    /// Starts anew with degrees as of now.
    fn fill(&mut self, degrees: &[u64]) {
        let nodes = degrees.iter().enumerate().filter(|&(_, &degree)| degree > 0);
        let entry = |(node, &degree)| (degree, Reverse(SignatureIdx::new(node)), self.removals);
        self.heap = nodes.map(entry).collect::<Vec<_>>().into();
    }

    /// The signature with the most strong positive edges among those left, and their number.
    pub(crate) fn pop(
        &mut self,
        graph: &AgreementGraph<'_>,
        left: &[SignatureIdx],
    ) -> Option<(SignatureIdx, u64)> {
        let (mut spent, mut counting) = (0, None);
        while let Some((degree, Reverse(node), counted)) = self.heap.pop() {
            if !self.is_left(node) {
                continue;
            }
            if counted == self.removals {
                return Some((node, degree));
            }
            spent += left.len() as u64;
            if spent > PATIENCE * left.len() as u64 {
                let plan = || Counting::plan(graph, left, Method::Cheapest);
                let counting = counting.get_or_insert_with(plan);
                if spent > counting.cost() {
                    self.fill(&counting.run());
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
        self.removals += 1;
    }

    pub(crate) fn is_left(&self, node: SignatureIdx) -> bool {
        self.is_left[node.index()]
    }
}
