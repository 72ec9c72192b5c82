//! What the networks of a stack learn: their parameters one above the other, with their optimiser's moments.

use candle_core::{DType, Device, Result, Tensor, Var};

use crate::weights;

/// One parameter of all models, shape (models, rows, columns); of a vector, rows = 1.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) value: Var,
    /// Running mean of gradients.
    pub(super) first: Tensor,
    /// Running mean of their squares.
    pub(super) second: Tensor,
    /// Steps that it has been trained for: as many in every model.
    pub(super) steps: i32,
}

impl Parameter {
    /// Puts the same parameter of several models one above the other.
    pub(super) fn upload(
        of_models: &[&weights::Parameter],
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let first = of_models[0];
        debug_assert!(of_models.iter().all(|other| other.shape == first.shape));
        debug_assert!(of_models.iter().all(|other| other.steps == first.steps));
        let (rows, columns) = match first.shape[..] {
            [rows, columns] => (rows, columns),
            _ => (1, first.value.len()),
        };
        let stacked = |values: fn(&weights::Parameter) -> &[f32]| {
            let values: Vec<f32> =
                of_models.iter().flat_map(|parameter| values(parameter)).copied().collect();
            Tensor::from_vec(values, (of_models.len(), rows, columns), device)?.to_dtype(dtype)
        };
        Ok(Self {
            name: first.name.clone(),
            value: Var::from_tensor(&stacked(|parameter| &parameter.value)?)?,
            first: stacked(|parameter| &parameter.first)?,
            second: stacked(|parameter| &parameter.second)?,
            steps: first.steps,
        })
    }

    /// Writes it back to where it came from.
    pub(super) fn download(&self, of_models: &mut [&mut weights::Parameter]) -> Result<()> {
        let [value, first, second] =
            [self.value.as_tensor(), &self.first, &self.second].map(to_host);
        let (value, first, second) = (value?, first?, second?);
        let length = value.len() / of_models.len();
        for (model, parameter) in of_models.iter_mut().enumerate() {
            debug_assert_eq!(parameter.name, self.name);
            let place = model * length..(model + 1) * length;
            parameter.value.copy_from_slice(&value[place.clone()]);
            parameter.first.copy_from_slice(&first[place.clone()]);
            parameter.second.copy_from_slice(&second[place]);
            parameter.steps = self.steps;
        }
        Ok(())
    }
}

/// All values, in order.
pub(super) fn to_host(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}
