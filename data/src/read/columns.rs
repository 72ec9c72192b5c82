//! Columns of a table by their names, as words.

use std::path::Path;

use super::path::open_records;
use super::source::Location;
use crate::records::NamedColumns;
use crate::{DataError, ReadOptions};

/// Reads the columns `names` of a table in any format: CSV, Parquet, Arrow, JSON Lines.
///
/// # Returns
///
/// Cells as words, shape (n_names, n_rows); `None` where one is empty.
///
/// # Errors
///
/// [`DataError`] for a file that can't be read or understood, and for columns that aren't there or hold no single values.
pub fn read_columns(path: &Path, names: &[&str]) -> Result<Vec<Vec<Option<String>>>, DataError> {
    let records = open_records(&Location::resolve(path), &ReadOptions::default())?;
    NamedColumns::find(records, names)?.read()
}
