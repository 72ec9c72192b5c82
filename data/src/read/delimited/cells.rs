//! What a cell of a table of text says, in bytes.

use csv::ByteRecord;

use crate::DataError;
use crate::records::Kind;
use crate::records::cells::{is_boolean, is_date, is_decimal_comma, is_missing};

pub(super) fn is_empty(cell: &[u8]) -> bool {
    std::str::from_utf8(cell).is_ok_and(|cell| is_missing(cell.trim()))
}

/// What is between a list's brackets.
pub(super) fn list(cell: &[u8]) -> Option<&[u8]> {
    cell.strip_prefix(b"[")?.strip_suffix(b"]")
}

/// How cells are understood.
#[derive(Clone, Copy, Default)]
pub(super) struct Cells {
    pub(super) decimal_comma: bool,
    /// What the text was decoded from, if not UTF-8.
    pub(super) encoding: Option<&'static str>,
}

impl Cells {
    /// Beside decimal commas, a point is none: it would be between thousands.
    pub(super) fn number(&self, cell: &[u8]) -> Option<f64> {
        let cell = cell.trim_ascii();
        if !self.decimal_comma {
            return fast_float2::parse(cell).ok();
        }
        if cell.contains(&b'.') {
            return None;
        }
        let point = |&byte: &u8| if byte == b',' { b'.' } else { byte };
        fast_float2::parse(cell.iter().map(point).collect::<Vec<u8>>()).ok()
    }

    /// An item of a list, between whose items are commas.
    pub(super) fn item(item: &[u8]) -> Option<f64> {
        fast_float2::parse(item.trim_ascii()).ok()
    }

    /// Whether a cell can be below the name of a column of numbers.
    pub(super) fn is_value(&self, cell: &[u8]) -> bool {
        let is_number = |cell| fast_float2::parse::<f64, _>(cell).is_ok();
        is_number(cell.trim_ascii()) || is_empty(cell) || holds(cell, is_decimal_comma)
    }

    /// What a column holds, by its first rows.
    pub(super) fn kind(&self, rows: &[ByteRecord], column: usize) -> Kind {
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
    pub(super) fn text(
        &self,
        cell: &[u8],
        source_name: &str,
        line: u64,
    ) -> Result<String, DataError> {
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

pub(super) fn holds(cell: &[u8], is_such: fn(&str) -> bool) -> bool {
    std::str::from_utf8(cell).is_ok_and(|cell| is_such(cell.trim()))
}
