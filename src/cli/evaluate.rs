//! `consilience evaluate`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use consilience::evaluation::{ClassScores, CoveredScores, Scores};
use consilience::run_folder;
use consilience_data::{
    LabelsAs, Paired, PairedBy, ReadOptions, read_sample_labels, recipe_of_run,
};
use serde::Serialize;

use super::style::{count, plural};
use super::{EvaluateArgs, answer};

/// Classes that are shown: more can't be read.
const MOST_CLASSES: usize = 20;

/// Everything there is to say, for `--json`.
#[derive(Serialize)]
struct Evaluation<'a> {
    truth: &'a Path,
    found: &'a Path,
    /// How samples of the two were paired.
    paired_by: PairedBy,
    #[serde(flatten)]
    scores: &'a Scores,
    /// What the clusters are called in `found`, in the order of the table's columns.
    cluster_names: &'a [String],
    /// Number of samples without a cluster.
    n_without_cluster: u64,
    /// Scores of those that have one; `null` if all have.
    covered: Option<&'a CoveredScores>,
}

/// Scores clusters against the truth.
pub(super) fn run(args: &EvaluateArgs) -> Result<ExitCode> {
    run_folder::verify_found(&args.found)?;
    let mut options = args.reading.options();
    let recipe = recipe_of_run(&args.found);
    options.ids_of_data = recipe.and_then(|recipe| recipe.for_labels().id_column);
    let read = |path: &Path, options: &ReadOptions, purpose, lenient| {
        read_sample_labels(&[path.into()], options, purpose, lenient)
    };
    let truth = read(&args.truth, &options, LabelsAs::Truth, false)?;
    // Columns of the truth needn't be in the other file; its own has a flag of its own.
    let named = args.cluster_column.is_some();
    let label_column = args.cluster_column.clone();
    let mut of_found = ReadOptions { label_column, ids_of_data: None, ..options };
    // A number is that of a column of the truth.
    let is_name = |name: &String| name.parse::<i64>().is_err();
    of_found.ignored_columns.retain(is_name);
    of_found.id_column = of_found.id_column.filter(is_name);
    let found = read(&args.found, &of_found, LabelsAs::Found, !named)?;
    let Paired { truth, found, by, .. } = truth.pair(&found)?;
    let scores = Scores::of_labels(&truth, &found)?;
    let covered = CoveredScores::of_labels(&truth, &found)?;
    let text = if args.json {
        let all = Evaluation {
            truth: &args.truth,
            found: &args.found,
            paired_by: by,
            scores: &scores,
            cluster_names: found.names(),
            n_without_cluster: scores.n_samples
                - covered.as_ref().map_or(scores.n_samples, |covered| covered.n_samples),
            covered: covered.as_ref(),
        };
        serde_json::to_string_pretty(&all)? + "\n"
    } else {
        table(&scores, covered.as_ref(), found.names(), by)
    };
    answer(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn table(
    scores: &Scores,
    covered: Option<&CoveredScores>,
    clusters: &[String],
    by: PairedBy,
) -> String {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let paired = match by {
        PairedBy::Ids => ", paired by ids",
        PairedBy::Rows => ", paired by numbers of rows",
        PairedBy::OrderAndIdsOfOne => ", paired row by row, as only one of the files has ids",
        _ => "",
    };
    let mut text = format!(
        "{} in {} and {}{paired}\n",
        plural(number(scores.n_samples), "sample"),
        plural_es(scores.n_classes, "class"),
        plural(scores.n_clusters, "cluster"),
    );
    if let Some(covered) = covered {
        let without = number(scores.n_samples - covered.n_samples);
        let without = plural(without, "sample");
        text += &format!(
            "{without} without a cluster; right: scores of the other {}\n",
            count(number(covered.n_samples)),
        );
    }
    text.push('\n');
    let of = |covered: &CoveredScores| [covered.acc, covered.nmi, covered.ari, covered.purity];
    let all = [scores.acc, scores.nmi, scores.ari, scores.purity];
    for (score, name) in ["ACC", "NMI", "ARI", "purity"].into_iter().enumerate() {
        let beside = covered.map(|covered| format!("  {:.4}", of(covered)[score]));
        text += &format!("  {name:6}  {:.4}{}\n", all[score], beside.unwrap_or_default());
    }
    let mut classes: Vec<&ClassScores> = scores.per_class.iter().collect();
    if classes.len() > MOST_CLASSES {
        // Stable: ties in the order of classes.
        classes.sort_by(|a, b| a.recall.total_cmp(&b.recall));
        classes.truncate(MOST_CLASSES);
        text += &format!(
            "\n{MOST_CLASSES} of {}, those with the lowest recall (--json has all):\n",
            plural_es(scores.per_class.len(), "class"),
        );
    }
    let cells = classes.into_iter().map(|class| {
        let cluster = class.cluster.map_or("-", |cluster| &clusters[cluster]);
        [
            class.class.clone(),
            class.size.to_string(),
            cluster.into(),
            format!("{:.4}", class.precision),
            format!("{:.4}", class.recall),
        ]
    });
    let header = ["class", "size", "cluster", "precision", "recall"].map(String::from);
    let rows: Vec<_> = std::iter::once(header).chain(cells).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..5).map(|column| width(column).unwrap_or(0)).collect();
    text.push('\n');
    for row in &rows {
        let first = format!("  {:width$}", row[0], width = widths[0]);
        let rest = row.iter().zip(&widths).skip(1);
        text += &first;
        text += &rest.map(|(cell, width)| format!("  {cell:>width$}")).collect::<String>();
        text.push('\n');
    }
    text
}

fn plural_es(number: usize, noun: &str) -> String {
    if number == 1 { plural(1, noun) } else { plural(number, &format!("{noun}e")) }
}
