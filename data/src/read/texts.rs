//! A text a line.

use super::encoding::{Text, decode, read_to_end};
use super::part::{Content, Part};
use super::source::Source;
use super::text::{self, cells, is_missing, is_number};
use crate::DataError;
use crate::records::{Fitted, PartInfo, Request};

/// Bytes of a file in which rows of numbers are looked for.
const START: usize = 1 << 16;

/// Whether a file is one of texts: neither of its first two lines is a row of numbers, the second is no row below a header, and
/// nobody named a column.
pub(super) fn is_texts(source: &mut Source, request: Request<'_>) -> Result<bool, DataError> {
    if request.options.columns().next().is_some() {
        return Ok(false);
    }
    let delimiter = text::delimiter(source)?;
    let separator = delimiter.map_or(',', char::from);
    let start = String::from_utf8_lossy(source.peek(START)?).into_owned();
    let lines = start.trim_start_matches('\u{feff}').lines().map(str::trim);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with("# "));
    let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let numbers = |line: &str| {
        let is_value = |cell: &str| is_number(cell) || is_missing(cell);
        cells(line, separator).all(is_value) && cells(line, separator).any(is_number)
    };
    let same = cells(first, separator).count() == cells(second, separator).count();
    let below = delimiter.is_some() && same && {
        let mut pairs = cells(first, separator).zip(cells(second, separator));
        pairs.any(|(first, second)| !is_number(first) && is_number(second))
    };
    Ok(!first.is_empty() && !numbers(first) && !numbers(second) && !below)
}

/// Reads a text a line, whatever it holds; empty lines at the end are none, others are empty texts.
pub(super) fn read(source: Source, said: Option<&str>) -> Result<Part, DataError> {
    let Text { mut source, encoding } = decode(source, said)?;
    let text = read_to_end(&mut source, encoding)?;
    let name = source.name;
    let lines = text.trim_start_matches('\u{feff}').trim_end().lines();
    let texts: Vec<String> = lines.map(String::from).collect();
    let gzip = source.packing();
    let mut info = PartInfo::new(&name, format!("texts, one a line{gzip}"), &[texts.len()]);
    info.encoding = encoding.map(Into::into);
    info.notes.extend(encoding.map(|encoding| format!("read as {encoding} (--encoding)")));
    let content = Content::Texts(texts);
    Ok(Part {
        info,
        name,
        content,
        truth: None,
        ids: None,
        feature_names: None,
        fitted: Fitted::default(),
    })
}
