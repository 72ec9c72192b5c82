//! `pseudo-label --counts`: signatures that another engine has counted.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use consilience::from_counts::{Counts, LabelledCounts, agreement_of, from_counts};
use consilience::run_folder::RunFolder;
use consilience::{Predictor, output};
use consilience_data::{ClusterId, read_columns};
use consilience_graph::Threads;
use serde::Serialize;

use super::style::{bold, count, percent, plural, table, warning, word};
use super::{PseudoLabelArgs, answer, interrupt, settings, summary, values};

/// Columns of the table.
const COLUMNS: [&str; 4] = ["signature", "cluster", "count", "first"];

/// What came out, for `--json`.
#[derive(Serialize)]
struct Told<'a> {
    run: &'a Path,
    out: &'a Path,
    n_signatures: usize,
    n_samples: u64,
    n_labelled: u64,
    n_clusters: usize,
    complete: bool,
    /// Number of samples with each label, length n_clusters.
    sizes: &'a [u64],
}

/// A line of the table of labels.
#[derive(Serialize)]
struct Line<'a> {
    signature: &'a str,
    label: u16,
    agreement: u16,
    margin: i32,
}

/// Labels the signatures in the table `path`, which the models of a run gave.
pub(super) fn run(args: &PseudoLabelArgs, path: &Path) -> Result<ExitCode> {
    let [run] = args.votes.as_slice() else {
        bail!("--counts: name the one run whose models gave the signatures");
    };
    let out = args.out.clone().unwrap_or_else(|| default_out(path));
    if out.symlink_metadata().is_ok() {
        bail!("{}: exists already; name another with --out, or remove it", out.display());
    }
    if out.extension().is_none_or(|extension| extension != "csv") {
        bail!("{}: name a .csv file with --out", out.display());
    }
    let n_threads = args.threads.unwrap_or_else(values::cores);
    let threads = Threads::watched(n_threads, &interrupt::cancelled)?;
    let predictor = Predictor::load(run, n_threads)?;
    let codes = predictor.signature_codes()?;
    let mut agreement = agreement_of(&RunFolder::open(run)?.config, codes.n_models())?;
    settings::agree(&mut agreement, &args.agreement);
    agreement.check(codes.n_models()).map_err(|error| settings::hint(error.into()))?;
    let counts = read(path, predictor.has_strays())?;
    interrupt::go_on()?;
    let k = predictor.n_clusters();
    let found = from_counts(&counts, &codes, k, &agreement, &threads)
        .map_err(|error| anyhow!("{}: {error}", path.display()))?;
    output::replace(&out, &lines(&found)?)?;
    let complete = found.is_complete();
    let text = if args.told.json {
        let told = Told {
            run,
            out: &out,
            n_signatures: found.n_signatures,
            n_samples: found.n_samples,
            n_labelled: found.n_labelled(),
            n_clusters: found.n_clusters,
            complete,
            sizes: &found.sizes,
        };
        serde_json::to_string_pretty(&told)? + "\n"
    } else {
        text(path, &found, &out)
    };
    answer(&text)?;
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn default_out(counts: &Path) -> PathBuf {
    let stem = counts.file_stem().unwrap_or_default().to_string_lossy();
    format!("{stem}-labels.csv").into()
}

/// `with_strays`: whether rows without a cluster are of samples that belong nowhere, and have no label; else they are mistakes.
fn read(path: &Path, with_strays: bool) -> Result<Counts> {
    let mut columns = read_columns(path, &COLUMNS)?;
    if with_strays {
        let is_stray = |cell: &Option<String>| cell.as_deref().is_none_or(|cell| cell == "-1");
        let strays: Vec<bool> = columns[1].iter().map(is_stray).collect();
        for column in &mut columns {
            let mut strays = strays.iter();
            column.retain(|_| strays.next() == Some(&false));
        }
    }
    let empty = |column: usize, row: usize| {
        let name = COLUMNS[column];
        anyhow!(
            "{}: row {row}: no {name}; every row has all of {}",
            path.display(),
            COLUMNS.join(", ")
        )
    };
    let mut words = Vec::new();
    for (column, cells) in columns.into_iter().enumerate() {
        let cells = cells.into_iter().enumerate();
        let cells = cells.map(|(row, cell)| cell.ok_or_else(|| empty(column, row)));
        words.push(cells.collect::<Result<Vec<String>>>()?);
    }
    let [signatures, clusters, counts, firsts] = <[_; 4]>::try_from(words).expect("four columns");
    let wrong = |row: usize, name: &str, found: &str| {
        anyhow!("{}: row {row}: {name} {found} is no whole number from 0", path.display())
    };
    let clusters = clusters
        .iter()
        .enumerate()
        .map(|(row, text)| text.parse().map(ClusterId).map_err(|_| wrong(row, "cluster", text)));
    let counts = counts
        .iter()
        .enumerate()
        .map(|(row, text)| text.parse().map_err(|_| wrong(row, "count", text)));
    let (clusters, counts) = (clusters.collect::<Result<_>>()?, counts.collect::<Result<_>>()?);
    Ok(Counts { signatures, clusters, counts, firsts })
}

fn lines(found: &LabelledCounts) -> Result<Vec<u8>> {
    let mut text = csv::Writer::from_writer(Vec::new());
    for label in &found.labels {
        text.serialize(Line {
            signature: &label.signature,
            label: label.label.0,
            agreement: label.agreement,
            margin: label.margin,
        })?;
    }
    Ok(text.into_inner()?)
}

fn text(path: &Path, found: &LabelledCounts, out: &Path) -> String {
    let narrow = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let sizes: Vec<usize> = found.sizes.iter().map(|&size| narrow(size)).collect();
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = found.n_labelled() as f64 / found.n_samples as f64;
    let labelled = format!("{} ({})", count(narrow(found.n_labelled())), percent(share));
    let rows =
        [("pseudo-labels", labelled), ("label sizes", summary::sizes(&sizes)), ("file", word(out))];
    let title = format!(
        "{}: {} of {}, K = {}",
        path.display(),
        plural(found.n_signatures, "signature"),
        plural(narrow(found.n_samples), "sample"),
        found.n_clusters,
    );
    let incomplete = match found.is_complete() {
        true => String::new(),
        false => {
            let labelled = sizes.iter().filter(|&&size| size > 0).count();
            let (incomplete, k) = (warning("Incomplete:"), found.n_clusters);
            format!(
                "{incomplete} only {labelled} of {k} clusters have pseudo-labels; try a lower --min-agree, or count with a lower bound\n\n"
            )
        }
    };
    format!(
        "{}\n\n{}\n{incomplete}A sample that was counted has its signature's label if that is its cluster.\n",
        bold(&title),
        table(&rows)
    )
}
