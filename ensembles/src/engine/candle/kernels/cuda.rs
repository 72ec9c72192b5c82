//! The door to an NVIDIA GPU: [`Gpu`] by candle's CUDA device.

use std::sync::OnceLock;

use candle_core::cuda_backend::cudarc::driver::{
    CudaView, CudaViewMut, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::cudarc::nvrtc;
use candle_core::cuda_backend::{CudaDType, WrapErr};
use candle_core::{CudaDevice, CudaStorage, Layout, Result, bail};

use super::Memory;
use super::launch::{Arguments, BLOCK, Gpu, launch};
use super::{Call, Inputs};

const SOURCE: &str = include_str!("kernels.cu");

/// Compiles the kernels and loads them, so that it is known early whether this machine can.
pub(crate) fn load(device: &CudaDevice) -> Result<()> {
    device.get_or_load_custom_func("add_noise", "consilience", compiled()?).map(drop)
}

/// Whether matrix products of f32 may round their inputs to 10 bits (TF32), in the whole process. Only to measure what it
/// does: nobody trains with it. With inputs so rounded on the processors, losses differed by up to 2e-3 (most by 5e-5), but
/// the gradients of single parameters by up to 8 %, where rectifiers turn over.
#[cfg(test)]
pub(crate) fn allow_tf32(allowed: bool) {
    candle_core::cuda_backend::set_gemm_reduced_precision_f32(allowed);
}

fn compiled() -> Result<&'static str> {
    static COMPILED: OnceLock<std::result::Result<String, String>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(|| match nvrtc::compile_ptx(SOURCE) {
        Ok(code) => Ok(code.to_src()),
        Err(error) => Err(format!("{error:?}")),
    });
    match compiled {
        Ok(code) => Ok(code),
        Err(reason) => bail!("can't compile kernels: {reason}"),
    }
}

impl Memory for CudaStorage {
    fn make(call: &Call, inputs: &Inputs<'_, Self>, length: usize) -> Result<Self> {
        let device = inputs.values[0].expect("every kernel reads something").0.device.clone();
        #[allow(unsafe_code, reason = "a kernel writes every value of what it makes")]
        let mut out = unsafe { device.alloc::<f32>(length)? };
        launch(&device, call, (&mut out.slice_mut(..), length), inputs)?;
        Ok(Self::wrap_cuda_slice(out, device))
    }

    fn change(call: &Call, out: (&mut Self, &Layout), inputs: &Inputs<'_, Self>) -> Result<()> {
        let Some((first, last)) = out.1.contiguous_offsets() else {
            bail!("{}: expected a contiguous tensor", call.kernel)
        };
        let device = out.0.device.clone();
        let values = out.0.as_cuda_slice_mut::<f32>()?;
        launch(&device, call, (&mut values.slice_mut(first..last), last - first), inputs)
    }
}

impl Gpu for CudaDevice {
    type Storage = CudaStorage;
    type Values<'a> = CudaView<'a, f32>;
    type Keys<'a> = CudaView<'a, u32>;
    type Out<'a> = CudaViewMut<'a, f32>;

    fn values(storage: &CudaStorage, first: usize, last: usize) -> Result<CudaView<'_, f32>> {
        view(storage, first, last)
    }

    fn keys(storage: &CudaStorage, first: usize, last: usize) -> Result<CudaView<'_, u32>> {
        view(storage, first, last)
    }

    fn run(
        &self,
        out: &mut CudaViewMut<'_, f32>,
        arguments: &Arguments<CudaView<'_, f32>, CudaView<'_, u32>>,
    ) -> Result<()> {
        let Arguments { kernel, blocks, values, keys, sizes, places, factors } = arguments;
        let function = self.get_or_load_custom_func(kernel, "consilience", compiled()?)?;
        let nothing = 0u64;
        let mut builder = function.builder();
        builder.arg(out);
        for view in values {
            match view {
                Some(view) => builder.arg(view),
                None => builder.arg(&nothing),
            };
        }
        match keys {
            Some(view) => builder.arg(view),
            None => builder.arg(&nothing),
        };
        for size in sizes.iter().chain(places) {
            builder.arg(size);
        }
        for factor in factors {
            builder.arg(factor);
        }
        let config = LaunchConfig {
            grid_dim: (*blocks, 1, 1),
            block_dim: (BLOCK, 1, 1),
            shared_mem_bytes: 0,
        };
        #[allow(
            unsafe_code,
            reason = "the arguments are those of every kernel, and each stays within the shapes it is told"
        )]
        unsafe { builder.launch(config) }.w()?;
        Ok(())
    }
}

fn view<T: CudaDType>(storage: &CudaStorage, first: usize, last: usize) -> Result<CudaView<'_, T>> {
    Ok(storage.as_cuda_slice::<T>()?.slice(first..last))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As far as it can be seen without a GPU.
    #[test]
    fn kernels_compile() {
        let names =
            SOURCE.lines().filter_map(|line| line.strip_prefix("KERNEL(")?.split(')').next());
        let names: Vec<_> = names.filter(|name| *name != "name").collect();
        assert!(names.len() > 10);
        match compiled() {
            Ok(code) => {
                for name in names {
                    assert!(code.contains(&format!(".entry {name}(")), "{name}");
                }
            }
            Err(error) if error.to_string().contains("NVRTC_ERROR_INTERNAL_ERROR") => {
                consilience_testing::skip_without_gpu("no libnvrtc to compile kernels with");
            }
            Err(error) => panic!("{error}"),
        }
    }
}
