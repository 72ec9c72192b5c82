//! Other views of the samples: `--view`, of `cluster` and of `predict`.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Result, bail};
use clap::Args;
use consilience::Config;
use consilience::embedding::params_for;
use consilience::metrics::ViewMetrics;
use consilience::run_folder::Source;
use consilience::views::{GivenView, ViewSettings, check_view};
use consilience_data::{
    DataError, DataHash, Dataset, PairedBy, ReadOptions, Recipe, read_dataset_with,
};
use consilience_ensembles::Pretext;

use super::style::plural;

/// What only `cluster` takes.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ViewArgs {
    /// Another view of the same samples, on which more voters look, beside those on the data: a file of other features, whose rows are joined with the data by
    /// ids or else by order (./masked, if it is called so); or what an encoder learns from the data: autoencoder, contrastive, masked or forecast. May be given
    /// several times; predict takes such files, too
    #[arg(long = "view", value_name = "FILE|PRETEXT")]
    pub(super) views: Vec<ViewName>,
}

/// What was typed.
#[derive(Debug, Clone)]
pub(super) enum ViewName {
    Pretext(Pretext),
    File(PathBuf),
}

impl FromStr for ViewName {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.parse().map_or_else(|_| Self::File(text.into()), Self::Pretext))
    }
}

/// Views of files, in the order of the data's samples.
#[derive(Default)]
pub(super) struct GivenViews {
    views: Vec<(PathBuf, Dataset, PairedBy)>,
}

impl ViewArgs {
    /// Reads the files, and finds which row is which sample of `data`, which were read by `options`.
    pub(super) fn read(&self, data: &Dataset, options: &ReadOptions) -> Result<GivenViews> {
        let mut views = Vec::new();
        for name in &self.views {
            if let ViewName::File(path) = name {
                let view = read(path, options, &data.recipe)?;
                let (view, by) = view.as_view_of(data, &path.display().to_string())?;
                views.push((path.clone(), view, by));
            }
        }
        Ok(GivenViews { views })
    }

    /// Enters what was typed into the settings, which may have views already: these are kept if nothing was typed, and else lend their settings.
    pub(super) fn settle(&self, config: &mut Config, preset: &str, data: &Dataset) -> Result<()> {
        if self.views.is_empty() {
            return match config.views.iter().find(|view| view.is_given()) {
                Some(view) => bail!(
                    "{}: the settings have this view of the samples; name its file with --view",
                    view.name
                ),
                None => Ok(()),
            };
        }
        let mut known = std::mem::take(&mut config.views);
        for name in &self.views {
            let fits = |view: &ViewSettings| match name {
                ViewName::File(_) => view.is_given(),
                ViewName::Pretext(pretext) => {
                    view.pretext.as_ref().is_some_and(|params| params.pretext == *pretext)
                }
            };
            let known = known.iter().position(fits).map(|at| known.remove(at));
            config.views.push(match (name, known) {
                (ViewName::File(path), known) => {
                    let given = ViewSettings::given(path.display().to_string());
                    match known {
                        Some(known) => ViewSettings { name: given.name, ..known },
                        None => given,
                    }
                }
                (ViewName::Pretext(_), Some(known)) => known,
                (ViewName::Pretext(pretext), None) => ViewSettings::learnt(params_for(
                    *pretext,
                    preset,
                    &data.features,
                    &data.recipe,
                )?),
            });
        }
        Ok(())
    }
}

impl GivenViews {
    /// Their features.
    pub(super) fn given(&self) -> Vec<GivenView<'_>> {
        let all = self.views.iter();
        all.map(|(_, view, _)| GivenView { features: &view.features, recipe: &view.recipe })
            .collect()
    }

    /// Numbers of features.
    pub(super) fn widths(&self) -> Vec<usize> {
        self.views.iter().map(|(_, view, _)| view.features.n_features()).collect()
    }

    /// Refuses views in which `k` clusters can't be found.
    pub(super) fn check(&self, k: usize) -> Result<()> {
        for (path, view, _) in &self.views {
            let n_samples = view.features.n_samples();
            check_view(&path.display().to_string(), &view.features, n_samples, k)?;
        }
        Ok(())
    }

    /// Enters them into what a run was made of.
    pub(super) fn enter(&self, source: &mut Source) {
        let name = |(path, _, _): &(PathBuf, _, _)| path.display().to_string();
        source.views = self.views.iter().map(name).collect();
        source.view_hashes =
            self.views.iter().map(|(_, view, _)| DataHash::of(&view.features)).collect();
    }

    /// How rows and samples were joined, a line each.
    pub(super) fn told(&self) -> impl Iterator<Item = String> {
        self.views.iter().map(|(path, view, by)| {
            let features = plural(view.features.n_features(), "feature");
            format!("view {}: {features}, joined with the data {}", path.display(), joined(*by))
        })
    }
}

/// Reads a view of data that are read by `options`. What columns are for is found by their names; those that a person named as ids, labels, or to be left out of the data are no
/// features of a view either, if it has such.
fn read(path: &Path, options: &ReadOptions, recipe: &Recipe) -> Result<Dataset, DataError> {
    let (missing, max_memory) = (options.missing, options.max_memory);
    let missing_values = options.missing_values.clone();
    let own = ReadOptions { missing, missing_values, max_memory, ..ReadOptions::default() };
    let read = |own: &ReadOptions| read_dataset_with(&[path.to_path_buf()], &[], own);
    // The column that the data's ids are in, whether a person named it or not.
    let id_column = recipe.id_column.clone().or_else(|| recipe.options.id_column.clone());
    let with_ids = ReadOptions { id_column, ..own.clone() };
    let named = with_ids.id_column.is_some().then_some(with_ids);
    let named = named.and_then(|with_ids| Some((read(&with_ids).ok()?, with_ids)));
    // Without a header, the first column is called `column 1`, as an index without a name is elsewhere.
    let is_name = |view: &Dataset| options.id_column.is_some() || view.recipe.header != Some(false);
    let named = named.filter(|(view, _)| is_name(view));
    let (view, own) = match named {
        Some(found) => found,
        None => (read(&own)?, own),
    };
    let names = view.recipe.feature_names.as_deref().unwrap_or_default();
    let named = options.label_column.iter().chain(&options.ignored_columns);
    let aside: Vec<String> = named.filter(|&name| names.contains(name)).cloned().collect();
    if aside.is_empty() { Ok(view) } else { read(&ReadOptions { ignored_columns: aside, ..own }) }
}

/// How rows and samples were joined.
pub(super) fn joined(by: PairedBy) -> &'static str {
    match by {
        PairedBy::Ids => "by ids",
        PairedBy::Rows => "by the numbers of rows",
        PairedBy::OrderAndIdsOfOne => "row by row, as only one of them has ids",
        _ => "row by row, as they have no ids",
    }
}

/// What voted beside the data, for the summary.
pub(super) fn text(views: &[ViewMetrics]) -> String {
    let of = |view: &ViewMetrics| {
        let features = plural(view.n_features, "feature");
        let counts = match (view.search, view.is_evidence) {
            (None, _) => "",
            (Some(_), true) => "; its communities count",
            (Some(_), false) => "; its communities are noise, and left out",
        };
        format!("{} ({features}{counts})", view.name)
    };
    views.iter().map(of).collect::<Vec<_>>().join(", ")
}
