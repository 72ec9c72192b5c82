//! Which models voted, and subsets of them.

use crate::{
    SignatureIdx, Signatures,
    word_table::{WordTable, hash},
};

/// Signatures by the models that voted on them. Without missing votes there is one pattern.
#[derive(Debug)]
pub(crate) struct Patterns {
    /// By pattern: its models, ascending.
    pub(crate) models: Vec<Vec<usize>>,
    /// By pattern: its signatures, ascending.
    pub(crate) nodes: Vec<Vec<SignatureIdx>>,
    /// By position among the nodes: the pattern.
    pub(crate) of: Vec<u32>,
}

impl Patterns {
    /// Of `nodes`, ascending.
    pub(crate) fn of(signatures: &Signatures, nodes: &[SignatureIdx]) -> Self {
        let layout = &signatures.layout;
        let mut table = WordTable::new(layout.n_words());
        let mut patterns =
            Self { models: Vec::new(), nodes: Vec::new(), of: Vec::with_capacity(nodes.len()) };
        let mut voted = vec![0; layout.n_words()];
        for &node in nodes {
            let words = signatures.words_of(node);
            layout.voted(words, &mut voted);
            let pattern = table.intern(&voted, hash(&voted));
            if pattern as usize == patterns.models.len() {
                let models = 0..signatures.n_models();
                patterns.models.push(models.filter(|&m| layout.get(words, m).is_some()).collect());
                patterns.nodes.push(Vec::new());
            }
            patterns.nodes[pattern as usize].push(node);
            patterns.of.push(pattern);
        }
        patterns
    }

    pub(crate) fn len(&self) -> usize {
        self.models.len()
    }

    /// All nodes as one pattern, of which nothing is known.
    pub(crate) fn joined(&self) -> Self {
        let mut nodes = self.nodes.concat();
        nodes.sort_unstable();
        Self { models: vec![Vec::new()], of: vec![0; nodes.len()], nodes: vec![nodes] }
    }

    /// The models of both a pattern and one of `others`, ascending.
    pub(crate) fn common(&self, first: usize, others: &Self, second: usize) -> Vec<usize> {
        let second = &others.models[second];
        let both = self.models[first].iter().copied();
        both.filter(|model| second.binary_search(model).is_ok()).collect()
    }
}

/// All subsets of `models` of `size`, in lexicographic order.
pub(crate) fn subsets(models: &[usize], size: usize) -> Vec<Vec<usize>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    // As many as are still wanted have to be left, or searching takes longer than there are subsets.
    let starts = (models.len() + 1).saturating_sub(size);
    for (at, &first) in models.iter().enumerate().take(starts) {
        for mut rest in subsets(&models[at + 1..], size - 1) {
            rest.insert(0, first);
            all.push(rest);
        }
    }
    all
}

/// Number of subsets of `size` of a set of `n`; `u64::MAX` if it is larger.
pub(crate) fn binomial(n: usize, size: usize) -> u64 {
    if size > n {
        return 0;
    }
    let mut ways = 1u128;
    for i in 0..size.min(n - size) {
        ways = ways * (n - i) as u128 / (i + 1) as u128;
        if ways > u128::from(u64::MAX) {
            return u64::MAX;
        }
    }
    u64::try_from(ways).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_are_as_many_as_the_binomial_says() {
        let models = [0, 2, 3, 7, 8, 9];
        for size in 0..=7 {
            let mut all = subsets(&models, size);
            assert!(all.iter().all(|subset| subset.is_sorted() && subset.len() == size));
            assert!(all.is_sorted());
            all.dedup();
            assert_eq!(all.len() as u64, binomial(6, size));
        }
        assert_eq!((binomial(10, 5), binomial(1000, 500)), (252, u64::MAX));
        let many: Vec<usize> = (0..65).collect();
        assert_eq!(subsets(&many, 64).len(), 65, "without searching 2^65 beginnings");
    }
}
