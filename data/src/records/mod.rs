//! A source as a stream of typed batches of rows, whatever its format.
//!
//! A format opens a file and gives [`Records`]: a [`Schema`] and a stream. [`roles`] alone decides what each column is for; the
//! stream is then asked for the columns that are used ([`Wanted`]) and gives them in a [`Batch`]. Reading whole is collecting
//! the stream ([`Samples`]).
//!
//! Nothing here knows a format; a format knows nothing of roles.

mod batch;
mod info;
mod label_roles;
pub(crate) mod labels;
mod offsets;
pub(crate) mod one_hot;
mod pairing;
pub(crate) mod roles;
mod sample_labels;
mod samples;
mod schema;
pub(crate) mod survey;

pub(crate) use self::batch::{Batch, Numbers, Places, Wanted, Width};
pub use self::info::{ColumnInfo, ImagesInfo, PartInfo};
pub use self::label_roles::LabelsAs;
pub(crate) use self::label_roles::{LabelRoles, VoteRoles};
pub use self::offsets::Offsets;
pub use self::pairing::PairedBy;
pub(crate) use self::pairing::pair_ids;
pub(crate) use self::roles::{Features, Request, Roles};
pub use self::sample_labels::{Paired, SampleLabels};
pub(crate) use self::samples::{Fitted, Samples};
pub use self::schema::Role;
pub(crate) use self::schema::{Array, Column, Kind, Place, Schema, unique};
use crate::{DataError, Missing, ReadOptions};

/// A stream of rows, as a format gives them.
pub(crate) trait Rows {
    /// The next rows, as many as suit the format; `None` after the last. `wanted` is the same in every call.
    fn next(&mut self, schema: &Schema, wanted: &Wanted) -> Result<Option<Batch>, DataError>;
}

/// A source that was opened, nothing decided.
pub(crate) struct Records {
    /// What can be said before rows are read.
    pub(crate) info: PartInfo,
    pub(crate) schema: Schema,
    pub(crate) rows: Box<dyn Rows>,
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

/// Opens a source once more.
pub(crate) type Again = Box<dyn Fn() -> Result<Records, DataError>>;

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
        let words = match options.one_hot_columns.as_slice() {
            [] => Vec::new(),
            _ if request.wanted.is_some() => Vec::new(),
            names => one_hot::words(again()?, &roles::columns_of_words(&schema, names)?)?,
        };
        let roles = Roles::choose(&mut schema, request, words)?;
        roles.tell(&schema, &mut info);
        let wanted = roles.wanted();
        let items = match &mut schema.array {
            Some(array) => array.select(&request, &roles, &schema.name)?,
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

    /// For an error of a missing value: all that is missing, and what else is in the way.
    pub(crate) fn explain(&self, error: DataError) -> DataError {
        if !matches!(error, DataError::Null { .. }) {
            return error;
        }
        let all =
            (self.again)().and_then(|again| survey::in_the_way(again, &self.roles, &self.options));
        all.ok().flatten().unwrap_or(error)
    }

    /// What each column was taken for, with what is missing of it as far as it was read.
    pub(crate) fn columns(&self, samples: &Samples) -> Vec<ColumnInfo> {
        let missing = samples.missing(&self.roles, self.schema.columns.len());
        let columns = self.schema.columns.iter().zip(missing);
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
            let width = batch.numbers.len() / batch.n_rows.max(1);
            let rows = (0..batch.n_rows).map(|row| row * width);
            let places = rows.flat_map(|start| items.iter().map(move |item| start + item));
            batch.numbers = batch.numbers.at(places);
        }
        if !self.roles.one_hot.is_empty() {
            one_hot::widen(&mut batch, &self.roles, &self.schema)?;
        }
        Ok(Some(batch))
    }
}

/// The first of many, as a message tells them.
pub(crate) fn some(columns: &[String]) -> String {
    /// More aren't told.
    const TOLD: usize = 12;
    match columns.len().saturating_sub(TOLD) {
        0 => columns.join(", "),
        more => format!("{} and {more} more", columns[..TOLD].join(", ")),
    }
}
