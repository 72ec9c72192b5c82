//! A column of Arrow's arrays as numbers, lists of numbers, or words.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, OffsetSizeTrait};
use arrow_schema::DataType;

use super::numbers::Target;
use crate::DataError;

/// Some rows of a column.
pub(super) struct Cells<'a> {
    pub(super) array: &'a ArrayRef,
    pub(super) column: &'a str,
    pub(super) source_name: &'a str,
    /// Number of rows before these.
    pub(super) before: usize,
}

impl Cells<'_> {
    /// A number a row; none may be missing.
    pub(super) fn numbers(&self) -> Result<Vec<f32>, DataError> {
        self.check(self.array, |index| index)?;
        self.converted(self.array)
    }

    /// All rows' numbers, one row's after the other's, and how many each has; none may be missing.
    pub(super) fn vectors(&self) -> Result<(Vec<f32>, Vec<usize>), DataError> {
        self.check(self.array, |index| index)?;
        let (items, lengths) = match self.array.data_type() {
            DataType::FixedSizeList(_, length) => {
                let list = self.array.as_fixed_size_list();
                let length = usize::try_from(*length).unwrap_or(0);
                // Of a slice, the values are those of the whole.
                let start = list.value_offset_at(0);
                let items = list.values().slice(start, list.len() * length);
                (items, vec![length; list.len()])
            }
            DataType::LargeList(_) => lists::<i64>(self.array),
            _ => lists::<i32>(self.array),
        };
        let ends: Vec<usize> = lengths
            .iter()
            .scan(0, |end, length| {
                *end += length;
                Some(*end)
            })
            .collect();
        self.check(&items, |index| ends.partition_point(|&end| end <= index))?;
        Ok((self.converted(&items)?, lengths))
    }

    /// A word a row, numbers as text; none may be missing.
    pub(super) fn words(&self) -> Result<Vec<String>, DataError> {
        self.check(self.array, |index| index)?;
        self.labels()
    }

    /// A word a row, numbers as text, nothing where there is none.
    pub(super) fn labels(&self) -> Result<Vec<String>, DataError> {
        let array = self.array;
        let mut words: Vec<String> = match array.data_type() {
            DataType::Utf8 => array.as_string::<i32>().iter().map(text).collect(),
            DataType::LargeUtf8 => array.as_string::<i64>().iter().map(text).collect(),
            DataType::Utf8View => array.as_string_view().iter().map(text).collect(),
            DataType::Dictionary(..) => {
                let dictionary = array.as_any_dictionary();
                if dictionary.values().is_empty() {
                    vec![String::new(); array.len()]
                } else {
                    let names = Cells { array: dictionary.values(), ..*self }.labels()?;
                    let keys = dictionary.normalized_keys();
                    keys.into_iter().map(|key| names[key].clone()).collect()
                }
            }
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
            _ => as_text(self.converted(array)?.into_iter()),
        };
        if let Some(nulls) = array.logical_nulls() {
            for (word, is_there) in words.iter_mut().zip(&nulls) {
                if !is_there {
                    word.clear();
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
            row: self.before + row(first),
            column: self.column.into(),
        })
    }

    fn converted(&self, array: &ArrayRef) -> Result<Vec<f32>, DataError> {
        Ok(match array.data_type() {
            DataType::Boolean => {
                array.as_boolean().values().iter().map(|value| f32::from(u8::from(value))).collect()
            }
            DataType::Int8 => values::<Int8Type>(array, |value| value.into()),
            DataType::Int16 => values::<Int16Type>(array, |value| value.into()),
            DataType::Int32 => values::<Int32Type>(array, |value| f32::from_signed(value.into())),
            DataType::Int64 => values::<Int64Type>(array, f32::from_signed),
            DataType::UInt8 => values::<UInt8Type>(array, |value| value.into()),
            DataType::UInt16 => values::<UInt16Type>(array, |value| value.into()),
            DataType::UInt32 => {
                values::<UInt32Type>(array, |value| f32::from_unsigned(value.into()))
            }
            DataType::UInt64 => values::<UInt64Type>(array, f32::from_unsigned),
            DataType::Float16 => values::<Float16Type>(array, half::f16::to_f32),
            DataType::Float32 => values::<Float32Type>(array, |value| value),
            DataType::Float64 => values::<Float64Type>(array, f32::from_float),
            other => {
                return Err(DataError::ColumnKind {
                    source_name: self.source_name.into(),
                    column: self.column.into(),
                    found: other.to_string(),
                    as_what: "numbers",
                });
            }
        })
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

fn text(word: Option<&str>) -> String {
    word.unwrap_or_default().to_owned()
}

fn whole<T: ArrowPrimitiveType<Native: ToString>>(array: &ArrayRef) -> Vec<String> {
    as_text(array.as_primitive::<T>().values().iter().copied())
}

fn as_text<T: ToString>(values: impl Iterator<Item = T>) -> Vec<String> {
    values.map(|value| value.to_string()).collect()
}

fn values<T: ArrowPrimitiveType>(array: &ArrayRef, convert: impl Fn(T::Native) -> f32) -> Vec<f32> {
    array.as_primitive::<T>().values().iter().map(|&value| convert(value)).collect()
}
