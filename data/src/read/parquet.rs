//! Parquet, some rows at a time.

use std::fmt::Display;
use std::fs::File;
use std::path::Path;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::part::{Part, Request};
use super::record_batches::Reader;
use super::source::{Format, Source, one_line, unreadable};
use crate::DataError;

/// Rows that are read at a time.
const BATCH: usize = 4096;

/// Reads the columns of a file that are wanted.
pub(super) fn read(
    mut source: Source,
    path: &Path,
    request: Request<'_>,
) -> Result<Part, DataError> {
    source.expect_magic(Format::Parquet, "Parquet")?;
    source.expect_no_gzip("a Parquet file")?;
    let name = source.name;
    let corrupt = |error: &dyn Display| DataError::Corrupt {
        source_name: name.clone(),
        problem: format!("no valid Parquet file ({})", one_line(error)),
    };
    let file = File::open(path).map_err(|error| unreadable(&error, &name))?;
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| corrupt(&error))?;
    let mut reader = Reader::new(&name, "Parquet".into(), builder.schema(), request)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), reader.used().iter().copied());
    let batches = builder.with_projection(mask).with_batch_size(BATCH).build();
    for batch in batches.map_err(|error| corrupt(&error))? {
        reader.push(&batch.map_err(|error| corrupt(&error))?)?;
    }
    reader.finish()
}
