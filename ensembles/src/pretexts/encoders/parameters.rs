//! Parameters as layers ask for them, by name: drawn for a new network, or read from a file.

use candle_core::{DType, Device, Tensor};
use consilience_data::Rng;

use crate::engine::candle::Parameter;
use crate::error::EnsembleError;
use crate::members::save::Arrays;

/// Where values come from.
enum Source<'a> {
    Drawn(&'a mut Rng),
    Read(&'a mut Arrays),
}

/// The parameters of the layers that were made so far.
pub(crate) struct Parameters<'a> {
    source: Source<'a>,
    dtype: DType,
    /// In the order in which they were asked for.
    pub(crate) learnt: Vec<Parameter>,
}

impl<'a> Parameters<'a> {
    /// Of a new network.
    pub(crate) fn drawn(rng: &'a mut Rng) -> Self {
        Self { source: Source::Drawn(rng), dtype: DType::F32, learnt: Vec::new() }
    }

    /// Of a network that was saved.
    pub(crate) fn read(arrays: &'a mut Arrays) -> Self {
        Self { source: Source::Read(arrays), dtype: DType::F32, learnt: Vec::new() }
    }

    /// In double precision, to compare gradients with differences.
    #[cfg(test)]
    pub(crate) fn in_double(mut self) -> Self {
        self.dtype = DType::F64;
        self
    }

    /// A matrix, shape (1, input, output): normal with variance `gain` / `input` (He et al., 2015).
    pub(crate) fn weight(
        &mut self,
        name: String,
        [input, output]: [usize; 2],
        gain: f64,
    ) -> Result<Tensor, EnsembleError> {
        let values = match &mut self.source {
            Source::Drawn(rng) => {
                #[expect(
                    clippy::cast_precision_loss,
                    clippy::cast_possible_truncation,
                    reason = "a width; f32 storage"
                )]
                let std = (gain / input as f64).sqrt() as f32;
                rng.normal(input * output).into_iter().map(|value| value * std).collect()
            }
            Source::Read(arrays) => {
                let matrix = arrays.take_matrix(&name)?;
                if matrix.dim() != (input, output) {
                    let reason = format!(
                        "{name} is of shape {:?}, expected {:?}",
                        matrix.dim(),
                        (input, output)
                    );
                    return Err(arrays.damaged(&reason));
                }
                matrix.into_raw_vec_and_offset().0
            }
        };
        self.add(name, values, (1, input, output))
    }

    /// A row, shape (1, 1, width), of `start` in a new network.
    pub(crate) fn row(
        &mut self,
        name: String,
        width: usize,
        start: f32,
    ) -> Result<Tensor, EnsembleError> {
        let values = match &mut self.source {
            Source::Drawn(_) => vec![start; width],
            Source::Read(arrays) => arrays.take_vector(&name, width)?,
        };
        self.add(name, values, (1, 1, width))
    }

    fn add(
        &mut self,
        name: String,
        values: Vec<f32>,
        shape: (usize, usize, usize),
    ) -> Result<Tensor, EnsembleError> {
        let value = Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(self.dtype)?;
        let parameter = Parameter::new(name, &value)?;
        let value = parameter.value.as_tensor().clone();
        self.learnt.push(parameter);
        Ok(value)
    }
}
