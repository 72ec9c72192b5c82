//! `consilience cluster`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use consilience::metrics::{Circumstances, Metrics};
use consilience::run_folder::{self, Destination};
use consilience_data::read_dataset;

use super::summary::Summary;
use super::watcher::Watcher;
use super::{ClusterArgs, answer, interrupt, settings};

/// Clusters data into a run folder. Everything that can be refused is refused before any work is done.
pub(super) fn run(args: &ClusterArgs) -> Result<ExitCode> {
    let start = Instant::now();
    interrupt::install()?;
    check_device(&args.device)?;
    let mut config = settings::resolve(args)?;
    let destination = Destination::new(args.out.as_deref())?;
    let data = read_dataset(&args.data, &args.labels)?;
    config.n_clusters = settings::n_clusters(args, &config, &data)?;
    let written = run_folder::config_toml(&config, &source(args))?;
    let threads = args.threads.unwrap_or_else(settings::cores);
    let config = settings::check(config, &data.features, threads)?;

    let watcher = Watcher::new(&config.members, args.quiet);
    let outcome = consilience::run(&data.features, &config, &watcher)?;
    watcher.finish();

    let seconds = start.elapsed().as_secs_f64();
    let circumstances = Circumstances { device: args.device.clone(), seconds };
    let metrics = Metrics::new(&outcome, &config, &circumstances, data.truth.as_ref())?;
    let staging = destination.stage(&data.name)?;
    interrupt::remove_on_exit(staging.leftovers());
    run_folder::write(staging.path(), &outcome, &metrics, &written)?;
    let folder = staging.publish()?;

    let text = if args.json {
        metrics.to_json()
    } else {
        let sizes = outcome.last().consensus.sizes();
        let summary = Summary { name: &data.name, metrics: &metrics, sizes: &sizes };
        summary.text(&folder)
    };
    answer(&text)?;
    Ok(if metrics.complete { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn check_device(device: &str) -> Result<()> {
    match device.split(':').next() {
        Some("cpu") if device == "cpu" => Ok(()),
        Some("cuda") => bail!("--device {device}: this build has no CUDA; use --device cpu"),
        _ => bail!("--device {device}: no such device; use --device cpu"),
    }
}

fn source(args: &ClusterArgs) -> run_folder::Source {
    let names = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect();
    run_folder::Source {
        data: names(&args.data),
        labels: names(&args.labels),
        device: args.device.clone(),
    }
}
