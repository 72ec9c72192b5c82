//! Parquet, some rows at a time.

use std::fmt::Display;
use std::fs::File;
use std::path::Path;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::batches::{Batches, records};
use crate::DataError;
use crate::read::source::{Format, Source, one_line, unreadable};
use crate::records::Records;

/// What messages call it.
pub(super) const WHAT: &str = "Parquet file";
/// Rows that are read at a time.
const BATCH: usize = 4096;

/// Opens a file.
pub(super) fn open(mut source: Source, path: &Path) -> Result<Records, DataError> {
    source.expect_magic(Format::Parquet, "Parquet")?;
    source.expect_no_gzip("a Parquet file")?;
    let name = source.name;
    let file = File::open(path).map_err(|error| unreadable(&error, &name))?;
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| corrupt(&error, &name))?;
    let schema = builder.schema().clone();
    let n_rows = usize::try_from(builder.metadata().file_metadata().num_rows()).ok();
    let source_name = name.clone();
    let open = move |columns: &[usize]| -> Result<Batches, DataError> {
        let mask = ProjectionMask::roots(builder.parquet_schema(), columns.iter().copied());
        let batches = builder.with_projection(mask).with_batch_size(BATCH).build();
        let batches = batches.map_err(|error| corrupt(&error, &name))?;
        let batches = batches.map(move |batch| batch.map_err(|error| corrupt(&error, &name)));
        Ok(Box::new(batches.fuse()))
    };
    Ok(records(source_name, &schema, "Parquet", WHAT, n_rows, Box::new(open)))
}

fn corrupt(error: &dyn Display, name: &str) -> DataError {
    DataError::Corrupt {
        source_name: name.into(),
        problem: format!("no valid {WHAT} ({})", one_line(error)),
    }
}
