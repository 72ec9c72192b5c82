//! Models as files.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use candle_core::Tensor;

use crate::EnsembleError;

/// Writes `tensors` to `path` in the safetensors format, sorted by type and name, so that the same tensors give the same
/// bytes.
///
/// Candle's own goes through a temporary file that only its owner may read, and leaves it so.
pub(crate) fn save_tensors(
    tensors: &HashMap<String, Tensor>,
    path: &Path,
) -> Result<(), EnsembleError> {
    let problem = |reason: String| EnsembleError::Save { path: path.into(), reason };
    let bytes =
        safetensors::serialize(tensors, None).map_err(|error| problem(error.to_string()))?;
    fs::write(path, bytes).map_err(|error| problem(error.to_string()))
}
