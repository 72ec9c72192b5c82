//! `-k`: a number of clusters, or where to look for it; and `--k-range`: what each K would give.

use std::ops::RangeInclusive;
use std::str::FromStr;

use anyhow::Result;
use consilience::granularity::DEFAULT;
use consilience::k_range::KRow;

use super::style::{columns, count, percent};

/// `A..B`, both included.
#[derive(Debug, Clone)]
pub(super) struct KRange(RangeInclusive<usize>);

impl KRange {
    pub(super) fn ks(&self) -> RangeInclusive<usize> {
        self.0.clone()
    }
}

impl FromStr for KRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}': give two numbers from 2 on, such as 2..20");
        let (from, to) = text.split_once("..").ok_or_else(wrong)?;
        let number = |text: &str| text.trim().parse::<usize>().map_err(|_| wrong());
        let (from, to) = (number(from)?, number(to)?);
        if from < 2 || to < from { Err(wrong()) } else { Ok(Self(from..=to)) }
    }
}

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
}

impl FromStr for Clusters {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::AUTO);
        }
        if text.contains("..") {
            return text.parse().map(|KRange(ks)| Self::Within(ks));
        }
        let number = text.parse().map(Self::Number);
        number.map_err(|_| "give a number of clusters, two such as 5..30, or auto".into())
    }
}

/// A row in words.
pub(super) fn line(row: &KRow) -> String {
    let (k, coverage, smallest) = (row.k, percent(row.coverage), count(row.smallest));
    format!(
        "K = {k}: {} mini-clusters with {coverage} of the samples; smallest: {smallest}",
        row.n_found
    )
}

/// The table, or the same in JSON.
pub(super) fn text(rows: &[KRow], json: bool) -> Result<String> {
    if json {
        return Ok(serde_json::to_string_pretty(rows)? + "\n");
    }
    // Without two models that name the same K there is nothing to tell of them.
    let has_voters = rows.iter().any(|row| row.n_voters > 1);
    let mut header = vec!["K", "found", "coverage", "smallest", "margin"];
    header.extend(has_voters.then_some(["models", "clear pairs", "ARI"]).iter().flatten());
    let cells = rows.iter().map(|row| {
        let mut cells = vec![
            row.k.to_string(),
            row.n_found.to_string(),
            percent(row.coverage),
            count(row.smallest),
            format!("{:.2}", row.mean_margin),
        ];
        if has_voters {
            cells.push(row.n_voters.to_string());
            cells.push(row.unambiguous.map_or("-".into(), percent));
            cells.push(row.ari.map_or("-".into(), |ari| format!("{ari:.3}")));
        }
        cells
    });
    let legend = if has_voters { [LEGEND, VOTERS, HINT].concat() } else { [LEGEND, HINT].concat() };
    Ok(columns(&header, cells) + &legend)
}

const LEGEND: &str = "
found        mini-clusters found; K were looked for
coverage     share of the samples in them
smallest     number of samples in the smallest of them
margin       mean number of models by which a sample's own mini-cluster is ahead of the next best
";

const VOTERS: &str = "\
models       those with K clusters
clear pairs  share of all pairs of samples on which at most a tenth of these models differ from the others
ARI          mean adjusted Rand index between two of these models
";

const HINT: &str = "
No column decides alone. If the smallest mini-cluster is tiny, or fewer than K are found, K is probably too large.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_a_range_or_nothing_at_all_is_typed() {
        let typed = |text: &str| text.parse::<Clusters>().unwrap();
        assert_eq!(typed("12").number(), Some(12));
        assert!(matches!(typed("5..30"), Clusters::Within(ks) if ks == (5..=30)));
        assert!(matches!(typed("auto"), Clusters::Within(ks) if ks == DEFAULT));
        for wrong in ["ten", "5..", "9..5", "-3", "Auto", ""] {
            assert!(wrong.parse::<Clusters>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn ranges_have_two_ends_and_include_both() {
        assert_eq!("2..5".parse::<KRange>().unwrap().ks(), 2..=5);
        for wrong in ["5", "5..2", "1..3", "a..b", "..", "2..=4"] {
            assert!(wrong.parse::<KRange>().is_err(), "{wrong}");
        }
    }
}
