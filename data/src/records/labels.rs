//! A column of labels as the truth.

use std::collections::HashMap;

use super::cells::is_missing;
use super::{PartInfo, Place, Roles};
use crate::{DataError, Truth};

/// Labels as they are read: four bytes a row, and each distinct label once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Labels {
    /// The distinct labels, numbered as they come.
    numbers: HashMap<String, u32>,
    rows: Vec<u32>,
    /// The line or row of the first that is missing, and how many are.
    missing: Option<u64>,
    n_missing: u64,
}

impl Labels {
    /// Adds the label of line or row `at`.
    pub(crate) fn push(&mut self, label: String, at: u64) {
        if is_missing(&label) {
            self.missing.get_or_insert(at);
            self.n_missing += 1;
        }
        let next = u32::try_from(self.numbers.len()).expect("fewer labels than fit in memory");
        self.rows.push(*self.numbers.entry(label).or_insert(next));
    }

    pub(crate) fn n_missing(&self) -> u64 {
        self.n_missing
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The line or row of the first that is missing.
    pub(crate) fn missing(&self) -> Option<u64> {
        self.missing
    }

    /// The label of every row.
    pub(crate) fn words(&self) -> Vec<&str> {
        let mut words = vec![""; self.numbers.len()];
        for (word, &number) in &self.numbers {
            words[number as usize] = word;
        }
        self.rows.iter().map(|&number| words[number as usize]).collect()
    }

    /// The truth beside a source's features. `None` where there is no such column, or where nobody
    /// said that a column is one and it makes no sense as such (labels that are missing, or not whole): it is then left aside.
    pub(crate) fn beside(
        &self,
        place: Place,
        roles: &Roles,
        with_truth: bool,
        name: &str,
        info: &mut PartInfo,
    ) -> Result<Option<Truth>, DataError> {
        if roles.label.is_none() {
            return Ok(None);
        }
        let truth = match self.missing {
            Some(at) => {
                Err(DataError::NoLabelAt { source_name: name.into(), place: place.word(), at })
            }
            None => from_words(&self.words(), name),
        };
        match truth {
            Ok(truth) => Ok(with_truth.then_some(truth)),
            Err(error) if roles.label_was_named && with_truth => Err(error),
            Err(_) => {
                info.has_truth = false;
                let column = info.truth_from.take().unwrap_or_default();
                info.left_aside.push(format!("{column} (not a class for every sample)"));
                Ok(None)
            }
        }
    }
}

/// The truth from whole numbers, if all labels are numbers, else from words.
pub(crate) fn from_words<S: AsRef<str>>(labels: &[S], name: &str) -> Result<Truth, DataError> {
    let numbers: Option<Vec<Result<i64, f64>>> =
        labels.iter().map(|label| whole(label.as_ref())).collect();
    let Some(numbers) = numbers else { return Ok(Truth::from_labels(labels)?) };
    let numbers = numbers.into_iter().enumerate();
    let numbers: Result<Vec<i64>, DataError> = numbers
        .map(|(index, number)| {
            let source_name = || name.to_owned();
            number.map_err(|value| DataError::LabelNotWhole {
                source_name: source_name(),
                index,
                value,
            })
        })
        .collect();
    Ok(Truth::from_integers(&numbers?)?)
}

/// The whole number that a word is, or what number it is instead; `None` if it is no number.
fn whole(text: &str) -> Option<Result<i64, f64>> {
    /// Above it not every whole number is a 64-bit float.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Ok(whole) = text.parse() {
        // `01` is a code, and another one than `1`.
        let is_code = text.len() > 1 && text.trim_start_matches(['+', '-']).starts_with('0');
        return (!is_code || whole == 0 && text == "-0").then_some(Ok(whole));
    }
    let value: f64 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
    Some(if value.fract() == 0.0 && value.abs() <= EXACT { Ok(value as i64) } else { Err(value) })
}
