//! `consilience pseudo-label`: votes of any tool in, the same run folder out.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{QUICK, Sandbox, stderr, stdout};
use consilience_data::write::npy;
use ndarray::{Array1, Array2};
use serde_json::Value;

const N: usize = 60;

/// Three clusters of twenty samples, seen by five models that number them each in their own way; every seventh sample is
/// in dispute.
fn votes() -> Array2<i32> {
    Array2::from_shape_fn((5, N), |(model, sample)| {
        let is_noise = sample % 7 == 3 && (sample + model) % 2 == 0;
        let cluster = if is_noise { sample + model } else { sample / 20 };
        i32::try_from((cluster + model) % 3 + 10 * model).unwrap()
    })
}

fn truth() -> String {
    (0..N).map(|sample| format!("{}\n", ["a", "b", "c"][sample / 20])).collect()
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    npy(&sandbox.path("votes.npy"), votes().view()).unwrap();
    sandbox.file("truth.txt", truth());
    sandbox
}

fn csv(votes: &Array2<i32>) -> String {
    let row = |sample: usize| {
        let cells: Vec<String> = votes
            .column(sample)
            .iter()
            .map(|&v| if v < 0 { String::new() } else { v.to_string() })
            .collect();
        cells.join(",") + "\n"
    };
    "a,b,c,d,e\n".to_owned() + &(0..votes.ncols()).map(row).collect::<String>()
}

#[test]
fn votes_become_a_run_folder() {
    let sandbox = sandbox();
    let told = sandbox.done("pseudo-label votes.npy -k 3 --labels truth.txt --out run");
    let output = sandbox.run("pseudo-label votes.npy -k 3 --min-confidence 0.9 --quiet --out sure");
    let note = "--min-confidence: without effect, as the votes have no confidences";
    assert!(stderr(&output).contains(note), "{}", stderr(&output));
    for part in [
        "60 samples x 5 models, K = 3",
        "pseudo-labels",
        "ACC 1.0000",
        "min_agree",
        "In run:",
        "pseudo_labels.csv",
        "consilience export run",
    ] {
        assert!(told.contains(part), "no {part:?} in {told}");
    }
    let mut files = vec!["assignments.csv", "assignments.npy", "config.toml", "manifest.json"];
    files.extend(["metrics.json", "pseudo_labels.csv", "pseudo_labels.npz"]);
    files.extend(cfg!(feature = "hdf5").then_some("run.h5"));
    files.push("votes.npz");
    assert_eq!(sandbox.files("run"), files);

    let metrics = sandbox.json("run/metrics.json");
    assert_eq!((&metrics["n_samples"], &metrics["n_models"]), (&60.into(), &5.into()));
    assert_eq!(metrics["acc"], 1.0);
    assert_eq!(metrics["stop"]["reason"], "no_training");
    assert_eq!(metrics["pseudo_labels"]["acc"], 1.0);
    assert_eq!(metrics["rounds"][0]["models"][4]["n_clusters"], 3);
    let coverage: Vec<f64> = metrics["curve"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point["coverage"].as_f64().unwrap())
        .collect();
    assert_eq!(coverage.len(), 3, "min_agree 5, 4 and 3, above max_agree 2");
    assert!(coverage.is_sorted() && coverage[0] < 1.0, "{coverage:?}");
    let scores = sandbox.done("evaluate truth.txt run");
    assert!(scores.contains("ACC     1.0000"), "{scores}");
}

#[test]
fn every_way_to_store_votes_gives_the_same() {
    let sandbox = sandbox();
    sandbox.done("pseudo-label votes.npy -k 3 --out npy");
    sandbox.file("votes.csv", csv(&votes()));
    npy(&sandbox.path("transposed.npy"), votes().t().as_standard_layout().view()).unwrap();
    for model in 0..5 {
        npy(&sandbox.path(&format!("model{model}.npy")), votes().row(model)).unwrap();
    }
    let mut inputs = vec![
        "votes.csv",
        "transposed.npy",
        "model0.npy model1.npy model2.npy model3.npy model4.npy",
        "npy",
        "npy/votes.npz",
    ];
    inputs.extend(cfg!(feature = "hdf5").then_some("npy/run.h5:/votes"));
    for (number, input) in inputs.into_iter().enumerate() {
        let output = sandbox.run(&format!("pseudo-label {input} -k 3 --out run{number}"));
        assert_eq!(output.status.code(), Some(0), "{input}: {}", stderr(&output));
        assert_eq!(
            input == "transposed.npy",
            stderr(&output).contains("transposed.npy: taken as transposed")
        );
        for file in ["assignments.csv", "pseudo_labels.csv", "pseudo_labels.npz"] {
            let [first, other] = [format!("npy/{file}"), format!("run{number}/{file}")]
                .map(|file| std::fs::read(sandbox.path(&file)).unwrap());
            assert!(first == other, "{input}: {file} differs");
        }
    }
}

/// What `cluster` extracted from its own votes is what `pseudo-label` extracts from what it wrote.
#[cfg(feature = "hdf5")]
#[test]
fn a_run_can_be_labelled_again() {
    let sandbox = Sandbox::new();
    // Of networks alone: communities have a say in what is labelled, and are in no file of votes.
    sandbox.file("networks.toml", QUICK.replace("communities = 3", "communities = 0"));
    sandbox.done("cluster digits --config networks.toml --seed 3 --out run --quiet");
    // With the gate's bound of quick.toml: the run's confidences count.
    sandbox.done("pseudo-label run --config run/config.toml --out again --quiet");
    let rows = |run: &str| -> Vec<String> {
        let text = sandbox.text(&format!("{run}/pseudo_labels.csv"));
        let cells = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
        // Mini-clusters may be numbered otherwise.
        cells.map(|cells| [cells[0], cells[2], cells[3], cells[4]].join(",")).collect()
    };
    assert_eq!(rows("run"), rows("again"));
    let looser =
        sandbox.done("pseudo-label run -k 10 --min-confidence 0 --quiet --json --out looser");
    let looser: Value = serde_json::from_str(&looser).unwrap();
    let count = sandbox.json("run/metrics.json")["pseudo_labels"]["count"].as_u64();
    assert!(looser["pseudo_labels"]["count"].as_u64() > count);
}

#[test]
fn samples_without_votes_are_left_and_counted() {
    let sandbox = sandbox();
    let mut votes = votes();
    votes.column_mut(8).fill(-1);
    votes.row_mut(2)[50] = -1;
    sandbox.file("votes.csv", csv(&votes));
    let told = sandbox.done("pseudo-label votes.csv -k 3 --out run --labels truth.txt");
    assert!(told.contains("without votes  1 sample: no cluster and no label"), "{told}");
    assert_eq!(sandbox.json("run/metrics.json")["n_without_votes"], 1);
    assert_eq!(sandbox.json("run/metrics.json")["rounds"][0]["models"][2]["n_missing"], 2);
    assert_eq!(sandbox.assignments("run")[8], -1);
    assert!(sandbox.text("run/assignments.csv").contains("\n8,,0.0\n"));
    assert!(!sandbox.text("run/pseudo_labels.csv").contains("\n8,"));
}

/// A sample with few votes agrees with whoever shares them. It must neither lead a mini-cluster nor spoil those of others.
#[test]
fn few_samples_with_few_votes_change_nothing_for_the_others() {
    let sandbox = sandbox();
    sandbox.done("pseudo-label votes.npy -k 3 --out whole");
    let mut votes = votes();
    for sample in [0, 1, 21, 41] {
        votes.slice_mut(ndarray::s![1.., sample]).fill(-1);
        votes[(4, sample + 6)] = -1;
    }
    npy(&sandbox.path("holes.npy"), votes.view()).unwrap();
    sandbox.done("pseudo-label holes.npy -k 3 --labels truth.txt --out holes");
    let metrics = sandbox.json("holes/metrics.json");
    assert_eq!(metrics["pseudo_labels"]["acc"], 1.0);
    let samples = |run: &str| -> Vec<usize> {
        let text = sandbox.text(&format!("{run}/pseudo_labels.csv"));
        text.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect()
    };
    let lost: Vec<_> =
        samples("whole").into_iter().filter(|sample| !samples("holes").contains(sample)).collect();
    assert_eq!(lost, [0, 1, 21, 41], "those with one vote of five; one missing of five is fine");
    // Unless asked for.
    sandbox.done("pseudo-label holes.npy -k 3 --min-common 1 --out any");
    assert_eq!(samples("any"), samples("whole"));
}

#[test]
fn settings_are_written_and_taken_again() {
    let sandbox = sandbox();
    sandbox.done("pseudo-label votes.npy -k 3 --min-agree 80% --max-agree 1 --out first");
    let config = sandbox.text("first/config.toml");
    assert!(
        config.contains("n_clusters = 3") && config.contains("min_agree = \"80%\""),
        "{config}"
    );
    sandbox.done("pseudo-label votes.npy --config first/config.toml --out second --threads 1");
    for file in ["config.toml", "assignments.csv", "pseudo_labels.npz"] {
        let [first, second] =
            ["first", "second"].map(|run| std::fs::read(sandbox.path(run).join(file)).unwrap());
        assert!(first == second, "{file}");
    }
}

#[test]
fn too_few_mini_clusters_are_said_with_exit_code_1() {
    let sandbox = sandbox();
    let output = sandbox.run("pseudo-label votes.npy -k 9 --out run");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("agree on only 3 of 9 mini-clusters; try fewer clusters"),
        "{}",
        stdout(&output)
    );
    assert_eq!(sandbox.json("run/metrics.json")["complete"], false);
}

/// As in consensus clustering by resampling (Monti et al., 2003).
#[test]
fn more_models_than_samples_are_fine_if_said() {
    let sandbox = sandbox();
    let votes = Array2::from_shape_fn((200, N), |(model, sample)| {
        i32::try_from((sample / 20 + model) % 3).unwrap()
    });
    npy(&sandbox.path("many.npy"), votes.view()).unwrap();
    sandbox.done("pseudo-label many.npy -k 3 --samples 60 --out known");
    sandbox.done("pseudo-label many.npy -k 3 --labels truth.txt --out scored");
    assert_eq!(sandbox.json("known/metrics.json")["n_models"], 200);
    assert_eq!(sandbox.json("scored/metrics.json")["pseudo_labels"]["acc"], 1.0);
    assert_eq!(sandbox.json("known/metrics.json")["curve"].as_array().unwrap().len(), 20);
    refused(&sandbox, "many.npy -k 3 --samples 61", &["many.npy", "--samples 61"]);
}

#[test]
fn a_range_shows_what_each_k_would_give() {
    let sandbox = sandbox();
    // Two more voters that join two of the clusters.
    let joined = Array2::from_shape_fn((2, N), |(model, sample)| {
        i32::try_from((sample / 40 + model) % 2).unwrap()
    });
    npy(&sandbox.path("joined.npy"), joined.view()).unwrap();
    let told = sandbox.done("pseudo-label votes.npy joined.npy -k 2..4 --out run");
    let table: Vec<&str> = told
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("K "))
        .take_while(|line| !line.is_empty())
        .collect();
    let header: Vec<&str> = table[0].split_whitespace().collect();
    let tree = ["K", "whole", "again", "smallest"];
    let of_votes = ["found", "coverage", "fewest", "margin", "models", "clear", "pairs", "ARI"];
    assert_eq!(header, [&tree[..], &of_votes].concat(), "{told}");
    let ks: Vec<_> = table[1..].iter().map(|row| row.split_whitespace().next().unwrap()).collect();
    assert_eq!(ks, ["2", "3", "4"]);
    assert!(told.contains("found        mini-clusters") && told.contains("models       those"));

    let metrics = sandbox.json("run/metrics.json");
    let found = &metrics["granularity"];
    let rows = found["mini_clusters"].as_array().unwrap();
    let column = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(column("k"), [2, 3, 4]);
    assert_eq!(column("n_voters"), [2, 5, 0]);
    assert_eq!(rows[0]["unambiguous"], 1.0, "the two see the same");
    assert!(rows[1]["unambiguous"].as_f64().unwrap() < 1.0);
    assert_eq!(rows[2]["unambiguous"], Value::Null);
    // What is said of the K that was taken is what came out.
    let k = metrics["n_clusters"].as_u64().unwrap();
    let taken = &rows[usize::try_from(k).unwrap() - 2];
    assert_eq!(taken["coverage"], metrics["pseudo_labels"]["coverage"]);

    // There are fewer kinds of samples than this.
    sandbox.run("pseudo-label votes.npy joined.npy -k 2..60 --out wide");
    let wide = sandbox.json("wide/metrics.json");
    let most = wide["rounds"][0]["signatures"].as_u64().unwrap();
    let rows = wide["granularity"]["mini_clusters"].as_array().unwrap();
    assert!(most < 60 && rows.last().unwrap()["k"] == most, "{most} of 60");
    // Without a range nothing is computed that takes its time.
    sandbox.run("pseudo-label votes.npy joined.npy --out auto");
    let auto = sandbox.json("auto/metrics.json");
    assert_eq!(auto["granularity"].get("mini_clusters"), None);
}

/// Ten models that each split every one of four clusters, at random: what all put together is a small part of a cluster.
fn split() -> Array2<i32> {
    Array2::from_shape_fn((10, 400), |(model, sample): (usize, usize)| {
        // SplitMix64's mixing.
        let mixed = (sample * 10 + model + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        i32::try_from(2 * (sample % 4) + (mixed >> 40) % 2).unwrap()
    })
}

#[test]
fn models_may_split_clusters() {
    let sandbox = Sandbox::new();
    npy(&sandbox.path("votes.npy"), split().view()).unwrap();
    let truth: String =
        (0..400).map(|sample| format!("{}\n", ["a", "b", "c", "d"][sample % 4])).collect();
    sandbox.file("truth.txt", truth);
    let scored = |options: &str, out: &str| {
        let command =
            format!("pseudo-label votes.npy -k 4 --labels truth.txt --out {out} {options}");
        let output = sandbox.run(&command);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{}", stderr(&output));
        let metrics = sandbox.json(&format!("{out}/metrics.json"));
        (metrics["acc"].as_f64().unwrap(), metrics["consensus_method"].clone())
    };
    assert_eq!(scored("", "auto"), (1.0, "linkage-dawid-skene".into()));
    assert_eq!(scored("--consensus linkage", "linkage"), (1.0, "linkage".into()));
    assert!(sandbox.text("linkage/config.toml").contains("consensus = \"linkage\""));
    assert_eq!(scored("--consensus dawid-skene", "minis").1, "dawid-skene");
    assert_eq!(sandbox.json("minis/metrics.json")["consensus_min_agree"], "100%");
    assert_eq!(sandbox.json("linkage/metrics.json")["consensus_min_agree"], Value::Null);
    let again = scored("--config linkage/config.toml", "again");
    assert_eq!(again, (1.0, "linkage".into()));
    assert_eq!(sandbox.text("again/assignments.csv"), sandbox.text("linkage/assignments.csv"));
}

/// The consensus of votes that agree too little unanimously starts from a looser strictness, with the curve or without.
#[test]
fn the_curve_can_be_left_out() {
    let sandbox = sandbox();
    let told = sandbox.done("pseudo-label votes.npy -k 3 --no-curve --out plain");
    assert!(!told.contains("strictness"), "{told}");
    assert_eq!(sandbox.json("plain/metrics.json")["curve"].as_array().unwrap().len(), 1);
    // On each sample of the third cluster, one of four models dissents: no two of them are agreed on by all.
    let mut votes = votes();
    for sample in 40..60 {
        votes[(sample % 4, sample)] = 100 + i32::try_from(sample).unwrap();
    }
    npy(&sandbox.path("loose.npy"), votes.view()).unwrap();
    let method = "n_clusters = 3\nconsensus = \"dawid-skene\"\n";
    sandbox.file("sized.toml", method.to_owned() + "[agreement]\nmin_size = 6\nmax_agree = 1\n");
    for (flag, out) in [("", "whole"), (" --no-curve", "needed")] {
        let output =
            sandbox.run(&format!("pseudo-label loose.npy --config sized.toml{flag} --out {out}"));
        let metrics = sandbox.json(&format!("{out}/metrics.json"));
        assert_eq!(metrics["consensus_min_agree"], "60%", "{}", stdout(&output));
        assert_eq!(output.status.code(), Some(1));
        let points = metrics["curve"].as_array().unwrap().len();
        assert_eq!(points, if out == "whole" { 4 } else { 3 });
    }
    let [whole, needed] =
        ["whole", "needed"].map(|out| sandbox.text(&format!("{out}/assignments.csv")));
    assert_eq!(whole, needed);
}

#[test]
fn the_graph_is_written_for_those_who_draw() {
    let sandbox = sandbox();
    sandbox.done("pseudo-label votes.npy -k 3 --graph g.graphml --out run");
    let n_signatures = sandbox.json("run/metrics.json")["graph"]["signatures"].as_u64().unwrap();
    let graph = sandbox.text("g.graphml");
    assert_eq!(graph.matches("<node ").count() as u64, n_signatures);
    assert!(graph.contains("<data key=\"mini_cluster\">2</data>"), "{graph}");
    sandbox.done("pseudo-label votes.npy -k 3 --min-agree 80% --graph g.dot --out looser");
    let graph = sandbox.text("g.dot");
    assert!(graph.starts_with("graph agreement {\n") && graph.contains("[agreement=4]"), "{graph}");

    refused(&sandbox, "votes.npy -k 3 --graph g.svg", &["g.svg", "end it in .graphml or .dot"]);
    refused(&sandbox, "votes.npy -k 3 --graph g.dot", &["g.dot: exists already"]);
    refused(&sandbox, "votes.npy -k 3 --graph no/g.dot", &["no folder no"]);
    let many = Array2::from_shape_fn((2, 6000), |(model, sample)| {
        i32::try_from(if model == 0 { sample / 60 } else { sample % 60 }).unwrap()
    });
    npy(&sandbox.path("many.npy"), many.view()).unwrap();
    let parts = ["m.dot", "6,000 signatures", "at most 5,000 can be drawn"];
    refused(&sandbox, "many.npy -k 3 --graph m.dot", &parts);
}

/// With as many samples and signatures as are shared among threads.
#[test]
fn one_and_two_threads_give_the_same_bytes() {
    let sandbox = Sandbox::new();
    let votes = Array2::from_shape_fn((8, 50_000), |(model, sample): (usize, usize)| {
        // SplitMix64's mixing: noise in a quarter of the votes.
        let mixed = (sample * 8 + model + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let bits = (mixed ^ (mixed >> 27)) >> 20;
        let cluster = if bits % 4 == 0 { (bits >> 2) % 12 } else { sample % 12 };
        i32::try_from(cluster).unwrap()
    });
    npy(&sandbox.path("votes.npy"), votes.view()).unwrap();
    for threads in [1, 2] {
        sandbox
            .done(&format!("pseudo-label votes.npy -k 12 --threads {threads} --out {threads} -q"));
    }
    assert!(sandbox.json("1/metrics.json")["graph"]["signatures"].as_u64().unwrap() > 20_000);
    // What of the curve is left out is decided by counting, not by the clock.
    for field in ["curve", "curve_left_out"] {
        let [one, two] =
            ["1", "2"].map(|run| sandbox.json(&format!("{run}/metrics.json"))[field].clone());
        assert_eq!(one, two);
    }
    let has_times = |file: &str| ["manifest.json", "metrics.json"].contains(&file);
    for file in sandbox.files("1").iter().filter(|file| !has_times(file)) {
        let [one, two] = ["1", "2"].map(|run| std::fs::read(sandbox.path(run).join(file)).unwrap());
        assert!(one == two, "{file}");
    }
}

/// Runs `pseudo-label`; it has to fail with one line that has all `parts`, and leave nothing.
fn refused(sandbox: &Sandbox, arguments: &str, parts: &[&str]) {
    let before = sandbox.files("");
    let output = sandbox.run(&format!("pseudo-label {arguments}"));
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{arguments}: {message}{}", stdout(&output));
    let last = message.lines().last().unwrap();
    assert!(last.starts_with("error: "), "{message}");
    assert_eq!(message.matches("error: ").count(), 1, "{message}");
    for part in parts {
        assert!(last.contains(part), "{arguments}: no {part:?} in: {message}");
    }
    assert_eq!(sandbox.files(""), before, "{arguments}: nothing is written");
}

#[test]
fn what_cannot_be_is_refused_in_one_line() {
    let sandbox = sandbox();
    npy(&sandbox.path("short.npy"), Array1::<i32>::zeros(50).view()).unwrap();
    refused(&sandbox, "votes.npy short.npy -k 3", &["short.npy", "50", "votes.npy", "60"]);
    npy(&sandbox.path("none.npy"), Array2::from_elem((2, 9), -1).view()).unwrap();
    refused(&sandbox, "none.npy -k 3", &["none.npy", "no votes"]);
    refused(&sandbox, "votes.npy -k 2..61", &["-k 2..61", "only 60 samples"]);
    refused(&sandbox, "votes.npy -k 9..2", &["'9..2'"]);
    refused(&sandbox, "votes.npy -k 0", &["-k 0: give a number"]);
    refused(&sandbox, "votes.npy -k 3 --min-agree 150%", &["'150%'", "such as 90%"]);
    refused(&sandbox, "votes.npy -k 61", &["K = 61", "only", "kinds of samples"]);
    refused(
        &sandbox,
        "votes.npy -k 3 --min-agree 2",
        &["max_agree < min_agree", "2 < 2", "5 models"],
    );
    refused(&sandbox, "votes.npy -k 3 --min-agree 6", &["5 models"]);
    refused(&sandbox, "votes.npy -k 3 --min-confidence 1", &["min_confidence"]);
    refused(&sandbox, "votes.npy -k 3 --consensus mean", &["'mean'", "--consensus", "linkage"]);
    let many: Vec<i32> = (0..70_000).map(|sample: i32| sample.min(65_535)).collect();
    npy(&sandbox.path("many.npy"), Array1::from(many).view()).unwrap();
    refused(&sandbox, "many.npy -k 3", &["many.npy", "65,535 clusters"]);
    sandbox.file("words.csv", "a,b\n1,2\n1,x\n");
    refused(&sandbox, "words.csv -k 2", &["words.csv: line 3, column 2", "\"x\""]);
    refused(&sandbox, "missing.npy -k 2", &["missing.npy: no such file"]);
    sandbox.file("few.txt", "a\nb\n");
    refused(&sandbox, "votes.npy -k 3 --labels few.txt", &["few.txt", "2 labels for 60 samples"]);
}
