//! Labels by themselves, and how they find their samples.

use std::collections::HashMap;

use consilience_truth::classes;

use super::cells::is_missing;
use super::labels::{Labels, from_words};
use super::pairing::{PairedBy, SampleKeys, are_rows, pair};
use super::{Batch, LabelRoles, Place, Records};
use crate::{DataError, GivenLabels, Truth};

/// A label that says that a sample has none, as scikit-learn writes it.
const NONE: &str = "-1";

/// Labels as files give them, with what these call their samples.
///
/// They can't be looked at: what can be had is a [`Truth`], in the order of some samples, or [`GivenLabels`] of them, if they were
/// read to train on.
#[derive(Debug, Clone, Default)]
pub struct SampleLabels {
    name: String,
    labels: Labels,
    /// Where its rows are; `None` for rows from 0.
    place: Option<Place>,
    keys: SampleKeys<'static>,
    /// The column in which the data's ids are, where these may just count rows.
    lost_ids: Option<String>,
}

/// True classes and clusters of the same samples, in the same order.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Paired {
    /// The true classes.
    pub truth: Truth,
    /// The clusters; samples without one are in the cluster -1.
    pub found: Truth,
    /// How they were paired.
    pub by: PairedBy,
}

impl SampleLabels {
    /// Labels one a sample, by nothing but their order.
    pub(crate) fn in_order(name: &str, labels: impl IntoIterator<Item = String>) -> Self {
        let mut read = Self { name: name.into(), ..Self::default() };
        for (label, row) in labels.into_iter().zip(0..) {
            read.labels.push(label, row);
        }
        read.keys.n_samples = read.labels.len();
        read
    }

    /// The classes beside data.
    pub(crate) fn beside(name: &str, truth: &Truth, ids: Option<Vec<String>>) -> Self {
        let names = truth.names();
        #[expect(clippy::disallowed_methods, reason = "they stay labels, and become a truth again")]
        let labels = classes(truth).iter().map(|&class| names[class as usize].clone());
        let mut read = Self::in_order(name, labels);
        read.keys.ids = ids.map(Into::into);
        read
    }

    /// All labels of a source.
    pub(crate) fn read(mut records: Records, roles: &LabelRoles) -> Result<Self, DataError> {
        let mut read = Self { name: records.schema.name.clone(), ..Self::default() };
        read.place = Some(records.schema.place);
        let wanted = roles.wanted();
        let (mut ids, mut rows) = (Vec::new(), Vec::new());
        while let Some(Batch { n_rows, words, places, .. }) =
            records.rows.next(&records.schema, &wanted)?
        {
            let mut words = words.into_iter();
            for (row, label) in words.next().unwrap_or_default().into_iter().enumerate() {
                read.labels.push(label.unwrap_or_default(), places.at(row));
            }
            if let Some(index) = roles.id {
                for (row, id) in words.next().unwrap_or_default().into_iter().enumerate() {
                    ids.push(id.filter(|id| !id.is_empty()).ok_or_else(|| DataError::Null {
                        source_name: records.schema.name.clone(),
                        place: records.schema.place.word(),
                        at: places.at(row),
                        column: records.schema.columns[index].name.clone(),
                    })?);
                }
            }
            for number in words.next().into_iter().flatten() {
                let found = number.unwrap_or_default();
                let not_a_row = |_| DataError::NotARow {
                    source_name: records.schema.name.clone(),
                    row: rows.len(),
                    found: found.clone(),
                };
                rows.push(found.parse().map_err(not_a_row)?);
            }
            read.keys.n_samples += n_rows;
        }
        if read.keys.n_samples == 0 {
            return Err(DataError::NoLabels { source_name: read.name });
        }
        read.keys.ids = roles.id.map(|_| ids.into());
        read.lost_ids.clone_from(&roles.lost_ids);
        // Rows between those that are there were left out.
        read.keys.is_part = roles.is_partial || rows.iter().any(|&row| row >= read.keys.n_samples);
        read.keys.rows = roles.sample.map(|_| rows.into());
        Ok(read)
    }

    /// These labels, if they are those of a run that left out rows of its data. Without the numbers of rows, any could be meant.
    pub(crate) fn of_part(mut self) -> Self {
        self.keys.is_part |= self.keys.rows.is_some();
        self
    }

    /// Adds another file's samples. Numbers of rows are counted on.
    pub(crate) fn extend(&mut self, other: &Self) -> Result<(), DataError> {
        let n_rows = self.keys.n_samples;
        if self.has_ids() != other.has_ids() {
            let (first, other) = (self.name.clone(), other.name.clone());
            let [first, other] = if self.has_ids() { [first, other] } else { [other, first] };
            return Err(DataError::IdsOfOne { first, other });
        }
        let ids = self.keys.ids.take().zip(other.keys.ids.as_deref());
        self.keys.ids = ids.map(|(ids, others)| [&ids, others].concat().into());
        if self.keys.rows.is_some() || other.keys.rows.is_some() {
            let mut rows = self.keys.numbers().into_owned();
            if rows.iter().any(|&row| row >= n_rows) {
                return Err(DataError::RowsLeftOut { source_name: self.name.clone() });
            }
            rows.extend(other.keys.numbers().iter().map(|row| row.saturating_add(n_rows)));
            self.keys.rows = Some(rows.into());
        }
        self.name = format!("{}, {}", self.name, other.name);
        self.lost_ids = self.lost_ids.take().or_else(|| other.lost_ids.clone());
        self.keys.is_part |= other.keys.is_part;
        for label in other.labels.words() {
            self.labels.push(label.into(), self.keys.n_samples as u64);
            self.keys.n_samples += 1;
        }
        Ok(())
    }

    /// How messages call the files.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of labels.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.keys.n_samples
    }

    /// Whether the files say what the samples are called.
    #[must_use]
    pub fn has_ids(&self) -> bool {
        self.keys.ids.is_some()
    }

    /// Refuses another number of samples, before these are read.
    ///
    /// # Errors
    ///
    /// [`DataError::PairedLengths`].
    pub fn check_count(&self, name: &str, n_samples: usize) -> Result<(), DataError> {
        if self.n_samples() == n_samples {
            return Ok(());
        }
        Err(DataError::PairedLengths {
            first: name.into(),
            first_rows: n_samples,
            second: self.name.clone(),
            second_rows: self.n_samples(),
        })
    }

    /// The true classes of samples, in their order.
    ///
    /// # Arguments
    ///
    /// * `name`: how messages call the samples.
    /// * `samples`: what tells them apart. Labels of samples that were left out of them aren't used.
    ///
    /// # Errors
    ///
    /// [`DataError::IdTwice`], [`DataError::IdAlone`] for the first sample that can't be paired, [`DataError::PairedLengths`] if
    /// there are no names to go by, and labels that are missing or not whole.
    pub fn truth_of(
        &self,
        name: &str,
        samples: &SampleKeys<'_>,
    ) -> Result<(Truth, PairedBy), DataError> {
        self.check_ids(name, samples)?;
        let may_lack = [samples.is_part, false];
        let (rows, by) = pair(samples, &self.keys, [name, &self.name], may_lack)?;
        Ok((self.select(&rows, true)?, by))
    }

    /// The classes to train on of samples, in their order. Nothing, NA and -1 are no label; samples that aren't among the labels have
    /// none, if something says which sample is which.
    ///
    /// # Arguments
    ///
    /// As for [`SampleLabels::truth_of`].
    ///
    /// # Errors
    ///
    /// [`DataError::Contradiction`] for a sample that is there twice, with two labels; [`DataError::IdAlone`] for the first label of a
    /// sample that isn't there; [`DataError::PairedLengths`] if there are no names to go by; [`DataError::NoneGiven`] without a label.
    pub fn given_of(
        mut self,
        name: &str,
        samples: &SampleKeys<'_>,
    ) -> Result<(GivenLabels, PairedBy), DataError> {
        self.check_ids(name, samples)?;
        self.leave_repeated()?;
        let by_name = samples.ids.is_some() && self.has_ids();
        if !by_name && self.keys.rows.is_none() && samples.rows.is_none() {
            self.check_count(name, samples.n_samples)?;
        }
        // In order, a row without a label is there as one.
        let may_lack = [samples.is_part, by_name || self.keys.rows.is_some()];
        let (rows, by) = pair(samples, &self.keys, [name, &self.name], may_lack)?;
        let numbered = self.select(&rows, false)?;
        let none = numbered.names().iter().position(|name| name == NONE);
        let class = |&class: &u32| {
            let class = class as usize;
            // The classes behind the one that is none move up.
            let moved = class - usize::from(none.is_some_and(|none| none < class));
            (Some(class) != none).then_some(moved)
        };
        #[expect(clippy::disallowed_methods, reason = "they were read to train on")]
        let of_samples = classes(&numbered).iter().map(class).collect();
        let names = numbered.names().iter().filter(|name| *name != NONE).cloned().collect();
        let unused = self.unused(&rows);
        Ok((GivenLabels::new(&self.name, of_samples, names)?.with_unused(unused), by))
    }

    /// Refuses ids that may be numbers of rows, where the data's are in a column that isn't here: either would pair, and one of them wrongly.
    fn check_ids(&self, name: &str, samples: &SampleKeys<'_>) -> Result<(), DataError> {
        let (Some(column), Some(_), Some(ids)) = (&self.lost_ids, &samples.ids, &self.keys.ids)
        else {
            return Ok(());
        };
        if !are_rows(ids, samples.n_samples) {
            return Ok(());
        }
        let (source_name, column, data) = (self.name.clone(), column.clone(), name.into());
        Err(DataError::RowsOrIds { source_name, column, data })
    }

    /// Labels of samples that aren't among those that were paired.
    fn unused(&self, paired: &[Option<usize>]) -> usize {
        let mut is_used = vec![false; self.n_samples()];
        paired.iter().flatten().for_each(|&row| is_used[row] = true);
        let words = self.labels.words();
        let is_label = |word: &str| !is_missing(word) && word != NONE;
        words.iter().zip(is_used).filter(|(word, used)| !used && is_label(word)).count()
    }

    /// Leaves samples that are there more than once, with the same label or with none, only once.
    fn leave_repeated(&mut self) -> Result<(), DataError> {
        let words = self.labels.words();
        let is_none = |word: &str| is_missing(word) || word == NONE;
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut kept: Vec<usize> = Vec::with_capacity(words.len());
        for (row, word) in words.iter().enumerate() {
            let id = match (&self.keys.ids, &self.keys.rows) {
                (Some(ids), _) => ids[row].clone(),
                (None, Some(rows)) => rows[row].to_string(),
                (None, None) => return Ok(()),
            };
            let place = *places.entry(id.clone()).or_insert(kept.len());
            let Some(&before) = kept.get(place) else {
                kept.push(row);
                continue;
            };
            if is_none(words[before]) {
                kept[place] = row;
            } else if words[before] != *word && !is_none(word) {
                return Err(DataError::Contradiction {
                    source_name: self.name.clone(),
                    id,
                    first: words[before].into(),
                    second: (*word).into(),
                });
            }
        }
        if kept.len() == words.len() {
            return Ok(());
        }
        let mut labels = Labels::default();
        kept.iter().for_each(|&row| labels.push(words[row].to_owned(), row as u64));
        let keys = &mut self.keys;
        keys.n_samples = kept.len();
        let ids = keys.ids.take().map(|ids| kept.iter().map(|&row| ids[row].clone()).collect());
        let rows = keys.rows.take().map(|rows| kept.iter().map(|&row| rows[row]).collect());
        (keys.ids, keys.rows, self.labels) = (ids, rows, labels);
        Ok(())
    }

    /// All labels in their own order, as the truth.
    ///
    /// # Errors
    ///
    /// Labels that are missing or not whole.
    pub fn truth(&self) -> Result<Truth, DataError> {
        self.select(&(0..self.n_samples()).map(Some).collect::<Vec<_>>(), true)
    }

    /// These true classes, and the clusters `found` of the same samples.
    ///
    /// # Errors
    ///
    /// As [`SampleLabels::truth_of`]; samples may be missing in files of pseudo-labels, and where rows of the data were left out.
    pub fn pair(&self, found: &Self) -> Result<Paired, DataError> {
        let names = [self.name.as_str(), found.name.as_str()];
        self.check_ids(&found.name, &found.keys)?;
        let (rows, by) = pair(&self.keys, &found.keys, names, [false, found.keys.is_part])?;
        Ok(Paired { truth: self.truth()?, found: found.select(&rows, false)?, by })
    }

    /// The labels of some rows. Every sample has a class, but not every one a cluster.
    fn select(&self, rows: &[Option<usize>], is_truth: bool) -> Result<Truth, DataError> {
        if let Some(at) = self.labels.missing().filter(|_| is_truth) {
            let source_name = self.name.clone();
            let place = self.place.unwrap_or(Place::Row).word();
            return Err(DataError::NoLabelAt { source_name, place, at });
        }
        let words = self.labels.words();
        let word = |row: &Option<usize>| row.map(|row| words[row]).filter(|word| !is_missing(word));
        let words: Vec<&str> = rows.iter().map(|row| word(row).unwrap_or(NONE)).collect();
        from_words(&words, &self.name)
    }
}
