//! What a cell of text says.

/// What other tools write for a missing value, in lower case.
const MISSING: [&str; 7] = ["na", "nan", "null", "none", "n/a", "#n/a", "<na>"];

/// Whether a cell is empty or a word for a missing value.
pub(crate) fn is_missing(cell: &str) -> bool {
    cell.is_empty() || MISSING.iter().any(|word| cell.eq_ignore_ascii_case(word))
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

#[cfg(test)]
mod tests {
    use super::*;

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
