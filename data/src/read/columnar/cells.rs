//! A column of Arrow's arrays as numbers, lists of numbers, or words.

use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, OffsetSizeTrait};
use arrow_schema::DataType;

use crate::DataError;
use crate::records::{Narrow, Numbers, Place, Width, rounds};

/// Rows whose numbers are put side by side at a time: what a cache holds.
const BLOCK: usize = 64;

/// Some rows of a column.
pub(super) struct Cells<'a> {
    pub(super) array: &'a ArrayRef,
    pub(super) column: &'a str,
    pub(super) source_name: &'a str,
    /// Number of rows before these.
    pub(super) before: usize,
}

impl Cells<'_> {
    /// All columns' numbers, row after row, NaN where one is missing.
    pub(super) fn numbers(columns: &[Self]) -> Result<Numbers, DataError> {
        let types = || columns.iter().map(|cells| cells.array.data_type());
        if types().all(fits_f32) {
            let columns = columns.iter().map(|cells| cells.f32(cells.array));
            return Ok(Numbers::F32(side_by_side(&columns.collect::<Result<Vec<_>, _>>()?)));
        }
        let is_whole = |cells: &Self| {
            *cells.array.data_type() == DataType::Int64 && cells.array.null_count() == 0
        };
        if columns.iter().all(is_whole) {
            let columns = columns.iter();
            let columns = columns
                .map(|cells| Cow::Borrowed(&cells.array.as_primitive::<Int64Type>().values()[..]));
            return Ok(Numbers::I64(side_by_side(&columns.collect::<Vec<_>>())));
        }
        let columns = columns.iter().map(|cells| cells.f64(cells.array));
        Ok(Numbers::F64(side_by_side(&columns.collect::<Result<Vec<_>, _>>()?)))
    }

    /// Writes the columns' numbers into rows of 32-bit floats, NaN where one is missing. `rows`: shape (n, `width`); the first column is the
    /// item `first` of each.
    pub(super) fn put_f32(
        columns: &[Self],
        rows: &mut [f32],
        width: usize,
        first: usize,
    ) -> Result<(), DataError> {
        let columns = columns.iter().map(|cells| cells.f32(cells.array));
        put(&columns.collect::<Result<Vec<_>, _>>()?, rows, width, first);
        Ok(())
    }

    /// The same for rows of 64-bit floats.
    pub(super) fn put_f64(
        columns: &[Self],
        rows: &mut [f64],
        width: usize,
        first: usize,
    ) -> Result<(), DataError> {
        let columns = columns.iter().map(|cells| cells.f64(cells.array));
        put(&columns.collect::<Result<Vec<_>, _>>()?, rows, width, first);
        Ok(())
    }

    /// Writes the columns' numbers, of 64 bits, as features. `are_first`: of the first rows, which decide how.
    pub(super) fn put_features(
        columns: &[Self],
        rows: &mut [f32],
        (width, first): (usize, usize),
        narrow: &mut Narrow,
        are_first: bool,
    ) -> Result<(), DataError> {
        let columns = columns.iter().map(|cells| cells.f64(cells.array));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        if are_first {
            columns.iter().zip(first..).for_each(|(column, feature)| narrow.look(feature, column));
        }
        blocks(&columns, rows, width, |place, column, block| {
            let feature = first + place;
            narrow.put(feature, column, block.iter_mut().skip(feature).step_by(width));
        });
        Ok(())
    }

    /// Places, row after row, of whole numbers of 64 bits that are rounded beside numbers of other types.
    pub(super) fn inexact(columns: &[Self]) -> Vec<usize> {
        let width = columns.len();
        let of = |(column, cells): (usize, &Self)| {
            let rounded = |row: &usize| match cells.array.data_type() {
                DataType::Int64 => {
                    rounds(cells.array.as_primitive::<Int64Type>().value(*row).into())
                }
                DataType::UInt64 => {
                    rounds(cells.array.as_primitive::<UInt64Type>().value(*row).into())
                }
                _ => false,
            };
            let is_whole = matches!(cells.array.data_type(), DataType::Int64 | DataType::UInt64);
            let rows = 0..if is_whole { cells.array.len() } else { 0 };
            let rows = rows.filter(|row| cells.array.is_valid(*row)).filter(rounded);
            rows.map(|row| row * width + column).collect::<Vec<_>>()
        };
        columns.iter().enumerate().flat_map(of).collect()
    }

    /// The numbers of all lists, which have to be equally long; none may be missing.
    pub(super) fn lists(&self, width: &mut Width) -> Result<Numbers, DataError> {
        self.check(self.array, |index| index)?;
        let (items, lengths) = match self.array.data_type() {
            DataType::FixedSizeList(_, length) => {
                let list = self.array.as_fixed_size_list();
                let length = usize::try_from(*length).unwrap_or(0);
                // Of a slice, the values are those of the whole.
                let start = if list.is_empty() { 0 } else { list.value_offset_at(0) };
                let items = list.values().slice(start, list.len() * length);
                (items, vec![length; list.len()])
            }
            DataType::LargeList(_) => lists::<i64>(self.array),
            _ => lists::<i32>(self.array),
        };
        for (row, &length) in lengths.iter().enumerate() {
            let checked = width.check(length, Place::Row, (self.before + row) as u64);
            checked.map_err(|ragged| ragged.error(self.source_name))?;
        }
        let length = lengths.first().map_or(1, |&length| length.max(1));
        self.check(&items, |index| index / length)?;
        Ok(match items.data_type() {
            narrow if fits_f32(narrow) => Numbers::F32(self.f32(&items)?.into_owned()),
            DataType::Int64 => Numbers::I64(items.as_primitive::<Int64Type>().values().to_vec()),
            _ => Numbers::F64(self.f64(&items)?.into_owned()),
        })
    }

    /// A word a row, numbers as text, `None` where there is none.
    pub(super) fn words(&self) -> Result<Vec<Option<String>>, DataError> {
        let array = self.array;
        let mut words: Vec<Option<String>> = match array.data_type() {
            DataType::Utf8 => array.as_string::<i32>().iter().map(text).collect(),
            DataType::LargeUtf8 => array.as_string::<i64>().iter().map(text).collect(),
            DataType::Utf8View => array.as_string_view().iter().map(text).collect(),
            DataType::Dictionary(..) => {
                let dictionary = array.as_any_dictionary();
                if dictionary.values().is_empty() {
                    vec![None; array.len()]
                } else {
                    let names = Cells { array: dictionary.values(), ..*self }.words()?;
                    let keys = dictionary.normalized_keys();
                    keys.into_iter().map(|key| names[key].clone()).collect()
                }
            }
            DataType::Null => vec![None; array.len()],
            DataType::Boolean => as_text(array.as_boolean().values().iter().map(u8::from)),
            DataType::Int8 => whole::<Int8Type>(array),
            DataType::Int16 => whole::<Int16Type>(array),
            DataType::Int32 => whole::<Int32Type>(array),
            DataType::Int64 => whole::<Int64Type>(array),
            DataType::UInt8 => whole::<UInt8Type>(array),
            DataType::UInt16 => whole::<UInt16Type>(array),
            DataType::UInt32 => whole::<UInt32Type>(array),
            DataType::UInt64 => whole::<UInt64Type>(array),
            DataType::Float64 => whole::<Float64Type>(array),
            _ => as_text(self.f32(array)?.iter().copied()),
        };
        if let Some(nulls) = array.logical_nulls() {
            for (word, is_there) in words.iter_mut().zip(&nulls) {
                if !is_there {
                    *word = None;
                }
            }
        }
        Ok(words)
    }

    /// Refuses missing values. `row`: the row of an item.
    fn check(&self, array: &ArrayRef, row: impl Fn(usize) -> usize) -> Result<(), DataError> {
        let Some(nulls) = array.logical_nulls().filter(|nulls| nulls.null_count() > 0) else {
            return Ok(());
        };
        let first = nulls.iter().position(|is_there| !is_there).unwrap_or(0);
        Err(DataError::Null {
            source_name: self.source_name.into(),
            place: Place::Row.word(),
            at: (self.before + row(first)) as u64,
            column: self.column.into(),
        })
    }

    fn f32<'a>(&self, array: &'a ArrayRef) -> Result<Cow<'a, [f32]>, DataError> {
        let mut values = match array.data_type() {
            DataType::Float32 => Cow::Borrowed(&array.as_primitive::<Float32Type>().values()[..]),
            DataType::Boolean => {
                array.as_boolean().values().iter().map(|value| f32::from(u8::from(value))).collect()
            }
            DataType::Int8 => values::<Int8Type, _>(array, f32::from),
            DataType::Int16 => values::<Int16Type, _>(array, f32::from),
            DataType::UInt8 => values::<UInt8Type, _>(array, f32::from),
            DataType::UInt16 => values::<UInt16Type, _>(array, f32::from),
            DataType::Float16 => values::<Float16Type, _>(array, half::f16::to_f32),
            other => return Err(self.no_numbers(other)),
        };
        each_missing(array, |row| values.to_mut()[row] = f32::NAN);
        Ok(values)
    }

    #[expect(clippy::cast_precision_loss, reason = "64-bit integers beside other numbers")]
    fn f64<'a>(&self, array: &'a ArrayRef) -> Result<Cow<'a, [f64]>, DataError> {
        let mut values = match array.data_type() {
            DataType::Float64 => Cow::Borrowed(&array.as_primitive::<Float64Type>().values()[..]),
            DataType::Int32 => values::<Int32Type, _>(array, f64::from),
            DataType::UInt32 => values::<UInt32Type, _>(array, f64::from),
            DataType::Int64 => values::<Int64Type, _>(array, |value| value as f64),
            DataType::UInt64 => values::<UInt64Type, _>(array, |value| value as f64),
            DataType::Null => vec![f64::NAN; array.len()].into(),
            narrow if fits_f32(narrow) => {
                return Ok(self.f32(array)?.iter().map(|&value| f64::from(value)).collect());
            }
            other => return Err(self.no_numbers(other)),
        };
        each_missing(array, |row| values.to_mut()[row] = f64::NAN);
        Ok(values)
    }

    fn no_numbers(&self, found: &DataType) -> DataError {
        DataError::ColumnKind {
            source_name: self.source_name.into(),
            column: self.column.into(),
            found: found.to_string(),
            as_what: "numbers",
        }
    }
}

/// Calls `tell` with every row in which nothing is.
fn each_missing(array: &ArrayRef, tell: impl FnMut(usize)) {
    if let Some(nulls) = array.nulls().filter(|nulls| nulls.null_count() > 0) {
        (0..array.len()).filter(|&row| nulls.is_null(row)).for_each(tell);
    }
}

/// Whether a type's numbers are 32-bit floats without loss.
pub(super) fn fits_f32(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::UInt8
            | DataType::UInt16
            | DataType::Float16
            | DataType::Float32
    )
}

/// Columns of equal length as rows.
fn side_by_side<T: Copy + Default>(columns: &[Cow<'_, [T]>]) -> Vec<T> {
    let (width, rows) = (columns.len(), columns.first().map_or(0, |column| column.len()));
    let mut values = vec![T::default(); rows * width];
    put(columns, &mut values, width, 0);
    values
}

/// Writes columns into rows of `width`, from the item `first` on.
fn put<T: Copy>(columns: &[Cow<'_, [T]>], rows: &mut [T], width: usize, first: usize) {
    blocks(columns, rows, width, |place, column, block| {
        let to = block.iter_mut().skip(first + place).step_by(width);
        to.zip(column).for_each(|(to, &value)| *to = value);
    });
}

/// Calls `write` with a column's number, what it has of some rows, and these rows, of `width`: some rows of all columns after the other.
fn blocks<T: Clone, U>(
    columns: &[Cow<'_, [T]>],
    rows: &mut [U],
    width: usize,
    mut write: impl FnMut(usize, &[T], &mut [U]),
) {
    let n_rows = columns.first().map_or(0, |column| column.len());
    for (block, start) in rows.chunks_mut(BLOCK * width.max(1)).zip((0..n_rows).step_by(BLOCK)) {
        for (place, column) in columns.iter().enumerate() {
            write(place, &column[start..n_rows.min(start + BLOCK)], block);
        }
    }
}

/// The items of all lists, and how many each has.
fn lists<O: OffsetSizeTrait>(array: &ArrayRef) -> (ArrayRef, Vec<usize>) {
    let list = array.as_list::<O>();
    let offsets: Vec<usize> = list.offsets().iter().map(|offset| offset.as_usize()).collect();
    let (start, end) = (offsets[0], offsets[offsets.len() - 1]);
    let lengths = offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
    (list.values().slice(start, end - start), lengths)
}

fn text(word: Option<&str>) -> Option<String> {
    word.map(str::to_owned)
}

fn whole<T: ArrowPrimitiveType<Native: ToString>>(array: &ArrayRef) -> Vec<Option<String>> {
    as_text(array.as_primitive::<T>().values().iter().copied())
}

fn as_text<T: ToString>(values: impl Iterator<Item = T>) -> Vec<Option<String>> {
    values.map(|value| Some(value.to_string())).collect()
}

fn values<T: ArrowPrimitiveType, V: Clone>(
    array: &ArrayRef,
    convert: impl Fn(T::Native) -> V,
) -> Cow<'static, [V]> {
    array.as_primitive::<T>().values().iter().map(|&value| convert(value)).collect()
}
