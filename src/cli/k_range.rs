//! `-k`: a number of clusters, or where to look for it.

use std::ops::RangeInclusive;
use std::str::FromStr;

use consilience::granularity::DEFAULT;

/// What is typed after `-k`.
#[derive(Debug, Clone)]
pub(super) enum Clusters {
    /// So many.
    Number(usize),
    /// As many as there are, within a range.
    Within(RangeInclusive<usize>),
}

impl Clusters {
    /// As many as there are.
    pub(super) const AUTO: Self = Self::Within(DEFAULT);

    pub(super) fn number(&self) -> Option<usize> {
        match self {
            Self::Number(k) => Some(*k),
            Self::Within(_) => None,
        }
    }

    /// Whether a range was typed, of which every number is looked at.
    pub(super) fn is_range(&self) -> bool {
        matches!(self, Self::Within(ks) if *ks != DEFAULT)
    }
}

impl FromStr for Clusters {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::AUTO);
        }
        if let Some((from, to)) = text.split_once("..") {
            return range(from, to)
                .map(Self::Within)
                .ok_or_else(|| format!("'{text}': give two numbers from 2 on, such as 2..20"));
        }
        let number = text.parse().map(Self::Number);
        number.map_err(|_| "give a number of clusters, two such as 5..30, or auto".into())
    }
}

/// Both ends are included.
fn range(from: &str, to: &str) -> Option<RangeInclusive<usize>> {
    let (from, to) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
    (2 <= from && from <= to).then_some(from..=to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_a_range_or_nothing_at_all_is_typed() {
        let typed = |text: &str| text.parse::<Clusters>().unwrap();
        assert_eq!(typed("12").number(), Some(12));
        assert!(matches!(typed("5..30"), Clusters::Within(ks) if ks == (5..=30)));
        assert!(matches!(typed("auto"), Clusters::Within(ks) if ks == DEFAULT));
        let are_ranges = ["12", "auto", "5..30", "7..7"].map(|text| typed(text).is_range());
        assert_eq!(are_ranges, [false, false, true, true]);
        for wrong in ["ten", "5..", "9..5", "1..3", "a..b", "..", "2..=4", "-3", "Auto", ""] {
            assert!(wrong.parse::<Clusters>().is_err(), "{wrong}");
        }
    }
}
