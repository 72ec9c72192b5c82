//! `--labels-partial`, `--must-link` and `--cannot-link`: what is known of some samples, in `cluster` and `pseudo-label`.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Sandbox, crowds, stderr, stdout};
use consilience_data::read_dataset;
use consilience_data::write::npy;
use ndarray::Array2;
use serde_json::Value;

/// Beside the crowds, a table of the points that has ids, and the votes of five models.
fn crowds() -> Sandbox {
    let sandbox = crowds::crowds();
    let points = read_dataset(&[sandbox.path("points.npy")], &[]).unwrap().features;
    let row = |row: usize| {
        let cells: Vec<String> = points.row(row).iter().map(ToString::to_string).collect();
        format!("s{row},{}\n", cells.join(","))
    };
    let table: String = (0..120).map(row).collect();
    sandbox.file("points.csv", format!("id,a,b,c,d\n{table}"));
    let votes = Array2::from_shape_fn((5, 120), |(model, row)| {
        let is_noise = row % 7 == 3 && (row + model) % 3 == 0;
        i32::try_from((row + model + usize::from(is_noise)) % 3).unwrap()
    });
    npy(&sandbox.path("votes.npy"), votes.view()).unwrap();
    sandbox
}

/// The rows of a CSV of a run, cell by cell, without the header.
fn rows(sandbox: &Sandbox, name: &str) -> Vec<Vec<String>> {
    let text = sandbox.text(name);
    text.lines().skip(1).map(|line| line.split(',').map(Into::into).collect()).collect()
}

const CLUSTER: &str = "cluster points.npy --config short.toml --no-curve --quiet";

#[test]
fn labels_name_clusters_and_stay() {
    let sandbox = crowds();
    // Sample 7 is of the crowd of "b".
    let names = ["a", "b", "c"];
    let mut given: Vec<(usize, &str)> = (0..12).map(|row| (row, names[row % 3])).collect();
    given[7].1 = "a";
    let lines: String = given.iter().map(|(row, name)| format!("{row},{name}\n")).collect();
    sandbox.file("some.csv", format!("sample,label\n{lines}"));
    let line = format!("{CLUSTER} --labels-partial some.csv --labels truth.npy -k 3");
    let output = sandbox.run(&format!("{line} --out run --threads 1 --json"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let metrics: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(metrics["scores"]["n_samples"], 108, "twelve were given");
    assert_eq!((&metrics["given"]["count"], &metrics["held"]["samples"]), (&12.into(), &12.into()));
    assert!(metrics["acc"].as_f64().unwrap() > 0.95, "{}", metrics["acc"]);
    let told = stderr(&output);
    assert!(told.contains("sample 7 (a, rather b)"), "{told}");
    assert!(told.contains("no accuracy by name: true classes are called 0, 1, 2"), "{told}");
    // In all that is written, a given label is what it was.
    let classes = rows(&sandbox, "run/classes.csv");
    let cluster_of = |name: &str| classes.iter().find(|row| row[1] == name).unwrap()[0].clone();
    let assigned = rows(&sandbox, "run/assignments.csv");
    sandbox.done("export run --soft --out all.csv");
    let exported = rows(&sandbox, "all.csv");
    for &(row, name) in &given {
        assert_eq!(assigned[row][1..], [cluster_of(name), "1.0".into()], "{row}");
        assert_eq!(exported[row][1..3], [cluster_of(name), name.into()], "{row}");
    }
    for row in rows(&sandbox, "run/pseudo_labels.csv") {
        let sample: usize = row[0].parse().unwrap();
        let of_given = given.get(sample).map(|(_, name)| cluster_of(name));
        assert!(of_given.is_none_or(|cluster| cluster == row[1]), "{row:?}");
    }
    let labelled = rows(&sandbox, "run/pseudo_labels.csv");
    assert!(given.iter().all(|(row, _)| labelled.iter().any(|l| l[0] == row.to_string())));
    let wrong = rows(&sandbox, "run/label_errors.csv");
    assert_eq!(wrong[0][..3], ["7", "a", "b"]);
    // Other samples of the three crowds have the names of their classes, too.
    let right = (12..120).filter(|&row| assigned[row][1] == cluster_of(names[row % 3])).count();
    assert!(right > 100, "{right}");
    let report = sandbox.text("run/report.html");
    assert!(report.contains("<td class=\"name\">a</td>"));
    sandbox.done("suggest run -n 2 --quiet --out more.csv");
    assert!(sandbox.text("more.csv").contains("7,a,a,1"), "{}", sandbox.text("more.csv"));
    sandbox.done(&format!("{line} --out again --threads 2"));
    for name in ["assignments.csv", "pseudo_labels.csv", "label_errors.csv", "classes.csv"] {
        assert_eq!(sandbox.text(&format!("run/{name}")), sandbox.text(&format!("again/{name}")));
    }
}

/// What the clusters don't show is forced, and said.
#[test]
fn classes_that_clusters_do_not_show_are_told() {
    let sandbox = crowds();
    // Two names for one crowd.
    let lines: String =
        (0..12).map(|row| format!("{},{}\n", 3 * row, if row < 6 { "x" } else { "y" })).collect();
    sandbox.file("some.csv", format!("sample,label\n{lines}"));
    let line = "cluster points.npy --effort quick --no-curve --labels-partial some.csv";
    let output = sandbox.run(&format!("{line} -k 3 --out run"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("clusters don't show some classes"), "{}", stderr(&output));
    let assigned = sandbox.assignments("run");
    let of = |rows: std::ops::Range<usize>| rows.map(|row| assigned[3 * row]).collect::<Vec<_>>();
    let (x, y) = (of(0..6), of(6..12));
    assert!(x.iter().all(|id| *id == x[0]) && y.iter().all(|id| *id == y[0]) && x[0] != y[0]);
    // K is sought from the number of classes on.
    let four: String = (0..8).map(|row| format!("{row},{}\n", row % 4)).collect();
    sandbox.file("four.csv", format!("sample,label\n{four}"));
    let line = "cluster points.npy --effort quick --no-curve --labels-partial four.csv";
    let metrics: Value =
        serde_json::from_str(&sandbox.done(&format!("{line} --quiet --json --out four"))).unwrap();
    assert!(metrics["n_clusters"].as_u64().unwrap() >= 4, "{}", metrics["n_clusters"]);
}

#[test]
fn what_is_linked_is_together_and_what_is_apart_is_apart() {
    let sandbox = crowds();
    // 0, 3, 6 are of one crowd, 1 and 4 of another.
    sandbox.file("must.csv", "first,second\ns0,s1\ns1,s6\n");
    sandbox.file("cannot.csv", "s0,s3\ns3,s9\ns9,s6\n");
    sandbox.file("must.txt", "0 1\n1 6\n");
    sandbox.file("cannot.txt", "0 3\n3 9\n9 6\n");
    let by_ids = "--must-link must.csv --cannot-link cannot.csv";
    let by_rows = "--must-link must.txt --cannot-link cannot.txt";
    let lines = [
        format!("cluster points.csv --config short.toml --no-curve -k 3 {by_ids}"),
        format!("cluster points.npy --config short.toml --no-curve -k 3 {by_rows}"),
        format!("cluster points.npy --effort quick --no-curve {by_rows}"),
        format!("pseudo-label votes.npy -k 3 {by_rows}"),
        format!("pseudo-label votes.npy -k 3 --consensus linkage {by_rows}"),
        format!("pseudo-label votes.npy -k 3 --min-agree 3 --max-agree 2 {by_rows}"),
    ];
    for (at, line) in lines.iter().enumerate() {
        let out = format!("run{at}");
        let output = sandbox.run(&format!("{line} --out {out}"));
        assert!(matches!(output.status.code(), Some(0 | 1)), "{line}: {}", stderr(&output));
        assert!(stdout(&output).contains("5 samples, in 3 groups"), "{line}: {}", stdout(&output));
        let check = |found: &dyn Fn(usize) -> Option<i64>, what: &str| {
            let both = |a, b| found(a).zip(found(b));
            for (a, b) in [(0, 1), (1, 6)] {
                assert!(both(a, b).is_none_or(|(a, b)| a == b), "{line}: {what} of {a}, {b}");
            }
            for (a, b) in [(0, 3), (1, 3), (6, 3), (3, 9), (9, 6), (9, 0)] {
                assert!(both(a, b).is_none_or(|(a, b)| a != b), "{line}: {what} of {a}, {b}");
            }
        };
        let assigned = sandbox.assignments(&out);
        check(&|sample| Some(assigned[sample]), "clusters");
        let labels = rows(&sandbox, &format!("{out}/pseudo_labels.csv"));
        let named = usize::from(line.contains("csv"));
        let label = |sample: usize| {
            let found = labels.iter().find(|row| row[0] == sample.to_string())?;
            found[1 + named].parse().ok()
        };
        check(&label, "labels");
        assert_eq!(sandbox.json(&format!("{out}/metrics.json"))["held"]["samples"], 5);
    }
    // Settings name the files, with a hash.
    let config = sandbox.text("run3/config.toml");
    assert!(
        config.contains("must_link = \"must.txt\"") && config.contains("links_hash"),
        "{config}"
    );
    // So does the command with which a report says how to repeat the run.
    assert!(sandbox.text("run0/report.html").contains(by_ids));
}

#[test]
fn what_contradicts_itself_is_refused_in_one_line() {
    let sandbox = crowds();
    sandbox.file("must.csv", "s0,s1\ns5,s6\ns1,s2\n");
    sandbox.file("apart.csv", "s7,s8\ns2,s0\n");
    sandbox.file("unknown.csv", "s0,s1\ns0,s500\n");
    sandbox.file("itself.csv", "s3,s3\n");
    sandbox.file("one.csv", "s0,s1\ns3\n");
    let mutually: Vec<String> =
        (0..4).flat_map(|a| (0..a).map(move |b| format!("s{a},s{b}\n"))).collect();
    sandbox.file("four.csv", mutually.concat());
    // A ring of five needs three clusters, though no three are all apart.
    sandbox.file("ring.csv", "s0,s1\ns1,s2\ns2,s3\ns3,s4\ns4,s0\n");
    sandbox.file("some.csv", "id,label\ns0,a\ns2,b\ns4,a\n");
    for (line, words) in [
        (
            "--must-link must.csv --cannot-link apart.csv",
            "apart.csv: line 2: 's2' and 's0' are to be apart, but are linked by must.csv: line 3, must.csv: line 1",
        ),
        ("--must-link unknown.csv", "line 2: 's500' is not in points; name samples by their ids"),
        ("--cannot-link itself.csv", "line 1: 's3' is paired with itself"),
        ("--must-link one.csv", "line 2"),
        ("--must-link nothing.csv", "nothing.csv"),
        (
            "--cannot-link four.csv -k 3",
            "-k 3: 4 samples have to be apart from one another ('s0', 's1', 's2', 's3'); give at least -k 4",
        ),
        ("--cannot-link four.csv -k 2..3", "-k 3: 4 samples have to be apart"),
        ("--cannot-link ring.csv -k 2", "can't be in so few clusters; give at least -k 3"),
        (
            "--must-link must.csv --labels-partial some.csv",
            "labels 'a' and 'b': 's0' and 's2' are to be apart, but are linked by must.csv: line 1, must.csv: line 3",
        ),
        ("--labels-partial some.csv -k 1", "labels of 2 classes"),
    ] {
        let output = sandbox.run(&format!("cluster points.csv {line} --quiet --out refused"));
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{line}: {told}");
        assert!(told.contains(words) && told.trim_end().lines().count() == 1, "{line}: {told}");
        assert!(!sandbox.path("refused").exists(), "{line}");
    }
    let output = sandbox.run("pseudo-label votes.npy -k 3 --must-link must.csv --out refused");
    assert!(stderr(&output).contains("line 1: 's0' is not in votes; name samples by their rows"));
    sandbox.file("rows.txt", "0 1\n0 2\n1 2\n3 0\n3 1\n3 2\n");
    let output = sandbox.run("pseudo-label votes.npy -k 3 --cannot-link rows.txt --out refused");
    assert!(stderr(&output).contains("4 samples have to be apart"), "{}", stderr(&output));
    assert!(!sandbox.path("refused").exists());
}

/// Its pairs are in the run: the files that they came from need not be there any more.
#[test]
fn another_cut_keeps_the_pairs() {
    let sandbox = crowds();
    // 0, 3 and 6 are of one crowd, 1 and 4 of another.
    sandbox.file("must.csv", "s0,s1\ns1,s6\n");
    sandbox.file("cannot.csv", "s0,s3\ns3,s9\n");
    sandbox.file("must.txt", "0 1\n1 6\n");
    sandbox.file("cannot.txt", "0 3\n3 9\n");
    let by_ids = "--must-link must.csv --cannot-link cannot.csv --no-curve --quiet";
    let by_rows = "--must-link must.txt --cannot-link cannot.txt --no-curve --quiet";
    sandbox.done(&format!("cluster points.csv -k 3 --effort quick {by_ids} --out ids"));
    sandbox.done(&format!("cluster points.npy -k 3 --effort quick {by_rows} --out rows"));
    sandbox.done(&format!("pseudo-label votes.npy -k 3 {by_rows} --out votes"));
    let pairs = "first,second,link\n0,1,must\n1,6,must\n0,3,cannot\n3,9,cannot\n";
    for name in ["must.csv", "cannot.csv", "must.txt", "cannot.txt"] {
        std::fs::remove_file(sandbox.path(name)).unwrap();
    }
    for run in ["ids", "rows", "votes"] {
        assert_eq!(sandbox.text(&format!("{run}/pairs.csv")), pairs, "{run}");
        let output = sandbox.run(&format!("cut {run} -k 2 --quiet --out {run}-2"));
        assert!(matches!(output.status.code(), Some(0 | 1)), "{run}: {}", stderr(&output));
        assert!(stdout(&output).contains("5 samples, in 3 groups"), "{run}: {}", stdout(&output));
        let cut = format!("{run}-2");
        let found = sandbox.assignments(&cut);
        assert!(found[0] == found[1] && found[1] == found[6], "{run}: {:?}", &found[..10]);
        assert!(found[3] != found[0] && found[3] != found[9], "{run}: {:?}", &found[..10]);
        for row in rows(&sandbox, &format!("{cut}/pseudo_labels.csv")) {
            let (sample, label) = (
                row[0].parse::<usize>().unwrap(),
                row[1 + usize::from(run == "ids")].parse::<i64>(),
            );
            assert!(sample > 9 || found[sample] == label.unwrap(), "{run}: {row:?}");
        }
        assert_eq!(sandbox.json(&format!("{cut}/metrics.json"))["held"]["samples"], 5, "{run}");
        assert_eq!(sandbox.text(&format!("{cut}/pairs.csv")), pairs, "{run}");
    }
    assert!(sandbox.text("votes-2/config.toml").contains("must_link = \"must.txt\""));

    // What needs more clusters is refused, and so is a run that doesn't say what it was held to.
    let apart = "0 3\n3 9\n9 0\n";
    sandbox.file("apart.txt", apart);
    sandbox.done(
        "cluster points.npy -k 3 --effort quick --cannot-link apart.txt --no-curve --quiet --out apart",
    );
    let refused = |words: &str| {
        let output = sandbox.run("cut apart -k 2 --quiet --out refused");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
        assert!(!sandbox.path("refused").exists());
    };
    refused("2 clusters can't keep apart what has to be; give 3 or more");
    sandbox.file("apart/pairs.csv", "first,second,link\n0,500,must\n");
    refused("pairs.csv: can't be read as part of a run");
    std::fs::remove_file(sandbox.path("apart/manifest.json")).unwrap();
    refused("samples that the run doesn't have");
    std::fs::remove_file(sandbox.path("apart/pairs.csv")).unwrap();
    refused("has no pairs.csv");
}

/// The same bytes as without, where nothing is known.
#[test]
fn a_run_that_was_told_what_it_finds_is_the_same() {
    let sandbox = crowds();
    sandbox.file("must.txt", "0 6\n");
    sandbox.done("pseudo-label votes.npy -k 3 --out plain");
    sandbox.done("pseudo-label votes.npy -k 3 --must-link must.txt --out told");
    for name in ["assignments.csv", "votes.npz"] {
        let [plain, told] = ["plain", "told"].map(|run| sandbox.path(&format!("{run}/{name}")));
        assert!(std::fs::read(plain).unwrap() == std::fs::read(told).unwrap(), "{name}");
    }
    assert!(sandbox.json("plain/metrics.json").get("held").is_none());
    assert!(!sandbox.path("plain/pairs.csv").exists());
}
