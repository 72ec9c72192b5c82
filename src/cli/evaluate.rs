//! `consilience evaluate`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use consilience::evaluation::{ClassScores, Scores};
use consilience_data::{Truth, read_labels};
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
    #[serde(flatten)]
    scores: &'a Scores,
    /// What the clusters are called in `found`, in the order of the table's columns.
    cluster_names: &'a [String],
}

/// Scores clusters against the truth.
pub(super) fn run(args: &EvaluateArgs) -> Result<ExitCode> {
    let (truth, found) = (read(&args.truth)?, read(&args.found)?);
    if truth.n_samples() != found.n_samples() {
        bail!(
            "{} has {}, {} has {}; give one label a sample, in the same order",
            args.truth.display(),
            plural(truth.n_samples(), "label"),
            args.found.display(),
            count(found.n_samples()),
        );
    }
    let scores = Scores::of_labels(&truth, &found)?;
    let text = if args.json {
        let (truth, cluster_names) = (&args.truth, found.names());
        let all = Evaluation { truth, found: &args.found, scores: &scores, cluster_names };
        serde_json::to_string_pretty(&all)? + "\n"
    } else {
        table(&scores, found.names())
    };
    answer(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Labels of any format, those of a run folder, or those of its `assignments.csv`.
fn read(path: &Path) -> Result<Truth> {
    if path.is_dir() {
        let assignments = path.join("assignments.npy");
        if !assignments.exists() {
            bail!(
                "{}: no run folder: it has no assignments.npy; name one that a run has written, or a file of labels",
                path.display()
            );
        }
        return Ok(read_labels(&[assignments])?);
    }
    if let Some(clusters) = column_of_clusters(path) {
        let clusters = clusters.with_context(|| format!("{}: damaged", path.display()))?;
        return Ok(Truth::from_labels(&clusters)?);
    }
    Ok(read_labels(&[PathBuf::from(path)])?)
}

/// The clusters in a CSV file that a run wrote; `None` if it is anything else.
fn column_of_clusters(path: &Path) -> Option<Result<Vec<String>, csv::Error>> {
    path.extension().filter(|extension| *extension == "csv")?;
    let mut reader = csv::Reader::from_path(path).ok()?;
    let header = reader.headers().ok()?;
    let column = header.iter().position(|name| name == "cluster").filter(|_| header.len() > 1)?;
    let cell = |row: csv::StringRecord| row.get(column).unwrap_or_default().to_owned();
    Some(reader.records().map(|row| row.map(cell)).collect())
}

fn table(scores: &Scores, clusters: &[String]) -> String {
    let mut text = format!(
        "{} in {} and {}\n\n",
        plural(usize::try_from(scores.n_samples).unwrap_or(usize::MAX), "sample"),
        plural_es(scores.n_classes, "class"),
        plural(scores.n_clusters, "cluster"),
    );
    for (name, score) in
        [("ACC", scores.acc), ("NMI", scores.nmi), ("ARI", scores.ari), ("purity", scores.purity)]
    {
        text += &format!("  {name:6}  {score:.4}\n");
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
