//! Tables of numbers as text: comma, tab, semicolon or blanks, with or without a header line.
//!
//! Cells are numbers, so a line is a row and quotes are mere decoration: read line by line, every error has
//! its exact line.

use std::collections::VecDeque;
use std::io::BufRead;

pub(crate) use crate::records::labels::is_missing;

use super::numbers::Target;
use super::source::{Source, unreadable};
use super::strings::Cells;
use crate::DataError;

/// Longest text of a bad cell that a message repeats, in characters.
const SHOWN: usize = 40;
/// What a line may have at its ends. Tabs there are empty cells.
const BLANK: [char; 3] = [' ', '\r', '\n'];
/// Bytes of a file in which its delimiter is looked for.
const START: usize = 1 << 16;

/// Reads a table of numbers as an array. The first line is a header if it has a cell that is no number above one that is.
pub(super) fn read_cells(source: Source) -> Result<(Vec<usize>, Cells), DataError> {
    let Start { mut lines, separator, columns, .. } = Start::read(source, |_| false)?;
    let name = lines.source.name.clone();
    let mut table = Table::new(&name, separator, columns, Vec::new());
    while let Some(row) = lines.next()? {
        table.push(&row)?;
    }
    let shape = vec![table.values.len() / columns, columns];
    Ok((shape, Cells::Numbers(table.values)))
}

/// What the first lines of a table say about it.
pub(crate) struct Start {
    /// The rows: what comes behind the header and comments.
    pub(crate) lines: Lines,
    /// The delimiter, or one that isn't there.
    pub(crate) separator: char,
    /// Number of cells of the first line.
    pub(crate) columns: usize,
    /// The names of the columns, if they have any.
    pub(crate) header: Option<Vec<String>>,
    /// Number of the last line before the rows.
    pub(crate) before: u64,
}

impl Start {
    /// Reads up to the first row. `is_missing`: what stands for a missing number.
    ///
    /// Lines that start with `# ` are comments; the last one is the header, as numpy.savetxt writes it, if it has
    /// as many cells as the line below.
    pub(crate) fn read(source: Source, is_missing: fn(&str) -> bool) -> Result<Self, DataError> {
        Self::read_named(source, is_missing, &[], false)
    }

    /// As [`Start::read`]; a first line that has all of `names`, if there are any, is the header.
    ///
    /// `folded`: line breaks in quotes are part of a cell.
    pub(crate) fn read_named(
        mut source: Source,
        is_missing: fn(&str) -> bool,
        names: &[&str],
        folded: bool,
    ) -> Result<Self, DataError> {
        check_encoding(&mut source)?;
        let separator = delimiter(&mut source)?.map_or(',', char::from);
        let mut lines = Lines::new(source);
        lines.folded = folded;
        let mut header = None;
        while lines.look_ahead(1)?.front().is_some_and(|row| is_comment(&row.1)) {
            header = lines.next()?;
        }
        let ahead = lines.look_ahead(2)?;
        let (first, second) = (ahead.front().cloned(), ahead.get(1));
        let Some((_, first)) = first else {
            let source_name = lines.source.name;
            return Err(match header {
                Some(_) => DataError::NoRows { source_name },
                None => DataError::Empty { source_name },
            });
        };
        let columns = cells(&first, separator).count();
        let is_value = |cell| is_missing(cell) || is_number(cell);
        let is_named = |name: &&str| cells(&first, separator).any(|cell| cell == *name);
        let has_names = !names.is_empty() && names.iter().all(is_named);
        match second {
            Some(_) if has_names => header = lines.next()?,
            None if has_names => return Err(DataError::NoRows { source_name: lines.source.name }),
            Some((_, second)) if is_header(&first, second, separator, is_missing) => {
                header = lines.next()?;
            }
            None if !cells(&first, separator).any(is_value) => {
                return Err(DataError::NoRows { source_name: lines.source.name });
            }
            _ => {}
        }
        let before = lines.number;
        let header = header.map(|(_, line)| {
            let names = cells(line.trim_start_matches('#').trim_start_matches(BLANK), separator);
            names.map(str::to_owned).collect()
        });
        let header = header.filter(|names: &Vec<String>| names.len() == columns);
        Ok(Self { lines, separator, columns, header, before })
    }
}

/// Refuses what Windows calls Unicode.
pub(crate) fn check_encoding(source: &mut Source) -> Result<(), DataError> {
    match source.peek(2)? {
        [0xff, 0xfe] | [0xfe, 0xff] => Err(DataError::Utf16 { source_name: source.name.clone() }),
        _ => Ok(()),
    }
}

/// The delimiter: the first of tab, semicolon and comma that is in the first line outside quotes, if any; else a
/// blank, if there are blanks between numbers.
pub(crate) fn delimiter(source: &mut Source) -> Result<Option<u8>, DataError> {
    let start = String::from_utf8_lossy(source.peek(START)?);
    let lines = start.split('\n').map(trimmed);
    let mut lines = lines.filter(|line| !line.is_empty() && !is_comment(line));
    let (mut first, second) = (lines.next().unwrap_or_default(), lines.next());
    let has = |delimiter: &u8| cells(first, char::from(*delimiter)).count() > 1;
    if let Some(delimiter) = [b'\t', b';', b','].into_iter().find(has) {
        return Ok(Some(delimiter));
    }
    if second.is_none() && start.len() >= START {
        // The last cell may have been cut.
        first = first.rsplit_once(' ').map_or(first, |(whole, _)| whole);
    }
    let count = cells(first, ' ').count();
    let numbers = |line| {
        cells(line, ' ').all(|cell| is_missing(cell) || is_number(cell))
            && cells(line, ' ').any(is_number)
    };
    let below = |second| cells(second, ' ').count() == count && numbers(second);
    Ok((count > 1 && (numbers(first) || second.is_some_and(below))).then_some(b' '))
}

/// A line that isn't empty, and its number, counted from 1.
pub(crate) type Row = (u64, String);

/// The lines that aren't empty.
pub(crate) struct Lines {
    pub(crate) source: Source,
    /// Number of the last line that was given.
    number: u64,
    /// Number of the last line that was read.
    read: u64,
    buffer: Vec<u8>,
    /// Whether a line with an open quote goes on in the next one.
    folded: bool,
    /// Lines that have been looked at.
    ahead: VecDeque<Row>,
}

impl Lines {
    fn new(source: Source) -> Self {
        Self {
            source,
            number: 0,
            read: 0,
            buffer: Vec::new(),
            folded: false,
            ahead: VecDeque::new(),
        }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Row>, DataError> {
        let next = match self.ahead.pop_front() {
            None => self.read()?,
            next => next,
        };
        self.number = next.as_ref().map_or(self.number, |row| row.0);
        Ok(next)
    }

    /// The next `count` lines, which stay unread; fewer only if there aren't more.
    pub(crate) fn look_ahead(&mut self, count: usize) -> Result<&VecDeque<Row>, DataError> {
        while self.ahead.len() < count {
            let Some(row) = self.read()? else { break };
            self.ahead.push_back(row);
        }
        Ok(&self.ahead)
    }

    fn read(&mut self) -> Result<Option<Row>, DataError> {
        loop {
            self.buffer.clear();
            let read = self.source.reader.read_until(b'\n', &mut self.buffer);
            if read.map_err(|error| unreadable(&error, &self.source.name))? == 0 {
                return Ok(None);
            }
            self.read += 1;
            let number = self.read;
            let mut quotes = count_quotes(&self.buffer);
            while self.folded && !quotes.is_multiple_of(2) {
                let start = self.buffer.len();
                let read = self.source.reader.read_until(b'\n', &mut self.buffer);
                if read.map_err(|error| unreadable(&error, &self.source.name))? == 0 {
                    break;
                }
                self.read += 1;
                quotes += count_quotes(&self.buffer[start..]);
            }
            let text = String::from_utf8_lossy(&self.buffer);
            let text = trimmed(&text);
            if !text.is_empty() {
                return Ok(Some((number, text.into())));
            }
        }
    }
}

fn count_quotes(line: &[u8]) -> usize {
    line.iter().filter(|&&byte| byte == b'"').count()
}

/// A line without blanks at its ends, and without the byte-order mark with which spreadsheets like to start a file.
fn trimmed(line: &str) -> &str {
    line.trim_start_matches('\u{feff}').trim_matches(BLANK)
}

/// Whether a line is a comment and not, say, `#N/A`.
fn is_comment(line: &str) -> bool {
    line.strip_prefix('#').is_some_and(|rest| rest.is_empty() || rest.starts_with(BLANK))
}

pub(crate) fn is_number(cell: &str) -> bool {
    cell.parse::<f64>().is_ok()
}

/// Rows of numbers.
pub(crate) struct Table<'a, T> {
    name: &'a str,
    separator: char,
    columns: usize,
    /// Row after row.
    pub(crate) values: Vec<T>,
}

impl<'a, T: Target> Table<'a, T> {
    /// `values`: of the rows before.
    pub(crate) fn new(name: &'a str, separator: char, columns: usize, values: Vec<T>) -> Self {
        Self { name, separator, columns, values }
    }

    pub(crate) fn push(&mut self, (number, line): &Row) -> Result<(), DataError> {
        let found = cells(line, self.separator).count();
        if found != self.columns {
            return Err(DataError::RaggedRow {
                source_name: self.name.into(),
                line: *number,
                found,
                expected: self.columns,
            });
        }
        for (column, cell) in cells(line, self.separator).enumerate() {
            let value = T::from_text(cell)
                .ok_or_else(|| not_a_number(self.name, *number, column, None, cell))?;
            self.values.push(value);
        }
        Ok(())
    }
}

/// `column`: counted from 0. `header`: what it is called.
pub(super) fn not_a_number(
    name: &str,
    line: u64,
    column: usize,
    header: Option<&str>,
    cell: &str,
) -> DataError {
    DataError::NotANumber {
        source_name: name.into(),
        line,
        column: column + 1,
        header: header.map_or(String::new(), |header| format!(" ({})", shown(header))),
        text: shown(cell),
    }
}

/// What a message repeats of a bad cell.
pub(crate) fn shown(cell: &str) -> String {
    cell.chars().take(SHOWN).collect()
}

/// A line's cells, without blanks and quotes around them. A separator inside quotes doesn't count. If the separator
/// is a blank, so is any white space, and several count as one.
pub(crate) fn cells(line: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let by_blanks = separator == ' ';
    let split = line.split(move |letter: char| {
        quoted ^= letter == '"';
        (letter == separator || (by_blanks && letter.is_whitespace())) && !quoted
    });
    split.filter(move |cell| !by_blanks || !cell.is_empty()).map(|cell| {
        let cell = cell.trim();
        let inside = cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"'));
        inside.map_or(cell, str::trim)
    })
}

/// Whether a first line names the columns: it has a word above a number, or above what stands for a missing one.
fn is_header(first: &str, second: &str, separator: char, is_missing: fn(&str) -> bool) -> bool {
    let is_value = |cell: &str| is_missing(cell) || is_number(cell);
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
