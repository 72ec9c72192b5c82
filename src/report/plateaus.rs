//! How many clusters there are: the clusterings that the data show, and how far each stays whole.

use super::figures::{Figure, Figures, Granularity};
use super::numerals::{count, percent, plural};

/// Sizes that are named.
const MOST_SIZES: usize = 12;

/// Where K was found: what speaks for it, and for others.
pub(super) struct Plateaus {
    /// In a sentence.
    pub(super) summary: String,
    /// That which was taken first, if the tree has it, then the strongest.
    pub(super) rows: Vec<Plateau>,
}

/// A clustering that the data show.
pub(super) struct Plateau {
    pub(super) k: usize,
    pub(super) is_taken: bool,
    pub(super) whole: Figure,
    /// In per cent of all granularities.
    pub(super) width: String,
    pub(super) again: Figure,
    /// Of its clusters, the largest first.
    pub(super) sizes: String,
}

impl Plateaus {
    /// `None` where K was given.
    pub(super) fn of(figures: &Figures) -> Option<Self> {
        let found = figures.granularity.as_ref()?;
        let rows = (0..found.layers.len()).map(|at| plateau(found, at, figures.n_clusters));
        Some(Self { summary: summary(found, figures.n_clusters), rows: rows.collect() })
    }
}

fn summary(found: &Granularity, k: usize) -> String {
    let Granularity { from, to, shown, .. } = found;
    let range = format!("K was looked for from {from} to {to}.");
    match *shown {
        1 => format!(
            "{range} The data show no structure: no groups stay whole from coarse to fine, and are found again in the other half of the samples."
        ),
        shown if shown == k => range,
        shown => format!("{range} Without these bounds it would be {shown}."),
    }
}

fn plateau(found: &Granularity, at: usize, taken: usize) -> Plateau {
    let layer = &found.layers[at];
    let place = |field: &str| format!("/granularity/layers/{at}/{field}");
    let mut sizes = layer.sizes.clone();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let more = sizes.len().saturating_sub(MOST_SIZES);
    let named: Vec<String> = sizes.iter().take(MOST_SIZES).map(|&size| count(size)).collect();
    let more =
        if more > 0 { format!(" and {} more", plural(more, "cluster")) } else { String::new() };
    Plateau {
        k: layer.k,
        is_taken: layer.k == taken,
        whole: Figure::new(place("persistence"), layer.persistence, percent(layer.persistence)),
        width: format!("{:.1}%", 100.0 * layer.persistence.clamp(0.0, 1.0)),
        again: Figure::new(
            place("found_again"),
            layer.found_again,
            format!("{:.2}", layer.found_again),
        ),
        sizes: named.join(", ") + &more,
    }
}
