//! Reads a file as `cluster` does, and prints how fast, and the most memory that it took.
//!
//! `cargo run --release -p consilience-data --example read -- FILE`; `benches/reading` compares it with other readers.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use consilience_data::read_dataset;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = PathBuf::from(std::env::args_os().nth(1).ok_or("name a file")?);
    let bytes = std::fs::metadata(&path)?.len();
    let start = Instant::now();
    let features = read_dataset(&[path], &[])?.features;
    let seconds = start.elapsed().as_secs_f64();
    let matrix = 4 * features.n_samples() * features.n_features();
    writeln!(
        std::io::stdout(),
        "{{\"rows\": {}, \"columns\": {}, \"seconds\": {seconds:.3}, \"mb_per_s\": {:.1}, \"peak_over_matrix\": {:.2}}}",
        features.n_samples(),
        features.n_features(),
        bytes as f64 / 1e6 / seconds,
        peak().unwrap_or(f64::NAN) / matrix as f64,
    )?;
    Ok(())
}

/// The most memory that this process has held, in bytes, where the system says it (Linux).
fn peak() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kibibytes| kibibytes * 1024.0)
}
