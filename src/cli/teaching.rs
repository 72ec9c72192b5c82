//! `consilience train`: what it has beside `cluster`, of which it is a run that learns from labels.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use consilience::few_labels::Taught;
use consilience::{Config, Effort};
use consilience_data::{Dataset, GivenLabels, PairedBy, ReadOptions, read_given_labels};

use super::k_range::Clusters;
use super::style::{count, plural};
use super::summary::classes;
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
        (cluster.k_range.is_some(), "--k-range"),
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

impl TeachingArgs {
    /// How the data is read: without the column of labels, if it is one of theirs.
    pub(super) fn reading(&self, options: &mut ReadOptions) {
        if let Some(column) = self.column() {
            options.ignored_columns.push(column.into());
        }
    }

    fn column(&self) -> Option<&str> {
        self.labels_partial.as_deref()?.strip_prefix(COLUMN)
    }

    /// The labels, and how they were paired with the samples of the data.
    pub(super) fn read(
        &self,
        paths: &[PathBuf],
        data: &Dataset,
        options: &ReadOptions,
    ) -> Result<(GivenLabels, PairedBy)> {
        let mut options = options.clone();
        let files = match (self.column(), &self.labels_partial) {
            (Some(column), _) => {
                options.labels_column = Some(column.into());
                options.ignored_columns.retain(|ignored| ignored != column);
                paths.to_vec()
            }
            (None, Some(file)) => {
                options.labels_column = None;
                vec![Path::new(file).to_path_buf()]
            }
            (None, None) => bail!("--labels-partial: name the labels to learn from"),
        };
        Ok(read_given_labels(&files, &options, data)?)
    }

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
}

impl TeachingArgs {
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

/// What a person should know of the labels before anything is trained.
pub(super) fn tell(given: &GivenLabels, by: PairedBy, k: usize, watcher: &Watcher) {
    let (labelled, samples) = (given.n_labelled(), given.n_samples());
    let sizes = given.sizes();
    let classes = classes(given.n_classes());
    let (least, most) = (sizes.iter().min().unwrap_or(&0), sizes.iter().max().unwrap_or(&0));
    let each = if least == most {
        count(*least)
    } else {
        format!("{} to {}", count(*least), count(*most))
    };
    watcher.say(&format!("labels to learn from: {}, {each} of each of {classes}", count(labelled)));
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
        watcher.note(
            "all samples have a label, so this is supervised learning; there is none left to score",
        );
    }
    if given.n_classes() == 1 {
        watcher.note("all labels are of one class, so nothing tells what it is not; give labels of others, too");
    }
    if k > given.n_classes() {
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
    let names = taught.given.names();
    let name = |id: consilience_data::ClusterId| {
        names.get(id.index()).map_or_else(|| id.0.to_string(), Clone::clone)
    };
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
