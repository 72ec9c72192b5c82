//! The command line: what can be typed, and how the program answers.
//!
//! Results go to standard output, progress and errors to standard error. Exit codes: 0 done; 1 done, but fewer
//! mini-clusters than clusters in the final set; 2 error, told in one line.

mod cluster;
mod completions;
mod evaluate;
mod examples;
mod export;
mod info;
mod interrupt;
mod k_range;
mod left;
mod look;
mod predict;
mod predictions;
mod pseudo_label;
mod reading;
mod report;
mod settings;
mod summary;
mod text;
mod watcher;

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use consilience::labelling::Labelling;
use consilience_ensembles::{Device, EngineChoice, MemberKind};
use consilience_graph::Strictness;

use self::k_range::KRange;
use self::reading::ReadingArgs;

/// Clusters unlabelled data with an ensemble that votes, and keeps the labels on which it agrees.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100, after_help = examples::PROGRAM)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Cluster data, and write clusters, pseudo-labels and models to a run folder
    #[command(after_help = examples::CLUSTER)]
    Cluster(Box<ClusterArgs>),
    /// Pseudo-labels and a consensus from the votes of any clusterers, without training
    #[command(after_help = examples::PSEUDO_LABEL)]
    PseudoLabel(PseudoLabelArgs),
    /// Write a run's report.html anew, or for a run that has none
    #[command(after_help = examples::REPORT)]
    Report(ReportArgs),
    /// Clusters and confidences for new samples, by the models of a run
    #[command(after_help = examples::PREDICT)]
    Predict(PredictArgs),
    /// Write a run's pseudo-labels for other tools, with features if asked for
    #[command(after_help = examples::EXPORT)]
    Export(export::ExportArgs),
    /// Score clusters against the truth
    #[command(after_help = examples::EVALUATE)]
    Evaluate(EvaluateArgs),
    /// Look into data files
    #[command(subcommand)]
    Data(DataCommand),
    /// Print a script that completes command lines in a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write those of all commands
    #[command(after_help = examples::MAN)]
    Man(completions::ManArgs),
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// Say what files were understood to be, and what is in them
    #[command(after_help = examples::INFO)]
    Info(InfoArgs),
}

#[derive(Debug, Args)]
struct ClusterArgs {
    /// Files to be stacked (.npy, .npz, IDX, .csv, .tsv, .parquet, .arrow, .feather, .jsonl, HDF5 as file.h5:/dataset), images
    /// (a folder or .zip of .png and .jpg), texts (a folder of .txt, or a line each), or the embedded set `digits`
    #[arg(required = true)]
    data: Vec<PathBuf>,
    /// Number of clusters; may be left out if the data or the settings say it
    #[arg(short = 'k', value_name = "K")]
    clusters: Option<usize>,
    /// Help to choose K: what each from A to B, both included, gives in a run of one round. Writes nothing
    #[arg(long, value_name = "A..B", conflicts_with_all = ["clusters", "labels", "out"])]
    k_range: Option<KRange>,
    /// The true labels, for scores only: they are never trained on
    #[arg(long, value_name = "FILE", num_args = 1..)]
    labels: Vec<PathBuf>,
    /// Folder for the results, which has to be new or empty [default: runs/<data>-<n>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Seed of all randomness; the same seed gives the same bytes [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,
    /// Settings to start from: auto (by a look at the data), image, text, embedding, tabular, or paper (the authors' own)
    #[arg(long, value_name = "NAME", default_value = "auto")]
    preset: String,
    /// Settings in TOML that replace the preset's, such as another run's config.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Number of models
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u16).range(1..))]
    models: Option<u16>,
    /// Rounds at most
    #[arg(long, value_name = "R")]
    rounds: Option<usize>,
    /// Kind of all models: ladder, vat-im or k-means
    #[arg(long, value_name = "KIND", value_parser = settings::member_kind)]
    member: Option<MemberKind>,
    /// What pseudo-labels come from: agreement, or, to compare with, clusters or confidence (of the first model alone) or
    /// over-clusters (the largest of another model's 5 K) [default: agreement]
    #[arg(long, value_name = "HOW", value_parser = settings::labelling)]
    labelling: Option<Labelling>,
    /// Where to train: cpu, cuda, or cuda:1 for the second GPU
    #[arg(long, default_value = "cpu")]
    device: Device,
    /// What trains networks: fast (steps written out by hand, on the CPU), candle (candle's operations and gradients: every loss,
    /// on the CPU or a GPU), or auto (fast where it can) [default: auto]
    #[arg(long, value_name = "ENGINE", value_parser = settings::engine)]
    engine: Option<EngineChoice>,
    /// On a GPU, do what can be done by CUDA kernels of our own, which are compiled at the start
    #[arg(long)]
    kernels: bool,
    /// Models that a GPU trains at once at most: fewer take less of its memory [default: all]
    #[arg(long, value_name = "M")]
    stack: Option<NonZero<usize>>,
    /// Threads to work on, which don't change the results [default: all cores]
    #[arg(long, value_name = "N", value_parser = settings::threads)]
    threads: Option<usize>,
    /// Say at the end where the time went
    #[arg(long)]
    profile: bool,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    agreement: AgreementArgs,
    #[command(flatten)]
    told: ToldArgs,
}

#[derive(Debug, Args)]
struct PseudoLabelArgs {
    /// Files of cluster ids, stacked by model: .npy, .npz, HDF5 and IDX of shape (models, samples); CSV with a sample
    /// a row and a model a column; one model a file; or run folders. -1 or nothing: no vote
    #[arg(required = true)]
    votes: Vec<PathBuf>,
    /// Number of clusters to look for, whatever the numbers of the models
    #[arg(short = 'k', value_name = "K")]
    clusters: Option<usize>,
    /// Help to choose K: what each from A to B, both included, would give. Writes nothing
    #[arg(long, value_name = "A..B", conflicts_with_all = ["clusters", "labels", "out", "no_curve"])]
    k_range: Option<KRange>,
    /// The true labels, for scores only
    #[arg(long, value_name = "FILE", num_args = 1..)]
    labels: Vec<PathBuf>,
    /// Folder for the results, which has to be new or empty [default: runs/<votes>-<n>]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Settings in TOML that replace the default ones, such as another run's config.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Number of samples, for votes of more models than samples, which would be taken as transposed (--labels tells, too)
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// Leave out the curve of coverage against strictness, which can take minutes for millions of samples
    #[arg(long)]
    no_curve: bool,
    /// Threads to work on, which don't change the results [default: all cores]
    #[arg(long, value_name = "N", value_parser = settings::threads)]
    threads: Option<usize>,
    #[command(flatten)]
    agreement: AgreementArgs,
    #[command(flatten)]
    told: ToldArgs,
}

/// Flags for the agreement graph.
#[derive(Debug, Args)]
struct AgreementArgs {
    /// Models that have to put two samples together to join them: a number, or a share such as 90%
    #[arg(long, value_name = "A")]
    min_agree: Option<Strictness>,
    /// Models that may put two samples together and still keep them apart: a number, or a share
    #[arg(long, value_name = "B")]
    max_agree: Option<Strictness>,
    /// Models that have to have voted on both of two samples for these to be compared: a number, or a share of all
    #[arg(long, value_name = "N")]
    min_common: Option<Strictness>,
    /// Confidence that every model has to exceed for a sample to be labelled, 0 to 1
    #[arg(long, value_name = "C")]
    min_confidence: Option<f32>,
}

/// Flags for what is told, and how.
#[derive(Debug, Args)]
struct ToldArgs {
    /// Print metrics.json instead of the summary
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Debug, Args)]
struct PredictArgs {
    /// A run folder that `cluster` has written
    run: PathBuf,
    /// Files to be stacked, of any size, with as many features as the run's data
    #[arg(required = true)]
    data: Vec<PathBuf>,
    /// File for the clusters, which has to be new: .csv, .npy (the clusters alone), or - for standard output
    /// [default: <data>-clusters.csv]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Confidence below which a sample is left without a cluster, 0 to 1
    #[arg(long, value_name = "C", value_parser = settings::share)]
    min_confidence: Option<f32>,
    /// The true labels, for scores only
    #[arg(long, value_name = "FILE", num_args = 1..)]
    labels: Vec<PathBuf>,
    /// Threads to work on, which don't change the results [default: all cores]
    #[arg(long, value_name = "N", value_parser = settings::threads)]
    threads: Option<usize>,
    /// Print a summary as JSON
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Debug, Args)]
struct EvaluateArgs {
    /// True classes: labels in any format, or data with labels beside them
    truth: PathBuf,
    /// Clusters found: labels in any format, a run folder, or its assignments.csv
    found: PathBuf,
    /// Print all scores as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ReportArgs {
    /// A run folder
    run: PathBuf,
    /// What was clustered [default: the files that the run names]
    data: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct InfoArgs {
    /// Files to be stacked, folders of images or texts, or an embedded set
    #[arg(required = true)]
    data: Vec<PathBuf>,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Does what the command line says.
pub(crate) fn main() -> ExitCode {
    let cli = match parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return refuse(&usage(&error)),
        // Help, or the version, was asked for.
        Err(told) => told.exit(),
    };
    let done = match cli.command {
        Command::Cluster(args) => cluster::run(&args),
        Command::PseudoLabel(args) => pseudo_label::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Data(DataCommand::Info(args)) => info::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => completions::man(&args),
    };
    done.unwrap_or_else(|error| refuse(&one_line(&error)))
}

/// Parses a command line. A missing command is an error as any other, where clap would give help.
fn parse(line: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> clap::error::Result<Cli> {
    let plain = |command: clap::Command| command.arg_required_else_help(false);
    let command = plain(Cli::command()).mut_subcommand("data", plain);
    Cli::from_arg_matches(&command.try_get_matches_from(line)?)
}

fn refuse(problem: &str) -> ExitCode {
    // If not even this can be written, the exit code has to do.
    let _ = writeln!(anstream::stderr(), "{} {problem}", text::error("error:"));
    ExitCode::from(2)
}

/// What is wrong with a command line, in one line: what the parser says up to its first empty line, and its tips.
fn usage(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let problem = lines.iter().take_while(|line| !line.is_empty()).copied().collect::<Vec<_>>();
    let problem = problem.join(" ");
    // Clap takes a negative number for a flag; how to pass one as a file is no help.
    let is_help = |line: &&&str| line.starts_with("tip:") && !line.contains("to pass '-");
    let tips = lines.iter().filter(is_help);
    let tips: String = tips.map(|tip| format!("; {}", &tip["tip:".len()..].trim())).collect();
    let problem = problem.strip_prefix("error: ").unwrap_or(&problem);
    format!("{problem}{tips}; 'consilience help' tells what can be given")
}

/// An error and its causes in one line, none of them told twice.
fn one_line(error: &anyhow::Error) -> String {
    let mut told: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        if !told.iter().any(|before| before.contains(&cause)) {
            told.push(cause);
        }
    }
    let lines = told.join(": ");
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Writes results to standard output, styled if a terminal shows them and `NO_COLOR` isn't set.
fn answer(text: &str) -> anyhow::Result<()> {
    write_out(&mut anstream::stdout().lock(), text.as_bytes())
}

/// Writes bytes to standard output as they are.
fn answer_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    write_out(&mut io::stdout().lock(), bytes)
}

/// Whoever reads may stop at any time.
fn write_out(out: &mut dyn Write, bytes: &[u8]) -> anyhow::Result<()> {
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("standard output can't be written"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn examples_are_command_lines() {
        let mut command = Cli::command();
        command.build();
        let mut texts = Vec::new();
        collect_examples(&command, &mut texts);
        let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).collect();
        let ours = lines.iter().filter_map(|line| line.trim().strip_prefix("consilience "));
        let ours: Vec<&str> = ours.collect();
        assert!(ours.len() > 15, "{ours:?}");
        for line in ours {
            // Up to what the shell does with the rest.
            let typed = line.split_whitespace().take_while(|word| !["|", ">"].contains(word));
            let words = std::iter::once("consilience").chain(typed);
            let parsed = parse(words);
            assert!(parsed.is_ok(), "{line}: {}", usage(&parsed.unwrap_err()));
        }
    }

    fn collect_examples(command: &clap::Command, texts: &mut Vec<String>) {
        texts.extend(command.get_after_help().map(ToString::to_string));
        command.get_subcommands().for_each(|command| collect_examples(command, texts));
    }

    #[test]
    fn wrong_command_lines_are_told_in_one_line() {
        for (line, part) in [
            ("pseudo-label v.npy --min-agree 150%", "invalid value '150%' for '--min-agree <A>'"),
            ("cluster x.npy -k ten", "invalid value 'ten'"),
            ("cluster", "<DATA>..."),
            ("data", "'consilience data' requires a subcommand but one was not provided"),
            ("clutser x.npy", "unrecognized subcommand 'clutser'; "),
            ("pseudo-label v.npy -k 2 --k-range 2..5", "cannot be used with"),
        ] {
            let words = std::iter::once("consilience").chain(line.split(' '));
            let told = usage(&parse(words).unwrap_err());
            assert!(told.contains(part) && told.lines().count() == 1, "{told}");
        }
    }

    #[test]
    fn causes_are_told_once_and_in_one_line() {
        let error = anyhow::anyhow!("disk full").context("x: disk full").context("can't\n  write");
        assert_eq!(one_line(&error), "can't write: x: disk full");
    }
}
