//! `models/view-N/`: what new samples need to be seen in a view that isn't the data, and those who vote on it, as far as they have a part in the answer.

use std::fs;
use std::path::{Path, PathBuf};

use consilience_data::{ModelIdx, Votes};
use consilience_ensembles::{Encoder, Ensemble};
use serde::{Deserialize, Serialize};

use super::read::json;
use super::source::{RECIPE, write_recipe};
use super::transform::{read_transform, write_transform};
use super::{damaged, unwritable};
use crate::RunError;
use crate::views::{Part, View, ViewSight, ViewSource, ViewVoters};

const ENCODER: &str = "encoder.safetensors";
const SCALING: &str = "scaling.npz";
const MEMBERS: &str = "members";
const COMMUNITIES: &str = "communities";

/// What `ensemble.json` has of a view.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ViewManifest {
    /// What it is called.
    name: String,
    /// Whether an encoder makes it of the data.
    learnt: bool,
    /// Number of clusters of each of its mixtures and k-means, and of its communities; none where they have no part in the answer.
    members: Vec<usize>,
    communities: Vec<usize>,
}

/// A view as it was saved, and voters with the number of clusters of each.
pub(super) struct SavedView {
    pub(super) sight: ViewSight,
    pub(super) voters: Vec<(Part, Vec<usize>, Ensemble)>,
}

/// Writes voters into a new folder; the number of clusters of each.
pub(super) fn save(
    folder: &Path,
    voters: &Ensemble,
    votes: &Votes,
) -> Result<Vec<usize>, RunError> {
    fs::create_dir(folder).map_err(|error| unwritable(folder, &error))?;
    voters.save(folder)?;
    let of_model = |model| votes.n_clusters(ModelIdx::from_index(model));
    Ok((0..votes.n_models()).map(of_model).collect())
}

/// Writes the view `at` into `models`, with the voters that the answer `takes`.
pub(super) fn write(
    models: &Path,
    at: usize,
    voters: &ViewVoters,
    takes: impl Fn(Part) -> bool,
) -> Result<ViewManifest, RunError> {
    let folder = folder_of(models, at);
    fs::create_dir(&folder).map_err(|error| unwritable(&folder, &error))?;
    let ViewVoters { view: View { settings, source, data }, members, votes, communities } = voters;
    match source {
        ViewSource::Learnt(encoder) => encoder.save(&folder.join(ENCODER))?,
        ViewSource::Given(recipe) => write_recipe(&folder, recipe)?,
    }
    write_transform(&folder.join(SCALING), data.transform())?;
    let members = takes(Part::members(at)).then(|| save(&folder.join(MEMBERS), members, votes));
    let communities = communities.as_ref().filter(|_| takes(Part::communities(at)));
    let communities =
        communities.map(|it| save(&folder.join(COMMUNITIES), &it.ensemble, &it.votes));
    Ok(ViewManifest {
        name: settings.name.clone(),
        learnt: !settings.is_given(),
        members: members.transpose()?.unwrap_or_default(),
        communities: communities.transpose()?.unwrap_or_default(),
    })
}

/// Reads the view `at`, to predict on `threads` threads.
pub(super) fn read(
    models: &Path,
    at: usize,
    view: &ViewManifest,
    threads: usize,
) -> Result<SavedView, RunError> {
    let folder = folder_of(models, at);
    let transform = read_transform(&folder.join(SCALING))?;
    let source = if view.learnt {
        let path = folder.join(ENCODER);
        let encoder = Encoder::load(&path)?;
        if encoder.width() != transform.n_features() {
            return Err(damaged(&path, &format!("it doesn't fit {SCALING}")));
        }
        ViewSource::Learnt(Box::new(encoder))
    } else {
        ViewSource::Given(Box::new(json(&folder.join(RECIPE))?))
    };
    let seen = transform.projection.as_ref().map_or(transform.n_features(), |p| p.ncols());
    let mut voters = Vec::new();
    for (part, name, n_clusters) in [
        (Part::members(at), MEMBERS, &view.members),
        (Part::communities(at), COMMUNITIES, &view.communities),
    ] {
        if !n_clusters.is_empty() {
            let ensemble = Ensemble::load(&folder.join(name), seen, n_clusters, threads)?;
            voters.push((part, n_clusters.clone(), ensemble));
        }
    }
    Ok(SavedView { sight: ViewSight { name: view.name.clone(), source, transform }, voters })
}

fn folder_of(models: &Path, at: usize) -> PathBuf {
    models.join(format!("view-{at}"))
}
