//! What a run was made of.

use std::path::Path;

use consilience_data::{DataError, Recipe};
use consilience_graph::Signatures;
use serde::{Deserialize, Serialize};

use super::write_text;
use crate::RunError;

/// The name of the file with the settings.
pub const CONFIG: &str = "config.toml";
/// The name of the file that says how files became features.
pub const RECIPE: &str = "recipe.json";

/// Where the features of a run came from.
#[derive(Debug, Clone, Copy)]
pub struct Provenance<'a> {
    /// What samples are called, length n_samples, if the data says it.
    pub ids: Option<&'a [String]>,
    /// Which row of the data each is, length n_samples, if some rows were left out.
    pub rows: Option<&'a [usize]>,
    /// How files became features.
    pub recipe: &'a Recipe,
}

/// What a run was made of: the table `[run]` of `config.toml`. It decides nothing when the file is read again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Source {
    /// The data, as named on the command line.
    pub data: Vec<String>,
    /// Files of labels for the scores.
    pub labels: Vec<String>,
    /// The labels of some samples that the run was told, as named on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels_partial: Option<String>,
    /// A hash of them, to know them again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_hash: Option<String>,
    /// The file of pairs that are in one cluster, as named on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must_link: Option<String>,
    /// The file of pairs that are in two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cannot_link: Option<String>,
    /// Hashes of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links_hash: Option<[String; 2]>,
    /// What networks started from, as named on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// A hash of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_hash: Option<String>,
    /// Files of other views of the samples, as named on the command line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<String>,
    /// Hashes of their features, in the order of the samples.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub view_hashes: Vec<String>,
    /// The run of which it is another cut, as named on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_of: Option<String>,
    /// Where the networks were trained.
    pub device: String,
    /// [`DataHash`](consilience_data::DataHash) of the features, if they were there, to know them again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_hash: Option<String>,
}

/// The content of `config.toml`. `command` takes it with `--config`.
///
/// # Errors
///
/// [`RunError::Setting`] for a setting that TOML has no notation for, such as a seed of 2^63 or more.
pub fn config_toml(
    command: &str,
    config: &impl Serialize,
    source: &Source,
) -> Result<String, RunError> {
    let repeat = format!("{command} --config {CONFIG}");
    settings_toml(
        &format!("All settings of a run. To repeat it: consilience {repeat}"),
        config,
        source,
    )
}

/// As [`config_toml`], with another first line.
pub(super) fn settings_toml(
    title: &str,
    config: &impl Serialize,
    source: &Source,
) -> Result<String, RunError> {
    let refused = |error: toml::ser::Error| RunError::Setting {
        name: CONFIG,
        need: "settings that can be written as TOML".into(),
        got: error.to_string(),
    };
    let settings = toml::to_string(config).map_err(refused)?;
    let source = toml::to_string(source).map_err(refused)?;
    Ok(format!(
        "# {title}\n\n\
         {settings}\n# What it was made of. Not read by --config.\n[run]\n{source}"
    ))
}

/// Writes how files became features.
pub(super) fn write_recipe(folder: &Path, recipe: &Recipe) -> Result<(), DataError> {
    let recipe = serde_json::to_string_pretty(recipe).expect("plain data") + "\n";
    write_text(&folder.join(RECIPE), &recipe)
}

/// Votes of other tools.
#[derive(Debug, Clone, Copy)]
pub struct GivenVotes<'a> {
    /// The votes, each model's clusters numbered densely.
    pub signatures: &'a Signatures,
    /// What each of a model's clusters was called, shape (n_models), of n_clusters of the model each.
    pub ids: &'a [Vec<i64>],
    /// What samples are called, length n_samples, if the votes or their run say it.
    pub samples: Option<&'a [String]>,
    /// Which row of the data each is, length n_samples, if the votes or their run say that rows were left out or turned.
    pub rows: Option<&'a [usize]>,
    /// How files became the features that were voted on, if the votes are those of a run.
    pub recipe: Option<&'a Recipe>,
}
