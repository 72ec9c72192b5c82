//! Whether the result can be trusted: signs in words, then what they are read from.

use consilience_graph::Strictness;
use serde::Deserialize;
use serde_json::Value;

use super::chart::{self, Axis, Series};
use super::figures::{Figure, Figures, Matrix};
use super::matrix::Shaded;
use super::numerals::{percent, plural, rough_percent};
use crate::labelling::Labelling;
use crate::metrics::MAX_SIDE;

/// Models as alike as this err alike: their agreement says little. Digits: 0.6 in the first round.
const ALIKE: f64 = 0.97;
/// Models as different as this found different things.
const UNLIKE: f64 = 0.3;
/// Rounds as alike as this, and the answer stands still; less than the second, and it doesn't.
const STABLE: f64 = 0.95;
const UNSTABLE: f64 = 0.8;
/// Coverage under which the models agree on little.
const LITTLE: f64 = 0.3;
/// Clusters of which the models put so many pairs together are mixed up, and under the second number, a cluster is split.
const MIXED: f64 = 0.1;
const SPLIT: f64 = 0.6;
/// Pairs of clusters that are told of.
const MOST_TOLD: usize = 3;

/// The second section.
pub(super) struct Trust {
    pub(super) signs: Vec<Sign>,
    pub(super) agreement: Option<Shaded>,
    /// Pairs of clusters that models mix up most.
    pub(super) mixed: Vec<String>,
    pub(super) diversity: Option<Diversity>,
    pub(super) rounds: Option<Lines>,
    pub(super) curve: Option<Lines>,
    /// Whether labels come from something else than the agreement that a curve would be of.
    pub(super) is_without_curve: bool,
    /// Strictnesses that the curve leaves out.
    pub(super) left_out: String,
    pub(super) histogram: Option<String>,
    /// Why matrices aren't there.
    pub(super) too_large: Option<String>,
}

/// What a figure says of trust.
pub(super) struct Sign {
    pub(super) is_good: bool,
    pub(super) title: &'static str,
    pub(super) figure: Option<Figure>,
    pub(super) text: String,
}

/// How alike the models are.
pub(super) struct Diversity {
    pub(super) matrix: Shaded,
    pub(super) models: Vec<Model>,
    pub(super) has_scores: bool,
}

/// A model.
pub(super) struct Model {
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) acc: Option<Figure>,
}

/// A chart of lines, with what they are, and their numbers.
pub(super) struct Lines {
    pub(super) svg: String,
    pub(super) names: Vec<&'static str>,
    /// What the first column of the numbers is, and the others: the lines, and perhaps more.
    pub(super) corner: &'static str,
    pub(super) heads: Vec<&'static str>,
    pub(super) rows: Vec<(String, Vec<Option<Figure>>)>,
}

impl Trust {
    /// `asked`: the strictness of the run, whose labels come from `labelling`.
    pub(super) fn of(figures: &Figures, labelling: Labelling, asked: Option<Strictness>) -> Self {
        let is_agreement = labelling == Labelling::Agreement;
        let n = figures.clusters.len().max(figures.n_models());
        let agreement = agreement(figures).filter(|_| figures.n_clusters > 1);
        let caption = "How often models put samples of two clusters together";
        Self {
            signs: signs(figures),
            agreement: agreement.map(|matrix| {
                Shaded::of_shares(matrix, "/cluster_agreement", "cluster", caption.into())
            }),
            mixed: mixed(figures),
            diversity: diversity(figures),
            rounds: rounds(figures),
            curve: curve(figures, asked).filter(|_| is_agreement),
            is_without_curve: !is_agreement,
            left_out: left_out(figures),
            histogram: histogram(figures),
            too_large: (n > MAX_SIDE).then(|| {
                format!(
                    "Heat maps of more than {MAX_SIDE} rows are left out: nobody could read them."
                )
            }),
        }
    }
}

/// How often models put samples of two clusters together; `None` if there is no pair of samples to tell it by.
fn agreement(figures: &Figures) -> Option<&Matrix> {
    let matrix = figures.cluster_agreement.as_ref()?;
    matrix.iter().flatten().any(Option::is_some).then_some(matrix)
}

fn signs(figures: &Figures) -> Vec<Sign> {
    let mut signs = Vec::new();
    // The answer may be another than the last round's: then its labels may lack a cluster that the round has.
    let is_complete = figures.complete && !figures.pseudo_labels.sizes.contains(&0);
    let coverage = figures.pseudo_labels.coverage;
    signs.push(Sign {
        is_good: is_complete && coverage >= LITTLE,
        title: "Agreement",
        figure: Some(Figure::new("/pseudo_labels/coverage", coverage, percent(coverage))),
        text: match (is_complete, coverage >= LITTLE) {
            (false, _) => "of the samples are agreed on, and not in every cluster.".into(),
            (true, true) => "of the samples are agreed on, in every cluster.".into(),
            (true, false) => "of the samples are agreed on: few. The rest is a best guess.".into(),
        },
    });
    let last = figures.rounds.len().saturating_sub(1);
    // Later rounds learn from common labels, and are alike for that.
    if let Some(first) = figures.rounds.first().and_then(|round| round.diversity) {
        let round = if last > 0 { " in the first round" } else { "" };
        signs.push(Sign {
            is_good: (UNLIKE..ALIKE).contains(&first),
            title: "Diversity",
            figure: Some(Figure::new("/rounds/0/diversity", first, format!("{first:.2}"))),
            text: if first >= ALIKE {
                format!("mean similarity of the models{round}: nearly all alike. They may err alike, and their agreement says little.")
            } else if first < UNLIKE {
                format!("mean similarity of the models{round}: they found different things. Another K may suit the data better.")
            } else {
                format!("mean similarity of the models{round}: they differ, so that their agreement is evidence.")
            },
        });
    } else if figures.n_models() == 1 {
        signs.push(Sign {
            is_good: false,
            title: "Diversity",
            figure: None,
            text: "There is one model: nobody agrees or disagrees with it. Confidence is all that there is.".into(),
        });
    }
    if let Some(ari) = figures.rounds.last().and_then(|round| round.consensus_ari_to_previous) {
        let place = format!("/rounds/{last}/consensus_ari_to_previous");
        signs.push(Sign {
            is_good: ari >= UNSTABLE,
            title: "Stability",
            figure: Some(Figure::new(place, ari, format!("{ari:.2}"))),
            text: if ari >= STABLE {
                "similarity of the last two rounds: the answer stands still.".into()
            } else if ari >= UNSTABLE {
                "similarity of the last two rounds: the answer still moves a little.".into()
            } else {
                "similarity of the last two rounds: the answer still changes. More rounds may help."
                    .into()
            },
        });
    }
    signs.extend(separation(figures));
    signs
}

/// Whether the models keep clusters apart, and together.
fn separation(figures: &Figures) -> Option<Sign> {
    let matrix = agreement(figures)?;
    let split: Vec<String> = (0..matrix.len())
        .filter(|&cluster| matrix[cluster][cluster].is_some_and(|share| share < SPLIT))
        .map(|cluster| cluster.to_string())
        .collect();
    let n_mixed = pairs(matrix).into_iter().filter(|&(share, _, _)| share >= MIXED).count();
    let mut told = Vec::new();
    if n_mixed > 0 {
        told.push(format!(
            "Models often mix {} of clusters: they may be one group, or blend into each other.",
            plural(n_mixed, "pair")
        ));
    }
    if !split.is_empty() {
        let named = match split.len() {
            1 => format!("cluster {}", split[0]),
            2..=8 => format!("clusters {}", split.join(", ")),
            n => plural(n, "cluster"),
        };
        told.push(format!("Models don’t hold together what is in {named}."));
    }
    let is_good = told.is_empty();
    if is_good {
        told.push("Models hold each cluster together, and keep it apart from the others.".into());
    }
    Some(Sign { is_good, title: "Separation", figure: None, text: told.join(" ") })
}

/// All pairs of clusters, those first that models put together most.
fn pairs(matrix: &[Vec<Option<f64>>]) -> Vec<(f64, usize, usize)> {
    let mut pairs: Vec<(f64, usize, usize)> = (0..matrix.len())
        .flat_map(|b| (0..b).map(move |a| (a, b)))
        .filter_map(|(a, b)| Some((matrix[a][b]?, a, b)))
        .collect();
    pairs.sort_by(|first, second| second.0.total_cmp(&first.0));
    pairs
}

fn mixed(figures: &Figures) -> Vec<String> {
    let Some(matrix) = agreement(figures) else { return Vec::new() };
    let told = pairs(matrix).into_iter().filter(|&(share, _, _)| share >= 0.005);
    let tell = |(share, a, b)| format!("{a} and {b} ({})", rough_percent(share));
    told.take(MOST_TOLD).map(tell).collect()
}

fn diversity(figures: &Figures) -> Option<Diversity> {
    let matrix = figures.model_ari.as_ref().filter(|matrix| matrix.len() > 1)?;
    let last = figures.rounds.len().checked_sub(1)?;
    let models = figures.rounds[last].models.iter().enumerate().map(|(number, model)| {
        let acc = |acc: f64| {
            Figure::new(format!("/rounds/{last}/models/{number}/acc"), acc, format!("{acc:.3}"))
        };
        let name = model.name.clone().or_else(|| model.kind.clone()).unwrap_or_default();
        Model { number, name, acc: model.acc.map(acc) }
    });
    let caption = "Adjusted Rand index of every two models";
    Some(Diversity {
        matrix: Shaded::of_shares(matrix, "/model_ari", "model", caption.into()),
        has_scores: figures.rounds[last].models.iter().any(|model| model.acc.is_some()),
        models: models.collect(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "numbers of rounds")]
fn rounds(figures: &Figures) -> Option<Lines> {
    if figures.rounds.len() < 2 {
        return None;
    }
    let rounds = || figures.rounds.iter().enumerate();
    let all = [
        (
            "same as the round before",
            "consensus_ari_to_previous",
            column(figures, |round| round.consensus_ari_to_previous),
        ),
        ("similarity of models", "diversity", column(figures, |round| round.diversity)),
        (
            "agreed on",
            "pseudo_labels/coverage",
            column(figures, |round| Some(round.pseudo_labels.coverage)),
        ),
        ("ACC", "ensemble_acc", column(figures, |round| round.ensemble_acc)),
    ];
    let shown: Vec<_> =
        all.into_iter().filter(|(_, _, values)| values.iter().any(Option::is_some)).collect();
    let series: Vec<Series> = shown
        .iter()
        .map(|(name, _, values)| {
            let points = values.iter().enumerate();
            let points = points.filter_map(|(round, value)| Some((round as f64 + 1.0, (*value)?)));
            Series { name, points: points.collect() }
        })
        .collect();
    let axis = Axis { title: "round", from: 1, to: figures.rounds.len() };
    let rows = rounds().map(|(round, _)| {
        let figure = |(_, place, values): &(_, &str, Vec<Option<f64>>)| {
            let value = values[round]?;
            Some(Figure::new(format!("/rounds/{round}/{place}"), value, format!("{value:.3}")))
        };
        ((round + 1).to_string(), shown.iter().map(figure).collect())
    });
    let names: Vec<_> = series.iter().map(|series| series.name).collect();
    Some(Lines {
        svg: chart::lines("Figures of every round", &axis, &series, None),
        heads: names.clone(),
        names,
        corner: "round",
        rows: rows.collect(),
    })
}

fn column(
    figures: &Figures,
    of: impl Fn(&super::figures::Round) -> Option<f64>,
) -> Vec<Option<f64>> {
    figures.rounds.iter().map(of).collect()
}

fn left_out(figures: &Figures) -> String {
    let text = |min_agree: &Value| min_agree.as_str().map_or(min_agree.to_string(), str::to_owned);
    figures.curve_left_out.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn curve(figures: &Figures, asked: Option<Strictness>) -> Option<Lines> {
    let n_models = u16::try_from(figures.n_models()).ok()?;
    let points: Vec<(f64, &super::figures::CurvePoint)> = figures
        .curve
        .iter()
        .filter_map(|point| {
            let min_agree = Strictness::deserialize(&point.min_agree).ok()?;
            Some((f64::from(min_agree.at_least(n_models)), point))
        })
        .collect();
    if points.len() < 2 {
        return None;
    }
    let to = usize::from(n_models);
    let mut series = vec![Series {
        name: "agreed on",
        points: points.iter().rev().map(|(x, point)| (*x, point.coverage)).collect(),
    }];
    if points.iter().any(|(_, point)| point.acc.is_some()) {
        let scored = points.iter().rev().filter_map(|(x, point)| Some((*x, point.acc?)));
        series.push(Series { name: "ACC of these", points: scored.collect() });
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a u16 once")]
    let from = points.iter().map(|(x, _)| *x as usize).min().unwrap_or(1);
    let axis = Axis { title: "models that have to agree", from, to };
    let has_acc = series.len() > 1;
    let rows = points.iter().enumerate().map(|(at, (x, point))| {
        let found = format!("{} of {}", point.n_found, figures.n_clusters);
        let coverage =
            Figure::new(format!("/curve/{at}/coverage"), point.coverage, percent(point.coverage));
        let n_found = Figure::new(format!("/curve/{at}/n_found"), point.n_found, found);
        let mut row = vec![Some(coverage)];
        let acc = |acc| Figure::new(format!("/curve/{at}/acc"), acc, format!("{acc:.3}"));
        if has_acc {
            row.push(point.acc.map(acc));
        }
        row.push(Some(n_found));
        (format!("{x:.0}"), row)
    });
    let names: Vec<_> = series.iter().map(|series| series.name).collect();
    let asked = asked.map(|asked| f64::from(asked.at_least(n_models)));
    Some(Lines {
        svg: chart::lines("Coverage against strictness", &axis, &series, asked),
        corner: "models",
        heads: names.iter().copied().chain(["mini-clusters"]).collect(),
        names,
        rows: rows.collect(),
    })
}

fn histogram(figures: &Figures) -> Option<String> {
    let counts = &figures.confidence_histogram;
    let some = counts.iter().any(|&count| count > 0);
    some.then(|| chart::histogram("Histogram of confidences", "confidence", counts))
}
