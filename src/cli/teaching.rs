//! `consilience train`: what it has beside `cluster`, of which it is a run that learns from labels.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use consilience::few_labels::Taught;
use consilience::{Config, Effort, Metrics};
use consilience_data::{
    ClusterId, Dataset, GivenLabels, PairedBy, ReadOptions, Truth, read_given_labels,
};

use super::k_range::Clusters;
use super::style::{count, plural};
use super::watcher::Watcher;
use super::{ClusterArgs, TeachingArgs, TrainArgs};

/// What comes before the name of a column of the data.
const COLUMN: &str = "column:";
/// Classes that are named in a note, at most.
const TOLD: usize = 5;

/// The arguments of a run that learns from labels.
pub(super) fn of(args: TrainArgs) -> Result<ClusterArgs> {
    let TrainArgs { teaching, mut cluster } = args;
    let refused = [
        (matches!(cluster.clusters, Some(Clusters::Within(_))), "-k with a range or auto"),
        (cluster.labelling.is_some(), "--labelling"),
        (cluster.effort == Effort::Quick, "--effort quick"),
        (
            cluster.member.is_some_and(|kind| !kind.is_network()),
            "--member of a kind that doesn't learn from labels",
        ),
    ];
    if let Some((_, flag)) = refused.iter().find(|(given, _)| *given) {
        bail!(
            "train: {flag} is for cluster; there are as many clusters as classes, or the number after -k"
        );
    }
    cluster.teaching = Some(teaching);
    Ok(cluster)
}

/// How data is read that has `labels` of some samples: without their column, if it is one of the data.
pub(super) fn reading(labels: &str, options: &mut ReadOptions) {
    if let Some(column) = labels.strip_prefix(COLUMN) {
        options.ignored_columns.push(column.into());
    }
}

/// The labels of some samples, and how they were paired with those of the data.
pub(super) fn read(
    labels: &str,
    paths: &[PathBuf],
    data: &Dataset,
    options: &ReadOptions,
) -> Result<(GivenLabels, PairedBy)> {
    let mut options = options.clone();
    let files = match labels.strip_prefix(COLUMN) {
        Some(column) => {
            options.labels_column = Some(column.into());
            options.ignored_columns.retain(|ignored| ignored != column);
            paths.to_vec()
        }
        None => {
            options.labels_column = None;
            vec![Path::new(labels).to_path_buf()]
        }
    };
    Ok(read_given_labels(&files, &options, data)?)
}

impl TeachingArgs {
    /// Settings for data that have labels.
    pub(super) fn settings(&self, mut config: Config) -> Config {
        let mut few = config.few_labels.take().unwrap_or_default();
        if !self.method.is_empty() {
            few.methods.clone_from(&self.method);
        }
        if let Some((first, last)) = self.tau {
            (few.first_tau, few.tau) = (first, last);
        }
        config.with_labels(few)
    }

    /// What was typed, over what a file has.
    pub(super) fn over_file(&self, config: &mut Config) -> Result<()> {
        let Some(few) = &mut config.few_labels else { return Ok(()) };
        if !self.method.is_empty() && few.methods != self.method {
            let methods: Vec<&str> = few.methods.iter().map(|method| method.name()).collect();
            bail!(
                "--method: the file of --config is of a run by {}, with all that this sets; leave one of them out",
                methods.join(",")
            );
        }
        if let Some((first, last)) = self.tau {
            (few.first_tau, few.tau) = (first, last);
        }
        Ok(())
    }
}

/// What a person should know of the labels before anything is trained. `learns`: whether classes are learnt, as by `train`.
pub(super) fn tell(
    given: &GivenLabels,
    by: PairedBy,
    (k, learns): (usize, bool),
    watcher: &Watcher,
) {
    let (labelled, samples) = (given.n_labelled(), given.n_samples());
    let sizes = given.sizes();
    let classes = plural(given.n_classes(), "class");
    let (least, most) = (sizes.iter().min().unwrap_or(&0), sizes.iter().max().unwrap_or(&0));
    let each = if least == most {
        count(*least)
    } else {
        format!("{} to {}", count(*least), count(*most))
    };
    let what = if learns { "labels to learn from" } else { "labels that name clusters" };
    watcher.say(&format!("{what}: {}, {each} of each of {classes}", count(labelled)));
    if by == PairedBy::OrderAndIdsOfOne {
        watcher
            .note("--labels-partial: paired with the data row by row, as only one of them has ids");
    }
    if given.n_unused() > 0 {
        let labels = plural(given.n_unused(), "label");
        watcher.note(&format!(
            "--labels-partial: {labels} of samples that aren't here: of rows that were left out, or unknown"
        ));
    }
    if labelled == samples {
        watcher.note(match learns {
            true => "all samples have a label, so this is supervised learning; there is none left to score",
            false => "all samples have a label, so their classes are the clusters; there is none left to score",
        });
    }
    if given.n_classes() == 1 && learns {
        watcher.note("all labels are of one class, so nothing tells what it is not; give labels of others, too");
    }
    if k > given.n_classes() && learns {
        let more = plural(k - given.n_classes(), "further cluster");
        watcher.note(&format!(
            "-k {k}: {more} without a label, whose samples can't be held to anything"
        ));
    }
}

/// What a person should know of the labels in the end.
pub(super) fn contradicted(taught: &Taught, rows: Option<&[usize]>, watcher: &Watcher) {
    let found = &taught.contradictions;
    if found.is_empty() {
        return;
    }
    let name = |id: ClusterId| taught.name_of(id);
    let told = found.iter().take(TOLD).map(|contradiction| {
        format!(
            "sample {} ({}, rather {})",
            rows.map_or(contradiction.sample.index(), |rows| rows[contradiction.sample.index()]),
            name(contradiction.given),
            name(contradiction.found)
        )
    });
    let told: Vec<String> = told.collect();
    let all = plural(found.len(), "label");
    watcher.note(&format!(
        "{all} given that the other samples contradict, all in label_errors.csv: {}",
        told.join(", ")
    ));
}

/// Why there is no accuracy by name, although there are true classes: none has the name of a class that was given.
pub(super) fn unlike(taught: &Taught, truth: &Truth, metrics: &Metrics) -> Option<String> {
    let has_names = |name: &String| taught.given.names().contains(name);
    if metrics.scores.is_none() || truth.names().iter().any(has_names) {
        return None;
    }
    let some = |names: &[String]| {
        let more = if names.len() > TOLD { ", ..." } else { "" };
        format!("{}{more}", names[..names.len().min(TOLD)].join(", "))
    };
    Some(format!(
        "no accuracy by name: true classes are called {}, and those of --labels-partial {}; call them alike. ACC matches clusters with classes",
        some(truth.names()),
        some(taught.given.names())
    ))
}
