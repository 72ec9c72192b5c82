//! Rows that a search goes through: those in memory, or made of them each time that they are asked for.

use std::ops::Range;

use consilience_data::Features;
use ndarray::{Array2, ArrayView2, Axis, CowArray, Ix2, s};

use crate::numerics::matrix::{CHUNK, row};
use crate::preparation::transform::Transform;

/// Rows, shape (n_samples, n_features). However they come, the same row has the same bits.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// Each contiguous.
    Held(ArrayView2<'a, f32>),
    /// Scaled when they are asked for, so that large data aren't in memory twice.
    Scaled(&'a Features, &'a Transform),
}

impl<'a> From<ArrayView2<'a, f32>> for Rows<'a> {
    fn from(rows: ArrayView2<'a, f32>) -> Self {
        Self::Held(rows)
    }
}

impl Rows<'_> {
    /// The same, borrowed from here.
    pub(crate) fn view(&self) -> Rows<'_> {
        match self {
            Self::Held(rows) => Rows::Held(rows.view()),
            Self::Scaled(features, transform) => Rows::Scaled(features, transform),
        }
    }

    pub(crate) fn n_samples(&self) -> usize {
        self.values().nrows()
    }

    pub(crate) fn n_features(&self) -> usize {
        self.values().ncols()
    }

    /// Whether they are in memory as they are.
    pub(crate) fn are_held(&self) -> bool {
        matches!(self, Self::Held(_))
    }

    /// Some rows, in this order, without what is in the `mean`.
    pub(crate) fn select(&self, samples: &[u32], mean: &[f32]) -> Array2<f32> {
        let order: Vec<usize> = samples.iter().map(|&sample| sample as usize).collect();
        let mut rows = self.made(self.values().select(Axis(0), &order));
        for mut row in rows.rows_mut() {
            row.iter_mut().zip(mean).for_each(|(value, mean)| *value -= mean);
        }
        rows
    }

    /// All of them, a thousand at a time.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let n = self.n_samples();
        (0..n).step_by(CHUNK).map(move |first| first..n.min(first + CHUNK))
    }

    /// Rows that follow one another.
    pub(crate) fn chunk(&self, samples: Range<usize>) -> CowArray<'_, f32, Ix2> {
        match self {
            Self::Held(rows) => rows.slice(s![samples, ..]).into(),
            Self::Scaled(features, transform) => {
                transform.scaled(&features.view().slice(s![samples, ..])).into()
            }
        }
    }

    /// Calls `tell` with every sample and its row.
    pub(crate) fn each(&self, mut tell: impl FnMut(usize, &[f32])) {
        for samples in self.chunks() {
            let rows = self.chunk(samples.clone());
            samples.enumerate().for_each(|(index, sample)| tell(sample, row(&rows, index)));
        }
    }

    fn values(&self) -> ArrayView2<'_, f32> {
        match self {
            Self::Held(rows) => rows.view(),
            Self::Scaled(features, _) => features.view(),
        }
    }

    fn made(&self, rows: Array2<f32>) -> Array2<f32> {
        match self {
            Self::Held(_) => rows,
            Self::Scaled(_, transform) => transform.scaled(&rows.view()),
        }
    }
}
