//! `consilience export`.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use consilience::export::{
    self, AllSamples, Cells, Export, FeatureTable, Format, LabelNames, Subset,
};
use consilience::run_folder::{Destination, RunFolder, read_class_names};
use consilience_data::Dataset;
use consilience_graph::Strictness;
use serde::Serialize;

use super::look::Look;
use super::style::{bold, columns, count, plural, word};
use super::{answer, interrupt, reading};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The run folder that cluster or pseudo-label has written
    run: PathBuf,
    /// The data of the run, to write features beside the labels. If none is named, .npz and HDF5 take the run's own. With
    /// --format folders: the folder or .zip of images
    #[arg(conflicts_with = "no_features")]
    data: Vec<PathBuf>,
    /// csv, parquet, npz, hdf5, jsonl, or folders (a folder for each label, with links to its images) [default: by the name
    /// of --out, else csv]
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    format: Option<Target>,
    /// File or folder to write; it must not exist yet [default: <run>-labels.<format>]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Only the N surest samples of each label, by agreement, then margin, then confidence
    #[arg(long, value_name = "N", value_parser = positive)]
    per_class: Option<NonZero<usize>>,
    /// Equally many samples of each label: as many as the smallest label has
    #[arg(long)]
    balance: bool,
    /// Leave out labels with fewer than N samples
    #[arg(long, value_name = "N", default_value_t = 1, hide_default_value = true)]
    min_size: usize,
    /// Models that have to put a sample with its label: a number, or a share such as 90%. Less than the run's own
    /// --min-agree changes nothing
    #[arg(long, value_name = "A")]
    min_agree: Option<Strictness>,
    /// Confidence that every model has to exceed, 0 to 1
    #[arg(long, value_name = "C")]
    min_confidence: Option<f32>,
    /// Name of a cluster, such as --name 3=cat; may be given several times
    #[arg(long = "name", value_name = "CLUSTER=NAME", value_parser = pair)]
    named: Vec<(usize, String)>,
    /// Names of clusters from a CSV file, with a line such as 3,cat for each
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    /// Take data whose values have changed since, or other data on the same samples
    #[arg(long, conflicts_with = "no_features")]
    data_changed: bool,
    /// Write all samples, in place of the pseudo-labels, each with the probabilities of all clusters: .csv or .npz
    #[arg(long, conflicts_with_all = ["per_class", "balance", "min_size", "min_agree", "min_confidence", "data"])]
    soft: bool,
    /// Write all samples, in place of the pseudo-labels, each with its cluster and a weight, 0 to 1, for a classifier to train with:
    /// .csv or .npz
    #[arg(long, conflicts_with_all = ["per_class", "balance", "min_size", "min_agree", "min_confidence", "data"])]
    weights: bool,
    /// Write the given labels that the other samples contradict, of a run of train, the clearest first: .csv
    #[arg(long, conflicts_with_all = ["soft", "weights", "data", "per_class", "balance", "min_size", "min_agree", "min_confidence"])]
    label_errors: bool,
    /// Put an apostrophe before ids and names in .csv that a spreadsheet would run as formulas; joins with the data then fail for these
    #[arg(long, conflicts_with = "label_errors")]
    safe_cells: bool,
    /// Write no features to .npz and HDF5
    #[arg(long)]
    no_features: bool,
    /// Print what was written as JSON
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

/// What is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    File(Format),
    Folders,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::File(format) => format.name(),
            Self::Folders => "folders",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::File(format) => format.extension(),
            Self::Folders => "",
        }
    }
}

impl ValueEnum for Target {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Target; Format::ALL.len() + 1] = {
            let mut all = [Target::Folders; Format::ALL.len() + 1];
            let mut index = 0;
            while index < Format::ALL.len() {
                all[index] = Target::File(Format::ALL[index]);
                index += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

fn positive(text: &str) -> Result<NonZero<usize>, String> {
    text.parse().map_err(|_| "give a whole number, at least 1".into())
}

fn pair(text: &str) -> Result<(usize, String), String> {
    let wrong = || "give a cluster and its name, such as 3=cat".to_owned();
    let (cluster, name) = text.split_once('=').ok_or_else(wrong)?;
    Ok((cluster.trim().parse().map_err(|_| wrong())?, name.trim().to_owned()))
}

/// Writes pseudo-labels of a run for other tools. Everything that can be refused is refused before anything is written.
pub(super) fn run(args: &ExportArgs) -> Result<ExitCode> {
    let run = RunFolder::open(&args.run)?;
    reading::tell_appended(&run, args.quiet);
    args.out.as_deref().map_or(Ok(()), check_new)?;
    let kind = args.kind()?;
    let out = args.out.clone().unwrap_or_else(|| default_out(&args.run, kind));
    check_new(&out)?;
    let destination = Destination::new(Some(&out), false)?;
    destination.held().inspect(|staging| interrupt::hold(staging));
    let staging = destination.stage("labels", |_| Ok(()))?;
    if args.label_errors || args.soft || args.weights {
        let aside = staging.folder()?.join("labels");
        let n = args.write_all(&run, kind, &aside)?;
        interrupt::go_on()?;
        staging.publish_file(&aside)?;
        let what = if args.label_errors { "given label" } else { "sample" };
        let text = match args.json {
            true => {
                serde_json::to_string_pretty(&serde_json::json!({ "path": &out, "n_exported": n }))?
                    + "\n"
            }
            false => format!("{} {} in {}\n", bold("Written:"), plural(n, what), word(&out)),
        };
        answer(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let names = args.names(&run)?;
    let subset = Subset {
        min_agree: args.min_agree,
        min_confidence: args.min_confidence,
        per_class: args.per_class,
        min_size: args.min_size,
        balance: args.balance,
    };
    let mut export = Export::new(&run, &subset, names.as_ref())?;
    export.cells = args.cells();

    let data = match kind {
        Target::File(format) => args.read(&run, format)?,
        Target::Folders => None,
    };
    if let Some(data) = &data {
        let names = data.recipe.feature_names.as_deref();
        // Data that aren't the run's own may have other features.
        let offsets = data.recipe.offsets.as_ref();
        let table = FeatureTable { features: &data.features, names, offsets };
        export = export.with_features(&run, table, data.ids.as_deref())?;
    }
    match kind {
        Target::Folders => {
            export.link(&args.images(&run)?, &staging.folder()?, &out)?;
            staging.publish_links()?;
        }
        Target::File(format) => {
            let aside = staging.folder()?.join("labels");
            export.write(format, &aside)?;
            interrupt::go_on()?;
            staging.publish_file(&aside)?;
        }
    }
    let written = Written::new(&out, kind, &run, &export);
    let text = if args.json {
        serde_json::to_string_pretty(&written)? + "\n"
    } else {
        written.text(&args.run, args)
    };
    answer(&text)?;
    Ok(ExitCode::SUCCESS)
}

impl ExportArgs {
    fn kind(&self) -> Result<Target> {
        match (self.format, &self.out) {
            (Some(kind), _) => Ok(kind),
            (None, None) => Ok(Target::File(Format::Csv)),
            (None, Some(out)) => Format::of(out).map(Target::File).with_context(|| {
                let known: Vec<&str> =
                    Target::value_variants().iter().map(|kind| kind.name()).collect();
                let (out, known) = (out.display(), known.join(", "));
                format!(
                    "{out}: its name does not tell the format; add --format with one of {known}"
                )
            }),
        }
    }

    /// Writes what isn't made of pseudo-labels; how many lines it has.
    fn write_all(&self, run: &RunFolder, kind: Target, path: &Path) -> Result<usize> {
        let Target::File(format @ (Format::Csv | Format::Npz)) = kind else {
            bail!("--soft, --weights and --label-errors write .csv or .npz, not {}", kind.name());
        };
        if self.label_errors {
            if format != Format::Csv {
                bail!("--label-errors writes .csv");
            }
            return Ok(export::label_errors(run, path)?);
        }
        let names = self.names(run)?;
        let (soft, weights, cells) = (self.soft, self.weights, self.cells());
        let what = AllSamples { soft, weights, names: names.as_ref(), cells };
        what.write(run, format, path)?;
        Ok(run.n_samples())
    }

    fn cells(&self) -> Cells {
        if self.safe_cells { Cells::Safe } else { Cells::AsTheyAre }
    }

    fn names(&self, run: &RunFolder) -> Result<Option<LabelNames>> {
        let mut given = self.names.as_deref().map_or(Ok(Vec::new()), LabelNames::read)?;
        given.extend(self.named.iter().cloned());
        // Of a run that learnt from labels, their names, but where another is given.
        let classes = read_class_names(&run.path)?;
        if given.is_empty() && classes.is_empty() {
            return Ok(None);
        }
        Ok(Some(LabelNames::with_classes(run.n_clusters(), &given, &classes)?))
    }

    /// The data whose features are written, if any are.
    fn read(&self, run: &RunFolder, format: Format) -> Result<Option<Dataset>> {
        let look = Look::new("{spinner} {msg}", self.quiet);
        let paths = if !self.data.is_empty() {
            self.data.clone()
        } else if format.is_for_features() && !self.no_features {
            if run.metrics["n_features"].is_null() {
                bail!(
                    "{}: its votes were given, so its data is not known; name the data after the run, or add --no-features",
                    run.path.display()
                );
            }
            run.source.data.iter().map(PathBuf::from).collect()
        } else {
            return Ok(None);
        };
        look.mention("reading features");
        let data = reading::again(run, &paths);
        look.finish();
        let data = match self.data.is_empty() {
            true => data.with_context(|| {
                let run = run.path.display();
                format!("{run}: its data can't be read again (name the data after the run, or add --no-features)")
            })?,
            false => data?,
        };
        Ok(Some(run.own(data, self.data_changed)?))
    }

    /// Where the images are.
    fn images(&self, run: &RunFolder) -> Result<PathBuf> {
        let recorded: Vec<PathBuf> = run.source.data.iter().map(PathBuf::from).collect();
        let named = if self.data.is_empty() { &recorded } else { &self.data };
        match named.as_slice() {
            [one] => Ok(one.clone()),
            more => bail!(
                "{}: {} of data; links are made for runs on one folder or .zip of images",
                run.path.display(),
                plural(more.len(), "path"),
            ),
        }
    }
}

/// `<run>-labels.<format>`, in the current folder.
fn default_out(run: &Path, kind: Target) -> PathBuf {
    let whole = run.canonicalize().unwrap_or_else(|_| run.to_path_buf());
    let name = whole.file_name().map_or("run".into(), |name| name.to_string_lossy());
    format!("{name}-labels{}", kind.extension()).into()
}

/// Refuses a place that is taken, or that can't be.
fn check_new(out: &Path) -> Result<()> {
    let shown = out.display();
    if out.file_name().is_none() {
        bail!("{shown}: can't be written; name a file, such as --out labels.csv");
    }
    if out.symlink_metadata().is_ok() {
        bail!("{shown}: exists already; name another with --out, or remove it");
    }
    let around = out.ancestors().skip(1).find(|path| path.symlink_metadata().is_ok());
    match around.filter(|path| !path.is_dir()) {
        Some(file) => bail!("{shown}: {} is not a folder; name another with --out", file.display()),
        None => Ok(()),
    }
}

/// What was written.
#[derive(Serialize)]
struct Written<'a> {
    path: &'a Path,
    #[serde(skip)]
    kind: Target,
    /// Samples of the run.
    n_samples: usize,
    /// Those with a pseudo-label.
    n_labelled: usize,
    /// Those written.
    n_exported: usize,
    /// Features of each; `null` without.
    n_features: Option<usize>,
    labels: Vec<Label<'a>>,
}

/// A label.
#[derive(Serialize)]
struct Label<'a> {
    label: usize,
    name: Option<&'a str>,
    /// Samples that have it.
    n_labelled: usize,
    /// Those written.
    n_exported: usize,
}

impl<'a> Written<'a> {
    fn new(path: &'a Path, kind: Target, run: &RunFolder, export: &'a Export<'_>) -> Self {
        let sizes = run.pseudo_labels.sizes().into_iter().zip(export.labels.sizes());
        let label = |(label, (n_labelled, n_exported)): (usize, _)| {
            let name = export.names.map(|names| names.all()[label].as_str());
            Label { label, name, n_labelled, n_exported }
        };
        Self {
            path,
            kind,
            n_samples: run.n_samples(),
            n_labelled: run.pseudo_labels.len(),
            n_exported: export.labels.len(),
            n_features: export.table.map(|table| table.features.n_features()),
            labels: sizes.enumerate().map(label).collect(),
        }
    }

    fn text(&self, run: &Path, args: &ExportArgs) -> String {
        let has_names = self.labels.iter().any(|label| label.name.is_some());
        let mut header = vec!["label", "written", "of"];
        header.extend(has_names.then_some("name"));
        let rows = self.labels.iter().map(|label| {
            let mut row =
                vec![label.label.to_string(), count(label.n_exported), count(label.n_labelled)];
            row.extend(label.name.map(String::from));
            row
        });
        let exported = count(self.n_exported);
        let of = plural(self.n_labelled, "pseudo-label");
        let title = format!("{}: {exported} of {of} written", run.display());
        let few = self.few(args).map_or(String::new(), |few| format!("\n{few}\n"));
        let features = self
            .n_features
            .map_or(String::new(), |features| format!(", with {}", plural(features, "feature")));
        format!(
            "{}\n\n{}{few}\n{} {}{features}: {}\n",
            bold(&title),
            columns(&header, rows),
            bold("Written:"),
            word(self.path),
            self.hint(),
        )
    }

    /// That labels have fewer samples than was hoped for, and what can be done.
    fn few(&self, args: &ExportArgs) -> Option<String> {
        let written = self.labels.iter().filter(|label| label.n_exported > 0);
        let smallest = written.min_by_key(|label| label.n_exported)?;
        let n = plural(smallest.n_exported, "sample");
        let asked = args.per_class.map_or(usize::MAX, NonZero::get);
        if args.balance && smallest.n_exported < asked && self.n_exported < self.n_labelled {
            return Some(format!(
                "Each label has {n}, as many as the smallest has; --min-size leaves out small labels."
            ));
        }
        let asked = args.per_class.filter(|asked| smallest.n_exported < asked.get())?;
        Some(format!("Some labels have fewer than {}.", count(asked.get())))
    }

    /// How to read it.
    fn hint(&self) -> &'static str {
        match self.kind {
            Target::File(Format::Csv) => "pandas.read_csv reads it",
            Target::File(Format::Parquet) if self.n_features.is_some() => {
                "pandas.read_parquet reads it; each row's features are a list"
            }
            Target::File(Format::Parquet) => {
                "pandas.read_parquet reads it; to have features too, name the data after the run"
            }
            Target::File(Format::JsonLines) => "pandas.read_json(..., lines=True) reads it",
            Target::File(Format::Npz) if self.n_features.is_some() => {
                "numpy.load reads it; train on its X and y"
            }
            Target::File(Format::Npz) => "numpy.load reads it; the labels are its y",
            Target::File(Format::Hdf5) if self.n_features.is_some() => {
                "h5py.File reads it; train on its X and y"
            }
            Target::File(Format::Hdf5) => "h5py.File reads it; the labels are its y",
            Target::Folders => "a folder for each label, as torchvision's ImageFolder reads it",
        }
    }
}
