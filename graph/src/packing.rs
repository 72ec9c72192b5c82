//! A sample's column of votes as a few machine words, compared without unpacking.

/// Where each model's vote lies in the words of a signature.
///
/// A model's field holds its cluster id plus one, 0 where the vote is missing, in as many bits as the model's
/// largest id needs. Fields don't cross words. Bit 0 of the first word is the gate and belongs to no field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    fields: Vec<Field>,
    /// For each word, the highest bit of each of its fields.
    high: Vec<u64>,
    /// For each word, all other bits of its fields.
    low: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    word: usize,
    shift: u32,
    width: u32,
}

/// Bit of the first word that says whether a signature passes the gate.
const GATE: u64 = 1;

/// How the models see a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    /// Number of models that put both in one cluster.
    pub(crate) agree: u16,
    /// Number of models that voted on both.
    pub(crate) common: u16,
}

impl Layout {
    /// Fields for models with ids below `n_clusters`, length n_models, each at most 65,535.
    pub(crate) fn new(n_clusters: &[usize]) -> Self {
        let mut layout = Self { fields: Vec::new(), high: vec![0], low: vec![0] };
        let mut next = 1;
        for &n_clusters in n_clusters {
            let width = usize::BITS - n_clusters.max(1).leading_zeros();
            if next + width > u64::BITS {
                layout.high.push(0);
                layout.low.push(0);
                next = 0;
            }
            let field = Field { word: layout.high.len() - 1, shift: next, width };
            let top = 1 << (next + width - 1);
            layout.high[field.word] |= top;
            layout.low[field.word] |= field.mask() & !top;
            layout.fields.push(field);
            next += width;
        }
        layout
    }

    pub(crate) fn n_models(&self) -> usize {
        self.fields.len()
    }

    /// Number of words of a signature.
    pub(crate) fn n_words(&self) -> usize {
        self.high.len()
    }

    /// Number of clusters that a model's field has room for.
    pub(crate) fn capacity(&self, model: usize) -> usize {
        (1 << self.fields[model].width) - 1
    }

    /// Writes a model's vote into words that hold zeros there.
    pub(crate) fn set(&self, words: &mut [u64], model: usize, cluster: Option<u16>) {
        let Field { word, shift, .. } = self.fields[model];
        words[word] |= cluster.map_or(0, |cluster| u64::from(cluster) + 1) << shift;
    }

    /// A model's vote.
    pub(crate) fn get(&self, words: &[u64], model: usize) -> Option<u16> {
        let field = self.fields[model];
        let code = (words[field.word] & field.mask()) >> field.shift;
        u16::try_from(code.checked_sub(1)?).ok()
    }

    pub(crate) fn set_gate(words: &mut [u64]) {
        words[0] |= GATE;
    }

    pub(crate) fn passes_gate(words: &[u64]) -> bool {
        words[0] & GATE != 0
    }

    /// The words of the votes alone.
    pub(crate) fn without_gate(words: &[u64]) -> impl Iterator<Item = u64> {
        words.iter().enumerate().map(|(at, &word)| if at == 0 { word & !GATE } else { word })
    }

    /// How the models see two signatures. O(n_words).
    ///
    /// The highest bit of each field is made to say whether the field holds anything but zeros: adding the
    /// field's lower bits, all ones, carries into it just then, and never beyond it.
    #[inline]
    pub(crate) fn pair(&self, first: &[u64], second: &[u64]) -> Pair {
        let (mut agree, mut common) = (0, 0);
        for (((&a, &b), &high), &low) in first.iter().zip(second).zip(&self.high).zip(&self.low) {
            let not_zero = |word: u64| (((word & low) + low) | word) & high;
            let voted = not_zero(a);
            common += (voted & not_zero(b)).count_ones();
            agree += (voted & !not_zero(a ^ b)).count_ones();
        }
        #[expect(clippy::cast_possible_truncation, reason = "there are at most 65,535 models")]
        Pair { agree: agree as u16, common: common as u16 }
    }

    /// Number of models that put two signatures in one cluster, if both have votes of all models. O(n_words).
    #[inline]
    pub(crate) fn agree_of_complete(&self, first: &[u64], second: &[u64]) -> u16 {
        let mut differ = 0;
        for (((&a, &b), &high), &low) in first.iter().zip(second).zip(&self.high).zip(&self.low) {
            let xor = a ^ b;
            differ += ((((xor & low) + low) | xor) & high).count_ones();
        }
        #[expect(clippy::cast_possible_truncation, reason = "there are at most 65,535 models")]
        {
            self.fields.len() as u16 - differ as u16
        }
    }

    /// Number of the fields in `mask` (as [`Layout::mask`] gives it) in which two signatures differ. O(n_words).
    #[inline]
    pub(crate) fn differ(&self, first: &[u64], second: &[u64], mask: &[u64]) -> usize {
        let fields = mask.iter().zip(&self.high).zip(&self.low);
        let words = first.iter().zip(second).zip(fields);
        let differ = words.map(|((&a, &b), ((&mask, &high), &low))| {
            let xor = (a ^ b) & mask;
            ((((xor & low) + low) | xor) & high).count_ones()
        });
        differ.sum::<u32>() as usize
    }

    /// A model's field as it is: the cluster id plus one, 0 where the vote is missing.
    #[inline]
    pub(crate) fn code(&self, words: &[u64], model: usize) -> usize {
        let field = self.fields[model];
        #[expect(clippy::cast_possible_truncation, reason = "fields have 16 bits at most")]
        let code = ((words[field.word] & field.mask()) >> field.shift) as usize;
        code
    }

    /// The word that holds a model's field. Later models are in the same one or a later one.
    pub(crate) fn word_of(&self, model: usize) -> usize {
        self.fields[model].word
    }

    /// Writes the highest bit of each field that holds a vote into `voted`, length n_words.
    pub(crate) fn voted(&self, words: &[u64], voted: &mut [u64]) {
        let masks = self.high.iter().zip(&self.low);
        for ((&word, to), (&high, &low)) in words.iter().zip(voted).zip(masks) {
            *to = (((word & low) + low) | word) & high;
        }
    }

    /// The mask that keeps the fields of `models`, and neither the gate nor the others.
    pub(crate) fn mask(&self, models: impl IntoIterator<Item = usize>) -> Vec<u64> {
        let mut mask = vec![0; self.n_words()];
        for model in models {
            let field = self.fields[model];
            mask[field.word] |= field.mask();
        }
        mask
    }
}

impl Field {
    fn mask(self) -> u64 {
        ((1 << self.width) - 1) << self.shift
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers of clusters, and two columns of votes that fit them.
    fn columns() -> impl Strategy<Value = (Vec<usize>, Vec<[Option<u16>; 2]>)> {
        let model = prop_oneof![Just(1), Just(2), 3..20usize, Just(255), Just(65_535)];
        prop::collection::vec(model, 1..30).prop_flat_map(|n_clusters| {
            let votes: Vec<_> = n_clusters
                .iter()
                .map(|&n| {
                    let id = prop::option::weighted(0.8, 0..n.min(4)).boxed();
                    let last = Just(Some(n - 1)).boxed();
                    let vote = prop_oneof![4 => id, 1 => last]
                        .prop_map(|id| id.map(|id| u16::try_from(id).unwrap()));
                    [vote.clone().boxed(), vote.boxed()]
                })
                .collect();
            (Just(n_clusters), votes)
        })
    }

    proptest! {
        #[test]
        fn packed_pairs_equal_the_definition((n_clusters, votes) in columns(), gate: bool) {
            let layout = Layout::new(&n_clusters);
            let mut words = [vec![0; layout.n_words()], vec![0; layout.n_words()]];
            for (model, pair) in votes.iter().enumerate() {
                for end in 0..2 {
                    layout.set(&mut words[end], model, pair[end]);
                }
            }
            if gate {
                Layout::set_gate(&mut words[0]);
            }
            for (model, pair) in votes.iter().enumerate() {
                prop_assert_eq!(layout.get(&words[0], model), pair[0]);
                prop_assert_eq!(layout.get(&words[1], model), pair[1]);
            }
            let common = votes.iter().filter(|pair| pair.iter().all(Option::is_some)).count();
            let agree = votes.iter().filter(|[a, b]| a.is_some() && a == b).count();
            let found = layout.pair(&words[0], &words[1]);
            prop_assert_eq!((usize::from(found.agree), usize::from(found.common)), (agree, common));
            prop_assert_eq!(Layout::passes_gate(&words[0]), gate);
            if common == votes.len() {
                prop_assert_eq!(layout.agree_of_complete(&words[0], &words[1]), found.agree);
            }
        }
    }
}
