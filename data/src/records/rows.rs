//! A source that is open: what it is, and its rows.

use super::{Batch, PartInfo, Schema, Wanted};
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

/// Opens a source once more.
pub(crate) type Again = Box<dyn Fn() -> Result<Records, DataError>>;
