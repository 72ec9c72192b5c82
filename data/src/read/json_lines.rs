//! JSON Lines: an object, or a list of numbers, a line.

use std::fmt;
use std::io::BufRead;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::PartInfo;
use super::columns::{Column, From, Kind, Roles};
use super::part::{Part, Request};
use super::source::{Source, unreadable};
use super::table::{self, Table};
use super::text;
use crate::DataError;

/// What a line without fields has its numbers under.
const LIST: &str = "the list";

/// Reads all lines that aren't empty. What each field is for is decided by the first one.
pub(super) fn read(mut source: Source, request: Request<'_>) -> Result<Part, DataError> {
    text::check_encoding(&mut source)?;
    let name = source.name.clone();
    let mut line = Vec::new();
    let mut number = 0;
    let mut reader: Option<Fields> = None;
    let mut found = Table::default();
    loop {
        line.clear();
        let read = source.reader.read_until(b'\n', &mut line);
        if read.map_err(|error| unreadable(&error, &name))? == 0 {
            break;
        }
        number += 1;
        let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line).trim_ascii();
        if text.is_empty() {
            continue;
        }
        let object: Object = serde_json::from_slice(text).map_err(|error| {
            let source_name = name.clone();
            DataError::BadJson { source_name, line: number, problem: problem(&error) }
        })?;
        let fields = match &mut reader {
            Some(fields) => fields,
            None => reader.insert(Fields::new(&object, request, &name)?),
        };
        fields.push(object, &mut found, number)?;
    }
    let Some(Fields { columns, roles, .. }) = reader else {
        return Err(DataError::Empty { source_name: name });
    };
    let gzip = if source.gzip { ", gzip" } else { "" };
    let shape = table::shape(&found, &roles, &columns);
    let info = PartInfo::new(&name, format!("JSON Lines{gzip}"), &shape);
    found.into_part(info, &roles, Some(&columns), request, "line")
}

/// What the fields of the first line are for.
struct Fields {
    name: String,
    columns: Vec<Column>,
    roles: Roles,
}

impl Fields {
    fn new(first: &Object, request: Request<'_>, name: &str) -> Result<Self, DataError> {
        let column =
            |(name, value): &(String, Value)| Column { name: name.clone(), kind: kind(value) };
        let columns: Vec<Column> = first.0.iter().map(column).collect();
        let roles = Roles::choose(&columns, request, name)?;
        table::check_kinds(&columns, &roles, name)?;
        Ok(Self { name: name.into(), columns, roles })
    }

    fn push(&self, object: Object, table: &mut Table, line: u64) -> Result<(), DataError> {
        let mut values: Vec<Option<Value>> = vec![None; self.columns.len()];
        // Mostly in the order of the first line.
        for (place, (name, value)) in object.0.into_iter().enumerate() {
            let here = self.columns.get(place).is_some_and(|column| column.name == name);
            let place = if here { Some(place) } else { self.position(&name) };
            if let Some(place) = place {
                values[place] = Some(value);
            }
        }
        let take = |values: &mut Vec<Option<Value>>, index: usize| values[index].take();
        if let Some(index) = self.roles.id {
            let id = take(&mut values, index).as_ref().and_then(word);
            table.ids.push(id.ok_or_else(|| self.bad(line, index, "a string or a number"))?);
        }
        if let Some(index) = self.roles.label {
            let label = take(&mut values, index).as_ref().and_then(word);
            table.labels.push((label.unwrap_or_default(), line));
        }
        match &self.roles.features {
            From::Texts(index) => match take(&mut values, *index) {
                Some(Value::String(text)) => table.texts.push(text),
                _ => return Err(self.bad(line, *index, "a string")),
            },
            From::Vectors(index) => {
                let before = table.values.len();
                let Some(Value::Array(items)) = take(&mut values, *index) else {
                    return Err(self.bad(line, *index, "a list of numbers"));
                };
                for item in &items {
                    let number = number(item);
                    let number =
                        number.ok_or_else(|| self.bad(line, *index, "a list of numbers"))?;
                    table.values.push(number);
                }
                table.check_width(before, &self.name, "line", line)?;
            }
            From::Columns(used) => {
                for &index in used {
                    let number = take(&mut values, index).as_ref().and_then(number);
                    table.values.push(number.ok_or_else(|| self.bad(line, index, "a number"))?);
                }
            }
        }
        table.n_rows += 1;
        Ok(())
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    fn bad(&self, line: u64, column: usize, wanted: &'static str) -> DataError {
        DataError::BadField {
            source_name: self.name.clone(),
            line,
            field: self.columns[column].name.clone(),
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
            Kind::Vectors
        }
        Value::Array(_) => Kind::Other("a list of something else than numbers".into()),
        Value::Object(_) => Kind::Other("an object".into()),
        Value::Null => Kind::Other("null".into()),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "features are 32-bit floats by design")]
fn number(value: &Value) -> Option<f32> {
    match value {
        Value::Bool(value) => Some(f32::from(u8::from(*value))),
        value => value.as_f64().map(|value| value as f32),
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
