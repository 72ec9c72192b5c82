//! Coverage against strictness, as a person reads it.

use consilience::metrics::CurvePoint;
use consilience_graph::Strictness;

use super::style::{bold, columns, count, percent};

/// The curve as a table, and what it leaves out.
pub(super) fn text(points: &[CurvePoint], not_followed: &[Strictness]) -> String {
    if points.len() < 2 && not_followed.is_empty() {
        return String::new();
    }
    let scored = points.iter().any(|point| point.pseudo_labels.acc.is_some());
    let mut header = vec!["min_agree", "pseudo-labels", "coverage", "mini-clusters", "smallest"];
    header.extend(scored.then_some("ACC"));
    let rows = points.iter().map(|point| {
        let labels = &point.pseudo_labels;
        let mut row = vec![
            point.min_agree.to_string(),
            count(labels.count),
            percent(labels.coverage),
            point.n_found.to_string(),
            count(point.smallest),
        ];
        row.extend(scored.then(|| labels.acc.map_or("-".into(), |acc| format!("{acc:.4}"))));
        row
    });
    let missing = match not_followed {
        [] => String::new(),
        missing => left_out(missing) + "\n\n",
    };
    let title = bold("Coverage against strictness:");
    format!("{title}\n\n{}\n{missing}", columns(&header, rows))
}

/// What the curve leaves out, and how to have it.
pub(super) fn left_out(missing: &[Strictness]) -> String {
    let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
    format!(
        "The curve leaves out --min-agree {}: more than a tenth of the work so far. To see one: consilience pseudo-label \
         with that --min-agree.",
        missing.join(", ")
    )
}
