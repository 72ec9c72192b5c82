//! `consilience train` and what follows it: suggest, export, predict.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use common::crowds::{self, SHORT};
use common::{Sandbox, signal, stderr, stdout};
use consilience_data::write::npy;
use consilience_data::{Seed, Stream};
use ndarray::Array1;
use serde_json::Value;

/// Beside the crowds, labels of six points: two of each.
fn crowds() -> Sandbox {
    let sandbox = crowds::crowds();
    let given = (0..120_i64).map(|row| if row < 6 { row % 3 } else { -1 });
    npy(&sandbox.path("given.npy"), Array1::from_iter(given).view()).unwrap();
    sandbox
}

const TRAIN: &str = "train points.npy --labels-partial given.npy --config short.toml --quiet";

#[test]
fn a_few_labels_make_a_classifier() {
    let sandbox = crowds();
    let told = sandbox.done(&format!("{TRAIN} --labels truth.npy --out run --threads 1"));
    assert!(told.contains("6 labels of 3 classes, by agreement"), "{told}");
    assert!(told.contains("on samples without a given label"), "{told}");
    let metrics = sandbox.json("run/metrics.json");
    assert!(metrics["given"]["accuracy"].as_f64().unwrap() > 0.95, "{}", metrics["given"]);
    assert_eq!(metrics["scores"]["n_samples"], 114, "six were given");
    assert_eq!(sandbox.text("run/classes.csv"), "cluster,name,given\n0,0,2\n1,1,2\n2,2,2\n");
    for name in ["given_labels.csv", "label_errors.csv", "probabilities.npy", "report.html"] {
        assert!(sandbox.path(&format!("run/{name}")).is_file(), "{name}");
    }
    // The same for any number of threads.
    sandbox.done(&format!("{TRAIN} --labels truth.npy --out again --threads 2"));
    for name in ["assignments.csv", "probabilities.npy", "pseudo_labels.csv"] {
        let [one, two] = ["run", "again"].map(|run| sandbox.path(&format!("{run}/{name}")));
        assert!(std::fs::read(one).unwrap() == std::fs::read(two).unwrap(), "{name}");
    }
    // New samples have classes, too.
    sandbox.done("predict run points.npy --quiet --out new.csv");
    let clusters = |name: &str| -> Vec<String> {
        let text = sandbox.text(name);
        text.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(clusters("new.csv"), clusters("run/assignments.csv"));
}

/// Every method alone; a label that is wrong is kept, and told.
#[test]
fn a_given_label_is_never_changed_and_every_method_learns() {
    let sandbox = crowds();
    let mut given: Vec<i64> = (0..120).map(|row| if row < 30 { row % 3 } else { -1 }).collect();
    given[7] = 0;
    npy(&sandbox.path("wrong.npy"), Array1::from(given.clone()).view()).unwrap();
    for method in
        ["supervised", "ladder", "confidence", "consistency", "graph", "propagation", "agreement"]
    {
        let line = format!(
            "train points.npy --labels-partial wrong.npy --config short.toml --quiet --json --no-curve \
             --method {method} --labels truth.npy --out {method}"
        );
        let output = sandbox.run(&line);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let metrics: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let accuracy = metrics["given"]["accuracy"].as_f64().unwrap();
        assert!(accuracy > 0.8, "{method}: {accuracy}");
        let found = sandbox.assignments(method);
        let kept = given.iter().zip(&found).all(|(given, found)| *given < 0 || given == found);
        assert!(kept, "{method}");
        if ["agreement", "propagation"].contains(&method) {
            let wrong = sandbox.text(&format!("{method}/label_errors.csv"));
            assert!(wrong.lines().nth(1).unwrap().starts_with("7,0,1,"), "{method}: {wrong}");
            let told = stderr(&output);
            assert!(told.contains("sample 7 (0, rather 1)"), "{told}");
        }
    }
    let output = sandbox.run("export propagation --label-errors --out errors.csv");
    assert!(stdout(&output).contains("Written: 1 given label"), "{}", stdout(&output));
}

/// What may be wrong is put aside, and the result is no worse on crowds far apart; settings without it have nothing of it.
#[test]
fn labels_that_may_be_wrong_are_put_aside() {
    let sandbox = crowds();
    let mut given: Vec<i64> = (0..120).map(|row| if row < 30 { row % 3 } else { -1 }).collect();
    (given[7], given[11]) = (0, 1);
    npy(&sandbox.path("wrong.npy"), Array1::from(given.clone()).view()).unwrap();
    let all = [
        ("agreement", "steady = true\nco_teaching = true\ndoubt = true\nsoft = true"),
        ("confidence", "tau_per_class = true\nco_teaching = true\ndoubt = true"),
        ("confidence", "soft = true\ndoubt = true"),
        ("supervised", "doubt = true"),
    ];
    for (at, (method, switches)) in all.into_iter().enumerate() {
        let smoothing = "label_smoothing = 0.1";
        let settings = format!(
            "{}\n[few_labels]\n{switches}\n",
            SHORT.replace("network.hidden", &format!("network.{smoothing}\nnetwork.hidden"))
        );
        sandbox.file("robust.toml", settings);
        let run = |out: &str, threads: usize| {
            let line = format!(
                "train points.npy --labels-partial wrong.npy --config robust.toml --quiet --json --no-curve \
                 --method {method} --labels truth.npy --out {out}-{at} --threads {threads}"
            );
            serde_json::from_str::<Value>(&sandbox.done(&line)).unwrap()
        };
        let metrics = run("one", 1);
        assert!(metrics["given"]["accuracy"].as_f64().unwrap() > 0.85, "{method}: {metrics}");
        let found = sandbox.assignments(&format!("one-{at}"));
        assert!(given.iter().zip(&found).all(|(given, found)| *given < 0 || given == found));
        run("two", 2);
        let text = |out: &str| sandbox.text(&format!("{out}-{at}/assignments.csv"));
        assert_eq!(text("one"), text("two"));
        let config = sandbox.text(&format!("one-{at}/config.toml"));
        assert!(config.contains("doubt = true") && config.contains(smoothing), "{config}");
    }
    sandbox.done(&format!("{TRAIN} --method supervised --out plain"));
    let config = sandbox.text("plain/config.toml");
    let absent = ["tau_per_class", "steady", "co_teaching", "doubt", "soft =", "label_smoothing"];
    assert!(absent.iter().all(|name| !config.contains(name)), "{config}");
}

#[test]
fn suggested_samples_are_filled_in_and_given_back() {
    let sandbox = crowds();
    sandbox.done(&format!("{TRAIN} --method propagation --out run"));
    let told = sandbox.done("suggest run -n 3 --quiet --out more.csv");
    assert!(told.contains("3 samples to label") && told.contains("6 labels"), "{told}");
    let text = sandbox.text("more.csv");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines[0], lines.len()), ("sample,label,taken_for,confidence", 10));
    let filled: Vec<String> = lines[1..]
        .iter()
        .map(|line| {
            let mut cells: Vec<String> = line.split(',').map(Into::into).collect();
            let class = cells[0].parse::<usize>().unwrap() % 3;
            cells[1] = class.to_string();
            cells.join(",")
        })
        .collect();
    sandbox.file("more.csv", format!("{}\n{}\n", lines[0], filled.join("\n")));
    let line =
        "train points.npy --labels-partial more.csv --method propagation --quiet --json --out more";
    let metrics: Value = serde_json::from_str(&sandbox.done(line)).unwrap();
    assert_eq!(metrics["given"]["count"], 9);
    let output = sandbox.run("suggest run --out more.csv");
    assert!(stderr(&output).contains("exists already"), "{}", stderr(&output));
}

#[test]
fn all_samples_are_exported_with_probabilities_and_weights() {
    let sandbox = crowds();
    sandbox.done(&format!("{TRAIN} --method propagation --out run"));
    sandbox.done("export run --soft --weights --out all.csv");
    let text = sandbox.text("all.csv");
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines[0].join(","), "sample,label,name,confidence,weight,p0,p1,p2");
    assert_eq!(lines.len(), 121);
    for line in &lines[1..] {
        let numbers: Vec<f64> = line[3..].iter().map(|cell| cell.parse().unwrap()).collect();
        assert!((numbers[2..].iter().sum::<f64>() - 1.0).abs() < 1e-5, "{line:?}");
        assert!((0.0..=1.0).contains(&numbers[1]), "{line:?}");
    }
    assert_eq!(lines[1][4], "1", "its label was given");
    sandbox.done("export run --soft --out all.npz");
    let output = sandbox.run("export run --soft --out all.parquet");
    assert!(stderr(&output).contains("write .csv or .npz, not parquet"), "{}", stderr(&output));
}

#[test]
fn what_cannot_be_learnt_from_is_refused_in_one_line() {
    let sandbox = crowds();
    sandbox.file("none.csv", "sample,label\n0,\n1,-1\n");
    sandbox.file("steady.toml", "[few_labels]\nsteady = true\n");
    sandbox.file("unknown.csv", "sample,label\n0,a\n500,b\n");
    sandbox.file("twice.csv", "sample,label\n0,a\n1,b\n0,b\n");
    for (line, words) in [
        ("train points.npy --labels-partial none.csv", "no sample has a label"),
        ("train points.npy --labels-partial unknown.csv", "'500' is not in points"),
        (
            "train points.npy --labels-partial twice.csv",
            "'0' is there twice, as \"a\" and as \"b\"",
        ),
        ("train points.npy --labels-partial given.npy -k 2", "there are labels of 3 classes"),
        (
            "train points.npy --labels-partial given.npy -k 2..9",
            "-k with a range or auto is for cluster",
        ),
        ("train points.npy --labels-partial given.npy --method magic", "need one of supervised"),
        (
            "train points.npy --labels-partial given.npy --method agreement,confidence",
            "agreement or confidence",
        ),
        ("train points.npy --labels-partial column:nothing", "nothing"),
        ("train points.npy --labels-partial given.npy --must-link pairs.csv", "--must-link"),
        (
            "train points.npy --labels-partial given.npy --method graph --config steady.toml",
            "need the method agreement or confidence",
        ),
        ("train points.npy", "--labels-partial"),
    ] {
        let output = sandbox.run(&format!("{line} --quiet --out refused"));
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{line}: {told}");
        assert!(told.contains(words) && told.trim_end().lines().count() == 1, "{line}: {told}");
        assert!(!sandbox.path("refused").exists(), "{line}");
    }
}

#[test]
fn what_is_odd_is_said_and_learnt_from() {
    let sandbox = crowds();
    let output = sandbox.run(
        "train points.npy --labels-partial truth.npy --labels truth.npy --config short.toml --method supervised --out all",
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("so this is supervised learning"), "{}", stderr(&output));
    assert!(sandbox.json("all/metrics.json")["acc"].is_null());
    let output = sandbox.run(&format!("{TRAIN} -k 4 --out four"));
    assert!(stderr(&output).contains("1 further cluster without a label"), "{}", stderr(&output));
    // A cluster without a class has no name that may be a class's.
    sandbox.done("predict four points.npy --quiet --out four.csv");
    for line in sandbox.text("four.csv").lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let name = if cells[1] == "3" { "cluster 3" } else { cells[1] };
        assert_eq!(cells[2], name, "{line}");
    }
    // Classes that are called by numbers of other clusters.
    let few: Vec<i64> = (0..120).map(|row| if row < 6 { [2, 0, 7][row % 3] } else { -1 }).collect();
    npy(&sandbox.path("few.npy"), Array1::from(few).view()).unwrap();
    sandbox.done(
        "train points.npy --labels-partial few.npy -k 3 --method propagation --quiet --out numbers",
    );
    sandbox.done("predict numbers points.npy --quiet --out numbers.csv");
    sandbox.done("export numbers --soft --out soft.csv");
    sandbox.done("suggest numbers -n 1 --quiet --out next.csv");
    for (file, at) in [("numbers.csv", 1), ("soft.csv", 1)] {
        let text = sandbox.text(file);
        let names = text.lines().skip(1).take(3).map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            (cells[at].to_owned(), cells[at + 1].to_owned())
        });
        let expected = [("1", "2"), ("0", "0"), ("2", "7")].map(|(a, b)| (a.into(), b.into()));
        assert_eq!(names.collect::<Vec<_>>(), expected, "{file}");
    }
    // A column of the data.
    let mut table = "x,y,kind\n".to_owned();
    for row in 0..60 {
        let kind = match row {
            0 | 2 => "a",
            1 | 3 => "b",
            _ => "",
        };
        table += &format!("{}.{row},{row}.5,{kind}\n", if row % 2 == 0 { 5 } else { 500 });
    }
    sandbox.file("table.csv", table);
    let line = "train table.csv --labels-partial column:kind --method propagation --quiet --json --out table";
    let metrics: Value = serde_json::from_str(&sandbox.done(line)).unwrap();
    assert_eq!((&metrics["n_features"], &metrics["given"]["classes"][0]), (&2.into(), &"a".into()));
    // Clusters have the names of classes.
    sandbox.done("predict table table.csv --quiet --out again.csv");
    let again = sandbox.text("again.csv");
    let mut lines = again.lines();
    assert_eq!(lines.next(), Some("sample,cluster,name,confidence"));
    assert!(lines.next().unwrap().starts_with("0,0,a,"), "{again}");
    let report = sandbox.text("table/report.html");
    assert!(report.contains("given labels") && report.contains("<td class=\"name\">a</td>"));
}

#[test]
fn labels_of_rows_that_were_left_out_are_told() {
    let sandbox = Sandbox::new();
    let mut table = "id,x,y\n".to_owned();
    for row in 0..60 {
        let x = match row {
            4 => String::new(),
            _ => format!("{}.{row}", if row % 2 == 0 { 5 } else { 500 }),
        };
        table += &format!("s{row},{x},{row}.5\n");
    }
    sandbox.file("table.csv", table);
    sandbox.file("some.csv", "id,label\ns0,a\ns1,b\ns4,a\n");
    let line =
        "train table.csv --missing drop --labels-partial some.csv --method propagation --out run";
    let output = sandbox.run(line);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = "1 label of samples that aren't here: of rows that were left out, or unknown";
    assert!(stderr(&output).contains(told), "{}", stderr(&output));
}

/// The page for users: its commands, in their order, with the file that it shows.
#[test]
fn the_commands_of_the_page_work() {
    let page = include_str!("../docs/few-labels.md");
    let blocks = |kind: &str| -> Vec<String> {
        let fence = format!("```{kind}\n");
        let parts = page.split(fence.as_str()).skip(1);
        parts.map(|part| part.split("```").next().unwrap().to_owned()).collect()
    };
    let sandbox = Sandbox::new();
    let files = ["some.csv", "same.csv", "different.csv"];
    files.iter().zip(blocks("csv")).for_each(|(name, block)| sandbox.file(name, block));
    let commands = blocks("sh").concat();
    let commands = commands.lines().filter_map(|line| line.strip_prefix("consilience "));
    let commands: Vec<&str> = commands.collect();
    assert!(commands.len() > 7, "{commands:?}");
    for command in commands {
        sandbox.done(command);
    }
    assert_eq!(sandbox.json("digits-ten/metrics.json")["given"]["count"], 10);
    assert!(sandbox.json("digits-ten/metrics.json")["given"]["accuracy"].as_f64().unwrap() > 0.85);
}

/// A run that was ended goes on, by its name alone, and comes to the same.
#[test]
fn a_run_that_was_ended_goes_on() {
    let sandbox = Sandbox::new();
    let labels: String = (0..10).map(|digit| format!("{digit},{digit}\n")).collect();
    sandbox.file("some.csv", format!("sample,label\n{labels}"));
    let line = "train digits --labels-partial some.csv --config quick.toml --checkpoint-every 0s";
    sandbox.done(&format!("{line} --out whole --quiet"));
    let mut run = std::process::Command::new(env!("CARGO_BIN_EXE_consilience"))
        .args(format!("{line} --out run").split_whitespace())
        .current_dir(sandbox.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(run.stderr.take().unwrap()).lines();
    assert!(told.any(|line| line.unwrap().contains("round 2 of 2: training")));
    signal(&run, "TERM");
    assert_eq!(run.wait().unwrap().code(), Some(143));
    sandbox.done("train --resume run --quiet");
    for name in ["assignments.csv", "probabilities.npy", "pseudo_labels.csv", "config.toml"] {
        let [whole, run] = ["whole", "run"].map(|run| sandbox.path(&format!("{run}/{name}")));
        assert!(std::fs::read(whole).unwrap() == std::fs::read(run).unwrap(), "{name}");
    }
}

#[test]
fn rows_that_are_dropped_shift_no_label() {
    let sandbox = Sandbox::new();
    let noise = Seed(6).rng(Stream::Subset).normal(120);
    let mut table = String::from("a,b\n");
    for row in 0..60 {
        let centre = if row % 2 == 0 { 6.0 } else { -6.0 };
        // Two rows have a gap.
        let first =
            if row == 1 || row == 8 { String::new() } else { (noise[row] + centre).to_string() };
        table += &format!("{first},{}\n", noise[60 + row]);
    }
    sandbox.file("data.csv", &table);
    let words = |rows: &[usize]| {
        let word = |&row: &usize| ["even", "odd"][row % 2].to_owned() + "\n";
        "label\n".to_owned() + &rows.iter().map(word).collect::<String>()
    };
    let all: Vec<usize> = (0..60).collect();
    let kept: Vec<usize> = all.iter().copied().filter(|&row| row != 1 && row != 8).collect();
    let train = "train data.csv --missing drop --method propagation --quiet --labels-partial";
    sandbox.file("kept.csv", words(&kept));
    let output = sandbox.run(&format!("{train} kept.csv --out run"));
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    sandbox.file("all.csv", words(&all));
    sandbox.done(&format!("{train} all.csv --out run"));
    let given = sandbox.text("run/given_labels.csv");
    assert_eq!(given.lines().count(), 59, "{given}");
    for line in given.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let row: usize = cells[0].parse().unwrap();
        assert_eq!(cells[2], ["even", "odd"][row % 2], "{line}");
    }
}
