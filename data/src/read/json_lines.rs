//! JSON Lines: an object, or a list of numbers, a line.

use std::fmt;
use std::io::BufRead;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::PartInfo;
use super::columns::{Column, From, Kind, Roles};
use super::part::Request;
use super::source::{Source, unreadable};
use super::table::{self, Blocks, Layout, OpenTable, Table};
use super::text;
use crate::DataError;

/// What a line without fields has its numbers under.
const LIST: &str = "the list";

/// Opens a file. What each field is for is decided by the first line that isn't empty.
pub(super) fn open(mut source: Source, request: Request<'_>) -> Result<OpenTable, DataError> {
    text::check_encoding(&mut source)?;
    let name = source.name.clone();
    let gzip = if source.gzip { ", gzip" } else { "" };
    let info = PartInfo::new(&name, format!("JSON Lines{gzip}"), &[]);
    let mut lines = Lines { source, line: Vec::new(), number: 0, first: None };
    let Some(first) = lines.read()? else {
        return Err(DataError::Empty { source_name: name });
    };
    let column = |(name, value): &(String, Value)| Column { name: name.clone(), kind: kind(value) };
    let columns: Vec<Column> = first.0.iter().map(column).collect();
    let roles = Roles::choose(&columns, request, &name)?;
    table::check_kinds(&columns, &roles, &name)?;
    let n_columns = columns.len();
    let layout = Layout { name, n_columns, columns: Some(columns), roles, place: "line" };
    lines.first = Some(first);
    Ok(OpenTable { info, layout, blocks: Box::new(lines) })
}

/// The lines that aren't empty.
struct Lines {
    source: Source,
    line: Vec<u8>,
    /// Number of the last line that was read, counted from 1.
    number: u64,
    /// The first, read to see what its fields are.
    first: Option<Object>,
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

impl Blocks for Lines {
    fn next(&mut self, layout: &Layout, table: &mut Table) -> Result<bool, DataError> {
        let object = match self.first.take() {
            None => self.read()?,
            first => first,
        };
        let Some(object) = object else { return Ok(false) };
        let columns = layout.columns.as_deref().unwrap_or_default();
        let fields = Fields { name: &layout.name, columns, roles: &layout.roles };
        fields.push(object, table, self.number)?;
        Ok(true)
    }
}

/// What the fields of the first line are for.
struct Fields<'a> {
    name: &'a str,
    columns: &'a [Column],
    roles: &'a Roles,
}

impl Fields<'_> {
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
            table.labels.push(label.unwrap_or_default(), line);
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
                table.check_width(before, self.name, "line", line)?;
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
            source_name: self.name.into(),
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
