//! Which engine trains a run's networks.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::engine::fast::knows;
use crate::error::EnsembleError;
use crate::members::params::NetworkParams;

/// What is asked for: written `auto`, `candle` or `fast`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineChoice {
    /// `fast` on the CPU where it knows every loss, `candle` elsewhere.
    #[default]
    Auto,
    /// Steps composed of candle's operations, with its gradients: every loss there is, on the CPU or a GPU.
    Candle,
    /// Steps written out by hand, on the CPU.
    Fast,
}

/// What does the training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineName {
    /// See [`EngineChoice::Candle`].
    Candle,
    /// See [`EngineChoice::Fast`].
    Fast,
}

impl EngineChoice {
    /// What trains networks of these settings on `device`.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Engine`] if it is `fast`, and there is a GPU to train on or a loss that it doesn't know.
    pub fn resolve<'a>(
        self,
        device: Device,
        networks: impl IntoIterator<Item = &'a NetworkParams>,
    ) -> Result<EngineName, EnsembleError> {
        self.check_device(device)?;
        let mut terms = networks.into_iter().flat_map(NetworkParams::all_terms);
        let unknown = terms.find(|term| !knows(term.loss)).map(|term| term.loss);
        match (self, unknown) {
            (Self::Candle, _) => Ok(EngineName::Candle),
            (Self::Auto, _) if device != Device::Cpu => Ok(EngineName::Candle),
            (Self::Auto, Some(_)) => Ok(EngineName::Candle),
            (Self::Auto | Self::Fast, None) => Ok(EngineName::Fast),
            (Self::Fast, Some(loss)) => {
                Err(EnsembleError::Engine { reason: format!("it doesn't know the loss {loss}") })
            }
        }
    }

    /// Whether it works on `device` at all.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Engine`] for `fast` and a GPU.
    pub fn check_device(self, device: Device) -> Result<(), EnsembleError> {
        if self == Self::Fast && device != Device::Cpu {
            let reason = format!("it trains on the CPU, not on {device}");
            return Err(EnsembleError::Engine { reason });
        }
        Ok(())
    }
}

impl From<EngineName> for EngineChoice {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Candle => Self::Candle,
            EngineName::Fast => Self::Fast,
        }
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Candle => "candle",
            Self::Fast => "fast",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_candles() {
        let params = [NetworkParams::default()];
        let resolve = |choice: EngineChoice, device| choice.resolve(device, &params);
        assert_eq!(resolve(EngineChoice::Auto, Device::Cpu).unwrap(), EngineName::Fast);
        assert_eq!(resolve(EngineChoice::Candle, Device::Cpu).unwrap(), EngineName::Candle);
        assert_eq!(resolve(EngineChoice::Auto, Device::Cuda(0)).unwrap(), EngineName::Candle);
        let error = resolve(EngineChoice::Fast, Device::Cuda(1)).unwrap_err().to_string();
        assert!(error.contains("not on cuda:1") && error.contains("--engine auto"), "{error}");
    }
}
