//! Parquet: a row a sample.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use consilience_data::DataError;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use super::table::Embedding;
use crate::export::{list_type, lists};
use crate::run_folder::unwritable;

/// Rows converted at a time.
const BATCH: usize = 1024;

/// Writes the columns `sample`, `id` if there are ids, and `features`.
pub(super) fn write(embedding: &Embedding<'_>, path: &Path) -> Result<(), DataError> {
    let file = File::create(path).map_err(|error| unwritable(path, &error))?;
    write_to(embedding, file).map_err(|error| unwritable(path, &error))
}

fn write_to(embedding: &Embedding<'_>, file: File) -> Result<(), ParquetError> {
    let (n, width) = (embedding.features.n_samples(), embedding.features.n_features());
    let mut fields = vec![Field::new("sample", DataType::Int64, false)];
    fields.extend(embedding.ids.map(|_| Field::new("id", DataType::Utf8, false)));
    fields.push(Field::new("features", list_type(width)?, false));
    let schema = Arc::new(Schema::new(fields));
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), None)?;
    for first in (0..n).step_by(BATCH) {
        let samples = first..n.min(first + BATCH);
        let rows: Int64Array = samples.clone().map(|sample| embedding.row(sample) as i64).collect();
        let mut columns: Vec<ArrayRef> = vec![Arc::new(rows)];
        if let Some(ids) = embedding.ids {
            columns.push(Arc::new(StringArray::from_iter_values(&ids[samples.clone()])));
        }
        let values = &embedding.features.as_slice()[samples.start * width..samples.end * width];
        columns.push(lists(values.iter().copied(), width)?);
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns)?)?;
    }
    writer.close().map(|_| ())
}
