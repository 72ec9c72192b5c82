//! Styles of a terminal, tables, and numbers as people read them.

use std::path::Path;

use anstyle::{AnsiColor, Style};
pub(super) use consilience::wording::{count, duration, plural};

const BOLD: Style = Style::new().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();

/// What catches the eye.
pub(super) fn bold(text: &str) -> String {
    styled(text, BOLD)
}

/// What should be looked at.
pub(super) fn warning(text: &str) -> String {
    styled(text, WARNING)
}

/// What went wrong.
pub(super) fn error(text: &str) -> String {
    styled(text, ERROR)
}

/// Whoever writes it out takes the codes away where they aren't understood.
fn styled(text: &str, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

/// A path as a shell takes it.
pub(super) fn word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+:,@%".contains(letter);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// `89.7 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Lines of label and value, the values aligned.
pub(super) fn table(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    rows.iter().map(|(label, value)| format!("  {label:width$}  {value}\n")).collect()
}

/// Cells in columns, aligned to the right, under a header.
pub(super) fn columns(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let header = header.iter().map(ToString::to_string).collect();
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..rows[0].len()).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| -> String {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("  {cell:>width$}"));
        cells.collect::<String>() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_a_shell_would_split_them() {
        let words = ["runs/digits-1", "my runs/it's"].map(|path| word(Path::new(path)));
        assert_eq!(words, ["runs/digits-1", r"'my runs/it'\''s'"]);
    }
}
