//! `consilience meta-train`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use clap::Args;
use consilience::output::Aside;
use consilience_data::Seed;
use consilience_ensembles::{
    EpochEnd, MetaMethod, MetaParams, MetaTask, Progress, ValidMetaParams, learn_initialisation,
};
use serde::Serialize;

use super::look::Look;
use super::reading::ReadingArgs;
use super::style::{bold, duration, plural, table, word};
use super::{answer, interrupt, tasks, values};

/// Lines about iterations, if standard error is no terminal.
const LINES: usize = 10;

#[derive(Debug, Args)]
pub(super) struct MetaTrainArgs {
    /// Labelled data, all of one width: DATA with labels in it (a column called label, class..., y beside X, a folder of folders), DATA=LABELS (a file),
    /// DATA=column:NAME; or run folders, whose pseudo-labels are then the labels
    #[arg(required = true, value_name = "TASK")]
    tasks: Vec<String>,
    /// File to write, which has to be new
    #[arg(long, value_name = "META")]
    out: PathBuf,
    /// How it is learnt: fomaml (first-order MAML) or reptile
    #[arg(long, value_name = "METHOD", default_value_t = MetaParams::default().method)]
    method: MetaMethod,
    /// Widths of the hidden layers, which the networks that start from it then have
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = MetaParams::default().hidden)]
    hidden: Vec<usize>,
    /// Classes of an episode, at most
    #[arg(long, value_name = "N", default_value_t = MetaParams::default().ways)]
    ways: usize,
    /// Labelled samples of each class that a network adapts to in an episode
    #[arg(long, value_name = "N", default_value_t = MetaParams::default().shots)]
    shots: usize,
    /// Further samples of each class that it is then judged on
    #[arg(long, value_name = "N", default_value_t = MetaParams::default().queries)]
    queries: usize,
    /// Steps of adaptation
    #[arg(long, value_name = "N", default_value_t = MetaParams::default().inner_steps)]
    inner_steps: usize,
    /// Rate of these steps (gradient descent)
    #[arg(long, value_name = "R", default_value_t = MetaParams::default().inner_rate)]
    inner_rate: f64,
    /// Rate of the steps of what is learnt (Adam)
    #[arg(long, value_name = "R", default_value_t = MetaParams::default().outer_rate)]
    outer_rate: f64,
    /// Number of these steps
    #[arg(long, value_name = "N", default_value_t = MetaParams::default().iterations)]
    iterations: usize,
    /// Episodes that each of them is the mean of
    #[arg(long, value_name = "N", default_value_t = MetaParams::default().episodes)]
    episodes: usize,
    /// Time after reading, such as 90s or 10m, after which no further step is begun
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    max_time: Option<Duration>,
    /// Seed of all random numbers; the same seed gives the same bytes
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How features are brought to a scale: that of auto (for the first task's kind of data), image, text, embedding or tabular data
    #[arg(long, value_name = "NAME", default_value = "auto")]
    preset: String,
    /// Threads to work on, which don't change the results [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    threads: Option<usize>,
    #[command(flatten, next_help_heading = "How data is read")]
    reading: ReadingArgs,
    /// Print a summary as JSON
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

/// What came out, for `--json`.
#[derive(Serialize)]
struct Told<'a> {
    out: &'a PathBuf,
    n_features: usize,
    hidden: Vec<usize>,
    params: &'a MetaParams,
    iterations: usize,
    /// The mean loss over the last tenth of the iterations.
    loss: f64,
    tasks: Vec<ToldTask<'a>>,
    seconds: f64,
}

#[derive(Serialize)]
struct ToldTask<'a> {
    name: &'a str,
    n_labelled: usize,
    n_classes: usize,
}

/// Learns an initialisation.
pub(super) fn run(args: &MetaTrainArgs) -> Result<ExitCode> {
    let start = Instant::now();
    let params = args.params().check()?;
    if args.out.symlink_metadata().is_ok() {
        bail!("{}: exists already; name another with --out, or remove it", args.out.display());
    }
    let aside = Aside::new(&args.out)?;
    interrupt::hold_file(&aside);
    let done = learn(args, &params, start, &aside);
    if done.is_err() {
        aside.remove();
    }
    answer(&done?)?;
    Ok(ExitCode::SUCCESS)
}

fn learn(
    args: &MetaTrainArgs,
    params: &ValidMetaParams,
    start: Instant,
    aside: &Aside,
) -> Result<String> {
    let watch = Watch::new(args.quiet);
    watch.look.mention("reading tasks");
    let options = args.reading.options();
    let tasks = tasks::read(&args.tasks, &options, &args.preset, None, &watch)?;
    let watch = Watch { deadline: args.max_time.map(|time| Instant::now() + time), ..watch };
    let threads = args.threads.unwrap_or_else(values::cores);
    let found = learn_initialisation(&tasks, params, threads, &watch)?;
    watch.look.finish();
    interrupt::go_on()?;
    found.save(aside.path())?;
    aside
        .publish(false)
        .map_err(|error| anyhow!("{}: can't be written: {error}", args.out.display()))?;
    let told = Told {
        out: &args.out,
        n_features: found.n_features(),
        hidden: found.widths(),
        params,
        iterations: found.how().map_or(0, |learnt| learnt.iterations),
        loss: watch.loss(),
        tasks: tasks.iter().map(ToldTask::of).collect(),
        seconds: start.elapsed().as_secs_f64(),
    };
    Ok(if args.json { serde_json::to_string_pretty(&told)? + "\n" } else { summary(&told) })
}

impl MetaTrainArgs {
    fn params(&self) -> MetaParams {
        MetaParams {
            method: self.method,
            seed: Seed(self.seed),
            hidden: self.hidden.clone(),
            ways: self.ways,
            shots: self.shots,
            queries: self.queries,
            inner_steps: self.inner_steps,
            inner_rate: self.inner_rate,
            outer_rate: self.outer_rate,
            iterations: self.iterations,
            episodes: self.episodes,
        }
    }
}

impl<'a> ToldTask<'a> {
    fn of(task: &'a MetaTask) -> Self {
        Self { name: task.name(), n_labelled: task.n_labelled(), n_classes: task.n_classes() }
    }
}

fn summary(told: &Told<'_>) -> String {
    let task = |task: &ToldTask<'_>| {
        let classes = plural(task.n_classes, "class");
        format!("{}: {} of {classes}", task.name, plural(task.n_labelled, "label"))
    };
    let mut rows: Vec<(&str, String)> = Vec::new();
    for (index, found) in told.tasks.iter().enumerate() {
        rows.push((if index == 0 { "tasks" } else { "" }, task(found)));
    }
    let widths: Vec<String> = told.hidden.iter().map(usize::to_string).collect();
    let layers =
        format!("{}, hidden layers of {}", plural(told.n_features, "feature"), widths.join(", "));
    rows.push(("layers", layers));
    let done = match told.iterations == told.params.iterations {
        true => plural(told.iterations, "iteration"),
        false => format!(
            "{} of {} iterations, as the time was up",
            told.iterations, told.params.iterations
        ),
    };
    rows.push((
        "learnt",
        format!("by {}, {done}; loss {:.3} at the end", told.params.method, told.loss),
    ));
    rows.push(("time", duration(told.seconds)));
    rows.push(("file", told.out.display().to_string()));
    let next =
        format!("  consilience train DATA --labels-partial LABELS --init {}\n", word(told.out));
    format!("{}\n\n{}\n{next}", bold("Where networks start from"), table(&rows))
}

/// Shows the progress of learning.
struct Watch {
    look: Look,
    deadline: Option<Instant>,
    start: Instant,
    /// All losses so far.
    losses: Mutex<Vec<f64>>,
}

impl Watch {
    fn new(quiet: bool) -> Self {
        let look = Look::new("{bar:24.cyan/dim} {msg}", quiet);
        Self { look, deadline: None, start: Instant::now(), losses: Mutex::new(Vec::new()) }
    }

    /// The mean loss over the last tenth of the iterations.
    fn loss(&self) -> f64 {
        let losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        recent(&losses)
    }
}

fn recent(losses: &[f64]) -> f64 {
    let last = &losses[losses.len() - losses.len().div_ceil(10)..];
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    let n = last.len().max(1) as f64;
    last.iter().sum::<f64>() / n
}

impl Progress for Watch {
    fn cancelled(&self) -> bool {
        interrupt::cancelled()
    }

    fn time_is_up(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn epoch_end(&self, end: EpochEnd) {
        let mut losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        losses.push(end.loss);
        let (done, all) = (end.epoch, end.epochs);
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let left = self.start.elapsed().as_secs_f64() * (all - done) as f64 / done as f64;
        let told = || format!("loss {:.3}, {} left", recent(&losses), duration(left));
        match &self.look {
            Look::Bar(bar) => {
                bar.set_length(all as u64);
                bar.set_position(done as u64);
                bar.set_message(format!("iteration {done} of {all}, {}", told()));
            }
            Look::Lines if done * LINES / all > (done - 1) * LINES / all => {
                self.look.say(&format!("iteration {done} of {all}, {}", told()));
            }
            _ => {}
        }
    }
}
