//! Damaged and hostile files of every format: no reader may panic, hang, or take far more memory than there is data.
//!
//! Files that tests make are changed at random and read, as data, as votes and as labels: each format for some seconds, in a process of
//! its own. `FUZZ_SECONDS` says for how many; a file that finds something is kept in the folder `FUZZ_FINDINGS`, else in the
//! system's for temporary files. Which files come depends on the machine's speed alone.

#![cfg(all(feature = "images", feature = "parquet"))]
#![allow(clippy::print_stderr, clippy::print_stdout, clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "fuzz/inputs.rs"]
mod inputs;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, fs, panic, process, thread};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use inputs::{Format, formats, read_all};

#[global_allocator]
static PEAK: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// The format that a process tries.
const FORMAT: &str = "FUZZ_FORMAT";
/// Longer than this, a file hangs a reader: of this process's own time, or six times as long by the clock, as other work may leave it little.
const HANGS: Duration = Duration::from_secs(20);
/// Bytes that a file may unpack to, as a person says it.
const MAX_MEMORY: u64 = 1 << 24;
/// Memory that a reader may take for each byte of what a file unpacks to, and beside that.
const FACTOR: usize = 64;
const BESIDE: usize = 8 << 24;

#[test]
fn no_file_harms_a_reader() {
    let usual = if env::var("CI").is_ok_and(|ci| ci == "true") { 20 } else { 2 };
    let seconds: u64 = env::var("FUZZ_SECONDS").map_or(usual, |seconds| seconds.parse().unwrap());
    let names: Vec<&str> = formats().iter().map(|format| format.name).collect();
    let waiting = Mutex::new(names.into_iter());
    let told = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, Into::into) {
            scope.spawn(|| {
                while let Some(name) = { waiting.lock().unwrap().next() } {
                    let output = start(name, seconds).wait_with_output().unwrap();
                    let text = String::from_utf8_lossy(&output.stderr).into_owned();
                    told.lock().unwrap().push((name, output.status, text));
                }
            });
        }
    });
    let mut failed = Vec::new();
    for (name, status, text) in told.into_inner().unwrap() {
        println!("{name}: {}", text.trim());
        if !status.success() {
            failed.push(format!("{name}, {status}: {text}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A process that tries one format. Its test is [`one_format`].
fn start(name: &str, seconds: u64) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "one_format", "--nocapture", "--ignored"]);
    command.env(FORMAT, name).env("FUZZ_SECONDS", seconds.to_string());
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
#[ignore = "a process of its own, for `no_file_harms_a_reader`"]
fn one_format() {
    let Ok(name) = env::var(FORMAT) else { return };
    let seconds = env::var("FUZZ_SECONDS").unwrap().parse().unwrap();
    let format = formats().into_iter().find(|format| format.name == name).unwrap();
    panic::set_hook(Box::new(|info| {
        if !consilience_data::panics_are_caught() {
            eprintln!("{info}");
        }
    }));
    let folder = scratch();
    let path = folder.path().join(format!("x{}", format.extension));
    let kept = findings().join(format!("fuzz-{name}-{}{}", process::id(), format.extension));
    let began = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    watch(start, began.clone(), path.clone(), kept.clone());
    let mut random = ChaCha8Rng::seed_from_u64(0x5eed);
    let mut n_files = 0_u64;
    while start.elapsed() < Duration::from_secs(seconds) {
        let (bytes, unpacked) = format.input(&mut random);
        fs::write(&path, &bytes).unwrap();
        began.store(millis(start.elapsed()) + 1, Ordering::Relaxed);
        let before = PEAK.current_usage();
        PEAK.reset_peak_usage();
        let read = panic::catch_unwind(|| read_all(&path, MAX_MEMORY));
        let taken = PEAK.peak_usage().saturating_sub(before);
        began.store(0, Ordering::Relaxed);
        if read.is_err() || taken > FACTOR * unpacked + BESIDE {
            keep(&path, &kept);
            eprintln!("{taken} bytes of memory for {unpacked}: {}", kept.display());
            process::exit(1);
        }
        n_files += 1;
    }
    eprintln!("{n_files} files in {seconds} s, nothing found");
}

/// Ends the process if one file takes too long.
fn watch(start: Instant, began: Arc<AtomicU64>, path: PathBuf, kept: PathBuf) {
    thread::spawn(move || {
        let (mut of_file, mut spent_before) = (0, None);
        loop {
            thread::sleep(Duration::from_millis(500));
            let began = began.load(Ordering::Relaxed);
            if began != of_file {
                (of_file, spent_before) = (began, own_time());
            }
            let clock = millis(start.elapsed()).saturating_sub(began);
            let spent =
                own_time().zip(spent_before).map(|(now, before)| now.saturating_sub(before));
            let own = spent.map_or(clock, millis);
            if began > 0 && (own > millis(HANGS) || clock > 6 * millis(HANGS)) {
                keep(&path, &kept);
                eprintln!("hangs: {}", kept.display());
                process::exit(1);
            }
        }
    });
}

/// Time of cores that this process has spent, where Linux tells.
fn own_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // User and system time, in hundredths of a second, behind the name, which is in brackets.
    let fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(10 * ticks))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}

fn keep(path: &Path, kept: &Path) {
    fs::copy(path, kept).unwrap();
}

fn findings() -> PathBuf {
    env::var_os("FUZZ_FINDINGS").map_or_else(env::temp_dir, PathBuf::from)
}

/// In memory, where there is such a folder.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

#[test]
fn formats_have_seeds_that_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for Format { name, extension, seeds, pack } in formats() {
        for (at, seed) in seeds.iter().enumerate() {
            let path = folder.path().join(format!("x{extension}"));
            fs::write(&path, pack(seed)).unwrap();
            assert!(read_all(&path, MAX_MEMORY) > 0, "{name}, seed {at}");
        }
    }
}
