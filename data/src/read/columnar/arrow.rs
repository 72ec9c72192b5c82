//! Arrow's own files (Feather, version 2) and streams.

use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::ArrowError;

use super::batches::records;
use super::lengths;
use super::opened::{Batches, Opened};
use crate::DataError;
use crate::read::source::{Format, Source, one_line, unreadable};
use crate::records::{Records, Wanted};

/// What messages call it.
pub(super) const WHAT: &str = "Arrow file";

/// Opens a file or a stream.
pub(super) fn open(mut source: Source, path: &Path) -> Result<Records, DataError> {
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
    lengths::check(&file, is_file, &name)?;
    file.rewind().map_err(|error| unreadable(&error, &name))?;
    if is_file {
        let start = FileReader::try_new(BufReader::new(&file), None);
        let schema = start.map_err(|error| corrupt(&error, &name))?.schema();
        let source_name = name.clone();
        let open = move |wanted: &Wanted| -> Result<Opened, DataError> {
            let batches = FileReader::try_new(BufReader::new(file), Some(wanted.columns()));
            Ok(Opened::Batches(checked(batches.map_err(|error| corrupt(&error, &name))?, name)))
        };
        return Ok(records(source_name, &schema, "Arrow", WHAT, None, Box::new(open)));
    }
    let start = StreamReader::try_new(BufReader::new(&file), None);
    let schema = start.map_err(|error| corrupt(&error, &name))?.schema();
    file.rewind().map_err(|error| unreadable(&error, &name))?;
    let source_name = name.clone();
    let open = move |wanted: &Wanted| -> Result<Opened, DataError> {
        let batches = StreamReader::try_new(BufReader::new(file), Some(wanted.columns()));
        Ok(Opened::Batches(checked(batches.map_err(|error| corrupt(&error, &name))?, name)))
    };
    Ok(records(source_name, &schema, "Arrow stream", WHAT, None, Box::new(open)))
}

fn checked(
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>> + 'static,
    name: String,
) -> Batches {
    Box::new(batches.fuse().map(move |batch| batch.map_err(|error| corrupt(&error, &name))))
}

fn corrupt(error: &ArrowError, name: &str) -> DataError {
    DataError::Corrupt {
        source_name: name.into(),
        problem: format!("no valid {WHAT} ({})", one_line(error)),
    }
}
