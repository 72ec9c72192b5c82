//! Numbers as people read them.

use std::path::Path;

use anstyle::{AnsiColor, Style};
use indicatif::HumanCount;

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

/// `1,797`.
pub(super) fn count(number: usize) -> String {
    HumanCount(number as u64).to_string()
}

/// `1 model`, `5 models`.
pub(super) fn plural(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `89.7 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// `0.4 s`, `59 s`, `3 min 20 s`, `1 h 05 min`.
pub(super) fn duration(seconds: f64) -> String {
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive time")]
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
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

    #[test]
    fn durations_have_two_units_at_most() {
        let texts = [0.04, 9.96, 59.6, 200.0, 3900.0].map(duration);
        assert_eq!(texts, ["0.0 s", "10 s", "1 min 00 s", "3 min 20 s", "1 h 05 min"]);
        assert_eq!((count(1797), plural(1, "model")), ("1,797".into(), "1 model".into()));
    }
}
