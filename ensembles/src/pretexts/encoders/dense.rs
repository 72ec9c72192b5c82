//! Dense layers.

use candle_core::{Result, Tensor};

use super::network::Network;
use super::parameters::Parameters;
use crate::engine::candle::{Way, linear, shift_relu};
use crate::error::EnsembleError;

/// A product, a shift and, if it is rectified, max(0, x).
pub(crate) struct Dense {
    weight: Tensor,
    shift: Tensor,
    rectified: bool,
}

impl Dense {
    /// From `shape[0]` features to `shape[1]`; its parameters are `name.weight` and `name.shift`.
    pub(crate) fn new(
        parameters: &mut Parameters<'_>,
        name: &str,
        shape: [usize; 2],
        rectified: bool,
    ) -> std::result::Result<Self, EnsembleError> {
        let gain = if rectified { 2.0 } else { 1.0 };
        let weight = parameters.weight(format!("{name}.weight"), shape, gain)?;
        let shift = parameters.row(format!("{name}.shift"), shape[1], 0.0)?;
        Ok(Self { weight, shift, rectified })
    }
}

impl Network for Dense {
    fn forward(&self, rows: &Tensor) -> Result<Tensor> {
        let product = linear(rows, &self.weight)?;
        if self.rectified {
            return shift_relu(Way::of(rows.device(), rows.dtype()), &product, &self.shift);
        }
        product.broadcast_add(&self.shift)
    }
}

/// Dense layers one after the other, all but the last rectified.
pub(crate) struct DenseLayers(Vec<Dense>);

impl DenseLayers {
    /// Through these widths, the first that of the input. O(sum of the products of neighbouring widths) a row.
    pub(crate) fn new(
        parameters: &mut Parameters<'_>,
        name: &str,
        widths: &[usize],
    ) -> std::result::Result<Self, EnsembleError> {
        let last = widths.len().saturating_sub(2);
        let layer = |(index, pair): (usize, &[usize])| {
            Dense::new(parameters, &format!("{name}.{index}"), [pair[0], pair[1]], index < last)
        };
        widths.windows(2).enumerate().map(layer).collect::<std::result::Result<_, _>>().map(Self)
    }
}

impl Network for DenseLayers {
    fn forward(&self, rows: &Tensor) -> Result<Tensor> {
        self.0.iter().try_fold(rows.clone(), |rows, layer| layer.forward(&rows))
    }
}
