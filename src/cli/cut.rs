//! `consilience cut`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use consilience::Metrics;
use consilience::recut::{check_recut, recut};
use consilience::report::{self, Data, REPORT};
use consilience::run_folder::{CONFIG, Destination, RunFolder, write_recut};

use super::args::Command;
use super::parsing::parse;
use super::style::{bold, plural, table};
use super::summary::{self, scores, sizes};
use super::watcher::Watcher;
use super::{CutArgs, answer, interrupt, knowledge, left, pseudo_label, reading, values, writing};

/// Cuts a run into another number of clusters. Everything that can be refused is refused before any work is done.
pub(super) fn run(args: &CutArgs) -> Result<ExitCode> {
    let begun = Instant::now();
    let run = RunFolder::open(&args.run)?;
    let (k, n_threads) = (usize::from(args.clusters), args.threads.unwrap_or_else(values::cores));
    check_recut(&run, k)?;
    if run.metrics["n_features"].is_null() {
        return of_votes(args);
    }
    let mut config = run.settings()?;
    let destination = Destination::new(args.out.as_deref(), false)?;
    destination.held().inspect(|staging| interrupt::hold(staging));
    let watcher = Watcher::new(args.told.quiet);
    watcher.mention("reading data");
    let recorded: Vec<PathBuf> = run.source.data.iter().map(PathBuf::from).collect();
    let paths = if args.data.is_empty() { &recorded } else { &args.data };
    let labels: Vec<PathBuf> = run.source.labels.iter().map(PathBuf::from).collect();
    let labels = if labels.iter().all(|path| path.exists()) {
        labels
    } else {
        watcher.note("the files of --labels aren't where they were: there are no scores");
        Vec::new()
    };
    let data = reading::with_labels(&run, paths, &labels).with_context(|| {
        format!("{}: its data can't be read; name the data after the run", run.path.display())
    })?;
    let data = run.own(data, None)?;
    interrupt::go_on()?;
    watcher.mention("votes");
    let found = recut(&run, &data.features, k, n_threads, &watcher)?;
    config.n_clusters = k;
    config.version = env!("CARGO_PKG_VERSION").into();
    let (seconds, cut_of) = (begun.elapsed().as_secs_f64(), args.run.display().to_string());
    let truth = data.truth.as_ref();
    let metrics = Metrics::of_recut(&found, &config, &cut_of, (n_threads, seconds), truth)?;
    let staging = destination.stage(&name(&args.run, k), |_| Ok(()))?;
    interrupt::hold(&staging);
    watcher.mention("writing");
    let folder = writing::publish(&staging, |folder| {
        write_recut(folder, (&run, &data.features), &found, &metrics, &config)?;
        let page = RunFolder::open(folder)
            .and_then(|run| report::write(&run, Data::Features(&data.features)));
        let absent = page.err().map(|why| (REPORT.to_owned(), why.to_string()));
        absent.iter().for_each(|(name, why)| watcher.note(&format!("no {name}: {why}")));
        interrupt::go_on()?;
        Ok(absent.into_iter().collect())
    })?;
    watcher.finish();
    let text = match args.told.json {
        true => metrics.to_json(),
        false => text(&args.run, &metrics, &folder),
    };
    answer(&text)?;
    Ok(if metrics.complete { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What a run is called that has no other name.
fn name(run: &Path, k: usize) -> String {
    let whole = run.canonicalize().unwrap_or_else(|_| run.to_path_buf());
    let name = whole.file_name().map_or("run".into(), |name| name.to_string_lossy());
    format!("{name}-k{k}")
}

/// A run whose votes were given has nothing but these: it is made again, with another K.
fn of_votes(args: &CutArgs) -> Result<ExitCode> {
    if !args.data.is_empty() {
        bail!(
            "{}: its votes were given, so that no data are needed: leave them out",
            args.run.display()
        );
    }
    let mut words: Vec<OsString> = vec!["consilience".into(), "pseudo-label".into()];
    words.extend([args.run.clone().into(), "-k".into(), args.clusters.to_string().into()]);
    words.extend(["--config".into(), args.run.join(CONFIG).into()]);
    if let Some(threads) = args.threads {
        words.extend(["--threads".into(), threads.to_string().into()]);
    }
    if let Some(out) = &args.out {
        words.extend(["--out".into(), out.clone().into()]);
    }
    words.extend(args.told.json.then(|| "--json".into()));
    words.extend(args.told.quiet.then(|| "--quiet".into()));
    match parse(words)?.command {
        Command::PseudoLabel(mut again) => {
            again.links.of_run = Some(args.run.clone());
            pseudo_label::run(&again)
        }
        _ => unreachable!("it was just named"),
    }
}

fn text(run: &Path, metrics: &Metrics, folder: &Path) -> String {
    let found: Vec<usize> = metrics.trust.clusters.iter().map(|it| it.size).collect();
    let kinds = metrics.pseudo_label_kinds.iter().flatten().copied().collect::<Vec<_>>();
    let mut rows = vec![
        ("cluster sizes", sizes(&found)),
        ("confidence", format!("{:.3} on average", metrics.mean_confidence)),
        ("pseudo-labels", summary::pseudo_labels(&metrics.pseudo_labels)),
        ("backed by", kinds.join(" and ")),
    ];
    rows.extend(metrics.held.as_ref().map(|held| ("known", knowledge::text(held))));
    rows.extend(summary::strays(metrics).map(|text| ("strays", text)));
    if let (Some(acc), Some(nmi), Some(ari)) = (metrics.acc, metrics.nmi, metrics.ari) {
        rows.push(("scores", scores(acc, nmi, ari, metrics.pseudo_labels.acc)));
    }
    rows.push(("time", summary::time(metrics.seconds, metrics.threads, metrics.peak_rss_mb)));
    let title = format!(
        "{}: {}, cut into K = {}",
        run.display(),
        plural(metrics.n_samples, "sample"),
        metrics.n_clusters
    );
    format!("{}\n\n{}\n{}", bold(&title), table(&rows), left::text(folder))
}
