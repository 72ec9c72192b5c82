//! What a table of text is, by its first rows: what separates its cells, and whether its first line names the columns.

use std::collections::HashSet;
use std::io::{self, BufRead, Read};

use csv::{ByteRecord, ReaderBuilder, Terminator};

use super::cells::{Cells, is_empty, list};
use crate::read::source::unreadable;
use crate::records::Like;
use crate::records::roles::is_usual_name;
use crate::{DataError, ReadOptions};

/// Bytes in which the delimiter, the header and the kinds of columns are looked for, and more if lines are longer.
const START: usize = 1 << 18;
/// Lines that have to be whole in them.
const LINES: usize = 3;
/// Rows that are looked at to see what a column holds.
const LOOKED_AT: usize = 50;

/// The first bytes of a table.
pub(super) struct Start {
    pub(super) bytes: Vec<u8>,
    /// Whether lines end with carriage returns alone, in the place of which the bytes have line feeds.
    pub(super) is_old_mac: bool,
    /// Lines before them.
    pub(super) lines: u64,
    /// Whether these are all bytes.
    pub(super) is_all: bool,
    decimal_comma: bool,
}

impl Start {
    pub(super) fn read(
        reader: &mut dyn BufRead,
        name: &str,
        decimal_comma: bool,
    ) -> Result<Self, DataError> {
        let mut bytes = Vec::new();
        loop {
            let wanted = bytes.len().max(START);
            let read = Read::take(&mut *reader, wanted as u64).read_to_end(&mut bytes);
            let read = read.map_err(|error| unreadable(&error, name))?;
            let is_all = read < wanted;
            let ends = bytes.iter().filter(|&&byte| matches!(byte, b'\n' | b'\r')).count();
            if is_all || ends >= 2 * LINES {
                if bytes.starts_with(b"\xef\xbb\xbf") {
                    bytes.drain(..3);
                }
                return Ok(Self::new(bytes, is_all, decimal_comma));
            }
        }
    }

    pub(super) fn new(mut bytes: Vec<u8>, is_all: bool, decimal_comma: bool) -> Self {
        let is_old_mac = !bytes.contains(&b'\n') && bytes.contains(&b'\r');
        if is_old_mac {
            feed_lines(&mut bytes);
        }
        Self { bytes, is_old_mac, lines: 0, is_all, decimal_comma }
    }

    /// Takes away lines that start with `# `, and gives the last one: the header, as numpy.savetxt writes it.
    pub(super) fn take_comments(&mut self) -> Option<Vec<u8>> {
        let mut last = None;
        loop {
            let end = self.bytes.iter().position(|&byte| byte == b'\n');
            let end = end.map_or(self.bytes.len(), |end| end + 1);
            let line = self.bytes[..end].trim_ascii();
            let comment = line.strip_prefix(b"#");
            let is_comment = comment.is_some_and(|rest| rest.first().is_none_or(|&b| b == b' '));
            // What separates cells, as Excel says it.
            let is_hint = self.lines == 0 && line.len() == 5 && line.starts_with(b"sep=");
            if end == 0 || !(is_comment || is_hint || line.is_empty()) {
                return last;
            }
            last = comment.map(|line| line.trim_ascii().to_vec()).or(last);
            self.bytes.drain(..end);
            self.lines += 1;
        }
    }

    /// Of tab, semicolon and comma the first that is in the first line outside quotes, if any, and as often in all others, if one is, rather one that cuts no
    /// quotes in two; else a bar, if all lines have as many; else a blank, if there are blanks between numbers.
    pub(super) fn delimiter(&self) -> Option<u8> {
        let is_mark = |byte: u8| byte == b',' && self.decimal_comma;
        let usual = [b'\t', b';', b','].into_iter().filter(|&byte| !is_mark(byte));
        // Of each that is there, whether all lines have as many: a name may have one in it, such as `width;mm`.
        let there: Vec<(u8, bool)> = usual
            .filter_map(|byte| {
                let records = self.records(Some(byte));
                let n_cells = records.first().map(ByteRecord::len).filter(|&cells| cells > 1)?;
                Some((byte, records.iter().all(|record| record.len() == n_cells)))
            })
            .collect();
        let alike = || there.iter().filter(|(_, are_alike)| *are_alike).map(|&(byte, _)| byte);
        // One between quotes leaves each with one of them. An inch is such a mark, too, so that isn't all.
        let is_cut = |cell: &[u8]| cell.iter().filter(|&&byte| byte == b'"').count() % 2 == 1;
        let is_whole = |byte: &u8| !self.records(Some(*byte)).iter().flatten().any(is_cut);
        let whole = alike().find(is_whole).or_else(|| alike().next());
        if let Some(found) = whole.or(there.first().map(|&(byte, _)| byte)) {
            return Some(found);
        }
        let bars = self.records(Some(b'|'));
        let n_bars = bars.first().map_or(0, ByteRecord::len);
        if n_bars > 1 && bars.len() > 1 && bars.iter().all(|row| row.len() == n_bars) {
            return Some(b'|');
        }
        let cells = Cells { decimal_comma: self.decimal_comma, encoding: None };
        let records = self.records(Some(b' '));
        let first = records.first().filter(|first| first.len() > 1)?;
        let numbers = |record: &ByteRecord| {
            record.iter().all(|cell| cells.is_value(cell))
                && record.iter().any(|cell| cells.number(cell).is_some())
        };
        // Names and their vectors, as word embeddings are written, below a header or not.
        let named = |records: &[ByteRecord]| {
            let is_such = |record: &ByteRecord| {
                record.len() == first.len()
                    && record.iter().skip(1).all(|cell| cells.number(cell).is_some())
            };
            first.len() > 2 && records.len() > 1 && records.iter().all(is_such)
        };
        let below = |second: &ByteRecord| second.len() == first.len() && numbers(second);
        let is_table = numbers(first)
            || records.get(1).is_some_and(below)
            || named(&records)
            || named(&records[1..]);
        is_table.then_some(b' ')
    }

    /// About how many rows a file of `len` bytes has, rather too many.
    pub(super) fn about_rows(&self, len: u64) -> Option<usize> {
        let lines = self.bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        let rows = len.checked_mul(lines)? / (self.bytes.len() as u64).max(1);
        usize::try_from(rows + rows / 20).ok()
    }

    /// The first rows, those that are whole.
    pub(super) fn records(&self, delimiter: Option<u8>) -> Vec<ByteRecord> {
        let mut reader = reader_of(self.bytes.as_slice(), delimiter, self.decimal_comma);
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

/// Lines that end with carriage returns, as old Macs wrote them, with line feeds.
pub(super) struct LineFeeds<R>(pub(super) R);

impl<R: Read> Read for LineFeeds<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        feed_lines(&mut buffer[..read]);
        Ok(read)
    }
}

fn feed_lines(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b'\n');
}

/// Without a delimiter, there is one column, and what would be one cuts no cell but refuses a row.
pub(super) fn reader_of<R: Read>(
    reader: R,
    delimiter: Option<u8>,
    decimal_comma: bool,
) -> csv::Reader<R> {
    let mut builder = ReaderBuilder::new();
    let unlikely = if decimal_comma { b'\t' } else { b',' };
    builder.has_headers(false).flexible(true).delimiter(delimiter.unwrap_or(unlikely));
    // One byte, so that every line is counted with its row; carriage returns before it are blanks.
    builder.terminator(Terminator::Any(b'\n')).buffer_capacity(1 << 17).from_reader(reader)
}

/// Whether the first bytes of a file are texts: neither of its first two lines is a row of numbers, and the second is no row below
/// a header.
pub(crate) fn are_texts(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut start = Start::new(bytes.to_vec(), true, false);
    start.take_comments();
    let cells = Cells::default();
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
    // Blanks are between words, too, but not between these.
    if delimiter == Some(b' ') || is_svmlight(bytes) {
        return false;
    }
    !numbers(first) && records.get(1).is_none_or(|second| !numbers(second) && !is_below(second))
}

/// Whether the first two lines are of svmlight's format: a label, then numbers of columns with their values, as in `1 3:0.5 7:2`.
pub(super) fn is_svmlight(bytes: &[u8]) -> bool {
    let is_number = |word: &[u8]| fast_float2::parse::<f64, _>(word).is_ok();
    let is_pair = |word: &[u8]| {
        let colon = word.iter().position(|&byte| byte == b':').unwrap_or(0);
        colon > 0 && word[..colon].iter().all(u8::is_ascii_digit) && is_number(&word[colon + 1..])
    };
    let is_row = |line: &[u8]| {
        let line = line.split(|&byte| byte == b'#').next().unwrap_or_default();
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words.next().is_some_and(is_number)
            && words.next().is_some_and(is_pair)
            && words.all(is_pair)
    };
    let mut lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    lines.next().is_some_and(is_row) && lines.next().is_some_and(is_row)
}

/// Whether the first line names the columns: a person says so; or it has all names that a person gave, or that other sources have; or it has a word above a
/// number, or above what stands for a missing one; or it has words behind an empty cell; or it is words, or words and years that go up, and a word is a usual name of ids or labels; or it counts up from 0, as pandas numbers columns, and whether that is why.
///
/// `has_names`: a comment above it names the columns.
pub(super) fn has_header(
    cells: &Cells,
    (first, second): (&ByteRecord, Option<&ByteRecord>),
    options: &ReadOptions,
    like: &Like,
    has_names: bool,
) -> (bool, bool) {
    match options.header {
        Some(false) => return (false, false),
        // Names in a comment are a header, too.
        Some(true) if !has_names => return (true, false),
        _ => {}
    }
    let cells_of: HashSet<&[u8]> = first.iter().map(<[u8]>::trim_ascii).collect();
    let is_there = |name: &str| cells_of.contains(name.as_bytes());
    if !like.names.is_empty() && !has_names && like.names.iter().all(|name| is_there(name)) {
        return (true, false);
    }
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
    // Words, and years, which go up. Other whole numbers are counts beside a category.
    let year = |cell: &[u8]| {
        let year: u16 = std::str::from_utf8(cell.trim_ascii()).ok()?.parse().ok()?;
        (1500..=2199).contains(&year).then_some(year)
    };
    let years: Vec<Option<u16>> = first.iter().filter(|&cell| !is_word(cell)).map(year).collect();
    let are_years = years.iter().all(Option::is_some) && years.windows(2).all(|it| it[0] < it[1]);
    let is_named = has_usual && are_years;
    let mut numbers = first.iter().enumerate();
    let counts = |(index, cell): (usize, &[u8])| cell.trim_ascii() == index.to_string().as_bytes();
    let may_count = first.len() > 1 && !has_names && like.header != Some(false);
    let counted = may_count && numbers.all(counts) && first != second;
    (is_name || is_index || is_named || counted, counted)
}

pub(super) fn is_blank(record: &ByteRecord) -> bool {
    record.len() == 1 && record[0].trim_ascii().is_empty()
}

pub(super) fn without_empty(record: &ByteRecord) -> ByteRecord {
    record.iter().filter(|cell| !cell.trim_ascii().is_empty()).collect()
}
