//! JSON Lines: an object, or a list of numbers, a line.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::BufRead;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::encoding::{Text, decode};
use super::source::{Source, unreadable};
use crate::records::cells::is_date;
use crate::records::{
    Batch, Column, Kind, Numbers, PartInfo, Place, Places, Records, Rows, Schema, Wanted, Width,
    rounds,
};
use crate::{DataError, ReadOptions};

/// Rows in a batch.
const ROWS: usize = 1024;
/// Lines by which it is decided what fields there are.
const LOOKED_AT: usize = 50;
/// Smaller whole numbers are told apart.
const BITS_64: f64 = 18_446_744_073_709_551_616.0;
/// What is read instead of other JSON.
const LINES: &str =
    "JSON Lines, a row a line (jq -c '.[]', or pandas' to_json(orient='records', lines=True)),";
/// What a line without fields has its numbers under.
const LIST: &str = "the list";

/// Opens a file. What fields there are is decided by the first lines that aren't empty.
pub(super) fn open(source: Source, options: &ReadOptions) -> Result<Records, DataError> {
    let Text { source, encoding } = decode(source, options.encoding.as_deref())?;
    let name = source.name.clone();
    let gzip = source.packing();
    let mut info = PartInfo::new(&name, format!("JSON Lines{gzip}"), &[]);
    info.encoding = encoding.map(Into::into);
    let mut lines = Lines {
        source,
        line: Vec::new(),
        number: 0,
        ahead: VecDeque::new(),
        positions: HashMap::new(),
        widths: Vec::new(),
    };
    let mut columns: Vec<Column> = Vec::new();
    while lines.ahead.len() < LOOKED_AT {
        let Some(object) = lines.read()? else { break };
        for (name, value) in &object.0 {
            let new = columns.len();
            let place = *lines.positions.entry(name.clone()).or_insert(new);
            match columns.get_mut(place) {
                None => columns.push(Column::new(name.clone(), kind(value))),
                Some(column) if column.kind == Kind::Nothing => column.kind = kind(value),
                Some(_) => {}
            }
        }
        lines.ahead.push_back((lines.number, object));
    }
    if lines.ahead.is_empty() {
        return Err(DataError::Empty { source_name: name });
    }
    if lines.ahead.len() == 1 && lines.ahead.iter().all(|(_, row)| is_whole_table(row)) {
        return Err(DataError::Unsupported {
            source_name: name,
            found: "one JSON object with all columns".into(),
            supported: LINES,
        });
    }
    let (place, index) = (Place::Line, Vec::new());
    let schema =
        Schema { name, place, columns, has_names: true, array: None, index, about_rows: None };
    Ok(Records { info, schema, rows: Box::new(lines) })
}

/// The lines that aren't empty.
struct Lines {
    source: Source,
    line: Vec<u8>,
    /// Number of the last line that was read, counted from 1.
    number: u64,
    /// Lines that were read to see what fields there are.
    ahead: VecDeque<(u64, Object)>,
    /// Columns of the fields.
    positions: HashMap<String, usize>,
    /// Of lists, of those in them, and so on.
    widths: Vec<Width>,
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
            let parsed = serde_json::from_slice(text).or_else(|error| match without_nan(text) {
                Some(text) => serde_json::from_slice(&text),
                None => Err(error),
            });
            let is_first_of_array = match &parsed {
                Ok(Object(fields)) => is_array_of_rows(fields),
                Err(_) => text.starts_with(b"["),
            };
            if *number == 1 && is_first_of_array {
                return Err(DataError::Unsupported {
                    source_name: source.name.clone(),
                    found: "one JSON array of all rows".into(),
                    supported: LINES,
                });
            }
            return parsed.map(Some).map_err(|error| {
                let source_name = source.name.clone();
                DataError::BadJson { source_name, line: *number, problem: problem(&error) }
            });
        }
    }
}

impl Rows for Lines {
    fn next(&mut self, schema: &Schema, wanted: &Wanted) -> Result<Option<Batch>, DataError> {
        let (mut values, mut lines, mut inexact) = (Vec::new(), Vec::new(), Vec::new());
        let mut words = vec![Vec::new(); wanted.words.len()];
        while lines.len() < ROWS {
            let (line, object) = match self.ahead.pop_front() {
                Some(ahead) => ahead,
                None => match self.read()? {
                    Some(object) => (self.number, object),
                    None => break,
                },
            };
            let row = Row { schema, line, values: self.in_order(line, object, schema)? };
            row.push_numbers(&wanted.numbers, &mut self.widths, &mut values, &mut inexact)?;
            for (&column, words) in wanted.words.iter().zip(&mut words) {
                words.push(row.word(column)?);
            }
            lines.push(line);
        }
        let (n_rows, places) = (lines.len(), Places::Lines(lines));
        let batch = Batch::new(n_rows, Numbers::F64(values), words, places);
        Ok((n_rows > 0).then_some(Batch { inexact, ..batch }))
    }
}

impl Lines {
    /// A line's values in the order of the columns.
    fn in_order(
        &self,
        line: u64,
        object: Object,
        schema: &Schema,
    ) -> Result<Vec<Option<Value>>, DataError> {
        let mut values: Vec<Option<Value>> = vec![None; schema.columns.len()];
        // Mostly in the order of the first line.
        for (place, (name, value)) in object.0.into_iter().enumerate() {
            let here = schema.columns.get(place).is_some_and(|column| column.name == name);
            let place = if here { Some(place) } else { self.positions.get(&name).copied() };
            let source_name = || schema.name.clone();
            let Some(place) = place else {
                let (source_name, looked_at) = (source_name(), LOOKED_AT);
                return Err(DataError::NewField { source_name, line, field: name, looked_at });
            };
            if values[place].replace(value).is_some() {
                let source_name = source_name();
                return Err(DataError::RepeatedField { source_name, line, field: name });
            }
        }
        Ok(values)
    }
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
        widths: &mut Vec<Width>,
        values: &mut Vec<f64>,
        inexact: &mut Vec<usize>,
    ) -> Result<(), DataError> {
        let mut push = |value: &Value| {
            let whole = value.as_i64().map(i128::from).or(value.as_u64().map(i128::from));
            if whole.is_some_and(rounds) {
                inexact.push(values.len());
            }
            values.push(number(value)?);
            Some(())
        };
        if let [column] = *columns
            && self.schema.columns[column].kind == Kind::Lists
        {
            let bad = || self.bad(column, "a list of numbers");
            let Some(Value::Array(items)) = &self.values[column] else { return Err(bad()) };
            let mut lists = vec![items];
            for level in 0.. {
                widths.resize_with(widths.len().max(level + 1), Width::default);
                for list in &lists {
                    let checked = widths[level].check(list.len(), Place::Line, self.line);
                    checked.map_err(|ragged| ragged.error(&self.schema.name))?;
                }
                let items = || lists.iter().flat_map(|list| list.iter());
                if !items().any(Value::is_array) {
                    return items().try_for_each(|item| push(item).ok_or_else(bad));
                }
                lists = items()
                    .map(|item| item.as_array().ok_or_else(bad))
                    .collect::<Result<_, _>>()?;
            }
        }
        for &column in columns {
            let value = self.values[column].as_ref().unwrap_or(&Value::Null);
            push(value).ok_or_else(|| self.bad(column, "a number"))?;
        }
        Ok(())
    }

    fn word(&self, column: usize) -> Result<Option<String>, DataError> {
        match &self.values[column] {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match word(value) {
                None => Err(self.bad(column, "a string, or a number of at most 64 bits")),
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
        Value::Number(_) => Kind::Numbers,
        Value::Bool(_) => Kind::Booleans,
        Value::String(text) if is_date(text) => Kind::Dates,
        Value::String(_) => Kind::Words,
        Value::Array(items) if are_numbers(items) => Kind::Lists,
        Value::Array(_) => Kind::Other("a list of something else than numbers".into()),
        Value::Object(_) => Kind::Other("an object".into()),
        Value::Null => Kind::Nothing,
    }
}

/// Whether a list has numbers, or lists of them.
fn are_numbers(items: &[Value]) -> bool {
    let is_such = |item: &Value| match item {
        Value::Array(items) => are_numbers(items),
        item => number(item).is_some(),
    };
    !items.is_empty() && items.iter().all(is_such)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::Null => Some(f64::NAN),
        value => value.as_f64(),
    }
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        // Of more than 64 bits, several would be one.
        Value::Number(number) if number.as_f64().is_some_and(|it| it.abs() >= BITS_64) => None,
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// Whether a first line is an array of rows, and not a row itself.
fn is_array_of_rows(fields: &[(String, Value)]) -> bool {
    let [(name, Value::Array(items))] = fields else { return false };
    name == LIST && matches!(items.first(), Some(Value::Array(_) | Value::Object(_)))
}

/// Whether a single line has columns rather than cells, as `DataFrame.to_json` writes them: several fields, all of them lists or objects.
fn is_whole_table(Object(fields): &Object) -> bool {
    fields.len() > 1
        && fields.iter().all(|(_, value)| matches!(value, Value::Array(_) | Value::Object(_)))
}

/// A line with `null` for each `NaN`, as Python writes it, if there is one outside of strings.
fn without_nan(line: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(line.len());
    let (mut in_string, mut escaped, mut found) = (false, false, false);
    let mut rest = line;
    while let Some((&byte, after)) = rest.split_first() {
        if !in_string && let Some(after) = rest.strip_prefix(b"NaN") {
            text.extend(b"null");
            found = true;
            rest = after;
            continue;
        }
        in_string ^= byte == b'"' && !escaped;
        escaped = in_string && byte == b'\\' && !escaped;
        text.push(byte);
        rest = after;
    }
    found.then_some(text)
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
