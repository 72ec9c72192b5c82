//! An embedding of samples that may have ids.

use consilience_data::Features;

/// An embedding, and what its samples are called.
#[derive(Debug, Clone, Copy)]
pub struct Embedding<'a> {
    /// Shape (n_samples, width).
    pub features: &'a Features,
    /// What samples are called, length n_samples, if they are called anything.
    pub ids: Option<&'a [String]>,
    /// Which row of the data each is, length n_samples, if some rows were left out.
    pub rows: Option<&'a [usize]>,
}

impl Embedding<'_> {
    /// The row of the data that a sample is, counted from 0.
    pub(crate) fn row(&self, sample: usize) -> usize {
        self.rows.map_or(sample, |rows| rows[sample])
    }
}
