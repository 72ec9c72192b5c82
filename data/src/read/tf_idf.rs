//! Texts as vectors of weighted words, as scikit-learn's `TfidfVectorizer` makes them.
//!
//! `TfidfVectorizer(stop_words="english", max_features=2000, sublinear_tf=True)`: words are runs of two or more letters, digits or
//! underscores, in lower case; a word that is `count` times in a text weighs `(1 + ln count) * idf` with
//! `idf = ln((1 + texts) / (1 + texts with the word)) + 1`; a text's weights are scaled to a Euclidean length of 1.

use std::collections::{BTreeMap, HashMap};

use super::sparse::Csr;
use super::stop_words::STOP_WORDS;

/// Number of words that are told apart at most.
const MAX_WORDS: usize = 2000;
/// Shorter words are left out, in letters.
const MIN_LETTERS: usize = 2;

/// Which words there are, and what each is worth.
pub(super) struct Vocabulary {
    /// Column of each word.
    columns: HashMap<String, usize>,
    /// The words in alphabetical order (by code point) or that of a recipe, length n_words.
    words: Vec<String>,
    /// What counts are multiplied by, length n_words.
    idf: Vec<f32>,
}

impl Vocabulary {
    /// The commonest words of all texts, by the number of times that they are used; of equally common words the first in the
    /// alphabet. O(letters + words log words).
    pub(super) fn learn<'a>(texts: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let n_texts = texts.len();
        // A word's uses, the texts that use it, and the last such text.
        let mut seen: HashMap<String, (usize, usize, usize)> = HashMap::new();
        for (text, place) in texts.zip(1..) {
            each_word(text, |word| match seen.get_mut(word) {
                Some((uses, texts, last)) => {
                    *uses += 1;
                    *texts += usize::from(*last != place);
                    *last = place;
                }
                None => {
                    seen.insert(word.to_owned(), (1, 1, place));
                }
            });
        }
        let mut commonest: Vec<(String, (usize, usize, usize))> = seen.into_iter().collect();
        commonest.sort_unstable_by(|(a, (uses_a, ..)), (b, (uses_b, ..))| {
            uses_b.cmp(uses_a).then_with(|| a.cmp(b))
        });
        commonest.truncate(MAX_WORDS);
        commonest.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let idf = commonest.iter().map(|(_, (_, texts, _))| idf(n_texts, *texts)).collect();
        Self::new(commonest.into_iter().map(|(word, _)| word).collect(), idf)
    }

    /// Words and their worth as learnt before, of equal lengths.
    pub(super) fn new(words: Vec<String>, idf: Vec<f32>) -> Self {
        let columns = words.iter().cloned().zip(0..).collect();
        Self { columns, words, idf }
    }

    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    pub(super) fn into_parts(self) -> (Vec<String>, Vec<f32>) {
        (self.words, self.idf)
    }

    /// Each text's words, weighted, shape (n_texts, n_words). A text without any of the words is a row of zeros.
    pub(super) fn weigh<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Csr {
        let mut matrix = Csr::empty(self.len());
        let mut counts: BTreeMap<usize, u32> = BTreeMap::new();
        for text in texts {
            counts.clear();
            each_word(text, |word| {
                if let Some(&column) = self.columns.get(word) {
                    *counts.entry(column).or_default() += 1;
                }
            });
            let weights: Vec<(usize, f64)> = counts
                .iter()
                .map(|(&column, &count)| {
                    (column, (1.0 + f64::from(count).ln()) * f64::from(self.idf[column]))
                })
                .collect();
            let length = weights.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
            matrix.push_row(weights.iter().map(|&(column, weight)| (column, weight / length)));
        }
        matrix
    }
}

/// Smooth: as if one more text had every word.
#[expect(clippy::cast_possible_truncation, reason = "features are 32-bit floats by design")]
#[expect(clippy::cast_precision_loss, reason = "numbers of texts")]
fn idf(n_texts: usize, with_word: usize) -> f32 {
    (((1 + n_texts) as f64 / (1 + with_word) as f64).ln() + 1.0) as f32
}

/// Calls `tell` with every word of a text that isn't a stop word.
fn each_word(text: &str, mut tell: impl FnMut(&str)) {
    words(text, |word| {
        if word.chars().nth(MIN_LETTERS - 1).is_some() && STOP_WORDS.binary_search(&word).is_err() {
            tell(word);
        }
    });
}

/// Calls `tell` with every word of a text, in lower case: runs of letters, digits and underscores.
pub(super) fn words(text: &str, mut tell: impl FnMut(&str)) {
    let text = text.to_lowercase();
    let words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    words.filter(|word| !word.is_empty()).for_each(&mut tell);
}

/// Texts by which it is seen how they are written.
const LOOKED_AT: usize = 1000;
/// Letters that words have on average, at most, in scripts that don't separate them: more are phrases.
const LONGEST: usize = 5;

/// Whether texts are written without blanks between words, as Chinese, Japanese and Thai are, so that what is found are phrases.
pub(super) fn are_unseparated<'a>(texts: impl Iterator<Item = &'a str>) -> bool {
    let (mut n_words, mut n_letters, mut n_others) = (0, 0, 0);
    for text in texts.take(LOOKED_AT) {
        words(text, |word| {
            let of_word = word.chars().filter(|&letter| is_of_such_a_script(letter)).count();
            n_words += usize::from(of_word > 0);
            n_letters += of_word;
            n_others += word.chars().count() - of_word;
        });
    }
    n_letters > n_others && n_letters > LONGEST * n_words
}

/// Thai, Lao, Burmese, Khmer, Japanese syllables, Chinese characters.
fn is_of_such_a_script(letter: char) -> bool {
    matches!(letter,
        '\u{e00}'..='\u{eff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{2ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_without_blanks_are_seen() {
        let are = |texts: &[&str]| are_unseparated(texts.iter().copied());
        assert!(are(&["我喜欢吃苹果和香蕉", "今天天气很好，我们去公园"]));
        assert!(are(&["今日はとても天気がいいです", "iPhoneを買いました"]));
        for separated in ["我 喜欢 吃 苹果 和 香蕉", "나는 사과를 좋아합니다", "plain words", ""]
        {
            assert!(!are(&[separated]), "{separated}");
        }
        assert!(!are(&["a review of 我喜欢吃苹果, a film that nobody has seen"]));
    }

    #[test]
    fn stop_words_are_in_order() {
        assert!(STOP_WORDS.is_sorted());
    }

    #[test]
    fn the_commonest_words_are_kept_and_ties_go_by_the_alphabet() {
        let mut text = "zebra zebra ".to_owned();
        for number in 0..MAX_WORDS {
            text += &format!("w{number:04} ");
        }
        let words = Vocabulary::learn([text.as_str()].into_iter()).words;
        assert_eq!((words.len(), words[0].as_str()), (MAX_WORDS, "w0000"));
        assert_eq!(words[MAX_WORDS - 2..], ["w1998", "zebra"]);
    }
}
