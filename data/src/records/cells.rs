//! What a cell of text says.

use crate::ReadOptions;

/// What other tools write for a missing value, in lower case.
const MISSING: [&str; 7] = ["na", "nan", "null", "none", "n/a", "#n/a", "<na>"];

/// Whether a cell is empty or a word for a missing value.
pub(crate) fn is_missing(cell: &str) -> bool {
    cell.is_empty() || MISSING.iter().any(|word| cell.eq_ignore_ascii_case(word))
}

/// The number that a cell has, written as a person said.
pub(crate) fn number(cell: &str, options: &ReadOptions) -> Option<f64> {
    match options.decimal_comma {
        // A point would be between thousands.
        true if cell.contains('.') => None,
        true => cell.replace(',', ".").parse().ok(),
        false => cell.parse().ok(),
    }
}

/// Whether a cell has no value: nothing, a word for it, or a number that a person said stands for it.
pub(crate) fn has_no_value(cell: &str, options: &ReadOptions) -> bool {
    let stands_for_none = |number| options.missing_values.contains(number);
    is_missing(cell) || number(cell, options).is_some_and(stands_for_none)
}

pub(crate) fn is_boolean(cell: &str) -> bool {
    cell.eq_ignore_ascii_case("true") || cell.eq_ignore_ascii_case("false")
}

/// Whether a cell starts like `2024-05-17`, `17.05.2024`, `5/17/24` or `12:30`.
pub(crate) fn is_date(cell: &str) -> bool {
    let is_separator = |letter: char| matches!(letter, '-' | '/' | '.' | ':');
    let end = cell.find(['T', ' ', 'Z']).unwrap_or(cell.len());
    let parts: Vec<&str> = cell[..end].split(is_separator).collect();
    let digits =
        |part: &&str| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let is_time = cell.contains(':') && parts.len() >= 2;
    (parts.len() == 3 || is_time) && parts.iter().all(digits)
}

/// Whether a cell is a number but for its comma.
pub(crate) fn is_decimal_comma(cell: &str) -> bool {
    cell.matches(',').count() == 1 && cell.replace(',', ".").parse::<f64>().is_ok()
}

/// Whether a cell with a comma may as well be thousands: `1,000`.
pub(crate) fn may_be_thousands(cell: &str) -> bool {
    let (before, after) = cell.split_once(',').unwrap_or((cell, ""));
    let before = before.trim_start_matches(['-', '+']);
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    (1..=3).contains(&before.len()) && after.len() == 3 && digits(before) && digits(after)
}

/// Whether a cell is a number with a unit, or with its digits in groups: `10 %`, `$3`, `1 000`, `1.234,50`.
pub(crate) fn is_dressed_number(cell: &str) -> bool {
    let units = ['$', '€', '£', '%', '+', '-', ' ', '\u{a0}', '\u{202f}'];
    let bare = cell.trim_matches(units);
    let is_part = |letter: char| letter.is_ascii_digit() || ",.'’ \u{a0}\u{202f}".contains(letter);
    bare.starts_with(|letter: char| letter.is_ascii_digit()) && bare.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        for dressed in ["10 %", "$3", "-1 000", "1.234,50", "1'000", "12,000,000"] {
            assert!(is_dressed_number(dressed), "{dressed}");
        }
        for word in ["a1", "1a", "%", "", "3 kg"] {
            assert!(!is_dressed_number(word), "{word}");
        }
        assert!(may_be_thousands("-1,000") && !may_be_thousands("1,5"));
        assert!(!may_be_thousands("1234,567") && !may_be_thousands("1000"));
    }

    #[test]
    fn dates_and_decimal_commas_are_recognised() {
        for date in ["2024-05-17", "2024-05-17T10:00:00Z", "5/17/24", "17.05.2024 10:00", "12:30"] {
            assert!(is_date(date), "{date}");
        }
        for other in ["1.5", "a-b-c", "12", "1,5", "3-4", "1.2.3.4.5"] {
            assert!(!is_date(other), "{other}");
        }
        assert!(
            is_decimal_comma("-1,5") && !is_decimal_comma("1,500,000") && !is_decimal_comma("a,b")
        );
    }
}
