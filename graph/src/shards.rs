//! Keys dealt to small tables by their hash.

use crate::{
    SignatureIdx, Signatures,
    word_table::{WordTable, hash},
};

/// Keys are dealt to this many tables, so that a table fits a core's cache and no two threads meet in one. Fixed:
/// work is never split by the number of threads.
pub(crate) const SHARDS: usize = 256;

/// The highest eight bits; the tables use the lowest.
pub(crate) fn shard_of(hash: u64) -> usize {
    usize::from((hash >> 56) as u8)
}

/// Positions in the order of their shards (within one, ascending), and where each shard's end.
pub(crate) fn deal(hashes: &[u64]) -> (Vec<u32>, Vec<usize>) {
    let mut ends = starts(hashes);
    let mut order = vec![0; hashes.len()];
    for (&hash, position) in hashes.iter().zip(0..) {
        let end = &mut ends[shard_of(hash)];
        order[*end] = position;
        *end += 1;
    }
    (order, ends)
}

/// Where each shard starts, if keys lie in the order of their shards.
fn starts(hashes: &[u64]) -> Vec<usize> {
    let mut starts = vec![0; SHARDS];
    for &hash in hashes {
        starts[shard_of(hash)] += 1;
    }
    let mut next = 0;
    for start in &mut starts {
        next += std::mem::replace(start, next);
    }
    starts
}

/// Writes the votes of a signature that `mask` keeps into `key`.
#[inline]
pub(crate) fn masked(signatures: &Signatures, node: SignatureIdx, mask: &[u64], key: &mut [u64]) {
    let words = signatures.words_of(node);
    for ((to, &word), &mask) in key.iter_mut().zip(words).zip(mask) {
        *to = word & mask;
    }
}

/// Calls `visit` for each position in `nodes` with the sum of `weight` (by position) over all nodes that are equal
/// to this one under `mask`. One pass of hashing.
///
/// Keys and weights are copied to their shards and read back in turn, so that memory is always walked forward:
/// following positions into the shards instead took three times as long for millions of nodes.
pub(crate) fn for_totals(
    signatures: &Signatures,
    nodes: &[SignatureIdx],
    mask: &[u64],
    weight: impl Fn(usize) -> u64,
    mut visit: impl FnMut(usize, u64),
) {
    let n_words = mask.len();
    let mut key = vec![0; n_words];
    let mut hash_of = |&node: &SignatureIdx| {
        masked(signatures, node, mask, &mut key);
        hash(&key)
    };
    let hashes: Vec<u64> = nodes.iter().map(&mut hash_of).collect();
    let starts = starts(&hashes);
    let (mut keys, mut weights) = (vec![0; nodes.len() * n_words], vec![0; nodes.len()]);
    let mut ends = starts.clone();
    for (at, (&node, &hash)) in nodes.iter().zip(&hashes).enumerate() {
        let to = &mut ends[shard_of(hash)];
        masked(signatures, node, mask, &mut keys[*to * n_words..][..n_words]);
        weights[*to] = weight(at);
        *to += 1;
    }
    let mut shard = Totals::new(n_words);
    for (&start, end) in starts.iter().zip(ends) {
        shard.replace(&keys[start * n_words..end * n_words], &mut weights[start..end]);
    }
    let mut next = starts;
    for (at, &hash) in hashes.iter().enumerate() {
        let from = &mut next[shard_of(hash)];
        visit(at, weights[*from]);
        *from += 1;
    }
}

/// Sums weights by key; keeps its room from shard to shard.
struct Totals {
    n_words: usize,
    table: WordTable,
    totals: Vec<u64>,
    groups: Vec<u32>,
}

impl Totals {
    fn new(n_words: usize) -> Self {
        Self { n_words, table: WordTable::new(n_words), totals: Vec::new(), groups: Vec::new() }
    }

    /// Replaces each weight by the sum of those that have the same key.
    fn replace(&mut self, keys: &[u64], weights: &mut [u64]) {
        self.table.clear();
        self.totals.clear();
        self.groups.clear();
        for (key, &weight) in keys.chunks_exact(self.n_words).zip(&*weights) {
            let group = self.table.intern(key, hash(key));
            if group as usize == self.totals.len() {
                self.totals.push(0);
            }
            self.totals[group as usize] += weight;
            self.groups.push(group);
        }
        for (weight, &group) in weights.iter_mut().zip(&self.groups) {
            *weight = self.totals[group as usize];
        }
    }
}
