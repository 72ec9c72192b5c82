//! A column of Arrow's arrays as numbers, lists of numbers, or words.

use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type,
    Decimal256Type, DecimalType, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, OffsetSizeTrait, PrimitiveArray};
use arrow_schema::{DataType, TimeUnit};

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

    /// The numbers of all lists, and of lists in them, which have to be equally long; none may be missing.
    pub(super) fn lists(&self, widths: &mut Vec<Width>) -> Result<Numbers, DataError> {
        let (mut items, mut per_row) = (self.array.clone(), 1);
        for level in 0.. {
            self.check(&items, |index| index / per_row)?;
            let Some((inner, lengths)) = unpacked(&items) else { break };
            widths.resize_with(widths.len().max(level + 1), Width::default);
            for (list, &length) in lengths.iter().enumerate() {
                let at = (self.before + list / per_row) as u64;
                let checked = widths[level].check(length, Place::Row, at);
                checked.map_err(|ragged| ragged.error(self.source_name))?;
            }
            per_row *= lengths.first().map_or(1, |&length| length.max(1));
            items = inner;
        }
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
            _ => match written(array) {
                Some(words) => words,
                None => as_text(self.f32(array)?.iter().copied()),
            },
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
            other => match decimals(array) {
                Some(values) => values.into(),
                None => return Err(self.no_numbers(other)),
            },
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

/// The type of a list's items.
pub(super) fn items_of(list: &DataType) -> Option<&DataType> {
    match list {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            Some(item.data_type())
        }
        _ => None,
    }
}

/// The items of all lists, and how many each has; `None` if they are none.
fn unpacked(array: &ArrayRef) -> Option<(ArrayRef, Vec<usize>)> {
    match array.data_type() {
        DataType::FixedSizeList(_, length) => {
            let list = array.as_fixed_size_list();
            let length = usize::try_from(*length).unwrap_or(0);
            // Of a slice, the values are those of the whole.
            let start = if list.is_empty() { 0 } else { list.value_offset_at(0) };
            let items = list.values().slice(start, list.len() * length);
            Some((items, vec![length; list.len()]))
        }
        DataType::LargeList(_) => Some(lists::<i64>(array)),
        DataType::List(_) => Some(lists::<i32>(array)),
        _ => None,
    }
}

/// The items of lists of any lengths.
fn lists<O: OffsetSizeTrait>(array: &ArrayRef) -> (ArrayRef, Vec<usize>) {
    let list = array.as_list::<O>();
    let offsets: Vec<usize> = list.offsets().iter().map(|offset| offset.as_usize()).collect();
    let (start, end) = (offsets[0], offsets[offsets.len() - 1]);
    let lengths = offsets.windows(2).map(|pair| pair[1] - pair[0]).collect();
    (list.values().slice(start, end - start), lengths)
}

/// Decimals as the nearest 64-bit floats.
fn decimals(array: &ArrayRef) -> Option<Vec<f64>> {
    fn all<T: DecimalType<Native: Into<i128>>>(array: &ArrayRef, scale: i8) -> Vec<f64> {
        let values = array.as_primitive::<T>().values().iter();
        values.map(|&value| decimal(value.into(), scale)).collect()
    }
    Some(match *array.data_type() {
        DataType::Decimal32(_, scale) => all::<Decimal32Type>(array, scale),
        DataType::Decimal64(_, scale) => all::<Decimal64Type>(array, scale),
        DataType::Decimal128(_, scale) => all::<Decimal128Type>(array, scale),
        DataType::Decimal256(..) => {
            let array = array.as_primitive::<Decimal256Type>();
            let value = |row| array.value_as_string(row).parse().unwrap_or(f64::NAN);
            (0..array.len()).map(value).collect()
        }
        _ => return None,
    })
}

#[expect(clippy::cast_precision_loss, reason = "exact, as both are smaller than 2^53")]
fn decimal(value: i128, scale: i8) -> f64 {
    match u32::try_from(scale) {
        Ok(scale @ 0..=15) if value.unsigned_abs() <= 1 << 53 => {
            value as f64 / 10_u64.pow(scale) as f64
        }
        _ => format!("{value}e{}", -i32::from(scale)).parse().unwrap_or(f64::NAN),
    }
}

/// Decimals, days and times as text.
fn written(array: &ArrayRef) -> Option<Vec<Option<String>>> {
    fn all<T: ArrowPrimitiveType, V: ToString>(
        array: &ArrayRef,
        value: impl Fn(&PrimitiveArray<T>, usize) -> Option<V>,
    ) -> Vec<Option<String>> {
        let array = array.as_primitive::<T>();
        (0..array.len()).map(|row| Some(value(array, row)?.to_string())).collect()
    }
    macro_rules! all {
        ($type:ty, $value:ident) => {
            all::<$type, _>(array, |array, row| array.$value(row))
        };
    }
    use DataType::{
        Date32, Date64, Decimal32, Decimal64, Decimal128, Decimal256, Duration, Time32, Time64,
        Timestamp,
    };
    use TimeUnit::{Microsecond, Millisecond, Nanosecond, Second};
    Some(match array.data_type() {
        Decimal32(..) => all::<Decimal32Type, _>(array, |it, row| Some(it.value_as_string(row))),
        Decimal64(..) => all::<Decimal64Type, _>(array, |it, row| Some(it.value_as_string(row))),
        Decimal128(..) => all::<Decimal128Type, _>(array, |it, row| Some(it.value_as_string(row))),
        Decimal256(..) => all::<Decimal256Type, _>(array, |it, row| Some(it.value_as_string(row))),
        Date32 => all!(Date32Type, value_as_date),
        Date64 => all!(Date64Type, value_as_date),
        Time32(Second) => all!(Time32SecondType, value_as_time),
        Time32(_) => all!(Time32MillisecondType, value_as_time),
        Time64(Microsecond) => all!(Time64MicrosecondType, value_as_time),
        Time64(_) => all!(Time64NanosecondType, value_as_time),
        Timestamp(Second, _) => all!(TimestampSecondType, value_as_datetime),
        Timestamp(Millisecond, _) => all!(TimestampMillisecondType, value_as_datetime),
        Timestamp(Microsecond, _) => all!(TimestampMicrosecondType, value_as_datetime),
        Timestamp(Nanosecond, _) => all!(TimestampNanosecondType, value_as_datetime),
        Duration(Second) => all!(DurationSecondType, value_as_duration),
        Duration(Millisecond) => all!(DurationMillisecondType, value_as_duration),
        Duration(Microsecond) => all!(DurationMicrosecondType, value_as_duration),
        Duration(Nanosecond) => all!(DurationNanosecondType, value_as_duration),
        _ => return None,
    })
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
