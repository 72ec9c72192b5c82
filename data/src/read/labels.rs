//! From numbers or lines of text to the truth.

use super::encoding::{Text, decode, read_to_end};
use super::numbers::{Number, whole_numbers};
use super::source::Source;
use super::strings::Cells;
use super::text;
use crate::records::labels::from_words;
use crate::{DataError, Truth};

/// First lines that name the column rather than the first sample's class.
const HEADERS: [&str; 10] = [
    "label", "labels", "class", "classes", "cluster", "target", "truth", "category", "y", "species",
];

/// The truth from numbers or words of shape (n), (n, 1) or (1, n).
pub(super) fn truth(shape: &[usize], cells: Cells, name: &str) -> Result<Truth, DataError> {
    let source_name = || name.to_owned();
    if shape.is_empty() || shape.iter().filter(|&&length| length != 1).count() > 1 {
        return Err(DataError::Dimensions {
            source_name: source_name(),
            found: shape.to_vec(),
            expected: "one label a sample: (n), (n, 1) or (1, n)",
        });
    }
    if shape.contains(&0) {
        return Err(DataError::NoLabels { source_name: source_name() });
    }
    match cells {
        Cells::Words(words) => from_words(&words, name),
        Cells::Numbers(numbers) => match whole_numbers(&numbers) {
            Ok(labels) => Ok(Truth::from_integers(&labels)?),
            Err((index, value)) => {
                Err(DataError::LabelNotWhole { source_name: source_name(), index, value })
            }
        },
    }
}

/// Labels of a text file, one a line: all numbers, else words. `table`: refuse lines of several columns.
///
/// Empty lines are an error, as they would shift the labels; those at the end are not.
pub(crate) fn from_text(source: Source, table: bool) -> Result<Truth, DataError> {
    let Text { mut source, encoding } = decode(source, None)?;
    if table && let Some(delimiter) = text::delimiter(&mut source)? {
        return Err(DataError::Unsupported {
            source_name: source.name,
            found: format!("several columns ({:?} in the first line)", char::from(delimiter)),
            supported: "labels alone, one a line",
        });
    }
    let text = read_to_end(&mut source, encoding)?;
    let lines = text.trim_start_matches('\u{feff}').trim_end().lines();
    let labels: Vec<String> = lines.map(unquoted).collect();
    if labels.iter().all(String::is_empty) {
        return Err(DataError::NoLabels { source_name: source.name });
    }
    if let Some(empty) = labels.iter().position(String::is_empty) {
        return Err(DataError::EmptyLabel { source_name: source.name, line: empty + 1 });
    }
    let labels = &labels[usize::from(is_header(&labels))..];
    if labels.is_empty() {
        return Err(DataError::NoLabels { source_name: source.name });
    }
    from_words(labels, &source.name)
}

fn number(text: &str) -> Option<Number> {
    super::numbers::Target::from_text(text)
}

/// Whether a first line names the column: a word above numbers, or one of the usual names above other words.
fn is_header(labels: &[String]) -> bool {
    let Some((first, rest)) = labels.split_first() else {
        return false;
    };
    if number(first).is_some() {
        return false;
    }
    let above_numbers = !rest.is_empty() && rest.iter().all(|label| number(label).is_some());
    let usual = HEADERS.contains(&first.to_lowercase().as_str()) && !rest.contains(first);
    above_numbers || usual
}

fn unquoted(line: &str) -> String {
    let line = line.trim();
    let inside = line.strip_prefix('"').and_then(|line| line.strip_suffix('"'));
    inside.map_or_else(|| line.into(), |inside| inside.replace("\"\"", "\""))
}
