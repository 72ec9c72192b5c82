//! `consilience meta-test`.

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use consilience::start::read_start;
use consilience_data::Seed;
use consilience_ensembles::{FewShots, Initialisation, MetaParams, few_shot_accuracy};
use serde::Serialize;

use super::reading::ReadingArgs;
use super::style::{bold, columns, percent, plural, word};
use super::watcher::Watcher;
use super::{answer, interrupt, tasks, values};

#[derive(Debug, Args)]
pub(super) struct MetaTestArgs {
    /// What networks start from: a file of meta-train, or an earlier run
    start: PathBuf,
    /// Labelled data: as for meta-train, but others
    #[arg(required = true, value_name = "TASK")]
    tasks: Vec<String>,
    /// Labelled samples of each class, one number or several
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1, 5, 10].map(|n| NonZero::new(n).expect("above 0")))]
    shots: Vec<NonZero<usize>>,
    /// Classes of an episode, at most
    #[arg(long, value_name = "N", default_value = "3")]
    ways: NonZero<usize>,
    /// Steps from the start
    #[arg(long, value_name = "N", default_value = "10")]
    steps: NonZero<usize>,
    /// Rate of these steps [default: that by which the start was learnt, else that of meta-train]
    #[arg(long, value_name = "R")]
    rate: Option<f64>,
    /// Rate of the steps from a random start [default: that of the others]
    #[arg(long, value_name = "R")]
    random_rate: Option<f64>,
    /// Samples of each class that accuracy is measured on, at most
    #[arg(long, value_name = "N", default_value = "15")]
    queries: NonZero<usize>,
    /// Number of episodes
    #[arg(long, value_name = "N", default_value = "200")]
    episodes: NonZero<usize>,
    /// Seed of the episodes
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Threads to work on, which don't change the results [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    threads: Option<usize>,
    #[command(flatten, next_help_heading = "How data is read")]
    reading: ReadingArgs,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Accuracy over the same episodes.
#[derive(Serialize)]
struct Line {
    shots: usize,
    random: Accuracy,
    start: Accuracy,
    /// By how much the start is ahead, episode by episode.
    gain: Accuracy,
}

/// A mean, and half the width of its 95 % interval.
#[derive(Serialize)]
struct Accuracy {
    mean: f64,
    interval: f64,
}

/// Measures accuracy from few labels.
pub(super) fn run(args: &MetaTestArgs) -> Result<ExitCode> {
    let start = read_start(&args.start)?;
    let watcher = Watcher::new(true);
    for rate in [args.rate, args.random_rate].into_iter().flatten() {
        if !(rate.is_finite() && rate > 0.0) {
            bail!("--rate {rate}: give a number above 0");
        }
    }
    let (options, scaling) = (args.reading.options(), Some(start.scaling()));
    let tasks = tasks::read(&args.tasks, &options, "auto", scaling, &watcher)?;
    for task in &tasks {
        let (found, expected) = (task.n_features(), start.n_features());
        if found != expected {
            bail!(
                "{}: {}, and {} is for {expected}",
                task.name(),
                plural(found, "feature"),
                word(&args.start)
            );
        }
    }
    let params = MetaParams {
        hidden: start.widths(),
        seed: Seed(args.seed),
        ..start.how().map_or_else(MetaParams::default, |learnt| learnt.params.clone())
    };
    let random = Initialisation::random(start.n_features(), start.scaling(), &params);
    let rate = args.rate.unwrap_or(params.inner_rate);
    let threads = args.threads.unwrap_or_else(values::cores);
    let mut lines = Vec::new();
    for shots in args.shots.iter().map(|shots| shots.get()) {
        let of = |start: &Initialisation, rate: f64| {
            let few = FewShots {
                ways: args.ways.get(),
                shots,
                queries: args.queries.get(),
                steps: args.steps.get(),
                rate,
                episodes: args.episodes.get(),
                seed: Seed(args.seed),
            };
            few_shot_accuracy(start, &tasks, &few, threads, &watcher)
        };
        let (random, found) = (of(&random, args.random_rate.unwrap_or(rate))?, of(&start, rate)?);
        let gain: Vec<f64> =
            found.iter().zip(&random).map(|(found, random)| found - random).collect();
        let [random, start, gain] = [&random, &found, &gain].map(|values| Accuracy::of(values));
        lines.push(Line { shots, random, start, gain });
    }
    interrupt::go_on()?;
    let text = match args.json {
        true => serde_json::to_string_pretty(&lines)? + "\n",
        false => text(args, &lines),
    };
    answer(&text)?;
    Ok(ExitCode::SUCCESS)
}

impl Accuracy {
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let variance = if values.len() > 1 { squares / (n - 1.0) } else { 0.0 };
        Self { mean, interval: 1.96 * (variance / n).sqrt() }
    }

    fn text(&self) -> String {
        format!("{} +- {:.1}", percent(self.mean), 100.0 * self.interval)
    }
}

fn text(args: &MetaTestArgs, lines: &[Line]) -> String {
    let title = format!(
        "Accuracy after {} from labels of each of at most {}, {}",
        plural(args.steps.get(), "step"),
        plural(args.ways.get(), "class"),
        plural(args.episodes.get(), "episode")
    );
    let start = word(&args.start);
    let header = ["labels", "random start", &start, "gain"];
    let row = |line: &Line| {
        let cells = [&line.random, &line.start, &line.gain].map(Accuracy::text);
        std::iter::once(line.shots.to_string()).chain(cells).collect()
    };
    format!("{}\n\n{}", bold(&title), columns(&header, lines.iter().map(row)))
}
