//! The end of a summary: the files of a run, and commands that use them.

use std::path::Path;

use super::style::{bold, table, word};

/// Files of a run folder, in the order in which one looks at them, and what is in them.
const FILES: [(&str, &str); 11] = [
    ("report.html", "what came out, with pictures: open it in a browser"),
    ("clusters.csv", "what each cluster is: size, typical samples, what sets it apart"),
    ("assignments.csv", "cluster and confidence of every sample"),
    ("pseudo_labels.csv", "the samples on which the models agree: label, agreement, margin"),
    ("layers.npz", "other clusterings that the data show, coarser and finer"),
    ("strays.npz", "how little each sample belongs anywhere"),
    ("metrics.json", "all numbers of the run, for scripts"),
    ("votes.npz", "all votes, for pseudo-label and numpy.load"),
    ("run.h5", "votes, probabilities and results as arrays, for h5py"),
    ("config.toml", "all settings; give it to --config to repeat the run"),
    ("models", "the trained models"),
];

/// The files in `folder` that are there, and command lines to go on with.
pub(super) fn text(folder: &Path) -> String {
    let is_there = |name: &str| folder.join(name).exists();
    let files: Vec<_> = FILES
        .into_iter()
        .filter(|(name, _)| is_there(name))
        .map(|(name, meaning)| (name, meaning.to_owned()))
        .collect();
    let run = word(folder);
    let mut next = Vec::new();
    if is_there("report.html") {
        let page = word(&folder.join("report.html"));
        next.push((page, "open it: do the clusters make sense?"));
    } else {
        let command = format!("consilience report {run}");
        next.push((command, "writes a page to look at: do the clusters make sense?"));
    }
    next.push((format!("consilience export {run}"), "writes the pseudo-labels for other tools"));
    if is_there("models") {
        next.push((format!("consilience predict {run} NEW"), "finds the clusters of new samples"));
    }
    let next: Vec<_> =
        next.iter().map(|(command, use_)| (command.as_str(), (*use_).to_owned())).collect();
    let title = bold(&format!("In {run}:"));
    format!("{title}\n\n{}\n{}\n\n{}", table(&files), bold("Next:"), table(&next))
}
