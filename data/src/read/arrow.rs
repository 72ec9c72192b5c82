//! Arrow's own files (Feather, version 2) and streams.

use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::ArrowError;

use super::part::{Part, Request};
use super::record_batches::Reader;
use super::source::{Format, Source, one_line, unreadable};
use crate::DataError;

/// Reads the columns of a file or a stream that are wanted.
pub(super) fn read(
    mut source: Source,
    path: &Path,
    request: Request<'_>,
) -> Result<Part, DataError> {
    if source.peek(4)?.starts_with(b"FEA1") {
        return Err(DataError::Unsupported {
            source_name: source.name,
            found: "Feather of version 1".into(),
            supported: "version 2 (pyarrow.feather.write_feather, or to_feather of pandas)",
        });
    }
    source.expect_magic(Format::Arrow, "Arrow")?;
    source.expect_no_gzip("an Arrow file")?;
    let is_file = source.peek(6)?.starts_with(b"ARROW1");
    let name = source.name;
    let mut file = File::open(path).map_err(|error| unreadable(&error, &name))?;
    if !is_file {
        let start = StreamReader::try_new(BufReader::new(&file), None);
        let schema = start.map_err(|error| corrupt(&error, &name))?.schema();
        let reader = Reader::new(&name, "Arrow stream".into(), &schema, request)?;
        file.rewind().map_err(|error| unreadable(&error, &name))?;
        let used = Some(reader.used().to_vec());
        let batches = StreamReader::try_new(BufReader::new(file), used);
        return all(batches.map_err(|error| corrupt(&error, &name))?, reader, &name);
    }
    let start = FileReader::try_new(BufReader::new(&file), None);
    let schema = start.map_err(|error| corrupt(&error, &name))?.schema();
    let reader = Reader::new(&name, "Arrow".into(), &schema, request)?;
    let used = Some(reader.used().to_vec());
    let batches = FileReader::try_new(BufReader::new(file), used);
    all(batches.map_err(|error| corrupt(&error, &name))?, reader, &name)
}

fn all(
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    mut reader: Reader<'_>,
    name: &str,
) -> Result<Part, DataError> {
    for batch in batches {
        reader.push(&batch.map_err(|error| corrupt(&error, name))?)?;
    }
    reader.finish()
}

fn corrupt(error: &ArrowError, name: &str) -> DataError {
    DataError::Corrupt {
        source_name: name.into(),
        problem: format!("no valid Arrow file ({})", one_line(error)),
    }
}
