//! Tables in columns, as Parquet and Arrow have them, a batch of rows at a time.

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema as ArrowSchema};

use super::cells::{Cells, items_of};
use super::opened::Opened;
use super::tiles;
use crate::DataError;
use crate::read::no_panic::no_panic;
use crate::records::{
    Batch, Column, Kind, Numbers, PartInfo, Place, Places, Records, Rows, Schema, Wanted, Width,
    unique,
};

/// Opens a file to read what is wanted of it.
type Open = Box<dyn FnOnce(&Wanted) -> Result<Opened, DataError>>;

/// A table whose batches are opened when it is known which columns are wanted. `what` the file is: `Parquet file`.
pub(super) fn records(
    name: String,
    schema: &ArrowSchema,
    format: &str,
    what: &'static str,
    about_rows: Option<usize>,
    open: Open,
) -> Records {
    let info = PartInfo::new(&name, format.into(), &[]);
    let fields = schema.fields();
    let names = unique(fields.iter().map(|field| field.name().clone()).collect());
    let columns = names.into_iter().zip(fields.iter());
    let columns = columns.map(|(name, field)| Column::new(name, kind(field.data_type()))).collect();
    let (place, index) = (Place::Row, index(schema));
    let schema = Schema { name, place, columns, has_names: true, array: None, index, about_rows };
    let rows =
        Table { what, state: State::Closed(open), rest: None, n_rows: 0, widths: Vec::new() };
    Records { info, schema, rows: Box::new(rows) }
}

/// The columns of the index of a table that pandas wrote.
fn index(schema: &ArrowSchema) -> Vec<usize> {
    let pandas = schema.metadata().get("pandas");
    let pandas = pandas.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    let names = pandas.and_then(|pandas| pandas.get("index_columns")?.as_array().cloned());
    // A range has no column.
    let names = names.unwrap_or_default();
    names.iter().filter_map(|name| schema.index_of(name.as_str()?).ok()).collect()
}

/// Rows that are converted at a time, at most: a batch without values can claim any number of them.
const ROWS: usize = 1 << 16;

struct Table {
    what: &'static str,
    state: State,
    /// What is left of a batch.
    rest: Option<RecordBatch>,
    /// Rows read so far.
    n_rows: usize,
    /// Of lists, of those in them, and so on.
    widths: Vec<Width>,
}

enum State {
    Closed(Open),
    Open(Opened),
    Ended,
}

impl Rows for Table {
    fn next(&mut self, schema: &Schema, wanted: &Wanted) -> Result<Option<Batch>, DataError> {
        no_panic(&schema.name, self.what, || {
            let used = wanted.columns();
            if let Some(rest) = self.rest.take() {
                return self.next_rows(&rest, &used, schema, wanted).map(Some);
            }
            let mut opened = match std::mem::replace(&mut self.state, State::Ended) {
                State::Closed(open) => open(wanted)?,
                State::Open(opened) => opened,
                State::Ended => return Ok(None),
            };
            let read = match &mut opened {
                Opened::Batches(batches) => {
                    let Some(batch) = batches.next().transpose()? else { return Ok(None) };
                    self.next_rows(&batch, &used, schema, wanted)?
                }
                Opened::Tiles(tiles, kind) => {
                    let read = tiles::next(&mut **tiles, kind, schema, wanted, self.n_rows)?;
                    let Some(read) = read else { return Ok(None) };
                    self.n_rows += read.n_rows;
                    read
                }
            };
            self.state = State::Open(opened);
            Ok(Some(read))
        })
    }
}

impl Table {
    /// The first rows of a batch; the others wait.
    fn next_rows(
        &mut self,
        batch: &RecordBatch,
        used: &[usize],
        schema: &Schema,
        wanted: &Wanted,
    ) -> Result<Batch, DataError> {
        let n_rows = batch.num_rows();
        self.rest = (n_rows > ROWS).then(|| batch.slice(ROWS, n_rows - ROWS));
        self.batch(&batch.slice(0, n_rows.min(ROWS)), used, schema, wanted)
    }

    /// The rows of a batch, which has the columns `used`.
    fn batch(
        &mut self,
        batch: &RecordBatch,
        used: &[usize],
        schema: &Schema,
        wanted: &Wanted,
    ) -> Result<Batch, DataError> {
        let cells = |index: &usize| Cells {
            array: batch.column(used.partition_point(|used| used < index)),
            column: &schema.columns[*index].name,
            source_name: &schema.name,
            before: self.n_rows,
        };
        let words = wanted.words.iter().map(|index| cells(index).words());
        let words = words.collect::<Result<_, _>>()?;
        let is_list = |index: usize| schema.columns[index].kind == Kind::Lists;
        let numbers = match *wanted.numbers.as_slice() {
            [column] if is_list(column) => cells(&column).lists(&mut self.widths)?,
            _ => Cells::numbers(&wanted.numbers.iter().map(cells).collect::<Vec<_>>())?,
        };
        let n_rows = batch.num_rows();
        let places = Places::From(self.n_rows as u64);
        let mut read = Batch::new(n_rows, numbers, words, places);
        if let Numbers::F64(_) = read.numbers {
            let columns: Vec<_> = wanted.numbers.iter().map(cells).collect();
            read.inexact = Cells::inexact(&columns);
        }
        self.n_rows += n_rows;
        Ok(read)
    }
}

/// What a column can be read as.
fn kind(data_type: &DataType) -> Kind {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Words,
        // Categories, whatever they are called.
        DataType::Dictionary(_, values) if kind(values).is_simple() => Kind::Words,
        list if items_of(list).is_some_and(are_numbers) => Kind::Lists,
        DataType::Boolean => Kind::Booleans,
        DataType::Null => Kind::Nothing,
        number if is_number(number) => Kind::Numbers,
        DataType::Interval(_) => Kind::Other(data_type.to_string()),
        date if date.is_temporal() => Kind::Dates,
        other => Kind::Other(other.to_string()),
    }
}

/// Whether a list's items are numbers, or lists of them.
fn are_numbers(items: &DataType) -> bool {
    items_of(items).map_or(is_number(items), are_numbers)
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_integer()
        || data_type.is_floating()
        || data_type.is_decimal()
        || *data_type == DataType::Boolean
}
