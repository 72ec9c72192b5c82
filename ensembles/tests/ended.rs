//! Training that is given up, ended in time, or gone on with.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use consilience_data::{Features, ModelAnswers, PseudoLabels, Seed, Stream};
use consilience_ensembles::{
    Checkpoints, Compute, EngineChoice, Ensemble, EnsembleError, EpochEnd, MemberKind,
    NetworkParams, Phase, Prepared, Progress, Record, Scaling,
};
use ndarray::Array2;

/// Samples without groups: what is learnt doesn't matter here.
fn noise(samples: usize) -> Features {
    let values = Seed(5).rng(Stream::Subset).normal(samples * 8);
    Features::new(Array2::from_shape_vec((samples, 8), values).unwrap(), "noise").unwrap()
}

fn prepared() -> Prepared {
    let mut data = Prepared::new(&noise(600), Scaling::Standardise, Seed(3), 2).unwrap();
    data.measure_distances(2).unwrap();
    data
}

const KINDS: [MemberKind; 3] = [MemberKind::Ladder, MemberKind::VatIm, MemberKind::KMeans];

fn ensemble(data: &Prepared, engine: EngineChoice) -> Ensemble {
    let params = NetworkParams { hidden: vec![32], batch_size: 100, ..NetworkParams::default() };
    let compute = Compute { engine, ..Compute::cpu(2) };
    Ensemble::of_kinds(&KINDS, &params.check().unwrap(), data, 3, &compute).unwrap()
}

fn phase(round: usize, most_steps: Option<usize>) -> Phase {
    Phase { round, epochs: 5, anneal: true, most_steps }
}

/// Wants to end after so many questions.
struct Limited {
    cancel_after: usize,
    time_after: usize,
    asked: AtomicUsize,
    timed: AtomicUsize,
}

impl Limited {
    fn new(cancel_after: usize, time_after: usize) -> Self {
        let (asked, timed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { cancel_after, time_after, asked, timed }
    }
}

impl Progress for Limited {
    fn cancelled(&self) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed) >= self.cancel_after
    }

    fn time_is_up(&self) -> bool {
        self.timed.fetch_add(1, Ordering::Relaxed) >= self.time_after
    }
}

const NEVER: usize = usize::MAX;

#[test]
fn every_step_of_the_work_can_be_given_up() {
    let (features, data) = (noise(600), prepared());
    let at_once = Limited::new(0, NEVER);
    let is_cancelled = |error: EnsembleError| assert!(matches!(error, EnsembleError::Cancelled));
    let scaled = Prepared::new_watched(&features, Scaling::None, Seed(1), 1, &at_once);
    is_cancelled(scaled.unwrap_err());
    is_cancelled(data.clone().measure_distances_watched(1, &at_once).unwrap_err());
    for after in [0, 1, 10, 40] {
        let limited = Limited::new(after, NEVER);
        let mut ensemble = ensemble(&data, EngineChoice::Auto);
        is_cancelled(ensemble.train(&data, &phase(0, None), &[], &limited).unwrap_err());
    }
    let mut ensemble = ensemble(&data, EngineChoice::Auto);
    ensemble.train(&data, &phase(0, None), &[], &()).unwrap();
    is_cancelled(ensemble.vote(&data, 0, &at_once).unwrap_err());
}

/// Where the time is up in the middle of an epoch, or before anything was done, the same is got by counting steps.
#[test]
fn a_phase_that_was_cut_is_repeated_by_its_steps() {
    let data = prepared();
    for engine in [EngineChoice::Fast, EngineChoice::Candle] {
        for after in [0, 1, 5, 21, 60] {
            let mut cut = ensemble(&data, engine);
            cut.train(&data, &phase(0, None), &[], &Limited::new(NEVER, after)).unwrap();
            let cuts = cut.cuts();
            assert!(cuts[..2].iter().all(|steps| steps.is_none_or(|steps| steps < 30)), "{cuts:?}");
            assert!(after > 20 || cuts[0].is_some());
            assert_eq!(cuts[2], None, "k-means has no steps");
            let mut again = ensemble(&data, engine);
            let steps: Vec<usize> = cuts.iter().map(|steps| steps.unwrap_or(30)).collect();
            again.limit(&steps);
            again.train(&data, &phase(0, None), &[], &()).unwrap();
            assert_eq!(again.cuts(), cuts);
            let trained: Vec<usize> = (0..3).filter(|&model| cuts[model] != Some(0)).collect();
            cut.keep(&trained);
            again.keep(&trained);
            assert_eq!(again.numbers(), trained);
            assert_eq!(again.predict(&data).unwrap(), cut.predict(&data).unwrap());
        }
    }
}

/// A store in memory.
#[derive(Default)]
struct Store(Mutex<BTreeMap<String, Record>>);

impl Checkpoints for Store {
    fn load(&self, step: &str) -> Option<Record> {
        // As from a file.
        let record = self.0.lock().unwrap().get(step)?.to_bytes();
        Some(Record::of_bytes(&record).unwrap())
    }

    fn save(&self, step: &str, record: Record, outdated: Option<&str>) {
        let mut records = self.0.lock().unwrap();
        records.insert(step.into(), record);
        outdated.map(|outdated| records.remove(outdated));
    }

    fn keeps(&self) -> bool {
        true
    }
}

/// Keeps what is finished, and counts epochs.
#[derive(Default)]
struct Kept {
    store: Store,
    epochs: AtomicUsize,
}

impl Progress for Kept {
    fn epoch_end(&self, _: EpochEnd) {
        self.epochs.fetch_add(1, Ordering::Relaxed);
    }

    fn checkpoints(&self) -> &dyn Checkpoints {
        &self.store
    }
}

/// Trains for so many rounds; the votes of each.
fn rounds(
    ensemble: &mut Ensemble,
    data: &Prepared,
    n: usize,
    kept: &Kept,
) -> Vec<Vec<ModelAnswers>> {
    let labels = vec![PseudoLabels::default(); 3];
    let round = |round| {
        ensemble.train(data, &phase(round, None), &labels, kept).unwrap();
        ensemble.vote(data, round, kept).unwrap()
    };
    (0..n).map(round).collect()
}

#[test]
fn whatever_a_checkpoint_has_the_result_is_the_same_and_it_can_be_taken_back() {
    let (data, kept) = (prepared(), Kept::default());
    let mut whole = ensemble(&data, EngineChoice::Auto);
    let expected = rounds(&mut whole, &data, 4, &kept);
    assert_eq!(kept.epochs.load(Ordering::Relaxed), 2 * 4 * 5, "two networks");
    let all = std::mem::take(&mut *kept.store.0.lock().unwrap());
    let states = all.keys().filter(|step| step.ends_with("state")).count();
    // k-means is found again.
    assert_eq!((states, all.len()), (2 * 2, 2 * 2 + 4 * 2), "states of two rounds, votes of all");

    // Gone on with after the last round, in the middle of it, and before anything.
    let last: Vec<&String> = all.keys().filter(|step| step.starts_with("round-003")).collect();
    for lost in 0..=last.len() {
        let again = Kept::default();
        let mut records = all.clone();
        for step in &last[last.len() - lost..] {
            records.remove(*step);
        }
        *again.store.0.lock().unwrap() = records;
        let mut resumed = ensemble(&data, EngineChoice::Auto);
        assert_eq!(rounds(&mut resumed, &data, 4, &again), expected, "{lost} steps lost");
        assert!(again.epochs.load(Ordering::Relaxed) <= 2 * 5, "only what was lost is trained");
        assert_eq!(resumed.predict(&data).unwrap(), whole.predict(&data).unwrap());
        assert!(resumed.can_come_back() && resumed.can_go_back());
        resumed.go_back().unwrap();
        assert_eq!(resumed.predict(&data).unwrap(), expected[2]);
        let error = resumed.go_back().unwrap_err();
        assert!(matches!(error, EnsembleError::NoState { model: 0 }), "{error}");
    }
    // A state that is missing is never made up.
    let again = Kept::default();
    let mut records = all.clone();
    records.retain(|step, _| !step.ends_with("state"));
    records.retain(|step, _| !step.starts_with("round-003"));
    *again.store.0.lock().unwrap() = records;
    let mut resumed = ensemble(&data, EngineChoice::Auto);
    for round in 0..3 {
        resumed.train(&data, &phase(round, None), &[], &again).unwrap();
    }
    let error = resumed.train(&data, &phase(3, None), &[], &again).unwrap_err();
    assert!(matches!(error, EnsembleError::NoState { model: 0 }), "{error}");
}

/// A large product, neighbours and votes are asked for often enough.
#[test]
fn giving_up_takes_less_than_half_a_second() {
    struct Clock(Instant, Duration);
    impl Progress for Clock {
        fn cancelled(&self) -> bool {
            self.0.elapsed() >= self.1
        }
    }
    let features = noise(40_000);
    let after = Duration::from_millis(100);
    let mut data = Prepared::new(&features, Scaling::Standardise, Seed(3), 2).unwrap();
    let clock = Clock(Instant::now(), after);
    let done = data.measure_distances_watched(2, &clock);
    let took = clock.0.elapsed();
    assert!(done.is_ok() || took < after + Duration::from_millis(500), "{took:?}");
}
