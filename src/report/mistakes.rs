//! Where clusters and true classes differ.

use super::colour;
use super::figures::{Class, Confused, Figure, Figures, Scores};
use super::matrix::{Cell, Row, Shaded};
use super::members::{Grid, grid};
use super::numerals::{count, cut, rough_percent};
use super::sprite::Pictures;
use crate::run_folder::RunFolder;

/// Rows and columns of a table that can be read. More aren't shown.
const MOST_SIDE: usize = 60;
const LETTERS: usize = 40;

/// The fourth section.
pub(super) struct Mistakes {
    pub(super) matrix: Option<Shaded>,
    pub(super) pairs: Vec<Pair>,
    pub(super) aspect: f64,
    pub(super) classes: Vec<ClassRow>,
}

/// A class, some of which is in another's cluster.
pub(super) struct Pair {
    pub(super) class: String,
    pub(super) cluster: usize,
    pub(super) colour: String,
    pub(super) taken_for: Option<String>,
    pub(super) count: Figure,
    pub(super) unit: &'static str,
    pub(super) share: Figure,
    pub(super) examples: Option<Grid>,
}

/// A class and the cluster matched to it.
pub(super) struct ClassRow {
    pub(super) name: String,
    pub(super) size: Figure,
    pub(super) cluster: Option<usize>,
    pub(super) precision: Figure,
    pub(super) recall: Figure,
}

impl Mistakes {
    /// `None` without the truth.
    pub(super) fn of(
        run: &RunFolder,
        figures: &Figures,
        pictures: Option<&Pictures<'_>>,
    ) -> Option<Self> {
        let scores = figures.scores.as_ref()?;
        let pairs = figures.confused_pairs.as_deref().unwrap_or(&[]).iter().enumerate();
        let classes = scores.per_class.iter().enumerate();
        Some(Self {
            matrix: confusion(figures, scores),
            pairs: pairs.map(|pair| of_pair(run, figures, pictures, pair)).collect(),
            aspect: pictures.map_or(1.0, Pictures::aspect),
            classes: classes.map(|(at, class)| of_class(at, class)).take(1000).collect(),
        })
    }
}

fn of_pair(
    run: &RunFolder,
    figures: &Figures,
    pictures: Option<&Pictures<'_>>,
    (at, pair): (usize, &Confused),
) -> Pair {
    let examples: Vec<usize> =
        pair.examples.iter().copied().filter(|&sample| sample < run.n_samples()).collect();
    let place = |field: &str| format!("/confused_pairs/{at}/{field}");
    Pair {
        class: cut(&pair.class, LETTERS),
        cluster: pair.cluster,
        colour: colour::of_cluster(pair.cluster, figures.n_clusters),
        taken_for: pair.taken_for.as_ref().map(|class| cut(class, LETTERS)),
        count: Figure::new(place("count"), pair.count, pair.count.to_string()),
        unit: if pair.count == 1 { "sample" } else { "samples" },
        share: Figure::new(place("share"), pair.share, rough_percent(pair.share)),
        examples: (!examples.is_empty()).then(|| grid(run, "", &examples, pictures)),
    }
}

fn of_class(at: usize, class: &Class) -> ClassRow {
    let place = |field: &str| format!("/scores/per_class/{at}/{field}");
    let share = |field, share: f64| Figure::new(place(field), share, format!("{share:.3}"));
    ClassRow {
        name: cut(&class.class, LETTERS),
        size: Figure::new(place("size"), class.size, class.size.to_string()),
        cluster: class.cluster,
        precision: share("precision", class.precision),
        recall: share("recall", class.recall),
    }
}

/// Classes against clusters, the cluster matched to a class below the diagonal's place for it, then samples without
/// a cluster if there are any; `None` if classes or clusters are too many.
#[expect(clippy::cast_precision_loss, reason = "shares")]
fn confusion(figures: &Figures, scores: &Scores) -> Option<Shaded> {
    let table = scores.contingency.as_ref()?;
    let n_columns = table.first()?.len();
    // The table may have a column more, for samples without a cluster.
    let n_clusters = match figures.clusters.len() {
        0 => n_columns,
        n_clusters => n_clusters.min(n_columns),
    };
    if n_clusters > MOST_SIDE || table.len() > MOST_SIDE {
        return None;
    }
    let mut columns: Vec<usize> = scores.matching.iter().copied().flatten().collect();
    columns.extend((0..n_clusters).filter(|cluster| !scores.matching.contains(&Some(*cluster))));
    let is_used = |&column: &usize| table.iter().any(|counts| counts[column] > 0);
    columns.extend((n_clusters..n_columns).filter(is_used));
    let is_dense = Shaded::is_dense(table.len(), columns.len());
    let rows = table.iter().enumerate().map(|(row, counts)| {
        let class = &scores.per_class[row];
        let cells = columns.iter().map(|&column| {
            let found = counts[column];
            let share = found as f64 / class.size.max(1) as f64;
            let place = format!("/scores/contingency/{row}/{column}");
            let figure = Figure::new(place, found, found.to_string());
            let class = cut(&class.class, LETTERS);
            let title = if column < n_clusters {
                format!("{found} of class {class} in cluster {column}")
            } else {
                format!("{found} of class {class} in no cluster")
            };
            let is_matched = scores.matching[row] == Some(column);
            Cell::new(share, Some(figure).filter(|_| !is_dense && found > 0), title, is_matched)
        });
        Row { head: class.class.clone(), cells: cells.collect() }
    });
    let rows = rows.collect();
    let head = |&column: &usize| if column < n_clusters { count(column) } else { "none".into() };
    let heads = columns.iter().map(head).collect();
    let caption = "True classes and clusters".into();
    Some(Shaded { caption, corner: "class", heads, rows, is_dense })
}
