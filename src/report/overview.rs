//! What came out: the figures to remember, and the clusters.

use super::colour;
use super::figures::{Cluster, Figure, Figures, Given};
use super::numerals::{count, percent, plural, rough_percent};
use crate::labelling::LabelRule;

/// Rows of more clusters are folded away.
const MOST_OPEN: usize = 30;

/// The first section.
pub(super) struct Overview {
    /// The number of clusters, with the word.
    pub(super) k: String,
    /// In a sentence or two.
    pub(super) summary: String,
    pub(super) tiles: Vec<Tile>,
    pub(super) notices: Vec<String>,
    pub(super) clusters: Vec<Row>,
    pub(super) is_long: bool,
    /// Whether clusters have classes.
    pub(super) has_classes: bool,
    /// Whether there are scores by true classes.
    pub(super) has_scores: bool,
}

/// A figure to remember.
pub(super) struct Tile {
    pub(super) title: &'static str,
    pub(super) figure: Figure,
    pub(super) note: String,
}

/// A cluster.
pub(super) struct Row {
    pub(super) cluster: usize,
    pub(super) colour: String,
    pub(super) size: Figure,
    /// Size, and the part of it that is agreed on, in per cent of the largest cluster.
    pub(super) width: String,
    pub(super) agreed_width: String,
    pub(super) agreed: Figure,
    pub(super) confidence: Option<Figure>,
    /// The class that it is matched to.
    pub(super) class: Option<String>,
}

impl Overview {
    pub(super) fn of(figures: &Figures) -> Self {
        Self {
            k: plural(figures.n_clusters, "cluster"),
            summary: summary(figures),
            tiles: tiles(figures),
            notices: notices(figures),
            clusters: rows(figures),
            is_long: figures.clusters.len() > MOST_OPEN,
            has_classes: figures.scores.is_some() || figures.given.is_some(),
            has_scores: figures.scores.is_some(),
        }
    }
}

fn summary(figures: &Figures) -> String {
    let n = plural(figures.n_samples, "sample");
    let (k, models) = (plural(figures.n_clusters, "cluster"), figures.n_models());
    let who = match models {
        _ if is_backed(figures) => "most models of each kind stand behind the cluster".into(),
        1 => "one model is confident".into(),
        _ => format!("{models} models agree"),
    };
    let share = rough_percent(figures.pseudo_labels.coverage);
    format!("{n} in {k}. On {share} of them {who}; these samples have pseudo-labels.")
}

/// Whether pseudo-labels don't depend on how strictly models have to agree.
fn is_backed(figures: &Figures) -> bool {
    figures.pseudo_label_rule == Some(LabelRule::Backed)
}

fn tiles(figures: &Figures) -> Vec<Tile> {
    let labels = &figures.pseudo_labels;
    let found = figures.clusters.iter().filter(|cluster| cluster.size > 0).count();
    let empty = figures.n_clusters.saturating_sub(found);
    let mut tiles = vec![
        Tile {
            title: "clusters",
            figure: Figure::new("/n_clusters", figures.n_clusters, count(figures.n_clusters)),
            note: match empty {
                _ if figures.clusters.is_empty() => "asked for".into(),
                0 => "none empty".into(),
                some => format!("{some} empty"),
            },
        },
        Tile {
            title: "agreed on",
            figure: Figure::new(
                "/pseudo_labels/coverage",
                labels.coverage,
                percent(labels.coverage),
            ),
            note: format!("coverage: {}", plural(labels.count, "sample")),
        },
    ];
    tiles.extend(figures.mean_confidence.map(|confidence| Tile {
        title: "confidence",
        figure: Figure::new("/mean_confidence", confidence, percent(confidence)),
        note: match figures.is_trained() {
            true => "mean over all samples".into(),
            false => "mean over samples with votes".into(),
        },
    }));
    if let Some(given) = &figures.given {
        tiles.insert(0, given_labels(given));
        tiles.extend(given.accuracy.map(|accuracy| Tile {
            title: "accuracy",
            figure: Figure::new("/given/accuracy", accuracy, format!("{accuracy:.3}")),
            note: "where no label was given".into(),
        }));
    }
    let score = |title, pointer: &str, score: Option<f64>, note: &str| {
        score.map(|score| Tile {
            title,
            figure: Figure::new(pointer, score, format!("{score:.3}")),
            note: note.into(),
        })
    };
    let pure = labels.acc.map_or(String::new(), |acc| format!("{acc:.3} where agreed on"));
    tiles.extend(score("ACC", "/acc", figures.acc, &pure));
    tiles.extend(score("NMI", "/nmi", figures.nmi, "shared information"));
    tiles.extend(score("ARI", "/ari", figures.ari, "pairs, corrected for chance"));
    tiles
}

/// What a run learnt from.
fn given_labels(given: &Given) -> Tile {
    let classes = given.classes.len();
    let contradicted = match given.contradicted {
        0 => String::new(),
        some => format!("; {} contradicted by others (label_errors.csv)", count(some)),
    };
    Tile {
        title: "given labels",
        figure: Figure::new("/given/count", given.count, count(given.count)),
        note: format!("of {}{contradicted}", plural(classes, "class")),
    }
}

/// What a reader has to know first.
fn notices(figures: &Figures) -> Vec<String> {
    let mut notices = Vec::new();
    if !figures.complete && is_backed(figures) {
        notices.push(format!(
            "The models stand behind fewer than {}. Do not rely on clusters without pseudo-labels.",
            plural(figures.n_clusters, "cluster")
        ));
    } else if !figures.complete {
        notices.push(format!(
            "The models agree on fewer than {}. Try {}a lower min_agree. Do not rely on clusters without agreement.",
            plural(figures.n_clusters, "group"),
            if figures.n_clusters > 2 { "fewer clusters, or " } else { "" }
        ));
    }
    if let Some(run) = &figures.cut_of {
        notices.push(format!(
            "Another cut of {run}: the same models' votes in {}. Nothing was trained for this number.",
            plural(figures.n_clusters, "cluster")
        ));
    }
    if figures.chosen.as_deref() == Some("k-means") {
        notices.push(
            "The answer is that of k-means, because its clusters fit neighbouring samples far better than those of the ensemble. \
             Agreement and rounds below are those of the ensemble."
                .into(),
        );
    }
    if let Some(strays) = figures.strays.as_ref().filter(|strays| strays.count > 0) {
        notices.push(format!(
            "{} ({}) without a cluster: too far from all others to belong anywhere. Such samples are grey on the map; assignments.csv has the score of each.",
            plural(strays.count, "sample"),
            percent(strays.share)
        ));
    }
    if figures.n_far_off > 0 {
        notices.push(format!(
            "{} so far out that all others would be one point: scaled without, and pulled in.",
            plural(figures.n_far_off, "sample")
        ));
    }
    if figures.n_without_votes > 0 {
        let without = plural(figures.n_without_votes, "sample");
        notices.push(format!("{without} without any vote: no cluster and no label."));
    }
    notices
}

fn rows(figures: &Figures) -> Vec<Row> {
    let most = figures.clusters.iter().map(|cluster| cluster.size).max().unwrap_or(0).max(1);
    figures
        .clusters
        .iter()
        .enumerate()
        .map(|(index, cluster)| row(index, cluster, most, figures))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn row(index: usize, cluster: &Cluster, most: usize, figures: &Figures) -> Row {
    let width = |part: usize| format!("{:.1}%", 100.0 * part as f64 / most as f64);
    let confidence = |confidence: f64| {
        let place = format!("/clusters/{index}/mean_confidence");
        Figure::new(place, confidence, percent(confidence))
    };
    let agreed = cluster.pseudo_labels;
    Row {
        cluster: index,
        colour: colour::of_cluster(index, figures.n_clusters),
        size: Figure::new(format!("/clusters/{index}/size"), cluster.size, count(cluster.size)),
        width: width(cluster.size),
        agreed_width: width(agreed),
        agreed: Figure::new(format!("/clusters/{index}/pseudo_labels"), agreed, count(agreed)),
        confidence: cluster.mean_confidence.map(confidence),
        class: class_of(index, figures),
    }
}

/// The name of the class that a cluster is, in a run that learnt from labels; else of that which it is matched to.
pub(super) fn class_of(cluster: usize, figures: &Figures) -> Option<String> {
    if let Some(given) = &figures.given {
        let class = match &given.clusters {
            Some(clusters) => clusters.iter().position(|&of| of == cluster)?,
            None => cluster,
        };
        return given.classes.get(class).cloned();
    }
    let classes = &figures.scores.as_ref()?.per_class;
    let class = classes.iter().find(|class| class.cluster == Some(cluster))?;
    Some(class.class.clone())
}
