//! `consilience embed`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use consilience::RunError;
use consilience::embedding::{Embedding, Files, Published, params_for};
use consilience_data::{Dataset, ReadOptions, Seed, read_dataset_as, read_dataset_with};
use consilience_ensembles::{Device, Encoder, EpochEnd, Pretext, PretextParams, Progress, Trained};
use serde::Serialize;

use super::embed_settings::SettingArgs;
use super::look::Look;
use super::reading::{self, ReadingArgs};
use super::style::{count, duration, plural, table, word};
use super::{answer, interrupt, values};

#[derive(Debug, Args)]
pub(super) struct EmbedArgs {
    /// Files to be stacked, as cluster takes them
    #[arg(required = true)]
    data: Vec<PathBuf>,
    /// What the encoder is trained on: autoencoder (to give back a sample from a short code), contrastive (to find the sample of which two
    /// views were made), masked (to say what features that are hidden are), or forecast (to say how a series goes on)
    #[arg(long, value_name = "PRETEXT", required_unless_present = "from")]
    pretext: Option<Pretext>,
    /// Embed with an encoder that an earlier embed has written, in place of training one
    #[arg(long, value_name = "ENCODER", conflicts_with_all = ["pretext", "preset", "seed", "max_time", "device", "SettingArgs", "ReadingArgs"])]
    from: Option<PathBuf>,
    /// File for the embedding, which has to be new: .npy, .npz or .parquet. The encoder and, for .npy, the samples' ids go beside it
    /// [default: <data>-embedding.npy]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What kind of data they are: auto (by a look at them), image, text, embedding or tabular
    #[arg(long, value_name = "NAME", default_value = "auto")]
    preset: String,
    /// Seed of all random numbers; the same seed gives the same bytes
    #[arg(long, value_name = "N", default_value = "0", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    /// Time after reading, such as 90s, 10m or 2h, after which training ends with what has been learnt
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    max_time: Option<Duration>,
    /// Where to train: cpu
    #[arg(long, default_value = "cpu")]
    device: Device,
    /// Threads to work on, which don't change the results [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::threads)]
    threads: Option<usize>,
    #[command(flatten, next_help_heading = "How the encoder is trained")]
    settings: SettingArgs,
    #[command(flatten, next_help_heading = "How data is read")]
    reading: ReadingArgs,
    /// Print a summary as JSON
    #[arg(long, help_heading = "What is printed")]
    json: bool,
    /// Show no progress
    #[arg(long, short, help_heading = "What is printed")]
    quiet: bool,
}

/// What came out, for `--json`.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    files: Published,
    n_samples: usize,
    n_features: usize,
    width: usize,
    params: &'a PretextParams,
    /// Passes over the data, and the mean loss of the last, if the encoder is new.
    epochs: Option<usize>,
    loss: Option<f64>,
    seconds: f64,
}

/// Trains an encoder, or takes one, and writes what it makes of the data.
pub(super) fn run(args: &EmbedArgs) -> Result<ExitCode> {
    if args.device != Device::Cpu {
        bail!("--device {}: encoders are trained on the CPU; leave --device out", args.device);
    }
    let start = Instant::now();
    let mut watcher = Watcher::new(args.quiet);
    let given = args.from.as_deref().map(Encoder::load).transpose()?;
    watcher.look.mention("reading data");
    let data = match &given {
        Some(encoder) => read_dataset_as(&args.data, &[], encoder.recipe())?,
        None => {
            let options = ReadOptions { words: args.settings.words, ..args.reading.options() };
            read_dataset_with(&args.data, &[], &options)?
        }
    };
    let out = args.out.clone().unwrap_or_else(|| format!("{}-embedding.npy", data.name).into());
    let threads = args.threads.unwrap_or_else(values::cores);
    let (files, encoder, learnt) = match (given, &args.from) {
        (Some(encoder), Some(from)) => {
            check_width(&encoder, from, &data)?;
            (hold(&out, &data, false, &watcher)?, encoder, None)
        }
        _ => {
            let params = settings(args, &data)?;
            params.check(&data.features)?;
            let files = hold(&out, &data, true, &watcher)?;
            watcher.deadline = args.max_time.map(|time| Instant::now() + time);
            let (encoder, learnt) = train(args, &data, &params, threads, &watcher)?;
            (files, encoder, Some(learnt))
        }
    };
    files.need_space(data.features.n_samples(), encoder.width())?;
    watcher.look.mention("embedding");
    let features = encoder.embed(&data.features, threads, &watcher)?;
    interrupt::go_on()?;
    let embedding =
        Embedding { features: &features, ids: data.ids.as_deref(), rows: data.rows.as_deref() };
    let files = files.publish(&embedding, learnt.map(|_| &encoder))?;
    watcher.look.finish();
    let told = Told {
        files,
        n_samples: features.n_samples(),
        n_features: encoder.n_features(),
        width: encoder.width(),
        params: encoder.params(),
        epochs: learnt.map(|learnt| learnt.epochs),
        loss: learnt.map(|learnt| learnt.loss).filter(|loss| loss.is_finite()),
        seconds: start.elapsed().as_secs_f64(),
    };
    answer(&match args.json {
        true => serde_json::to_string_pretty(&told)? + "\n",
        false => summary(&data.name, &told),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Holds the file to write, and says how the data were read: nothing is in the way any more.
fn hold(out: &Path, data: &Dataset, with_encoder: bool, watcher: &Watcher) -> Result<Files> {
    let files = Files::create(out, with_encoder)?;
    interrupt::hold_file(files.aside());
    reading::roles(data).for_each(|line| watcher.look.say(&line));
    reading::notes(data).for_each(|line| watcher.look.note(&line));
    Ok(files)
}

fn check_width(encoder: &Encoder, from: &Path, data: &Dataset) -> Result<()> {
    let (found, expected) = (data.features.n_features(), encoder.n_features());
    if found == expected {
        return Ok(());
    }
    bail!(
        "{}: {}, but the encoder {} takes {expected}",
        data.name,
        plural(found, "feature"),
        from.display()
    )
}

fn settings(args: &EmbedArgs, data: &Dataset) -> Result<PretextParams> {
    let pretext = args.pretext.expect("required without an encoder");
    if args.settings.words.is_some() && data.recipe.vocabulary.is_none() {
        bail!("{}: holds no texts; leave --words out", data.name);
    }
    let params = params_for(pretext, &args.preset, &data.features, &data.recipe)?;
    Ok(args.settings.apply(params, data.features.n_features()))
}

fn train(
    args: &EmbedArgs,
    data: &Dataset,
    params: &PretextParams,
    threads: usize,
    watcher: &Watcher,
) -> Result<(Encoder, Trained)> {
    let layers = match params.pretext {
        _ if params.vocabulary > 0 => "a transformer",
        Pretext::Forecast => "convolutions",
        _ if params.image.is_some() => "convolutions",
        _ => "dense layers",
    };
    let of = plural(data.features.n_samples(), "sample");
    watcher.look.show(&format!("training an encoder ({}, {layers}) on {of}", params.pretext));
    let (features, recipe) = (&data.features, &data.recipe);
    let (encoder, learnt) =
        Encoder::train(features, recipe, params, Seed(args.seed), threads, watcher)?;
    if learnt.steps == 0 {
        return Err(RunError::NoTime.into());
    }
    if learnt.epochs < params.epochs {
        watcher
            .look
            .note(&format!("the time was up after {} of {} epochs", learnt.epochs, params.epochs));
    }
    Ok((encoder, learnt))
}

fn summary(name: &str, told: &Told<'_>) -> String {
    let params = told.params;
    let mut rows = vec![
        (
            "embedding",
            format!("{}, from {}", plural(told.width, "feature"), count(told.n_features)),
        ),
        ("pretext", format!("{} on {} data", params.pretext, params.kind)),
    ];
    if let (Some(epochs), Some(loss)) = (told.epochs, told.loss) {
        rows.push(("training", format!("{}, loss {loss:.4}", plural(epochs, "epoch"))));
    }
    rows.push(("time", duration(told.seconds)));
    rows.push(("file", told.files.out.display().to_string()));
    rows.extend(told.files.samples.iter().map(|path| ("samples", path.display().to_string())));
    rows.extend(told.files.encoder.iter().map(|path| ("encoder", path.display().to_string())));
    let next = format!("\nCluster it with\n\n  consilience cluster {}\n", word(&told.files.out));
    format!("{name}: {}\n\n{}{next}", plural(told.n_samples, "sample"), table(&rows))
}

/// Shows how training goes.
struct Watcher {
    look: Look,
    start: Instant,
    deadline: Option<Instant>,
}

impl Watcher {
    fn new(quiet: bool) -> Self {
        let look = Look::new("{bar:24.cyan/dim} {msg}", quiet);
        Self { look, start: Instant::now(), deadline: None }
    }
}

impl Progress for Watcher {
    fn epoch_end(&self, EpochEnd { epoch, epochs, loss, .. }: EpochEnd) {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let left = self.start.elapsed().as_secs_f64() * (epochs - epoch) as f64 / epoch as f64;
        let told = format!("epoch {epoch} of {epochs}, loss {loss:.4}, {} left", duration(left));
        match &self.look {
            Look::Bar(bar) => {
                bar.set_length(epochs as u64);
                bar.set_position(epoch as u64);
                bar.set_message(told);
            }
            // Ten lines at most, where lines stay.
            look if epoch * 10 / epochs > (epoch - 1) * 10 / epochs => look.say(&told),
            _ => {}
        }
    }

    fn cancelled(&self) -> bool {
        interrupt::cancelled()
    }

    fn time_is_up(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
