//! Where networks are trained.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::EnsembleError;

/// The machine's processors, or one of its GPUs: written `cpu`, `cuda` or `cuda:1`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// The processors.
    #[default]
    Cpu,
    /// The NVIDIA GPU of this number, counted from 0.
    Cuda(usize),
}

impl Device {
    /// Makes the device ready: on a GPU, loads CUDA's libraries and compiles kernels.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Device`] if this build has no CUDA, or the machine no such GPU, no driver or no libraries.
    pub(crate) fn open(self) -> Result<candle_core::Device, EnsembleError> {
        match self {
            Self::Cpu => Ok(candle_core::Device::Cpu),
            Self::Cuda(number) => {
                open_cuda(number).map_err(|reason| EnsembleError::Device { device: self, reason })
            }
        }
    }

    /// Whether this build and this machine can train on it, said before any work is done.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Device`], as training would.
    pub fn check(self) -> Result<(), EnsembleError> {
        self.open().map(drop)
    }
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(_number: usize) -> Result<candle_core::Device, String> {
    Err("this build has no CUDA; use --device cpu, or build with --features cuda".into())
}

#[cfg(feature = "cuda")]
fn open_cuda(number: usize) -> Result<candle_core::Device, String> {
    let problem = |error: candle_core::Error| explain(&error.to_string());
    // One stream for all threads: each thread's own would not wait for the others' copies.
    let device = candle_core::Device::new_cuda_with_stream(number).map_err(problem)?;
    let cuda = device.as_cuda_device().map_err(problem)?;
    #[allow(
        unsafe_code,
        reason = "one stream does everything in order: no other's use is to be waited for"
    )]
    unsafe {
        cuda.disable_event_tracking();
    }
    crate::engine::candle::kernels::launch::load(cuda).map_err(problem)?;
    Ok(device)
}

/// What a CUDA error means, in one line.
#[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "used where there is a GPU"))]
fn explain(error: &str) -> String {
    let error = error.lines().next().unwrap_or_default();
    let meaning = [
        // What the stubs answer that stand in for libraries which are not there.
        ("STUB_LIBRARY", "no NVIDIA driver (libcuda.so.1) on this machine"),
        ("NO_DEVICE", "the driver sees no GPU"),
        ("INVALID_DEVICE", "no GPU of this number"),
        ("DRIVER_MISMATCH", "the driver is older than CUDA 13 needs"),
        ("INSUFFICIENT_DRIVER", "the driver is older than CUDA 13 needs"),
        ("UNSUPPORTED_PTX_VERSION", "the driver is older than CUDA 13 needs"),
        ("OUT_OF_MEMORY", "the GPU's memory is taken"),
        (
            "CUBLAS_STATUS_NOT_INITIALIZED",
            "CUDA's libcublas.so.13 can't be loaded; $CUDA_LIB_DIR names its folder",
        ),
        ("CURAND_STATUS", "CUDA's libcurand.so.10 can't be loaded; $CUDA_LIB_DIR names its folder"),
        (
            "can't compile kernels",
            "CUDA's libnvrtc.so.13 can't compile kernels; $CUDA_LIB_DIR names its folder",
        ),
    ];
    let found = meaning.iter().find(|(sign, _)| error.contains(sign));
    // The driver's own name for it; its description needs the driver.
    let name = error.split(", \"").next().unwrap_or_default().trim_start_matches("DriverError(");
    found.map_or_else(|| error.into(), |(_, meaning)| format!("{meaning} ({name})"))
}

/// An error of a device that trains `models` models at once.
#[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "used where there is a GPU"))]
pub(crate) fn while_training(error: candle_core::Error, models: usize) -> EnsembleError {
    let text = error.to_string();
    if ["OUT_OF_MEMORY", "out of memory", "ALLOC_FAILED"].iter().any(|sign| text.contains(sign)) {
        return EnsembleError::DeviceMemory { models };
    }
    EnsembleError::Tensor(error)
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(0) => f.write_str("cuda"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("need cpu, cuda or cuda:<number>, got {text:?}");
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let number = text.strip_prefix("cuda:").ok_or_else(unknown)?;
                let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
                // More than any driver counts to.
                let number = number.parse::<u16>().ok().filter(|_| digits);
                number.map(|number| Self::Cuda(number.into())).ok_or_else(unknown)
            }
        }
    }
}

impl TryFrom<String> for Device {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (text, device) in
            [("cpu", Device::Cpu), ("cuda", Device::Cuda(0)), ("cuda:3", Device::Cuda(3))]
        {
            assert_eq!(text.parse(), Ok(device));
            assert_eq!(device.to_string(), text);
        }
        assert_eq!("cuda:0".parse(), Ok(Device::Cuda(0)));
        for text in ["", "gpu", "CUDA", "cuda:", "cuda:x", "cuda:+1", "cuda:99999", "cuda1"] {
            let error = text.parse::<Device>().unwrap_err();
            assert!(error.contains(&format!("{text:?}")) && !error.contains('\n'), "{error}");
        }
    }

    /// With a GPU, it opens; without one, without a driver or in another build, one line says so.
    #[test]
    fn what_is_missing_is_said_in_one_line() {
        assert!(Device::Cpu.check().is_ok());
        if let Err(error) = Device::Cuda(0).check() {
            let text = error.to_string();
            assert!(text.starts_with("device cuda: ") && !text.contains('\n'), "{text}");
            if !cfg!(feature = "cuda") {
                assert!(text.contains("this build has no CUDA"));
            }
        }
        let error = Device::Cuda(60_000).check().unwrap_err();
        assert!(error.to_string().starts_with("device cuda:60000: "), "{error}");
    }

    #[test]
    fn errors_are_explained() {
        let stub = explain("DriverError(CUDA_ERROR_STUB_LIBRARY, \"x\")\nbacktrace");
        let expected = "no NVIDIA driver (libcuda.so.1) on this machine (CUDA_ERROR_STUB_LIBRARY)";
        assert_eq!(stub, expected);
        assert_eq!(explain("something else"), "something else");
        let full = candle_core::Error::Msg("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"\")".into());
        let text = while_training(full, 7).to_string();
        assert!(text.contains("7 models") && text.contains("--stack"), "{text}");
        let other = while_training(candle_core::Error::Msg("other".into()), 7);
        assert!(matches!(other, EnsembleError::Tensor(_)));
    }
}
