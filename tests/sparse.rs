//! Sparse data that are large when dense are clustered without being made dense.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Sandbox, stderr};
use consilience_data::write::{Member, npy, npz};
use consilience_data::{Rng, Seed, Stream, read_dataset};
use ndarray::{Array1, ArrayView1, aview1};

/// 2.4 GB of 32-bit floats.
const ROWS: usize = 3000;
const COLUMNS: usize = 200_000;
/// Words of a text, and topics, of which each has words of its own.
const WORDS: usize = 40;
const TOPICS: usize = 4;

/// Texts of frequent words and rare ones, half of them of a topic: `x.npz`, as SciPy saves TF-IDF, of 64-bit floats or 32; and the topic of each in `y.npy`.
fn texts(sandbox: &Sandbox, narrow: bool) {
    let mut rng = Seed(2).rng(Stream::Subset);
    let (mut starts, mut columns, mut values) = (vec![0_i32], Vec::new(), Vec::new());
    for row in 0..ROWS {
        let mut words: Vec<i32> = (0..WORDS).map(|at| word(&mut rng, at, row % TOPICS)).collect();
        words.sort_unstable();
        words.dedup();
        values.extend(words.iter().map(|&word| f64::from(word % 13 + 3).ln()));
        columns.append(&mut words);
        starts.push(i32::try_from(columns.len()).unwrap());
    }
    #[expect(clippy::cast_possible_truncation, reason = "to round")]
    let rounded: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    let data =
        if narrow { ArrayView1::from(&rounded).into() } else { ArrayView1::from(&values).into() };
    let shape = [ROWS as i64, COLUMNS as i64];
    let members = [
        ("indices", ArrayView1::from(&columns).into()),
        ("indptr", ArrayView1::from(&starts).into()),
        ("format", Member::Texts(vec!["csr"])),
        ("shape", aview1(&shape).into()),
        ("data", data),
    ];
    npz(&sandbox.path("x.npz"), &members).unwrap();
    let topics = Array1::from_iter((0..ROWS as i64).map(|row| row % TOPICS as i64));
    npy(&sandbox.path("y.npy"), topics.view()).unwrap();
}

/// The first are frequent in all texts, the others in those of a topic. Both as Zipf has it, about.
fn word(rng: &mut Rng, at: usize, topic: usize) -> i32 {
    let most = if at.is_multiple_of(2) { COLUMNS as f64 } else { 2000.0 };
    #[expect(clippy::cast_possible_truncation, reason = "a column")]
    let rank = (most.powf(rng.uniform()) - 1.0) as i32;
    let first =
        if at.is_multiple_of(2) { 0 } else { 50_000 + 2000 * i32::try_from(topic).unwrap() };
    first + rank
}

#[test]
fn texts_that_would_fill_the_memory_are_clustered_without_being_made_dense() {
    let sandbox = Sandbox::new();
    texts(&sandbox, false);
    let line = "cluster x.npz --labels y.npy -k 4 --effort quick --out run --threads 2";
    let output = sandbox.run(line);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let metrics = sandbox.json("run/metrics.json");
    assert!(metrics["ari"].as_f64().unwrap() > 0.9, "{}", metrics["ari"]);
    let peak = metrics["peak_rss_mb"].as_f64().unwrap();
    assert!(peak < 1100.0, "{peak} MiB, where all values are 2,289");
    assert!(sandbox.path("run/report.html").is_file());

    // The same samples are the same, and have the same clusters, whoever asks.
    let again = sandbox.done("predict run x.npz --out predicted.csv --threads 1");
    assert!(!again.is_empty());
    let clusters = |name: &str| -> Vec<String> {
        let text = sandbox.text(name);
        let cluster = |line: &str| line.split(',').nth(1).unwrap().to_owned();
        text.lines().skip(1).map(cluster).collect()
    };
    assert_eq!(clusters("predicted.csv"), clusters("run/assignments.csv"));
    for command in [
        "report run",
        "suggest run x.npz -n 3",
        "cut run -k 3 --out cut",
        "export run --out few.npz --per-class 2",
        "data info x.npz",
    ] {
        sandbox.done(command);
    }
    let few = read_dataset(&[sandbox.path("few.npz")], &[]).unwrap().features;
    assert_eq!((few.n_samples(), few.n_features()), (2 * TOPICS, COLUMNS));
    assert!((0..few.n_samples()).all(|row| (10..=WORDS).contains(&few.entries(row).count())));

    // Any number of threads.
    let line = "cluster x.npz -k 4 --effort quick --out other --threads 1 --no-curve";
    assert_eq!(sandbox.run(line).status.code(), Some(0));
    assert_eq!(sandbox.text("other/assignments.csv"), sandbox.text("run/assignments.csv"));
}

#[test]
fn what_has_to_be_dense_is_refused_in_one_line_if_it_does_not_fit() {
    let sandbox = Sandbox::new();
    texts(&sandbox, true);
    for more in ["--preset tabular", "--preset embedding", "--view autoencoder"] {
        let line = format!("cluster x.npz -k 4 --effort quick --out run --max-memory 2G {more}");
        let output = sandbox.run(&line);
        let said = stderr(&output);
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{more}: {said}");
        assert!(said.contains("of memory are needed"), "{more}: {said}");
        let is_hinted = said.contains("--preset text does not");
        assert_eq!(is_hinted, more.starts_with("--preset"), "{more}: {said}");
        assert!(!sandbox.path("run").exists());
    }
    // And what stays sparse is refused by what it takes.
    let output = sandbox.run("cluster x.npz -k 4 --effort quick --out run --max-memory 300M");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}
