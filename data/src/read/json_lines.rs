//! JSON Lines: an object, or a list of numbers, a line.

use std::fmt;
use std::io::BufRead;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::source::{Source, unreadable};
use super::text;
use crate::DataError;
use crate::records::{
    Batch, Column, Kind, Numbers, PartInfo, Place, Places, Records, Rows, Schema, Wanted, Width,
};

/// Rows in a batch.
const ROWS: usize = 1024;
/// What a line without fields has its numbers under.
const LIST: &str = "the list";

/// Opens a file. What fields there are is decided by the first line that isn't empty.
pub(super) fn open(mut source: Source) -> Result<Records, DataError> {
    text::check_encoding(&mut source)?;
    let name = source.name.clone();
    let gzip = if source.gzip { ", gzip" } else { "" };
    let info = PartInfo::new(&name, format!("JSON Lines{gzip}"), &[]);
    let mut lines =
        Lines { source, line: Vec::new(), number: 0, first: None, width: Width::default() };
    let Some(first) = lines.read()? else {
        return Err(DataError::Empty { source_name: name });
    };
    let columns = first.0.iter().map(|(name, value)| Column::new(name.clone(), kind(value)));
    let columns = columns.collect();
    let schema = Schema { name, place: Place::Line, columns, has_names: true, index: None };
    lines.first = Some(first);
    Ok(Records { info, schema, rows: Box::new(lines) })
}

/// The lines that aren't empty.
struct Lines {
    source: Source,
    line: Vec<u8>,
    /// Number of the last line that was read, counted from 1.
    number: u64,
    /// The first, read to see what its fields are.
    first: Option<Object>,
    width: Width,
}

impl Lines {
    fn read(&mut self) -> Result<Option<Object>, DataError> {
        let Self { source, line, number, .. } = self;
        loop {
            line.clear();
            let read = source.reader.read_until(b'\n', line);
            if read.map_err(|error| unreadable(&error, &source.name))? == 0 {
                return Ok(None);
            }
            *number += 1;
            let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
            if text.is_empty() {
                continue;
            }
            return serde_json::from_slice(text).map(Some).map_err(|error| {
                let source_name = source.name.clone();
                DataError::BadJson { source_name, line: *number, problem: problem(&error) }
            });
        }
    }
}

impl Rows for Lines {
    fn next(&mut self, schema: &Schema, wanted: &Wanted) -> Result<Option<Batch>, DataError> {
        let (mut values, mut lines) = (Vec::new(), Vec::new());
        let mut words = vec![Vec::new(); wanted.words.len()];
        while lines.len() < ROWS {
            let object = match self.first.take() {
                None => self.read()?,
                first => first,
            };
            let Some(object) = object else { break };
            let row = Row { schema, line: self.number, values: in_order(object, schema) };
            row.push_numbers(&wanted.numbers, &mut self.width, &mut values)?;
            for (&column, words) in wanted.words.iter().zip(&mut words) {
                words.push(row.word(column)?);
            }
            lines.push(self.number);
        }
        Ok((!lines.is_empty()).then_some(Batch {
            n_rows: lines.len(),
            numbers: Numbers::F64(values),
            words,
            places: Places::Lines(lines),
        }))
    }
}

/// A line's values in the order of the columns.
fn in_order(object: Object, schema: &Schema) -> Vec<Option<Value>> {
    let mut values: Vec<Option<Value>> = vec![None; schema.columns.len()];
    // Mostly in the order of the first line.
    for (place, (name, value)) in object.0.into_iter().enumerate() {
        let here = schema.columns.get(place).is_some_and(|column| column.name == name);
        let position = || schema.columns.iter().position(|column| column.name == name);
        if let Some(place) = if here { Some(place) } else { position() } {
            values[place] = Some(value);
        }
    }
    values
}

struct Row<'a> {
    schema: &'a Schema,
    line: u64,
    values: Vec<Option<Value>>,
}

impl Row<'_> {
    fn push_numbers(
        &self,
        columns: &[usize],
        width: &mut Width,
        values: &mut Vec<f64>,
    ) -> Result<(), DataError> {
        if let [column] = *columns
            && self.schema.columns[column].kind == Kind::Lists
        {
            let bad = || self.bad(column, "a list of numbers");
            let Some(Value::Array(items)) = &self.values[column] else { return Err(bad()) };
            for item in items {
                values.push(number(item).ok_or_else(bad)?);
            }
            let checked = width.check(items.len(), Place::Line, self.line);
            return checked.map_err(|ragged| ragged.error(&self.schema.name));
        }
        for &column in columns {
            let value = self.values[column].as_ref().and_then(number);
            values.push(value.ok_or_else(|| self.bad(column, "a number"))?);
        }
        Ok(())
    }

    fn word(&self, column: usize) -> Result<Option<String>, DataError> {
        match &self.values[column] {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match word(value) {
                None => Err(self.bad(column, "a string or a number")),
                word => Ok(word),
            },
        }
    }

    fn bad(&self, column: usize, wanted: &'static str) -> DataError {
        DataError::BadField {
            source_name: self.schema.name.clone(),
            line: self.line,
            field: self.schema.columns[column].name.clone(),
            wanted,
        }
    }
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Number(_) | Value::Bool(_) => Kind::Numbers,
        Value::String(_) => Kind::Words,
        Value::Array(items)
            if !items.is_empty() && items.iter().all(|item| number(item).is_some()) =>
        {
            Kind::Lists
        }
        Value::Array(_) => Kind::Other("a list of something else than numbers".into()),
        Value::Object(_) => Kind::Other("an object".into()),
        Value::Null => Kind::Other("null".into()),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        value => value.as_f64(),
    }
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// What is wrong with a line, without the parser's own count of lines.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    format!("{} at column {}", &text[..end], error.column())
}

/// A line's fields in their order.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Line;
        impl<'de> Visitor<'de> for Line {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or a list of numbers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Object(fields))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Object, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Object(vec![(LIST.into(), Value::Array(list))]))
            }
        }
        deserializer.deserialize_any(Line)
    }
}
