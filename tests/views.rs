//! `cluster --view`: other features of the same samples, and what encoders make of the data, in a run and in `predict`.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;

use common::{QUICK, Sandbox, stderr};
use consilience::linfa::Consilience;
use consilience::schedule::Schedule;
use consilience::views::{ViewNetworks, ViewSettings};
use consilience::{Config, run};
use consilience_data::write::{Member, npy, npz};
use consilience_data::{Features, Seed, Stream, read_dataset};
use consilience_ensembles::{MemberKind, NetworkParams};
use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array2, Axis, s};
use toml::Value;

/// Short, and without networks.
const MIXTURES: &str = "
    rounds = 1
    candidates = 0
    communities = 3
    members = ['mixture', 'mixture']
    agreement.min_confidence = 0.0
";

/// Samples of the digits.
const N: usize = 700;

/// The left and the right half of some digits.
fn halves() -> [Array2<f32>; 2] {
    let data = read_dataset(&["digits".into()], &[]).unwrap();
    let side = |first: usize| {
        let column = |at: usize| 8 * (at / 4) + at % 4 + first;
        let columns: Vec<usize> = (0..32).map(column).collect();
        data.features.view().slice(s![..N, ..]).select(Axis(1), &columns)
    };
    [side(0), side(4)]
}

/// Writes features with ids, in the order of `rows`.
fn with_ids(sandbox: &Sandbox, name: &str, features: &Array2<f32>, rows: &[usize]) {
    let features = features.select(Axis(0), rows);
    let ids: Vec<String> = rows.iter().map(|row| format!("s{row}")).collect();
    let ids = ids.iter().map(String::as_str).collect();
    let members = [("X", features.view().into()), ("id", Member::Texts(ids))];
    npz(&sandbox.path(name), &members).unwrap();
}

/// `left.npz`, and other views of its samples: `right.npz`, the same in another order as `turned.npz`, and without ids as `right.npy`.
fn sandbox() -> Sandbox {
    let (sandbox, [left, right]) = (Sandbox::new(), halves());
    sandbox.file("mixtures.toml", MIXTURES);
    let order: Vec<usize> = (0..N).collect();
    with_ids(&sandbox, "left.npz", &left, &order);
    with_ids(&sandbox, "right.npz", &right, &order);
    let turned = Seed(5).rng(Stream::Subset).permutation(N);
    with_ids(&sandbox, "turned.npz", &right, &turned);
    npy(&sandbox.path("right.npy"), right.view()).unwrap();
    sandbox
}

/// Clusters, whether or not there are pseudo-labels of every cluster.
fn cluster(sandbox: &Sandbox, arguments: &str) -> String {
    let output = sandbox.run(&format!("cluster {arguments}"));
    assert!(matches!(output.status.code(), Some(0 | 1)), "{arguments}: {}", stderr(&output));
    stderr(&output)
}

/// Files of the models and the answer of two runs, which have to be the same.
fn assert_same(sandbox: &Sandbox, first: &str, second: &str) {
    let told = ["metrics.json", "manifest.json", "report.html", "config.toml"];
    let [files, others] = [first, second].map(|run| {
        let mut files = sandbox.files(run);
        files.retain(|name| !told.contains(&name.as_str()));
        files
    });
    assert_eq!(files, others);
    for name in &files {
        let [one, other] =
            [first, second].map(|run| fs::read(sandbox.path(run).join(name)).unwrap());
        assert!(one == other, "{name} of {first} and {second}");
    }
}

#[test]
fn a_file_is_joined_by_ids_and_predicts() {
    let sandbox = sandbox();
    let run = "left.npz -k 10 --config mixtures.toml";
    let told = cluster(&sandbox, &format!("{run} --view right.npz --threads 1 --out one"));
    assert!(told.contains("view right.npz: 32 features, joined with the data by ids"), "{told}");
    cluster(&sandbox, &format!("{run} --view turned.npz --threads 3 --quiet --out two"));
    assert_eq!(
        fs::read(sandbox.path("one/assignments.csv")).unwrap(),
        fs::read(sandbox.path("two/assignments.csv")).unwrap()
    );
    let told = cluster(&sandbox, &format!("{run} --view right.npy --out three"));
    assert!(told.contains("row by row, as only one of them has ids"), "{told}");
    cluster(&sandbox, &format!("{run} --quiet --out plain"));
    let assigned = |run: &str| fs::read(sandbox.path(run).join("assignments.csv")).unwrap();
    assert!(assigned("one") == assigned("three") && assigned("one") != assigned("plain"));
    let again = "left.npz --config one/config.toml --view right.npz --quiet --out four";
    cluster(&sandbox, again);
    assert_same(&sandbox, "one", "four");
    assert_eq!(
        fs::read(sandbox.path("one/config.toml")).unwrap(),
        fs::read(sandbox.path("four/config.toml")).unwrap()
    );

    let metrics = sandbox.json("one/metrics.json");
    assert_eq!(metrics["views"][0]["name"], "right.npz");
    assert_eq!(metrics["views"][0]["n_features"], 32);
    let with_views = ["across-kinds", "communities"].map(serde_json::Value::from);
    assert!(with_views.contains(&metrics["chosen"]), "or the view would have no part in it");
    assert!(sandbox.json("plain/metrics.json").get("views").is_none());

    for arguments in ["one left.npz --view right.npz", "one left.npz --view turned.npz --threads 3"]
    {
        assert!(sandbox.predicted(arguments) == assigned("one"), "{arguments}");
    }
    let voted = sandbox.predicted("one left.npz --view right.npz --votes");
    assert!(String::from_utf8(voted).unwrap().starts_with("sample,id,cluster,confidence,lowest"));

    let [left, right] = halves();
    let some: Vec<usize> = (100..150).collect();
    with_ids(&sandbox, "some.npz", &left, &some);
    with_ids(&sandbox, "theirs.npz", &right, &some);
    let lines = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        let of = |line: &str| {
            let cells: Vec<&str> = line.split(',').collect();
            (cells[1].to_owned(), cells[2].to_owned())
        };
        text.lines().map(of).collect::<Vec<_>>()
    };
    let found = lines(sandbox.predicted("one some.npz --view theirs.npz"));
    assert_eq!(found[1..], lines(assigned("one"))[101..151], "a sample's cluster is its own");

    sandbox.refused("predict one left.npz", &["right.npz", "each with --view", "got 0"]);
    let two = "predict one left.npz --view right.npz --view right.npz";
    sandbox.refused(two, &["right.npz", "got 2"]);
    npy(&sandbox.path("narrow.npy"), right.slice(s![.., ..5])).unwrap();
    let parts = ["narrow.npy: 5 features, but the view right.npz of one has 32"];
    sandbox.refused("predict one left.npz --view narrow.npy", &parts);
    sandbox.refused("predict one left.npz --view theirs.npz", &["'s0' is not in theirs.npz"]);
    sandbox.refused("predict one left.npz --append", &["right.npz", "got 0"]);
    sandbox.refused("predict plain left.npz --view right.npz", &["plain has no views", "--view"]);
    sandbox.refused("cut one -k 5", &["one: voters on other views", "with this -k"]);
    sandbox.done("export one --out labels.csv");
    sandbox.done("report one");
    sandbox.done("predict one some.npz --view theirs.npz --quiet");
    with_ids(&sandbox, "new.npz", &left, &[3, 4]);
    let new = sandbox.path("new.npz");
    let data = read_dataset(std::slice::from_ref(&new), &[]).unwrap();
    let members = [("X", data.features.view().into()), ("id", Member::Texts(vec!["n3", "n4"]))];
    npz(&new, &members).unwrap();
    npy(&sandbox.path("new-view.npy"), right.slice(s![3..5, ..])).unwrap();
    sandbox.done("predict one new.npz --view new-view.npy --append --quiet");
    let table = sandbox.text("one/assignments.csv");
    let cell = |id: &str| {
        let line = table.lines().find(|line| line.contains(&format!(",{id},"))).unwrap();
        line.split(',').nth(2).unwrap().to_owned()
    };
    assert_eq!([cell("n3"), cell("n4")], [cell("s3"), cell("s4")]);
}

#[test]
fn an_encoder_is_part_of_the_run() {
    let sandbox = sandbox();
    let run = "left.npz -k 10 --config mixtures.toml --view autoencoder --quiet";
    cluster(&sandbox, &format!("{run} --threads 1 --out one"));
    cluster(&sandbox, &format!("{run} --threads 3 --out two"));
    assert_same(&sandbox, "one", "two");
    cluster(&sandbox, "left.npz --config one/config.toml --quiet --out three");
    assert_same(&sandbox, "one", "three");
    cluster(&sandbox, &format!("{run} --seed 1 --out other"));
    let encoder =
        |run: &str| fs::read(sandbox.path(run).join("models/view-1/encoder.safetensors")).unwrap();
    assert!(encoder("one") == encoder("two") && encoder("one") != encoder("other"));
    let assigned = fs::read(sandbox.path("one/assignments.csv")).unwrap();
    for threads in [1, 3] {
        assert!(sandbox.predicted(&format!("one left.npz --threads {threads}")) == assigned);
    }
    sandbox.refused("predict one left.npz --view right.npz", &["one has no views"]);
    sandbox.refused("predict one right.npy --view right.npz", &["one has no views"]);
    sandbox.refused("cut one -k 5", &["one: voters on other views"]);

    // A file that is called as a pretext, beside the pretext.
    fs::copy(sandbox.path("right.npz"), sandbox.path("masked")).unwrap();
    let run = "left.npz -k 10 --config mixtures.toml --view ./masked --view autoencoder --quiet";
    cluster(&sandbox, &format!("{run} --out both"));
    let views = &sandbox.json("both/metrics.json")["views"];
    assert_eq!([&views[0]["learnt"], &views[1]["learnt"]], [false, true]);
    let assigned = fs::read(sandbox.path("both/assignments.csv")).unwrap();
    assert!(sandbox.predicted("both left.npz --view masked") == assigned);

    // A damaged encoder is named.
    let path = sandbox.path("one/models/view-1/encoder.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    sandbox.refused("predict one left.npz", &["encoder.safetensors", "damaged"]);
}

/// Where networks are trained on the data, they are on a view, too.
#[test]
fn networks_vote_on_a_view() {
    let sandbox = sandbox();
    let all = ndarray::concatenate(Axis(1), &halves().each_ref().map(|half| half.view())).unwrap();
    with_ids(&sandbox, "all.npz", &all, &(0..N).collect::<Vec<_>>());
    let settings = |kinds: [MemberKind; 2], epochs: usize, batch_size: usize| {
        let networks = ViewNetworks {
            members: kinds.into(),
            steps: Vec::new(),
            training: Schedule { epochs, min_steps: 0, anneal: false },
            params: NetworkParams { hidden: vec![50], batch_size, ..NetworkParams::default() },
        };
        let given = ViewSettings::given("all.npz".into());
        let view = ViewSettings { networks: Some(networks), ..given };
        let views = toml::Table::from_iter([("views".into(), Value::try_from([view]).unwrap())]);
        // Communities would outvote them.
        let data = QUICK.replace("communities = 3", "communities = 0");
        format!("{data}\n{}", toml::to_string(&views).unwrap())
    };
    let kinds = [MemberKind::Ladder, MemberKind::VatIm];
    sandbox.file("networks.toml", settings(kinds, 20, 100));
    let run = "left.npz -k 10 --config networks.toml --view all.npz";
    let told = cluster(&sandbox, &format!("{run} --threads 1 --out one"));
    assert!(told.contains("view all.npz: training 2 networks"), "{told}");
    cluster(&sandbox, &format!("{run} --threads 3 --quiet --out two"));
    assert_same(&sandbox, "one", "two");
    let again = "left.npz --config one/config.toml --view all.npz --quiet --out again";
    cluster(&sandbox, again);
    assert_same(&sandbox, "one", "again");
    assert_eq!(sandbox.json("one/metrics.json")["views"][0]["networks"], 2);
    let voters = sandbox.json("one/models/ensemble.json")["views"][0]["members"].clone();
    assert_eq!(voters.as_array().unwrap().len(), 2, "they have a part in the answer");
    let assigned = fs::read(sandbox.path("one/assignments.csv")).unwrap();
    assert!(sandbox.predicted("one left.npz --view all.npz --threads 2") == assigned);

    let run = "left.npz -k 10 --view all.npz";
    cluster(&sandbox, &format!("{run} --effort quick --quiet --out quick"));
    assert_eq!(sandbox.json("quick/metrics.json")["views"][0]["networks"], 0);

    sandbox.file("long.toml", settings(kinds, 1_000_000, 100));
    cluster(&sandbox, &format!("{run} --config long.toml --max-time 6s --quiet --out cut"));
    let written: toml::Table = toml::from_str(&sandbox.text("cut/config.toml")).unwrap();
    let steps = written["views"][0]["networks"]["steps"].as_array().unwrap();
    assert!(steps.len() == 2 && steps.iter().all(|steps| steps.as_integer().unwrap() > 0));
    cluster(&sandbox, &format!("{run} --config cut/config.toml --quiet --out cut-again"));
    assert_same(&sandbox, "cut", "cut-again");

    let other = [MemberKind::Ladder, MemberKind::Mixture];
    for (settings, part) in [
        (settings(other, 20, 100), "views.networks.members"),
        (settings(kinds, 0, 100), "views.networks.training"),
        (settings(kinds, 20, 9), "views.networks.params.batch_size"),
    ] {
        sandbox.file("wrong.toml", settings);
        sandbox.refused(&format!("cluster {run} --config wrong.toml --out none"), &[part]);
    }
}

#[test]
fn what_cannot_be_a_view_is_refused_before_any_work() {
    let (sandbox, [_, right]) = (sandbox(), halves());
    with_ids(&sandbox, "few.npz", &right, &(0..N - 1).collect::<Vec<_>>());
    let others: Vec<usize> = (1..=N).map(|row| row % N).collect();
    with_ids(&sandbox, "twice.npz", &right, &[&others[1..], &[2]].concat());
    npy(&sandbox.path("short.npy"), right.slice(s![..N - 1, ..])).unwrap();
    npy(&sandbox.path("same.npy"), Array2::<f32>::ones((N, 3)).view()).unwrap();
    sandbox.file("unjudged.toml", format!("judge = false\n{MIXTURES}"));
    let run = "cluster left.npz -k 10 --out run";
    for (arguments, parts) in [
        ("--view none.npz", &["none.npz: no such file"][..]),
        ("--view few.npz", &["left: 's699' is not in few.npz"]),
        ("--view twice.npz", &["twice.npz: 's2' is there twice"]),
        ("--view short.npy", &["short.npy: 699 rows for 700 samples of left"]),
        ("--view same.npy", &["--view", "10 distinct rows", "got", "same.npy"]),
        ("--view right.npz --config unjudged.toml", &["--view", "judge = true"]),
        ("--view right.npz --labelling clusters", &["--view", "labelling = agreement"]),
        ("--view forecast --view autoencoder --preset paper", &["preset", "auto, image"]),
    ] {
        sandbox.refused(&format!("{run} {arguments}"), parts);
    }
    sandbox.refused("train left.npz --labels-partial x --view right.npz", &["--view"]);
    let settings = format!("{MIXTURES}\n[[views]]\nname = 'x.npz'\n");
    sandbox.file("viewed.toml", settings);
    let parts = ["x.npz: the settings have this view", "--view"];
    sandbox.refused(&format!("{run} --config viewed.toml"), &parts);
    sandbox.file("some.csv", "id,label\ns0,a\ns1,b\n");
    let train = "train left.npz --labels-partial some.csv --config viewed.toml --out run";
    sandbox.refused(train, &["--view", "none in a run that learns from labels, got 1"]);
}

/// Settings that ask for views which nobody prepared.
#[test]
fn the_library_does_not_leave_out_views_in_silence() {
    let features = Features::new(halves()[0].clone(), "left").unwrap();
    let views = vec![ViewSettings::given("x.npy".into())];
    let config = Config { views, ..Config::auto(&features, 3) };
    let error = run(&features, &config.clone().check(&features, 1).unwrap(), &()).err().unwrap();
    assert!(error.to_string().contains("views: need 1 that were prepared for it"), "{error}");
    let dataset = DatasetBase::from(features.view().to_owned());
    let error = Consilience::params(3).config(config).fit(&dataset).err().unwrap();
    assert!(error.to_string().contains("views: need 1 that were prepared for it"), "{error}");
}

/// A view is read as data are: its labels and ids are no features, whatever they are called.
#[test]
fn ids_and_labels_of_the_data_are_no_features_of_a_view() {
    let sandbox = Sandbox::new();
    sandbox.file("mixtures.toml", MIXTURES);
    let line = |row: usize, first: &str| {
        let group = row % 2;
        let noise = |at: usize| row * (at + 3) % 17;
        format!("{first},k{row},{group},{},{}\n", 100 * group + noise(1), noise(2) + 1000 * group)
    };
    let table = |rows: &[usize], first: &str| {
        let lines = rows.iter().map(|&row| line(row, first)).collect::<String>();
        format!("width,key,kind,a,b\n{lines}")
    };
    let order: Vec<usize> = (0..80).collect();
    sandbox.file("data.csv", table(&order, "1"));
    let turned: Vec<usize> = order.iter().rev().copied().collect();
    sandbox.file("view.csv", table(&turned, "2"));
    let options = "--id-column key --label-column kind --ignore-column width";
    let run = format!("data.csv -k 2 --config mixtures.toml {options} --view view.csv --out run");
    let told = cluster(&sandbox, &run);
    assert!(told.contains("view view.csv: 2 features, joined with the data by ids"), "{told}");
    let assigned = fs::read(sandbox.path("run/assignments.csv")).unwrap();
    assert!(sandbox.predicted("run data.csv --view view.csv") == assigned);
    assert!(sandbox.json("run/metrics.json")["acc"].as_f64().unwrap() > 0.99);
}

/// Its first column is called as an index without a name is.
#[test]
fn a_view_without_names_keeps_its_first_column() {
    let sandbox = Sandbox::new();
    sandbox.file("mixtures.toml", MIXTURES);
    let line = |row: usize| {
        let (group, noise) = (row % 2, row * 7 % 17);
        format!("{},{}\n", 100 * group + noise + 5, 1000 * group + row * 5 % 13)
    };
    let indexed: String = (0..80).map(|row| format!("{row},{}", line(row))).collect();
    sandbox.file("data.csv", format!(",a,b\n{indexed}"));
    sandbox.file("view.csv", (0..80).map(line).collect::<String>());
    let told = cluster(&sandbox, "data.csv -k 2 --config mixtures.toml --view view.csv --out run");
    assert!(told.contains("view view.csv: 2 features, joined with the data row by row"), "{told}");
}

/// The time that an encoder may take is limited, and the run can be repeated without a clock.
#[test]
fn an_encoder_ends_in_time() {
    let sandbox = sandbox();
    let run = "left.npz -k 10 --config mixtures.toml --view autoencoder";
    cluster(&sandbox, &format!("{run} --quiet --out whole"));
    let mut settings: toml::Table = toml::from_str(&sandbox.text("whole/config.toml")).unwrap();
    settings.remove("run");
    let pretext = &mut settings["views"][0]["pretext"];
    pretext["epochs"] = Value::Integer(1_000_000);
    sandbox.file("long.toml", toml::to_string(&settings).unwrap());
    let told = cluster(&sandbox, "left.npz --config long.toml --max-time 6s --out cut");
    assert!(told.contains("view autoencoder: its encoder was trained for"), "{told}");
    let written: toml::Table = toml::from_str(&sandbox.text("cut/config.toml")).unwrap();
    assert!(written["views"][0]["pretext"]["most_steps"].as_integer().unwrap() > 0);
    cluster(&sandbox, "left.npz --config cut/config.toml --quiet --out again");
    assert_same(&sandbox, "cut", "again");
}
