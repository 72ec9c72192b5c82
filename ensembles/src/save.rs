//! Models as files.

use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

use crate::EnsembleError;
use crate::weights::Weights;

/// Writes all that prediction needs to `path` in the safetensors format, sorted by name, so that the same weights give the
/// same bytes.
pub(crate) fn save(weights: &Weights, path: &Path) -> Result<(), EnsembleError> {
    let problem = |reason: String| EnsembleError::Save { path: path.into(), reason };
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    let mut add = |name: String, shape: &[usize], values: &[f32]| {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        tensors.push((name, shape.into(), bytes));
    };
    for parameter in weights.parameters() {
        add(parameter.name.clone(), &parameter.shape, &parameter.value);
    }
    for (index, layer) in weights.encoder.iter().enumerate() {
        if let Some(population) = &layer.population {
            let (mean, variance) = (&population.mean, population.variance());
            add(format!("encoder.{index}.population.mean"), &[mean.len()], mean);
            add(format!("encoder.{index}.population.variance"), &[mean.len()], &variance);
        }
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?))
    });
    let views = views.collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
    let bytes = views
        .and_then(|views| safetensors::serialize(views, None))
        .map_err(|error| problem(error.to_string()))?;
    fs::write(path, bytes).map_err(|error| problem(error.to_string()))
}
