//! Models as files.

use std::fs;
use std::path::Path;

use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, TensorView};

use crate::EnsembleError;
use crate::weights::Weights;

/// Name, shape and values.
pub(crate) type Array = (String, Vec<usize>, Vec<f32>);

/// Writes all that prediction needs to `path`.
pub(crate) fn save_weights(weights: &Weights, path: &Path) -> Result<(), EnsembleError> {
    let learnt = weights.parameters().map(|p| (p.name.clone(), p.shape.clone(), p.value.clone()));
    let mut arrays: Vec<Array> = learnt.collect();
    for (index, layer) in weights.encoder.iter().enumerate() {
        let Some(population) = &layer.population else { continue };
        for (part, values) in
            [("mean", population.mean.clone()), ("variance", population.variance())]
        {
            arrays.push((format!("encoder.{index}.population.{part}"), vec![values.len()], values));
        }
    }
    save_arrays(&arrays, path)
}

/// Writes `arrays` to `path` in the safetensors format, sorted by name, so that the same arrays give the same bytes.
pub(crate) fn save_arrays(arrays: &[Array], path: &Path) -> Result<(), EnsembleError> {
    let problem = |reason: String| EnsembleError::Save { path: path.into(), reason };
    let bytes: Vec<Vec<u8>> = arrays
        .iter()
        .map(|(_, _, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    let views: Result<Vec<_>, SafeTensorError> = arrays
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| {
            Ok((name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes)?))
        })
        .collect();
    let file = views
        .and_then(|views| safetensors::serialize(views, None))
        .map_err(|error| problem(error.to_string()))?;
    fs::write(path, file).map_err(|error| problem(error.to_string()))
}
