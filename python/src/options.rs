//! From what a user sets to the settings of a run, in the command line's order: preset, settings, then what has a name of its own.

use std::num::NonZero;
use std::thread;

use consilience::embedding::params_for;
use consilience::few_labels::FewLabels;
use consilience::overlay::overlay;
use consilience::views::ViewSettings;
use consilience::{Config, Effort, RunError};
use consilience_data::{Features, Recipe, Seed};
use consilience_ensembles::{Compute, Pretext};
use consilience_graph::{AgreementParams, Strictness};
use pyo3::prelude::*;
use toml::Table;

/// What a user sets of a run, as `consilience/_validation.py` passes it on. Whatever is `None` is left to the preset.
#[derive(Debug, Clone, FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Options {
    preset: String,
    effort: String,
    /// The content of a `config.toml`, as JSON.
    settings: Option<String>,
    seed: Option<u64>,
    rounds: Option<usize>,
    models: Option<usize>,
    agreement: AgreementOptions,
    /// Pretexts whose encoders give other views of the data.
    views: Vec<String>,
    /// 0: as many as there are cores.
    threads: usize,
}

/// What a user sets of the agreement graph.
#[derive(Debug, Clone, FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct AgreementOptions {
    min_agree: Option<String>,
    max_agree: Option<String>,
    min_common: Option<String>,
    min_confidence: Option<f32>,
}

impl Options {
    /// The settings for `k` clusters; of a run that learns from labels, with how it does.
    pub(crate) fn config(
        &self,
        features: &Features,
        recipe: &Recipe,
        k: usize,
        few: Option<FewLabels>,
    ) -> Result<Config, RunError> {
        let effort: Effort = self.effort.parse()?;
        let networks = self.models.is_some() || self.rounds.is_some_and(|rounds| rounds > 1);
        if effort == Effort::Quick && (networks || self.preset == "paper") {
            return Err(RunError::Setting {
                name: "effort",
                need:
                    "default or thorough where n_models, max_rounds or the preset ask for networks"
                        .into(),
                got: effort.to_string(),
            });
        }
        let config = Config::preset_for(&self.preset, features, recipe, k)?;
        let mut config = config.with_effort(effort);
        if let Some(few) = few {
            config = config.with_labels(few);
        }
        if let Some(settings) = &self.settings {
            config = overlay(&config, table(settings)?)?;
        }
        config.version = env!("CARGO_PKG_VERSION").into();
        config.seed = self.seed.map_or(config.seed, Seed);
        config.rounds = self.rounds.unwrap_or(config.rounds);
        if let Some(models) = self.models {
            config.set_models(models, None);
        }
        self.agreement.apply(&mut config.agreement)?;
        for name in &self.views {
            let pretext = pretext("views", name)?;
            let params = params_for(pretext, &self.preset, features, recipe)?;
            config.views.push(ViewSettings::learnt(params));
        }
        config.n_clusters = k;
        Ok(config)
    }

    /// Rounds that were asked for.
    pub(crate) fn rounds(&self) -> Option<usize> {
        self.rounds
    }

    pub(crate) fn compute(&self) -> Compute {
        Compute::cpu(threads(self.threads))
    }
}

/// The pretext of that name, for the parameter `name`.
pub(crate) fn pretext(name: &'static str, text: &str) -> Result<Pretext, RunError> {
    let need = || format!("one of {}", Pretext::ALL.map(Pretext::name).join(", "));
    text.parse().map_err(|_| RunError::Setting { name, need: need(), got: text.into() })
}

impl AgreementOptions {
    /// Replaces what is set.
    pub(crate) fn apply(&self, agreement: &mut AgreementParams) -> Result<(), RunError> {
        set(&mut agreement.min_agree, self.min_agree.as_deref())?;
        set(&mut agreement.max_agree, self.max_agree.as_deref())?;
        set(&mut agreement.min_common, self.min_common.as_deref())?;
        agreement.min_confidence = self.min_confidence.unwrap_or(agreement.min_confidence);
        Ok(())
    }
}

fn set(strictness: &mut Strictness, text: Option<&str>) -> Result<(), RunError> {
    if let Some(text) = text {
        *strictness = text.parse()?;
    }
    Ok(())
}

/// Settings that a user nests in a dictionary.
pub(crate) fn table(json: &str) -> Result<Table, RunError> {
    serde_json::from_str(json).map_err(|error| RunError::Overlay {
        key: "settings".into(),
        problem: format!("need what config.toml can hold: {error}"),
    })
}

/// So many threads; 0 stands for one a core.
pub(crate) fn threads(asked: usize) -> usize {
    match asked {
        0 => thread::available_parallelism().map_or(1, NonZero::get),
        some => some,
    }
}
