//! The patches of images that a convolution looks at, as rows of a matrix: a convolution is then one product.
//!
//! Candle's own convolution is slow on the CPU in its gradient, and works in a pool of the process.

use std::ops::AddAssign;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// Rows, columns and channels, which lie side by side in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) channels: usize,
}

impl Grid {
    pub(crate) fn len(self) -> usize {
        self.rows * self.columns * self.channels
    }
}

/// Where the patches of a grid lie: one for each `stride`-th row and column, its middle there. Beyond the edges are zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patches {
    pub(crate) grid: Grid,
    /// Rows and columns of a patch.
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
}

impl Patches {
    /// Rows and columns of patches.
    pub(crate) fn places(self) -> [usize; 2] {
        [self.grid.rows.div_ceil(self.stride[0]), self.grid.columns.div_ceil(self.stride[1])]
    }

    /// Values of a patch.
    pub(crate) fn len(self) -> usize {
        self.kernel[0] * self.kernel[1] * self.grid.channels
    }

    /// The patches of `images`, shape (1, n, grid): shape (1, n places, values of a patch). O(n places values), in parallel.
    pub(crate) fn of(self, images: &Tensor) -> Result<Tensor> {
        images.contiguous()?.apply_op1(Gather(self))
    }

    fn all(self) -> usize {
        let [rows, columns] = self.places();
        rows * columns * self.len()
    }

    /// Calls `copy` with every run of values that patches and an image share: where it begins in the patches, in the image, and its length.
    #[inline]
    fn runs(self, mut copy: impl FnMut(usize, usize, usize)) {
        let Grid { rows, columns, channels } = self.grid;
        let [n_rows, n_columns] = self.places();
        for place in 0..n_rows * n_columns {
            let first_column = place % n_columns * self.stride[1];
            // Columns of the patch that lie in the image, counted in the patch.
            let before = (self.kernel[1] - 1) / 2;
            let left = before.saturating_sub(first_column);
            let right = self.kernel[1].min(columns + before - first_column);
            for row in 0..self.kernel[0] {
                let from = place / n_columns * self.stride[0] + row;
                let Some(from) = from.checked_sub((self.kernel[0] - 1) / 2) else { continue };
                if from >= rows || left >= right {
                    continue;
                }
                let patch = place * self.len() + (row * self.kernel[1] + left) * channels;
                let pixel = (from * columns + first_column + left - before) * channels;
                copy(patch, pixel, (right - left) * channels);
            }
        }
    }

    fn gather<T: Copy + Default + Send + Sync>(self, images: &[T]) -> Vec<T> {
        let mut patches = vec![T::default(); images.len() / self.grid.len() * self.all()];
        let each = patches.par_chunks_mut(self.all()).zip(images.par_chunks(self.grid.len()));
        each.for_each(|(patches, image)| {
            self.runs(|patch, pixel, length| {
                patches[patch..patch + length].copy_from_slice(&image[pixel..pixel + length]);
            });
        });
        patches
    }

    fn add_up<T: Copy + Default + AddAssign + Send + Sync>(self, patches: &[T]) -> Vec<T> {
        let mut images = vec![T::default(); patches.len() / self.all() * self.grid.len()];
        let each = images.par_chunks_mut(self.grid.len()).zip(patches.par_chunks(self.all()));
        each.for_each(|(image, patches)| {
            self.runs(|patch, pixel, length| {
                let from = &patches[patch..patch + length];
                image[pixel..pixel + length].iter_mut().zip(from).for_each(|(to, &by)| *to += by);
            });
        });
        images
    }
}

/// From images to patches.
struct Gather(Patches);

/// From gradients of patches to those of images.
struct AddUp(Patches);

impl CustomOp1 for Gather {
    fn name(&self) -> &'static str {
        "patches"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, n, _) = layout.shape().dims3()?;
        let [rows, columns] = self.0.places();
        let shape = (1, n * rows * columns, self.0.len()).into();
        Ok((
            match (storage, layout.contiguous_offsets()) {
                (CpuStorage::F32(all), Some((start, end))) => {
                    CpuStorage::F32(self.0.gather(&all[start..end]))
                }
                (CpuStorage::F64(all), Some((start, end))) => {
                    CpuStorage::F64(self.0.gather(&all[start..end]))
                }
                _ => bail!("expected contiguous floats"),
            },
            shape,
        ))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        gradient.contiguous()?.apply_op1_no_bwd(&AddUp(self.0)).map(Some)
    }
}

impl CustomOp1 for AddUp {
    fn name(&self) -> &'static str {
        "patches-gradient"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, rows, _) = layout.shape().dims3()?;
        let [down, across] = self.0.places();
        let shape = (1, rows / (down * across), self.0.grid.len()).into();
        Ok((
            match (storage, layout.contiguous_offsets()) {
                (CpuStorage::F32(all), Some((start, end))) => {
                    CpuStorage::F32(self.0.add_up(&all[start..end]))
                }
                (CpuStorage::F64(all), Some((start, end))) => {
                    CpuStorage::F64(self.0.add_up(&all[start..end]))
                }
                _ => bail!("expected contiguous floats"),
            },
            shape,
        ))
    }
}
