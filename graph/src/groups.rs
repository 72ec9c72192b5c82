//! Nodes that are equal in a subset of models, split by one model more.

use std::mem;

/// Nodes that are equal in a subset of models: first the rows, then the columns, if these are others.
#[derive(Clone, Copy)]
pub(crate) struct Group<'a> {
    /// Shape (n_nodes, n_words): the words that hold the models left to split by.
    pub(crate) words: &'a [u64],
    pub(crate) n_words: usize,
    /// Numbers of samples, shape (n_nodes).
    pub(crate) weights: &'a [u32],
    pub(crate) n_rows: usize,
}

/// A group's nodes, ordered by their votes on a model.
#[derive(Default)]
pub(crate) struct Level {
    words: Vec<u64>,
    weights: Vec<u32>,
    /// Their positions in the group.
    from: Vec<u32>,
    /// What is counted for them.
    sums: Vec<u64>,
    parts: Vec<SameVote>,
}

/// Nodes with the same vote.
struct SameVote {
    code: usize,
    n_nodes: usize,
    n_rows: usize,
    /// Where its next node goes; [`DROPPED`] if none has to be looked at.
    end: usize,
}

const DROPPED: usize = usize::MAX;

impl Level {
    /// Takes over a group, ordered by its nodes' votes on a model.
    ///
    /// # Arguments
    ///
    /// * `is_within`: whether the rows are the columns, too.
    /// * `n_words`: number of words that are still needed.
    /// * `code`: the vote in a node's words.
    /// * `part_of`: zeros, by vote; and zeros again when done.
    pub(crate) fn split(
        &mut self,
        group: Group<'_>,
        is_within: bool,
        n_words: usize,
        code: impl Fn(&[u64]) -> usize,
        part_of: &mut [u32],
    ) {
        self.parts.clear();
        let codes = || {
            let words = group.words.chunks_exact(group.n_words);
            words.map(&code)
        };
        for (node, code) in codes().enumerate() {
            if part_of[code] == 0 {
                self.parts.push(SameVote { code, n_nodes: 0, n_rows: 0, end: 0 });
                part_of[code] = u32::try_from(self.parts.len()).expect("at most 65,535 clusters");
            }
            let part = &mut self.parts[part_of[code] as usize - 1];
            part.n_nodes += 1;
            part.n_rows += usize::from(node < group.n_rows);
        }
        let mut start = 0;
        for part in &mut self.parts {
            let has_pairs = if is_within {
                part.n_nodes > 1
            } else {
                part.n_rows > 0 && part.n_rows < part.n_nodes
            };
            part.end = if has_pairs { start } else { DROPPED };
            start += if has_pairs { part.n_nodes } else { 0 };
        }
        self.resize(start, n_words);
        for (node, code) in codes().enumerate() {
            let part = &mut self.parts[part_of[code] as usize - 1];
            if part.end == DROPPED {
                continue;
            }
            let to = part.end;
            part.end += 1;
            let words = &group.words[node * group.n_words..][..n_words];
            self.words[to * n_words..][..n_words].copy_from_slice(words);
            self.weights[to] = group.weights[node];
            #[expect(clippy::cast_possible_truncation, reason = "signatures are numbered by u32")]
            {
                self.from[to] = node as u32;
            }
        }
        for part in &self.parts {
            part_of[part.code] = 0;
        }
    }

    fn resize(&mut self, n_nodes: usize, n_words: usize) {
        self.words.resize(n_nodes * n_words, 0);
        self.weights.resize(n_nodes, 0);
        self.from.resize(n_nodes, 0);
        self.sums.clear();
        self.sums.resize(n_nodes, 0);
    }

    /// The parts that have pairs, with the sums of their rows.
    pub(crate) fn groups(&mut self, n_words: usize) -> Vec<(Group<'_>, &mut [u64])> {
        let (words, weights) = (&self.words, &self.weights);
        let mut sums = &mut self.sums[..];
        let mut groups = Vec::new();
        for part in self.parts.iter().filter(|part| part.end != DROPPED) {
            let (of_part, rest) = mem::take(&mut sums).split_at_mut(part.n_nodes);
            sums = rest;
            let start = part.end - part.n_nodes;
            let group = Group {
                words: &words[start * n_words..part.end * n_words],
                n_words,
                weights: &weights[start..part.end],
                n_rows: part.n_rows,
            };
            groups.push((group, &mut of_part[..part.n_rows]));
        }
        groups
    }

    /// Adds what was counted to the sums of the group's rows.
    pub(crate) fn add_to(&self, sums: &mut [u64]) {
        for (&from, &sum) in self.from.iter().zip(&self.sums) {
            if let Some(to) = sums.get_mut(from as usize) {
                *to = to.wrapping_add(sum);
            }
        }
    }
}
