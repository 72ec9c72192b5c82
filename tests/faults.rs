//! Runs that are ended at any moment: nothing finished is lost, and nothing half-written is published.
//!
//! `FAULTS=150 cargo test --test faults -- --nocapture` ends as many runs in each test, where a few are ended otherwise, and prints
//! what was seen. `FAULTS_COMMAND='cluster digits --checkpoint-every 2s'` kills runs of that command in place of a short one.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests, which tell figures")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{Sandbox, signal, stderr};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

const QUICK: &str = "cluster digits --config quick.toml --threads 2 --checkpoint-every 0s";

/// How many runs are ended, by default so many.
fn times(default: u32) -> u32 {
    std::env::var("FAULTS").map_or(default, |text| text.parse().unwrap())
}

/// What a run left, but for files that tell times.
fn bytes(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    collect(run, run, &mut files);
    for with_times in ["metrics.json", "report.html", "manifest.json"] {
        assert!(files.remove(with_times).is_some(), "{with_times}");
    }
    assert!(files.len() > 10, "{:?}", files.keys());
    files
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}

/// Every file that the manifest names, as it says.
fn assert_complete(run: &Path) {
    let manifest = fs::read_to_string(run.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let files = manifest["files"].as_object().unwrap();
    for name in ["assignments.csv", "votes.npz", "config.toml", "models/ensemble.json"] {
        assert!(files.contains_key(name), "{name}");
    }
    for (name, entry) in files {
        let content = fs::read(run.join(name)).unwrap();
        assert_eq!(entry["bytes"], content.len(), "{name}");
        assert_eq!(entry["xxh3"], format!("{:016x}", xxh3_64(&content)), "{name}");
    }
    let said = manifest["absent"]["report.html"].is_string();
    assert!(files.contains_key("report.html") || said);
}

fn start(sandbox: &Sandbox, arguments: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_consilience"))
        .args(arguments.split_whitespace())
        .current_dir(sandbox.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for a line with these words on standard error.
fn wait_for(child: &mut Child, words: &str) -> BufReader<std::process::ChildStderr> {
    let mut reader = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(words) {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "it never said {words}");
    }
    reader
}

/// The end of a program after a signal, and how long it took.
fn ended(child: &mut Child) -> (ExitStatus, Duration) {
    let start = Instant::now();
    (child.wait().unwrap(), start.elapsed())
}

/// Spread over 0..1, in an order that is no order.
fn spread(index: u32) -> f64 {
    (f64::from(index) * 0.618_033_988_75).fract()
}

#[test]
fn runs_that_were_killed_end_as_if_they_never_had_been() {
    let sandbox = Sandbox::new();
    let killed = std::env::var("FAULTS_COMMAND").unwrap_or_else(|_| QUICK.into());
    let begun = Instant::now();
    sandbox.done(&format!("{killed} --out whole -q"));
    let (whole, expected) = (begun.elapsed(), bytes(&sandbox.path("whole")));
    let (mut resumed, mut finished, mut anew) = (0, 0, 0);
    for index in 0..times(6) {
        let command = format!("{killed} --out run");
        let mut run = start(&sandbox, &format!("{command} -q"));
        sleep(whole.mul_f64(spread(index)));
        signal(&run, "KILL");
        run.wait().unwrap();
        if sandbox.path("run").exists() {
            assert_complete(&sandbox.path("run"));
            finished += 1;
        } else {
            let output = sandbox.run(&format!("{command} --resume"));
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
            let is_anew = stderr(&output).contains("nothing to resume");
            *(if is_anew { &mut anew } else { &mut resumed }) += 1;
        }
        assert!(bytes(&sandbox.path("run")) == expected, "run {index}");
        assert!(!sandbox.path("run.partial").exists() || finished > 0);
        fs::remove_dir_all(sandbox.path("run")).unwrap();
        let _ = fs::remove_dir_all(sandbox.path("run.partial"));
    }
    println!(
        "killed: {resumed} resumed, {anew} before the first checkpoint, {finished} done; all equal"
    );
}

#[test]
fn what_is_ended_while_it_is_written_is_whole_or_absent() {
    let sandbox = Sandbox::new();
    let mut run = start(&sandbox, &format!("{QUICK} --out run"));
    let _reader = wait_for(&mut run, "round 2 of 2: models agree");
    let writing = ended(&mut run).1.as_secs_f64();
    fs::remove_dir_all(sandbox.path("run")).unwrap();
    let (mut published, mut absent, mut longest) = (0, 0, Duration::ZERO);
    for index in 0..times(6) {
        let mut run = start(&sandbox, &format!("{QUICK} --out run"));
        let _reader = wait_for(&mut run, "round 2 of 2: models agree");
        // Most of them near the end.
        sleep(Duration::from_secs_f64(1.1 * writing * spread(index).sqrt()));
        signal(&run, "TERM");
        let (status, took) = ended(&mut run);
        let folder = sandbox.path("run");
        match status.code() {
            Some(143) => longest = longest.max(took),
            code => assert_eq!(code, Some(0)),
        }
        if folder.exists() {
            assert_complete(&folder);
            published += 1;
            fs::remove_dir_all(&folder).unwrap();
        } else {
            assert_eq!(status.code(), Some(143));
            assert!(sandbox.path("run.partial/checkpoint/index").exists());
            assert!(!sandbox.path("run.partial/run").exists(), "half a run");
            absent += 1;
        }
        let _ = fs::remove_dir_all(sandbox.path("run.partial"));
    }
    println!(
        "ended in the {writing:.2} s after training: {published} published and whole, {absent} absent, {longest:?} at most"
    );
}

#[test]
fn ctrl_c_is_answered_at_once() {
    let sandbox = Sandbox::new();
    let mut longest = Duration::ZERO;
    for (words, pause) in [
        ("scaling", 0.0),
        ("round 1 of", 0.3),
        ("epoch", 0.0),
        ("round 1 of 2: models agree", 0.0),
        ("round 2 of 2: models agree", 0.2),
        ("round 2 of 2: models agree", 0.8),
    ] {
        let mut run = start(&sandbox, &format!("{QUICK} --out run"));
        let mut reader = wait_for(&mut run, words);
        sleep(Duration::from_secs_f64(pause));
        signal(&run, "INT");
        let (status, took) = ended(&mut run);
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut reader, &mut rest).unwrap();
        if status.code() == Some(130) {
            longest = longest.max(took);
            let kept = rest.contains("go on with: consilience cluster --resume run");
            assert!(kept || rest.contains("stopped; nothing was written"), "{rest}");
            assert_eq!(kept, sandbox.path("run.partial").exists());
        } else {
            assert_complete(&sandbox.path("run"));
        }
        let _ = fs::remove_dir_all(sandbox.path("run.partial"));
        let _ = fs::remove_dir_all(sandbox.path("run"));
    }
    println!("Ctrl-C: answered within {longest:?}");
    // Half a second, and something for a machine that does other things meanwhile.
    assert!(longest < Duration::from_secs(1), "{longest:?}");
}

#[test]
fn a_run_is_resumed_by_its_name_and_only_as_itself() {
    let sandbox = Sandbox::new();
    sandbox.done(&format!("{QUICK} --out whole -q"));
    let mut run = start(&sandbox, &format!("{QUICK} --out run"));
    let _reader = wait_for(&mut run, "round 2 of 2: training");
    signal(&run, "TERM");
    assert_eq!(ended(&mut run).0.code(), Some(143));

    sandbox.file("other.csv", "1,2\n3,4\n5,6\n".repeat(10));
    for (arguments, part) in [
        (format!("{QUICK} --out run"), "has a checkpoint of a run that was ended"),
        (
            format!("{QUICK} --out run --resume --seed 7"),
            "setting seed is 0 in the checkpoint, and 7",
        ),
        ("cluster --resume run --seed 7".into(), "setting seed is 0 in the checkpoint, and 7 now"),
        ("cluster other.csv -k 2 --out run --resume".into(), "the checkpoint is of other data"),
        ("cluster --resume nowhere".into(), "there is no checkpoint to resume"),
        ("cluster --resume".into(), "--resume: name the run"),
        (format!("{QUICK} --resume whole"), "leave these out, or put --resume last"),
        (
            format!("{QUICK} --out whole --resume"),
            "the run is finished: there is nothing to resume",
        ),
        ("cluster --resume whole".into(), "the run is finished: there is nothing to resume"),
    ] {
        let output = sandbox.run(&arguments);
        let error = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {error}");
        assert!(error.contains(part) && error.lines().count() == 1, "{arguments}: {error}");
    }

    // A damaged checkpoint: the one before is taken.
    let checkpoint = sandbox.path("run.partial/checkpoint");
    let index = fs::read_to_string(checkpoint.join("index")).unwrap();
    fs::write(checkpoint.join("index"), index.replace("round-000", "round-001")).unwrap();
    let output = sandbox.run("cluster --resume run --threads 1");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = "the newest checkpoint is damaged; going on from the one before";
    assert!(stderr(&output).contains(said), "{}", stderr(&output));
    assert!(bytes(&sandbox.path("run")) == bytes(&sandbox.path("whole")));
    assert!(!sandbox.path("run.partial").exists());
}

#[test]
fn in_a_given_time_there_is_an_answer_that_can_be_repeated() {
    let sandbox = Sandbox::new();
    for (limit, config) in [(2.0, ""), (3.0, "--config quick.toml --rounds 100000")] {
        let begun = Instant::now();
        sandbox
            .run(&format!("cluster digits {config} --max-time {limit}s --out run -q --no-curve"));
        let took = begun.elapsed().as_secs_f64();
        println!("--max-time {limit}s: {took:.2} s");
        // A tenth, and reading; and something for a machine that does other things meanwhile.
        assert!(took < 1.1 * limit + 1.5, "{took}");
        let metrics = sandbox.json("run/metrics.json");
        assert_eq!(metrics["stop"]["reason"], "time_limit");
        sandbox
            .run("cluster digits --config run/config.toml --out again -q --no-curve --threads 1");
        let differ = |name: &String| name != "report.html" && name != "manifest.json";
        let of = |run: &str| {
            let mut files = BTreeMap::new();
            collect(&sandbox.path(run), &sandbox.path(run), &mut files);
            files.retain(|name, _| differ(name) && name != "metrics.json");
            files
        };
        let (run, again) = (of("run"), of("again"));
        assert!(run.keys().eq(again.keys()));
        for (name, content) in &run {
            assert!(*content == again[name], "{name}");
        }
        for folder in ["run", "again"] {
            fs::remove_dir_all(sandbox.path(folder)).unwrap();
        }
    }
}

#[test]
fn places_that_cannot_be_are_refused_at_once() {
    let sandbox = Sandbox::new();
    std::os::unix::fs::symlink("nowhere", sandbox.path("link")).unwrap();
    sandbox.file("file", "");
    let mut other = start(&sandbox, &format!("{QUICK} --out held"));
    let _reader = wait_for(&mut other, "scaling");
    let long = "n".repeat(243);
    for (out, part) in [
        ("link", "is a link to nothing"),
        ("file", "can't be the run folder"),
        ("file/run", "can't be"),
        ("/proc/run", "can't be written"),
        ("/proc", "the folder isn't empty"),
        ("held", "another run is being written there (process"),
        (&*long, "a name of 243 bytes"),
    ] {
        let begun = Instant::now();
        let output = sandbox.run(&format!("{QUICK} --out {out}"));
        let (error, took) = (stderr(&output), begun.elapsed());
        assert_eq!(output.status.code(), Some(2), "{out}: {error}");
        assert!(error.contains(part) && error.lines().count() == 1, "{out}: {error}");
        assert!(took < Duration::from_secs(1), "{out}: {took:?}");
    }
    signal(&other, "INT");
    ended(&mut other);
}

#[test]
fn damaged_and_newer_runs_are_named_by_what_reads_them() {
    let sandbox = Sandbox::new();
    sandbox.done(
        "cluster digits --member k-means --models 2 --rounds 1 --min-confidence 0 -q --out run",
    );
    let commands = [
        "predict run digits --out p.csv",
        "export run --out l.csv",
        "report run",
        "evaluate digits run",
        "pseudo-label run -k 10 --out v",
    ];
    let refused = |part: &str| {
        for command in commands {
            let output = sandbox.run(command);
            let error = stderr(&output);
            assert_eq!(output.status.code(), Some(2), "{command}: {error}");
            assert!(error.contains(part) && error.lines().count() == 1, "{command}: {error}");
        }
    };
    let manifest = sandbox.text("run/manifest.json");
    sandbox.file("run/manifest.json", manifest.replace("\"format\": 1", "\"format\": 9"));
    refused("in format 9, and this version reads formats up to 1");
    sandbox.file("run/manifest.json", &manifest);
    for name in ["assignments.csv", "assignments.npy", "votes.npz", "models/scaling.npz"] {
        let path = sandbox.path("run").join(name);
        let mut content = fs::read(&path).unwrap();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        fs::write(&path, content).unwrap();
    }
    refused("it isn't what the run has written");
}

/// A limit on the sizes of files, as on batch systems: the signal that comes with it doesn't end the program, and the error is told.
#[test]
fn a_limit_on_file_sizes_is_told_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    sandbox.done("cluster digits --config quick.toml --quiet --out run");
    let program = env!("CARGO_BIN_EXE_consilience");
    let before = sandbox.files("");
    for line in [
        "cluster digits --config quick.toml --quiet --out other",
        "export run --out labels.h5",
        "export run --out labels.npz",
        "export run --out labels.parquet",
        "export run --soft --out labels.csv",
    ] {
        let limited = format!("ulimit -f 8; exec '{program}' {line}");
        let mut command = Command::new("sh");
        let output = command.args(["-c", &limited]).current_dir(sandbox.path("")).output().unwrap();
        let error = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{line}: {error}");
        // A checkpoint that can't be written is a note before.
        let errors: Vec<&str> = error.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(errors.len() == 1 && errors[0].contains("cannot be written"), "{line}: {error}");
        assert_eq!(sandbox.files(""), before, "{line}");
    }
}

/// Where standard output has no room, the program says so.
#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_told() {
    let sandbox = Sandbox::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_consilience"));
    command.args(["data", "info", "digits"]).current_dir(sandbox.path("")).stdout(full);
    let output = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let error = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.starts_with("error: standard output can't be written: No space left"), "{error}");
}

#[test]
fn an_own_folder_in_a_parent_that_is_not_is_filled_from_within() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    use std::os::unix::process::CommandExt;

    const NOBODY: u32 = 65_534;
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("parent/own")).unwrap();
    let is_root = fs::metadata(sandbox.path("parent")).unwrap().uid() == 0;
    let mode = |path: &str, mode| {
        fs::set_permissions(sandbox.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("", 0o755);
    mode("parent", 0o555);
    if is_root {
        chown(sandbox.path("parent/own"), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let program = |arguments: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_consilience"));
        command.args(arguments.split_whitespace()).current_dir(sandbox.path(""));
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        // Root may write anywhere.
        if is_root { command.uid(NOBODY).gid(NOBODY) } else { &mut command }.spawn().unwrap()
    };
    sandbox.done(&format!("{QUICK} --out whole -q"));
    let expected = bytes(&sandbox.path("whole"));

    let mut run = program(&format!("{QUICK} --out parent/own"));
    let _reader = wait_for(&mut run, "round 2 of 2: training");
    // A run that is told to stop writes a checkpoint before it ends; one that is killed may not have come to it.
    signal(&run, "TERM");
    assert_eq!(ended(&mut run).0.code(), Some(143));
    assert!(sandbox.path("parent/own/.partial/checkpoint/index").exists());
    let mut other = program(&format!("{QUICK} --out parent/own"));
    wait_for(&mut other, "has a checkpoint of a run that was ended");
    assert_eq!(ended(&mut other).0.code(), Some(2));
    let mut resumed = program(&format!("{QUICK} --out parent/own --resume -q"));
    assert_eq!(ended(&mut resumed).0.code(), Some(0));
    assert_complete(&sandbox.path("parent/own"));
    assert!(bytes(&sandbox.path("parent/own")) == expected);
    let mut again = program(&format!("{QUICK} --out parent/own"));
    wait_for(&mut again, "the folder isn't empty");
    assert_eq!(ended(&mut again).0.code(), Some(2));
    mode("parent", 0o755);
}

#[test]
fn samples_that_are_added_when_a_program_is_killed_are_all_there_or_none() {
    let sandbox = Sandbox::new();
    sandbox.done(
        "cluster digits --member k-means --models 2 --rounds 1 --min-confidence 0 -q --out run",
    );
    let mut table = "a".to_owned();
    (1..64).for_each(|feature| table += &format!(",a{feature}"));
    for row in 0..3000 {
        table += &format!("\n{}", row % 17);
        (1..64).for_each(|feature| table += &format!(",{}", (row * feature) % 16));
    }
    sandbox.file("new.csv", table);
    let append = "predict run new.csv --append -q";
    let all = |run: &str| {
        let mut files = BTreeMap::new();
        collect(&sandbox.path(run), &sandbox.path(run), &mut files);
        files
    };
    let before = all("run");
    let begun = Instant::now();
    sandbox.done(append);
    let (whole, after) = (begun.elapsed(), all("run"));
    let (mut added, mut as_it_was) = (0, 0);
    for index in 0..times(12) {
        if all("run") != before {
            // As it was.
            fs::remove_dir_all(sandbox.path("run")).unwrap();
            for (name, content) in &before {
                let path = sandbox.path(&format!("run/{name}"));
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
        }
        let mut run = start(&sandbox, append);
        // Most of them near the end.
        sleep(whole.mul_f64(1.5 * spread(index).sqrt()));
        signal(&run, "KILL");
        run.wait().unwrap();
        let found = all("run");
        assert!(found == before || found == after, "run {index}");
        *(if found == after { &mut added } else { &mut as_it_was }) += 1;
        if found == before {
            // What was left is no obstacle.
            sandbox.done(append);
            assert!(all("run") == after);
        }
        assert!(!sandbox.path("run.partial").exists() || found == after);
    }
    println!("killed while samples were added: {added} added, {as_it_was} as it was");
}
