//! Files of typed columns: Parquet and Arrow. With the feature `parquet`.

mod arrow;
mod batches;
mod cells;
mod lengths;
mod opened;
mod parquet;
mod tiles;

use std::path::Path;

use super::no_panic::no_panic;
use super::source::{Format, Source};
use crate::DataError;
use crate::records::Records;

/// Opens a file of one of the two formats.
pub(super) fn open(source: Source, path: &Path, format: Format) -> Result<Records, DataError> {
    let name = source.name.clone();
    match format {
        Format::Parquet => no_panic(&name, parquet::WHAT, || parquet::open(source, path)),
        _ => no_panic(&name, arrow::WHAT, || arrow::open(source, path)),
    }
}
