//! Settings of an encoder, by what kind of data there are.

use consilience_data::{Features, Recipe};
use consilience_ensembles::{DataKind, Pretext, PretextParams};

use crate::RunError;
use crate::config::Config;

/// Settings to start from for a pretext on these features, that `recipe` made of files. `preset` says what kind of data they are, as for a run ([`Config::preset`]): `auto` looks at them.
///
/// # Errors
///
/// [`RunError::Preset`] if there is none of that name, [`RunError::Setting`] for `paper`, which is of networks that cluster.
pub fn params_for(
    pretext: Pretext,
    preset: &str,
    features: &Features,
    recipe: &Recipe,
) -> Result<PretextParams, RunError> {
    let shape = (features.n_samples(), features.n_features());
    if let Some(words) = &recipe.vocabulary {
        return Ok(PretextParams { pretext, ..PretextParams::of_words(words.len(), shape) });
    }
    // Of how many clusters doesn't matter here.
    let config = Config::preset_for(preset, features, recipe, 2)?;
    let kinds = [DataKind::Image, DataKind::Text, DataKind::Embedding, DataKind::Tabular];
    let kind = kinds.into_iter().find(|kind| kind.name() == config.preset);
    let kind = kind.ok_or_else(|| RunError::Setting {
        name: "preset",
        need: "auto, image, text, embedding or tabular".into(),
        got: preset.into(),
    })?;
    let scaling = config.preparation.scaling;
    let params = PretextParams::new(pretext, kind, scaling, config.network.image, shape);
    // An array of (n, length, channels) is that of images, for all that its shape says.
    let channels = recipe.image.map_or(1, |[_, columns, depth]| columns * depth);
    Ok(params.with_channels(channels, shape.1))
}
