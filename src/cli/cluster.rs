//! `consilience cluster`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use consilience::algorithm::prepared as prepared_now;
use consilience::few_labels;
use consilience::metrics::{Curve, GranularityMetrics, Metrics};
use consilience::output::need_space;
use consilience::report::{self, Data, REPORT};
use consilience::run_folder::{
    self, Beside, CheckpointFolder, Clustering, Destination, Origin, Provenance, RunFolder, Staging,
};
use consilience::seek;
use consilience::views::{GivenView, ViewVoters, prepare_views};
use consilience::{Config, Effort, Outcome, RunError, ValidConfig, check_memory, keeps_sparse};
use consilience_data::{DataHash, Dataset, PairedBy, read_dataset_with};
use consilience_ensembles::Sketch;

use super::k_range::Clusters;
use super::knowledge::{self, Links};
use super::summary::Summary;
use super::watcher::Watcher;
use super::{
    ClusterArgs, answer, curve, doubts, found_k, interrupt, reading, settings, starting, teaching,
    writing,
};

/// Time that is not for training but for votes, the answer and the report: a share of the time asked for, or so many seconds where that
/// is more, but never more than half of it.
const REST: f64 = 0.15;
const LEAST_REST: Duration = Duration::from_millis(2500);

/// Time that the report may take: it is left out if there is less.
const REPORTING: Duration = Duration::from_secs(8);

/// Clusters data into a run folder.
pub(super) fn run(args: ClusterArgs) -> Result<ExitCode> {
    interrupt::watched(move || cluster(&args))
}

/// Everything that can be refused is refused before any work is done.
fn cluster(args: &ClusterArgs) -> Result<ExitCode> {
    let begun = Instant::now();
    let compute = settings::compute(args)?;
    let destination = Destination::new(args.out.as_deref(), args.resume.is_some())?;
    destination.held().inspect(|staging| interrupt::hold(staging));
    let mut options = args.reading.options();
    options.labels_column.clone_from(&args.labels_column);
    options.keep_sparse = true;
    let labels_partial = args.labels_partial();
    if args.teaching.is_some() && labels_partial.is_none() {
        bail!("--labels-partial: name the labels to learn from");
    }
    labels_partial.iter().for_each(|labels| teaching::reading(labels, &mut options));
    let mut data = read_dataset_with(&args.data, &args.labels, &options)?;
    let given = labels_partial.map(|labels| teaching::read(labels, &args.data, &data, &options));
    let given = given.transpose()?;
    if let Some((given, _)) = &given {
        // Who was told a class is no evidence for having learnt it.
        let known = given.labelled().map(|(sample, _)| sample.index());
        let is_left = given.n_labelled() < given.n_samples();
        data.truth = data.truth.take().filter(|_| is_left).map(|truth| truth.leaving_out(known));
        if args.teaching.is_some() {
            data.n_clusters = Some(given.n_classes());
        }
    }
    let links = match (&args.teaching, &given) {
        (Some(_), _) => Links::default(),
        (None, given) => {
            let given = given.as_ref().map(|(given, _)| given.clone());
            args.known.links.knowledge(&data.name, &data.keys(), given)?
        }
    };
    let known = &links.known;
    let given_views = args.views.read(&data, &options)?;
    let in_order = data.paired_by == Some(PairedBy::OrderAndIdsOfOne);
    let typed = args.clusters.as_ref().and_then(Clusters::number);
    let start = starting::find(args, &data)?;
    let of_start = start.as_ref().map(|start| &*start.initialisation);
    let k = typed.or(data.n_clusters).unwrap_or(0);
    let mut config = settings::resolve(args, &data, k, of_start)?;
    let clusters = settings::clusters(args, &config, &data);
    let classes = given.as_ref().map_or(0, |(given, _)| given.n_classes());
    if let Some(k) = clusters.number().filter(|&k| k < classes) {
        bail!("-k {k}: there are labels of {classes} classes; give at least so many, or none");
    }
    let clusters = knowledge::enough(clusters, known, &data.keys())?;
    let sizes = (&data.features, &given_views.widths()[..]);
    let checked = check_memory(sizes, &config, compute.threads, args.reading.max_memory());
    checked.map_err(|error| too_large(&error, &data, &config))?;
    if !keeps_sparse(&config, data.features.n_features()) {
        data.features = data.features.unpacked(args.reading.max_memory())?;
    }
    let mut watcher = Watcher::new(args.told.quiet);
    // The search for K counts, too.
    watcher.deadline = args.max_time.map(|time| Instant::now() + time - rest(time));
    let limit = args.max_time.map(|time| Instant::now() + time);
    let sought = match clusters {
        Clusters::Number(k) if args.layers => bail!(
            "--layers: there are other clusterings only where K is found, and it is {k}; give -k auto or a range such as -k 5..30"
        ),
        Clusters::Number(k) => {
            config.n_clusters = k;
            None
        }
        Clusters::Within(ks) => {
            let least = Config { n_clusters: *ks.start(), ..config.clone() };
            seek::within(&data.features, &ks)?;
            least.check(&data.features, compute).map_err(settings::hint)?;
            given_views.check(*ks.start())?;
            interrupt::go_on()?;
            let sought = seek::seek(&data.features, &config, &ks, compute, &watcher)?;
            config = settings::resolve(args, &data, sought.found.k, of_start)?;
            config.n_clusters = sought.found.k;
            Some(sought)
        }
    };
    let mut source = run_folder::Source {
        data_hash: Some(DataHash::of(&data.features)),
        given_hash: given.as_ref().map(|(given, _)| given.hash()),
        init: start.as_ref().map(|start| start.path.display().to_string()),
        init_hash: start.as_ref().map(|start| start.initialisation.hash()),
        ..source(args)
    };
    links.enter(&mut source);
    given_views.enter(&mut source);
    given_views.check(config.n_clusters)?;
    let origin = origin(args, run_folder::config_toml(&command(args), &config, &source)?)?;
    let mut config = config.check(&data.features, compute).map_err(settings::hint)?;
    if let Some(start) = &start {
        config = config.starting_from(Arc::clone(&start.initialisation), &data.features)?;
    }
    interrupt::go_on()?;

    let staging = destination.stage(&data.name, |checkpoint| origin.fits(checkpoint))?;
    interrupt::hold(&staging);
    need_space(staging.out(), run_folder::estimated_bytes(&data.features, &config))?;
    let checkpoints = keep(&staging, origin, args, &watcher)?;
    start.iter().for_each(|start| watcher.say(&start.line()));
    reading::roles(&data).for_each(|line| watcher.say(&line));
    reading::notes(&data).for_each(|note| watcher.note(&note));
    let scaling = config.preparation.scaling;
    doubts::before_clustering(&data, scaling).iter().for_each(|doubt| watcher.note(doubt));
    given_views.told().for_each(|line| watcher.say(&line));
    if in_order {
        watcher.note("--labels: paired with the data row by row, as only one of them has ids");
    }
    if args.effort == Effort::Quick {
        watcher.note(
            "--effort quick: no networks are trained, so nothing is learnt from pseudo-labels",
        );
    }
    if let Some((given, by)) = &given {
        teaching::tell(given, *by, (config.n_clusters, args.teaching.is_some()), &watcher);
    }
    let (prepared, found) = sought.map(|sought| (sought.data, sought.found)).unzip();
    found.iter().for_each(|found| watcher.say(&found_k::line(found)));
    let outcome = match prepared {
        _ if args.teaching.is_some() => {
            let given = given.as_ref().map(|(given, _)| given);
            let given = given.expect("it was asked for");
            few_labels::train(&data.features, given, &config, &watcher)?
        }
        prepared => {
            let prepare = || prepared_now(&data.features, &config, compute.threads, &watcher);
            let prepared = prepared.map_or_else(prepare, Ok)?;
            let given = given_views.given();
            let views = views(&data, &given, &config, &mut watcher)?;
            consilience::run_prepared((prepared, views), &config, known, Vec::new(), &watcher)?
        }
    };

    let seconds = begun.elapsed().as_secs_f64();
    let views = outcome.views.iter().map(|it| it.view.settings.clone()).collect();
    let written = Config { cut: outcome.cut.clone(), views, ..Config::clone(&config) };
    let written = run_folder::config_toml(&command(args), &written, &source)?;
    let mut metrics = Metrics::of_run(&outcome, &config, seconds, data.truth.as_ref())?;
    metrics.granularity = found.as_ref().map(GranularityMetrics::of);
    interrupt::go_on()?;
    let in_time = || limit.is_none_or(|limit| Instant::now() + REPORTING < limit);
    if !args.no_curve && in_time() {
        metrics.set_curve(trace(&outcome, &config, &data, &watcher)?);
    }
    interrupt::go_on()?;
    let sketch = Sketch::of(&data.features, config.preparation.scaling, &watcher)?;
    let rows = data.rows.as_deref();
    if let Some(taught) = &outcome.taught {
        teaching::contradicted(taught, rows, &watcher);
        knowledge::not_shown(taught).iter().for_each(|note| watcher.note(note));
        let unlike =
            data.truth.as_ref().and_then(|truth| teaching::unlike(taught, truth, &metrics));
        unlike.iter().for_each(|note| watcher.note(note));
    }
    let rule = metrics.pseudo_label_rule;
    let unheeded = settings::unheeded(&args.agreement, config.labelling, rule);
    unheeded.iter().for_each(|note| watcher.note(note));
    watcher.mention("writing");
    // They are removed with what was written aside.
    checkpoints.stop();
    let folder = writing::publish(&staging, |folder| {
        let (ids, rows) = (data.ids.as_deref(), data.rows.as_deref());
        let provenance = Provenance { ids, rows, recipe: &data.recipe };
        let layers = found.as_ref().filter(|_| args.layers).map_or(&[][..], |it| &it.layers);
        let beside = (&provenance, Beside::layers(layers));
        run_folder::write(folder, &outcome, &metrics, &written, beside)?;
        let is_text = config.preset == "text";
        let clusters = outcome.clusters();
        let clusters = Clustering::of(&outcome, &clusters);
        run_folder::write_clusters(folder, &clusters, &data.features, &provenance, is_text)?;
        run_folder::write_sketch(folder, &sketch)?;
        if let Some(found) = &found {
            run_folder::write_layers(folder, found)?;
        }
        if let Some(taught) = &outcome.taught {
            run_folder::write_taught(folder, taught, &provenance)?;
        }
        run_folder::write_pairs(folder, known, rows)?;
        let page = if in_time() { page(folder, &data, &watcher) } else { Err(LATE.into()) };
        let absent = page.err().map(|why| (REPORT.to_owned(), why));
        absent.iter().for_each(|(name, why)| watcher.note(&format!("no {name}: {why}")));
        interrupt::go_on()?;
        Ok(absent.into_iter().collect())
    })?;
    watcher.finish();

    let text = if args.told.json {
        metrics.to_json()
    } else {
        let sizes: Vec<usize> = metrics.trust.clusters.iter().map(|it| it.size).collect();
        let profile = args.profile;
        let all_ks = args.clusters.as_ref().is_some_and(Clusters::is_range);
        let name = &data.name;
        let summary = Summary { name, metrics: &metrics, sizes: &sizes, all_ks, profile };
        summary.text(&folder)
    };
    answer(&text)?;
    Ok(if metrics.complete { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What a run's `config.toml` says that repeats it.
fn command(args: &ClusterArgs) -> String {
    let command = if args.teaching.is_some() { "train" } else { "cluster" };
    let links = &args.known.links;
    let more = [
        (args.labels_partial().is_some(), " --labels-partial LABELS"),
        (links.must_link.is_some(), " --must-link PAIRS"),
        (links.cannot_link.is_some(), " --cannot-link PAIRS"),
        (args.init.is_some(), " --init START"),
    ];
    let more = more.into_iter().filter_map(|(is_given, option)| is_given.then_some(option));
    let views = args.views.views.iter().map(|_| " --view VIEW");
    format!("{command} DATA...{}", more.chain(views).collect::<String>())
}

/// That a run is too large, and, if sparse data are so alone because of how they are prepared, how not.
fn too_large(error: &RunError, data: &Dataset, config: &Config) -> anyhow::Error {
    let n_features = data.features.n_features();
    match data.features.as_sparse() {
        Some(_) if !config.preparation.keeps_sparse(n_features) => anyhow!(
            "{error}; the preset {} makes sparse data dense, --preset text does not",
            config.preset
        ),
        _ => anyhow!("{error}"),
    }
}

/// Why there is no report.
const LATE: &str = "there was no time for it; consilience report writes it";

/// How much of a time is not for training.
fn rest(time: Duration) -> Duration {
    time.mul_f64(REST).max(LEAST_REST).min(time / 2)
}

/// Views of the samples beside the data. Where time is limited, they have half of what is left.
fn views(
    data: &Dataset,
    given: &[GivenView<'_>],
    config: &ValidConfig,
    watcher: &mut Watcher,
) -> Result<Vec<ViewVoters>> {
    let (deadline, now) = (watcher.deadline, Instant::now());
    let half = |deadline: Instant| now + deadline.saturating_duration_since(now) / 2;
    watcher.deadline = deadline.map(half);
    let views = prepare_views((&data.features, &data.recipe), given, config, watcher)?;
    watcher.deadline = deadline;
    for params in views.iter().filter_map(|it| it.view.settings.pretext.as_ref()) {
        if let Some(steps) = params.most_steps {
            watcher.note(&format!(
                "view {}: its encoder was trained for {steps} steps, as the time was up or the settings say so",
                params.pretext
            ));
        }
    }
    Ok(views)
}

/// What a checkpoint of this run is of.
fn origin(args: &ClusterArgs, settings: String) -> Result<Origin> {
    let version = env!("CARGO_PKG_VERSION").into();
    Ok(Origin { version, settings, command: args.words.clone(), folder: env::current_dir()? })
}

/// Has the run's finished steps kept, and those found that were.
fn keep(
    staging: &Staging,
    origin: Origin,
    args: &ClusterArgs,
    watcher: &Watcher,
) -> Result<Arc<CheckpointFolder>> {
    let every = args.checkpoint_every;
    let kept = CheckpointFolder::open(staging.checkpoint(), origin, every, watcher.teller())?;
    if args.resume.is_some() {
        watcher.say(&match kept.n_steps() {
            0 => "nothing to resume: starting anew".into(),
            n => format!("going on from a checkpoint of {n} steps"),
        });
    }
    let kept = Arc::new(kept);
    interrupt::keep(&kept);
    watcher.keep(Arc::clone(&kept));
    Ok(kept)
}

/// The curve of strictness.
fn trace(
    outcome: &Outcome,
    config: &ValidConfig,
    data: &Dataset,
    watcher: &Watcher,
) -> Result<Curve> {
    watcher.mention("curve of strictness");
    let curve = Curve::of_run(outcome, config, data.truth.as_ref())?;
    if !curve.left_out.is_empty() {
        watcher.note(&curve::left_out(&curve.left_out));
    }
    Ok(curve)
}

/// Writes the report. A page that can't be made is no reason to lose the run: why it can't is said.
fn page(folder: &Path, data: &Dataset, watcher: &Watcher) -> Result<PathBuf, String> {
    watcher.mention("report");
    let page =
        RunFolder::open(folder).and_then(|run| report::write(&run, Data::Features(&data.features)));
    page.map_err(|error| error.to_string())
}

fn source(args: &ClusterArgs) -> run_folder::Source {
    let names = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect();
    run_folder::Source {
        data: names(&args.data),
        labels: names(&args.labels),
        labels_partial: args.labels_partial().map(Into::into),
        device: args.device.to_string(),
        ..run_folder::Source::default()
    }
}
