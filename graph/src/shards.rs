//! Keys dealt to small tables by their hash.

use crate::{
    SignatureIdx, Signatures,
    table::{Table, hash},
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
    let mut ends = vec![0; SHARDS];
    for &hash in hashes {
        ends[shard_of(hash)] += 1;
    }
    let mut start = 0;
    for end in &mut ends {
        start += std::mem::replace(end, start);
    }
    let mut order = vec![0; hashes.len()];
    for (&hash, position) in hashes.iter().zip(0..) {
        let end = &mut ends[shard_of(hash)];
        order[*end] = position;
        *end += 1;
    }
    (order, ends)
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
pub(crate) fn for_totals(
    signatures: &Signatures,
    nodes: &[SignatureIdx],
    mask: &[u64],
    weight: impl Fn(usize) -> u64,
    mut visit: impl FnMut(usize, u64),
) {
    let mut key = vec![0; mask.len()];
    let mut hash_of = |&node: &SignatureIdx| {
        masked(signatures, node, mask, &mut key);
        hash(&key)
    };
    let hashes: Vec<u64> = nodes.iter().map(&mut hash_of).collect();
    let (order, ends) = deal(&hashes);
    let (mut table, mut totals, mut groups) = (Table::new(mask.len()), Vec::new(), Vec::new());
    let mut start = 0;
    for end in ends {
        table.clear();
        totals.clear();
        groups.clear();
        for &at in &order[start..end] {
            let at = at as usize;
            masked(signatures, nodes[at], mask, &mut key);
            let group = table.intern(&key, hashes[at]) as usize;
            if group == totals.len() {
                totals.push(0);
            }
            totals[group] += weight(at);
            groups.push(group);
        }
        for (&at, &group) in order[start..end].iter().zip(&groups) {
            visit(at as usize, totals[group]);
        }
        start = end;
    }
}
