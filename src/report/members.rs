//! What is in each cluster: pictures, terms, or the features in which it differs most, and some of its samples.

use consilience_data::{Features, Recipe, Stream};

use super::colour;

use super::figures::Figures;
use super::numerals::{count, cut, short, short_pair};
use super::overview::class_of;
use super::settings::seed;
use super::sprite::{COLUMNS, Pictures};
use crate::contrast::{Contrast, Contrasts};
use crate::run_folder::RunFolder;

/// Clusters that are shown, the first ones.
const MOST_CLUSTERS: usize = 100;
/// Members of each kind as pictures, with few, with more, and with many clusters; and by what they are called.
const MEMBERS: [usize; 3] = [10, 5, 3];
const CALLED: usize = 5;
/// Up to so many clusters are few, and up to the second number they aren't yet many.
const FEW: usize = 20;
const MORE: usize = 50;
const MOST_TERMS: usize = 12;
const MOST_FEATURES: usize = 6;
/// Letters of an id, a term or a feature's name.
const LETTERS: usize = 40;

/// The third section.
pub(super) struct Members {
    pub(super) what: What,
    pub(super) cards: Vec<Card>,
    pub(super) aspect: f64,
    /// How many clusters there are, if not all are shown.
    pub(super) of_all: Option<String>,
}

/// What tells what is in a cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Pictures,
    Terms,
    /// Coordinates of an embedding, which mean nothing alone.
    Coordinates,
    Features,
}

/// A cluster.
pub(super) struct Card {
    pub(super) cluster: usize,
    pub(super) colour: String,
    pub(super) size: String,
    pub(super) agreed: String,
    pub(super) class: Option<String>,
    pub(super) grids: Vec<Grid>,
    pub(super) bars: Vec<Bar>,
}

/// Some of a cluster's members.
pub(super) struct Grid {
    pub(super) title: &'static str,
    /// As pictures.
    pub(super) sprite: Option<String>,
    pub(super) members: Vec<Shown>,
    /// Pictures in a row.
    pub(super) columns: usize,
    /// Places of the last row that stay free.
    pub(super) n_free: usize,
}

/// A sample.
pub(super) struct Shown {
    pub(super) id: String,
    pub(super) confidence: String,
}

/// A term or a feature, and how much more there is of it.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) title: String,
    /// In per cent of the longest.
    pub(super) width: String,
    pub(super) is_less: bool,
}

/// Samples as pictures, if they are any.
pub(super) fn pictures<'a>(
    run: &RunFolder,
    features: &'a Features,
    recipe: &Recipe,
) -> Option<Pictures<'a>> {
    let k = run.n_clusters();
    Pictures::of(features, recipe, 3 * per_kind(k) * k.min(MOST_CLUSTERS))
}

fn per_kind(k: usize) -> usize {
    MEMBERS[usize::from(k > FEW) + usize::from(k > MORE)]
}

impl Members {
    pub(super) fn of(
        run: &RunFolder,
        (features, recipe): (&Features, &Recipe),
        pictures: Option<&Pictures<'_>>,
        figures: &Figures,
    ) -> Self {
        let k = run.n_clusters();
        let what = match figures.preset.as_deref() {
            _ if pictures.is_some() => What::Pictures,
            Some("text") if recipe.feature_names.is_some() => What::Terms,
            Some("embedding") => What::Coordinates,
            _ => What::Features,
        };
        let contrasts = (what != What::Pictures).then(|| Contrasts::of(features, &run.clusters, k));
        let mut members = vec![Vec::new(); k];
        for (sample, cluster) in run.clusters.iter().enumerate() {
            if let Some(cluster) = cluster {
                members[cluster.index()].push(sample);
            }
        }
        let labelled = run.pseudo_labels.sizes();
        let card = |(cluster, members): (usize, Vec<usize>)| {
            let contrasts = contrasts.as_ref();
            Card {
                cluster,
                colour: colour::of_cluster(cluster, k),
                size: count(members.len()),
                agreed: count(labelled[cluster]),
                class: class_of(cluster, figures),
                bars: contrasts.map_or(Vec::new(), |all| bars(recipe, all, cluster, what)),
                grids: grids(run, cluster, members, pictures),
            }
        };
        Self {
            what,
            cards: members.into_iter().enumerate().take(MOST_CLUSTERS).map(card).collect(),
            aspect: pictures.map_or(1.0, Pictures::aspect),
            of_all: (k > MOST_CLUSTERS).then(|| count(k)),
        }
    }
}

/// The most certain members, random ones of the rest, and the least certain: none twice where there are enough.
fn grids(
    run: &RunFolder,
    cluster: usize,
    mut members: Vec<usize>,
    pictures: Option<&Pictures<'_>>,
) -> Vec<Grid> {
    let most = pictures.map_or(CALLED, |_| per_kind(run.n_clusters())).min(members.len());
    if most == 0 {
        return Vec::new();
    }
    // Stable: among equals, the first rows.
    members.sort_by(|&a, &b| run.confidences[b].total_cmp(&run.confidences[a]));
    let rest =
        if members.len() >= 3 * most { &members[most..members.len() - most] } else { &members };
    let part = cluster as u64 + 1;
    let order = seed(run).rng(Stream::Report { part }).permutation(rest.len());
    let random: Vec<usize> = order.into_iter().take(most).map(|at| rest[at]).collect();
    let least: Vec<usize> = members.iter().rev().take(most).copied().collect();
    members.truncate(most);
    [("most certain", members), ("random", random), ("least certain", least)]
        .into_iter()
        .map(|(title, samples)| grid(run, title, &samples, pictures))
        .collect()
}

/// Samples in a grid.
pub(super) fn grid(
    run: &RunFolder,
    title: &'static str,
    samples: &[usize],
    pictures: Option<&Pictures<'_>>,
) -> Grid {
    let member = |&sample: &usize| Shown {
        id: cut(&run.id(sample), LETTERS),
        confidence: format!("{:.2}", run.confidences[sample]),
    };
    Grid {
        title,
        sprite: pictures.map(|pictures| pictures.sprite(samples)),
        members: samples.iter().map(member).collect(),
        columns: COLUMNS.min(samples.len()),
        n_free: if samples.len() > COLUMNS {
            (COLUMNS - samples.len() % COLUMNS) % COLUMNS
        } else {
            0
        },
    }
}

fn bars(recipe: &Recipe, contrasts: &Contrasts, cluster: usize, what: What) -> Vec<Bar> {
    let found = match what {
        What::Terms => contrasts.terms(cluster, MOST_TERMS),
        _ => contrasts.features(cluster, MOST_FEATURES),
    };
    let longest = found.iter().map(|contrast| contrast.difference.abs()).fold(0.0, f64::max);
    let bar = |contrast: &Contrast| {
        let Contrast { feature, means: (inside, outside), difference } = *contrast;
        let [inside, outside] = [inside, outside].map(|it| recipe.original_mean(feature, it));
        let name = recipe.feature_names.as_ref().and_then(|names| names.get(feature));
        let value = match what {
            What::Terms => short(inside),
            _ => format!("{difference:+.1} sd"),
        };
        Bar {
            name: name.map_or(format!("feature {feature}"), |name| cut(name, LETTERS)),
            title: {
                let [here, elsewhere] = short_pair([inside, outside]);
                format!("mean {here} here, {elsewhere} elsewhere")
            },
            value,
            width: format!("{:.0}%", 100.0 * difference.abs() / longest.max(f64::MIN_POSITIVE)),
            is_less: difference < 0.0,
        }
    };
    found.iter().map(bar).collect()
}

impl Card {
    /// Whether it is empty.
    pub(super) fn is_empty(&self) -> bool {
        self.grids.is_empty()
    }
}
