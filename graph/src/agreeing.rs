//! How many columns agree with each row in enough models, without comparing all pairs.

use std::mem;

use rayon::prelude::*;

use crate::{
    SignatureIdx, Signatures,
    groups::{Group, Level},
    packing::Layout,
    patterns::binomial,
    word_table::{WordTable, hash},
};

/// Counts, for each row, the samples of the columns that agree with it in at least `min_agree` of some models,
/// all of which voted on all rows and columns.
///
/// By inclusion and exclusion: with `S_j` the number of (column, subset of j models in all of which it agrees
/// with the row), of `c` models, it is the sum over j from r = `min_agree` to c of
/// (-1)^(j-r) * binomial(j-1, r-1) * `S_j` (Feller, An Introduction to Probability Theory I, IV.5). Sums are
/// modulo 2⁶⁴: parts can be larger, results are not.
///
/// Subsets are walked depth first, and the nodes with them: those that are equal in a subset are split by one
/// model more. A row without columns is dropped, and of a few nodes all pairs are compared: what a pair adds in
/// all subsets that go on from a prefix of p models is known from the number q of later models in which it agrees,
/// (-1)^(p+q-r) * binomial(p-1, r-1-q).
pub(crate) struct Agreeing<'s> {
    signatures: &'s Signatures,
    /// Descending, so that the first words are the last to be needed.
    models: Vec<usize>,
    min_agree: usize,
    /// Whether rows and columns are the same nodes. Then none is counted as its own column.
    is_within: bool,
    /// By number of models in the prefix, and number of other models in which a pair doesn't agree.
    factors: Vec<Vec<u64>>,
    /// Number of subsets to be walked after a prefix, by the number of its models and of those left out.
    n_after: Vec<Vec<u64>>,
    /// By number of models left to split by: what keeps them.
    masks: Vec<Vec<u64>>,
    /// All pairs are compared if that takes less time; [`PAIRS_PER_ENTRY`].
    pairs_per_entry: u64,
    /// Groups from this size on are shared among threads; [`SHARED`].
    shared: usize,
}

/// Where a walk stands.
#[derive(Clone, Copy)]
struct Prefix {
    n_models: usize,
    n_left_out: usize,
}

/// What a thread keeps from group to group.
struct Scratch {
    levels: Vec<Level>,
    /// By vote: the number of its part, plus one.
    part_of: Vec<u32>,
    /// By vote: number of samples.
    totals: Vec<u64>,
    table: WordTable,
    key: Vec<u64>,
    /// By node: the number of its key.
    numbers: Vec<u32>,
    totals_of_keys: Vec<u64>,
}

/// Smaller groups fit a core's cache, and are no work to speak of.
const SHARED: usize = 1 << 13;

/// How many comparisons of a pair take as long as one node in one subset: measured, about.
const PAIRS_PER_ENTRY: u64 = 2;

impl<'s> Agreeing<'s> {
    /// # Arguments
    ///
    /// * `models`: ascending.
    /// * `min_agree`: 1..=number of models.
    pub(crate) fn new(signatures: &'s Signatures, models: &[usize], min_agree: usize) -> Self {
        let n_models = models.len();
        let mut descending = models.to_vec();
        descending.reverse();
        let masks = (0..=n_models)
            .map(|n_left| signatures.layout.mask(models[..n_left].iter().copied()))
            .collect();
        Self {
            signatures,
            models: descending,
            min_agree,
            is_within: false,
            factors: factors(n_models, min_agree),
            n_after: n_after(n_models, min_agree),
            masks,
            pairs_per_entry: PAIRS_PER_ENTRY,
            shared: SHARED,
        }
    }

    /// For each of `nodes`, how many samples of the others agree with it, shape (n_nodes).
    pub(crate) fn within(mut self, nodes: &[SignatureIdx]) -> Vec<u64> {
        self.is_within = true;
        self.count(nodes, nodes.len())
    }

    /// For each of `rows`, how many samples of `columns` agree with it, shape (n_rows).
    pub(crate) fn between(self, rows: &[SignatureIdx], columns: &[SignatureIdx]) -> Vec<u64> {
        let nodes = [rows, columns].concat();
        self.count(&nodes, rows.len())
    }

    fn count(&self, nodes: &[SignatureIdx], n_rows: usize) -> Vec<u64> {
        let n_words = self.n_words(self.models.len());
        let mut words = Vec::with_capacity(nodes.len() * n_words);
        for &node in nodes {
            words.extend_from_slice(&self.signatures.words_of(node)[..n_words]);
        }
        let weights: Vec<u32> =
            nodes.iter().map(|&node| self.signatures.multiplicity(node)).collect();
        let mut sums = vec![0; n_rows];
        let group = Group { words: &words, n_words, weights: &weights, n_rows };
        let start = Prefix { n_models: 0, n_left_out: 0 };
        self.visit(group, start, &mut sums, &mut self.scratch());
        sums
    }

    fn scratch(&self) -> Scratch {
        let capacity = self.models.iter().map(|&model| self.layout().capacity(model)).max();
        let levels = self.models.iter().map(|_| Level::default()).collect();
        let n_codes = capacity.unwrap_or(0) + 1;
        Scratch {
            levels,
            part_of: vec![0; n_codes],
            totals: vec![0; n_codes],
            table: WordTable::new(1),
            key: Vec::new(),
            numbers: Vec::new(),
            totals_of_keys: Vec::new(),
        }
    }

    fn layout(&self) -> &'s Layout {
        &self.signatures.layout
    }

    /// Number of words that hold the last `n_left` models.
    fn n_words(&self, n_left: usize) -> usize {
        n_left
            .checked_sub(1)
            .map_or(0, |last| self.layout().word_of(self.models[self.models.len() - 1 - last]) + 1)
    }

    /// Adds what the subsets that begin with `prefix` count for a group that is equal in it.
    fn visit(&self, group: Group<'_>, prefix: Prefix, sums: &mut [u64], scratch: &mut Scratch) {
        if self.is_leaf(group, prefix) {
            self.compare(group, prefix, sums);
            return;
        }
        if prefix.n_models >= self.min_agree {
            let total: u64 = self.columns(group).1.iter().map(|&weight| u64::from(weight)).sum();
            let factor = self.subset_factor(prefix.n_models);
            for (row, sum) in sums.iter_mut().enumerate() {
                *sum = sum.wrapping_add((total - self.own(group, row)).wrapping_mul(factor));
            }
        }
        let mut level = mem::take(&mut scratch.levels[prefix.n_models]);
        let slack = self.models.len() - self.min_agree;
        for n_left_out in prefix.n_left_out..=slack {
            let at = prefix.n_models + n_left_out;
            if at == self.models.len() {
                break;
            }
            let next = Prefix { n_models: prefix.n_models + 1, n_left_out };
            if n_left_out == slack && group.weights.len() < self.shared {
                self.add_rest(group, at, sums, scratch);
                break;
            }
            if at + 1 == self.models.len() {
                self.add_last(group, next.n_models, sums, &mut scratch.totals);
                break;
            }
            let n_words = self.n_words(self.models.len() - at - 1);
            let code = |words: &[u64]| self.layout().code(words, self.models[at]);
            level.split(group, self.is_within, n_words, code, &mut scratch.part_of);
            let shared = group.weights.len() >= self.shared;
            let parts = level.groups(n_words);
            if shared {
                parts.into_par_iter().for_each_init(
                    || self.scratch(),
                    |scratch, (part, sums)| self.visit(part, next, sums, scratch),
                );
            } else {
                for (part, sums) in parts {
                    self.visit(part, next, sums, scratch);
                }
            }
            level.add_to(sums);
        }
        scratch.levels[prefix.n_models] = level;
    }

    /// What a subset counts for a pair that is equal in it.
    fn subset_factor(&self, size: usize) -> u64 {
        let ways = binomial(size - 1, self.min_agree - 1);
        if (size - self.min_agree).is_multiple_of(2) { ways } else { ways.wrapping_neg() }
    }

    fn own(&self, group: Group<'_>, row: usize) -> u64 {
        if self.is_within { u64::from(group.weights[row]) } else { 0 }
    }

    /// Words and weights of a group's columns.
    fn columns<'a>(&self, group: Group<'a>) -> (&'a [u64], &'a [u32]) {
        let start = if self.is_within { 0 } else { group.n_rows };
        (&group.words[start * group.n_words..], &group.weights[start..])
    }

    fn is_leaf(&self, group: Group<'_>, prefix: Prefix) -> bool {
        if prefix.n_models == 0 {
            return false;
        }
        let n_pairs = group.n_rows as u64 * self.columns(group).1.len() as u64;
        let n_after = self.n_after[prefix.n_models][prefix.n_left_out];
        n_pairs <= n_after.saturating_mul(self.pairs_per_entry * group.weights.len() as u64)
    }

    /// Compares all pairs.
    fn compare(&self, group: Group<'_>, prefix: Prefix, sums: &mut [u64]) {
        let factors = &self.factors[prefix.n_models][prefix.n_left_out..];
        let n_left = self.models.len() - prefix.n_models - prefix.n_left_out;
        let mask = &self.masks[n_left][..group.n_words];
        let (words, weights) = self.columns(group);
        for (row, sum) in sums.iter_mut().enumerate() {
            let first = &group.words[row * group.n_words..][..group.n_words];
            let columns = words.chunks_exact(group.n_words).zip(weights);
            let total = columns.fold(0u64, |total, (second, &weight)| {
                let differ = self.layout().differ(first, second, mask).min(factors.len() - 1);
                total.wrapping_add(u64::from(weight).wrapping_mul(factors[differ]))
            });
            let own = self.own(group, row).wrapping_mul(factors[0]);
            *sum = sum.wrapping_add(total.wrapping_sub(own));
        }
    }

    /// Adds what the subset counts that goes on with all models from `at`: it is the only one to go on with if no
    /// more can be left out, and of size `min_agree`.
    fn add_rest(&self, group: Group<'_>, at: usize, sums: &mut [u64], scratch: &mut Scratch) {
        let n_left = self.models.len() - at;
        let n_words = self.n_words(n_left);
        let mask = &self.masks[n_left][..n_words];
        let columns_at = if self.is_within { 0 } else { group.n_rows };
        let Scratch { table, key, numbers, totals_of_keys, .. } = scratch;
        table.restart(n_words, group.weights.len());
        key.resize(n_words, 0);
        numbers.clear();
        let of_key = totals_of_keys;
        of_key.clear();
        let nodes = group.words.chunks_exact(group.n_words).zip(group.weights);
        for (node, (words, &weight)) in nodes.enumerate() {
            for ((to, &word), &mask) in key.iter_mut().zip(words).zip(mask) {
                *to = word & mask;
            }
            let number = table.intern(key, hash(key));
            if number as usize == of_key.len() {
                of_key.push(0);
            }
            if node >= columns_at {
                of_key[number as usize] += u64::from(weight);
            }
            numbers.push(number);
        }
        for (row, (sum, &number)) in sums.iter_mut().zip(&*numbers).enumerate() {
            *sum = sum.wrapping_add(of_key[number as usize] - self.own(group, row));
        }
    }

    /// Adds what the subset counts that ends with the last model.
    fn add_last(&self, group: Group<'_>, size: usize, sums: &mut [u64], totals: &mut [u64]) {
        let model = self.models[self.models.len() - 1];
        let factor = self.subset_factor(size);
        let code = |words| self.layout().code(words, model);
        let (words, weights) = self.columns(group);
        for (words, &weight) in words.chunks_exact(group.n_words).zip(weights) {
            totals[code(words)] += u64::from(weight);
        }
        for (row, (sum, words)) in
            sums.iter_mut().zip(group.words.chunks_exact(group.n_words)).enumerate()
        {
            let total = totals[code(words)] - self.own(group, row);
            *sum = sum.wrapping_add(total.wrapping_mul(factor));
        }
        for words in words.chunks_exact(group.n_words) {
            totals[code(words)] = 0;
        }
    }
}

/// What a pair adds in all subsets that begin with a prefix, by the number of models in the prefix, at least 1, and
/// of those in which the pair doesn't agree or that are left out, at most one more than can be.
fn factors(n_models: usize, min_agree: usize) -> Vec<Vec<u64>> {
    let factor = |prefix: usize, without: usize| {
        let agree = n_models.checked_sub(prefix + without)?;
        let size = (min_agree - 1).checked_sub(agree)?;
        let ways = binomial(prefix.checked_sub(1)?, size);
        let is_added = (prefix + agree + min_agree).is_multiple_of(2);
        Some(if is_added { ways } else { ways.wrapping_neg() })
    };
    let most = n_models - min_agree + 1;
    let of_prefix =
        |prefix| (0..=most).map(|without| factor(prefix, without).unwrap_or(0)).collect();
    (0..=n_models).map(of_prefix).collect()
}

/// Number of subsets of at least `min_agree` models and their own prefixes that go on from a prefix, by the number of
/// its models and of those that it leaves out.
fn n_after(n_models: usize, min_agree: usize) -> Vec<Vec<u64>> {
    let slack = n_models - min_agree;
    let mut n_after = vec![vec![0u64; slack + 2]; n_models + 1];
    for prefix in (0..n_models).rev() {
        for left_out in (0..=slack.min(n_models - prefix - 1)).rev() {
            let (with, without) = (n_after[prefix + 1][left_out], n_after[prefix][left_out + 1]);
            n_after[prefix][left_out] = with.saturating_add(without).saturating_add(1);
        }
    }
    n_after
}

#[cfg(test)]
mod tests {
    use consilience_data::Votes;
    use proptest::prelude::*;

    use super::*;
    use crate::{AgreementParams, Threads, common::votes};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn subsets_count_what_the_definition_says(
            votes in votes(), spread in 1..4000u16, min_agree: prop::sample::Index,
            pairs_per_entry in prop_oneof![Just(0), 0..3u64], shared in prop_oneof![Just(1), 1..40usize],
        ) {
            // Ids far apart take several words.
            let clusters = votes.clusters().mapv(|id| if id == Votes::MISSING { 0 } else { id * spread });
            let votes = Votes::new(clusters, votes.confidences().to_owned()).unwrap();
            let agreement = AgreementParams::default().check(votes.n_models()).unwrap();
            let signatures = Signatures::group(&votes, &agreement, &Threads::new(2).unwrap()).unwrap();
            let models: Vec<usize> = (0..votes.n_models()).filter(|model| model % 5 != 3).collect();
            let min_agree = 1 + min_agree.index(models.len());
            let agrees = |&row: &SignatureIdx, &column: &SignatureIdx| {
                let (row, column) = (signatures.votes(row), signatures.votes(column));
                models.iter().filter(|&&model| row[model] == column[model]).count() >= min_agree
            };
            let brute_force = |rows: &[SignatureIdx], columns: &[SignatureIdx]| -> Vec<u64> {
                let count = |row| columns.iter()
                    .filter(|column| *column != row && agrees(row, column))
                    .map(|&column| u64::from(signatures.multiplicity(column)))
                    .sum();
                rows.iter().map(count).collect()
            };
            let agreeing = || {
                let agreeing = Agreeing::new(&signatures, &models, min_agree);
                Agreeing { pairs_per_entry, shared, ..agreeing }
            };
            let all: Vec<SignatureIdx> = signatures.iter().collect();
            prop_assert_eq!(agreeing().within(&all), brute_force(&all, &all));
            let (rows, columns) = all.split_at(all.len() / 3);
            prop_assert_eq!(agreeing().between(rows, columns), brute_force(rows, columns));
        }
    }
}
