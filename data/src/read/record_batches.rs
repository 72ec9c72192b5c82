//! Tables in columns, as Parquet and Arrow have them, a batch of rows at a time.

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema};

use super::PartInfo;
use super::arrow_cells::Cells;
use super::columns::{Column, From, Kind, Roles};
use super::part::{Part, Request};
use super::table::{self, Table};
use crate::DataError;

/// A table of which some columns are read.
pub(super) struct Reader<'a> {
    request: Request<'a>,
    info: PartInfo,
    name: String,
    columns: Vec<Column>,
    roles: Roles,
    /// Columns that are read, in ascending order.
    used: Vec<usize>,
    table: Table,
}

impl<'a> Reader<'a> {
    /// Decides by the schema what each column is for.
    pub(super) fn new(
        name: &str,
        format: String,
        schema: &Schema,
        request: Request<'a>,
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
        let info = PartInfo::new(name, format, &[]);
        let name = name.into();
        Ok(Self { request, info, name, columns, roles, used, table: Table::default() })
    }

    /// Columns that are read, in ascending order.
    pub(super) fn used(&self) -> &[usize] {
        &self.used
    }

    /// Adds rows, of which the columns that are [`Reader::used`] are there.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<(), DataError> {
        let start = self.table.n_rows;
        let cells = |index: &usize| Cells {
            array: batch.column(self.used.partition_point(|used| used < index)),
            column: &self.columns[*index].name,
            source_name: &self.name,
            before: start,
        };
        if let Some(index) = &self.roles.id {
            self.table.ids.extend(cells(index).words()?);
        }
        if let Some(index) = &self.roles.label {
            let rows = start as u64..;
            self.table.labels.extend(cells(index).labels()?.into_iter().zip(rows));
        }
        match &self.roles.features {
            From::Columns(used) => {
                let columns = used.iter().map(|index| cells(index).numbers());
                let columns: Vec<Vec<f32>> = columns.collect::<Result<_, _>>()?;
                for row in 0..batch.num_rows() {
                    self.table.values.extend(columns.iter().map(|column| column[row]));
                }
                self.table.n_rows += batch.num_rows();
            }
            From::Vectors(index) => {
                let (values, lengths) = cells(index).vectors()?;
                let mut values = values.as_slice();
                for length in lengths {
                    let (vector, rest) = values.split_at(length);
                    let before = self.table.values.len();
                    self.table.values.extend(vector);
                    let row = self.table.n_rows as u64;
                    self.table.check_width(before, &self.name, "row", row)?;
                    self.table.n_rows += 1;
                    values = rest;
                }
            }
            From::Texts(index) => {
                self.table.texts.extend(cells(index).words()?);
                self.table.n_rows += batch.num_rows();
            }
        }
        Ok(())
    }

    /// All rows as a part.
    pub(super) fn finish(mut self) -> Result<Part, DataError> {
        self.info.shape = table::shape(&self.table, &self.roles, &self.columns);
        self.table.into_part(self.info, &self.roles, Some(&self.columns), self.request, "row")
    }
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
