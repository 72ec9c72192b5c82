//! The models of a run: all that prediction needs, written and read back.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use consilience_data::{ClusterId, DataError, ModelIdx};
use consilience_ensembles::{Clusterer, Ensemble, KMeansModel};
use consilience_graph::{Alignment, Placer, PlacerParts};
use serde::{Deserialize, Serialize};

use super::read::{check, json};
use super::strays::{read_rule, write_rule};
use super::transform::{read_transform, write_transform};
use super::views::{self, ViewManifest};
use super::{MAX_CLUSTERS, damaged, manifest, unwritable, write_text};
use crate::RunError;
use crate::judge::Chosen;
use crate::outcome::Outcome;
use crate::rule::Rule;
use crate::strays::Strays;
use crate::views::{Part, Sight};

const FOLDER: &str = "models";
const ENSEMBLE: &str = "ensemble.json";
const K_MEANS: &str = "k-means.safetensors";
const SCALING: &str = "scaling.npz";
const COMMUNITIES: &str = "communities";
const PLACES: &str = "places.json";

/// `ensemble.json`: how the models' answers become one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    /// Which clustering the run ended with.
    chosen: Chosen,
    /// Number of common clusters, the consensus'.
    n_common: usize,
    /// The common cluster of each of every model's clusters, shape (n_models, n_clusters of the model).
    to_common: Vec<Vec<Option<ClusterId>>>,
    /// Number of clusters of each of the communities that are kept.
    #[serde(default)]
    communities: Vec<usize>,
    /// Whether the votes of the networks alone were cut anew, so that they are placed and not averaged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    recut: bool,
    /// Other views of the samples, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    views: Vec<ViewManifest>,
    /// Where there are other views: whose votes are placed, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part>,
}

/// Models as they were saved.
pub(crate) struct Saved {
    /// Which clustering the run ended with.
    pub(crate) chosen: Chosen,
    pub(crate) sight: Sight,
    pub(crate) rule: Rule,
    /// The members of the run, where they have no part in the rule.
    pub(crate) apart: Option<Ensemble>,
    /// Number of clusters of each member.
    pub(crate) n_clusters: Vec<usize>,
    /// What tells strays, if they were sought.
    pub(crate) strays: Option<Strays>,
}

/// Writes the models of `outcome` into a run folder.
pub(super) fn write(folder: &Path, outcome: &Outcome) -> Result<(), RunError> {
    let models = folder.join(FOLDER);
    fs::create_dir(&models).map_err(|error| unwritable(&models, &error))?;
    outcome.ensemble.save(&models)?;
    let answer = &outcome.answer;
    if let (Chosen::KMeans, Some(k_means)) = (answer.chosen, &answer.k_means) {
        k_means.save(&models.join(K_MEANS))?;
    }
    let takes = |part: Part| answer.parts.contains(&part);
    let voters = outcome.voters.as_ref().filter(|_| takes(Part::COMMUNITIES));
    let communities = voters
        .map(|voters| views::save(&models.join(COMMUNITIES), &voters.ensemble, &voters.votes));
    let communities = communities.transpose()?.unwrap_or_default();
    if let Some((_, placer)) = &answer.cut {
        write_places(&models, placer)?;
    }
    let write_view = |(at, view)| views::write(&models, at, view, takes);
    let of_views = (1..).zip(&outcome.views).map(write_view).collect::<Result<Vec<_>, _>>()?;
    let (alignment, n_models) = (&outcome.alignment, outcome.alignment.n_models());
    let to_common = |model| alignment.from_model(ModelIdx::from_index(model)).to_vec();
    let manifest = Manifest {
        chosen: answer.chosen,
        n_common: alignment.n_common(),
        to_common: (0..n_models).map(to_common).collect(),
        communities,
        recut: false,
        parts: if of_views.is_empty() { Vec::new() } else { answer.parts.clone() },
        views: of_views,
    };
    write_manifest(&models, &manifest)?;
    outcome.strays.as_ref().map_or(Ok(()), |found| write_rule(&models, &found.rule))?;
    write_transform(&models.join(SCALING), outcome.data.transform())
}

/// Copies the models of the run in `from` into a run folder, with another way from votes to clusters.
pub(super) fn write_recut(
    folder: &Path,
    from: &Path,
    placer: &Placer,
    strays: Option<&Strays>,
) -> Result<(), RunError> {
    let [old, new] = [from, folder].map(|folder| folder.join(FOLDER));
    copy(&old, &new).map_err(|error| unwritable(&new, &error))?;
    let manifest: Manifest = json(&old.join(ENSEMBLE))?;
    let recut = manifest.chosen == Chosen::Ensemble;
    write_places(&new, placer)?;
    strays.map_or(Ok(()), |rule| write_rule(&new, rule))?;
    Ok(write_manifest(&new, &Manifest { recut, ..manifest })?)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, place) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&path, &place)?;
        } else {
            fs::copy(&path, &place)?;
        }
    }
    Ok(())
}

fn write_manifest(models: &Path, manifest: &Manifest) -> Result<(), DataError> {
    let manifest = serde_json::to_string(manifest).expect("plain data") + "\n";
    write_text(&models.join(ENSEMBLE), &manifest)
}

fn write_places(models: &Path, placer: &Placer) -> Result<(), DataError> {
    let places = serde_json::to_string(&placer.parts()).expect("plain data") + "\n";
    write_text(&models.join(PLACES), &places)
}

/// Reads the models of the run in `folder`, to predict on `threads` threads.
pub(crate) fn read(folder: &Path, threads: usize) -> Result<Saved, RunError> {
    check(folder)?;
    let models = folder.join(FOLDER);
    if !models.is_dir() {
        let why =
            "the run has no models, as its votes were given; name one of 'consilience cluster'";
        return Err(RunError::folder(folder, &why));
    }
    manifest::verify(folder, &["models/"])?;
    let path = models.join(ENSEMBLE);
    if !path.exists() {
        let why =
            "no such file: the run was made by an older version; run 'consilience cluster' again";
        return Err(RunError::folder(&path, &why));
    }
    let Manifest { chosen, n_common, to_common, communities, recut, views, parts } = json(&path)?;
    let n_clusters: Vec<usize> = to_common.iter().map(Vec::len).collect();
    if n_clusters.is_empty() {
        return Err(damaged(&path, "no models"));
    }
    let too_many = |&k: &usize| k > MAX_CLUSTERS;
    if n_common > MAX_CLUSTERS || n_clusters.iter().chain(&communities).any(too_many) {
        return Err(damaged(&path, "more clusters than there can be"));
    }
    let alignment = Alignment::from_common(to_common, n_common);
    let alignment = alignment.map_err(|error| damaged(&path, &error.to_string()))?;
    let transform = read_transform(&models.join(SCALING))?;
    let seen = transform.projection.as_ref().map_or(transform.n_features(), |p| p.ncols());
    let networks = || Ensemble::load(&models, seen, &n_clusters, threads);
    let folder = models.join(COMMUNITIES);
    let voters = || Ensemble::load(&folder, seen, &communities, threads);
    let mut sizes = BTreeMap::from([(Part::MEMBERS, n_clusters.clone())]);
    let mut others = BTreeMap::new();
    if !communities.is_empty() && matches!(chosen, Chosen::AcrossKinds | Chosen::Communities) {
        sizes.insert(Part::COMMUNITIES, communities.clone());
        others.insert(Part::COMMUNITIES, voters()?);
    }
    let mut seen_in = Vec::new();
    for (at, view) in (1..).zip(&views) {
        let read = views::read(&models, at, view, threads)?;
        seen_in.push(read.sight);
        for (part, of_part, ensemble) in read.voters {
            if of_part.iter().any(too_many) {
                return Err(damaged(&path, "more clusters than there can be"));
            }
            sizes.insert(part, of_part);
            others.insert(part, ensemble);
        }
    }
    let parts = match chosen {
        Chosen::AcrossKinds if views.is_empty() => vec![Part::MEMBERS, Part::COMMUNITIES],
        Chosen::Communities if views.is_empty() => vec![Part::COMMUNITIES],
        _ => parts,
    };
    let (rule, apart) = match chosen {
        Chosen::Ensemble if recut => {
            let places = read_places(&models.join(PLACES), &n_clusters)?;
            (Rule::Placed(vec![(0, networks()?)], places), None)
        }
        Chosen::Ensemble => (Rule::Averaged(networks()?, alignment), None),
        Chosen::Communities | Chosen::AcrossKinds => {
            let of_parts: Option<Vec<&Vec<usize>>> =
                parts.iter().map(|part| sizes.get(part)).collect();
            let of_parts = of_parts.filter(|found| !found.is_empty());
            let voted = of_parts.ok_or_else(|| damaged(&path, "voters that aren't there"))?;
            let voted: Vec<usize> = voted.into_iter().flatten().copied().collect();
            let places = read_places(&models.join(PLACES), &voted)?;
            Rule::placed(&parts, networks()?, others, places)
        }
        Chosen::KMeans => {
            let path = models.join(K_MEANS);
            let model = KMeansModel::load(ModelIdx(u16::MAX), &path)?;
            if model.n_features() != Some(seen) {
                return Err(damaged(&path, &format!("it is not of {seen} features")));
            }
            (Rule::k_means(model, threads)?, Some(networks()?))
        }
    };
    let strays = read_rule(&models, seen, rule.n_clusters())?;
    let sight = Sight { data: transform, views: seen_in };
    Ok(Saved { chosen, sight, rule, apart, n_clusters, strays })
}

/// Reads where votes are placed, of models of so many clusters each.
fn read_places(path: &Path, n_clusters: &[usize]) -> Result<Placer, RunError> {
    let parts: PlacerParts = json(path)?;
    let known = parts.n_clusters.iter().map(|&n| n as usize);
    let fits = parts.n_clusters.len() == n_clusters.len()
        && known.zip(n_clusters).all(|(known, &all)| known <= all);
    let placer = Placer::from_parts(&parts).filter(|_| fits);
    placer.ok_or_else(|| damaged(path, "it doesn't fit the models"))
}
