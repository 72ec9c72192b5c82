//! An array as a source of rows: a column of lists, with columns beside it that are in memory.

use std::io::Read;
use std::vec::IntoIter;

use super::numbers::{Encoding, count_values, expect_end, read_numbers};
use crate::DataError;
use crate::records::{
    Array, Batch, Column, Kind, Numbers, PartInfo, Place, Places, Records, Rows, Schema, Wanted,
    unique,
};

/// Values in a batch, about.
const BLOCK: usize = 1 << 18;

/// The rows of an array, in their order.
pub(super) trait Blocks {
    /// Some further rows, whole; none after the last.
    fn next(&mut self) -> Result<Numbers, DataError>;

    /// Whether they are large, and most of them are zeros that nobody has stored.
    fn stays_sparse(&self) -> bool {
        false
    }

    /// All rows, instead of some at a time, if they are kept and that takes less memory. Before the first of them.
    fn all(&mut self, _: &Wanted) -> Result<Option<Batch>, DataError> {
        Ok(None)
    }
}

/// The values of a column beside an array, as words.
pub(super) type Beside = Box<dyn FnMut(usize) -> Result<Vec<Option<String>>, DataError>>;

/// An array and what is beside it.
pub(super) struct Opened {
    /// How messages name it.
    pub(super) name: String,
    /// With the array's shape.
    pub(super) info: PartInfo,
    pub(super) blocks: Box<dyn Blocks>,
    pub(super) item_names: Option<Vec<String>>,
    pub(super) columns: Vec<Column>,
    /// Columns that name the rows.
    pub(super) index: Vec<usize>,
    pub(super) beside: Beside,
    pub(super) uneven_labels: Option<usize>,
}

impl Opened {
    /// An array with nothing beside it.
    pub(super) fn alone(name: String, info: PartInfo, blocks: Box<dyn Blocks>) -> Self {
        Self {
            name,
            info,
            blocks,
            item_names: None,
            columns: Vec::new(),
            index: Vec::new(),
            beside: Box::new(|_| Ok(Vec::new())),
            uneven_labels: None,
        }
    }

    /// The array is the column behind those that are beside it.
    pub(super) fn records(self) -> Result<Records, DataError> {
        let Self { name, info, blocks, item_names, mut columns, index, beside, uneven_labels } =
            self;
        let (n_rows, width) = table(&info.shape, &name)?;
        let column = columns.len();
        let own = info.member.clone().unwrap_or_else(|| "the array".into());
        columns.push(Column::new(own, Kind::Lists));
        let item_names = item_names.map(unique);
        let stays_sparse = blocks.stays_sparse();
        let array = Array { column, n_rows, width, item_names, uneven_labels, stays_sparse };
        let schema = Schema {
            name,
            place: Place::Row,
            columns,
            has_names: true,
            index,
            array: Some(array),
            about_rows: Some(n_rows),
        };
        let rows = ArrayRows { blocks, n_rows, width, next: 0, beside, words: None };
        Ok(Records { info, schema, rows: Box::new(rows) })
    }
}

/// Columns of `n_rows` values without an array.
pub(super) fn columns_alone(
    name: String,
    info: PartInfo,
    (columns, n_rows): (Vec<Column>, usize),
    beside: Beside,
) -> Records {
    let schema = Schema {
        name,
        place: Place::Row,
        columns,
        has_names: true,
        index: Vec::new(),
        array: None,
        about_rows: Some(n_rows),
    };
    let blocks = Box::new(Nothing);
    let rows = ArrayRows { blocks, n_rows, width: 1, next: 0, beside, words: None };
    Records { info, schema, rows: Box::new(rows) }
}

struct Nothing;

impl Blocks for Nothing {
    fn next(&mut self) -> Result<Numbers, DataError> {
        Ok(Numbers::F32(Vec::new()))
    }
}

struct ArrayRows {
    blocks: Box<dyn Blocks>,
    n_rows: usize,
    width: usize,
    /// The first row that wasn't given.
    next: usize,
    beside: Beside,
    /// What wasn't given of the columns of words that are wanted.
    words: Option<Vec<IntoIter<Option<String>>>>,
}

impl Rows for ArrayRows {
    fn next(&mut self, schema: &Schema, wanted: &Wanted) -> Result<Option<Batch>, DataError> {
        if self.next == self.n_rows {
            return Ok(None);
        }
        let all = match self.next == 0 && wanted.are_kept {
            true => self.blocks.all(wanted)?,
            false => None,
        };
        let places = Places::From(self.next as u64);
        let mut batch = match all {
            Some(all) => all,
            None if wanted.numbers.is_empty() => {
                let rows = self.n_rows - self.next;
                Batch::new(rows, Numbers::F32(Vec::new()), Vec::new(), places)
            }
            None => {
                let numbers = self.blocks.next()?;
                Batch::new(numbers.len() / self.width, numbers, Vec::new(), places)
            }
        };
        if self.words.is_none() {
            let columns = wanted.words.iter().map(|&column| {
                let words = (self.beside)(column)?;
                if words.len() == self.n_rows {
                    return Ok(words.into_iter());
                }
                Err(DataError::Corrupt {
                    source_name: schema.name.clone(),
                    problem: format!("{} values of {}", words.len(), schema.columns[column].name),
                })
            });
            self.words = Some(columns.collect::<Result<_, _>>()?);
        }
        let words = self.words.iter_mut().flatten();
        batch.words = words.map(|words| words.take(batch.n_rows).collect()).collect();
        self.next += batch.n_rows;
        Ok(Some(batch))
    }
}

fn not_a_table(source_name: &str, shape: &[usize]) -> DataError {
    DataError::Dimensions {
        source_name: source_name.into(),
        found: shape.to_vec(),
        expected: "two dimensions or more, samples first",
    }
}

/// Rows and columns of an array whose first axis is that of the samples.
pub(super) fn table(shape: &[usize], name: &str) -> Result<(usize, usize), DataError> {
    let [rows, rest @ ..] = shape else { return Err(not_a_table(name, shape)) };
    if rest.is_empty() {
        return Err(not_a_table(name, shape));
    }
    let width = rest.iter().fold(1_usize, |width, &length| width.saturating_mul(length));
    if *rows == 0 || width == 0 {
        return Err(DataError::Empty { source_name: name.into() });
    }
    Ok((*rows, width))
}

/// Rows that are read at a time.
pub(super) fn step(width: usize) -> usize {
    (BLOCK / width.max(1)).max(1)
}

/// Stored numbers of an array, in the order of the file.
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) encoding: Encoding,
    reader: Box<dyn Read>,
    /// Bytes read so far, and those that there are.
    bytes: (u64, u64),
}

impl Stored {
    /// `position`: bytes before the values, which have been read. `available`: bytes that there can be, those included.
    pub(super) fn new(
        name: &str,
        shape: &[usize],
        encoding: Encoding,
        (position, available): (u64, u64),
        reader: Box<dyn Read>,
    ) -> Result<Self, DataError> {
        let size = encoding.kind.size();
        let room = available.saturating_sub(position);
        let count = count_values(shape, size, position, room, name)?;
        let bytes = (position, position + (count * size) as u64);
        Ok(Self { name: name.into(), encoding, reader, bytes })
    }

    /// The next `count` values. Behind the last one the file ends.
    pub(super) fn take(&mut self, count: usize) -> Result<Numbers, DataError> {
        let Self { name, encoding, reader, bytes } = self;
        let values = read_numbers(reader, *encoding, count, *bytes, name)?;
        bytes.0 += (count * encoding.kind.size()) as u64;
        if bytes.0 == bytes.1 {
            expect_end(reader, bytes.1, name)?;
        }
        Ok(values)
    }
}

/// An array in C order: row after row.
pub(super) struct RowMajor {
    stored: Stored,
    width: usize,
    /// Rows that haven't been read.
    left: usize,
}

impl RowMajor {
    pub(super) fn new(stored: Stored, shape: &[usize]) -> Result<Self, DataError> {
        let (left, width) = table(shape, &stored.name)?;
        Ok(Self { stored, width, left })
    }
}

impl Blocks for RowMajor {
    fn next(&mut self) -> Result<Numbers, DataError> {
        let rows = step(self.width).min(self.left);
        self.left -= rows;
        self.stored.take(rows * self.width)
    }
}
