//! `consilience predict`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, anyhow, bail};
use consilience::evaluation::Scores;
use consilience::export::LabelNames;
use consilience::run_folder::{Addition, read_class_names, read_recipe, read_source};
use consilience::{Prediction, Predictor, Voted};
use consilience_data::{ClusterId, DataError, FeaturesChunk, PairedBy, Truth};
use serde::Serialize;

use super::look::Look;
use super::predictions::Predictions;
use super::samples::Samples;
use super::style::{count, duration, percent, plural, table};
use super::summary::{scores, sizes};
use super::values::cores;
use super::{PredictArgs, answer, interrupt};

/// Stands for standard output.
const STDOUT: &str = "-";

/// What came out, for `--json`.
#[derive(Serialize)]
struct Told {
    run: PathBuf,
    /// `None` for standard output.
    out: Option<PathBuf>,
    /// Whether `out` is the run, and the samples were added to it.
    is_appended: bool,
    n_samples: usize,
    n_clusters: usize,
    /// Number of samples in each cluster, length n_clusters.
    sizes: Vec<usize>,
    /// Number of samples that were left without a cluster.
    n_unlabelled: usize,
    /// Number of these that belong nowhere; `None` of a run that sought no strays.
    #[serde(skip_serializing_if = "Option::is_none")]
    n_strays: Option<usize>,
    /// Whether the data are those of the run, by their hash; `None` if the run doesn't have one.
    is_run_data: Option<bool>,
    mean_confidence: f64,
    scores: Option<Scores>,
    seconds: f64,
}

/// Clusters new samples by the models of a run.
pub(super) fn run(args: &PredictArgs) -> Result<ExitCode> {
    predict(args).map_err(without_options)
}

/// How data are read is the run's to say, not the command line's.
fn without_options(error: anyhow::Error) -> anyhow::Error {
    match error.chain().find_map(|cause| cause.downcast_ref::<DataError>()) {
        Some(DataError::InTheWay { source_name, problems, .. }) => anyhow!(
            "{source_name}: {problems}; the run's data had none: mend the file, or cluster again with options for such data"
        ),
        _ => error,
    }
}

fn predict(args: &PredictArgs) -> Result<ExitCode> {
    let start = Instant::now();
    let to_stdout = args.out.as_deref() == Some(Path::new(STDOUT));
    if to_stdout && args.json {
        bail!("--out - and --json would both be written to standard output; leave one out");
    }
    let threads = args.threads.unwrap_or_else(cores);
    let predictor = Predictor::load(&args.run, threads)?;
    let mut recipe = read_recipe(&args.run)?;
    recipe.options.labels_column.clone_from(&args.labels_column);
    let mut samples = Samples::open(args, &predictor, &recipe)?;
    let mut target = Target::open(args, samples.name(), &predictor)?;
    let mut found = Found::new(&predictor, samples.may_have_truth());
    let look = Look::new("{bar:24.cyan/dim} {msg}", args.quiet);
    let total = samples.n_samples();
    if let (Look::Bar(bar), Some(total)) = (&look, total) {
        bar.set_length(total as u64);
    }
    let least = args.min_confidence.unwrap_or(f32::NEG_INFINITY);
    let take = |chunk: &FeaturesChunk, prediction: &Prediction, voted: Option<&Voted>| {
        interrupt::go_on()?;
        let clusters: Vec<_> = prediction.confident(least).collect();
        target.write(chunk, &clusters, prediction, voted)?;
        found.add(&clusters, prediction);
        tell(&look, found.n_samples, total, start);
        Ok::<_, anyhow::Error>(())
    };
    let done = samples.predict(&predictor, args.votes, take);
    look.finish();
    // Labels that don't fit are refused before the file gets its name.
    let done =
        done.and_then(|()| Ok((samples.truth()?, target.publish(args, samples.data_hash())?)));
    let (truth, out) = match done {
        Err(error) if Predictions::is_unread(&error) => return Ok(ExitCode::SUCCESS),
        done => done?,
    };
    samples.notes().iter().for_each(|note| look.note(note));
    let (truth, paired_by) = truth.unzip();
    if paired_by.flatten() == Some(PairedBy::OrderAndIdsOfOne) {
        look.note("--labels: paired with the data row by row, as only one of them has ids");
    }
    let mut told = found.told(args, out, truth.as_ref(), start.elapsed().as_secs_f64())?;
    let hash = read_source(&args.run)?.data_hash;
    told.is_run_data = hash.map(|hash| hash == samples.data_hash());
    let text = match args.json {
        true => serde_json::to_string_pretty(&told)? + "\n",
        false => summary(samples.name(), &told),
    };
    if !to_stdout {
        answer(&text)?;
    } else if !args.quiet {
        look.note(text.trim_end());
    }
    Ok(ExitCode::SUCCESS)
}

/// Where clusters are written.
enum Target {
    File(Box<Predictions>),
    Run(Box<Addition>),
}

impl Target {
    /// Checks that it can be written, and holds it.
    fn open(args: &PredictArgs, data: &str, predictor: &Predictor) -> Result<Self> {
        if args.append {
            let addition = Addition::new(&args.run)?;
            interrupt::hold(addition.staging());
            return Ok(Self::Run(Box::new(addition)));
        }
        let out = match &args.out {
            Some(out) if out == Path::new(STDOUT) => None,
            Some(out) => Some(out.clone()),
            None => Some(format!("{data}-clusters.csv").into()),
        };
        let names = class_names(&args.run, predictor.n_clusters())?;
        let predictions = Predictions::create(out.as_deref(), args.votes, names)?;
        if let Some(aside) = predictions.aside() {
            interrupt::hold_file(aside);
        }
        Ok(Self::File(Box::new(predictions)))
    }

    fn write(
        &mut self,
        samples: &FeaturesChunk,
        clusters: &[Option<ClusterId>],
        prediction: &Prediction,
        voted: Option<&Voted>,
    ) -> Result<()> {
        match self {
            Self::File(predictions) => predictions.write(samples, clusters, prediction, voted),
            Self::Run(addition) => {
                let (ids, rows) = (samples.ids.as_deref(), samples.rows.as_deref());
                Ok(addition.push(ids, rows, clusters, &prediction.confidences)?)
            }
        }
    }

    /// Where it is now, if it isn't standard output.
    fn publish(self, args: &PredictArgs, data_hash: String) -> Result<Option<PathBuf>> {
        match self {
            Self::File(predictions) => predictions.publish(),
            Self::Run(addition) => {
                let data = args.data.iter().map(|path| path.display().to_string()).collect();
                addition.publish(data, data_hash)?;
                Ok(Some(args.run.clone()))
            }
        }
    }
}

/// What classes are called, in a run that learnt from labels.
fn class_names(run: &Path, n_clusters: usize) -> Result<Option<LabelNames>> {
    let classes = read_class_names(run)?;
    let names = || LabelNames::with_classes(n_clusters, &[], &classes);
    Ok((!classes.is_empty()).then(names).transpose()?)
}

fn tell(look: &Look, done: usize, total: Option<usize>, start: Instant) {
    if let Look::Bar(bar) = look {
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rate = done as f64 / start.elapsed().as_secs_f64();
        bar.set_position(done as u64);
        let of = total.map_or(String::new(), |total| format!(" of {}", count(total)));
        bar.set_message(format!("{}{of} samples, {}", count(done), speed(rate)));
    }
}

/// What has been found so far.
struct Found {
    n_samples: usize,
    sizes: Vec<usize>,
    /// Of the confidences.
    sum: f64,
    n_strays: Option<usize>,
    /// All samples' clusters, if they can be compared with the truth.
    clusters: Option<Vec<Option<ClusterId>>>,
}

impl Found {
    fn new(predictor: &Predictor, with_truth: bool) -> Self {
        let sizes = vec![0; predictor.n_clusters()];
        let n_strays = predictor.has_strays().then_some(0);
        Self { n_samples: 0, sizes, sum: 0.0, n_strays, clusters: with_truth.then(Vec::new) }
    }

    fn add(&mut self, clusters: &[Option<ClusterId>], prediction: &Prediction) {
        if let (Some(n_strays), Some(strays)) = (&mut self.n_strays, &prediction.strays) {
            *n_strays += strays.iter().filter(|sample| sample.is_stray).count();
        }
        self.n_samples += clusters.len();
        clusters.iter().flatten().for_each(|cluster| self.sizes[cluster.index()] += 1);
        self.sum += prediction.confidences.iter().copied().map(f64::from).sum::<f64>();
        if let Some(all) = &mut self.clusters {
            all.extend_from_slice(clusters);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    fn told(
        self,
        args: &PredictArgs,
        out: Option<PathBuf>,
        truth: Option<&Truth>,
        seconds: f64,
    ) -> Result<Told> {
        let n_clusters = self.sizes.len();
        let known = truth.zip(self.clusters);
        let scores = known.map(|(truth, found)| Scores::of_partial(truth, &found, n_clusters));
        Ok(Told {
            run: args.run.clone(),
            out,
            is_appended: args.append,
            n_samples: self.n_samples,
            n_clusters,
            is_run_data: None,
            n_unlabelled: self.n_samples - self.sizes.iter().sum::<usize>(),
            n_strays: self.n_strays,
            sizes: self.sizes,
            mean_confidence: self.sum / self.n_samples as f64,
            scores: scores.transpose()?,
            seconds,
        })
    }
}

fn summary(name: &str, told: &Told) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a share and a rate")]
    let (labelled, rate) = (
        (told.n_samples - told.n_unlabelled) as f64 / told.n_samples as f64,
        told.n_samples as f64 / told.seconds,
    );
    let mut rows = vec![("cluster sizes", sizes(&told.sizes))];
    rows.push(("confidence", format!("{:.3} on average", told.mean_confidence)));
    if told.is_run_data == Some(true) {
        rows.push(("data", "the run's own".into()));
    }
    if told.n_unlabelled > 0 {
        let left = plural(told.n_unlabelled, "sample");
        let why = match told.n_strays {
            Some(strays) => format!(" ({} as far out as the run's strays)", count(strays)),
            None => String::new(),
        };
        rows.push(("unlabelled", format!("{left}{why}; {} have a cluster", percent(labelled))));
    }
    rows.extend(told.scores.as_ref().map(|found| {
        let labelled =
            if told.n_unlabelled > 0 { "; samples without a cluster count as wrong" } else { "" };
        ("scores", scores(found.acc, found.nmi, found.ari, None) + labelled)
    }));
    rows.push(("time", format!("{}, {}", duration(told.seconds), speed(rate))));
    let place = if told.is_appended { "added to" } else { "file" };
    rows.extend(told.out.as_ref().map(|out| (place, out.display().to_string())));
    let samples = plural(told.n_samples, "sample");
    format!("{name}: {samples}, K = {}\n\n{}", told.n_clusters, table(&rows))
}

/// `31,000 samples/s`.
fn speed(rate: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive rate")]
    let rate = rate.round() as usize;
    format!("{} samples/s", count(rate))
}
