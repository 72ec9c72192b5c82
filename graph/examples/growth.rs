//! Time and memory from votes to pseudo-labels as the number of samples grows.
//!
//! `cargo run --release -p consilience-graph --example growth -- [LARGEST_N [THREADS]]`
//!
//! Each measurement has a process of its own, so that no memory is counted that an earlier one left behind.

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

#[path = "../../benches/noisy/mod.rs"]
mod noisy;

use std::{env, error::Error, fs, process::Command, time::Instant};

use consilience_graph::{AgreementGraph, AgreementParams, Signatures, Strictness, Threads};
use noisy::noisy_votes;

const N_MODELS: usize = 10;

/// What is to be reached at 10 % noise and `min_agree` 9 of 10 or more.
const TARGET: &str = "10 s, 1536 MiB, exponent 1.1";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [k, noise, min_agree, n, threads] = &arguments[..] {
        let threads = Threads::new(threads.parse()?)?;
        return measure(k.parse()?, noise.parse()?, min_agree.parse()?, n.parse()?, &threads);
    }
    let largest: usize = arguments.first().map_or(Ok(10_000_000), |n| n.parse())?;
    let threads = arguments.get(1).map_or("2", |n| n);
    let sizes: Vec<usize> =
        [100_000, 1_000_000, 10_000_000].into_iter().filter(|&n| n <= largest).collect();
    println!(
        "K    noise  min_agree          n  signatures  grouped s  extracted s  MiB over votes  coverage"
    );
    let (mut most_seconds, mut most_mib, mut most_exponent) = (0f64, 0f64, 0f64);
    for (k, noise) in [(10, 0.01), (10, 0.1), (100, 0.01), (100, 0.1)] {
        for min_agree in [10, 9] {
            let mut points = Vec::new();
            for &n in &sizes {
                let case = [k.to_string(), noise.to_string(), min_agree.to_string(), n.to_string()];
                let (seconds, mib) = measured_apart(&case, threads)?;
                most_seconds = most_seconds.max(seconds);
                most_mib = most_mib.max(mib);
                #[expect(clippy::cast_precision_loss, reason = "an exponent")]
                points.push(((n as f64).ln(), seconds.ln()));
            }
            if points.len() > 1 {
                let exponent = slope(&points);
                println!("     exponent {exponent:.2}");
                most_exponent = most_exponent.max(exponent);
            }
        }
    }
    println!(
        "largest: {most_seconds:.1} s, {most_mib:.0} MiB, exponent {most_exponent:.2} (targets: {TARGET})"
    );
    Ok(())
}

/// Measures a case in a process of its own, prints its line of the table, and returns the seconds and the MiB.
fn measured_apart(case: &[String], threads: &str) -> Result<(f64, f64), Box<dyn Error>> {
    let output = Command::new(env::current_exe()?).args(case).arg(threads).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let line = String::from_utf8(output.stdout)?;
    print!("{line}");
    let columns: Vec<&str> = line.split_whitespace().collect();
    let [_, _, _, _, _, grouped, extracted, mib, _] = columns[..] else {
        return Err(line.into());
    };
    Ok((grouped.parse::<f64>()? + extracted.parse::<f64>()?, mib.parse()?))
}

/// Prints a line of the table.
#[expect(clippy::cast_precision_loss, reason = "MiB")]
fn measure(
    k: u16,
    noise: f64,
    min_agree: u16,
    n: usize,
    threads: &Threads<'_>,
) -> Result<(), Box<dyn Error>> {
    let votes = noisy_votes(N_MODELS, n, k, noise);
    let min_agree_of = Strictness::Count(min_agree);
    let params = AgreementParams { min_agree: min_agree_of, ..AgreementParams::default() };
    let agreement = params.check(N_MODELS)?;
    let before = kib("VmRSS:")?;
    // Makes the kernel forget the peak so far (man proc_pid_clear_refs).
    fs::write("/proc/self/clear_refs", "5")?;
    let start = Instant::now();
    let signatures = Signatures::group(&votes, &agreement, threads)?;
    let grouped = start.elapsed().as_secs_f64();
    let extraction =
        AgreementGraph::new(&signatures, &agreement)?.extract(usize::from(k), threads)?;
    let extracted = start.elapsed().as_secs_f64() - grouped;
    let memory = kib("VmHWM:")?.saturating_sub(before) as f64 / 1024.0;
    println!(
        "{k:<4} {noise:<6} {min_agree:>9} {n:>10} {:>11} {grouped:>10.3} {extracted:>12.3} {memory:>15.0} {:>9.4}",
        signatures.len(),
        extraction.pseudo_labels.coverage(),
    );
    Ok(())
}

/// A line of the kernel's account of this process, in KiB.
fn kib(name: &str) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such line")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// Of the line of least squares.
#[expect(clippy::cast_precision_loss, reason = "three points")]
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (sum_x, sum_y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let covariance: f64 = points.iter().map(|&(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = points.iter().map(|&(x, _)| (x - mean_x).powi(2)).sum();
    covariance / variance
}
