//! `consilience suggest`.

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use consilience::export::LabelNames;
use consilience::run_folder::{GivenLabel, RunFolder, read_class_names, read_given};
use consilience::suggest::{Suggestion, suggest};
use serde::Serialize;

use super::look::Look;
use super::style::{bold, plural, word};
use super::watcher::Watcher;
use super::{answer, interrupt, reading, values};

#[derive(Debug, Args)]
pub(super) struct SuggestArgs {
    /// The run folder that cluster or train has written
    run: PathBuf,
    /// The data of the run [default: the files that it names]
    data: Vec<PathBuf>,
    /// Number of samples
    #[arg(short = 'n', long, value_name = "N", default_value = "20")]
    count: NonZero<usize>,
    /// File to write, which has to be new [default: <run>-suggested.csv]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Threads to work on, which don't change the results [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    threads: Option<usize>,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

/// A line of the file: what `train --labels-partial` reads, once the label is filled in.
#[derive(Serialize)]
struct Line {
    sample: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    label: String,
    /// What the run takes it for.
    taken_for: String,
    confidence: f32,
}

/// Names the samples whose labels would tell most, as a table to fill in.
pub(super) fn run(args: &SuggestArgs) -> Result<ExitCode> {
    let run = RunFolder::open(&args.run)?;
    reading::tell_appended(&run, args.quiet);
    let out = args.out.clone().unwrap_or_else(|| default_out(&args.run));
    if out.symlink_metadata().is_ok() {
        bail!("{}: exists already; name another with --out, or remove it", out.display());
    }
    if run.metrics["n_features"].is_null() {
        bail!(
            "{}: its votes were given, so nothing is known of which samples are alike",
            run.path.display()
        );
    }
    let look = Look::new("{spinner} {msg}", args.quiet);
    look.mention("reading data");
    let recorded: Vec<PathBuf> = run.source.data.iter().map(PathBuf::from).collect();
    let paths = if args.data.is_empty() { &recorded } else { &args.data };
    let data = reading::again(&run, paths).with_context(|| {
        format!("{}: its data can't be read; name the data after the run", run.path.display())
    })?;
    look.finish();
    let data = run.own(data, None)?;
    let given = read_given(&run)?;
    let names = LabelNames::with_classes(run.n_clusters(), &[], &read_class_names(&run.path)?)?;
    let labelled: Vec<usize> = given.iter().map(|label| label.sample.index()).collect();
    let watcher = Watcher::new(args.quiet);
    let threads = args.threads.unwrap_or_else(values::cores);
    let found = suggest(&run, &data.features, &labelled, args.count.get(), threads, &watcher)?;
    watcher.finish();
    interrupt::go_on()?;
    if found.is_empty() {
        bail!("{}: every sample is like one that has a label", run.path.display());
    }
    write(&run, &found, &given, &names, &out)?;
    let n = found.len();
    let few = match n < args.count.get() {
        true => "; all others are like these, or like samples with a label",
        false => "",
    };
    let known = match given.len() {
        0 => String::new(),
        n => format!(" Below them are the {} that the run was given.", plural(n, "label")),
    };
    // What was a column of labels would be a feature else.
    let column = run.source.labels_partial.as_deref().and_then(|it| it.strip_prefix("column:"));
    let ignored =
        column.map_or_else(String::new, |name| format!(" --ignore-column {}", word(name.as_ref())));
    answer(&format!(
        "{} to label{few}.{known}\nFill in the column label of {}, then\n\n  consilience train {} --labels-partial {}{ignored}\n",
        bold(&plural(n, "sample")),
        word(&out),
        paths.iter().map(|path| word(path).to_string()).collect::<Vec<_>>().join(" "),
        word(&out),
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn default_out(run: &std::path::Path) -> PathBuf {
    let whole = run.canonicalize().unwrap_or_else(|_| run.to_path_buf());
    let name = whole.file_name().map_or("run".into(), |name| name.to_string_lossy());
    format!("{name}-suggested.csv").into()
}

fn write(
    run: &RunFolder,
    found: &[Suggestion],
    given: &[GivenLabel],
    names: &LabelNames,
    out: &std::path::Path,
) -> Result<()> {
    let line = |sample: usize, label: String| {
        let cluster = run.clusters[sample];
        Line {
            sample: run.rows.as_ref().map_or(sample, |rows| rows[sample]),
            id: run.ids.as_ref().map(|ids| ids[sample].clone()),
            label,
            taken_for: cluster.map_or_else(String::new, |id| names.of(id).into()),
            confidence: run.confidences[sample],
        }
    };
    let mut text = csv::Writer::from_writer(Vec::new());
    for suggestion in found {
        text.serialize(line(suggestion.sample.index(), String::new()))?;
    }
    for label in given {
        text.serialize(line(label.sample.index(), label.name.clone()))?;
    }
    Ok(consilience::output::replace(out, &text.into_inner()?)?)
}
