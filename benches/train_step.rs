//! Training steps, in samples a second: a member on one thread, two members side by side on two.
//!
//! Only whole epochs after a phase's first are timed, from one [`Progress::epoch_end`] to another: neither the start of
//! a phase nor the pass that takes the population statistics counts.
//!
//! `train_step --json CASE THREADS SECONDS [ENGINE]` measures one case in that time (engine: fast, or candle), and `train_step --losses FOLDER` writes down what
//! `peers/train_step/check.py` holds PyTorch's losses against.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use consilience_data::{ClusterId, Features, PseudoLabel, PseudoLabels, SampleIdx, Seed, Stream};
use consilience_ensembles::{
    Compute, Consistency, EngineChoice, Ensemble, EpochEnd, MemberKind, NetworkParams, Phase,
    Prepared, Progress, Scaling,
};
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use serde_json::{Value, json};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const K: usize = 10;
const STEPS_AN_EPOCH: usize = 4;

/// A network, and what its steps are made of. `peers/train_step/train_step.py` has the same list.
struct Case {
    name: &'static str,
    kind: MemberKind,
    n_features: usize,
    width: usize,
    batch: usize,
    consistency: Consistency,
    labels: bool,
}

const fn vat_im(name: &'static str, n_features: usize) -> Case {
    let (kind, consistency) = (MemberKind::VatIm, Consistency::Adversarial);
    Case { name, kind, n_features, width: 500, batch: 250, consistency, labels: false }
}

const fn ladder(name: &'static str, consistency: Consistency, labels: bool) -> Case {
    let kind = MemberKind::Ladder;
    Case { name, kind, n_features: 784, width: 1200, batch: 256, consistency, labels }
}

const CASES: [Case; 6] = [
    vat_im("vat-im-64", 64),
    vat_im("vat-im-784", 784),
    ladder("ladder", Consistency::None, false),
    ladder("ladder-labels", Consistency::None, true),
    ladder("ladder-vat", Consistency::Adversarial, false),
    ladder("ladder-vat-labels", Consistency::Adversarial, true),
];

/// Cases that candle is measured with, too.
const OF_CANDLE: [&str; 2] = ["vat-im-784", "ladder"];

/// Members of a case, and what they are trained on.
struct Bench {
    ensemble: Ensemble,
    data: Prepared,
    labels: Vec<PseudoLabels>,
}

impl Bench {
    fn new(case: &Case, members: usize, engine: EngineChoice) -> Self {
        let params = NetworkParams {
            hidden: vec![case.width; 2],
            batch_size: case.batch,
            consistency: case.consistency,
            ..NetworkParams::default()
        };
        let data = blobs(STEPS_AN_EPOCH * case.batch, case.n_features);
        let labels = if case.labels { vec![every_second(&data); members] } else { Vec::new() };
        let ensemble = ensemble(&vec![case.kind; members], params, &data, engine);
        Self { ensemble, data, labels }
    }

    /// How long it takes every member to train for `epochs` of a retraining phase.
    fn time(&mut self, epochs: usize) -> Duration {
        let clock = Clock::default();
        // A decoder at rest in the first round works from the next on.
        let phase = Phase { round: 1, epochs: epochs + 1, anneal: false, most_steps: None };
        self.ensemble.train(&self.data, &phase, &self.labels, &clock).expect("it trains");
        clock.longest()
    }

    /// Samples that all members together see in an epoch; pseudo-labelled ones come on top.
    fn samples(&self) -> usize {
        self.data.features().n_samples() * self.ensemble.n_models()
    }
}

fn ensemble(
    kinds: &[MemberKind],
    params: NetworkParams,
    data: &Prepared,
    engine: EngineChoice,
) -> Ensemble {
    let params = params.check().expect("settings fit");
    let compute = Compute { engine, ..Compute::cpu(kinds.len()) };
    Ensemble::of_kinds(kinds, &params, data, K, &compute).expect("an ensemble")
}

/// Values in 0..=1 around ten centres.
fn blobs(n: usize, width: usize) -> Prepared {
    let mut rng = Seed(1).rng(Stream::Subset);
    let (centres, noise) = (rng.normal(K * width), rng.normal(n * width));
    let value = |(sample, feature)| {
        let (centre, noise) =
            (centres[sample % K * width + feature], noise[sample * width + feature]);
        let value: f32 = 0.5 + 0.25 * centre + 0.15 * noise;
        value.clamp(0.0, 1.0)
    };
    let values = ndarray::Array2::from_shape_fn((n, width), value);
    let features = Features::new(values, "blobs").expect("features");
    let mut data = Prepared::new(&features, Scaling::Range, Seed(1), 2).expect("they scale");
    data.measure_distances(2).expect("threads");
    data
}

/// Every second pair of blobs' samples, labelled by blob.
fn every_second(data: &Prepared) -> PseudoLabels {
    let n = data.features().n_samples();
    let entry = |sample: usize| PseudoLabel {
        sample: SampleIdx(u32::try_from(sample).expect("few samples")),
        label: ClusterId(u16::try_from(sample % K).expect("few clusters")),
        agreement: 1,
        confidence: 1.0,
        margin: 1,
    };
    PseudoLabels::new(
        (0..n).filter(|sample| (sample / K).is_multiple_of(2)).map(entry).collect(),
        K,
        n,
    )
}

/// Writes down when each member's epochs end, and its losses.
#[derive(Default)]
struct Clock(Mutex<Vec<(EpochEnd, Instant)>>);

impl Clock {
    /// From the first epoch's end to the last's, of the member that took longest.
    fn longest(&self) -> Duration {
        let ends = self.0.lock().expect("no panic");
        let first = ends.iter().filter(|(end, _)| end.epoch == 1);
        let span = |(end, start): &(EpochEnd, Instant)| {
            let last = ends.iter().rev().find(|(other, _)| other.model == end.model);
            last.expect("its own, if no other").1 - *start
        };
        first.map(span).max().expect("a member")
    }

    fn losses(&self) -> Vec<f64> {
        self.0.lock().expect("no panic").iter().map(|(end, _)| end.loss).collect()
    }
}

impl Progress for Clock {
    fn epoch_end(&self, epoch: EpochEnd) {
        self.0.lock().expect("no panic").push((epoch, Instant::now()));
    }
}

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("train_step");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    for case in &CASES {
        for engine in [EngineChoice::Fast, EngineChoice::Candle] {
            let name = match engine {
                EngineChoice::Candle => format!("{}-candle", case.name),
                _ => case.name.into(),
            };
            if engine == EngineChoice::Candle && !OF_CANDLE.contains(&case.name) {
                continue;
            }
            for threads in [1, 2] {
                let mut bench = Bench::new(case, threads, engine);
                group.throughput(Throughput::Elements(bench.samples() as u64));
                group.bench_function(BenchmarkId::new(&name, threads), |bencher| {
                    bencher.iter_custom(|epochs| bench.time(usize::try_from(epochs).expect("few")));
                });
            }
        }
    }
    group.finish();
}

/// Samples a second of one case, measured for about `seconds`.
fn measure(name: &str, threads: usize, seconds: f64, engine: EngineChoice) -> Value {
    let case = CASES.iter().find(|case| case.name == name).expect("a case of the list");
    let mut bench = Bench::new(case, threads, engine);
    let epoch = bench.time(2) / 2;
    let mut epochs = 1;
    while (epoch * epochs).as_secs_f64() < seconds {
        epochs += 1;
    }
    let samples = bench.samples() as f64 * f64::from(epochs);
    let spent = bench.time(epochs as usize).as_secs_f64();
    json!({ "samples_per_second": samples / spent, "epochs": epochs, "seconds": spent })
}

/// Losses of small networks on one batch of data: at their first weights, over many draws of noise and directions, and
/// of a training without either. Their first weights go to `folder`.
fn losses(folder: &Path) -> Value {
    let data = blobs(100, 20);
    let labels = [every_second(&data)];
    let small = NetworkParams { hidden: vec![16, 12], batch_size: 100, ..NetworkParams::default() };
    let label_batch_size = labels[0].len();
    let quiet = NetworkParams { noise_std: 0.0, consistency: Consistency::None, ..small.clone() };
    let mut found = serde_json::Map::new();
    for (name, kind, params, labels) in [
        ("vat-im", MemberKind::VatIm, small.clone(), &[][..]),
        ("ladder", MemberKind::Ladder, NetworkParams { label_batch_size, ..small }, &labels[..]),
        ("quiet", MemberKind::Ladder, NetworkParams { label_batch_size, ..quiet }, &labels[..]),
    ] {
        let train = |learning_rate, epochs| {
            let mut ensemble = {
                let params = NetworkParams { learning_rate, ..params.clone() };
                ensemble(&[kind], params, &data, EngineChoice::Auto)
            };
            let clock = Clock::default();
            let phase = Phase { round: 1, epochs, anneal: false, most_steps: None };
            ensemble.train(&data, &phase, labels, &clock).expect("it trains");
            (ensemble, clock.losses())
        };
        // So small a rate leaves weights as they are.
        let (untrained, at_start) = train(1e-30, 400);
        let place = folder.join(name);
        std::fs::create_dir_all(&place).expect("a folder to write to");
        untrained.save(&place).expect("a folder to write to");
        let (_, trained) = train(params.learning_rate, 20);
        found.insert(name.into(), json!({ "at_start": at_start, "trained": trained }));
    }
    json!({
        "features": data.features().view().rows().into_iter().map(|row| row.to_vec()).collect::<Vec<_>>(),
        "distances": data.neighbour_distances(),
        "spread": data.spread(),
        "labelled": labels[0].entries().iter().map(|entry| entry.sample.0).collect::<Vec<_>>(),
        "labels": labels[0].entries().iter().map(|entry| entry.label.0).collect::<Vec<_>>(),
        "losses": found,
    })
}

#[allow(clippy::print_stdout, reason = "what the scripts read")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--json", case, threads, seconds, engine @ ..] => {
            let engine = match engine {
                ["candle"] => EngineChoice::Candle,
                ["fast"] | [] => EngineChoice::Fast,
                _ => panic!("need fast or candle, got {engine:?}"),
            };
            let threads = threads.parse().expect("a number of threads");
            println!("{}", measure(case, threads, seconds.parse().expect("seconds"), engine));
        }
        ["--losses", folder] => println!("{}", losses(Path::new(folder))),
        _ => {
            let mut criterion = Criterion::default().configure_from_args();
            steps(&mut criterion);
            criterion.final_summary();
        }
    }
}
