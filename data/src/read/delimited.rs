//! Tables as text: comma, tab, semicolon or blanks, with or without a header line.

use std::collections::HashSet;
use std::io::{BufRead, Cursor, Read};

use csv::{ByteRecord, ReaderBuilder, Terminator};

use super::encoding::{Text, decode};
use super::source::{Source, unreadable};
use crate::records::cells::{is_boolean, is_date, is_decimal_comma, is_missing};
use crate::records::roles::is_usual_name;
use crate::records::{
    Batch, Column, Kind, Numbers, PartInfo, Place, Places, Records, Rows, Schema, Wanted, Width,
    unique,
};
use crate::{DataError, ReadOptions};

/// Bytes in which the delimiter, the header and the kinds of columns are looked for, and more if lines are longer.
const START: usize = 1 << 18;
/// Lines that have to be whole in them.
const LINES: usize = 3;
/// Rows that are looked at to see what a column holds.
const LOOKED_AT: usize = 50;
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
pub(super) fn open(source: Source, options: &ReadOptions) -> Result<Records, DataError> {
    let Text { source, encoding } = decode(source, options.encoding.as_deref())?;
    let (packing, is_packed) = (source.packing(), source.packed.is_some());
    let Source { name, len, mut reader, .. } = source;
    let mut start = Start::read(&mut reader, &name, options.decimal_comma)?;
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
    let above = comment.and_then(|bytes| Start::new(bytes, true, false).records(delimiter).pop());
    let above = above.filter(|names| names.len() == n_columns);
    let (in_table, counted) = has_header(&cells, first, ahead.get(1), options, above.is_some());
    if ahead.len() == 1 && (in_table || !first.iter().any(|cell| cells.is_value(cell))) {
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
    let bytes = Cursor::new(start.bytes).chain(reader).chain(END);
    let mut lines = Lines {
        reader: reader_of(Box::new(bytes) as _, delimiter, start.end),
        cells,
        is_blank: delimiter == Some(b' '),
        before,
        record: ByteRecord::new(),
        last: before,
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

/// The first bytes of a table.
struct Start {
    bytes: Vec<u8>,
    /// What ends a line; carriage returns before line feeds are blanks.
    end: u8,
    /// Lines before them.
    lines: u64,
    /// Whether these are all bytes.
    is_all: bool,
    decimal_comma: bool,
}

impl Start {
    fn read(reader: &mut dyn BufRead, name: &str, decimal_comma: bool) -> Result<Self, DataError> {
        let mut bytes = Vec::new();
        loop {
            let wanted = bytes.len().max(START);
            let read = Read::take(&mut *reader, wanted as u64).read_to_end(&mut bytes);
            let read = read.map_err(|error| unreadable(&error, name))?;
            let is_all = read < wanted;
            if is_all || bytes.iter().filter(|&&byte| byte == b'\n').count() >= LINES {
                if bytes.starts_with(b"\xef\xbb\xbf") {
                    bytes.drain(..3);
                }
                return Ok(Self::new(bytes, is_all, decimal_comma));
            }
        }
    }

    fn new(bytes: Vec<u8>, is_all: bool, decimal_comma: bool) -> Self {
        let is_old_mac = !bytes.contains(&b'\n') && bytes.contains(&b'\r');
        let end = if is_old_mac { b'\r' } else { b'\n' };
        Self { bytes, end, lines: 0, is_all, decimal_comma }
    }

    /// Takes away lines that start with `# `, and gives the last one: the header, as numpy.savetxt writes it.
    fn take_comments(&mut self) -> Option<Vec<u8>> {
        let mut last = None;
        loop {
            let end = self.bytes.iter().position(|&byte| byte == b'\n');
            let end = end.map_or(self.bytes.len(), |end| end + 1);
            let line = self.bytes[..end].trim_ascii();
            let comment = line.strip_prefix(b"#");
            let is_comment = comment.is_some_and(|rest| rest.first().is_none_or(|&b| b == b' '));
            if end == 0 || !(is_comment || line.is_empty()) {
                return last;
            }
            last = comment.map(|line| line.trim_ascii().to_vec()).or(last);
            self.bytes.drain(..end);
            self.lines += 1;
        }
    }

    /// The first of tab, semicolon and comma that is in the first line outside quotes, if any; else a blank, if there
    /// are blanks between numbers.
    fn delimiter(&self) -> Option<u8> {
        let count = |delimiter| self.records(Some(delimiter)).first().map_or(0, ByteRecord::len);
        let mut usual = [b'\t', b';', b','].into_iter();
        let is_mark = |byte: u8| byte == b',' && self.decimal_comma;
        if let Some(found) = usual.find(|&byte| !is_mark(byte) && count(byte) > 1) {
            return Some(found);
        }
        let cells = Cells { decimal_comma: self.decimal_comma, encoding: None };
        let records = self.records(Some(b' '));
        let first = records.first().filter(|first| first.len() > 1)?;
        let numbers = |record: &ByteRecord| {
            record.iter().all(|cell| cells.is_value(cell))
                && record.iter().any(|cell| cells.number(cell).is_some())
        };
        let below = |second: &ByteRecord| second.len() == first.len() && numbers(second);
        (numbers(first) || records.get(1).is_some_and(below)).then_some(b' ')
    }

    /// About how many rows a file of `len` bytes has, rather too many.
    fn about_rows(&self, len: u64) -> Option<usize> {
        let lines = self.bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        let rows = len.checked_mul(lines)? / (self.bytes.len() as u64).max(1);
        usize::try_from(rows + rows / 20).ok()
    }

    /// The first rows, those that are whole.
    fn records(&self, delimiter: Option<u8>) -> Vec<ByteRecord> {
        let mut reader = reader_of(self.bytes.as_slice(), delimiter, self.end);
        let (mut record, mut records) = (ByteRecord::new(), Vec::new());
        while records.len() <= LOOKED_AT && reader.read_byte_record(&mut record).unwrap_or(false) {
            // The last one may have been cut.
            if !self.is_all && reader.position().byte() >= self.bytes.len() as u64 {
                break;
            }
            if is_blank(&record) {
                continue;
            }
            if delimiter == Some(b' ') {
                record = without_empty(&record);
            }
            records.push(record.clone());
        }
        records
    }
}

fn reader_of<R: Read>(reader: R, delimiter: Option<u8>, end: u8) -> csv::Reader<R> {
    let mut builder = ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(delimiter.unwrap_or(b','));
    // One byte, so that every line is counted with its row.
    builder.terminator(Terminator::Any(end)).buffer_capacity(1 << 17).from_reader(reader)
}

/// Whether the first bytes of a file are texts: neither of its first two lines is a row of numbers, and the second is no row below
/// a header.
pub(super) fn are_texts(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut start = Start::new(bytes.to_vec(), true, false);
    start.take_comments();
    let cells = Cells { decimal_comma: false, encoding: None };
    let delimiter = start.delimiter();
    let records = start.records(delimiter);
    let Some(first) = records.first() else { return false };
    let is_number = |cell: &[u8]| cells.number(cell).is_some();
    let numbers = |record: &ByteRecord| {
        record.iter().all(|cell| is_number(cell) || is_empty(cell)) && record.iter().any(is_number)
    };
    let is_below = |second: &ByteRecord| {
        let mut pairs = first.iter().zip(second);
        let is_same = delimiter.is_some() && first.len() == second.len();
        is_same && pairs.any(|(first, second)| !is_number(first) && is_number(second))
    };
    !numbers(first) && records.get(1).is_none_or(|second| !numbers(second) && !is_below(second))
}

/// Whether the first line names the columns: a person says so; or it has all names that a person gave; or it has a word above a
/// number, or above what stands for a missing one; or it has words behind an empty cell; or one of its words is a usual name of ids or labels; or it counts up from 0, as pandas numbers columns, and whether that is why.
///
/// `has_names`: a comment above it names the columns.
fn has_header(
    cells: &Cells,
    first: &ByteRecord,
    second: Option<&ByteRecord>,
    options: &ReadOptions,
    has_names: bool,
) -> (bool, bool) {
    if let Some(said) = options.header {
        return (said, false);
    }
    let is_there = |name: &str| first.iter().any(|cell| cell.trim_ascii() == name.as_bytes());
    let named = || options.columns().filter(|name| name.parse::<i64>().is_err());
    if named().next().is_some() && named().all(is_there) {
        return (true, false);
    }
    let Some(second) = second else { return (false, false) };
    let is_word = |cell: &[u8]| !cells.is_value(cell) && list(cell.trim_ascii()).is_none();
    let mut numbers = first.iter().filter(|cell| cells.number(cell).is_some());
    // Names may be whole numbers, each of them once; anything else is a measurement.
    let mut seen = HashSet::new();
    let is_measured =
        !numbers.all(|cell| cell.trim_ascii().iter().all(u8::is_ascii_digit) && seen.insert(cell));
    // A table of pandas with its index, which has no name.
    let is_index = first.len() > 1
        && first
            .iter()
            .enumerate()
            .all(|(at, cell)| if at == 0 { is_empty(cell) } else { is_word(cell) })
        && second.iter().all(|cell| !is_empty(cell));
    // One of words alone, whose ids or labels are called so.
    let is_usual = |(cell, below): (&[u8], &[u8])| {
        is_word(cell) && is_usual_name(&String::from_utf8_lossy(cell.trim_ascii())) && cell != below
    };
    let has_usual = first.iter().zip(second).any(is_usual);
    let is_name = (!is_measured || has_usual)
        && first.iter().zip(second).any(|(name, below)| is_word(name) && !is_word(below));
    let is_named = first.iter().all(is_word) && has_usual;
    let mut numbers = first.iter().enumerate();
    let counts = |(index, cell): (usize, &[u8])| cell.trim_ascii() == index.to_string().as_bytes();
    let counted = first.len() > 1 && !has_names && numbers.all(counts) && first != second;
    (is_name || is_index || is_named || counted, counted)
}

fn is_blank(record: &ByteRecord) -> bool {
    record.len() == 1 && record[0].trim_ascii().is_empty()
}

fn without_empty(record: &ByteRecord) -> ByteRecord {
    record.iter().filter(|cell| !cell.trim_ascii().is_empty()).collect()
}

fn is_empty(cell: &[u8]) -> bool {
    std::str::from_utf8(cell).is_ok_and(|cell| is_missing(cell.trim()))
}

/// What is between a list's brackets.
fn list(cell: &[u8]) -> Option<&[u8]> {
    cell.strip_prefix(b"[")?.strip_suffix(b"]")
}

/// How cells are understood.
struct Cells {
    decimal_comma: bool,
    /// What the text was decoded from, if not UTF-8.
    encoding: Option<&'static str>,
}

impl Cells {
    fn number(&self, cell: &[u8]) -> Option<f64> {
        let cell = cell.trim_ascii();
        if self.decimal_comma && cell.contains(&b',') {
            let point = |&byte: &u8| if byte == b',' { b'.' } else { byte };
            return fast_float2::parse(cell.iter().map(point).collect::<Vec<u8>>()).ok();
        }
        fast_float2::parse(cell).ok()
    }

    /// Whether a cell can be below the name of a column of numbers.
    fn is_value(&self, cell: &[u8]) -> bool {
        self.number(cell).is_some() || is_empty(cell) || holds(cell, is_decimal_comma)
    }

    /// What a column holds, by its first rows.
    fn kind(&self, rows: &[ByteRecord], column: usize) -> Kind {
        let cells = || rows.iter().filter_map(|row| row.get(column)).map(<[u8]>::trim_ascii);
        let all =
            |is_such: &dyn Fn(&[u8]) -> bool| cells().all(|cell| is_empty(cell) || is_such(cell));
        if all(&|_| false) {
            Kind::Nothing
        } else if all(&|cell| self.number(cell).is_some()) {
            Kind::Numbers
        } else if all(&|cell| list(cell).is_some()) {
            Kind::Lists
        } else if all(&|cell| self.number(cell).is_some() || holds(cell, is_boolean)) {
            Kind::Booleans
        } else if all(&|cell| holds(cell, is_date)) {
            Kind::Dates
        } else {
            Kind::Words
        }
    }

    /// A cell as text.
    fn text(&self, cell: &[u8], source_name: &str, line: u64) -> Result<String, DataError> {
        let text = std::str::from_utf8(cell).ok().filter(|text| {
            // What the decoder makes of bytes that its encoding doesn't have.
            self.encoding.is_none() || !text.contains('\u{fffd}')
        });
        text.map(|text| text.trim().into()).ok_or_else(|| DataError::NotUtf8 {
            source_name: source_name.into(),
            line,
            encoding: self.encoding.unwrap_or("UTF-8"),
        })
    }
}

fn holds(cell: &[u8], is_such: fn(&str) -> bool) -> bool {
    std::str::from_utf8(cell).is_ok_and(|cell| is_such(cell.trim()))
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
            if is_blank(&self.record) || self.record.as_slice() == &END[1..] {
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
                let value = self.cells.number(item);
                values.push(value.ok_or_else(|| self.not_a_number(schema, column, item))?);
            }
            let (found, line) = (values.len() - before, self.line());
            let checked = self.width.check(found, Place::Line, line);
            return checked.map_err(|ragged| ragged.error(&schema.name));
        }
        for &column in columns {
            let cell = &self.record[column];
            let value = match self.cells.number(cell) {
                Some(value) => value,
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
        self.push_numbers(schema, &wanted.numbers, values)?;
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
        let mut lines = Vec::with_capacity(limit);
        while lines.len() < limit {
            let before = values.len();
            match self.push_next(schema, wanted, &mut values, &mut words) {
                Ok(Some(line)) => lines.push(line),
                Ok(None) => break,
                Err(error) if lines.is_empty() => return Err(error),
                Err(error) => {
                    values.truncate(before);
                    words.iter_mut().for_each(|words| words.truncate(lines.len()));
                    self.failed = Some(error);
                    break;
                }
            }
        }
        Ok((!lines.is_empty()).then_some(Batch {
            n_rows: lines.len(),
            numbers: Numbers::F64(values),
            words,
            places: Places::Lines(lines),
        }))
    }
}

/// What a message repeats of a bad cell.
fn shown(cell: &str) -> String {
    cell.chars().take(SHOWN).collect()
}
