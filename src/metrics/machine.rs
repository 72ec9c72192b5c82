//! Where a run was made, as far as it can be told cheaply.

use std::num::NonZero;

use serde::Serialize;

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Operating system, such as `linux`.
    pub os: &'static str,
    /// Instruction set, such as `x86_64`.
    pub arch: &'static str,
    /// What the processor calls itself; `None` where the system doesn't say.
    pub cpu: Option<String>,
    /// Cores that the program may use.
    pub cores: Option<usize>,
}

impl Machine {
    /// The one on which this runs.
    pub(super) fn this() -> Self {
        Self {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            cpu: cpu(),
            cores: std::thread::available_parallelism().ok().map(NonZero::get),
        }
    }
}

/// From Linux.
fn cpu() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The high-water mark of resident memory, from Linux.
pub(super) fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kibibytes / 102.4).round() / 10.0)
}
