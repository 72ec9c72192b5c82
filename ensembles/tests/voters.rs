//! Voters that are no networks: they find what is there, answer the same for the same sample, are read back, and cost no run.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Mutex;

use consilience_data::{Features, ModelAnswers, ModelIdx, PseudoLabels, Seed, Stream};
use consilience_ensembles::{
    Clusterer, Communities, CommunityParams, Compute, Ensemble, EnsembleError, KMeansModel,
    MemberKind, Mixture, NetworkParams, Phase, Prepared, Progress, Scaling,
};
use ndarray::{Array2, s};

const PHASE: Phase = Phase { round: 0, epochs: 1, anneal: false, most_steps: None };
const VOTERS: [MemberKind; 3] = [MemberKind::Communities, MemberKind::Mixture, MemberKind::KMeans];

fn features(values: Array2<f32>) -> Features {
    Features::new(values, "x").unwrap()
}

/// `sizes` samples around as many centres, in `d` features.
fn blobs(sizes: &[usize], d: usize) -> (Features, Vec<usize>) {
    blobs_apart(6.0, sizes, d)
}

fn blobs_apart(by: f32, sizes: &[usize], d: usize) -> (Features, Vec<usize>) {
    let of = |(blob, &size): (usize, &usize)| vec![blob; size];
    let truth: Vec<usize> = sizes.iter().enumerate().flat_map(of).collect();
    let noise = Seed(5).rng(Stream::Subset).normal(truth.len() * d);
    let value = |(sample, feature): (usize, usize)| {
        let centre = if truth[sample] == feature % sizes.len() { by } else { 0.0 };
        centre + noise[sample * d + feature]
    };
    (features(Array2::from_shape_fn((truth.len(), d), value)), truth)
}

fn prepared(features: &Features, threads: usize) -> Prepared {
    let mut data = Prepared::new(features, Scaling::None, Seed(3), threads).unwrap();
    data.measure_distances(threads).unwrap();
    data
}

fn trained(kinds: &[MemberKind], data: &Prepared, k: usize, threads: usize) -> Ensemble {
    let params = NetworkParams::default().check().unwrap();
    let mut ensemble = Ensemble::of_kinds(kinds, &params, data, k, &Compute::cpu(threads)).unwrap();
    ensemble.train(data, &PHASE, &[], &()).unwrap();
    ensemble
}

fn clusters(answers: &ModelAnswers) -> Vec<usize> {
    answers.harden().0.clusters().iter().map(|cluster| cluster.index()).collect()
}

/// The share of samples that are of the commonest class of their cluster: 1 also where a class is split.
fn purity(truth: &[usize], clusters: &[usize]) -> f64 {
    let mut counts = std::collections::BTreeMap::new();
    for (&class, &cluster) in truth.iter().zip(clusters) {
        let of_class: &mut Vec<usize> = counts.entry(cluster).or_default();
        of_class.resize(of_class.len().max(class + 1), 0);
        of_class[class] += 1;
    }
    let commonest = counts.values().map(|counts| counts.iter().max().unwrap());
    commonest.sum::<usize>() as f64 / truth.len() as f64
}

#[test]
fn every_kind_finds_the_blobs_and_is_the_surer_the_farther_from_others() {
    let (features, truth) = blobs(&[150, 90, 60], 12);
    let data = prepared(&features, 2);
    let answers = trained(&VOTERS, &data, 3, 2).predict(&data).unwrap();
    for (answers, kind) in answers.iter().zip(VOTERS) {
        assert_eq!(purity(&truth, &clusters(answers)), 1.0, "{kind:?}");
        let most = if kind == MemberKind::Communities { 5 } else { 3 };
        assert!((3..=most).contains(&answers.n_clusters()), "{kind:?}: 1 to 1.5 K");
        let confidences = answers.harden().1;
        assert!(confidences.iter().all(|confidence| (0.0..=1.0).contains(confidence)));
        assert!(confidences.iter().sum::<f32>() / 300.0 > 0.9, "{kind:?}");
    }
    let centre = |blob: usize| features.view().slice(s![blob * 150.., ..]).row(0).to_owned();
    let between = (&centre(0) + &centre(1)) / 2.0;
    let mut rows = Array2::zeros((2, 12));
    rows.row_mut(0).assign(&centre(0));
    rows.row_mut(1).assign(&between);
    let kinds = [MemberKind::KMeans];
    let unsure = trained(&kinds, &data, 3, 1).predict_new(&self::features(rows)).unwrap();
    let confidences = unsure[0].harden().1;
    assert!(confidences[0] > confidences[1] + 0.1, "{confidences:?}");
}

#[test]
fn voters_that_keep_the_same_samples_answer_together_as_each_alone() {
    // In directions, and as they are.
    for d in [150, 20] {
        let (features, _) = blobs_apart(2.0, &[500, 400, 300], d);
        let data = prepared(&features, 2);
        let labels = |step: usize| (0..1200).map(|row| row / step).collect::<Vec<usize>>();
        let all: Vec<u32> = (0..1200).collect();
        let some: Vec<u32> = (0..1200).step_by(2).collect();
        // Each asks as many neighbours as it wants; the last has other samples.
        let told = [(&all, 8, 300), (&all, 15, 100), (&all, 11, 1200), (&some, 9, 200)];
        let voter = |(at, &(samples, count, step)): (usize, &(&Vec<u32>, usize, usize))| {
            let labels = &labels(step)[..samples.len()];
            let model = ModelIdx::from_index(at);
            Communities::of_labels(model, &data, (samples, labels), count, &()).unwrap()
        };
        let voters: Vec<Communities> = told.iter().enumerate().map(voter).collect();
        let mut together = Ensemble::of_communities(voters.clone(), 2).unwrap();
        let answers = together.predict(&data).unwrap();
        for (voter, answer) in voters.iter().zip(&answers) {
            assert_eq!(answer, &voter.predict(data.features()).unwrap());
        }
        assert_eq!(answers, together.predict_new(data.features()).unwrap());
        assert_ne!(answers[0], answers[1]);
    }
}

#[test]
fn threads_blocks_and_files_change_no_bit() {
    // Wide enough for directions, and more than two blocks of a thousand rows.
    let (features, _) = blobs(&[900, 800, 700], 150);
    let data = prepared(&features, 2);
    let mut ensemble = trained(&VOTERS, &data, 3, 2);
    let answers = ensemble.predict(&data).unwrap();
    let single = trained(&VOTERS, &prepared(&features, 1), 3, 1).predict(&data).unwrap();
    assert_eq!(answers, single);
    assert_eq!(answers, ensemble.predict(&data).unwrap(), "said once");
    assert_eq!(answers, ensemble.predict_new(data.features()).unwrap());

    let folder = tempfile::tempdir().unwrap();
    ensemble.save(folder.path()).unwrap();
    let n_clusters: Vec<usize> = answers.iter().map(ModelAnswers::n_clusters).collect();
    let loaded = Ensemble::load(folder.path(), 150, &n_clusters, 1).unwrap();
    assert_eq!(answers, loaded.predict_new(data.features()).unwrap());
    assert_eq!(loaded.kinds(), ["communities", "mixture", "k-means"]);
    let communities = folder.path().join("model-00.safetensors");
    let size = std::fs::metadata(&communities).unwrap().len();
    assert!(size < 2400 * 66 * 4 + 151 * 64 * 4 + 1000, "{size}: rows in 64 directions");
    for wrong in [(149, 3), (150, 70_000)] {
        let error = Ensemble::load(folder.path(), wrong.0, &[wrong.1; 3], 1).err().unwrap();
        assert!(matches!(error, EnsembleError::Load { .. }), "{error}");
    }
    let tail = data.features().view().slice(s![1000.., ..]).to_owned();
    let of_tail = loaded.predict_new(&self::features(tail)).unwrap();
    assert_eq!(clusters(&of_tail[0]), clusters(&answers[0])[1000..]);
}

#[test]
fn voters_of_one_kind_err_differently() {
    // One crowd: where it is cut is anybody's guess.
    let features = features(blobs(&[600], 4).0.view().mapv(|x| x.rem_euclid(3.0)));
    let data = prepared(&features, 2);
    let answers = trained(&[MemberKind::Communities; 2], &data, 4, 2).predict(&data).unwrap();
    assert_ne!(answers[0], answers[1]);
}

fn communities(features: &Features, k: usize) -> ModelAnswers {
    let data = prepared(features, 1);
    let mut model = Communities::new(ModelIdx(0), k, CommunityParams::default());
    model.train(&data, &PHASE, &PseudoLabels::default(), &()).unwrap();
    model.predict(data.features()).unwrap()
}

#[test]
fn communities_cope_with_odd_data() {
    let few = communities(&blobs(&[2, 2], 3).0, 2);
    assert!(few.n_clusters() >= 1 && few.n_samples() == 4, "fewer samples than neighbours");
    let equal = communities(&features(Array2::ones((200, 3))), 3);
    assert!(equal.harden().1.iter().all(|confidence| confidence.is_finite()), "duplicates only");
    // 20 crowds far from one another, each of more samples than a voter has neighbours.
    let (pieces, truth) = blobs_apart(20.0, &[40; 20], 20);
    let found = communities(&pieces, 2);
    assert_eq!(found.n_clusters(), 20, "pieces that nothing connects, whatever K");
    assert_eq!(purity(&truth, &clusters(&found)), 1.0);
    let granularity = (0.1, 0.1);
    let params = CommunityParams { granularity, ..CommunityParams::default() };
    let data = prepared(&blobs(&[300], 3).0, 1);
    let mut one = Communities::new(ModelIdx(0), 2, params);
    one.train(&data, &PHASE, &PseudoLabels::default(), &()).unwrap();
    let answers = one.predict(data.features()).unwrap();
    assert_eq!((answers.n_clusters(), answers.harden().1[7]), (1, 1.0), "all in one");
    let untrained = Communities::new(ModelIdx(4), 2, params).predict(data.features());
    assert!(matches!(untrained, Err(EnsembleError::Untrained { model: 4 })));
    let unmeasured = Prepared::new(&blobs(&[9], 2).0, Scaling::None, Seed(1), 1).unwrap();
    let mut model = Communities::new(ModelIdx(0), 2, params);
    let error = model.train(&unmeasured, &PHASE, &PseudoLabels::default(), &()).unwrap_err();
    assert!(error.to_string().contains("measure_distances"), "{error}");
}

#[test]
fn samples_without_features_are_in_no_community() {
    let mut rows = blobs(&[60, 60], 6).0.view().to_owned();
    rows.row_mut(3).fill(0.0);
    rows.row_mut(70).fill(0.0);
    let mut data = Prepared::new(&features(rows), Scaling::Rows, Seed(3), 1).unwrap();
    data.measure_distances(1).unwrap();
    assert_eq!(data.trainable().len(), 118);
    let mut model = Communities::new(ModelIdx(0), 2, CommunityParams::default());
    model.train(&data, &PHASE, &PseudoLabels::default(), &()).unwrap();
    let found = clusters(&model.predict(data.features()).unwrap());
    let truth: Vec<usize> = data.trainable().iter().map(|&s| usize::from(s >= 60)).collect();
    let found: Vec<usize> = data.trainable().iter().map(|&s| found[s as usize]).collect();
    assert!(purity(&truth, &found) > 0.95);
}

#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Progress for Told {
    fn model_lost(&self, model: ModelIdx, kind: &'static str, reason: &str) {
        self.0.lock().unwrap().push(format!("{} {kind}: {reason}", model.0));
    }
}

#[test]
fn a_collapse_costs_the_voter_and_not_the_run() {
    let data = prepared(&features(Array2::ones((50, 3))), 1);
    let params = NetworkParams::default().check().unwrap();
    let kinds = [MemberKind::Mixture, MemberKind::Communities];
    let of = |kinds: &[MemberKind]| {
        Ensemble::of_kinds(kinds, &params, &data, 2, &Compute::cpu(1)).unwrap()
    };
    let (mut ensemble, told) = (of(&kinds), Told::default());
    ensemble.train(&data, &PHASE, &[], &told).unwrap();
    assert_eq!(ensemble.kinds(), ["communities"]);
    assert_eq!(ensemble.predict(&data).unwrap().len(), 1);
    let told = told.0.into_inner().unwrap();
    assert!(told[0].starts_with("0 mixture: ") && told.len() == 1, "{told:?}");
    let error = of(&kinds[..1]).train(&data, &PHASE, &[], &()).unwrap_err().to_string();
    assert!(error.starts_with("model 0 (mixture): ") && error.contains("leave it out"), "{error}");
}

/// Where a wide group surrounds a narrow one's side, centres and distances cut the wide one.
#[test]
fn a_mixture_finds_clusters_of_unequal_widths() {
    let noise = Seed(5).rng(Stream::Subset).normal(800);
    let value = |(sample, feature): (usize, usize)| {
        let x = noise[2 * sample + feature];
        match (sample < 300, feature) {
            (true, _) => 4.0 * x,
            (false, 0) => 9.0 + 0.5 * x,
            (false, _) => 0.5 * x,
        }
    };
    let data = prepared(&features(Array2::from_shape_fn((400, 2), value)), 1);
    let truth: Vec<usize> = (0..400).map(|sample| usize::from(sample < 300)).collect();
    let mut mixture = Mixture::new(ModelIdx(0), 2);
    mixture.train(&data, &PHASE, &PseudoLabels::default(), &()).unwrap();
    let mixture = clusters(&mixture.predict(data.features()).unwrap());
    let (_, k_means) = KMeansModel::fitted(ModelIdx(0), &data, 2, 1, &()).unwrap();
    let accuracy = |found: &[usize]| consilience_testing::accuracy(&truth, found);
    let (mixture, k_means) = (accuracy(&mixture), accuracy(&clusters(&k_means)));
    assert!(mixture > 0.97 && k_means < 0.94, "{mixture} {k_means}");
}
