//! Signatures as plain values, for tools that only have to tell them apart and count them.

use std::borrow::Cow;

use consilience_data::{ClusterId, Votes};

use crate::{GraphError, packing::Layout};

/// How the votes of some models are written as one value: a whole number where they fit in 63 bits, else text.
///
/// A number holds a field for each model, the first in the lowest bits, of as many bits as its number of clusters needs; the field is
/// the cluster plus one, 0 where the vote is missing. Text is an `x`, so that no tool takes it for a number, and 16 hexadecimal
/// digits for each 64 bits.
///
/// # Example
///
/// ```
/// use consilience_data::Votes;
/// use consilience_graph::{Codes, SignatureCodes};
/// use ndarray::{Array2, array};
///
/// let codes = SignatureCodes::new(&[3, 10])?;
/// let votes = Votes::new(array![[2, 0], [9, Votes::MISSING]], Array2::ones((2, 2)))?;
/// assert_eq!(codes.encode(&votes), Codes::Numbers(vec![(9 + 1) * 4 + 2 + 1, 1]));
/// assert_eq!(codes.decode("43").unwrap()[1].unwrap().0, 9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SignatureCodes {
    n_clusters: Vec<usize>,
    layout: Layout,
}

/// The signatures of samples, length n_samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Codes {
    /// Not below 0.
    Numbers(Vec<i64>),
    /// See [`SignatureCodes`].
    Texts(Vec<String>),
}

/// What texts begin with.
const TEXT: char = 'x';
/// Hexadecimal digits of a word.
const DIGITS: usize = 16;

impl Codes {
    /// A sample's signature as text.
    #[must_use]
    pub fn text(&self, sample: usize) -> Cow<'_, str> {
        match self {
            Self::Numbers(numbers) => numbers[sample].to_string().into(),
            Self::Texts(texts) => texts[sample].as_str().into(),
        }
    }
}

impl SignatureCodes {
    /// For models of so many clusters each.
    ///
    /// # Errors
    ///
    /// [`GraphError::ModelCount`] without models or over 65,535, [`GraphError::ClusterCount`] if one has over 65,535 clusters.
    pub fn new(n_clusters: &[usize]) -> Result<Self, GraphError> {
        let n_models = n_clusters.len();
        if n_models == 0 || n_models > usize::from(u16::MAX) {
            return Err(GraphError::ModelCount { n_models });
        }
        if let Some(&k) = n_clusters.iter().find(|&&k| k > usize::from(u16::MAX)) {
            return Err(GraphError::ClusterCount { k });
        }
        Ok(Self { n_clusters: n_clusters.to_vec(), layout: Layout::new(n_clusters) })
    }

    /// Number of models.
    #[must_use]
    pub fn n_models(&self) -> usize {
        self.n_clusters.len()
    }

    /// Whether signatures are written as numbers.
    #[must_use]
    pub fn are_numbers(&self) -> bool {
        self.layout.n_words() == 1
    }

    /// The signature of every sample. O(n_samples * n_models).
    ///
    /// # Panics
    ///
    /// If the votes are of another number of models.
    #[must_use]
    pub fn encode(&self, votes: &Votes) -> Codes {
        assert_eq!(votes.n_models(), self.n_models(), "the votes of these models");
        let clusters = votes.clusters();
        let words = clusters.columns().into_iter().map(|column| {
            let mut words = vec![0; self.layout.n_words()];
            for (model, &vote) in column.iter().enumerate() {
                self.layout.set(&mut words, model, (vote != Votes::MISSING).then_some(vote));
            }
            words
        });
        if self.are_numbers() {
            // Without the gate's bit, which is the lowest.
            Codes::Numbers(words.map(|words| (words[0] >> 1).cast_signed()).collect())
        } else {
            let text = |words: Vec<u64>| {
                let digits = words.iter().map(|word| format!("{word:0DIGITS$x}"));
                std::iter::once(TEXT.to_string()).chain(digits).collect()
            };
            Codes::Texts(words.map(text).collect())
        }
    }

    /// The votes that a signature is of, length n_models; `None` if it is none of these models'.
    #[must_use]
    pub fn decode(&self, code: &str) -> Option<Vec<Option<ClusterId>>> {
        let words: Vec<u64> = if self.are_numbers() {
            let number: i64 = code.parse().ok()?;
            // No second way to write it.
            vec![u64::try_from(number).ok().filter(|_| number.to_string() == code)? << 1]
        } else {
            let digits = code.strip_prefix(TEXT)?.as_bytes();
            let word = |digits: &[u8]| {
                let digits = std::str::from_utf8(digits).ok()?;
                let word = u64::from_str_radix(digits, 16).ok()?;
                (format!("{word:0DIGITS$x}") == digits).then_some(word)
            };
            digits.chunks(DIGITS).map(word).collect::<Option<_>>()?
        };
        if words.len() != self.layout.n_words() {
            return None;
        }
        let votes: Vec<_> = (0..self.n_models())
            .map(|model| self.layout.get(&words, model).map(ClusterId))
            .collect();
        // Whatever lies outside of fields, or is no cluster, is no vote.
        let mut again = vec![0; words.len()];
        for (model, vote) in votes.iter().enumerate() {
            if vote.is_some_and(|vote| vote.index() >= self.n_clusters[model]) {
                return None;
            }
            self.layout.set(&mut again, model, vote.map(|vote| vote.0));
        }
        (again == words).then_some(votes)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;

    /// Numbers of clusters, and the votes of two samples.
    fn votes() -> impl Strategy<Value = (Vec<usize>, Vec<[u16; 2]>)> {
        let model = prop_oneof![1..30usize, Just(255), Just(256), Just(65_535)];
        prop::collection::vec(model, 1..20).prop_flat_map(|n_clusters| {
            let vote = |&k: &usize| {
                let last = u16::try_from(k - 1).unwrap();
                prop_oneof![6 => 0..=last, 1 => Just(last), 1 => Just(Votes::MISSING)]
            };
            let votes: Vec<_> = n_clusters.iter().map(|k| [vote(k), vote(k)]).collect();
            (Just(n_clusters), votes)
        })
    }

    proptest! {
        #[test]
        fn codes_come_back_and_differ_where_votes_do((n_clusters, votes) in votes()) {
            let codes = SignatureCodes::new(&n_clusters).unwrap();
            let clusters = Array2::from_shape_fn((votes.len(), 2), |(model, sample)| votes[model][sample]);
            let votes = Votes::new(clusters.clone(), Array2::ones(clusters.dim())).unwrap();
            let encoded = codes.encode(&votes);
            prop_assert_eq!(matches!(encoded, Codes::Numbers(_)), codes.are_numbers());
            if let Codes::Numbers(numbers) = &encoded {
                prop_assert!(numbers.iter().all(|&number| number >= 0));
            }
            let texts = [0, 1].map(|sample| encoded.text(sample).into_owned());
            for (sample, text) in texts.iter().enumerate() {
                let votes = codes.decode(text).unwrap();
                let votes: Vec<u16> =
                    votes.iter().map(|vote| vote.map_or(Votes::MISSING, |vote| vote.0)).collect();
                prop_assert_eq!(votes, clusters.column(sample).to_vec());
            }
            prop_assert_eq!(texts[0] == texts[1], clusters.column(0) == clusters.column(1));
        }
    }

    #[test]
    fn what_is_no_signature_is_none() {
        let small = SignatureCodes::new(&[3, 10]).unwrap();
        assert!(small.are_numbers() && small.n_models() == 2);
        // A cluster 10, a bit beyond both models, and what is no number.
        for wrong in ["44", "64", "-1", "", "3.0", "+3", "03", "x0", "9223372036854775808"] {
            assert_eq!(small.decode(wrong), None, "{wrong}");
        }
        let large = SignatureCodes::new(&[60_000; 5]).unwrap();
        assert!(!large.are_numbers());
        for wrong in ["7", "x", "x0", "x00000000000000010000000000000000", &"é".repeat(32)] {
            assert_eq!(large.decode(wrong), None, "{wrong}");
        }
        assert_eq!(large.decode(&format!("x{}", "0".repeat(32))), Some(vec![None; 5]));
        assert!(SignatureCodes::new(&[]).is_err() && SignatureCodes::new(&[70_000]).is_err());
    }
}
