//! `predict --votes` and `pseudo-label --counts`: parts of data on their own, counted by any engine, are labelled as all of it at once.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeMap, HashMap};
use std::fs;

use common::{Sandbox, stderr};
use consilience::from_counts::{Counts, agreement_of, from_counts};
use consilience::run_folder::RunFolder;
use consilience::{Prediction, Predictor, Voted};
use consilience_data::write::npy;
use consilience_data::{ClusterId, Features, Votes, read_dataset};
use consilience_graph::{Codes, Threads, extract};
use ndarray::{Array2, Axis, s};

/// A run of the digits, which are 1,797 samples, and as many parts of them as there are `cuts` and one.
fn sandbox(settings: &str, cuts: &[usize]) -> (Sandbox, Array2<f32>) {
    let sandbox = Sandbox::new();
    sandbox.file("settings.toml", settings);
    // Whether all mini-clusters are found, or not.
    let output = sandbox.run("cluster digits --config settings.toml --quiet --out run");
    assert!(output.status.code() < Some(2), "{}", stderr(&output));
    let digits = read_dataset(&["digits".into()], &[]).unwrap().features.view().to_owned();
    let ends = cuts.iter().copied().chain([digits.nrows()]);
    let mut start = 0;
    for (part, end) in ends.enumerate() {
        npy(&sandbox.path(&format!("part{part}.npy")), digits.slice(s![start..end, ..])).unwrap();
        start = end;
    }
    (sandbox, digits)
}

/// Lines of a table, without the header and without the first column, which is the number of the row.
fn lines(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let text = sandbox.text(name);
    let without_row = |line: &str| line.split_once(',').unwrap().1.to_owned();
    text.lines().skip(1).map(without_row).collect()
}

/// A line of what `predict --votes` writes.
struct Row {
    cluster: u16,
    lowest: f32,
    signature: String,
}

fn rows(sandbox: &Sandbox, name: &str) -> Vec<Row> {
    let row = |line: String| {
        let cells: Vec<&str> = line.split(',').collect();
        Row {
            cluster: cells[0].parse().unwrap(),
            lowest: cells[2].parse().unwrap(),
            signature: cells[3].into(),
        }
    };
    lines(sandbox, name).into_iter().map(row).collect()
}

/// What any engine does: `select signature, cluster, count(*), min(id) ... where lowest_confidence > bound group by signature, cluster`.
fn counted(rows: &[Row], bound: f32) -> String {
    let mut groups: BTreeMap<(&str, u16), (usize, usize)> = BTreeMap::new();
    for (id, row) in rows.iter().enumerate().filter(|(_, row)| row.lowest > bound) {
        groups.entry((&row.signature, row.cluster)).or_insert((0, id)).0 += 1;
    }
    let mut table = "first,count,cluster,signature\n".to_owned();
    for ((signature, cluster), (count, first)) in groups {
        table += &format!("{first},{count},{cluster},{signature}\n");
    }
    table
}

const SETTINGS: &str = "
    rounds = 1
    candidates = 0
    communities = 0
    judge = false
    members = ['vat-im', 'ladder', 'ladder', 'vat-im']
    first = { epochs = 20, min_steps = 0 }
    agreement.min_confidence = 0.4
    network.hidden = [100]
";

#[test]
fn parts_give_what_all_of_it_gives() {
    let (sandbox, _) = sandbox(SETTINGS, &[1, 17, 1017]);
    sandbox.done("predict run digits --votes --quiet --out all.csv");
    let header = "sample,cluster,confidence,lowest_confidence,signature\n";
    assert!(sandbox.text("all.csv").starts_with(header));
    let mut parts = Vec::new();
    for part in 0..4 {
        sandbox.done(&format!("predict run part{part}.npy --votes --quiet --out {part}.csv"));
        parts.extend(lines(&sandbox, &format!("{part}.csv")));
    }
    assert_eq!(parts.len(), 1797);
    assert!(parts == lines(&sandbox, "all.csv"), "an answer depends on its sample alone");
    let run = sandbox.assignments("run");
    let rows = rows(&sandbox, "all.csv");
    let other = rows.iter().zip(run).filter(|(row, run)| i64::from(row.cluster) != *run).count();
    assert!(other <= 2, "{other} of 1,797 rounded otherwise");
}

/// Counted signatures give samples the labels that the graph gives them one by one.
#[test]
fn counts_give_the_labels_of_their_samples() {
    let (sandbox, digits) = sandbox(SETTINGS, &[]);
    sandbox.done("predict run digits --votes --quiet --out all.csv");
    let rows = rows(&sandbox, "all.csv");
    sandbox.file("counts.csv", counted(&rows, 0.4));
    let told = sandbox.done("pseudo-label run --counts counts.csv --quiet");
    assert!(told.contains("K = 10") && told.contains("counts-labels.csv"), "{told}");

    let predictor = Predictor::load(&sandbox.path("run"), 2).unwrap();
    let codes = predictor.signature_codes().unwrap();
    let voted = predictor.vote(&Features::new(digits, "digits").unwrap()).unwrap();
    let Codes::Numbers(numbers) = &voted.signatures else { panic!("they fit") };
    let votes = |sample: usize| codes.decode(&numbers[sample].to_string()).unwrap();
    let clusters =
        Array2::from_shape_fn((4, 1797), |(model, sample)| votes(sample)[model].unwrap().0);
    let sure = Array2::from_shape_fn((4, 1797), |(_, sample)| rows[sample].lowest);
    let agreement = RunFolder::open(&sandbox.path("run")).unwrap().config;
    let agreement = agreement_of(&agreement, 4).unwrap().check(4).unwrap();
    let threads = Threads::new(2).unwrap();
    let expected = extract(&Votes::new(clusters, sure).unwrap(), 10, &agreement, &threads).unwrap();

    let labels: HashMap<String, (u16, u16, i32)> = (sandbox
        .text("counts-labels.csv")
        .lines()
        .skip(1))
    .map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        let label =
            (cells[1].parse().unwrap(), cells[2].parse().unwrap(), cells[3].parse().unwrap());
        (cells[0].to_owned(), label)
    })
    .collect();
    // Mini-clusters have the numbers of the run's clusters here, and each has one.
    let mut names: HashMap<ClusterId, u16> = HashMap::new();
    let (mut labelled, mut contradicted) = (0, 0);
    for entry in expected.pseudo_labels.entries() {
        let row = &rows[entry.sample.index()];
        let (label, agreement, margin) = labels[&row.signature];
        assert_eq!((agreement, margin), (entry.agreement, entry.margin));
        assert_eq!(*names.entry(entry.label).or_insert(label), label);
        labelled += usize::from(row.cluster == label);
        contradicted += usize::from(row.cluster != label);
    }
    assert_eq!(names.len(), 10, "{names:?}");
    assert!(labelled > 600 && contradicted * 20 < labelled, "{labelled}, {contradicted}");
    let sure = rows.iter().filter(|row| row.lowest > 0.4 && labels.contains_key(&row.signature));
    assert_eq!(sure.count(), labelled + contradicted, "and nobody else has a label");
    let told: serde_json::Value = serde_json::from_str(
        &sandbox.done("pseudo-label run --counts counts.csv --json --out again.csv"),
    )
    .unwrap();
    assert_eq!(told["n_labelled"], labelled);
    assert_eq!(
        fs::read(sandbox.path("again.csv")).unwrap(),
        fs::read(sandbox.path("counts-labels.csv")).unwrap()
    );
}

/// A sample's answer depends on it alone, whatever the run ended with; and its members vote where they have no part in that.
#[test]
fn members_of_every_kind_vote_wherever_a_sample_is() {
    let judged = SETTINGS.replace("judge = false", "judge = true");
    let untrained = judged
        .replace("epochs = 20", "epochs = 1")
        .replace("network", "network.learning_rate = 1e-9\nnetwork");
    let kinds = "members = ['ladder', 'communities', 'mixture', 'k-means']";
    let mixed = judged.replace("members = ['vat-im', 'ladder', 'ladder', 'vat-im']", kinds);
    let mixed = mixed.replace("communities = 0", "communities = 5");
    let mut chosen = Vec::new();
    for settings in [&untrained, &mixed] {
        let (sandbox, digits) = sandbox(settings, &[]);
        chosen.push(sandbox.json("run/metrics.json")["chosen"].clone());
        let features = |rows| Features::new(rows, "digits").unwrap();
        let predictor = Predictor::load(&sandbox.path("run"), 1).unwrap();
        assert_eq!(predictor.signature_codes().unwrap().n_models(), 4);
        let all = predictor.vote(&features(digits.clone())).unwrap();
        // In another order, which puts samples at other places of their blocks.
        let reversed: Vec<usize> = (0..1797).rev().collect();
        let others = predictor.vote(&features(digits.select(Axis(0), &reversed))).unwrap();
        for (at, &sample) in reversed.iter().enumerate() {
            assert_eq!(answer(&all, sample), answer(&others, at));
        }
    }
    assert_eq!(chosen[0], "k-means");
    assert!(["across-kinds", "communities"].contains(&chosen[1].as_str().unwrap()), "{chosen:?}");
}

/// All that is said of a sample, to the bit.
fn answer(voted: &Voted, sample: usize) -> (ClusterId, u32, u32, String) {
    let Prediction { assignments, confidences, .. } = &voted.prediction;
    let confidences = [confidences[sample], voted.lowest_confidences[sample]].map(f32::to_bits);
    let signature = voted.signatures.text(sample).into_owned();
    (assignments.clusters()[sample], confidences[0], confidences[1], signature)
}

#[test]
fn tables_of_other_tools_are_read_and_what_is_wrong_is_told() {
    let (sandbox, _) = sandbox(SETTINGS, &[]);
    sandbox.done("predict run digits --votes --quiet --out all.csv");
    let table = counted(&rows(&sandbox, "all.csv"), 0.4);
    sandbox.file("counts.csv", &table);
    sandbox.done("pseudo-label run --counts counts.csv --quiet --out from-csv.csv");
    let mut lines = table.lines();
    lines.next();
    let line = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let [first, count, cluster, signature] = cells[..] else { panic!() };
        format!(
            "{{\"signature\": {signature}, \"cluster\": {cluster}, \"count\": {count}, \"first\": {first}}}\n"
        )
    };
    sandbox.file("counts.jsonl", lines.map(line).collect::<String>());
    sandbox.done("pseudo-label run --counts counts.jsonl --quiet --out from-jsonl.csv");
    assert_eq!(sandbox.text("from-csv.csv"), sandbox.text("from-jsonl.csv"));

    let header = "signature,cluster,count,first\n";
    for (name, rows, problem) in [
        ("columns", "signature,cluster,count\n1,0,3\n", "no column first"),
        ("empty", "signature,cluster,count,first\n", "no "),
        ("cluster", "1,12,3,7\n", "need clusters of the run, 0 to 9, got 12"),
        ("signature", "99999999999,1,3,7\n", "need signatures that this run's models gave"),
        ("count", "1,1,-3,7\n", "row 0: count -3 is no whole number"),
        ("cell", "1,1,3,7\n1,1,,8\n", "row 1: no count"),
        ("twice", "1,1,3,7\n2,1,4,7\n", "id 7 in two rows"),
    ] {
        let rows =
            if rows.starts_with("sig") { rows.to_owned() } else { format!("{header}{rows}") };
        sandbox.file(&format!("{name}.csv"), rows);
        let output = sandbox.run(&format!("pseudo-label run --counts {name}.csv"));
        assert_eq!(output.status.code(), Some(2), "{name}");
        let told = stderr(&output);
        assert!(told.contains(problem) && told.lines().count() == 1, "{name}: {told}");
        assert!(!sandbox.path(&format!("{name}-labels.csv")).exists());
    }
    for (arguments, problem) in [
        ("pseudo-label run --counts counts.csv --out all.csv", "exists already"),
        ("pseudo-label run --counts counts.csv --out new.parquet", "name a .csv file"),
        ("pseudo-label run run --counts counts.csv", "name the one run"),
        ("pseudo-label all.csv --counts counts.csv", "run folder"),
        ("pseudo-label run --counts counts.csv -k 3", "cannot be used with"),
        ("pseudo-label run --counts counts.csv --min-agree 9", "max_agree < min_agree"),
        ("predict run digits --votes --out new.npy", "no room for --votes"),
    ] {
        let output = sandbox.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert!(stderr(&output).contains(problem), "{arguments}: {}", stderr(&output));
    }
}

/// The order of ids is that of numbers if all of them are, and the rows may come in any.
#[test]
fn the_order_of_rows_does_not_matter_and_ids_break_ties() {
    let (sandbox, _) = sandbox(SETTINGS, &[]);
    let predictor = Predictor::load(&sandbox.path("run"), 1).unwrap();
    let codes = predictor.signature_codes().unwrap();
    let k = predictor.n_clusters();
    let agreement =
        agreement_of(&RunFolder::open(&sandbox.path("run")).unwrap().config, 4).unwrap();
    let votes: Vec<u16> = (0..40).map(|at| at / 4).collect();
    let votes = Array2::from_shape_fn((4, 10), |(_, cluster)| votes[4 * cluster]);
    let votes = Votes::new(votes, Array2::ones((4, 10))).unwrap();
    let encoded = codes.encode(&votes);
    let clusters = (0..10).map(|cluster| ClusterId(9 - cluster));
    let of = |ids: [&str; 10], order: &[usize]| {
        let mut counts = Counts::default();
        let clusters: Vec<ClusterId> = clusters.clone().collect();
        for &row in order {
            counts.signatures.push(encoded.text(row).into_owned());
            counts.clusters.push(clusters[row]);
            counts.counts.push(5);
            counts.firsts.push(ids[row].into());
        }
        from_counts(&counts, &codes, k, &agreement, &Threads::new(1).unwrap()).unwrap()
    };
    let in_order: Vec<usize> = (0..10).collect();
    let reversed: Vec<usize> = (0..10).rev().collect();
    let numbers = ["9", "10", "11", "12", "13", "14", "15", "16", "17", "18"];
    let found = of(numbers, &in_order);
    assert_eq!(found, of(numbers, &reversed));
    assert_eq!(found.sizes, [5; 10]);
    assert!(found.is_complete() && found.n_found == 10 && found.n_labelled() == 50);
    let first = |found: &[&str; 10]| of(*found, &in_order).labels[0].signature.clone();
    assert_eq!(first(&numbers), encoded.text(0), "9 is before 10");
    let words = ["9", "10", "11", "12", "13", "14", "15", "16", "17", "x"];
    assert_eq!(first(&words), encoded.text(1), "\"10\" is before \"9\"");
}
