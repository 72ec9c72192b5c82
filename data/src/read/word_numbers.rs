//! Texts as the numbers of their words, in order: for networks that read sequences.

use std::collections::HashMap;

use super::tf_idf::words;

/// Words that are told apart at most.
const MAX_WORDS: usize = 4000;
/// The number of a word that isn't told apart; that of no word, behind a text's last, is 0.
const UNKNOWN: u16 = 1;
/// The number of the first word of the vocabulary.
const FIRST: u16 = 2;

/// The commonest words of all texts, by the number of times that they are used; of equally common words the first in the alphabet.
/// O(letters + words log words).
pub(super) fn learn<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for text in texts {
        words(text, |word| match seen.get_mut(word) {
            Some(uses) => *uses += 1,
            None => drop(seen.insert(word.to_owned(), 1)),
        });
    }
    let mut commonest: Vec<(String, usize)> = seen.into_iter().collect();
    commonest
        .sort_unstable_by(|(a, uses_a), (b, uses_b)| uses_b.cmp(uses_a).then_with(|| a.cmp(b)));
    commonest.truncate(MAX_WORDS);
    commonest.into_iter().map(|(word, _)| word).collect()
}

/// The numbers of each text's first `length` words, row after row: 0 behind the last, 1 for words that `vocabulary` doesn't have.
pub(super) fn number<'a>(
    texts: impl Iterator<Item = &'a str>,
    vocabulary: &[String],
    length: usize,
) -> Vec<f32> {
    let numbers: HashMap<&str, u16> = vocabulary.iter().map(String::as_str).zip(FIRST..).collect();
    let mut values = Vec::new();
    for (text, row) in texts.zip(1..) {
        words(text, |word| {
            if values.len() < row * length {
                values.push(f32::from(numbers.get(word).copied().unwrap_or(UNKNOWN)));
            }
        });
        values.resize(row * length, 0.0);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_stays_and_short_words_count() {
        let texts = ["The cat saw a dog", "a DOG; a cat!", "unheard of"];
        let vocabulary = learn(texts[..2].iter().copied());
        assert_eq!(vocabulary, ["a", "cat", "dog", "saw", "the"]);
        let numbers = number(texts.iter().copied(), &vocabulary, 4);
        assert_eq!(numbers, [6., 3., 5., 2., 2., 4., 2., 3., 1., 1., 0., 0.]);
    }
}
