//! Models of every kind, trained on blobs that any of them should find.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Mutex;

use consilience_data::{
    ClusterId, Features, ModelAnswers, ModelIdx, PseudoLabel, PseudoLabels, SampleIdx, Seed, Stream,
};
use consilience_ensembles::{
    Compute, Consistency, Ensemble, EnsembleError, EpochEnd, MemberKind, NetworkParams, Objective,
    Phase, Prepared, Progress, Scaling, SizePrior,
};
use ndarray::Array2;

const SAMPLES: usize = 1100; // more than goes through a network at a time
const BLOBS: usize = 3;

/// Sample i is in blob i % 3.
fn blobs() -> Features {
    let noise = Seed(5).rng(Stream::Subset).normal(SAMPLES * 4);
    let values = Array2::from_shape_fn((SAMPLES, 4), |(sample, feature)| {
        let centre = if sample % BLOBS == feature { 8.0 } else { 0.0 };
        centre + noise[sample * 4 + feature]
    });
    Features::new(values, "blobs").unwrap()
}

fn prepared() -> Prepared {
    let mut data = Prepared::new(&blobs(), Scaling::Standardise, Seed(3), 2).unwrap();
    data.measure_distances(2).unwrap();
    data
}

fn params() -> NetworkParams {
    NetworkParams {
        hidden: vec![32],
        batch_size: 100,
        label_batch_size: 30,
        ..NetworkParams::default()
    }
}

fn ensemble(
    kinds: &[MemberKind],
    params: NetworkParams,
    data: &Prepared,
    threads: usize,
) -> Ensemble {
    Ensemble::of_kinds(kinds, &params.check().unwrap(), data, BLOBS, &Compute::cpu(threads))
        .unwrap()
}

fn phase(round: usize, epochs: usize) -> Phase {
    Phase { round, epochs, anneal: round > 0, most_steps: None }
}

/// The blob of each sample, as [`blobs`] made them.
fn truth() -> Vec<usize> {
    (0..SAMPLES).map(|sample| sample % BLOBS).collect()
}

fn clusters(soft: &ModelAnswers) -> Vec<usize> {
    soft.harden().0.clusters().iter().map(|cluster| cluster.index()).collect()
}

/// Share of samples in the cluster of their blob, matched one to one.
fn accuracy(soft: &ModelAnswers) -> f64 {
    consilience_testing::accuracy(&truth(), &clusters(soft))
}

/// The blobs of some samples, as they were made, each called as the cluster that is matched to it: models have their own numbers.
fn labels(soft: &ModelAnswers) -> PseudoLabels {
    let cluster_of = consilience_testing::matching(&truth(), &clusters(soft));
    let entries = (0..60).map(|sample| PseudoLabel {
        sample: SampleIdx::from_index(sample),
        label: ClusterId(u16::try_from(cluster_of[sample % BLOBS]).unwrap()),
        agreement: 1,
        margin: 1,
        confidence: 1.0,
    });
    PseudoLabels::new(entries.collect(), BLOBS, SAMPLES)
}

#[derive(Default)]
struct Losses(Mutex<Vec<f64>>);

impl Progress for Losses {
    fn epoch_end(&self, epoch: EpochEnd) {
        self.0.lock().unwrap().push(epoch.loss);
    }
}

#[test]
fn every_kind_of_network_learns_and_learns_on() {
    let data = prepared();
    for consistency in
        [Consistency::None, Consistency::NoiseKl, Consistency::Random, Consistency::Adversarial]
    {
        for normalise_last in [false, true] {
            for denoising in [vec![], vec![10.0, 1.0, 0.1]] {
                let case =
                    format!("{consistency:?}, normalise_last {normalise_last}, {denoising:?}");
                let params = NetworkParams { consistency, normalise_last, denoising, ..params() };
                let mut ensemble = ensemble(&[MemberKind::Ladder], params, &data, 1);
                let losses = Losses::default();
                ensemble.train(&data, &phase(0, 20), &[], &losses).unwrap();
                let losses = losses.0.into_inner().unwrap();
                assert!(losses[19] < losses[0], "{case}: {losses:?}");
                let soft = ensemble.predict(&data).unwrap();
                let targets = [labels(&soft[0])];
                ensemble.train(&data, &phase(1, 5), &targets, &()).unwrap();
                let found = accuracy(&ensemble.predict(&data).unwrap()[0]);
                // Two blobs in one cluster would be 0.67.
                assert!(found > 0.8, "{case}: {found}");
            }
        }
    }
}

/// Of ten samples, eight are in the first blob and one in each of the others.
fn unequal() -> Prepared {
    let noise = Seed(6).rng(Stream::Subset).normal(SAMPLES * 4);
    let values = Array2::from_shape_fn((SAMPLES, 4), |(sample, feature)| {
        let centre = if (sample % 10).saturating_sub(7) == feature { 8.0 } else { 0.0 };
        centre + noise[sample * 4 + feature]
    });
    let features = Features::new(values, "blobs").unwrap();
    let mut data = Prepared::new(&features, Scaling::Standardise, Seed(3), 2).unwrap();
    data.measure_distances(2).unwrap();
    data
}

/// The largest cluster of several models after each of two rounds.
fn largest(sizes: SizePrior) -> [Vec<usize>; 2] {
    let data = unequal();
    let params = NetworkParams { sizes, im_weight: 3.0, ..params() };
    let mut ensemble = ensemble(&[MemberKind::Ladder; 3], params, &data, 2);
    [0, 1].map(|round| {
        ensemble.train(&data, &phase(round, 60), &[], &()).unwrap();
        let largest = |soft: &ModelAnswers| {
            let mut sizes = [0; BLOBS];
            soft.harden().0.clusters().iter().for_each(|cluster| sizes[cluster.index()] += 1);
            sizes.into_iter().max().unwrap()
        };
        ensemble.predict(&data).unwrap().iter().map(largest).collect()
    })
}

#[test]
fn sizes_follow_the_prior() {
    let even = largest(SizePrior::Uniform);
    assert!(even[0].iter().all(|&largest| largest < SAMPLES / 2), "{even:?}");
    let given = largest(SizePrior::Given(vec![4.0, 1.0, 1.0]));
    // Two thirds of the samples by the prior, and not all of them.
    let large = SAMPLES * 6 / 10..SAMPLES * 8 / 10;
    assert!(given[0].iter().all(|largest| large.contains(largest)), "{given:?}");
    let learned = largest(SizePrior::Learned);
    assert_eq!(learned[0], even[0], "nothing is known in the first round");
    assert_ne!(learned[1], even[1]);
}

#[test]
fn a_dot_product_finds_the_blobs() {
    let data = prepared();
    let params = NetworkParams { objective: Objective::DotProduct, ..params() };
    let mut ensemble = ensemble(&[MemberKind::Ladder; 3], params, &data, 2);
    for round in [0, 1] {
        ensemble.train(&data, &phase(round, 30), &[], &()).unwrap();
        let found: Vec<f64> = ensemble.predict(&data).unwrap().iter().map(accuracy).collect();
        assert!(found.iter().all(|&accuracy| accuracy > 0.95), "round {round}: {found:?}");
    }
}

/// One network alone may end in a poor optimum, with two blobs in one cluster: that is what the ensemble is for.
#[test]
fn most_models_find_the_blobs() {
    let data = prepared();
    let networks = [MemberKind::Ladder, MemberKind::VatIm].repeat(3);
    let kinds = [networks, vec![MemberKind::KMeans]].concat();
    let mut ensemble = ensemble(&kinds, params(), &data, 2);
    ensemble.train(&data, &phase(0, 30), &[], &()).unwrap();
    let found: Vec<f64> = ensemble.predict(&data).unwrap().iter().map(accuracy).collect();
    let right = found.iter().filter(|&&accuracy| accuracy > 0.95).count();
    assert!(found[6] > 0.95 && right > kinds.len() / 2, "{found:?}");
}

#[test]
fn a_models_number_decides_its_random_numbers() {
    let data = prepared();
    let predicted = |mut ensemble: Ensemble| {
        ensemble.train(&data, &phase(0, 1), &[], &()).unwrap();
        ensemble.predict(&data).unwrap()
    };
    let kinds = [MemberKind::Ladder, MemberKind::VatIm];
    let both = predicted(ensemble(&kinds, params(), &data, 1));
    let (valid, compute) = (params().check().unwrap(), Compute::cpu(1));
    let of_number = |model, kinds| {
        Ensemble::of_kinds_from(ModelIdx(model), kinds, &valid, &data, BLOBS, &compute).unwrap()
    };
    assert!(predicted(of_number(1, &kinds[1..])) == both[1..]);
    assert!(predicted(of_number(2, &kinds[1..])) != both[1..]);
}

#[test]
fn threads_do_not_change_a_bit() {
    let kinds = [MemberKind::Ladder, MemberKind::KMeans, MemberKind::VatIm, MemberKind::Ladder];
    let run = |threads| {
        let mut data = Prepared::new(&blobs(), Scaling::Standardise, Seed(3), 2).unwrap();
        data.measure_distances(threads).unwrap();
        let mut ensemble = ensemble(&kinds, params(), &data, threads);
        ensemble.train(&data, &phase(0, 3), &[], &()).unwrap();
        let targets: Vec<PseudoLabels> =
            ensemble.predict(&data).unwrap().iter().map(labels).collect();
        ensemble.train(&data, &phase(1, 2), &targets, &()).unwrap();
        ensemble.predict(&data).unwrap()
    };
    let one = run(1);
    assert_eq!(one, run(3));
    assert_ne!(one[0], one[3], "models of one kind differ by their seeds");
}

#[test]
fn a_model_that_diverges_is_said_to() {
    let data = prepared();
    let params = NetworkParams { learning_rate: 1e30, ..params() };
    let mut ensemble = ensemble(&[MemberKind::Ladder], params, &data, 1);
    let trained = ensemble.train(&data, &phase(0, 2), &[], &());
    let error = trained.and_then(|()| ensemble.predict(&data).map(drop)).unwrap_err();
    assert!(matches!(error, EnsembleError::Diverged { .. }), "{error}");
}

#[test]
fn what_is_missing_is_said() {
    let data = Prepared::new(&blobs(), Scaling::Standardise, Seed(3), 2).unwrap();
    let mut ensemble = ensemble(&[MemberKind::Ladder], params(), &data, 1);
    assert!(matches!(ensemble.predict(&data), Err(EnsembleError::Untrained { model: 0 })));
    let error = ensemble.train(&data, &phase(0, 1), &[], &()).unwrap_err();
    assert!(error.to_string().contains("measure_distances"), "{error}");
    assert_eq!(ensemble.n_models(), ModelIdx(1).index());
}
