//! Columns of words as features: one for each word, 1 where the column has it, else 0.

use std::collections::BTreeSet;

use super::cells::has_no_value;
use super::roles::{OneHot, columns_of_words};
use super::{Batch, Numbers, Records, Roles, Schema, Wanted};
use crate::{DataError, ReadOptions};

/// More words of a column are texts, or names.
const MAX_WORDS: usize = 1000;

/// The words of each of the one-hot columns, of all sources, in alphabetical order.
///
/// # Errors
///
/// As reading the sources, a column that isn't there or can't have words, and one with too many.
pub(crate) fn words(
    sources: impl Iterator<Item = Result<Records, DataError>>,
    options: &ReadOptions,
) -> Result<Vec<Vec<String>>, DataError> {
    let names = &options.one_hot_columns;
    let mut found = vec![BTreeSet::new(); names.len()];
    for records in sources {
        let Records { schema, mut rows, .. } = records?;
        let columns = columns_of_words(&schema, names)?;
        let wanted = Wanted { words: columns, ..Wanted::default() };
        while let Some(batch) = rows.next(&schema, &wanted)? {
            for (found, words) in found.iter_mut().zip(&batch.words) {
                for word in words.iter().flatten().map(|word| word.trim()) {
                    if !found.contains(word) && !has_no_value(word, options) {
                        found.insert(word.to_owned());
                    }
                }
            }
            if let Some(place) = found.iter().position(|words| words.len() > MAX_WORDS) {
                return Err(DataError::TooManyWords {
                    source_name: schema.name.clone(),
                    column: schema.columns[wanted.words[place]].name.clone(),
                    most: MAX_WORDS,
                });
            }
        }
    }
    Ok(found.into_iter().map(|words| words.into_iter().collect()).collect())
}

/// Makes the last columns of words, one for each [`OneHot`], features behind the others. A missing word makes missing values.
pub(crate) fn widen(
    batch: &mut Batch,
    roles: &Roles,
    schema: &Schema,
    options: &ReadOptions,
) -> Result<(), DataError> {
    let start = batch.words.len() - roles.one_hot.len();
    let columns = batch.words.split_off(start);
    let before = batch.numbers.len().checked_div(batch.n_rows).unwrap_or(0);
    let numbers = std::mem::replace(&mut batch.numbers, Numbers::F64(Vec::new())).into_f64();
    let more: usize = roles.one_hot.iter().map(|one_hot| one_hot.words.len()).sum();
    let mut values = Vec::with_capacity(batch.n_rows * (before + more));
    for row in 0..batch.n_rows {
        values.extend_from_slice(&numbers[row * before..(row + 1) * before]);
        for (OneHot { column, words }, cells) in roles.one_hot.iter().zip(&columns) {
            let cell = cells[row].as_deref().unwrap_or_default().trim();
            let start = values.len();
            if has_no_value(cell, options) {
                values.resize(start + words.len(), f64::NAN);
                continue;
            }
            values.resize(start + words.len(), 0.0);
            let place = words.iter().position(|word| word == cell);
            let place = place.ok_or_else(|| DataError::UnknownWord {
                source_name: schema.name.clone(),
                place: schema.place.word(),
                at: batch.places.at(row),
                column: schema.columns[*column].name.clone(),
                word: cell.chars().take(40).collect(),
            })?;
            values[start + place] = 1.0;
        }
    }
    for place in &mut batch.inexact {
        *place = *place / before * (before + more) + *place % before;
    }
    batch.numbers = Numbers::F64(values);
    Ok(())
}
