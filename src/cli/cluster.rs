//! `consilience cluster`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use consilience::k_range::KRow;
use consilience::metrics::{Curve, Metrics};
use consilience::report::{self, Data};
use consilience::run_folder::{self, Destination, Provenance, RunFolder};
use consilience_data::{DataHash, PairedBy, read_dataset_with};
use consilience_ensembles::Compute;

use super::k_range::{self, KRange};
use super::summary::Summary;
use super::watcher::Watcher;
use super::{ClusterArgs, answer, curve, interrupt, reading, settings};

/// Clusters data into a run folder. Everything that can be refused is refused before any work is done.
pub(super) fn run(args: &ClusterArgs) -> Result<ExitCode> {
    let start = Instant::now();
    interrupt::install()?;
    let compute = settings::compute(args)?;
    if let Some(range) = &args.k_range {
        return try_out(range, compute, args);
    }
    let destination = Destination::new(args.out.as_deref())?;
    let mut options = args.reading.options();
    options.labels_column.clone_from(&args.labels_column);
    let data = read_dataset_with(&args.data, &args.labels, &options)?;
    let in_order = data.paired_by == Some(PairedBy::OrderAndIdsOfOne);
    let k = args.clusters.or(data.n_clusters).unwrap_or(0);
    let mut config = settings::resolve(args, &data, k)?;
    config.n_clusters = settings::n_clusters(args, &config, &data)?;
    let source =
        run_folder::Source { data_hash: Some(DataHash::of(&data.features)), ..source(args) };
    let written = run_folder::config_toml("cluster DATA...", &config, &source)?;
    let config = config.check(&data.features, compute).map_err(settings::hint)?;

    let watcher = Watcher::new(args.told.quiet);
    reading::roles(&data).for_each(|line| watcher.say(&line));
    reading::notes(&data).for_each(|note| watcher.note(&note));
    if in_order {
        watcher.note("--labels: paired with the data row by row, as only one of them has ids");
    }
    let outcome = consilience::run(&data.features, &config, &watcher)?;
    watcher.mention("writing");

    let seconds = start.elapsed().as_secs_f64();
    let mut metrics = Metrics::of_run(&outcome, &config, seconds, data.truth.as_ref())?;
    let staging = destination.stage(&data.name)?;
    interrupt::remove_on_exit(staging.leftovers());
    let (ids, rows) = (data.ids.as_deref(), data.rows.as_deref());
    let provenance = Provenance { ids, rows, recipe: &data.recipe };
    run_folder::write(staging.path(), &outcome, &metrics, &written, &provenance)?;
    let folder = staging.publish()?;
    if !args.no_curve {
        watcher.mention("curve of strictness");
        let curve = Curve::of_run(&outcome, &config, data.truth.as_ref())?;
        if !curve.left_out.is_empty() {
            watcher.note(&curve::left_out(&curve.left_out));
        }
        metrics.set_curve(curve);
        run_folder::rewrite_metrics(&folder, &metrics)?;
    }
    watcher.mention("report");
    // A page that can't be made is no reason to lose the run.
    let page = RunFolder::open(&folder);
    if let Err(error) = page.and_then(|run| report::write(&run, Data::Features(&data.features))) {
        watcher.note(&format!("no {}: {error}", report::REPORT));
    }
    watcher.finish();

    let text = if args.told.json {
        metrics.to_json()
    } else {
        let sizes = outcome.answer.assignments.sizes();
        let profile = args.profile;
        let summary = Summary { name: &data.name, metrics: &metrics, sizes: &sizes, profile };
        summary.text(&folder)
    };
    answer(&text)?;
    Ok(if metrics.complete { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A run for each K, of which only a line is kept.
fn try_out(range: &KRange, compute: Compute, args: &ClusterArgs) -> Result<ExitCode> {
    let data = read_dataset_with(&args.data, &[], &args.reading.options())?;
    let mut config = settings::resolve(args, &data, *range.ks().end())?;
    config.rounds = args.rounds.unwrap_or(1);
    let watcher = Watcher::new(args.told.quiet);
    let observe = |row: &KRow| watcher.say(&k_range::line(row));
    let rows = consilience::k_range::of_runs(
        &data.features,
        &config,
        range.ks(),
        compute,
        &watcher,
        observe,
    );
    let rows = rows.map_err(settings::hint)?;
    watcher.finish();
    answer(&k_range::text(&rows, args.told.json)?)?;
    Ok(ExitCode::SUCCESS)
}

fn source(args: &ClusterArgs) -> run_folder::Source {
    let names = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect();
    run_folder::Source {
        data: names(&args.data),
        labels: names(&args.labels),
        device: args.device.to_string(),
        data_hash: None,
    }
}
