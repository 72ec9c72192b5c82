//! Settings of an encoder, by what kind of data there are.

use consilience_data::Dataset;
use consilience_ensembles::{DataKind, Pretext, PretextParams};

use crate::RunError;
use crate::config::Config;

/// Settings to start from for a pretext on these data. `preset` says what kind of data they are, as for a run ([`Config::preset`]): `auto` looks at them.
///
/// # Errors
///
/// [`RunError::Preset`] if there is none of that name, [`RunError::Setting`] for `paper`, which is of networks that cluster.
pub fn params_for(
    pretext: Pretext,
    preset: &str,
    data: &Dataset,
) -> Result<PretextParams, RunError> {
    // Of how many clusters doesn't matter here.
    let config = Config::preset_for(preset, &data.features, &data.recipe, 2)?;
    let kinds = [DataKind::Image, DataKind::Text, DataKind::Embedding, DataKind::Tabular];
    let kind = kinds.into_iter().find(|kind| kind.name() == config.preset);
    let kind = kind.ok_or_else(|| RunError::Setting {
        name: "preset",
        need: "auto, image, text, embedding or tabular".into(),
        got: preset.into(),
    })?;
    let shape = (data.features.n_samples(), data.features.n_features());
    let scaling = config.preparation.scaling;
    Ok(PretextParams::new(pretext, kind, scaling, config.network.image, shape))
}
