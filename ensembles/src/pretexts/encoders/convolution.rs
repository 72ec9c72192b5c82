//! Convolutions over images, and along series, which are images of one row.

use candle_core::{Result, Tensor};

use super::dense::Dense;
use super::network::Network;
use super::parameters::Parameters;
use super::patches::{Grid, Patches};
use crate::error::EnsembleError;

/// Patches, and a dense layer that is the same for all of them.
struct Convolution {
    patches: Patches,
    dense: Dense,
    /// Values that come out, of all places.
    output: usize,
}

impl Network for Convolution {
    fn forward(&self, rows: &Tensor) -> Result<Tensor> {
        let n = rows.dim(1)?;
        self.dense.forward(&self.patches.of(rows)?)?.reshape((1, n, self.output))
    }
}

/// Convolutions, each of half as many rows and columns as the one before, and a dense layer on what is left.
pub(crate) struct Convolutions {
    layers: Vec<Convolution>,
    last: Dense,
}

impl Convolutions {
    /// Of `grid`, with patches of `kernel` rows and columns, and as many convolutions as there are `channels`, to `output` values.
    pub(crate) fn new(
        parameters: &mut Parameters<'_>,
        name: &str,
        mut grid: Grid,
        kernel: [usize; 2],
        channels: &[usize],
        output: usize,
    ) -> std::result::Result<Self, EnsembleError> {
        let stride = kernel.map(|length| if length > 1 { 2 } else { 1 });
        let mut layers = Vec::new();
        for (index, &channels) in channels.iter().enumerate() {
            let patches = Patches { grid, kernel, stride };
            let dense = Dense::new(
                parameters,
                &format!("{name}.{index}"),
                [patches.len(), channels],
                true,
            )?;
            let [rows, columns] = patches.places();
            grid = Grid { rows, columns, channels };
            layers.push(Convolution { patches, dense, output: grid.len() });
        }
        let name = format!("{name}.{}", channels.len());
        let last = Dense::new(parameters, &name, [grid.len(), output], false)?;
        Ok(Self { layers, last })
    }
}

impl Network for Convolutions {
    fn forward(&self, rows: &Tensor) -> Result<Tensor> {
        let convolved =
            self.layers.iter().try_fold(rows.clone(), |rows, layer| layer.forward(&rows))?;
        self.last.forward(&convolved)
    }
}
