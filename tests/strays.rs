//! Samples that belong nowhere.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Sandbox, stderr};
use consilience_data::write::npy;
use consilience_data::{Rng, Seed, Stream, read_npz};
use ndarray::{Array2, Axis, concatenate};

const QUICK: &str = "--effort quick --no-curve --quiet --seed 1";
/// Samples of each of three groups in eight dimensions, and strays among them.
const EACH: usize = 300;
const STRAYS: usize = 18;

fn normal(rng: &mut Rng, n: usize) -> Array2<f32> {
    Array2::from_shape_vec((n, 8), rng.normal(8 * n)).unwrap()
}

/// Around three centres.
fn in_groups(rng: &mut Rng, each: usize) -> Array2<f32> {
    let mut points = normal(rng, 3 * each);
    for (row, mut point) in points.rows_mut().into_iter().enumerate() {
        point[row % 3] += 12.0;
    }
    points
}

/// Anywhere in the box that holds them.
#[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
fn anywhere(rng: &mut Rng, n: usize) -> Array2<f32> {
    Array2::from_shape_fn((n, 8), |_| (30.0 * rng.uniform() - 12.0) as f32)
}

/// `points.npy`, with strays behind the groups, `new.npy`, likewise, and the truth of the first, in which strays are of a fourth kind.
fn write(sandbox: &Sandbox) {
    let rng = &mut Seed(11).rng(Stream::Subset);
    for name in ["points.npy", "new.npy"] {
        let points = concatenate![Axis(0), in_groups(rng, EACH), anywhere(rng, STRAYS)];
        npy(&sandbox.path(name), points.view()).unwrap();
    }
    let kind = |row: usize| if row < 3 * EACH { row % 3 } else { 3 };
    let truth: Vec<String> = (0..3 * EACH + STRAYS).map(|row| kind(row).to_string()).collect();
    std::fs::write(sandbox.path("truth.txt"), truth.join("\n")).unwrap();
}

/// A column of a table.
fn column(text: &str, name: &str) -> Vec<String> {
    let at = text.lines().next().unwrap().split(',').position(|it| it == name).unwrap();
    let cell = |line: &str| line.split(',').nth(at).unwrap().to_owned();
    text.lines().skip(1).map(cell).collect()
}

fn unlabelled(clusters: &[String]) -> (usize, usize) {
    let count = |cells: &[String]| cells.iter().filter(|cell| cell.is_empty()).count();
    (count(&clusters[..3 * EACH]), count(&clusters[3 * EACH..]))
}

#[test]
fn strays_have_no_cluster_in_the_run_and_among_new_samples() {
    let sandbox = Sandbox::new();
    write(&sandbox);
    let told = sandbox.done(&format!(
        "cluster points.npy -k 3 --strays auto --labels truth.txt {QUICK} --out run"
    ));
    assert!(told.contains("without a cluster: a score of 0.99"), "{told}");
    let table = sandbox.text("run/assignments.csv");
    let (lost, found) = unlabelled(&column(&table, "cluster"));
    assert!(lost <= 9 && found >= 17, "{lost} of the groups, {found} strays");
    let metrics = sandbox.json("run/metrics.json");
    assert_eq!(metrics["strays"]["count"], lost + found);
    assert_eq!(metrics["strays"]["asked"], "auto");
    let scores = read_npz(&sandbox.path("run/strays.npz")).unwrap();
    assert_eq!(scores["score"].len(), 3 * EACH + STRAYS);
    let clusters = sandbox.assignments("run");
    assert_eq!(clusters.iter().filter(|&&cluster| cluster == -1).count(), lost + found);
    assert!(sandbox.text("run/report.html").contains("too far from all others to belong anywhere"));
    let labelled = column(&sandbox.text("run/pseudo_labels.csv"), "sample");
    assert!(labelled.iter().all(|row| clusters[row.parse::<usize>().unwrap()] >= 0));

    // The run's own samples again, and others.
    sandbox.done("predict run points.npy --out again.csv");
    let again = sandbox.text("again.csv");
    for name in ["cluster", "confidence", "stray"] {
        assert_eq!(column(&again, name), column(&table, name), "{name}");
    }
    let told = sandbox.done("predict run new.npy --out new.csv --labels truth.txt");
    assert!(told.contains("as far out as the run's strays"), "{told}");
    let (lost, found) = unlabelled(&column(&sandbox.text("new.csv"), "cluster"));
    assert!(lost <= 18 && found >= 17, "{lost} of the groups, {found} strays");
    sandbox.done("predict run new.npy --votes --quiet --out votes.csv");
    assert_eq!(
        column(&sandbox.text("votes.csv"), "cluster"),
        column(&sandbox.text("new.csv"), "cluster")
    );

    // Whatever reads a run.
    for command in [
        "evaluate truth.txt run",
        "export run --out labels.csv",
        "report run",
        "compare run run",
        "suggest run --out to-label.csv",
        "pseudo-label run -k 3 --no-curve --quiet --out votes",
        "cut run -k 2 --out two --quiet",
        "predict two points.npy --out two.csv",
    ] {
        let output = sandbox.run(command);
        assert!(output.status.code() < Some(2), "{command}: {}", stderr(&output));
    }
    let two = sandbox.text("two/assignments.csv");
    assert_eq!(column(&sandbox.text("two.csv"), "cluster"), column(&two, "cluster"));
    assert!(unlabelled(&column(&two, "cluster")).1 >= 17);

    // The same settings again, on another number of threads; and without, as ever.
    sandbox.done(
        "cluster points.npy --config run/config.toml --no-curve --quiet --threads 1 --out same",
    );
    assert_eq!(sandbox.text("same/assignments.csv"), table);
    sandbox.done(&format!("cluster points.npy -k 3 {QUICK} --out none"));
    assert!(sandbox.text("none/assignments.csv").starts_with("sample,cluster,confidence\n"));
    assert!(!sandbox.path("none/strays.npz").exists());
}

#[test]
fn a_share_is_kept_to_and_none_may_be_left_out() {
    let sandbox = Sandbox::new();
    write(&sandbox);
    sandbox.done(&format!("cluster points.npy -k 3 --strays 0.02 {QUICK} --out some"));
    let (lost, found) = unlabelled(&column(&sandbox.text("some/assignments.csv"), "cluster"));
    assert_eq!(lost + found, 18, "2 % of 918");
    assert!(found >= 16, "{found}");
    let told = sandbox.done(&format!("cluster points.npy -k 3 --strays 0 {QUICK} --out scored"));
    assert!(told.contains("how little each sample belongs anywhere"), "{told}");
    let table = sandbox.text("scored/assignments.csv");
    assert_eq!(unlabelled(&column(&table, "cluster")), (0, 0));
    let score = |row: usize| column(&table, "stray")[row].parse::<f64>().unwrap();
    assert!(score(3 * EACH) > 0.99 && score(0) < 0.999);
}

#[test]
fn what_cannot_be_is_refused_in_a_line() {
    let sandbox = Sandbox::new();
    write(&sandbox);
    for (arguments, part) in [
        ("cluster points.npy -k 3 --strays 0.6", "0 to 0.5"),
        ("cluster points.npy -k 3 --strays -1", "--strays"),
        ("cluster points.npy -k 3 --strays many", "0 to 0.5, or auto"),
        (
            "train points.npy --labels-partial truth.txt --strays auto",
            "each of its clusters is a class",
        ),
        ("cluster points.npy -k 3 --layers", "give -k auto or a range"),
        ("cluster points.npy -k 2..5000 --layers", "5000"),
    ] {
        let output = sandbox.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        let told = stderr(&output);
        assert!(told.contains(part) && told.trim().lines().count() == 1, "{arguments}: {told}");
    }
}

#[test]
fn without_structure_few_are_strays() {
    let sandbox = Sandbox::new();
    let rng = &mut Seed(12).rng(Stream::Subset);
    npy(&sandbox.path("cloud.npy"), anywhere(rng, 600).view()).unwrap();
    let output = sandbox.run(&format!("cluster cloud.npy --strays auto {QUICK} --out run"));
    assert!(output.status.code() < Some(2), "{}", stderr(&output));
    let count = sandbox.json("run/metrics.json")["strays"]["count"].as_u64().unwrap();
    assert!(count <= 6, "{count} of 600");
}
