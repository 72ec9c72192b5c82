use candle_core::{Result, Tensor};

/// Layers that make one row of every row: shape (1, n, input) becomes (1, n, output). No row depends on another.
pub(crate) trait Network: Send + Sync {
    fn forward(&self, rows: &Tensor) -> Result<Tensor>;
}
