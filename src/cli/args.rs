//! The arguments of all commands.

use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use consilience::Effort;
use consilience::consensus::ConsensusMethod;
use consilience::few_labels::Method;
use consilience::labelling::Labelling;
use consilience::strays::StrayLimit;
use consilience_ensembles::{Device, EngineChoice, MemberKind};
use consilience_graph::Strictness;

use super::k_range::Clusters;
use super::knowledge::{KnownArgs, LinkArgs};
use super::reading::ReadingArgs;
use super::views::ViewArgs;
use super::{compare, embed, examples, export, meta_test, meta_train, similar, suggest, values};

/// Clusters unlabelled data with an ensemble of models, and labels the samples on which they agree.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100, after_help = examples::PROGRAM)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Cluster data: clusters, pseudo-labels and models, in a run folder
    #[command(after_help = examples::CLUSTER)]
    Cluster(Box<ClusterCommand>),
    /// Learn from the labels of some samples to classify the others, and new ones
    #[command(after_help = examples::TRAIN)]
    Train(Box<TrainArgs>),
    /// Make pseudo-labels and a consensus of the votes of any clusterers
    #[command(after_help = examples::PSEUDO_LABEL)]
    PseudoLabel(Box<PseudoLabelArgs>),
    /// Cut a finished run into another number of clusters, without training
    #[command(after_help = examples::CUT)]
    Cut(CutArgs),
    /// Write the report.html of a run, in place of the one that is there
    #[command(after_help = examples::REPORT)]
    Report(ReportArgs),
    /// Find clusters and confidences of new samples
    #[command(after_help = examples::PREDICT)]
    Predict(PredictArgs),
    /// Write pseudo-labels for other tools, with or without features
    #[command(after_help = examples::EXPORT)]
    Export(export::ExportArgs),
    /// Name the samples whose labels would tell most, as a table for train
    #[command(after_help = examples::SUGGEST)]
    Suggest(suggest::SuggestArgs),
    /// Train an encoder without labels, and write its view of the data
    #[command(after_help = examples::EMBED)]
    Embed(Box<embed::EmbedArgs>),
    /// Learn from labelled tasks where networks start on a new one (--init)
    #[command(after_help = examples::META_TRAIN)]
    MetaTrain(meta_train::MetaTrainArgs),
    /// Measure what a start is worth, beside a random one
    #[command(after_help = examples::META_TEST)]
    MetaTest(meta_test::MetaTestArgs),
    /// Rank earlier runs by how alike their data are
    #[command(after_help = examples::SIMILAR)]
    Similar(similar::SimilarArgs),
    /// Score clusters against true labels
    #[command(after_help = examples::EVALUATE)]
    Evaluate(EvaluateArgs),
    /// Compare two runs of the same samples: what moved where
    #[command(after_help = examples::COMPARE)]
    Compare(compare::CompareArgs),
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
    /// Show what files were understood to be, and what is in them
    #[command(after_help = examples::INFO)]
    Info(InfoArgs),
}

#[derive(Debug, Args)]
pub(super) struct ClusterArgs {
    /// Files to be stacked (.npy, .npz, IDX, .csv, .tsv, .parquet, .arrow, .feather, .jsonl, HDF5 as file.h5:/dataset), images
    /// (a folder or .zip of .png and .jpg), texts (a folder of .txt, or a line each), or the embedded set `digits`
    #[arg(required_unless_present = "resume")]
    pub(super) data: Vec<PathBuf>,
    /// Number of clusters; a range such as 5..30 in which it is found, with a table of what each would give; or auto, to find it
    /// [default: that of the settings or of the data, if they have one, else auto]
    #[arg(short = 'k', value_name = "K")]
    pub(super) clusters: Option<Clusters>,
    /// Where K is found, write the other clusterings that the data show to assignments.csv, too: a column layer_K for each
    #[arg(long)]
    pub(super) layers: bool,
    /// Leave samples that belong nowhere without a cluster: at most this share of all, such as 0.01; or auto, those as far out as one in
    /// a hundred ordinary samples. Each sample gets a score (column stray); predict does the same for new ones
    #[arg(long, value_name = "SHARE|auto", allow_hyphen_values = true)]
    pub(super) strays: Option<StrayLimit>,
    /// The true labels, for scores only: they are never trained on
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(super) labels: Vec<PathBuf>,
    /// Column of the files of --labels that has them [default: one called label, class... if there is one]
    #[arg(long, value_name = "COLUMN", requires = "labels", allow_hyphen_values = true)]
    pub(super) labels_column: Option<String>,
    /// Folder for the results, which has to be new or empty [default: runs/<data>-<n>]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Go on with a run that was ended: with the same command again, or with --resume RUN alone. The result is that of a run that
    /// was never ended
    #[arg(long, value_name = "RUN", num_args = 0..=1)]
    pub(super) resume: Option<Option<PathBuf>>,
    /// Time after reading, such as 90s, 10m or 2h, in which there is to be an answer: that of the rounds finished by then
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(super) max_time: Option<Duration>,
    /// Time between two checkpoints, at least; 0s: after every model
    #[arg(long, value_name = "TIME", value_parser = values::pause, default_value = "60s")]
    pub(super) checkpoint_every: Duration,
    /// The command line, as it was typed when the run was started
    #[arg(skip)]
    pub(super) words: Vec<String>,
    /// What `train` was told
    #[arg(skip)]
    pub(super) teaching: Option<TeachingArgs>,
    /// What only `cluster` takes
    #[arg(skip)]
    pub(super) known: KnownArgs,
    #[arg(skip)]
    pub(super) views: ViewArgs,
    /// Seed of all random numbers; the same seed gives the same bytes [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(super) seed: Option<u64>,
    /// Settings to start from: auto (for the kind of data found), image, text, embedding, tabular, or paper (those of the
    /// paper's authors) [default: that of --config, else auto]
    #[arg(long, value_name = "NAME")]
    pub(super) preset: Option<String>,
    /// How much work it is worth: quick (without networks), default, or thorough
    #[arg(long, value_name = "EFFORT", default_value = "default", conflicts_with_all = ["config"])]
    pub(super) effort: Effort,
    /// Settings in TOML that replace the preset's, such as another run's config.toml
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Number of networks; of models, with a --member of another kind
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) models: Option<u16>,
    /// Largest number of rounds
    #[arg(long, value_name = "R")]
    pub(super) rounds: Option<usize>,
    /// Kind of all models: ladder, vat-im, communities, mixture or k-means
    #[arg(long, value_name = "KIND", value_parser = values::member_kind, help_heading = "How networks are trained")]
    pub(super) member: Option<MemberKind>,
    /// Where pseudo-labels come from: agreement; or, for comparison, clusters or confidence (of the first model alone), or
    /// over-clusters (the largest of 5 K clusters of another model) [default: agreement]
    #[arg(long, value_name = "HOW", value_parser = values::labelling, help_heading = "How networks are trained")]
    pub(super) labelling: Option<Labelling>,
    /// Where to train: cpu, cuda, or cuda:1 for the second GPU
    #[arg(long, default_value = "cpu", help_heading = "How networks are trained")]
    pub(super) device: Device,
    /// What trains networks: fast (steps written out by hand, on the CPU), candle (candle's operations and gradients, with every
    /// loss, on the CPU or a GPU), or auto (fast on the CPU if it knows every loss of the run, else candle) [default: auto]
    #[arg(long, value_name = "ENGINE", value_parser = values::engine, help_heading = "How networks are trained")]
    pub(super) engine: Option<EngineChoice>,
    /// On a GPU, use CUDA kernels of this project where there are any; they are compiled at the start
    #[arg(long, help_heading = "How networks are trained")]
    pub(super) kernels: bool,
    /// Largest number of models that a GPU trains at once; fewer need less of its memory [default: all]
    #[arg(long, value_name = "M", help_heading = "How networks are trained")]
    pub(super) stack: Option<NonZero<usize>>,
    /// What the hidden layers of all networks start from: a file of meta-train, an earlier run, or auto, whichever of --runs has the data
    /// most like these. Their widths and the scaling of features are then those of the start [default: random ones]
    #[arg(long, value_name = "META|RUN|auto", help_heading = "How networks are trained")]
    pub(super) init: Option<String>,
    /// With --init auto: the folder that has the earlier runs, and files of meta-train [default: runs]
    #[arg(long, value_name = "DIR", requires = "init", help_heading = "How networks are trained")]
    pub(super) runs: Option<PathBuf>,
    /// Threads to work on, which don't change the results [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    pub(super) threads: Option<usize>,
    /// Leave out the curve of coverage by strictness
    #[arg(long)]
    pub(super) no_curve: bool,
    /// Show at the end where the time went
    #[arg(long)]
    pub(super) profile: bool,
    #[command(flatten, next_help_heading = "How data is read")]
    pub(super) reading: ReadingArgs,
    #[command(flatten, next_help_heading = "When models agree")]
    pub(super) agreement: AgreementArgs,
    #[command(flatten, next_help_heading = "What is printed")]
    pub(super) told: ToldArgs,
}

/// What `cluster` takes.
#[derive(Debug, Args)]
pub(super) struct ClusterCommand {
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
    #[command(flatten, next_help_heading = "What is known of some samples")]
    pub(super) known: KnownArgs,
    #[command(flatten, next_help_heading = "What else is seen of the samples")]
    pub(super) views: ViewArgs,
}

impl From<ClusterCommand> for ClusterArgs {
    fn from(command: ClusterCommand) -> Self {
        Self { known: command.known, views: command.views, ..command.cluster }
    }
}

impl ClusterArgs {
    /// The labels of some samples, if there are any.
    pub(super) fn labels_partial(&self) -> Option<&str> {
        let taught = self.teaching.as_ref().and_then(|teaching| teaching.labels_partial.as_deref());
        taught.or(self.known.labels_partial.as_deref())
    }
}

/// What only `train` takes.
#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    #[command(flatten)]
    pub(super) teaching: TeachingArgs,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
}

/// Flags for labels to learn from.
#[derive(Debug, Clone, Args)]
pub(super) struct TeachingArgs {
    /// The labels to learn from: a file in any format of labels, whose rows are paired with the data by ids or else by order; or
    /// column:NAME, a column of the data. Nothing, NA or -1: not labelled
    #[arg(long, value_name = "FILE|column:NAME", required_unless_present = "resume")]
    pub(super) labels_partial: Option<String>,
    /// How to learn from the other samples, one way or several: agreement, ladder, confidence, consistency, graph, propagation;
    /// or supervised, not at all [default: agreement]
    #[arg(long, value_name = "METHOD,...", value_delimiter = ',')]
    pub(super) method: Vec<Method>,
    /// With --method confidence: the probability above which an answer is learnt from, or two, FIRST..LAST, between which it goes
    /// evenly from round to round [default: 0.95]
    #[arg(long, value_name = "P", value_parser = values::tau)]
    pub(super) tau: Option<(f32, f32)>,
}

// Clusters and labels aren't numbers that stand for a missing value.
#[derive(Debug, Args)]
#[command(mut_arg("missing_value", |option| option.hide(true)))]
pub(super) struct PseudoLabelArgs {
    /// Files of cluster ids, stacked by model: .npy, .npz, HDF5 and IDX of shape (models, samples); CSV, Parquet, Arrow or
    /// JSON Lines with a row for each sample and a column for each model; one file for each model; or run folders. -1 or an
    /// empty cell: no vote. Columns with names of ids or labels are not votes
    #[arg(required = true)]
    pub(super) votes: Vec<PathBuf>,
    /// Number of clusters to look for, which may be another than the models have; a range such as 5..30 in which it is found, with
    /// a table of what each would give; or auto, to find it [default: that of the settings, if they have one, else auto]
    #[arg(short = 'k', value_name = "K")]
    pub(super) clusters: Option<Clusters>,
    /// Label the signatures that another engine has counted, VOTES being the run whose models gave them: a table with columns
    /// signature, cluster, count (samples) and first (their lowest id). Writes a table, a line for each signature with a label
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "clusters", "labels", "config", "consensus", "samples", "graph", "no_curve", "must_link", "cannot_link"
    ])]
    pub(super) counts: Option<PathBuf>,
    /// The true labels, for scores only
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(super) labels: Vec<PathBuf>,
    /// Column of the files of --labels that has them [default: one called label, class... if there is one]
    #[arg(long, value_name = "COLUMN", requires = "labels", allow_hyphen_values = true)]
    pub(super) labels_column: Option<String>,
    /// Folder for the results, which has to be new or empty [default: runs/<votes>-<n>]; of --counts a .csv file [default:
    /// <counts>-labels.csv]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Settings in TOML that replace the default ones, such as another run's config.toml
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// How the consensus is found: linkage (average linkage on how often models put samples together), dawid-skene (expectation
    /// maximisation from the mini-clusters), linkage-dawid-skene (the latter, from the clusters of the former), or auto (both, or
    /// dawid-skene alone for K over 6,000) [default: auto]
    #[arg(long, value_name = "HOW", value_parser = values::consensus)]
    pub(super) consensus: Option<ConsensusMethod>,
    /// Number of samples; needed only if there are more models than samples and no --labels
    #[arg(long, value_name = "N")]
    pub(super) samples: Option<usize>,
    /// Also write the agreement graph of the signatures (samples with equal votes of all models): .graphml for Gephi or
    /// Cytoscape, .dot for Graphviz
    #[arg(long, value_name = "FILE")]
    pub(super) graph: Option<PathBuf>,
    /// Leave out the curve of coverage by strictness, which may take a tenth of the time
    #[arg(long)]
    pub(super) no_curve: bool,
    /// Threads to work on, which don't change the results [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    pub(super) threads: Option<usize>,
    #[command(flatten, next_help_heading = "How data is read")]
    pub(super) reading: ReadingArgs,
    #[command(flatten, next_help_heading = "What is known of some samples")]
    pub(super) links: LinkArgs,
    #[command(flatten, next_help_heading = "When models agree")]
    pub(super) agreement: AgreementArgs,
    #[command(flatten, next_help_heading = "What is printed")]
    pub(super) told: ToldArgs,
}

/// Flags for the agreement graph.
#[derive(Debug, Args)]
pub(super) struct AgreementArgs {
    /// Models that have to put two samples together for these to be joined: a number, or a share such as 90%
    #[arg(long, value_name = "A")]
    pub(super) min_agree: Option<Strictness>,
    /// Models that may put two samples together while these still count as kept apart: a number, or a share
    #[arg(long, value_name = "B")]
    pub(super) max_agree: Option<Strictness>,
    /// Models that have to have voted on both of two samples for these to be compared: a number, or a share of all
    #[arg(long, value_name = "N")]
    pub(super) min_common: Option<Strictness>,
    /// Confidence that every model has to exceed for a sample to be labelled, 0 to 1
    #[arg(long, value_name = "C")]
    pub(super) min_confidence: Option<f32>,
}

/// Flags for what is printed.
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
pub(super) struct CutArgs {
    /// The run folder that cluster or pseudo-label has written
    pub(super) run: PathBuf,
    /// The data of the run [default: the files that it names]
    pub(super) data: Vec<PathBuf>,
    /// Number of clusters, from 2 on
    #[arg(short = 'k', value_name = "K", value_parser = clap::value_parser!(u16).range(2..))]
    pub(super) clusters: u16,
    /// Folder for the results, which has to be new or empty [default: runs/<run>-k<K>-<n>]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Threads to work on, which don't change the results [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    pub(super) threads: Option<usize>,
    #[command(flatten)]
    pub(super) told: ToldArgs,
}

#[derive(Debug, Args)]
pub(super) struct PredictArgs {
    /// A run folder that `cluster` has written
    pub(super) run: PathBuf,
    /// Files to be stacked, of any size, with the same features as the run's data
    #[arg(required = true)]
    pub(super) data: Vec<PathBuf>,
    /// File for the clusters, which has to be new: .csv, .npy (the clusters alone), or - for standard output
    /// [default: <data>-clusters.csv]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Add the samples to the run's own tables, assignments.csv and .npy, in place of a file: all of them, or none. Models stay as they
    /// are, and an id that is there already is refused
    #[arg(long, conflicts_with_all = ["out", "votes"])]
    pub(super) append: bool,
    /// Also write the lowest confidence of the run's models and their votes as one value, the signature: what pseudo-label --counts
    /// starts from. A sample's answer then depends on it alone, to the last bit
    #[arg(long)]
    pub(super) votes: bool,
    /// Of a run with views of files: the same other features of these samples, one --view for each, in the order of the run. The data are then read whole
    #[arg(long = "view", value_name = "FILE")]
    pub(super) views: Vec<PathBuf>,
    /// Confidence below which a sample is left without a cluster, 0 to 1
    #[arg(long, value_name = "C", value_parser = values::share)]
    pub(super) min_confidence: Option<f32>,
    /// The true labels, for scores only
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(super) labels: Vec<PathBuf>,
    /// Column of the files of --labels that has them [default: one called label, class... if there is one]
    #[arg(long, value_name = "COLUMN", requires = "labels", allow_hyphen_values = true)]
    pub(super) labels_column: Option<String>,
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
#[command(mut_arg("missing_value", |option| option.hide(true)))]
pub(super) struct EvaluateArgs {
    /// True classes: labels in any format, or data with labels beside them
    pub(super) truth: PathBuf,
    /// Clusters found: labels in any format, a run folder, or one of its files. -1 or nothing: no cluster
    pub(super) found: PathBuf,
    /// Column of FOUND with the clusters [default: one called cluster, label... if there is one]. Other flags are about
    /// TRUTH, and FOUND where it has such columns
    #[arg(long, value_name = "NAME")]
    pub(super) cluster_column: Option<String>,
    #[command(flatten, next_help_heading = "How data is read")]
    pub(super) reading: ReadingArgs,
    /// Print all scores as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// A run folder
    pub(super) run: PathBuf,
    /// The data that was clustered [default: the files that the run names]
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
    #[command(flatten, next_help_heading = "How data is read")]
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn numbers_for_missing_values_are_offered_where_features_are_read() {
        let mut program = Cli::command();
        for (name, is_offered) in [("cluster", true), ("evaluate", false), ("pseudo-label", false)]
        {
            let command = program.find_subcommand_mut(name).unwrap();
            let help = command.render_long_help().to_string();
            assert_eq!(help.contains("--missing-value"), is_offered, "{name}: {help}");
        }
    }
}
