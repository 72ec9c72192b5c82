//! Kernels on an NVIDIA GPU.

use std::sync::OnceLock;

use candle_core::cuda_backend::cudarc::driver::{
    CudaView, CudaViewMut, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::cudarc::nvrtc;
use candle_core::cuda_backend::{CudaDType, WrapErr};
use candle_core::{CudaDevice, CudaStorage, Layout, Result, bail};

use super::{Call, Inputs, Memory};

const SOURCE: &str = include_str!("kernels.cu");

/// Threads a block.
const BLOCK: u32 = 256;

/// Compiles the kernels and loads them, so that it is known early whether this machine can.
pub(crate) fn load(device: &CudaDevice) -> Result<()> {
    device.get_or_load_custom_func("add_noise", "stacked", compiled()?).map(drop)
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
        let first = inputs.values[0].expect("every kernel reads something");
        let device = first.0.device.clone();
        #[allow(unsafe_code, reason = "a kernel writes every value of what it makes")]
        let mut out = unsafe { device.alloc::<f32>(length)? };
        launch(&device, call, &mut out.slice_mut(..), inputs)?;
        Ok(Self::wrap_cuda_slice(out, device))
    }

    fn change(call: &Call, out: (&mut Self, &Layout), inputs: &Inputs<'_, Self>) -> Result<()> {
        let Some((first, last)) = out.1.contiguous_offsets() else {
            bail!("{}: expected a contiguous tensor", call.kernel)
        };
        let device = out.0.device.clone();
        let out = out.0.as_cuda_slice_mut::<f32>()?;
        launch(&device, call, &mut out.slice_mut(first..last), inputs)
    }
}

fn launch(
    device: &CudaDevice,
    call: &Call,
    out: &mut CudaViewMut<'_, f32>,
    inputs: &Inputs<'_, CudaStorage>,
) -> Result<()> {
    let function = device.get_or_load_custom_func(call.kernel, "stacked", compiled()?)?;
    let mut values = Vec::with_capacity(4);
    for input in &inputs.values {
        values.push(input.map(|(storage, layout)| view::<f32>(storage, layout)).transpose()?);
    }
    let keys = inputs.keys.map(|(storage, layout)| view::<u32>(storage, layout)).transpose()?;
    let mut sizes = [0u32; 5];
    // Kernels count in 32 bits.
    let all = [call.models, call.rows, call.width, call.threads, out.len()];
    for (size, value) in sizes.iter_mut().zip(all) {
        let Ok(value) = u32::try_from(value) else {
            bail!("{}: {value} is too much for one kernel", call.kernel)
        };
        *size = value;
    }
    let [models, rows, width, threads, _] = sizes;
    let nothing = 0u64;
    let mut arguments = function.builder();
    arguments.arg(out);
    for view in &values {
        match view {
            Some(view) => arguments.arg(view),
            None => arguments.arg(&nothing),
        };
    }
    match &keys {
        Some(view) => arguments.arg(view),
        None => arguments.arg(&nothing),
    };
    arguments.arg(&models).arg(&rows).arg(&width);
    arguments.arg(&call.step).arg(&call.layer).arg(&call.x).arg(&call.y);
    let config = LaunchConfig {
        grid_dim: (threads.div_ceil(BLOCK).max(1), 1, 1),
        block_dim: (BLOCK, 1, 1),
        shared_mem_bytes: 0,
    };
    #[allow(
        unsafe_code,
        reason = "the arguments are those of every kernel, and each stays within the shapes it is told"
    )]
    unsafe { arguments.launch(config) }.w()?;
    Ok(())
}

fn view<'a, T: CudaDType>(storage: &'a CudaStorage, layout: &Layout) -> Result<CudaView<'a, T>> {
    let Some((first, last)) = layout.contiguous_offsets() else {
        bail!("expected a contiguous tensor, got {:?}", layout.shape())
    };
    Ok(storage.as_cuda_slice::<T>()?.slice(first..last))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

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
                let _ =
                    std::io::stderr().write_all(b"SKIPPED: no libnvrtc to compile kernels with\n");
            }
            Err(error) => panic!("{error}"),
        }
    }
}
