//! Calls of the kernels in `kernels.cu`.
//!
//! They are compiled for the GPU at run time. Their safe oracles are the composed operations in `ops.rs`: tests compile
//! the kernels with the host's C compiler, and hold everything that calls them against these.

#[cfg(test)]
pub(crate) mod emulator;
pub(crate) mod fused;
pub(crate) mod fused_losses;
#[cfg(feature = "cuda")]
pub(crate) mod launch;

use candle_core::backend::BackendStorage;
use candle_core::op::BackpropOp;
use candle_core::{CpuStorage, CudaStorage, Layout, Result, Shape, Storage, Tensor, bail};

/// Rows whose sums one thread makes: `PART` in `kernels.cu`.
const PART: usize = 32;

/// Number of parts that `rows` rows are summed up in.
pub(crate) fn parts(rows: usize) -> usize {
    rows.div_ceil(PART)
}

/// One kernel with all that it is told beside its tensors.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Call {
    pub(crate) kernel: &'static str,
    /// Number of threads.
    pub(crate) threads: usize,
    /// Shape of the tensors.
    pub(crate) models: usize,
    pub(crate) rows: usize,
    pub(crate) width: usize,
    /// Where noise is drawn.
    pub(crate) step: u32,
    pub(crate) layer: u32,
    /// Whatever else the kernel calls x and y.
    pub(crate) x: f32,
    pub(crate) y: f32,
}

/// A tensor's memory and how it is laid out there, which must be row after row.
pub(crate) type Input<'a, S> = Option<(&'a S, &'a Layout)>;

/// Tensors that a kernel reads: a to d, and the keys of random streams.
pub(crate) struct Inputs<'a, S> {
    pub(crate) values: [Input<'a, S>; 4],
    pub(crate) keys: Input<'a, S>,
}

impl<'a, S> Inputs<'a, S> {
    /// Tensors a, b, ...
    pub(crate) fn new<const N: usize>(values: [Input<'a, S>; N]) -> Self {
        let mut inputs = Self { values: [None; 4], keys: None };
        inputs.values[..N].copy_from_slice(&values);
        inputs
    }

    /// The tensor of this place, keys being last.
    fn set(&mut self, index: usize, input: (&'a S, &'a Layout)) {
        *self.values.get_mut(index).unwrap_or(&mut self.keys) = Some(input);
    }
}

/// Where kernels can run.
pub(crate) trait Memory: BackendStorage {
    /// Makes a tensor of `length` values.
    fn make(call: &Call, inputs: &Inputs<'_, Self>, length: usize) -> Result<Self>;

    /// Changes a tensor.
    fn change(call: &Call, out: (&mut Self, &Layout), inputs: &Inputs<'_, Self>) -> Result<()>;
}

/// A call whose result nothing is learnt through; inputs a, b, ... are all on one device.
pub(crate) fn make<const N: usize>(
    call: &Call,
    inputs: [Option<&Tensor>; N],
    shape: impl Into<Shape>,
) -> Result<Tensor> {
    make_with_keys(call, inputs, None, shape)
}

/// The same, of a kernel that reads whole numbers too.
pub(crate) fn make_with_keys<const N: usize>(
    call: &Call,
    inputs: [Option<&Tensor>; N],
    keys: Option<&Tensor>,
    shape: impl Into<Shape>,
) -> Result<Tensor> {
    let shape = shape.into();
    let mut contiguous = Vec::with_capacity(5);
    for input in inputs.into_iter().chain([None; 4]).take(4).chain([keys]) {
        contiguous.push(input.map(Tensor::contiguous).transpose()?);
    }
    let guards: Vec<_> =
        contiguous.iter().map(|input| input.as_ref().map(Tensor::storage_and_layout)).collect();
    let (mut on_host, mut on_gpu) = (Inputs::new([]), Inputs::new([]));
    for (index, guard) in guards.iter().enumerate() {
        match guard.as_ref().map(|(storage, layout)| (&**storage, *layout)) {
            None => {}
            Some((Storage::Cpu(storage), layout)) => on_host.set(index, (storage, layout)),
            Some((Storage::Cuda(storage), layout)) => on_gpu.set(index, (storage, layout)),
            Some(_) => bail!("{}: no such kernel on this device", call.kernel),
        }
    }
    let length = shape.elem_count();
    let storage = if on_gpu.values[0].is_some() {
        Storage::Cuda(CudaStorage::make(call, &on_gpu, length)?)
    } else {
        Storage::Cpu(CpuStorage::make(call, &on_host, length)?)
    };
    Ok(Tensor::from_storage(storage, shape, BackpropOp::none(), false))
}

/// Where kernels can't run; tests have C code in the GPU's place.
#[cfg(not(all(feature = "cuda", test)))]
macro_rules! no_kernels {
    ($storage:ty) => {
        impl Memory for $storage {
            fn make(call: &Call, _inputs: &Inputs<'_, Self>, _length: usize) -> Result<Self> {
                bail!("{}: only on a GPU, and in a build for it", call.kernel)
            }

            fn change(call: &Call, _: (&mut Self, &Layout), _: &Inputs<'_, Self>) -> Result<()> {
                bail!("{}: only on a GPU, and in a build for it", call.kernel)
            }
        }
    };
}

#[cfg(not(test))]
no_kernels!(CpuStorage);
#[cfg(not(feature = "cuda"))]
no_kernels!(CudaStorage);
