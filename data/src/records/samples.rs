//! Batches, collected: the one place where numbers become 32-bit floats, and where missing ones are dealt with.

use ndarray::Array2;

use super::labels::Labels;
use super::offsets::{self, Offsets, is_rounded};
use super::{Batch, ColumnInfo, Features, Fitted, Narrow, Numbers, PartInfo, Roles, Table, some};
use crate::{DataError, Missing, SparseRows, Truth};

/// Rows of a source as features, or texts, with what is beside them.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    /// Row after row.
    pub(crate) values: Vec<f32>,
    /// All rows instead, if they stay sparse.
    pub(crate) sparse: Option<SparseRows>,
    pub(crate) texts: Vec<String>,
    pub(crate) ids: Vec<String>,
    pub(crate) labels: Labels,
    /// Which row of the source each is, where some may be left out.
    pub(crate) rows: Vec<usize>,
    /// All rows so far, those included whose values were taken away, without those that were dropped.
    pub(crate) n_rows: usize,
    pub(crate) fitted: Fitted,
    policy: Missing,
    /// Numbers that wait until it is decided what is taken off.
    held: Vec<f64>,
    /// Number of features, if there have been any.
    width: usize,
    /// Bytes of ids and texts.
    n_bytes: u64,
    /// Rows of the source so far, and those that were dropped.
    pub(crate) n_read: usize,
    pub(crate) n_dropped: usize,
    /// Of each feature: missing values, whole numbers that were rounded to 32-bit floats, and those that were as 64-bit floats.
    n_missing: Vec<u64>,
    n_rounded: Vec<u64>,
    n_inexact: Vec<u64>,
}

impl Samples {
    pub(crate) fn new(policy: Missing, fitted: Fitted) -> Self {
        Self { policy, fitted, ..Self::default() }
    }

    /// All rows of a source.
    pub(crate) fn read(
        table: &mut Table,
        policy: Missing,
        fitted: Fitted,
    ) -> Result<Self, DataError> {
        table.keep(&fitted);
        let mut samples = Self::new(policy, fitted);
        while let Some(batch) = table.next()? {
            samples.push(batch, table)?;
            if samples.sparse.is_none() && table.may_stay_sparse() {
                // They can't, after all.
                table.check_size(table.n_rows().unwrap_or(0) as u64, samples.width as u64)?;
            }
            let words = samples.n_bytes / size_of::<f32>() as u64;
            // With their columns.
            let sparse = samples.sparse.as_ref().map_or(0, |rows| 2 * rows.n_values());
            table.check_size((samples.values.len() + sparse) as u64 + words, 1)?;
            samples.reserve(table.schema.about_rows);
        }
        samples.finish();
        Ok(samples)
    }

    /// Adds rows. Their numbers may be held back until the end, and then [`Samples::finish`] adds them.
    pub(crate) fn push(&mut self, mut batch: Batch, table: &Table) -> Result<(), DataError> {
        let width = match &batch.sparse {
            Some(rows) => rows.n_features(),
            None => batch.numbers.len().checked_div(batch.n_rows).unwrap_or(0),
        };
        self.width = width;
        self.n_missing.resize(width, 0);
        self.n_rounded.resize(width, 0);
        self.n_inexact.resize(width, 0);
        batch.inexact.iter().for_each(|place| self.n_inexact[place % width] += 1);
        let kept = self.count_missing(&batch, table)?;
        if self.policy == Missing::Drop {
            let is_kept = |row: &usize| kept.as_ref().is_none_or(|kept| kept[*row]);
            let rows = (0..batch.n_rows).filter(is_kept);
            self.rows.extend(rows.map(|row| self.n_read + row));
        }
        self.n_read += batch.n_rows;
        if let Some(kept) = kept {
            let before = batch.n_rows;
            batch.retain(&kept);
            self.n_dropped += before - batch.n_rows;
        }
        self.n_bytes += words_size(&batch);
        if let Some(rows) = batch.sparse.take() {
            check_sparse(&rows, table)?;
            self.sparse = Some(rows);
        }
        self.push_numbers(batch.numbers, batch.narrow.as_ref());
        let mut words = batch.words.into_iter();
        let missing = |row: usize, index: usize| DataError::Null {
            source_name: table.schema.name.clone(),
            place: table.schema.place.word(),
            at: batch.places.at(row),
            column: table.schema.columns[index].name.clone(),
        };
        let all = |words: Option<Vec<Option<String>>>, index: usize, to: &mut Vec<String>| {
            for (row, word) in words.unwrap_or_default().into_iter().enumerate() {
                to.push(word.ok_or_else(|| missing(row, index))?);
            }
            Ok::<(), DataError>(())
        };
        if let Some(index) = table.roles.id {
            all(words.next(), index, &mut self.ids)?;
        }
        if table.roles.label.is_some() {
            for (row, label) in words.next().unwrap_or_default().into_iter().enumerate() {
                self.labels.push(label.unwrap_or_default(), batch.places.at(row));
            }
        }
        if let Features::Text(index) = table.roles.features {
            all(words.next(), index, &mut self.texts)?;
        }
        self.n_rows += batch.n_rows;
        Ok(())
    }

    /// Adds what was held back. After the last row.
    pub(crate) fn finish(&mut self) {
        if !self.held.is_empty() {
            self.decide();
        }
    }

    /// What each column was taken for, with what is missing of it as far as it was read.
    pub(crate) fn columns(&self, table: &Table) -> Vec<ColumnInfo> {
        let missing = self.missing(&table.roles, table.schema.columns.len());
        let columns = table.schema.columns.iter().zip(missing);
        columns
            .map(|(column, n_missing)| ColumnInfo {
                name: column.name.clone(),
                holds: column.kind.words().into(),
                role: column.role,
                why: column.why.into(),
                n_missing,
            })
            .collect()
    }

    /// Takes memory for so many rows at once, and so doesn't copy what is there when there is more. What isn't used costs
    /// nothing, and what can't be had is no error yet.
    fn reserve(&mut self, about_rows: Option<usize>) {
        let all = about_rows.unwrap_or(0).saturating_mul(self.width);
        if !self.values.is_empty() && self.values.capacity() < all {
            let more = all - self.values.len();
            drop(self.values.try_reserve_exact(more));
        }
    }

    /// Counts missing numbers; which rows are kept, if some aren't.
    fn count_missing(
        &mut self,
        batch: &Batch,
        table: &Table,
    ) -> Result<Option<Vec<bool>>, DataError> {
        let mut missing = Vec::new();
        match &batch.numbers {
            Numbers::F32(values) => places_of(values, |value| value.is_nan(), &mut missing),
            Numbers::F64(values) => places_of(values, |value| value.is_nan(), &mut missing),
            Numbers::I64(_) | Numbers::U64(_) => {}
        }
        let Some(first) = missing.first() else { return Ok(None) };
        if self.policy == Missing::Refuse && table.schema.array.is_some() {
            let (row, column) = (self.n_read + first / self.width, first % self.width);
            let source_name = table.schema.name.clone();
            return Err(DataError::NotFinite { source_name, row, column, value: f32::NAN });
        }
        if self.policy == Missing::Refuse {
            let column = table.roles.column_of(first % self.width);
            return Err(DataError::Null {
                source_name: table.schema.name.clone(),
                place: table.schema.place.word(),
                at: batch.places.at(first / self.width),
                column: column
                    .map_or(String::new(), |index| table.schema.columns[index].name.clone()),
            });
        }
        let mut kept = vec![true; batch.n_rows];
        for place in missing {
            self.n_missing[place % self.width] += 1;
            kept[place / self.width] = false;
        }
        Ok((self.policy == Missing::Drop).then_some(kept))
    }

    fn push_numbers(&mut self, numbers: Numbers, narrow: Option<&Narrow>) {
        if let Some(narrow) = narrow {
            (self.fitted.is_decided, self.fitted.offsets) = (true, narrow.offsets());
            // Of all rows so far.
            self.n_rounded.clone_from(&narrow.n_rounded);
        }
        let wide: Vec<f64> = match numbers {
            Numbers::F32(values) if narrow.is_some() || self.is_as_it_is(&values) => {
                self.fitted.is_decided |= !values.is_empty();
                let before = self.values.len();
                if self.values.is_empty() {
                    self.values = values;
                } else {
                    self.values.extend_from_slice(&values);
                }
                return self.fill(before);
            }
            others => others.into_f64(),
        };
        if self.fitted.is_decided {
            return self.narrow(&wide);
        }
        self.held.extend(wide);
        if self.held.len() >= offsets::ROWS * self.width {
            self.decide();
        }
    }

    /// Whether these become features as they are.
    fn is_as_it_is(&self, values: &[f32]) -> bool {
        self.fitted.offsets.is_none()
            && self.held.is_empty()
            && (self.fitted.is_decided || Offsets::of_narrow(values, self.width).is_none())
    }

    /// Decides what is taken off by the first rows that are held, and adds all of them.
    fn decide(&mut self) {
        let first = self.held.len().min(offsets::ROWS * self.width);
        self.fitted.offsets = Offsets::of(&self.held[..first], self.width);
        self.fitted.is_decided = true;
        let held = std::mem::take(&mut self.held);
        self.narrow(&held);
    }

    /// Adds numbers as 32-bit floats, and counts whole ones that are rounded.
    fn narrow(&mut self, wide: &[f64]) {
        let before = self.values.len();
        #[expect(clippy::cast_possible_truncation, reason = "features are 32-bit floats by design")]
        match &self.fitted.offsets {
            None => self.values.extend(wide.iter().map(|&value| value as f32)),
            Some(offsets) => self.values.extend(
                wide.iter()
                    .enumerate()
                    .map(|(place, &value)| offsets.narrow(place % self.width, value)),
            ),
        }
        let largest = wide.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        if largest > offsets::EXACT {
            for (place, (&value, &narrow)) in wide.iter().zip(&self.values[before..]).enumerate() {
                let feature = place % self.width;
                let offsets = self.fitted.offsets.as_ref();
                let taken =
                    offsets.map_or((0.0, 1.0), |all| (all.offsets[feature], all.scales[feature]));
                self.n_rounded[feature] += u64::from(is_rounded(value, narrow, taken));
            }
        }
        self.fill(before);
    }

    /// Fills in the means that are known, in values from `start` on.
    fn fill(&mut self, start: usize) {
        let Some(means) = &self.fitted.means else { return };
        for (place, value) in self.values[start..].iter_mut().enumerate() {
            if value.is_nan() {
                *value = means[place % self.width];
            }
        }
    }

    /// Missing values of each column of a source; `None` if it isn't read.
    pub(crate) fn missing(&self, roles: &Roles, n_columns: usize) -> Vec<Option<u64>> {
        let mut missing = vec![None; n_columns];
        if let Features::Columns(columns) = &roles.features {
            let mut feature = columns.len();
            for one_hot in &roles.one_hot {
                missing[one_hot.column] = self.n_missing.get(feature).copied();
                feature += one_hot.words.len();
            }
            for (&column, &count) in columns.iter().zip(&self.n_missing) {
                missing[column] = Some(count);
            }
        }
        if let Some(id) = roles.id {
            missing[id] = Some(0);
        }
        if let Some(label) = roles.label {
            missing[label] = Some(self.labels.n_missing());
        }
        missing
    }

    /// What a person has to know, in words.
    pub(crate) fn notes(&self, table: &Table) -> Vec<String> {
        let names = table.feature_names().unwrap_or_default();
        let name = |feature: usize| {
            names.get(feature).cloned().unwrap_or_else(|| format!("feature {}", feature + 1))
        };
        let of = |counts: &[u64]| {
            let columns: Vec<String> = counts
                .iter()
                .enumerate()
                .filter(|(_, count)| **count > 0)
                .map(|(feature, count)| format!("{} ({count})", name(feature)))
                .collect();
            some(&columns)
        };
        let mut notes = Vec::new();
        if self.n_dropped > 0 {
            let (rows, missing) = (self.n_read, of(&self.n_missing));
            let dropped = self.n_dropped;
            notes.push(format!(
                "{dropped} of {rows} rows left out, as values are missing: {missing}"
            ));
        } else if self.n_missing.iter().any(|&count| count > 0) {
            let missing = of(&self.n_missing);
            notes.push(format!("missing values replaced by their feature's mean: {missing}"));
        }
        if self.n_inexact.iter().any(|&count| count > 0) {
            notes.push(format!(
                "whole numbers beyond 9,007,199,254,740,992 are rounded to 53 bits: {}",
                of(&self.n_inexact)
            ));
        }
        if self.n_rounded.iter().any(|&count| count > 0) {
            notes.push(format!(
                "whole numbers beyond 16,777,216 are rounded to 24 bits: {}",
                of(&self.n_rounded)
            ));
        }
        if let Some(offsets) = &self.fitted.offsets {
            let taken = offsets.offsets.iter().map(|&offset| u64::from(offset != 0.0));
            let taken: Vec<String> = taken
                .enumerate()
                .filter(|(_, taken)| *taken > 0)
                .map(|(feature, _)| format!("{} ({})", name(feature), offsets.offsets[feature]))
                .collect();
            if !taken.is_empty() {
                notes.push(format!(
                    "taken off, as 32-bit floats would round too much: {}",
                    some(&taken)
                ));
            }
        }
        notes
    }

    /// Features of all rows, shape (n_rows, n_features).
    pub(crate) fn features(
        values: Vec<f32>,
        n_rows: usize,
        name: &str,
    ) -> Result<Array2<f32>, DataError> {
        let width = values.len().checked_div(n_rows).unwrap_or(0);
        Array2::from_shape_vec((n_rows, width), values).map_err(|error| DataError::Corrupt {
            source_name: name.into(),
            problem: error.to_string(),
        })
    }

    /// The classes, if there is a column of them that makes sense, after the last row.
    pub(crate) fn truth(
        &self,
        table: &Table,
        with_truth: bool,
        info: &mut PartInfo,
    ) -> Result<Option<Truth>, DataError> {
        let schema = &table.schema;
        self.labels.beside(schema.place, &table.roles, with_truth, &schema.name, info)
    }
}

/// Refuses rows with something missing.
fn check_sparse(rows: &SparseRows, table: &Table) -> Result<(), DataError> {
    for row in 0..rows.n_samples() {
        if let Some((column, value)) = rows.entries(row).find(|(_, value)| value.is_nan()) {
            let source_name = table.schema.name.clone();
            return Err(DataError::NotFinite { source_name, row, column, value });
        }
    }
    Ok(())
}

/// Bytes of the words of a batch.
fn words_size(batch: &Batch) -> u64 {
    let words = batch.words.iter().flatten().flatten();
    words.map(|word| (word.len() + size_of::<String>()) as u64).sum()
}

/// Places of the values that are such; a pass without a branch for each value if there are none.
fn places_of<T: Copy>(values: &[T], is_such: impl Fn(T) -> bool, places: &mut Vec<usize>) {
    for (block, start) in values.chunks(4096).zip((0..).step_by(4096)) {
        if block.iter().fold(false, |found, &value| found | is_such(value)) {
            let found = block.iter().enumerate().filter(|(_, value)| is_such(**value));
            places.extend(found.map(|(place, _)| start + place));
        }
    }
}
