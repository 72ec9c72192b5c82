//! Some rows of a source, typed.

use super::{Narrow, Place};
use crate::{DataError, MissingValues, SparseRows};

/// Numbers, row after row, in the narrowest type that holds what the file has exactly. NaN: missing.
#[derive(Debug, Clone)]
pub(crate) enum Numbers {
    /// Of files with numbers of at most 24 significant bits.
    F32(Vec<f32>),
    F64(Vec<f64>),
    /// Of files with integers of 64 bits, and with those that have no sign, if some need all bits.
    I64(Vec<i64>),
    U64(Vec<u64>),
}

impl Numbers {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::I64(values) => values.len(),
            Self::U64(values) => values.len(),
        }
    }

    /// The values at these places.
    pub(crate) fn at(&self, places: impl Iterator<Item = usize>) -> Self {
        match self {
            Self::F32(values) => Self::F32(places.map(|place| values[place]).collect()),
            Self::F64(values) => Self::F64(places.map(|place| values[place]).collect()),
            Self::I64(values) => Self::I64(places.map(|place| values[place]).collect()),
            Self::U64(values) => Self::U64(places.map(|place| values[place]).collect()),
        }
    }

    /// Makes the values missing that stand for it; the first of them, with its place.
    fn without(self, missing: &MissingValues) -> (Self, Option<(usize, f64)>) {
        let mut first = None;
        if let Self::F32(mut values) = self {
            for (place, value) in values.iter_mut().enumerate() {
                if missing.contains_narrow(*value) {
                    first.get_or_insert((place, shortest(*value)));
                    *value = f32::NAN;
                }
            }
            return (Self::F32(values), first);
        }
        let mut values = self.into_f64();
        for (place, value) in values.iter_mut().enumerate() {
            if missing.contains(*value) {
                first.get_or_insert((place, *value));
                *value = f64::NAN;
            }
        }
        (Self::F64(values), first)
    }

    fn is_nan(&self, place: usize) -> bool {
        match self {
            Self::F32(values) => values[place].is_nan(),
            Self::F64(values) => values[place].is_nan(),
            Self::I64(_) | Self::U64(_) => false,
        }
    }

    /// Places of whole numbers that 64-bit floats don't hold.
    pub(crate) fn inexact(&self) -> Vec<usize> {
        match self {
            Self::I64(values) => places_rounded(values),
            Self::U64(values) => places_rounded(values),
            Self::F32(_) | Self::F64(_) => Vec::new(),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "beyond 2^53, which a batch says")]
    pub(crate) fn into_f64(self) -> Vec<f64> {
        match self {
            Self::F32(values) => values.into_iter().map(f64::from).collect(),
            Self::F64(values) => values,
            Self::I64(values) => values.into_iter().map(|value| value as f64).collect(),
            Self::U64(values) => values.into_iter().map(|value| value as f64).collect(),
        }
    }
}

/// What is asked for of a source: each row's numbers, and some of its columns as words. The numbers come from several columns
/// with one each, or from one with a list a row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) numbers: Vec<usize>,
    pub(crate) words: Vec<usize>,
    /// Whether all rows are going to be in memory: batches may then be as large as some share of them.
    pub(crate) are_kept: bool,
    /// How 64-bit numbers become features, where a reader may do it.
    pub(crate) narrow: Option<Narrow>,
    /// Whether rows may be given as they are stored, if these are [sparse](super::Array::stays_sparse).
    pub(crate) keep_sparse: bool,
}

impl Wanted {
    /// All columns that are wanted, ascending.
    pub(crate) fn columns(&self) -> Vec<usize> {
        let mut columns: Vec<usize> = self.numbers.iter().chain(&self.words).copied().collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }
}

/// Where the rows of a batch are in their source.
#[derive(Debug, Clone)]
pub(crate) enum Places {
    /// Rows that follow one another, the first of this number.
    From(u64),
    /// The line of each row.
    Lines(Vec<u64>),
}

impl Places {
    pub(crate) fn at(&self, row: usize) -> u64 {
        match self {
            Self::From(first) => first + row as u64,
            Self::Lines(lines) => lines[row],
        }
    }
}

/// Some rows of a source: what was [`Wanted`] of them.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) n_rows: usize,
    /// Shape (n_rows, width), row after row; empty if no numbers were wanted.
    pub(crate) numbers: Numbers,
    /// A column each, in the order in which they were wanted, shape (n_words, n_rows); `None`: missing.
    pub(crate) words: Vec<Vec<Option<String>>>,
    pub(crate) places: Places,
    /// Places in `numbers` of whole numbers that 64-bit floats don't hold, and so were rounded.
    pub(crate) inexact: Vec<usize>,
    /// How 64-bit numbers became features, if they are that already.
    pub(crate) narrow: Option<Narrow>,
    /// The numbers, if they stay sparse; there are none in `numbers` then.
    pub(crate) sparse: Option<SparseRows>,
}

impl Batch {
    pub(crate) fn new(
        n_rows: usize,
        numbers: Numbers,
        words: Vec<Vec<Option<String>>>,
        places: Places,
    ) -> Self {
        let inexact = numbers.inexact();
        Self { n_rows, numbers, words, places, inexact, narrow: None, sparse: None }
    }

    /// Makes the numbers missing that stand for it; the first of them, with its place.
    pub(crate) fn take_missing(&mut self, missing: &MissingValues) -> Option<(usize, f64)> {
        if missing.is_empty() {
            return None;
        }
        let numbers = std::mem::replace(&mut self.numbers, Numbers::F64(Vec::new()));
        let (numbers, first) = numbers.without(missing);
        // What isn't there isn't rounded.
        self.inexact.retain(|&place| !numbers.is_nan(place));
        self.numbers = numbers;
        first
    }

    /// Keeps some of the rows.
    pub(crate) fn retain(&mut self, kept: &[bool]) {
        fn rows<T>(values: &mut Vec<T>, kept: &[bool]) {
            let width = values.len().checked_div(kept.len()).unwrap_or(0);
            let mut place = 0..;
            values.retain(|_| place.next().is_some_and(|place: usize| kept[place / width.max(1)]));
        }
        match &mut self.numbers {
            Numbers::F32(values) => rows(values, kept),
            Numbers::F64(values) => rows(values, kept),
            Numbers::I64(values) => rows(values, kept),
            Numbers::U64(values) => rows(values, kept),
        }
        self.words.iter_mut().for_each(|words| rows(words, kept));
        let lines = (0..self.n_rows).filter(|&row| kept[row]).map(|row| self.places.at(row));
        self.places = Places::Lines(lines.collect());
        self.n_rows = kept.iter().filter(|&&kept| kept).count();
    }
}

/// A 32-bit float as a person types it.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

fn places_rounded<T: Copy + Into<i128>>(values: &[T]) -> Vec<usize> {
    let rounded = |(place, &value): (usize, &T)| rounds(value.into()).then_some(place);
    values.iter().enumerate().filter_map(rounded).collect()
}

/// Whether a number in a text is a whole one that a 64-bit float doesn't hold.
pub(crate) fn text_rounds(text: &[u8]) -> bool {
    let digits = text.trim_ascii();
    let digits = digits.strip_prefix(b"-").or(digits.strip_prefix(b"+")).unwrap_or(digits);
    let is_whole = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let value = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok());
    is_whole && value.is_none_or(rounds)
}

/// Whether a whole number is none that a 64-bit float holds.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "to see it")]
pub(crate) fn rounds(value: i128) -> bool {
    value.unsigned_abs() > 1 << 53 && (value as f64) as i128 != value
}

/// The width of a source whose rows have to have equally long lists.
#[derive(Debug, Default)]
pub(crate) struct Width(Option<usize>);

impl Width {
    /// Checks a further row.
    pub(crate) fn check(&mut self, found: usize, place: Place, at: u64) -> Result<(), RaggedList> {
        let expected = *self.0.get_or_insert(found);
        if found == expected { Ok(()) } else { Err(RaggedList { place, at, found, expected }) }
    }
}

/// A list that isn't as long as those above.
pub(crate) struct RaggedList {
    place: Place,
    at: u64,
    found: usize,
    expected: usize,
}

impl RaggedList {
    pub(crate) fn error(self, source_name: &str) -> DataError {
        DataError::RaggedVector {
            source_name: source_name.into(),
            place: self.place.word(),
            at: self.at,
            found: self.found,
            expected: self.expected,
        }
    }
}
