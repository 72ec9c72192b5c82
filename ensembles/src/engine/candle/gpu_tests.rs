//! A GPU against the processors, and its speed. `benches/gpu.sh` runs them; elsewhere they are skipped, and say so.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write;
use std::sync::Mutex;
use std::time::Instant;

use candle_core::{DType, Device};
use consilience_data::{ClusterId, Features, PseudoLabel, PseudoLabels, SampleIdx, Seed, Stream};
use ndarray::Array2;

use super::kernels::cuda::allow_tf32;
use super::ops::Way;
use super::tests::{MANY, assert_close, batch, cases, describe, stack, weights};
use super::train_tests::{Networks, blobs, learner, phase};
use crate::members::params::{Consistency, NetworkParams};
use crate::preparation::prepared::Prepared;
use crate::preparation::transform::Scaling;
use crate::progress::{EpochEnd, Progress};

/// Only one at a time: TF32 is a setting of the process, and times are of an idle GPU.
static GPU: Mutex<()> = Mutex::new(());

/// The first GPU, unless there is none and $CONSILIENCE_NEED_GPU isn't set.
fn gpu() -> Option<Device> {
    match crate::device::Device::Cuda(0).open(true) {
        Ok(device) => Some(device),
        Err(error) => {
            consilience_testing::skip_without_gpu(&error.to_string());
            None
        }
    }
}

/// Past the test harness, which keeps what is printed.
fn say(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Holds losses and gradients of a device against the processors'.
fn differences(device: &Device, way: Way, tolerances: [f32; 2]) {
    for (params, labelled) in cases(MANY.1) {
        let case = describe(&params, labelled);
        let members = [weights(&params, 1), weights(&params, 2)];
        let run = |device: &Device, way| {
            let members = [&members[0], &members[1]];
            let stack = stack((&params, labelled), &members, way, DType::F32, device);
            let batch = batch(&[1, 2], MANY.0, labelled, DType::F32, device);
            stack.loss_and_gradients(&batch).unwrap()
        };
        let expected = run(&Device::Cpu, Way::Composed);
        assert_close(&run(device, way), &expected, tolerances, &case);
    }
}

#[test]
fn a_gpu_makes_the_processors_losses_and_gradients() {
    let _alone = GPU.lock().unwrap();
    let Some(device) = gpu() else { return };
    differences(&device, Way::Composed, [1e-4, 3e-2]);
    differences(&device, Way::Kernels, [1e-4, 3e-2]);
}

#[test]
fn a_gpu_trains_as_the_processors_do() {
    let _alone = GPU.lock().unwrap();
    let Some(device) = gpu() else { return };
    let data = blobs();
    let params = NetworkParams { batch_size: 550, ..learner() };
    let run = |device: &Device, stack, way| {
        let mut networks = Networks::new(params.clone(), &data, 3).on(device).by(way);
        let losses = networks.train(&data, phase(1, 1), &[], stack).unwrap();
        let mut losses: Vec<_> = losses.iter().map(|end| (end.model.0, end.loss)).collect();
        losses.sort_by_key(|(model, _)| *model);
        (losses, networks.predict(&data))
    };
    let (losses, soft) = run(&Device::Cpu, 3, Way::Host);
    for (stack, way) in [(1, Way::Composed), (3, Way::Composed), (3, Way::Kernels)] {
        let (found, of_found) = run(&device, stack, way);
        for (found, expected) in found.iter().zip(&losses) {
            assert!(
                (found.1 - expected.1).abs() < 1e-3 * expected.1.abs(),
                "{found:?} {expected:?}"
            );
        }
        for (found, expected) in of_found.iter().zip(&soft) {
            let difference = &found.view() - &expected.view();
            assert!(difference.iter().all(|difference| difference.abs() < 1e-2));
        }
    }
}

#[test]
fn a_gpu_repeats_itself() {
    let _alone = GPU.lock().unwrap();
    let Some(device) = gpu() else { return };
    let data = blobs();
    let run = || {
        let mut networks = Networks::new(learner(), &data, 2).on(&device);
        networks.train(&data, phase(1, 2), &[], 2).unwrap();
        networks.weights
    };
    assert!(run() == run());
}

/// When each epoch ended.
#[derive(Default)]
struct Clock(Mutex<Vec<(usize, Instant)>>);

impl Progress for Clock {
    fn epoch_end(&self, end: EpochEnd) {
        self.0.lock().unwrap().push((end.epoch, Instant::now()));
    }
}

const CLUSTERS: usize = 10;
const STEPS: usize = 40;

/// Values in 0..=1 around ten centres, as many as make [`STEPS`] batches.
fn bench_data(batch: usize) -> Prepared {
    let (n, width) = (STEPS * batch, 784);
    let mut rng = Seed(1).rng(Stream::Subset);
    let (centres, noise) = (rng.normal(CLUSTERS * width), rng.normal(n * width));
    let values = Array2::from_shape_fn((n, width), |(sample, feature)| {
        let centre = centres[sample % CLUSTERS * width + feature];
        (0.5 + 0.25 * centre + 0.15 * noise[sample * width + feature]).clamp(0.0, 1.0)
    });
    let features = Features::new(values, "blobs").unwrap();
    let mut data = Prepared::new(&features, Scaling::Range, Seed(1), 2).unwrap();
    data.measure_distances(std::thread::available_parallelism().map_or(1, usize::from)).unwrap();
    data
}

/// Ten labelled samples of every cluster.
fn bench_labels(n: usize) -> PseudoLabels {
    let entries = (0..CLUSTERS * 10).map(|sample| PseudoLabel {
        sample: SampleIdx::from_index(sample),
        label: ClusterId::from_index(sample % CLUSTERS),
        agreement: 1,
        margin: 1,
        confidence: 1.0,
    });
    PseudoLabels::new(entries.collect(), CLUSTERS, n)
}

/// Prints a line of JSON a case: samples a second of ten members together, in a retraining, without a phase's start and
/// end. The cases are those of `benches/peers/train_step/train_step.py`.
#[test]
#[ignore = "takes a minute on a GPU: benches/gpu.sh"]
fn speed_of_a_gpu() {
    let _alone = GPU.lock().unwrap();
    let Some(device) = gpu() else { return };
    let models = 10;
    let data = bench_data(256);
    let labels = vec![bench_labels(data.features().n_samples()); models];
    for (name, consistency, labelled) in [
        ("ladder", Consistency::None, false),
        ("ladder-labels", Consistency::None, true),
        ("ladder-vat", Consistency::Adversarial, false),
        ("ladder-vat-labels", Consistency::Adversarial, true),
    ] {
        for (way, precision, stack) in [
            (Way::Composed, "f32", models),
            (Way::Kernels, "f32", models),
            (Way::Composed, "f32", 1),
            (Way::Kernels, "f32", 1),
            (Way::Composed, "tf32", models),
            (Way::Kernels, "tf32", models),
        ] {
            allow_tf32(precision == "tf32");
            let params = NetworkParams {
                hidden: vec![1200, 1200],
                batch_size: 256,
                consistency,
                ..NetworkParams::default()
            };
            let clusters = CLUSTERS;
            let mut networks = Networks::of_clusters(params, &data, 10, clusters);
            networks = networks.on(&device).by(way);
            let labels = if labelled { labels.as_slice() } else { &[] };
            let epochs = 6;
            let clock = Clock::default();
            networks.train_with(&data, phase(1, epochs), labels, stack, &clock).unwrap();
            let ends = clock.0.into_inner().unwrap();
            // Member after member, each has a first epoch that doesn't count.
            let (mut seconds, mut counted) = (0.0, 0);
            for pair in ends.windows(2).filter(|pair| pair[1].0 == pair[0].0 + 1) {
                seconds += (pair[1].1 - pair[0].1).as_secs_f64();
                counted += stack.min(models);
            }
            #[expect(clippy::cast_precision_loss, reason = "a rate")]
            let rate = (counted * STEPS * 256) as f64 / seconds;
            let kernels = if way == Way::Kernels { ", kernels" } else { "" };
            say(&format!(
                r#"{{"case": "{name}", "who": "ours{kernels}", "precision": "{precision}", "stack": {stack}, "samples_per_second": {rate:.0}}}"#
            ));
        }
    }
    allow_tf32(true);
    let held =
        std::panic::catch_unwind(|| differences(&device, Way::Composed, [1e-2, 0.2])).is_ok();
    allow_tf32(false);
    say(&format!(
        r#"{{"check": "TF32: losses within 1e-2, gradients within 0.2", "holds": {held}}}"#
    ));
}
