//! Tables of numbers as text: comma, tab or semicolon, with or without a header line.
//!
//! Cells are numbers, so a line is a row and quotes are mere decoration: read line by line, every error has
//! its exact line.

use std::io::BufRead;

use super::numbers::Target;
use super::source::{Source, unreadable};
use super::{PartInfo, Raw};
use crate::DataError;

/// Longest text of a bad cell that a message repeats, in characters.
const SHOWN: usize = 40;
/// What a line may have at its ends. Tabs there are empty cells.
const BLANK: [char; 3] = [' ', '\r', '\n'];

/// Reads a table. The first line is a header if it has a cell that is no number above one that is.
pub(crate) fn read<T: Target>(mut source: Source) -> Result<Raw<T>, DataError> {
    let delimiter = delimiter(&mut source)?;
    let separator = delimiter.map_or(',', char::from);
    let mut lines = Lines::new(source);
    let name = lines.source.name.clone();
    let Some(first) = lines.next()? else {
        return Err(DataError::Empty { source_name: name });
    };
    let first_line = lines.number;
    let mut row = lines.next()?;
    let header = row.as_ref().is_some_and(|second| is_header(&first, second, separator, |_| false));

    let columns = cells(&first, separator).count();
    let mut table = Table { name: &name, separator, columns, values: Vec::new() };
    if !header {
        table.push(&first, first_line)?;
    }
    while let Some(line) = row {
        table.push(&line, lines.number)?;
        row = lines.next()?;
    }
    let shape = vec![table.values.len() / columns, columns];
    let values = table.values;
    let gzip = if lines.source.gzip { ", gzip" } else { "" };
    let mut info = PartInfo::new(&name, format!("CSV{gzip}"), &shape);
    info.delimiter = delimiter.map(char::from);
    info.header = Some(header);
    Ok(Raw { info, shape, values, truth: None })
}

/// The delimiter: the first of tab, semicolon and comma that is in the first line outside quotes, if any.
pub(crate) fn delimiter(source: &mut Source) -> Result<Option<u8>, DataError> {
    let start = source.peek(1 << 16)?;
    let line = start.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    let line = String::from_utf8_lossy(line.unwrap_or_default());
    let has = |delimiter: &u8| cells(line.trim_matches(BLANK), char::from(*delimiter)).count() > 1;
    Ok([b'\t', b';', b','].into_iter().find(has))
}

/// The lines that aren't empty, and the number of the last one, counted from 1.
pub(crate) struct Lines {
    pub(crate) source: Source,
    pub(crate) number: u64,
    buffer: Vec<u8>,
}

impl Lines {
    pub(crate) fn new(source: Source) -> Self {
        Self { source, number: 0, buffer: Vec::new() }
    }

    pub(crate) fn next(&mut self) -> Result<Option<String>, DataError> {
        loop {
            self.buffer.clear();
            let read = self.source.reader.read_until(b'\n', &mut self.buffer);
            if read.map_err(|error| unreadable(&error, &self.source.name))? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let text = String::from_utf8_lossy(&self.buffer);
            // Spreadsheets like to start a file with a byte-order mark.
            let text = text.trim_start_matches('\u{feff}').trim_matches(BLANK);
            if !text.is_empty() {
                return Ok(Some(text.into()));
            }
        }
    }
}

struct Table<'a, T> {
    name: &'a str,
    separator: char,
    columns: usize,
    values: Vec<T>,
}

impl<T: Target> Table<'_, T> {
    fn push(&mut self, line: &str, number: u64) -> Result<(), DataError> {
        let found = cells(line, self.separator).count();
        if found != self.columns {
            return Err(DataError::RaggedRow {
                source_name: self.name.into(),
                line: number,
                found,
                expected: self.columns,
            });
        }
        for (column, cell) in cells(line, self.separator).enumerate() {
            let value = T::from_text(cell).ok_or_else(|| DataError::NotANumber {
                source_name: self.name.into(),
                line: number,
                column: column + 1,
                text: shown(cell),
            })?;
            self.values.push(value);
        }
        Ok(())
    }
}

/// What a message repeats of a bad cell.
pub(crate) fn shown(cell: &str) -> String {
    cell.chars().take(SHOWN).collect()
}

/// A line's cells, without blanks and quotes around them. A separator inside quotes doesn't count.
pub(crate) fn cells(line: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let split = line.split(move |letter| {
        quoted ^= letter == '"';
        letter == separator && !quoted
    });
    split.map(|cell| {
        let cell = cell.trim();
        let inside = cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"'));
        inside.map_or(cell, str::trim)
    })
}

/// Whether a first line names the columns: it has a word above a number, or above what stands for a missing one.
pub(crate) fn is_header(
    first: &str,
    second: &str,
    separator: char,
    is_missing: fn(&str) -> bool,
) -> bool {
    let is_value = |cell: &str| is_missing(cell) || cell.parse::<f64>().is_ok();
    let mut pairs = cells(first, separator).zip(cells(second, separator));
    pairs.any(|(first, second)| !is_value(first) && is_value(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_inside_quotes_do_not_count() {
        let cells: Vec<_> = cells(r#""a, b", " 1.5 ",,x"#, ',').collect();
        assert_eq!(cells, ["a, b", "1.5", "", "x"]);
    }

    #[test]
    fn a_header_is_a_word_above_a_number() {
        let is_header = |first, second| is_header(first, second, ',', str::is_empty);
        assert!(is_header("0,label", "1.5,3"));
        assert!(is_header("a", ""));
        assert!(!is_header("1,", "x,3"));
        assert!(!is_header("a,b", "c,d"));
    }
}
