//! How many clusters were found, in words.

use consilience::Granularity;
use consilience::metrics::GranularityMetrics;

use super::style::{columns, percent, plural, warning};

/// Numbers of clusters shown around the one that was taken, to each side.
const AROUND: usize = 3;

/// A line for those who wait.
pub(super) fn line(found: &Granularity) -> String {
    let clusters = plural(found.k, "cluster");
    if found.is_structured() {
        format!("found {clusters}")
    } else {
        format!("no structure: {clusters}")
    }
}

/// The number that was taken, and why.
pub(super) fn row(found: &GranularityMetrics) -> String {
    let GranularityMetrics { from, to, shown, n_clusters: k, .. } = *found;
    let taken = found.candidates.iter().find(|candidate| candidate.k == k);
    let stay = taken.map_or(String::new(), |taken| {
        format!("; they stay whole over {} of the granularities", percent(taken.persistence))
    });
    match shown {
        1 => format!(
            "{} the data show no structure: the halves of the samples have no clusters in common that stay whole",
            warning("none found;")
        ),
        shown if shown == k => format!("{k} of {from} to {to}{stay}"),
        shown => format!("{k} of {from} to {to}{stay}; without these bounds it would be {shown}"),
    }
}

/// The numbers of clusters around the one that was taken, and what speaks for each.
pub(super) fn table(found: &GranularityMetrics) -> String {
    let k = found.n_clusters;
    let layers: Vec<usize> = found.layers.iter().map(|layer| layer.evidence.k).collect();
    let near = |other: usize| other.abs_diff(k) <= AROUND || layers.contains(&other);
    let shown = found.candidates.iter().filter(|candidate| near(candidate.k));
    let cells = shown.map(|candidate| {
        let mark = match candidate.k {
            other if other == k => "taken",
            other if layers.contains(&other) => "a layer",
            _ => "",
        };
        vec![
            candidate.k.to_string(),
            percent(candidate.persistence),
            format!("{:.2}", candidate.found_again),
            mark.to_owned(),
        ]
    });
    columns(&["K", "whole", "again", ""], cells) + LEGEND + "\n"
}

const LEGEND: &str = "
whole  share of the granularities, from coarse to fine, over which a sample's cluster stays whole
again  how far the other half of the samples has the cluster that it has least (1: exactly)
";
