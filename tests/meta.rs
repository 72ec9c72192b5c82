//! `consilience meta-train`, `meta-test`, `similar`, and what starts from them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;

use common::{Sandbox, stderr};
use consilience_data::write::{npy, npz};
use consilience_data::{Seed, Stream};
use ndarray::{Array1, Array2};
use serde_json::Value;

/// Short training, of networks as wide as what they start from.
const SHORT: &str = "
    members = ['ladder', 'vat-im']
    candidates = 0
    communities = 3
    rounds = 1
    first = { epochs = 20, min_steps = 0 }
    agreement.min_confidence = 0.5
    network.batch_size = 30
    network.denoising = []
";

/// Four crowds of thirty points in `width` features around centres drawn by `seed`, which differ in the first three features alone. All values are
/// moved by `shift`.
fn crowds(seed: u64, width: usize, shift: f32) -> (Array2<f32>, Array1<i64>) {
    let noise = Seed(seed).rng(Stream::Subset).normal(120 * width);
    let centres = Seed(seed).rng(Stream::Projection).normal(4 * 3);
    let points = Array2::from_shape_fn((120, width), |(row, column)| {
        let centre = if column < 3 { 9.0 * centres[row % 4 * 3 + column] } else { 0.0 };
        shift + centre + noise[row * width + column]
    });
    (points, (0..120_i64).map(|row| row % 4).collect())
}

/// Tasks of six features: `a.npz` with its labels, `b.npy` with labels in `b-labels.npy`, `c.csv` with a column `kind`; `far.npz`, which is elsewhere; and
/// `wide.npz`, of nine.
fn tasks() -> Sandbox {
    let sandbox = Sandbox::new();
    let write = |name: &str, (points, labels): (Array2<f32>, Array1<i64>)| {
        let members = [("X", points.view().into()), ("y", labels.view().into())];
        npz(&sandbox.path(name), &members).unwrap();
    };
    write("a.npz", crowds(1, 6, 0.0));
    write("far.npz", crowds(2, 6, 30.0));
    write("wide.npz", crowds(3, 9, 0.0));
    let (points, labels) = crowds(4, 6, 0.0);
    npy(&sandbox.path("b.npy"), points.view()).unwrap();
    npy(&sandbox.path("b-labels.npy"), labels.view()).unwrap();
    let (points, labels) = crowds(5, 6, 0.0);
    let line = |(row, label): (ndarray::ArrayView1<'_, f32>, &i64)| {
        let cells: Vec<String> = row.iter().map(ToString::to_string).collect();
        format!("{},kind-{label}\n", cells.join(","))
    };
    let rows: String = points.rows().into_iter().zip(&labels).map(line).collect();
    sandbox.file("c.csv", format!("p,q,r,s,t,u,kind\n{rows}"));
    let (points, labels) = crowds(6, 6, 0.0);
    npy(&sandbox.path("new.npy"), points.view()).unwrap();
    npy(&sandbox.path("new-labels.npy"), labels.view()).unwrap();
    let given = labels.iter().enumerate().map(|(row, &label)| if row < 8 { label } else { -1 });
    npy(&sandbox.path("given.npy"), Array1::from_iter(given).view()).unwrap();
    sandbox.file("short.toml", SHORT);
    sandbox
}

const LEARN: &str = "meta-train a.npz b.npy=b-labels.npy c.csv=column:kind --preset tabular --hidden 20,10 \
                     --iterations 60 --shots 2 --quiet";

#[test]
fn networks_start_from_what_tasks_have_taught() {
    let sandbox = tasks();
    let told = sandbox.done(&format!("{LEARN} --out meta.safetensors --threads 1"));
    for words in [
        "120 labels of 4 classes",
        "6 features, hidden layers of 20, 10",
        "by fomaml, 60 iterations",
    ] {
        assert!(told.contains(words), "{told}");
    }
    sandbox.done(&format!("{LEARN} --out again.safetensors --threads 2"));
    let bytes = |name: &str| fs::read(sandbox.path(name)).unwrap();
    assert!(bytes("meta.safetensors") == bytes("again.safetensors"));
    let told = sandbox.done(&format!("{LEARN} --method reptile --json --out reptile.safetensors"));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["iterations"], &told["params"]["method"]), (&60.into(), &"reptile".into()));

    let told = sandbox
        .done("meta-test meta.safetensors new.npy=new-labels.npy --shots 1,5 --episodes 40 --json");
    let lines: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&lines[0]["shots"], &lines[1]["shots"]), (&1.into(), &5.into()));
    assert!(lines[1]["start"]["mean"].as_f64().unwrap() > 0.6, "{lines}");
    let told = sandbox.done("meta-test meta.safetensors new.npy=new-labels.npy --episodes 10");
    assert!(told.contains("random start") && told.contains("gain"), "{told}");

    let train = "train new.npy --labels-partial given.npy --config short.toml --quiet --init meta.safetensors";
    sandbox.done(&format!("{train} --out run --threads 1"));
    sandbox.done(&format!("{train} --out run-again --threads 2"));
    assert!(bytes("run/probabilities.npy") == bytes("run-again/probabilities.npy"));
    let config: toml::Table = sandbox.text("run/config.toml").parse().unwrap();
    assert_eq!(config["network"]["hidden"], toml::Value::from(vec![20, 10]));
    assert_eq!(config["preparation"]["scaling"], "standardise".into());
    assert_eq!(config["run"]["init"], "meta.safetensors".into());
    assert!(config["run"]["init_hash"].as_str().unwrap().starts_with("xxh3:"));
    sandbox.done("predict run new.npy --quiet --out predicted.csv");
    // A run is a task and a start, too.
    cluster(&sandbox, "a.npz --init meta.safetensors --out a");
    sandbox.done("meta-train run b.npy=b-labels.npy --preset tabular --hidden 20,10 --iterations 3 --shots 1 --quiet --out of-run.safetensors");
    cluster(&sandbox, "new.npy --init a --out of-a");
    cluster(&sandbox, "new.npy --preset tabular --out random");
    assert!(
        bytes("of-a/models/model-00.safetensors") != bytes("random/models/model-00.safetensors")
    );
}

/// Clusters in a moment: whether all four clusters are found doesn't matter here.
fn cluster(sandbox: &Sandbox, arguments: &str) {
    let line = format!("cluster -k 4 --config short.toml --quiet {arguments}");
    let output = sandbox.run(&line);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{line}: {}", stderr(&output));
}

#[test]
fn the_nearest_is_started_from() {
    let sandbox = tasks();
    fs::create_dir(sandbox.path("runs")).unwrap();
    sandbox.done("cluster a.npz -k 4 --preset image --config short.toml --quiet --out runs/near");
    sandbox.done("cluster far.npz -k 4 --preset image --config short.toml --quiet --out runs/far");
    sandbox
        .done("cluster wide.npz -k 4 --preset image --config short.toml --quiet --out runs/wide");
    assert!(fs::metadata(sandbox.path("runs/near/sketch.json")).unwrap().len() < 1 << 20);
    let told = sandbox.done("similar new.npy runs/far runs/near --json");
    let ranked: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&ranked[0]["path"], &ranked[1]["path"]), (&"runs/near".into(), &"runs/far".into()));
    let distance = |at: usize| ranked[at]["distance"].as_f64().unwrap();
    assert!(distance(0) < distance(1), "{ranked}");
    let told = sandbox.done("similar new.npy runs/far runs/near");
    assert!(told.contains("distance") && told.contains("120"), "{told}");

    let output = sandbox.run("cluster new.npy -k 4 --config short.toml --init auto --out auto");
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("networks start from runs/near, the nearest (distance"),
        "{}",
        stderr(&output)
    );
    // A file of meta-train is there for each of its tasks.
    let meta = "meta-train far.npz a.npz --preset image --hidden 9 --iterations 2 --quiet --out runs/meta.safetensors";
    sandbox.done(meta);
    let told = sandbox.done("similar new.npy runs/meta.safetensors runs/far");
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[1].ends_with("runs/meta.safetensors, a.npz") && lines.len() == 4, "{told}");

    sandbox.file("runs/near/sketch.json", "{}");
    let error = refused(&sandbox, "similar new.npy runs/near");
    assert!(
        error.contains("sketch.json") && error.contains("isn't what the run has written"),
        "{error}"
    );
    fs::remove_file(sandbox.path("runs/far/manifest.json")).unwrap();
    fs::remove_file(sandbox.path("runs/far/sketch.json")).unwrap();
    let error = refused(&sandbox, "similar new.npy runs/far");
    assert!(error.contains("keeps no sketch of its data"), "{error}");
}

/// What the program says where it has to exit with 2, in one line.
fn refused(sandbox: &Sandbox, arguments: &str) -> String {
    let output = sandbox.run(arguments);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{arguments}: {told}");
    assert_eq!(told.trim_end().lines().count(), 1, "{arguments}: {told}");
    told
}

#[test]
fn what_does_not_fit_is_refused_in_one_line() {
    let sandbox = tasks();
    sandbox.done(&format!("{LEARN} --out meta.safetensors"));
    npy(&sandbox.path("one.npy"), Array1::<i64>::zeros(120).view()).unwrap();
    let rare = Array1::from_iter((0..120_i64).map(|row| if row < 3 { 0 } else { 1 }));
    npy(&sandbox.path("rare.npy"), rare.view()).unwrap();
    let bytes = fs::read(sandbox.path("meta.safetensors")).unwrap();
    sandbox.file("cut.safetensors", &bytes[..bytes.len() / 2]);
    sandbox.file("empty.safetensors", "");
    let before = sandbox.files(".");
    for (arguments, words) in [
        ("meta-train a.npz wide.npz --out x --quiet", "wide.npz: 9 features, where a.npz has 6"),
        ("meta-train b.npy=one.npy --out x --quiet", "b.npy=one.npy: labels of one class"),
        (
            "meta-train b.npy=rare.npy --shots 3 --out x --quiet",
            "b.npy=rare.npy: class '0' has 3 labelled samples; 3 to learn from and one to be judged on need 4",
        ),
        ("meta-train b.npy --out x --quiet", "a task is DATA with labels in it, or b.npy=LABELS"),
        ("meta-train b.npy=nowhere.npy --out x --quiet", "nowhere.npy"),
        ("meta-train a.npz --shots 0 --out x --quiet", "shots: need at least 1"),
        ("meta-train a.npz --inner-rate 0 --out x --quiet", "inner_rate: need more than 0"),
        ("meta-train a.npz --ways 1 --out x --quiet", "ways: need at least 2"),
        ("meta-train a.npz --out meta.safetensors --quiet", "meta.safetensors: exists already"),
        (
            "meta-test meta.safetensors wide.npz",
            "wide.npz: 9 features, and meta.safetensors is for 6",
        ),
        ("meta-test meta.safetensors b.npy=rare.npy --shots 5", "class '0' has 3 labelled samples"),
        ("meta-test cut.safetensors a.npz", "cut.safetensors: can't be read as a model"),
        ("meta-test empty.safetensors a.npz", "empty.safetensors: can't be read as a model"),
        (
            "cluster wide.npz -k 4 --init meta.safetensors --quiet --out x",
            "it is for data of 6 features, and wide has 9",
        ),
        ("cluster a.npz -k 4 --init cut.safetensors --quiet --out x", "can't be read as a model"),
        ("cluster a.npz -k 4 --init nowhere --quiet --out x", "nowhere: can't be read as a model"),
        (
            "cluster a.npz -k 4 --init meta.safetensors --effort quick --quiet --out x",
            "--effort quick trains no networks",
        ),
        (
            "cluster a.npz -k 4 --init meta.safetensors --member k-means --quiet --out x",
            "setting init: need networks among the members",
        ),
        (
            "cluster a.npz -k 4 --init meta.safetensors --config quick.toml --quiet --out x",
            "need network.hidden = [20, 10]",
        ),
        (
            "cluster a.npz -k 4 --init auto --quiet --out x",
            "runs: can't be read as a folder of runs",
        ),
        (
            "cluster wide.npz -k 4 --init auto --runs . --quiet --out x",
            "what is there is of other data",
        ),
        (
            "cluster a.npz -k 4 --init meta.safetensors --runs . --quiet --out x",
            "--runs: only --init auto",
        ),
        ("similar a.npz nowhere", "nowhere: no such run folder"),
        ("similar wide.npz meta.safetensors", "its data have 6 features, and wide has 9"),
    ] {
        let error = refused(&sandbox, arguments);
        assert!(error.contains(words), "{arguments}: {error}");
        assert_eq!(sandbox.files("."), before, "{arguments}: something was written");
    }
}

/// The page for users: its commands, in their order, on crowds.
#[test]
fn the_commands_of_the_page_work() {
    let page = include_str!("../docs/meta-learning.md");
    let blocks = page.split("```sh\n").skip(1).map(|part| part.split("```").next().unwrap());
    let lines: Vec<&str> = blocks.flat_map(str::lines).collect();
    let commands: Vec<&str> =
        lines.iter().filter_map(|it| it.strip_prefix("consilience ")).collect();
    assert!(commands.len() > 4, "{commands:?}");
    let sandbox = tasks();

    for (from, to) in [
        ("a.npz", "letters.npz"),
        ("b.npy", "capitals.npy"),
        ("b-labels.npy", "capitals-labels.npy"),
        ("far.npz", "signs.npz"),
        ("a.npz", "new.npz"),
    ] {
        fs::copy(sandbox.path(from), sandbox.path(to)).unwrap();
    }
    sandbox.file("some.csv", "sample,label\n0,0\n1,1\n2,2\n3,3\n");
    for run in ["a-1", "b-1"] {
        sandbox.done(&format!("cluster signs.npz -k 4 --effort quick --quiet --out runs/{run}"));
    }
    for command in commands {
        let short = match command.split(' ').next() {
            Some("meta-train") => " --iterations 5",
            Some("train" | "cluster") => " --rounds 1 --models 2 --no-curve",
            _ => "",
        };
        let output = sandbox.run(&format!("{command}{short}"));
        assert!(matches!(output.status.code(), Some(0 | 1)), "{command}: {}", stderr(&output));
    }
}
