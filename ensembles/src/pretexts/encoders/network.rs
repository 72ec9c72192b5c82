use candle_core::{Result, Tensor, bail};

/// Layers that make one row of every row: shape (1, n, input) becomes (1, n, output). No row depends on another.
pub(crate) trait Network: Send + Sync {
    fn forward(&self, rows: &Tensor) -> Result<Tensor>;

    /// What is known at each of these words of whole texts, shape (1, words, output); of a network that reads words.
    fn at_words(&self, _words: &[u32]) -> Result<Tensor> {
        bail!("expected a network that reads words")
    }
}
