//! What can't be done is refused in one line, with exit code 2, before anything is written: whatever the command.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use common::{Sandbox, stderr, stdout, write_run};
use consilience_data::write::npy;
use consilience_testing::skip;
use ndarray::{Array2, array};

/// Runs `cluster` in the sandbox; it has to fail with one line that has all `parts`.
fn refused(sandbox: &Sandbox, arguments: &str, parts: &[&str]) {
    refused_line(sandbox, &format!("cluster {arguments}"), parts);
}

/// The same for any command.
fn refused_line(sandbox: &Sandbox, arguments: &str, parts: &[&str]) {
    refused_by(sandbox, sandbox.command(arguments), arguments, parts);
}

fn refused_by(sandbox: &Sandbox, mut command: Command, arguments: &str, parts: &[&str]) {
    let before = sandbox.files("");
    let output = command.output().unwrap();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{arguments}: {message}{}", stdout(&output));
    assert_eq!(message.lines().count(), 1, "{arguments}: {message}");
    assert!(message.starts_with("error: "), "{message}");
    for part in parts {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
    assert_eq!(stdout(&output), "");
    assert_eq!(sandbox.files(""), before, "{arguments}: nothing is written");
    assert!(!sandbox.path("runs").exists(), "{arguments}: nothing is written");
}

/// Twenty samples, of which twelve are distinct.
fn write_points(path: &Path) {
    let points = Array2::from_shape_fn((20, 3), |(row, column)| (row.min(11) * column) as f32);
    npy(path, points.view()).unwrap();
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    write_points(&sandbox.path("points.npy"));
    sandbox
}

#[test]
fn files_that_are_no_data() {
    let sandbox = sandbox();
    refused(&sandbox, "none.npy -k 2", &["none.npy: no such file"]);
    sandbox.file("empty.npy", "");
    refused(&sandbox, "empty.npy -k 2", &["empty.npy", "empty (0 bytes)"]);
    sandbox.file("song.mp3", "ID3 and so on");
    refused(&sandbox, "song.mp3 -k 2", &["song.mp3: unknown format", ".npy"]);
    let whole = fs::read(sandbox.path("points.npy")).unwrap();
    sandbox.file("cut.npy", &whole[..whole.len() - 9]);
    refused(&sandbox, "cut.npy -k 2", &["cut.npy: truncated"]);
    refused(&sandbox, "points.npy cut.npy -k 2", &["cut.npy: truncated"]);
}

#[cfg(unix)]
/// Opening a pipe waits for somebody who writes.
#[cfg(unix)]
#[test]
fn a_pipe_is_refused_at_once() {
    let sandbox = sandbox();
    let made = std::process::Command::new("mkfifo").arg(sandbox.path("pipe.csv")).status();
    assert!(made.unwrap().success());
    refused(&sandbox, "pipe.csv -k 3", &["pipe.csv: not a regular file"]);
    refused(&sandbox, "points.npy -k 3 --labels pipe.csv", &["pipe.csv: not a regular file"]);
}

#[test]
fn less_memory_than_a_run_takes() {
    let sandbox = sandbox();
    let parts = ["of memory are needed, and there are 50.00 MiB", "--max-memory"];
    refused(&sandbox, "points.npy -k 3 --max-memory 50M", &parts);
}

#[test]
fn threads_that_no_machine_has() {
    let sandbox = sandbox();
    refused(&sandbox, "points.npy -k 3 --threads 100000", &["a whole number from 1 to 1024"]);
}

#[test]
fn a_file_that_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;

    let sandbox = sandbox();
    let path = sandbox.path("points.npy");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let arguments = "cluster points.npy -k 2";
    let mut command = sandbox.command(arguments);
    if fs::File::open(&path).is_ok() {
        // Root may read every file, unless it gives up the capabilities for it.
        let without = ["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"];
        if !Command::new("setpriv")
            .args(without)
            .arg("true")
            .output()
            .is_ok_and(|ran| ran.status.success())
        {
            skip("setpriv that can take capabilities from root, who may read every file");
            return;
        }
        let program = command.get_program().to_owned();
        command = Command::new("setpriv");
        command
            .args(without)
            .arg(program)
            .args(arguments.split_whitespace())
            .current_dir(sandbox.path(""));
    }
    let parts = ["points.npy: permission denied", "make the file readable"];
    refused_by(&sandbox, command, arguments, &parts);
}

#[test]
fn values_that_are_not_finite_are_located() {
    let sandbox = sandbox();
    for (name, value) in [("nan.npy", f32::NAN), ("infinity.npy", f32::INFINITY)] {
        npy(&sandbox.path(name), array![[1.0, 2.0], [3.0, value]].view()).unwrap();
        refused(&sandbox, &format!("{name} -k 2"), &[name, "row 1, column 1"]);
    }
    sandbox.file("nan.csv", "1,2\nNaN,3\n");
    refused(&sandbox, "nan.csv -k 2", &["nan.csv", "missing values in column 1", "--missing drop"]);
}

#[test]
fn rows_and_files_of_unequal_length() {
    let sandbox = sandbox();
    sandbox.file("ragged.csv", "1,2,3\n4,5,6\n7,8\n");
    refused(&sandbox, "ragged.csv -k 2", &["ragged.csv: line 3 has 2 columns"]);
    sandbox.file("narrow.csv", "1,2\n4,5\n");
    refused(&sandbox, "points.npy narrow.csv -k 2", &["narrow.csv: 2 columns"]);
}

#[test]
fn labels_of_another_length() {
    let sandbox = sandbox();
    sandbox.file("labels.txt", "a\nb\n");
    let parts = ["labels.txt: 2 labels for 20 samples"];
    refused(&sandbox, "points.npy -k 2 --labels labels.txt", &parts);
    refused(&sandbox, "points.npy -k 2 --labels none.txt", &["none.txt: no such file"]);
}

#[test]
fn a_number_of_clusters_that_cannot_be() {
    let sandbox = sandbox();
    refused(
        &sandbox,
        "points.npy -k 2..21",
        &["2 <= A <= B <= 20 (the number of samples)", "2..21"],
    );
    refused(&sandbox, "points.npy -k 13..15", &["K = 13", "only 12 distinct rows"]);
    sandbox.file("same.csv", "a,b\n1,2\n1,2\n1,2\n");
    refused(&sandbox, "same.csv", &["only 1 distinct row", "nothing to cluster"]);
    refused(&sandbox, "points.npy -k 0", &["need 2 <= K <= 20 (the number of samples), got 0"]);
    refused(&sandbox, "points.npy -k 1", &["need 2 <= K <= 20 (the number of samples), got 1"]);
    refused(&sandbox, "points.npy -k 21", &["need 2 <= K <= 20 (the number of samples), got 21"]);
    refused(&sandbox, "points.npy -k 13", &["K = 13", "only 12 distinct rows"]);
}

#[test]
fn a_run_folder_that_cannot_be() {
    let sandbox = sandbox();
    fs::create_dir(sandbox.path("mine")).unwrap();
    sandbox.file("mine/thesis.tex", "a year's work");
    refused(&sandbox, "points.npy -k 2 --out mine", &["mine: the folder isn't empty"]);
    refused(&sandbox, "points.npy -k 2 --out points.npy", &["points.npy: can't be the run folder"]);
    refused(&sandbox, "points.npy -k 2 --out mine/thesis.tex/run", &["can't be the run folder"]);
    refused(&sandbox, "points.npy -k 2 --out .", &["can't be a run folder"]);
    assert_eq!(sandbox.text("mine/thesis.tex"), "a year's work");
    // Somebody else's file in the place of our folder.
    sandbox.file("runs", "");
    let output = sandbox.run("cluster points.npy -k 2");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
}

#[test]
fn settings_that_cannot_be() {
    let sandbox = sandbox();
    let with = |flags: &str, parts: &[&str]| {
        refused(&sandbox, &format!("points.npy -k 2 {flags}"), parts);
    };
    with("--preset papier", &["no preset 'papier'", "tabular, paper"]);
    with("--effort fast", &["effort 'fast' is unknown", "quick, default, thorough"]);
    with("--effort quick --models 5", &["--effort quick", "networks were asked for"]);
    with("--effort quick --member ladder", &["--effort quick", "networks were asked for"]);
    with("--effort quick --rounds 3", &["--effort quick", "rounds of training were asked for"]);
    with("--effort quick --config my.toml", &["--effort", "cannot be used with", "--config"]);
    with("--config none.toml", &["none.toml: the settings can't be read"]);
    for (settings, parts) in [
        ("round = 3", ["bad.toml: setting round: unknown field", "`rounds`"]),
        ("[agreement]\nmin_agre = 3", ["setting agreement.min_agre: unknown", "`min_agree`"]),
        ("[network]\nx = { y = 1 }", ["setting network.x: unknown field", "`hidden`"]),
        ("rounds = 'many'", ["setting rounds", "invalid type"]),
        ("seed = -1", ["setting seed", "-1"]),
        ("rounds = 2\nmembers = [", ["bad.toml: line", "not TOML"]),
        ("members = ['oracle']", ["setting members[0]", "`k-means`"]),
        ("network.learning_rate = 0.0", ["learning_rate: need more than 0", "got 0"]),
    ] {
        sandbox.file("bad.toml", settings);
        with("--config bad.toml", &parts);
    }
    let crossing = ["need max_agree < min_agree <= n_models, got 3 < 3 <= 5", "for 5 models"];
    with("--min-agree 3 --max-agree 3", &crossing);
    with("--preset paper --models 5", &["got 1 < 10 <= 5", "choose --min-agree"]);
    with("--min-confidence 1", &["need 0 <= min_confidence < 1"]);
    with("--rounds 0", &["rounds: need at least 1"]);
    with("--threads 0", &["from 1 to 1024"]);
    with("--device cuda:0", &["no CUDA", "--device cpu"]);
    with("--device abacus", &["abacus", "need cpu, cuda"]);
    with("--stack 2", &["--stack", "--device cuda"]);
}

/// Every command has lines here: what is typed, and what the answer has to tell.
const WRONG_LINES: &[(&str, &[&str])] = &[
    // The command line as such.
    ("", &["subcommand", "'consilience help'"]),
    ("clutser", &["unrecognized subcommand 'clutser'", "'cluster'"]),
    ("help clutser", &["unrecognized subcommand 'clutser'"]),
    ("--verbose", &["unexpected argument '--verbose'"]),
    // cluster
    ("cluster", &["not provided", "<DATA>"]),
    ("cluster points.npy -k many", &["invalid value 'many'", "-k <K>"]),
    ("cluster points.npy -k 2 --models 0", &["invalid value '0'", "--models"]),
    ("cluster points.npy -k 2 --seed 9223372036854775808", &["--seed", "9223372036854775807"]),
    ("cluster points.npy -k 2 --member oracle", &["'oracle'", "--member"]),
    ("cluster points.npy -k 2 --min-agree 101%", &["'101%'", "--min-agree"]),
    ("cluster points.npy -k 2 --no-such-flag", &["unexpected argument '--no-such-flag'"]),
    ("cluster points.npy --k-range 2..4", &["--k-range is part of -k now: write -k A..B"]),
    ("cluster nowhere -k 2", &["nowhere: no such file", "digits"]),
    ("cluster run/metrics.json -k 2", &["metrics.json"]),
    // pseudo-label
    ("pseudo-label", &["not provided", "<VOTES>"]),
    ("cluster points.npy -k 5..2", &["invalid value '5..2'", "-k <K>"]),
    ("cluster points.npy -k 5..", &["invalid value '5..'", "such as 2..20"]),
    ("pseudo-label votes.npy --k-range=2..4 --json", &["--k-range", "write -k A..B"]),
    ("pseudo-label votes.npy -k 0", &["-k 0", "at least 1"]),
    ("pseudo-label none.npy -k 2", &["none.npy: no such file"]),
    ("pseudo-label votes.npy short.csv -k 2", &["short.csv: 2 samples", "votes.npy has 12"]),
    ("pseudo-label votes.npy -k 2 --labels labels.txt", &["2 labels for 12 samples"]),
    ("pseudo-label votes.npy -k 2 --out run", &["run: the folder isn't empty", "--out"]),
    ("pseudo-label votes.npy -k 2 --min-agree 9", &["max_agree < min_agree <= n_models", "9"]),
    // evaluate
    ("evaluate labels.txt", &["not provided", "<FOUND>"]),
    ("evaluate none.txt labels.txt", &["none.txt: no such file", "check the path"]),
    ("evaluate labels.txt folder", &["folder: not a run folder", "assignments.csv"]),
    ("evaluate labels.txt votes.npy", &["votes.npy"]),
    (
        "evaluate labels.txt classes.txt",
        &["classes.txt: 3 labels for 2 samples of labels.txt", "same order"],
    ),
    // data info
    ("data", &["subcommand"]),
    ("data info", &["not provided", "<DATA>"]),
    ("data info folder/note.txt", &["note.txt", "no number"]),
    ("data info cut.npy", &["cut.npy: truncated", "again"]),
    ("data info points.npy:/x", &["points.npy:/x", "only HDF5 and .npz"]),
    // export
    ("export", &["not provided", "<RUN>"]),
    ("export nowhere", &["nowhere: no such run folder", "consilience cluster"]),
    ("export folder", &["folder: not a run folder", "config.toml"]),
    ("export damaged", &["pseudo_labels.csv", "can't be read as part of a run"]),
    ("export empty", &["agree on no sample", "--min-agree"]),
    ("export run --format xls", &["invalid value 'xls'", "parquet", "folders"]),
    ("export run --out labels.xls", &["labels.xls: its name", "--format"]),
    ("export run --out points.csv", &["points.csv: exists already", "--out"]),
    ("export run --out points.csv/x.csv", &["points.csv is not a folder", "--out"]),
    ("export run --out ..", &["..: ", "name a file"]),
    ("export run --min-agree 5", &["1 <= min_agree <= 4 models", "got 5"]),
    ("export run --min-agree most", &["'most'", "--min-agree"]),
    ("export run --min-confidence 2", &["0 <= min_confidence < 1", "got 2"]),
    ("export run --per-class 0", &["--per-class", "at least 1"]),
    ("export run --min-confidence 0.9 --min-agree 100% --name 9=cat", &["below 3", "9=cat"]),
    ("export run --name cat", &["invalid value 'cat'", "3=cat"]),
    ("export run --names none.csv", &["none.csv: the names can't be read", "3,cat"]),
    ("export run cut.npy --format npz", &["cut.npy: truncated"]),
    ("export run none.npy", &["none.npy: no such file"]),
    (
        "export run points.csv --format npz",
        &["has 12 samples, the data 2", "the data that was clustered"],
    ),
    ("export run points.npy --no-features", &["cannot be used with", "--no-features"]),
    ("export run --format folders", &["points.npy: not there as a folder or .zip", "--format"]),
    ("export run folder --format folders", &["folder: has no image 'a/0.png'"]),
    // completions and man
    ("completions", &["not provided", "<SHELL>"]),
    ("completions tcsh", &["invalid value 'tcsh'", "bash", "fish"]),
    ("man cluster", &["unexpected argument 'cluster'"]),
    ("man --out points.csv", &["points.csv: man pages can't be written", "another folder"]),
];

#[test]
fn wrong_lines_get_one_line_and_exit_code_2() {
    let sandbox = Sandbox::new();
    write_run(&sandbox, "run");
    npy(&sandbox.path("votes.npy"), Array2::from_shape_fn((3, 12), |(_, n)| (n % 2) as i64).view())
        .unwrap();
    sandbox.file("short.csv", "a,b\n0,1\n1,0\n");
    sandbox.file("labels.txt", "a\nb\n");
    sandbox.file("classes.txt", "a\nb\nc\n");
    sandbox.file("points.csv", "1,2\n3,4\n");
    let whole = fs::read(sandbox.path("points.npy")).unwrap();
    sandbox.file("cut.npy", &whole[..whole.len() - 9]);
    fs::create_dir(sandbox.path("folder")).unwrap();
    sandbox.file("folder/note.txt", "1,2\nbread,milk\n");
    for (name, labels) in [
        ("damaged", "sample,label\n0,x\n"),
        ("empty", "sample,label,agreement,margin,confidence\n"),
    ] {
        fs::create_dir(sandbox.path(name)).unwrap();
        for file in ["config.toml", "metrics.json", "assignments.csv"] {
            fs::copy(sandbox.path("run").join(file), sandbox.path(name).join(file)).unwrap();
        }
        sandbox.file(&format!("{name}/pseudo_labels.csv"), labels);
    }
    assert!(WRONG_LINES.len() >= 30);
    for (line, parts) in WRONG_LINES {
        refused_line(&sandbox, line, parts);
    }
}
