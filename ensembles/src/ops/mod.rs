//! Tensor operations of which candle's own version is slow, or computes gradients that nobody asks for.
//!
//! Each has its own backward pass; its tests hold it against the same operation composed of candle's, and its
//! gradient against finite differences. All work on contiguous f32 tensors, samples first.

mod batch_norm;
mod combinator;
mod denoising;
mod linear;
mod shift_relu;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use batch_norm::{Statistics, normalise};
pub(crate) use combinator::{N_PARAMETERS, combine};
pub(crate) use denoising::denoising_cost;
pub(crate) use linear::linear;
pub(crate) use shift_relu::shift_relu;

use candle_core::{CpuStorage, Device, Layout, Result, Shape, Storage, Tensor, bail};

/// The values of a contiguous f32 tensor in host memory.
fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("expected a contiguous f32 tensor, got {:?}", layout.shape()),
    }
}

/// Calls `read` with the values of tensors in host memory.
fn with_slices<const N: usize, R>(
    tensors: [&Tensor; N],
    read: impl FnOnce([&[f32]; N]) -> R,
) -> Result<R> {
    let contiguous = tensors.map(Tensor::contiguous);
    let mut guards = Vec::with_capacity(N);
    for tensor in &contiguous {
        match tensor {
            Ok(tensor) => guards.push(tensor.storage_and_layout()),
            Err(error) => bail!("{error}"),
        }
    }
    let mut slices: [&[f32]; N] = [&[]; N];
    for (values, (storage, layout)) in slices.iter_mut().zip(&guards) {
        match &**storage {
            Storage::Cpu(storage) => *values = slice(storage, layout)?,
            _ => bail!("expected a tensor in host memory"),
        }
    }
    Ok(read(slices))
}

fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(values, shape.into(), &Device::Cpu)
}
