//! Parquet: a row a sample, some rows at a time.

use std::borrow::Cow;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, FixedSizeListArray, Float32Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use consilience_data::{DataError, PseudoLabel};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::Export;
use crate::run_folder::{PSEUDO_LABELS, unwritable};

/// Values of features held at a time, about: the writer keeps a group of rows until it is full.
const GROUP: usize = 1 << 22;
/// Rows converted at a time, at most.
const BATCH: usize = 1024;

/// Writes a file with the columns of [`Export`].
pub(super) fn write(export: &Export<'_>, path: &Path) -> Result<(), DataError> {
    let file = File::create(path).map_err(|error| unwritable(path, &error))?;
    write_to(export, file).map_err(|error| unwritable(path, &error))
}

fn write_to(export: &Export<'_>, file: File) -> Result<(), ParquetError> {
    let width = export.table.map_or(1, |table| table.features.n_features());
    let group = (GROUP / width).max(1);
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
    let schema = Arc::new(schema(export)?);
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))?;
    for entries in export.entries().chunks(BATCH.min(group)) {
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns(export, entries)?)?)?;
    }
    writer.close().map(|_| ())
}

fn schema(export: &Export<'_>) -> Result<Schema, ArrowError> {
    let field = |name: &str, kind| Field::new(name, kind, false);
    let mut fields = vec![field(PSEUDO_LABELS[0], DataType::Int64)];
    fields.extend(export.ids.map(|_| field("id", DataType::Utf8)));
    fields.push(field(PSEUDO_LABELS[1], DataType::Int32));
    fields.extend(export.names.map(|_| field("name", DataType::Utf8)));
    fields.extend(PSEUDO_LABELS[2..4].iter().map(|name| field(name, DataType::Int32)));
    fields.push(field(PSEUDO_LABELS[4], DataType::Float32));
    if let Some(table) = export.table {
        fields.push(field("features", list_type(table.features.n_features())?));
    }
    Ok(Schema::new(fields))
}

/// Lists of `width` numbers each.
pub(crate) fn list_type(width: usize) -> Result<DataType, ArrowError> {
    Ok(DataType::FixedSizeList(item(), length(width)?))
}

/// A column of such lists, from all of their numbers in order.
pub(crate) fn lists(
    values: impl Iterator<Item = f32>,
    width: usize,
) -> Result<ArrayRef, ArrowError> {
    let values = Arc::new(Float32Array::from_iter_values(values));
    Ok(Arc::new(FixedSizeListArray::try_new(item(), length(width)?, values, None)?))
}

/// What a list of features holds.
fn item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Float32, false))
}

fn length(n_features: usize) -> Result<i32, ArrowError> {
    let too_many = |_| ArrowError::InvalidArgumentError(format!("{n_features} features a list"));
    i32::try_from(n_features).map_err(too_many)
}

/// The columns of some rows, in the order of the schema.
fn columns(export: &Export<'_>, entries: &[PseudoLabel]) -> Result<Vec<ArrayRef>, ArrowError> {
    let integers = |of: fn(&PseudoLabel) -> i32| -> ArrayRef {
        Arc::new(entries.iter().map(of).collect::<Vec<_>>().into_iter().collect::<Int32Array>())
    };
    let samples: Int64Array = entries.iter().map(|entry| export.row(entry) as i64).collect();
    let mut columns: Vec<ArrayRef> = vec![Arc::new(samples)];
    if export.ids.is_some() {
        columns
            .push(Arc::new(entries.iter().map(|entry| export.id(entry)).collect::<StringArray>()));
    }
    columns.push(integers(|entry| entry.label.0.into()));
    if export.names.is_some() {
        let names = entries.iter().map(|entry| export.name(entry));
        columns.push(Arc::new(names.collect::<StringArray>()));
    }
    columns.push(integers(|entry| entry.agreement.into()));
    columns.push(integers(|entry| entry.margin));
    let confidences = entries.iter().map(|entry| entry.confidence);
    columns.push(Arc::new(Float32Array::from_iter_values(confidences)));
    if let Some(table) = export.table {
        let rows = entries.iter().map(|entry| table.features.dense_row(entry.sample.index()));
        let values = rows.flat_map(Cow::into_owned);
        columns.push(lists(values, table.features.n_features())?);
    }
    Ok(columns)
}
