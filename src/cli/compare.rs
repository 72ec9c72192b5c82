//! `consilience compare`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use consilience::compare::{Common, Comparison};
use consilience::run_folder::RunFolder;
use consilience_data::PairedBy;
use serde::Serialize;

use super::style::{bold, columns, count, percent, plural, word};
use super::{answer, reading};

/// Moves that are shown.
const MOST: usize = 15;

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// A run
    first: PathBuf,
    /// Another run of the same samples, or of some of them
    second: PathBuf,
    /// Write the samples that moved, each with its cluster in both runs: .csv
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// A sample that moved.
#[derive(Serialize)]
struct Line<'a> {
    sample: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    from: usize,
    to: usize,
    confidence_before: f32,
    confidence_after: f32,
}

/// Says how far two runs agree, and what moved where.
pub(super) fn run(args: &CompareArgs) -> Result<ExitCode> {
    if let Some(out) = args.out.as_deref() {
        if out.extension().is_none_or(|extension| extension != "csv") {
            bail!("{}: name a .csv file with --out", out.display());
        }
        if out.symlink_metadata().is_ok() {
            bail!("{}: exists already; name another file with --out", out.display());
        }
    }
    let (first, second) = (RunFolder::open(&args.first)?, RunFolder::open(&args.second)?);
    [&first, &second].into_iter().for_each(|run| reading::tell_appended(run, false));
    let (compared, common) = Comparison::of(&first, &second)?;
    if let Some(out) = &args.out {
        write(out, (&first, &second), &compared, &common)?;
    }
    let text = match args.json {
        true => serde_json::to_string_pretty(&compared)? + "\n",
        false => text(args, &compared),
    };
    answer(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn text(args: &CompareArgs, compared: &Comparison) -> String {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = compared.n_stayed as f64 / compared.n_common.max(1) as f64;
    let (first, second) = (word(&args.first), word(&args.second));
    let mut text = format!(
        "{}\n\n  {} in both{}; {} stayed with their cluster ({}), ARI {:.4}\n",
        bold(&format!("{first} and {second}")),
        plural(compared.n_common, "sample"),
        match compared.paired_by {
            PairedBy::Ids | PairedBy::Rows => "",
            PairedBy::OrderAndIdsOfOne => ", paired row by row, as only one of the runs has ids",
            _ => ", paired row by row, as neither run has ids",
        },
        count(number(compared.n_stayed)),
        percent(share),
        compared.ari,
    );
    for (run, alone) in [first, second].iter().zip(compared.n_alone) {
        if alone > 0 {
            text += &format!("  {} in {run} alone\n", plural(alone, "sample"));
        }
    }
    let pairs = compared.partner.iter().enumerate();
    let partners = pairs.map(|(from, to)| {
        let to = to.map_or_else(|| "-".into(), |to| to.to_string());
        format!("{from}={to}")
    });
    text += &format!("  clusters: {}\n", partners.collect::<Vec<_>>().join(" "));
    if compared.moves.is_empty() {
        return text;
    }
    let shown = compared.moves.iter().take(MOST);
    let rows = shown.map(|step| {
        vec![step.from.to_string(), step.to.to_string(), count(number(step.n_samples))]
    });
    text.push('\n');
    text += &columns(&["from", "to", "samples"], rows);
    if compared.moves.len() > MOST {
        text += &format!("  and {} more (--json)\n", count(compared.moves.len() - MOST));
    }
    if let Some(out) = &args.out {
        text += &format!("\nThe samples that moved are in {}.\n", word(out));
    }
    text
}

fn write(
    out: &Path,
    (first, second): (&RunFolder, &RunFolder),
    compared: &Comparison,
    common: &[Common],
) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for pair in common {
        let (from, to) = (pair.first.index(), pair.second.index());
        let clusters =
            [first.clusters[from], second.clusters[to]].map(|id| id.map(|id| id.index()));
        if let ([Some(before), Some(after)], true) = (clusters, compared.has_moved(clusters)) {
            writer.serialize(Line {
                sample: first.rows.as_ref().map_or(from, |rows| rows[from]),
                id: first.ids.as_ref().map(|ids| ids[from].as_str()),
                from: before,
                to: after,
                confidence_before: first.confidences[from],
                confidence_after: second.confidences[to],
            })?;
        }
    }
    Ok(consilience::output::replace(out, &writer.into_inner()?)?)
}
