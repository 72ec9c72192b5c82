//! What networks of a run start from: what `meta-train` has learnt, or the networks of an earlier run.

use std::path::Path;

use consilience_ensembles::{Initialisation, Preparation};
use toml::Value;

use crate::RunError;
use crate::run_folder::{CONFIG, manifest, read_settings};

/// The first network of a run.
const NETWORK: &str = "models/model-00.safetensors";

/// Reads what networks can start from: a file that `meta-train` has written, or the hidden layers of the first network of a run folder.
///
/// # Errors
///
/// [`RunError::Ensemble`] for a file that is missing, damaged or something else; [`RunError::Folder`] for a run without networks, and for one
/// whose networks see principal directions, which are those of its own data.
pub fn read_start(path: &Path) -> Result<Initialisation, RunError> {
    if !path.is_dir() {
        return Ok(Initialisation::load(path)?);
    }
    let settings = read_settings(path)?;
    let preparation = settings.get("preparation").cloned().map(Value::try_into::<Preparation>);
    let (Some(Ok(preparation)), true) = (preparation, path.join(NETWORK).is_file()) else {
        let why = "the run has no models to start from, as its votes were given; name one of 'consilience cluster'";
        return Err(RunError::folder(path, &why));
    };
    manifest::verify(path, &[CONFIG, NETWORK])?;
    let Ok(found) = Initialisation::of_network(&path.join(NETWORK), preparation.scaling) else {
        let why = "its first model is no network; name a run of networks, or a file of 'consilience meta-train'";
        return Err(RunError::folder(path, &why));
    };
    if preparation.components > 0 && found.n_features() == preparation.components {
        let why = format!(
            "its networks see {} principal directions of its own data, which other data don't have; name a run with preparation.components = 0, or a file of 'consilience meta-train'",
            preparation.components
        );
        return Err(RunError::folder(path, &why));
    }
    Ok(found)
}
