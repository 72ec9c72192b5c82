//! What a run's settings say, as far as the report asks.

use consilience_data::Seed;
use consilience_ensembles::Scaling;
use consilience_graph::Strictness;
use serde::Deserialize;

use crate::labelling::Labelling;
use crate::run_folder::RunFolder;

/// The seed of the run; 0 where nothing was random.
pub(super) fn seed(run: &RunFolder) -> Seed {
    let seed = run.config.get("seed").and_then(toml::Value::as_integer);
    Seed(seed.and_then(|seed| u64::try_from(seed).ok()).unwrap_or(0))
}

/// What labels come from. Votes that were given have nothing but their agreement.
pub(super) fn labelling(run: &RunFolder) -> Labelling {
    let labelling = run.config.get("labelling").cloned();
    labelling.and_then(|labelling| Labelling::deserialize(labelling).ok()).unwrap_or_default()
}

/// How many models had to agree.
pub(super) fn min_agree(run: &RunFolder) -> Option<Strictness> {
    let min_agree = run.config.get("agreement")?.get("min_agree")?.clone();
    Strictness::deserialize(min_agree).ok()
}

/// How the run scaled its features. Votes that were given don't say: features of different units, perhaps.
pub(super) fn scaling(run: &RunFolder) -> Scaling {
    let preparation = run.config.get("preparation");
    let scaling = preparation.and_then(|table| table.get("scaling")).cloned();
    scaling.and_then(|scaling| Scaling::deserialize(scaling).ok()).unwrap_or(Scaling::Standardise)
}
