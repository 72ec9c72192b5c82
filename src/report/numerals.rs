//! Numbers as people read them.

pub(super) use crate::wording::{count, duration, plural};

/// `89.7 %`, with a blank that doesn't break.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1}\u{a0}%", share * 100.0)
}

/// `90 %`, for axes and words.
pub(super) fn rough_percent(share: f64) -> String {
    format!("{:.0}\u{a0}%", share * 100.0)
}

/// `.98`, for cells: a share without the zero before its point; `1` for all.
pub(super) fn cell(share: f64) -> String {
    let text = format!("{share:.2}");
    match text.strip_prefix("0.") {
        Some(decimals) => format!(".{decimals}"),
        None => text.strip_suffix(".00").map_or(text.clone(), Into::into),
    }
}

/// Three digits or so, whatever the size: `0.0123`, `12.3`, `12300`, `1.2e9`.
pub(super) fn short(number: f64) -> String {
    let size = number.abs();
    if number == 0.0 {
        "0".into()
    } else if !(1e-4..1e6).contains(&size) {
        format!("{number:.1e}")
    } else if size >= 100.0 {
        format!("{number:.0}")
    } else if size >= 1.0 {
        format!("{number:.2}")
    } else {
        format!("{number:.3}")
    }
}

/// Two numbers, with as many digits as tell them apart.
pub(super) fn short_pair(numbers: [f64; 2]) -> [String; 2] {
    let texts = numbers.map(short);
    let difference = (numbers[0] - numbers[1]).abs();
    if texts[0] != texts[1] || difference == 0.0 {
        return texts;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 17")]
    let decimals = (1.0 - difference.log10().floor()).clamp(0.0, 17.0) as usize;
    numbers.map(|number| format!("{number:.decimals$}"))
}

/// The first `most` characters, and whether there are more.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([cell(0.984), cell(1.0), cell(0.0), cell(-0.02)], [".98", "1", ".00", "-0.02"]);
        let texts = [0.0, 0.01234, 12.345, 12_300.0, 1.25e9].map(short);
        assert_eq!(texts, ["0", "0.012", "12.35", "12300", "1.2e9"]);
        assert_eq!(short_pair([1.7e12 + 500.0, 1.7e12]), ["1700000000500", "1700000000000"]);
        assert_eq!(short_pair([0.50001, 0.50002]), ["0.500010", "0.500020"]);
        assert_eq!((cut("abcdef", 4), cut("äöü", 3)), ("abc…".into(), "äöü".into()));
    }
}
