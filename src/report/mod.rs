//! `report.html`: a run on one page, for a person.
//!
//! It answers, in this order: what came out, whether it can be trusted, what is in each cluster, where it goes wrong, how
//! samples lie, and how it was run. Everything on it comes from the run folder and the data: the same folder and data give the
//! same bytes. Every number that is also in `metrics.json` says where (`data-metric`, a JSON pointer).
//!
//! The page is one file that asks nothing of any network, and its policy forbids it to. Texts from the data are escaped by the
//! template engine. A script of a few lines names the point of the map under the pointer; all else works without.

mod chart;
mod colour;
mod embedding;
mod figures;
mod map;
mod matrix;
mod members;
mod mistakes;
mod numerals;
mod overview;
mod plateaus;
mod provenance;
mod settings;
mod sprite;
mod trust;

use std::path::{Path, PathBuf};

use askama::Template;
use consilience_data::{Dataset, Features};

use self::embedding::Embedding;
use self::figures::Figures;
use self::map::Map;
use self::members::{Members, What};
use self::mistakes::Mistakes;
use self::overview::Overview;
use self::plateaus::Plateaus;
use self::provenance::Provenance;
use self::trust::Trust;
use crate::RunError;
use crate::run_folder::{RunFolder, add_file};

/// The name of the file.
pub const REPORT: &str = "report.html";

/// The data of a run, as far as a report can have it.
#[derive(Debug, Clone, Copy)]
pub enum Data<'a> {
    /// What was clustered, known to be the run's and read as its recipe says.
    Features(&'a Features),
    /// Data that were read again, or that a run of votes didn't have.
    Read(&'a Dataset),
    /// Why there is none: a sentence that says how to have it.
    Missing(&'a str),
}

/// All that is on the page.
#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    style: &'static str,
    script: &'static str,
    /// What the page allows to run: the script, by its hash.
    policy: &'static str,
    /// What was clustered.
    name: String,
    overview: Overview,
    plateaus: Option<Plateaus>,
    trust: Trust,
    members: Option<Members>,
    mistakes: Option<Mistakes>,
    map: Option<Map>,
    provenance: Provenance,
    /// Why there are no members and no map.
    missing: Option<String>,
}

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
const POLICY: &str = include_str!("policy.txt");

/// The page on a run. O(n d K) at worst, and a few seconds for the map.
///
/// # Errors
///
/// [`RunError::Folder`] if `metrics.json` has something else for a number or tables that don't fit each other, and if the data
/// are of another size or their samples are called otherwise.
pub fn render(run: &RunFolder, data: Data<'_>) -> Result<String, RunError> {
    let figures = Figures::read(&run.metrics, &run.path)?;
    let (features, recipe, ids, missing) = match data {
        Data::Features(features) => (Some(features), &run.recipe, None, None),
        Data::Read(data) => (Some(&data.features), &data.recipe, data.ids.as_deref(), None),
        Data::Missing(why) => (None, &run.recipe, None, Some(why.to_owned())),
    };
    if let Some(features) = features {
        check(run, &figures, features, ids)?;
    }
    let pictures = features.and_then(|features| members::pictures(run, features, recipe));
    let page = Page {
        style: STYLE,
        script: SCRIPT,
        policy: POLICY.trim(),
        name: name(run),
        overview: Overview::of(&figures),
        plateaus: Plateaus::of(&figures),
        trust: Trust::of(&figures, settings::labelling(run), settings::min_agree(run)),
        members: features
            .map(|features| Members::of(run, (features, recipe), pictures.as_ref(), &figures)),
        mistakes: Mistakes::of(run, &figures, pictures.as_ref()),
        map: features.map(|features| Map::of(run, features, settings::scaling(run))),
        provenance: Provenance::of(run, &figures),
        missing,
    };
    Ok(page.render().expect("a text in memory takes everything"))
}

/// Rows of the samples that the page's map shows, ascending, and the place of each: neighbours beside one another.
///
/// # Errors
///
/// As [`render`].
pub fn places(
    run: &RunFolder,
    features: &Features,
) -> Result<(Vec<usize>, Vec<[f32; 2]>), RunError> {
    check(run, &Figures::read(&run.metrics, &run.path)?, features, None)?;
    let embedding = Embedding::of(features, settings::scaling(run), settings::seed(run));
    Ok((embedding.samples, embedding.places))
}

/// Writes the page on a run into its folder, in place of one that may be there, and says where it is.
///
/// # Errors
///
/// As [`render`], and [`DataError::Unwritable`](consilience_data::DataError::Unwritable).
pub fn write(run: &RunFolder, data: Data<'_>) -> Result<PathBuf, RunError> {
    let page = render(run, data)?;
    add_file(&run.path, REPORT, page.as_bytes())?;
    Ok(run.path.join(REPORT))
}

/// Refuses data that aren't the run's.
fn check(
    run: &RunFolder,
    figures: &Figures,
    features: &Features,
    ids: Option<&[String]>,
) -> Result<(), RunError> {
    run.check_samples(features.n_samples(), ids)?;
    let found = features.n_features();
    match figures.n_features {
        Some(expected) if expected != found => Err(RunError::Folder {
            path: run.path.display().to_string(),
            problem: format!(
                "has {expected} features, the data {found}; name the data that was clustered"
            ),
        }),
        _ => Ok(()),
    }
}

/// What was clustered: the first file's name, without its folders and extensions.
fn name(run: &RunFolder) -> String {
    let first = run.source.data.first().map_or("", String::as_str);
    let file = Path::new(first).file_name().map_or(first.into(), |name| name.to_string_lossy());
    let stem = file.split('.').next().filter(|stem| !stem.is_empty()).unwrap_or(&file);
    let more = run.source.data.len().saturating_sub(1);
    match (stem, more) {
        ("", _) => "A run".into(),
        (stem, 0) => stem.into(),
        (stem, more) => format!("{stem} and {more} more"),
    }
}
