//! A source of which it is decided what each column is for.

use std::collections::{HashMap, HashSet};

use super::{
    Again, Array, Batch, Fitted, Narrow, PartInfo, Records, Request, Roles, Rows, Schema, Wanted,
    one_hot, survey,
};
use crate::{DataError, Missing, ReadOptions};

/// A source of which it is decided what each column is for.
pub(crate) struct Table {
    pub(crate) info: PartInfo,
    pub(crate) schema: Schema,
    pub(crate) roles: Roles,
    options: ReadOptions,
    wanted: Wanted,
    rows: Box<dyn Rows>,
    again: Again,
    /// Which items of an array's rows are the features, if not all in their order.
    items: Option<Vec<usize>>,
    /// Bytes that all rows together may have.
    pub(crate) budget: u64,
}

impl Table {
    /// Decides by what a person said, else by names and kinds.
    ///
    /// # Errors
    ///
    /// As [`Roles::choose`], and everything that keeps columns of features from being numbers.
    pub(crate) fn new(again: Again, request: Request<'_>) -> Result<Self, DataError> {
        let Records { mut info, mut schema, rows } = again()?;
        let options = request.options.clone();
        let roles = Roles::choose(&mut schema, request)?;
        roles.tell(&schema, &mut info);
        let wanted = roles.wanted();
        let items = match &mut schema.array {
            Some(array) => select(array, &request, &roles, &schema.name)?,
            None => None,
        };
        let table =
            Self { info, schema, roles, options, wanted, rows, again, items, budget: u64::MAX };
        if table.roles.are_numbers(&table.schema) {
            return Ok(table);
        }
        let found = survey::in_the_way((table.again)()?, &table.roles, &table.options)?;
        found.map_or(Ok(table), Err)
    }

    /// Says that all rows are going to be in memory. Before the first of them.
    pub(crate) fn keep(&mut self, fitted: &Fitted) {
        self.wanted.are_kept = true;
        // What is missing and rows that are left out don't decide, and words come behind the columns.
        let are_columns = self.roles.one_hot.is_empty() && self.items.is_none();
        if let Some(width) = self.n_features()
            && are_columns
            && self.options.missing != Missing::Drop
            && self.options.missing_values.is_empty()
        {
            let decided = fitted.is_decided.then_some(fitted.offsets.as_ref());
            self.wanted.narrow = Some(Narrow::new(width, decided));
        }
        self.wanted.keep_sparse = self.may_stay_sparse();
    }

    /// Whether all rows that are going to be in memory may stay sparse there: that was asked for, nothing that is missing has to be dealt with, and
    /// nothing that each row says is in the way.
    pub(crate) fn may_stay_sparse(&self) -> bool {
        self.options.keep_sparse
            && self.options.missing == Missing::Refuse
            && self.options.missing_values.is_empty()
            && self.items.is_none()
            && self.schema.array.as_ref().is_some_and(|array| array.stays_sparse)
    }

    /// For an error of a missing value: all that is missing, and what else is in the way.
    pub(crate) fn explain(&self, error: DataError) -> DataError {
        if !matches!(error, DataError::Null { .. }) {
            return error;
        }
        let all =
            (self.again)().and_then(|again| survey::in_the_way(again, &self.roles, &self.options));
        all.ok().flatten().unwrap_or(error)
    }

    /// Refuses what is too large to be in memory: features of so many rows, or so many bytes.
    pub(crate) fn check_size(&self, rows: u64, width: u64) -> Result<(), DataError> {
        let bytes = u128::from(rows) * u128::from(width) * size_of::<f32>() as u128;
        if bytes <= u128::from(self.budget) {
            return Ok(());
        }
        #[expect(clippy::cast_precision_loss, reason = "for a message")]
        let gibibytes = bytes as f64 / f64::from(1 << 30);
        Err(DataError::TooLarge { source_name: self.schema.name.clone(), gibibytes })
    }

    /// Number of features, if it is known before the first row.
    pub(crate) fn n_features(&self) -> Option<usize> {
        self.roles.n_features(&self.schema)
    }

    /// Number of rows, if it is known before the last.
    pub(crate) fn n_rows(&self) -> Option<usize> {
        let is_known = self.schema.array.is_some() && self.options.missing != Missing::Drop;
        self.schema.about_rows.filter(|_| is_known)
    }

    /// Names of the features, if they have any.
    pub(crate) fn feature_names(&self) -> Option<Vec<String>> {
        self.roles.feature_names(&self.schema)
    }

    /// The next rows: the features as numbers; ids, labels and texts as words, in this order, as far as there are any.
    pub(crate) fn next(&mut self) -> Result<Option<Batch>, DataError> {
        let Some(mut batch) = self.rows.next(&self.schema, &self.wanted)? else { return Ok(None) };
        if let Some(items) = &self.items {
            let (n_rows, width) = (batch.n_rows, batch.numbers.len() / batch.n_rows.max(1));
            let places = || {
                let of_row = move |row: usize| items.iter().map(move |item| row * width + item);
                (0..n_rows).flat_map(of_row)
            };
            batch.numbers = batch.numbers.at(places());
            if !batch.inexact.is_empty() {
                let inexact: HashSet<usize> = batch.inexact.drain(..).collect();
                let of_items = places().enumerate().filter(|(_, place)| inexact.contains(place));
                batch.inexact = of_items.map(|(at, _)| at).collect();
            }
        }
        let first = batch.take_missing(&self.options.missing_values);
        // Of an array, nothing else says what is missing; of a table, the survey does.
        if let Some((place, value)) = first
            && self.options.missing == Missing::Refuse
            && self.schema.array.is_some()
        {
            let width = (batch.numbers.len() / batch.n_rows.max(1)).max(1);
            let (row, column) = (batch.places.at(place / width), place % width);
            let source_name = self.schema.name.clone();
            return Err(DataError::StandsForMissing { source_name, row, column, value });
        }
        if !self.roles.one_hot.is_empty() {
            if let Some(width) = self.n_features() {
                // Refused before there is memory for it.
                self.check_size(batch.n_rows as u64, width as u64)?;
            }
            one_hot::widen(&mut batch, &self.roles, &self.schema, &self.options)?;
        }
        Ok(Some(batch))
    }
}

/// Checks that labels fit, and finds the items that are wanted, whose names and number become those of the array. `None` if
/// they are all items in their order.
fn select(
    array: &mut Array,
    request: &Request<'_>,
    roles: &Roles,
    source_name: &str,
) -> Result<Option<Vec<usize>>, DataError> {
    let n_rows = array.n_rows;
    if let (Some(labels), true, None) = (array.uneven_labels, request.with_truth, roles.label) {
        let source_name = format!("{source_name}, labels beside the data");
        return Err(DataError::LabelCount { source_name, labels, samples: n_rows });
    }
    let (Some(names), Some(wanted)) = (&array.item_names, request.wanted) else {
        return Ok(None);
    };
    let wanted = roles.numbers_of(wanted);
    if names == wanted {
        return Ok(None);
    }
    let places: HashMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
    let place = |name: &String| {
        places.get(name.as_str()).copied().ok_or_else(|| DataError::MissingColumn {
            source_name: source_name.into(),
            wanted: name.clone(),
            found: names.clone(),
        })
    };
    let items = wanted.iter().map(place).collect::<Result<Vec<usize>, _>>()?;
    (array.item_names, array.width) = (Some(wanted.to_vec()), items.len());
    Ok(Some(items))
}
