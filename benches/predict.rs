//! Prediction from a file, in samples a second, against the machine's rate of f32 products; and the memory that it takes as
//! the file grows.
//!
//! `cargo bench --bench predict -- [THREADS [LARGEST]]`: five networks of 500-500 on files of 70,000 rows of 784 bytes times 1, 4
//! ... LARGEST. Networks are trained for a moment only, as that changes no time.

#![allow(clippy::print_stdout, reason = "a table is what it is for")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::thread;
use std::time::Instant;

use consilience::{Config, Predictor, run};
use consilience_data::{Features, FeaturesReader, Recipe, Seed, Stream};
use consilience_ensembles::{MemberKind, Scaling};
use ndarray::Array2;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MODELS: usize = 5;
const ROWS: usize = 70_000;
const WIDTHS: [usize; 4] = [784, 500, 500, 10];
/// Rows of a product, as in prediction.
const CHUNK: usize = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let numbers: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let threads = numbers.first().copied().unwrap_or(2);
    let largest = numbers.get(1).copied().unwrap_or(16);
    let predictor = predictor(threads)?;
    let folder = tempfile::tempdir()?;
    println!("{threads} threads\n   samples  samples/s  of products'  peak MiB");
    let mut times = 1;
    while times <= largest {
        let path = folder.path().join("x.npy");
        write(&path, times)?;
        let (before, start) = (products(threads), Instant::now());
        let mut samples = 0;
        let mut reader = FeaturesReader::open(&[path], &[], &Recipe::default())?;
        predictor.predict_chunks(&mut reader, |chunk, _| -> Result<(), consilience::RunError> {
            samples += chunk.features.n_samples();
            Ok(())
        })?;
        let rate = samples as f64 / start.elapsed().as_secs_f64();
        // Other work on the machine changes both alike.
        let products = (before + products(threads)) / 2.0;
        let share = 100.0 * rate / products;
        println!("{samples:10}  {rate:9.0}  {share:9.1} %  {:9.0}", peak_mib());
        times *= 4;
    }
    println!("products alone: {:.0} samples/s, {:.1} GFLOP/s", products(threads), {
        products(threads) * flops() / 1e9
    });
    Ok(())
}

/// Trained for one epoch.
fn predictor(threads: usize) -> Result<Predictor, Box<dyn Error>> {
    let noise = Seed(1).rng(Stream::Subset).normal(1000 * WIDTHS[0]);
    let values = Array2::from_shape_vec((1000, WIDTHS[0]), noise)?;
    let mut config =
        Config { n_clusters: WIDTHS[3], rounds: 1, candidates: 0, ..Config::default() };
    config.members = vec![MemberKind::VatIm; MODELS];
    config.judge = false;
    config.preparation = Scaling::Range.into();
    config.network.hidden = WIDTHS[1..3].to_vec();
    (config.first.epochs, config.first.min_steps) = (1, 0);
    let features = Features::new(values, "noise")?;
    let outcome = run(&features, &config.check(&features, threads)?, &())?;
    Ok(Predictor::of(outcome, threads)?)
}

/// `times` 70,000 images of bytes.
fn write(path: &Path, times: usize) -> Result<(), Box<dyn Error>> {
    let shape = format!("({}, {})", ROWS * times, WIDTHS[0]);
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(b"\x93NUMPY\x01\x00\x76\x00")?;
    writeln!(file, "{header:117}")?;
    let row: Vec<u8> = (0..=250_u8).cycle().step_by(31).take(WIDTHS[0] * 997).collect();
    let mut left = ROWS * times * WIDTHS[0];
    while left > 0 {
        let some = left.min(row.len());
        file.write_all(&row[..some])?;
        left -= some;
    }
    Ok(file.flush()?)
}

/// Operations that a sample's products take, in all models.
fn flops() -> f64 {
    let layers: usize = WIDTHS.windows(2).map(|pair| pair[0] * pair[1]).sum();
    (2 * MODELS * layers) as f64
}

/// Samples a second if there were nothing but the products, each thread with its own.
fn products(threads: usize) -> f64 {
    const CHUNKS: usize = 6;
    let work = || {
        let mut layers: Vec<_> = WIDTHS
            .windows(2)
            .map(|pair| {
                let filled = |rows, columns| Array2::<f32>::from_elem((rows, columns), 0.5);
                (filled(CHUNK, pair[0]), filled(pair[0], pair[1]), filled(CHUNK, pair[1]))
            })
            .collect();
        for _ in 0..CHUNKS * MODELS {
            layers.iter_mut().for_each(|(a, b, out)| multiply(a, b, out));
        }
    };
    let start = Instant::now();
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    (CHUNK * CHUNKS * threads) as f64 / start.elapsed().as_secs_f64()
}

fn multiply(a: &Array2<f32>, b: &Array2<f32>, out: &mut Array2<f32>) {
    let ((m, k), n) = (a.dim(), b.ncols());
    let strides = |columns: usize| (1, columns as isize);
    let (of_out, of_a, of_b) = (strides(n), strides(k), strides(n));
    // SAFETY: three matrices in standard layout, of shapes (m, n), (m, k) and (k, n).
    #[allow(unsafe_code, reason = "gemm takes pointers")]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            of_out.0,
            of_out.1,
            false,
            a.as_ptr(),
            of_a.0,
            of_a.1,
            b.as_ptr(),
            of_b.0,
            of_b.1,
            0.0_f32,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// The most memory that this process has had so far, where the system says it (Linux).
fn peak_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kibibytes = line.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
    kibibytes.unwrap_or(f64::NAN) / 1024.0
}
