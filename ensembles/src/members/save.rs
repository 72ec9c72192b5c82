//! Models as files.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};

use crate::error::EnsembleError;
use crate::members::weights::Weights;

/// What a text about arrays is called in their file.
const DESCRIPTION: &str = "consilience";

/// Name, shape and values.
pub(crate) type Array = (String, Vec<usize>, Vec<f32>);

/// Writes all that prediction needs to `path`.
pub(crate) fn save_weights(weights: &Weights, path: &Path) -> Result<(), EnsembleError> {
    let learnt = weights.parameters().map(|p| (p.name.clone(), p.shape.clone(), p.value.clone()));
    let mut arrays: Vec<Array> = learnt.collect();
    for (index, layer) in weights.encoder.iter().enumerate() {
        let Some(population) = &layer.population else { continue };
        for (part, values) in
            [("mean", population.mean.clone()), ("inverse_std", population.inverse_std.clone())]
        {
            arrays.push((format!("encoder.{index}.population.{part}"), vec![values.len()], values));
        }
    }
    save_arrays(&arrays, path)
}

/// Writes `arrays` to `path` in the safetensors format, sorted by name, so that the same arrays give the same bytes.
pub(crate) fn save_arrays(arrays: &[Array], path: &Path) -> Result<(), EnsembleError> {
    save_described(arrays, None, path)
}

/// As [`save_arrays`], with a text about them under the key [`DESCRIPTION`] of the file's metadata.
pub(crate) fn save_described(
    arrays: &[Array],
    description: Option<String>,
    path: &Path,
) -> Result<(), EnsembleError> {
    let metadata = description.map(|text| HashMap::from([(DESCRIPTION.to_owned(), text)]));
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
        .and_then(|views| safetensors::serialize(views, metadata))
        .map_err(|error| problem(error.to_string()))?;
    fs::write(path, file).map_err(|error| problem(error.to_string()))
}

/// The tensors of a file that [`save_arrays`] wrote, to be taken out by name. All values are finite.
pub(crate) struct Arrays {
    path: PathBuf,
    description: Option<String>,
    arrays: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Arrays {
    /// Reads a file. O(values).
    pub(crate) fn read(path: &Path) -> Result<Self, EnsembleError> {
        let damaged = |reason: String| EnsembleError::Load { path: path.into(), reason };
        let bytes = fs::read(path).map_err(|error| damaged(error.to_string()))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
        let mut arrays = BTreeMap::new();
        for (name, tensor) in file.iter() {
            if tensor.dtype() != Dtype::F32 {
                return Err(damaged(format!("{name} is of {}, not F32", tensor.dtype())));
            }
            let (values, _) = tensor.data().as_chunks();
            let values: Vec<f32> = values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
            if !values.iter().all(|value| value.is_finite()) {
                return Err(damaged(format!("{name} holds values that aren't finite")));
            }
            arrays.insert(name.to_owned(), (tensor.shape().to_vec(), values));
        }
        let (_, header) =
            SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
        let description = header.metadata().as_ref().and_then(|all| all.get(DESCRIPTION).cloned());
        Ok(Self { path: path.into(), description, arrays })
    }

    /// The text about them, if there is one.
    pub(crate) fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.arrays.contains_key(name)
    }

    /// A tensor of two dimensions, neither of which is empty.
    pub(crate) fn take_matrix(&mut self, name: &str) -> Result<Array2<f32>, EnsembleError> {
        let (shape, values) = self.take(name)?;
        match shape[..] {
            [rows, columns] if rows > 0 && columns > 0 => {
                Ok(Array2::from_shape_vec((rows, columns), values).expect("checked when read"))
            }
            _ => Err(self.damaged(&format!("{name} has the shape {shape:?}, not two dimensions"))),
        }
    }

    /// A tensor of one dimension.
    pub(crate) fn take_vector(
        &mut self,
        name: &str,
        len: usize,
    ) -> Result<Vec<f32>, EnsembleError> {
        let (shape, values) = self.take(name)?;
        if shape == [len] {
            return Ok(values);
        }
        Err(self.damaged(&format!("{name} has the shape {shape:?}, expected [{len}]")))
    }

    /// The names of those that are left.
    #[cfg(test)]
    pub(crate) fn names(&self) -> Vec<String> {
        self.arrays.keys().cloned().collect()
    }

    pub(crate) fn take(&mut self, name: &str) -> Result<(Vec<usize>, Vec<f32>), EnsembleError> {
        self.arrays.remove(name).ok_or_else(|| self.damaged(&format!("it has no {name}")))
    }

    pub(crate) fn damaged(&self, reason: &str) -> EnsembleError {
        EnsembleError::Load { path: self.path.clone(), reason: reason.into() }
    }
}
