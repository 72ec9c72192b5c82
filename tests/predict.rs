//! `predict`: the run's own answers for the data that it was made of, and clear words for everything else.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::path::Path;

use common::{Sandbox, stderr};
use consilience_data::write::npy;
use consilience_data::{Features, Seed, Stream, read_dataset};
use ndarray::{Array2, s};
use serde_json::Value;

/// Some groups of rows, of which every thirtieth is empty, in more than a thousand samples.
fn texts() -> Array2<f32> {
    let (rows, columns) = (2300, 120);
    let noise = Seed(2).rng(Stream::Subset).normal(rows * columns);
    Array2::from_shape_fn((rows, columns), |(row, column)| {
        let usual = if column % 4 == row % 4 { 1.5 } else { 0.0 };
        let value = usual + noise[row * columns + column] - 1.0;
        if row % 30 == 7 { 0.0 } else { value.max(0.0) }
    })
}

fn features(values: Array2<f32>) -> Features {
    Features::new(values, "x").unwrap()
}

/// Writes rows of `values` into a file of the sandbox.
fn file(sandbox: &Sandbox, name: &str, values: &Array2<f32>, rows: std::ops::Range<usize>) {
    npy(&sandbox.path(name), values.slice(s![rows, ..])).unwrap();
}

const TEXTS: &str = "
    preparation = { scaling = 'rows', components = 20 }
    members = ['vat-im', 'k-means', 'ladder']
    candidates = 0
    rounds = 2
    judge = false
    first = { epochs = 3, min_steps = 0, anneal = false }
    retrain = { epochs = 1, min_steps = 0, anneal = true }
    agreement.min_confidence = 0.0
    network.hidden = [30]
    network.batch_size = 100
";

#[test]
fn the_runs_own_answers_come_back() {
    let sandbox = Sandbox::new();
    sandbox.done("cluster digits --config quick.toml --quiet --out run");
    let run = fs::read(sandbox.path("run/assignments.csv")).unwrap();
    for threads in [1, 2, 3] {
        assert!(sandbox.predicted(&format!("run digits --threads {threads}")) == run);
    }
    let told = sandbox.done("predict run digits --quiet");
    assert!(told.contains("digits: 1,797 samples, K = 10"), "{told}");
    let acc = sandbox.json("run/metrics.json")["acc"].as_f64().unwrap();
    assert!(told.contains(&format!("ACC {acc:.4}")), "{told}");
    assert!(told.contains("digits-clusters.csv"), "{told}");
    assert!(fs::read(sandbox.path("digits-clusters.csv")).unwrap() == run);

    sandbox.done("predict run digits --quiet --out found.npy");
    let run = fs::read(sandbox.path("run/assignments.npy")).unwrap();
    assert!(fs::read(sandbox.path("found.npy")).unwrap().ends_with(&run[128..]));
    let scores = |found: &str| {
        let told = sandbox.done(&format!("evaluate digits {found}"));
        told.split_once('\n').unwrap().1.to_owned()
    };
    assert_eq!(scores("found.npy"), scores("run"));
}

#[test]
fn projected_texts_in_several_files_are_cut_as_in_training() {
    let (sandbox, values) = (Sandbox::new(), texts());
    sandbox.file("texts.toml", TEXTS);
    file(&sandbox, "texts.npy", &values, 0..2300);
    file(&sandbox, "first.npy", &values, 0..1234);
    file(&sandbox, "second.npy", &values, 1234..2300);
    let output = sandbox.run("cluster texts.npy -k 4 --config texts.toml --quiet --out run");
    assert_ne!(output.status.code(), Some(2), "{}", stderr(&output));
    let run = fs::read(sandbox.path("run/assignments.csv")).unwrap();
    assert!(sandbox.predicted("run texts.npy") == run);
    assert!(sandbox.predicted("run first.npy second.npy --threads 1") == run);
    let projection = fs::metadata(sandbox.path("run/models/scaling.npz")).unwrap().len();
    assert!(projection > 120 * 20 * 4, "there is a projection");
}

#[test]
fn where_k_means_was_chosen_it_answers() {
    let sandbox = Sandbox::new();
    let untrained =
        common::QUICK.replace("epochs = 20", "epochs = 1").replace("epochs = 5", "epochs = 1");
    let untrained = untrained.replace("communities = 3", "communities = 0");
    let untrained =
        untrained.replace("network.hidden", "network.learning_rate = 1e-9\nnetwork.hidden");
    sandbox.file("untrained.toml", untrained);
    let output = sandbox.run("cluster digits --config untrained.toml --quiet --out run");
    assert_ne!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(sandbox.json("run/metrics.json")["chosen"], "k-means");
    let run = fs::read(sandbox.path("run/assignments.csv")).unwrap();
    assert!(sandbox.predicted("run digits") == run, "confidences too");
}

/// Networks beside voters that find another number of clusters than K, and answer without probabilities.
#[test]
fn voters_of_every_kind_answer_again() {
    let sandbox = Sandbox::new();
    let kinds = ["ladder", "communities", "mixture", "k-means"];
    let members = format!("members = {kinds:?}");
    let config = common::QUICK.replace("members = ['ladder', 'ladder', 'vat-im']", &members);
    sandbox.file("mixed.toml", config.replace("min_confidence = 0.5", "min_confidence = 0.0"));
    sandbox.done("cluster digits --config mixed.toml --quiet --out run");
    let run = fs::read(sandbox.path("run/assignments.csv")).unwrap();
    for threads in [1, 3] {
        assert!(sandbox.predicted(&format!("run digits --threads {threads}")) == run);
    }
    let metrics = sandbox.json("run/metrics.json");
    let models = metrics["rounds"][1]["models"].as_array().unwrap();
    let found: Vec<&str> = models.iter().map(|model| model["kind"].as_str().unwrap()).collect();
    assert_eq!(found, kinds, "the better of two ladder networks, and the others");
    let communities = models[1]["n_clusters"].as_u64().unwrap();
    assert!((10..=20).contains(&communities), "{communities}");
    for model in models {
        assert!(model["acc"].as_f64().unwrap() > 0.6, "{model}");
    }
    assert!(sandbox.text("run/report.html").contains("communities"));
    sandbox.done("export run --format csv --out labels.csv");

    // Whether all mini-clusters are found is another question.
    let output =
        sandbox.run("cluster digits --config mixed.toml --models 2 --rounds 1 --quiet --out two");
    assert!([Some(0), Some(1)].contains(&output.status.code()), "{}", stderr(&output));
    let written = sandbox.text("two/config.toml");
    let members: toml::Table = toml::from_str(&written).unwrap();
    let expected = ["ladder", "ladder", "communities", "mixture", "k-means"];
    assert_eq!(members["members"], toml::Value::from(expected.to_vec()));
}

#[test]
fn communities_alone_find_no_more_clusters_than_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.done("cluster digits --member communities --models 3 --rounds 2 --quiet --out run");
    let run = fs::read(sandbox.path("run/assignments.csv")).unwrap();
    assert!(sandbox.predicted("run digits") == run);
    assert!(sandbox.json("run/metrics.json")["acc"].as_f64().unwrap() > 0.6);
    // Nothing is agreed on: the consensus is that of one model's largest clusters.
    let strict =
        "cluster digits --member communities --models 3 --rounds 1 --min-confidence 0.999999";
    let output = sandbox.run(&format!("{strict} -k 40 --quiet --out strict"));
    assert_ne!(output.status.code(), Some(2), "{}", stderr(&output));
    let run = fs::read(sandbox.path("strict/assignments.csv")).unwrap();
    assert!(sandbox.predicted("strict digits") == run);
}

#[test]
fn whoever_is_unsure_is_left_without_a_cluster() {
    let sandbox = Sandbox::new();
    sandbox.done("cluster digits --config quick.toml --quiet --out run");
    let report =
        sandbox.done("predict run digits --min-confidence 0.9 --json --quiet --out sure.csv");
    let report: Value = serde_json::from_str(&report).unwrap();
    let (run, sure) = (sandbox.text("run/assignments.csv"), sandbox.text("sure.csv"));
    let mut unlabelled = 0;
    assert_eq!(run.lines().count(), sure.lines().count());
    for (all, sure) in run.lines().zip(sure.lines()).skip(1) {
        let cells: Vec<&str> = all.split(',').collect();
        if cells[2].parse::<f32>().unwrap() >= 0.9 {
            assert_eq!(all, sure);
        } else {
            assert_eq!(sure, format!("{},,{}", cells[0], cells[2]));
            unlabelled += 1;
        }
    }
    assert!((1..1797).contains(&unlabelled), "{unlabelled}");
    assert_eq!(report["n_unlabelled"], unlabelled);
    let sizes = report["sizes"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap());
    assert_eq!(sizes.sum::<u64>() + unlabelled, 1797);
    let acc = report["scores"]["acc"].as_f64().unwrap();
    assert!(acc < sandbox.json("run/metrics.json")["acc"].as_f64().unwrap(), "no cluster is wrong");

    let stdout = sandbox.done("predict run digits --min-confidence 0.9 --quiet --out -");
    assert_eq!(stdout, sure);
}

#[test]
fn what_cannot_be_predicted_is_told_in_one_line_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    sandbox.done("cluster digits --member k-means --models 2 --rounds 1 --min-confidence 0 --quiet --out run");
    sandbox.done("pseudo-label run --quiet --no-curve -k 10 --min-confidence 0 --out given");
    let digits = read_dataset(&["digits".into()], &[]).unwrap().features;
    file(&sandbox, "narrow.npy", &digits.view().slice(s![.., ..63]).to_owned(), 0..5);
    npy(&sandbox.path("none.npy"), Array2::<f32>::zeros((0, 64)).view()).unwrap();
    let mut bad = digits.view().slice(s![..1500, ..]).to_owned();
    bad[(1400, 3)] = f32::NAN;
    file(&sandbox, "bad.npy", &bad, 0..1500);
    sandbox.file("taken.csv", "mine");
    let copy = |to: &str| {
        fs::create_dir_all(sandbox.path(to).join("models")).unwrap();
        // As an older version left it: with a manifest, all that is damaged is told alike.
        for file in sandbox.files("run").into_iter().filter(|file| file != "manifest.json") {
            fs::copy(sandbox.path("run").join(&file), sandbox.path(to).join(&file)).unwrap();
        }
    };
    let damage = |to: &str, file: &str, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        copy(to);
        let path = sandbox.path(to).join("models").join(file);
        let content = change(fs::read(&path).unwrap());
        fs::write(path, content).unwrap();
    };
    let half = |mut bytes: Vec<u8>| {
        bytes.truncate(bytes.len() / 2);
        bytes
    };
    damage("cut", "model-01.safetensors", &half);
    damage("other", "model-01.safetensors", &|_| weights_of_another_shape());
    damage("torn", "scaling.npz", &half);
    damage("twice", "ensemble.json", &|bytes| {
        let text = String::from_utf8(bytes).unwrap();
        text.replacen("\"to_common\":[[", "\"to_common\":[[0,0,", 1).into_bytes()
    });
    copy("old");
    fs::remove_file(sandbox.path("old/models/ensemble.json")).unwrap();

    let before = sandbox.files("");
    for (arguments, words) in [
        ("nowhere digits", "no such run folder"),
        (". digits", "no config.toml"),
        ("given digits", "the run has no models"),
        ("old digits", "made by an older version"),
        ("cut digits", "model-01.safetensors: can't be read as a model"),
        ("other digits", "it is for 2 features and 1 clusters, the run has 64"),
        ("torn digits", "scaling.npz"),
        ("twice digits", "ensemble.json: can't be read as part of a run: alignment: model 0"),
        ("run narrow.npy", "narrow.npy: 63 features, but the models of run take 64"),
        ("run none.npy", "no samples"),
        ("run bad.npy", "bad.npy: row 1400, column 3 is NaN"),
        ("run digits narrow.npy", "narrow.npy: 63 columns, but digits has 64"),
        ("run gone.npy", "no such file"),
        ("run digits --out taken.csv", "taken.csv: exists already"),
        ("run digits --out clusters.txt", "name a .csv or .npy file"),
        ("run digits --out not/there.csv", "can't be written"),
        ("run digits --min-confidence 2", "give a number from 0 to 1"),
        ("run digits --out - --json", "leave one out"),
    ] {
        let output = sandbox.run(&format!("predict {arguments} --quiet"));
        let error = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {error}");
        assert!(error.contains(words) && error.lines().count() == 1, "{arguments}: {error}");
        assert_eq!(sandbox.files(""), before, "{arguments}");
    }
    assert_eq!(sandbox.text("taken.csv"), "mine");
}

/// A k-means of one centroid in two dimensions, in the safetensors format.
fn weights_of_another_shape() -> Vec<u8> {
    let header = concat!(
        r#"{"centroids":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"#,
        r#""centroids.spread":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#
    );
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend([0; 12]);
    bytes
}

#[test]
fn a_predictor_in_memory_and_one_read_back_say_the_same() {
    use consilience::run_folder::{self, Provenance, Source};
    use consilience::{Config, Metrics, Predictor};
    use consilience_data::Recipe;

    let values = texts();
    let config: Config = {
        let preset = toml::Table::try_from(Config::default()).unwrap();
        let mut config: toml::Table = preset;
        config.extend(
            TEXTS
                .parse::<toml::Table>()
                .unwrap()
                .into_iter()
                .filter(|entry| !["agreement", "network"].contains(&entry.0.as_str())),
        );
        config.try_into().unwrap()
    };
    let mut config = Config { n_clusters: 4, ..config };
    config.network.hidden = vec![30];
    config.network.batch_size = 100;
    config.agreement.min_confidence = 0.0;
    let data = features(values);
    let config = config.check(&data, 2).unwrap();
    let outcome = consilience::run(&data, &config, &()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let metrics = Metrics::of_run(&outcome, &config, 0.0, None).unwrap();
    let written = run_folder::config_toml("cluster", &*config, &Source::default()).unwrap();
    let provenance = Provenance { ids: None, rows: None, recipe: &Recipe::default() };
    let beside = (&provenance, run_folder::Beside::default());
    run_folder::write(folder.path(), &outcome, &metrics, &written, beside).unwrap();
    let (clusters, confidence) =
        (outcome.answer.assignments.clone(), outcome.answer.confidence.clone());

    let memory = Predictor::of(outcome, 2).unwrap();
    let disk = Predictor::load(Path::new(folder.path()), 1).unwrap();
    let found = memory.predict(&data).unwrap();
    assert_eq!(found, disk.predict(&data).unwrap());
    assert_eq!((found.assignments, found.confidences), (clusters, confidence));
    assert_eq!((disk.n_features(), disk.n_clusters()), (120, 4));
    let narrow = features(Array2::ones((3, 119)));
    let error = disk.predict(&narrow).unwrap_err().to_string();
    assert_eq!(error, "119 features; the models were trained on 120");
}
