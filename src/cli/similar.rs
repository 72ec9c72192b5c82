//! `consilience similar`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use consilience::similar::{Ranked, earlier, rank};
use consilience_data::read_dataset_with;
use serde::Serialize;

use super::reading::ReadingArgs;
use super::style::{columns, count, plural, word};
use super::watcher::Watcher;
use super::{answer, interrupt};

#[derive(Debug, Args)]
pub(super) struct SimilarArgs {
    /// The data, as for cluster
    data: PathBuf,
    /// Earlier runs, and files of meta-train
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    #[command(flatten, next_help_heading = "How data is read")]
    reading: ReadingArgs,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// An earlier data set, for `--json`.
#[derive(Serialize)]
struct Line {
    path: PathBuf,
    /// Which task of a file of `meta-train`.
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    /// The maximum mean discrepancy.
    distance: f64,
    n_samples: usize,
}

/// Ranks earlier runs.
pub(super) fn run(args: &SimilarArgs) -> Result<ExitCode> {
    let mut known = Vec::new();
    for path in &args.runs {
        known.extend(earlier(path)?);
    }
    let data = read_dataset_with(std::slice::from_ref(&args.data), &[], &args.reading.options())?;
    let (ranked, others) = rank(&data.features, known, &Watcher::new(true))?;
    interrupt::go_on()?;
    if let Some(other) = others.first() {
        let theirs = plural(other.sketch.n_features(), "feature");
        bail!(
            "{}: its data have {theirs}, and {} has {}; leave it out",
            word(&other.path),
            data.name,
            data.features.n_features()
        );
    }
    let lines: Vec<Line> = ranked.into_iter().map(Line::of).collect();
    let text = match args.json {
        true => serde_json::to_string_pretty(&lines)? + "\n",
        false => columns(&["distance", "samples", "earlier data"], lines.iter().map(Line::cells)),
    };
    answer(&text)?;
    Ok(ExitCode::SUCCESS)
}

impl Line {
    fn of(found: Ranked) -> Self {
        let Ranked { earlier, distance } = found;
        let n_samples = earlier.sketch.n_samples();
        Self { path: earlier.path, task: earlier.task, distance, n_samples }
    }

    fn cells(&self) -> Vec<String> {
        let task = self.task.as_ref().map_or_else(String::new, |task| format!(", {task}"));
        let name = format!("{}{task}", word(&self.path));
        vec![format!("{:.3}", self.distance), count(self.n_samples), name]
    }
}
