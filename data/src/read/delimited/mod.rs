//! Tables as text: comma, tab, semicolon or blanks, with or without a header line.

mod cells;
mod guess;

use std::io::{Cursor, Read};

use csv::ByteRecord;

use self::cells::{Cells, holds, is_empty, list};
pub(super) use self::guess::are_texts;
use self::guess::{LineFeeds, Start, has_header, is_blank, is_svmlight, reader_of, without_empty};
use super::encoding::{Text, decode};
use super::source::{Source, unreadable};
use crate::records::cells::is_boolean;
use crate::records::{
    Batch, Column, Kind, Like, Numbers, PartInfo, Place, Places, Records, Rows, Schema, Wanted,
    Width, text_rounds, unique,
};
use crate::{DataError, ReadOptions};

/// Below it, every whole number is a 64-bit float.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Longest text of a bad cell that a message repeats, in characters.
const SHOWN: usize = 40;
/// Values in a batch, about, and rows at most.
const VALUES: usize = 1 << 18;
const ROWS: usize = 4096;

/// What is read behind a file: its last line ends, so that lines can be counted, and then there is what only an open quote takes in.
const END: &[u8] = b"\n\x04";

/// The note on a header that is one for no other reason.
pub(super) const COUNTED: &str = "its first line counts up from 0 and was taken for names of columns (--header no if it is a row)";

/// Opens a table. Columns are known by the names in its header line, else by their numbers.
///
/// `like`: what sources say that this one has to be like.
pub(super) fn open(
    source: Source,
    options: &ReadOptions,
    like: &Like,
) -> Result<Records, DataError> {
    let Text { source, encoding } = decode(source, options.encoding.as_deref())?;
    let (packing, is_packed) = (source.packing(), source.packed.is_some());
    let Source { name, len, mut reader, .. } = source;
    let mut start = Start::read(&mut reader, &name, options.decimal_comma)?;
    if is_svmlight(&start.bytes) {
        return Err(DataError::Unsupported {
            source_name: name,
            found: "rows of svmlight (libsvm), a label and then column:value".into(),
            supported: "a sparse matrix (scipy.sparse.save_npz of what sklearn.datasets.load_svmlight_file reads)",
        });
    }
    let whole = (options.header == Some(false)).then(|| start.bytes.clone());
    let mut comment = start.take_comments();
    let mut delimiter = start.delimiter();
    let mut ahead = start.records(delimiter);
    let is_row = |comment: &Vec<u8>| {
        let row = Start::new(comment.clone(), true, false).records(delimiter).pop();
        row.map(|row| row.len()) == ahead.first().map(ByteRecord::len)
    };
    if let Some(bytes) = whole.filter(|_| comment.as_ref().is_some_and(is_row)) {
        // A person says that nothing names the columns, and so what looks like it is the first row.
        start = Start::new(bytes, start.is_all, options.decimal_comma);
        (comment, delimiter) = (None, start.delimiter());
        ahead = start.records(delimiter);
    }
    let Some(first) = ahead.first() else {
        return Err(match comment {
            Some(_) => DataError::NoRows { source_name: name },
            None => DataError::Empty { source_name: name },
        });
    };
    let cells = Cells { decimal_comma: options.decimal_comma, encoding };
    let n_columns = first.len();
    let has_comment = comment.is_some();
    let above = comment.and_then(|bytes| Start::new(bytes, true, false).records(delimiter).pop());
    let above = above.filter(|names| names.len() == n_columns);
    let lines = (first, ahead.get(1));
    let (in_table, counted) = has_header(&cells, lines, options, like, above.is_some());
    // One line of words is no row, unless a person says so.
    let is_said = options.header == Some(false);
    let has_values = || first.iter().any(|cell| cells.is_value(cell));
    if ahead.len() == 1 && (in_table || !is_said && !has_values()) {
        return Err(DataError::NoRows { source_name: name });
    }
    let header = if in_table { Some(first.clone()) } else { above };
    let has_names = header.is_some();
    let mut names: Vec<String> = match header {
        None => vec![String::new(); n_columns],
        Some(names) => names
            .iter()
            .map(|cell| cells.text(cell, &name, start.lines + 1))
            .collect::<Result<_, _>>()?,
    };
    // A header may be a comment of one word.
    let bare = names.first().map(|first| first.trim_start_matches('#').trim().to_owned());
    names.iter_mut().zip(bare).for_each(|(name, bare)| *name = bare);
    let rows = &ahead[usize::from(in_table)..];
    let columns = unique(names).into_iter().enumerate();
    let columns = columns.map(|(index, name)| Column::new(name, cells.kind(rows, index)));
    let columns: Vec<Column> = columns.collect();

    let mut info = PartInfo::new(&name, format!("CSV{packing}"), &[]);
    info.delimiter = delimiter.map(char::from);
    info.header = Some(has_names);
    info.encoding = encoding.map(Into::into);
    info.notes.extend(encoding.map(|encoding| format!("read as {encoding} (--encoding)")));
    if counted {
        info.notes.push(COUNTED.into());
    }
    let (place, index) = (Place::Line, Vec::new());
    let about_rows = start.about_rows(len).filter(|_| !is_packed);
    let schema = Schema { name, place, columns, has_names, array: None, index, about_rows };
    let before = start.lines;
    // Empty lines above the only column are rows of it, unless something above them is none.
    let is_bare = n_columns == 1 && !has_names && !has_comment;
    let rest: Box<dyn Read> =
        if start.is_old_mac { Box::new(LineFeeds(reader)) } else { Box::new(reader) };
    let bytes = Cursor::new(start.bytes).chain(rest).chain(END);
    let mut lines = Lines {
        reader: reader_of(Box::new(bytes) as _, delimiter, options.decimal_comma),
        cells,
        is_blank: delimiter == Some(b' '),
        before,
        record: ByteRecord::new(),
        end: (0, before),
        last: if is_bare { 0 } else { before },
        skipped: 0,
        waits: false,
        width: Width::default(),
        failed: None,
    };
    if in_table {
        lines.next_record(&schema)?;
        lines.skipped = 0;
    }
    Ok(Records { info, schema, rows: Box::new(lines) })
}

/// The rows behind the header.
struct Lines {
    reader: csv::Reader<Box<dyn Read>>,
    cells: Cells,
    /// Whether cells are separated by any number of blanks.
    is_blank: bool,
    /// Lines before those that the reader has.
    before: u64,
    record: ByteRecord,
    /// The byte and the line in which what was read last ends.
    end: (u64, u64),
    /// The line in which the row before ends.
    last: u64,
    /// Of a single column, empty lines before the row that was read last: each is a row with an empty cell.
    skipped: u64,
    /// Whether the row that was read last waits behind such lines.
    waits: bool,
    width: Width,
    /// An error that waits until the rows before it are given.
    failed: Option<DataError>,
}

impl Lines {
    /// Reads the next line that isn't empty; false after the last.
    fn next_record(&mut self, schema: &Schema) -> Result<bool, DataError> {
        let name = &schema.name;
        loop {
            let read = self.reader.read_byte_record(&mut self.record);
            let failed = |error: csv::Error| match error.into_kind() {
                csv::ErrorKind::Io(error) => unreadable(&error, name),
                other => {
                    let problem = format!("{other:?}");
                    DataError::Corrupt { source_name: name.clone(), problem }
                }
            };
            if !read.map_err(failed)? {
                return Ok(false);
            }
            let is_quoted = self.is_quoted();
            let is_nothing = is_blank(&self.record) && !(is_quoted && schema.columns.len() == 1);
            if is_nothing || self.record.as_slice() == &END[1..] {
                continue;
            }
            if self.is_blank {
                self.record = without_empty(&self.record);
            }
            if self.record.as_slice().ends_with(END) {
                return Err(DataError::OpenQuote { source_name: name.clone(), line: self.line() });
            }
            let (found, expected) = (self.record.len(), schema.columns.len());
            if found != expected {
                let (source_name, line) = (name.clone(), self.line());
                return Err(DataError::RaggedRow { source_name, line, found, expected });
            }
            let line = self.line();
            if expected == 1 {
                self.skipped = line.saturating_sub(self.last + 1);
            }
            self.last = line + self.breaks();
            return Ok(true);
        }
    }

    /// Whether what was read last, a single cell, was in quotes: then it has more bytes than the cell and the end of a line.
    fn is_quoted(&mut self) -> bool {
        let (byte, line) = (self.reader.position().byte(), self.line());
        let end = (byte, line + self.breaks());
        let (before, above) = std::mem::replace(&mut self.end, end);
        // Of empty lines above it, a byte each.
        let skipped = line.saturating_sub(above + 1);
        byte - before >= self.record.as_slice().len() as u64 + 3 + skipped
    }

    /// The line in which the row that was read last starts, counted from 1.
    fn line(&self) -> u64 {
        // A quote that nothing closes takes all that follows.
        let is_open = self.record.as_slice().ends_with(END);
        let read = self.before + self.reader.position().line();
        read.saturating_sub(self.breaks() + u64::from(!is_open))
    }

    /// Line breaks in the row that was read last.
    fn breaks(&self) -> u64 {
        self.record.as_slice().iter().filter(|&&byte| byte == b'\n').count() as u64
    }

    /// Adds the numbers of the row that was read last, or those of its list.
    fn push_numbers(
        &mut self,
        schema: &Schema,
        columns: &[usize],
        values: &mut Vec<f64>,
        inexact: &mut Vec<usize>,
    ) -> Result<(), DataError> {
        if let [column] = *columns
            && schema.columns[column].kind == Kind::Lists
        {
            let cell = &self.record[column];
            if is_empty(cell) {
                return Err(self.no_list(schema, column, self.line()));
            }
            let items = list(cell.trim_ascii());
            let items = items.ok_or_else(|| self.not_a_number(schema, column, cell))?;
            let before = values.len();
            let items = items.split(|byte| matches!(byte, b',' | b' '));
            for item in items.filter(|item| !item.is_empty()) {
                let value = Cells::item(item);
                let value = value.ok_or_else(|| self.not_a_number(schema, column, item))?;
                if value.abs() >= EXACT && text_rounds(item) {
                    inexact.push(values.len());
                }
                values.push(value);
            }
            let (found, line) = (values.len() - before, self.line());
            let checked = self.width.check(found, Place::Line, line);
            return checked.map_err(|ragged| ragged.error(&schema.name));
        }
        for &column in columns {
            let cell = &self.record[column];
            let value = match self.cells.number(cell) {
                Some(value) => {
                    if value.abs() >= EXACT && text_rounds(cell) {
                        inexact.push(values.len());
                    }
                    value
                }
                None if is_empty(cell) => f64::NAN,
                None if schema.columns[column].kind == Kind::Booleans
                    && holds(cell, is_boolean) =>
                {
                    f64::from(u8::from(cell.trim_ascii().eq_ignore_ascii_case(b"true")))
                }
                None => return Err(self.not_a_number(schema, column, cell)),
            };
            values.push(value);
        }
        Ok(())
    }

    #[cold]
    fn no_list(&self, schema: &Schema, column: usize, at: u64) -> DataError {
        DataError::Null {
            source_name: schema.name.clone(),
            place: schema.place.word(),
            at,
            column: schema.columns[column].name.clone(),
        }
    }

    #[cold]
    fn not_a_number(&self, schema: &Schema, column: usize, cell: &[u8]) -> DataError {
        let name = &schema.columns[column].name;
        DataError::NotANumber {
            source_name: schema.name.clone(),
            line: self.line(),
            column: column + 1,
            header: if schema.has_names { format!(" ({})", shown(name)) } else { String::new() },
            text: shown(String::from_utf8_lossy(cell).trim()),
        }
    }
}

impl Lines {
    /// Adds the next row, and gives its line; `None` after the last. After an error, what was added of it is to be taken away.
    fn push_next(
        &mut self,
        schema: &Schema,
        wanted: &Wanted,
        values: &mut Vec<f64>,
        inexact: &mut Vec<usize>,
        words: &mut [Vec<Option<String>>],
    ) -> Result<Option<u64>, DataError> {
        if !self.waits && !self.next_record(schema)? {
            return Ok(None);
        }
        let line = self.line() - self.skipped;
        self.waits = self.skipped > 0;
        if self.waits {
            self.skipped -= 1;
            if wanted.numbers.len() == 1 && schema.columns[0].kind == Kind::Lists {
                return Err(self.no_list(schema, 0, line));
            }
            values.extend(wanted.numbers.iter().map(|_| f64::NAN));
            words.iter_mut().for_each(|words| words.push(Some(String::new())));
            return Ok(Some(line));
        }
        self.push_numbers(schema, &wanted.numbers, values, inexact)?;
        for (&column, words) in wanted.words.iter().zip(words) {
            let word = self.cells.text(&self.record[column], &schema.name, self.line())?;
            words.push(Some(word));
        }
        Ok(Some(line))
    }
}

impl Rows for Lines {
    /// Rows before a bad one are given before its error.
    fn next(&mut self, schema: &Schema, wanted: &Wanted) -> Result<Option<Batch>, DataError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let limit = (VALUES / schema.columns.len()).clamp(1, ROWS);
        let mut values = Vec::with_capacity(limit * wanted.numbers.len());
        let mut words = vec![Vec::new(); wanted.words.len()];
        let (mut lines, mut inexact) = (Vec::with_capacity(limit), Vec::new());
        while lines.len() < limit {
            let before = values.len();
            match self.push_next(schema, wanted, &mut values, &mut inexact, &mut words) {
                Ok(Some(line)) => lines.push(line),
                Ok(None) => break,
                Err(error) if lines.is_empty() => return Err(error),
                Err(error) => {
                    values.truncate(before);
                    inexact.retain(|&place| place < before);
                    words.iter_mut().for_each(|words| words.truncate(lines.len()));
                    self.failed = Some(error);
                    break;
                }
            }
        }
        let (n_rows, places) = (lines.len(), Places::Lines(lines));
        let batch = Batch::new(n_rows, Numbers::F64(values), words, places);
        Ok((n_rows > 0).then_some(Batch { inexact, ..batch }))
    }
}

/// What a message repeats of a bad cell.
fn shown(cell: &str) -> String {
    cell.chars().take(SHOWN).collect()
}
