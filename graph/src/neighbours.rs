//! Strong positive neighbours, without comparing all pairs.

use std::{collections::BTreeMap, ops::Range};

use crate::{
    SignatureIdx, Signatures, ValidAgreement,
    patterns::{Patterns, binomial, subsets},
    shards::masked,
    word_table::{WordTable, hash},
};

/// Signatures by their votes on a few models, for a family of sets of models of which every strong positive pair
/// is equal in one at least.
///
/// Of `c` models that voted on both, `r` agree. Then the pair is equal in one of the subsets of `r` models: those
/// are the sets where they are few, and then every candidate is a neighbour. Else the models are split into
/// `c - r + 1` blocks: as `c - r` models may differ, one block doesn't (pigeonhole).
#[derive(Debug)]
pub(crate) struct Neighbours {
    patterns: Patterns,
    /// By (pattern of the candidates, models).
    indexes: BTreeMap<(usize, Vec<usize>), Index>,
}

/// One pattern's signatures by their votes on some models.
#[derive(Debug)]
struct Index {
    mask: Vec<u64>,
    table: WordTable,
    /// By number in the table: where its signatures end in `nodes`.
    ends: Vec<u32>,
    nodes: Vec<SignatureIdx>,
}

/// Subsets are used instead of blocks up to so many.
const MAX_SUBSETS: u64 = 50;

/// Each signature lies in so many indexes at most; beyond (for many patterns of missing votes), pairs are compared.
const MAX_ENTRIES: usize = 256;

impl Neighbours {
    /// `None` if there would be too many indexes.
    pub(crate) fn new(signatures: &Signatures, agreement: &ValidAgreement) -> Option<Self> {
        let all: Vec<SignatureIdx> = signatures.iter().collect();
        let patterns = Patterns::of(signatures, &all);
        let mut indexes = BTreeMap::new();
        let mut entries = 0;
        for rows in 0..patterns.len() {
            for columns in 0..patterns.len() {
                for models in covering(agreement, &patterns.common(rows, &patterns, columns)) {
                    let nodes = &patterns.nodes[columns];
                    indexes.entry((columns, models)).or_insert_with_key(|(_, models)| {
                        entries += nodes.len();
                        (models.clone(), nodes)
                    });
                    if entries > MAX_ENTRIES * signatures.len() {
                        return None;
                    }
                }
            }
        }
        let indexes = indexes
            .into_iter()
            .map(|(key, (models, nodes))| (key, Index::new(signatures, &models, nodes)))
            .collect();
        Some(Self { patterns, indexes })
    }

    /// All strong positive neighbours of a signature are among these (ascending, each once), and others.
    pub(crate) fn candidates(
        &self,
        signatures: &Signatures,
        agreement: &ValidAgreement,
        node: SignatureIdx,
    ) -> Vec<SignatureIdx> {
        let rows = self.patterns.of[node.index()] as usize;
        let mut candidates = Vec::new();
        for columns in 0..self.patterns.len() {
            for models in covering(agreement, &self.patterns.common(rows, &self.patterns, columns))
            {
                if let Some(index) = self.indexes.get(&(columns, models)) {
                    candidates.extend_from_slice(index.equal_to(signatures, node));
                }
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        candidates
    }
}

impl Index {
    fn new(signatures: &Signatures, models: &[usize], nodes: &[SignatureIdx]) -> Self {
        let mask = signatures.layout.mask(models.iter().copied());
        let mut table = WordTable::new(mask.len());
        let mut key = vec![0; mask.len()];
        let mut ends: Vec<u32> = Vec::new();
        let numbers: Vec<u32> = nodes
            .iter()
            .map(|&node| {
                masked(signatures, node, &mask, &mut key);
                let number = table.intern(&key, hash(&key));
                if number as usize == ends.len() {
                    ends.push(0);
                }
                ends[number as usize] += 1;
                number
            })
            .collect();
        let mut start = 0;
        ends.iter_mut().for_each(|end| start += std::mem::replace(end, start));
        let mut sorted = vec![SignatureIdx::default(); nodes.len()];
        for (&node, number) in nodes.iter().zip(numbers) {
            let end = &mut ends[number as usize];
            sorted[*end as usize] = node;
            *end += 1;
        }
        Self { mask, table, ends, nodes: sorted }
    }

    /// Those that voted as `node` did.
    fn equal_to(&self, signatures: &Signatures, node: SignatureIdx) -> &[SignatureIdx] {
        let mut key = vec![0; self.mask.len()];
        masked(signatures, node, &self.mask, &mut key);
        let Some(number) = self.table.get(&key, hash(&key)) else { return &[] };
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.nodes[Range { start: start as usize, end: self.ends[number] as usize }]
    }
}

/// Sets of models, one of which at least any strong positive pair is equal in, if `common` voted on both.
fn covering(agreement: &ValidAgreement, common: &[usize]) -> Vec<Vec<usize>> {
    let n_common = u16::try_from(common.len()).unwrap_or(u16::MAX);
    let Some(thresholds) = agreement.at(n_common) else { return Vec::new() };
    let min_agree = usize::from(thresholds.min_agree);
    if min_agree > common.len() {
        return Vec::new();
    }
    if binomial(common.len(), min_agree) <= MAX_SUBSETS {
        return subsets(common, min_agree);
    }
    let n_blocks = common.len() - min_agree + 1;
    let bound = |block: usize| block * common.len() / n_blocks;
    (0..n_blocks).map(|block| common[bound(block)..bound(block + 1)].to_vec()).collect()
}
