//! A source as a stream of typed batches of rows, whatever its format.
//!
//! A format opens a file and gives [`Records`]: a [`Schema`] and a stream. [`roles`] alone decides what each column is for; the
//! stream is then asked for the columns that are used ([`Wanted`]) and gives them in a [`Batch`]. Reading whole is collecting
//! the stream ([`Samples`]).
//!
//! Nothing here knows a format; a format knows nothing of roles.

mod batch;
mod info;
pub(crate) mod labels;
pub(crate) mod roles;
mod samples;
mod schema;

pub(crate) use self::batch::{Batch, Numbers, Places, Wanted, Width};
pub use self::info::{ImagesInfo, PartInfo};
pub(crate) use self::roles::{Features, Request, Roles};
pub(crate) use self::samples::Samples;
pub use self::schema::Role;
pub(crate) use self::schema::{Column, Kind, Place, Schema, unique};
use crate::DataError;

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

/// A source of which it is decided what each column is for.
pub(crate) struct Table {
    pub(crate) info: PartInfo,
    pub(crate) schema: Schema,
    pub(crate) roles: Roles,
    wanted: Wanted,
    rows: Box<dyn Rows>,
}

impl Table {
    /// Decides by what a person said, else by names and kinds.
    pub(crate) fn new(records: Records, request: Request<'_>) -> Result<Self, DataError> {
        let Records { mut info, mut schema, rows } = records;
        let roles = Roles::choose(&mut schema, request)?;
        roles.tell(&schema, &mut info);
        let wanted = roles.wanted();
        Ok(Self { info, schema, roles, wanted, rows })
    }

    /// The next rows: the features as numbers; ids, labels and texts as words, in this order, as far as there are any.
    pub(crate) fn next(&mut self) -> Result<Option<Batch>, DataError> {
        self.rows.next(&self.schema, &self.wanted)
    }
}
