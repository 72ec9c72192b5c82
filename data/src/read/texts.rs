//! A text a line.

use super::delimited::are_texts;
use super::encoding::{Text, decode, read_to_end};
use super::part::{Content, Part};
use super::source::Source;
use crate::DataError;
use crate::records::{PartInfo, Request};

/// Bytes of a file in which rows of numbers are looked for.
const START: usize = 1 << 16;

/// Whether a file is one of texts: it looks like them, and nobody named a column.
pub(super) fn is_texts(source: &mut Source, request: Request<'_>) -> Result<bool, DataError> {
    if request.options.columns().next().is_some() {
        return Ok(false);
    }
    Ok(are_texts(source.peek(START)?))
}

/// Reads a text a line, whatever it holds; empty lines at the end are none, others are empty texts.
pub(super) fn read(source: Source, said: Option<&str>) -> Result<Part, DataError> {
    let Text { mut source, encoding } = decode(source, said)?;
    let text = read_to_end(&mut source, encoding)?;
    let lines = text.trim_start_matches('\u{feff}').trim_end().lines();
    let texts: Vec<String> = lines.map(String::from).collect();
    let gzip = source.packing();
    let mut info = PartInfo::new(&source.name, format!("texts, one a line{gzip}"), &[texts.len()]);
    info.encoding = encoding.map(Into::into);
    info.notes.extend(encoding.map(|encoding| format!("read as {encoding} (--encoding)")));
    Ok(Part::new(info, Content::Texts(texts)))
}
