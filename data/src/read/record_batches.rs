//! Tables in columns, as Parquet and Arrow have them, a batch of rows at a time.

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema};

use super::PartInfo;
use super::arrow_cells::Cells;
use super::columns::{Column, From, Kind, Roles};
use super::no_panic::no_panic;
use super::part::Request;
use super::table::{self, Blocks, Layout, OpenTable, Table};
use crate::DataError;

/// Batches of rows as a format's own library gives them.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, DataError>>>;

/// A table whose columns are known, before its rows are read.
pub(super) struct Start {
    layout: Layout,
    /// Columns that are read, in ascending order.
    used: Vec<usize>,
}

impl Start {
    /// Decides by the schema what each column is for.
    pub(super) fn new(
        name: &str,
        schema: &Schema,
        request: Request<'_>,
    ) -> Result<Self, DataError> {
        let columns: Vec<Column> = schema
            .fields()
            .iter()
            .map(|field| Column { name: field.name().clone(), kind: kind(field.data_type()) })
            .collect();
        let roles = Roles::choose(&columns, request, name)?;
        table::check_kinds(&columns, &roles, name)?;
        let mut used = match &roles.features {
            From::Columns(columns) => columns.clone(),
            From::Vectors(column) | From::Texts(column) => vec![*column],
        };
        used.extend(roles.id.iter().chain(&roles.label));
        used.sort_unstable();
        used.dedup();
        let (name, n_columns) = (name.into(), columns.len());
        let layout = Layout { name, n_columns, columns: Some(columns), roles, place: "row" };
        Ok(Self { layout, used })
    }

    /// Columns that are read, in ascending order.
    pub(super) fn used(&self) -> &[usize] {
        &self.used
    }

    /// The table, whose `batches` have the columns that are [`Start::used`]. `what` the file is: `Parquet file`.
    pub(super) fn open(self, format: &str, what: &'static str, batches: Batches) -> OpenTable {
        let Self { layout, used } = self;
        let info = PartInfo::new(&layout.name, format.into(), &[]);
        OpenTable { info, layout, blocks: Box::new(Rows { what, used, batches }) }
    }
}

/// The rows of all batches.
struct Rows {
    what: &'static str,
    used: Vec<usize>,
    batches: Batches,
}

impl Blocks for Rows {
    fn next(&mut self, layout: &Layout, table: &mut Table) -> Result<bool, DataError> {
        no_panic(&layout.name, self.what, || {
            let Some(batch) = self.batches.next().transpose()? else { return Ok(false) };
            push(&batch, &self.used, layout, table)?;
            Ok(true)
        })
    }
}

/// Adds the rows of a batch, which has the columns `used`.
fn push(
    batch: &RecordBatch,
    used: &[usize],
    layout: &Layout,
    table: &mut Table,
) -> Result<(), DataError> {
    let (start, roles) = (table.n_rows, &layout.roles);
    let columns = layout.columns.as_deref().unwrap_or_default();
    let cells = |index: &usize| Cells {
        array: batch.column(used.partition_point(|used| used < index)),
        column: &columns[*index].name,
        source_name: &layout.name,
        before: start,
    };
    if let Some(index) = &roles.id {
        table.ids.extend(cells(index).words()?);
    }
    if let Some(index) = &roles.label {
        for (label, row) in cells(index).labels()?.into_iter().zip(start as u64..) {
            table.labels.push(label, row);
        }
    }
    match &roles.features {
        From::Columns(features) => {
            let columns = features.iter().map(|index| cells(index).numbers());
            let columns: Vec<Vec<f32>> = columns.collect::<Result<_, _>>()?;
            for row in 0..batch.num_rows() {
                table.values.extend(columns.iter().map(|column| column[row]));
            }
            table.n_rows += batch.num_rows();
        }
        From::Vectors(index) => {
            let (values, lengths) = cells(index).vectors()?;
            let mut values = values.as_slice();
            for length in lengths {
                let (vector, rest) = values.split_at(length);
                let before = table.values.len();
                table.values.extend(vector);
                table.check_width(before, &layout.name, "row", table.n_rows as u64)?;
                table.n_rows += 1;
                values = rest;
            }
        }
        From::Texts(index) => {
            table.texts.extend(cells(index).words()?);
            table.n_rows += batch.num_rows();
        }
    }
    Ok(())
}

/// What a column can be read as.
fn kind(data_type: &DataType) -> Kind {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Words,
        DataType::Dictionary(_, values) if kind(values) == Kind::Words => Kind::Words,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)
            if is_number(item.data_type()) =>
        {
            Kind::Vectors
        }
        number if is_number(number) => Kind::Numbers,
        other => Kind::Other(other.to_string()),
    }
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_integer() || data_type.is_floating() || *data_type == DataType::Boolean
}
