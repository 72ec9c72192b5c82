//! How many clusters were found, and what each number of them would give, in words.

use consilience::Granularity;
use consilience::granularity::KEvidence;
use consilience::k_range::KRow;
use consilience::metrics::GranularityMetrics;

use super::style::{columns, count, percent, plural, warning};

/// Numbers of clusters shown around the one that was taken, to each side, where no range was typed.
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
        format!(
            "; they stay whole over {} of the granularities, beyond what parts of a crowd do",
            percent(taken.persistence)
        )
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

/// What speaks for each number of clusters, and what it would give.
///
/// # Arguments
///
/// * `is_range`: whether a range was typed, of which all are shown; else those around the one that was taken. The layers are shown in any case.
pub(super) fn table(found: &GranularityMetrics, is_range: bool) -> String {
    let k = found.n_clusters;
    let layers: Vec<usize> = found.layers.iter().map(|layer| layer.evidence.k).collect();
    let asked = if is_range {
        found.from..=found.to
    } else {
        k.saturating_sub(AROUND)..=k.saturating_add(AROUND)
    };
    let rows = found.mini_clusters.as_deref();
    let most = found.candidates.iter().map(|candidate| candidate.k).max();
    let most = most.max(rows.and_then(|rows| rows.last()).map(|row| row.k)).unwrap_or(0);
    let shown = (1..=most).filter(|other| asked.contains(other) || layers.contains(other));
    // Without two models that name the same K there is nothing to tell of them.
    let has_voters = rows.is_some_and(|rows| rows.iter().any(|row| row.n_voters > 1));
    let mut header = vec!["K", "whole", "again", "smallest"];
    header.extend(rows.iter().flat_map(|_| ["found", "coverage", "fewest", "margin"]));
    header.extend(has_voters.then_some(["models", "clear pairs", "ARI"]).iter().flatten());
    header.push("");
    let cells = shown.map(|other| {
        let mut cells = vec![other.to_string()];
        let at_k = |candidate: &&KEvidence| candidate.k == other;
        cells.extend(of_tree(found.candidates.iter().find(at_k)));
        if let Some(rows) = rows {
            let row = rows.iter().find(|row| row.k == other);
            cells.extend(of_votes(row));
            cells.extend(has_voters.then(|| of_voters(row)).into_iter().flatten());
        }
        let mark = match other {
            other if other == k => "taken",
            other if layers.contains(&other) => "a layer",
            _ => "",
        };
        cells.push(mark.into());
        cells
    });
    let mut text = columns(&header, cells) + TREE;
    text += if rows.is_some() { MINI_CLUSTERS } else { "" };
    text += if has_voters { VOTERS } else { "" };
    text + "\n"
}

/// What isn't known of a number of clusters.
const NONE: &str = "-";

fn of_tree(found: Option<&KEvidence>) -> [String; 3] {
    found.map_or([NONE; 3].map(Into::into), |found| {
        [percent(found.persistence), format!("{:.2}", found.found_again), percent(found.smallest)]
    })
}

fn of_votes(row: Option<&KRow>) -> [String; 4] {
    row.map_or([NONE; 4].map(Into::into), |row| {
        let margin = format!("{:.2}", row.mean_margin);
        [row.n_found.to_string(), percent(row.coverage), count(row.smallest), margin]
    })
}

fn of_voters(row: Option<&KRow>) -> [String; 3] {
    row.map_or([NONE; 3].map(Into::into), |row| {
        [
            row.n_voters.to_string(),
            row.unambiguous.map_or(NONE.into(), percent),
            row.ari.map_or(NONE.into(), |ari| format!("{ari:.3}")),
        ]
    })
}

const TREE: &str = "
whole        share of the granularities, from coarse to fine, over which a sample's cluster stays whole, beyond what parts of a crowd do
again        how far the other half has the cluster that it has least (1: exactly)
smallest     share of the samples in the smallest cluster
";

const MINI_CLUSTERS: &str = "\
found        mini-clusters that the models agree on; K were looked for
coverage     share of the samples in them
fewest       number of samples in the smallest of them
margin       mean number of models by which a sample's own mini-cluster is ahead of the next best
";

const VOTERS: &str = "\
models       those with K clusters
clear pairs  share of all pairs of samples on which at most a tenth of these models differ from the others
ARI          mean adjusted Rand index between two of these models
";
