//! What can be typed.

use std::num::NonZero;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use consilience::labelling::Labelling;
use consilience_ensembles::{Device, MemberKind};
use consilience_graph::Strictness;

use super::k_range::KRange;
use super::reading::ReadingArgs;
use super::{examples, export, values};

/// Clusters unlabelled data with an ensemble that votes, and keeps the labels on which it agrees.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100, after_help = examples::PROGRAM)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
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
    Completions(CompletionsArgs),
    /// Print the manual page, or write those of all commands
    #[command(after_help = examples::MAN)]
    Man(ManArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// Say what files were understood to be, and what is in them
    #[command(after_help = examples::INFO)]
    Info(InfoArgs),
}

#[derive(Debug, Args)]
pub(super) struct ClusterArgs {
    /// Files to be stacked (.npy, .npz, IDX, .csv, .tsv, .parquet, .arrow, .feather, .jsonl, HDF5 as file.h5:/dataset), images
    /// (a folder or .zip of .png and .jpg), texts (a folder of .txt, or a line each), or the embedded set `digits`
    #[arg(required = true)]
    pub(super) data: Vec<PathBuf>,
    /// Number of clusters; may be left out if the data or the settings say it
    #[arg(short = 'k', value_name = "K")]
    pub(super) clusters: Option<usize>,
    /// Help to choose K: what each from A to B, both included, gives in a run of one round. Writes nothing
    #[arg(long, value_name = "A..B", conflicts_with_all = ["clusters", "labels", "out", "no_curve"])]
    pub(super) k_range: Option<KRange>,
    /// The true labels, for scores only: they are never trained on
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(super) labels: Vec<PathBuf>,
    /// Folder for the results, which has to be new or empty [default: runs/<data>-<n>]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Seed of all randomness; the same seed gives the same bytes [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(super) seed: Option<u64>,
    /// Settings to start from: auto (by a look at the data), image, text, embedding, tabular, or paper (the authors' own)
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub(super) preset: String,
    /// Settings in TOML that replace the preset's, such as another run's config.toml
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Number of models
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) models: Option<u16>,
    /// Rounds at most
    #[arg(long, value_name = "R")]
    pub(super) rounds: Option<usize>,
    /// Kind of all models: ladder, vat-im or k-means
    #[arg(long, value_name = "KIND", value_parser = values::member_kind)]
    pub(super) member: Option<MemberKind>,
    /// What pseudo-labels come from: agreement, or, to compare with, clusters or confidence (of the first model alone) or
    /// over-clusters (the largest of another model's 5 K) [default: agreement]
    #[arg(long, value_name = "HOW", value_parser = values::labelling)]
    pub(super) labelling: Option<Labelling>,
    /// Where to train: cpu, cuda, or cuda:1 for the second GPU
    #[arg(long, default_value = "cpu")]
    pub(super) device: Device,
    /// Models that a GPU trains at once at most: fewer take less of its memory [default: all]
    #[arg(long, value_name = "M")]
    pub(super) stack: Option<NonZero<usize>>,
    /// Threads to work on, which don't change the results [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    pub(super) threads: Option<usize>,
    /// Leave out the curve of coverage against strictness
    #[arg(long)]
    pub(super) no_curve: bool,
    /// Say at the end where the time went
    #[arg(long)]
    pub(super) profile: bool,
    #[command(flatten)]
    pub(super) reading: ReadingArgs,
    #[command(flatten)]
    pub(super) agreement: AgreementArgs,
    #[command(flatten)]
    pub(super) told: ToldArgs,
}

#[derive(Debug, Args)]
pub(super) struct PseudoLabelArgs {
    /// Files of cluster ids, stacked by model: .npy, .npz, HDF5 and IDX of shape (models, samples); CSV with a sample
    /// a row and a model a column, so Parquet, Arrow and JSON Lines; one model a file; or run folders. -1 or nothing: no vote.
    /// Columns called like ids and labels are no votes
    #[arg(required = true)]
    pub(super) votes: Vec<PathBuf>,
    /// Number of clusters to look for, whatever the numbers of the models
    #[arg(short = 'k', value_name = "K")]
    pub(super) clusters: Option<usize>,
    /// Help to choose K: what each from A to B, both included, would give. Writes nothing
    #[arg(long, value_name = "A..B", conflicts_with_all = ["clusters", "labels", "out", "no_curve", "graph"])]
    pub(super) k_range: Option<KRange>,
    /// The true labels, for scores only
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(super) labels: Vec<PathBuf>,
    /// Folder for the results, which has to be new or empty [default: runs/<votes>-<n>]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Settings in TOML that replace the default ones, such as another run's config.toml
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Number of samples, for votes of more models than samples, which would be taken as transposed (--labels tells, too)
    #[arg(long, value_name = "N")]
    pub(super) samples: Option<usize>,
    /// Write the agreement graph of the signatures (samples on which all models say the same), too: .graphml, for Gephi or
    /// Cytoscape, or .dot, for Graphviz
    #[arg(long, value_name = "FILE")]
    pub(super) graph: Option<PathBuf>,
    /// Leave out the curve of coverage against strictness, which otherwise may take a tenth of the time
    #[arg(long)]
    pub(super) no_curve: bool,
    /// Threads to work on, which don't change the results [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    pub(super) threads: Option<usize>,
    #[command(flatten)]
    pub(super) reading: ReadingArgs,
    #[command(flatten)]
    pub(super) agreement: AgreementArgs,
    #[command(flatten)]
    pub(super) told: ToldArgs,
}

/// Flags for the agreement graph.
#[derive(Debug, Args)]
pub(super) struct AgreementArgs {
    /// Models that have to put two samples together to join them: a number, or a share such as 90%
    #[arg(long, value_name = "A")]
    pub(super) min_agree: Option<Strictness>,
    /// Models that may put two samples together and still keep them apart: a number, or a share
    #[arg(long, value_name = "B")]
    pub(super) max_agree: Option<Strictness>,
    /// Models that have to have voted on both of two samples for these to be compared: a number, or a share of all
    #[arg(long, value_name = "N")]
    pub(super) min_common: Option<Strictness>,
    /// Confidence that every model has to exceed for a sample to be labelled, 0 to 1
    #[arg(long, value_name = "C")]
    pub(super) min_confidence: Option<f32>,
}

/// Flags for what is told, and how.
#[derive(Debug, Args)]
pub(super) struct ToldArgs {
    /// Print metrics.json instead of the summary
    #[arg(long)]
    pub(super) json: bool,
    /// Show no progress
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct PredictArgs {
    /// A run folder that `cluster` has written
    pub(super) run: PathBuf,
    /// Files to be stacked, of any size, with as many features as the run's data
    #[arg(required = true)]
    pub(super) data: Vec<PathBuf>,
    /// File for the clusters, which has to be new: .csv, .npy (the clusters alone), or - for standard output
    /// [default: <data>-clusters.csv]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Confidence below which a sample is left without a cluster, 0 to 1
    #[arg(long, value_name = "C", value_parser = values::share)]
    pub(super) min_confidence: Option<f32>,
    /// The true labels, for scores only
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(super) labels: Vec<PathBuf>,
    /// Threads to work on, which don't change the results [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    pub(super) threads: Option<usize>,
    /// Print a summary as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Show no progress
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct EvaluateArgs {
    /// True classes: labels in any format, or data with labels beside them
    pub(super) truth: PathBuf,
    /// Clusters found: labels in any format, a run folder, or one of its files. -1 or nothing: no cluster
    pub(super) found: PathBuf,
    /// Column of FOUND with the clusters [default: one called cluster, label... if there is one]. Other flags are about
    /// TRUTH, and FOUND where it has such columns
    #[arg(long, value_name = "NAME")]
    pub(super) cluster_column: Option<String>,
    #[command(flatten)]
    pub(super) reading: ReadingArgs,
    /// Print all scores as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// A run folder
    pub(super) run: PathBuf,
    /// What was clustered [default: the files that the run names]
    pub(super) data: Vec<PathBuf>,
    /// Take data whose values have changed since
    #[arg(long)]
    pub(super) data_changed: bool,
}

#[derive(Debug, Args)]
pub(super) struct InfoArgs {
    /// Files to be stacked, folders of images or texts, or an embedded set
    #[arg(required = true)]
    pub(super) data: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) reading: ReadingArgs,
    /// Print as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell that is to complete command lines
    #[arg(hide_possible_values = false)]
    pub(super) shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write a page for each command into this folder, in place of printing the first page
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}
