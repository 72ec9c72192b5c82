//! What the networks of a stack learn: their parameters one above the other, with their optimiser's moments.

use candle_core::{DType, Device, Result, Tensor, Var};

use crate::members::weights::{self, Weights};

/// One parameter of a model.
pub(super) type Part<'a> = &'a dyn Fn(&Weights) -> &weights::Parameter;

/// Puts the same parameter of all models on the device.
pub(super) type Upload<'a> = dyn FnMut(Part<'_>) -> Result<Tensor> + 'a;

/// One parameter of all models, shape (models, rows, columns); of a vector, rows = 1.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) value: Var,
    /// Running means of gradients and of their squares, shape (2, models, rows, columns).
    pub(super) moments: Tensor,
    /// Steps that it has been trained for: as many in every model.
    pub(super) steps: i32,
}

impl Parameter {
    /// One that no optimiser has moved yet; `value` of shape (models, rows, columns).
    pub(crate) fn new(name: String, value: &Tensor) -> Result<Self> {
        let moments = Tensor::stack(&[value, value], 0)?.zeros_like()?;
        Ok(Self { name, value: Var::from_tensor(value)?, moments, steps: 0 })
    }

    /// Puts the same parameter of several models one above the other.
    pub(super) fn upload(
        of_models: &[&weights::Parameter],
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let first = of_models[0];
        debug_assert!(of_models.iter().all(|other| other.steps == first.steps));
        let moments = [
            stacked(of_models, |parameter| &parameter.first, dtype, device)?,
            stacked(of_models, |parameter| &parameter.second, dtype, device)?,
        ];
        Ok(Self {
            name: first.name.clone(),
            value: Var::from_tensor(&values(of_models, dtype, device)?)?,
            moments: Tensor::stack(&moments, 0)?,
            steps: first.steps,
        })
    }

    /// Writes it back to where it came from.
    pub(super) fn download(&self, of_models: &mut [&mut weights::Parameter]) -> Result<()> {
        let (value, moments) = (to_host(&self.value)?, to_host(&self.moments)?);
        let (first, second) = moments.split_at(value.len());
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

/// The same parameter of several models, one above the other: shape (models, rows, columns).
pub(super) fn values(
    of_models: &[&weights::Parameter],
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    stacked(of_models, |parameter| &parameter.value, dtype, device)
}

fn stacked(
    of_models: &[&weights::Parameter],
    part: fn(&weights::Parameter) -> &[f32],
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    let shape = &of_models[0].shape;
    debug_assert!(of_models.iter().all(|other| other.shape == *shape));
    let rows = if shape.len() == 2 { shape[0] } else { 1 };
    let values: Vec<&[f32]> = of_models.iter().map(|parameter| part(parameter)).collect();
    Tensor::from_vec(values.concat(), (of_models.len(), rows, ()), device)?.to_dtype(dtype)
}

/// All values, in order.
pub(crate) fn to_host(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}
