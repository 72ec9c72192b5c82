//! The program in a folder of its own.

#![allow(dead_code, clippy::unwrap_used, reason = "shared by tests that each use a part")]

pub(crate) mod crowds;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use consilience_data::read_integers;
use consilience_data::write::npy;
use ndarray::Array2;
use serde_json::Value;
use tempfile::TempDir;

/// Small and short, but enough for a sensible result on the digits.
pub(crate) const QUICK: &str = "
    rounds = 2
    candidates = 4
    communities = 3
    members = ['ladder', 'ladder', 'vat-im']
    first = { epochs = 20, min_steps = 0 }
    retrain = { epochs = 5, min_steps = 0 }
    agreement.min_confidence = 0.5
    network.hidden = [100]
";

/// Sends a signal, as `kill -NAME` does.
pub(crate) fn signal(child: &std::process::Child, name: &str) {
    let mut kill = std::process::Command::new("kill");
    // It may have ended already.
    kill.args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
}

/// A folder that is removed in the end. The program runs in it.
pub(crate) struct Sandbox(TempDir);

impl Sandbox {
    pub(crate) fn new() -> Self {
        let sandbox = Self(tempfile::tempdir().unwrap());
        sandbox.file("quick.toml", QUICK);
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Makes a file.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    /// The program with arguments that are separated by blanks.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_consilience"));
        command.args(arguments.split_whitespace()).current_dir(self.0.path());
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs the program, which has to exit with 0; what it wrote to standard output.
    pub(crate) fn done(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments}: {}", stderr(&output));
        stdout(&output)
    }

    /// Runs the program, which has to fail with one line that has all `parts`, and to leave nothing.
    pub(crate) fn refused(&self, arguments: &str, parts: &[&str]) {
        let before = self.files("");
        let output = self.run(arguments);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {message}");
        assert_eq!(message.lines().count(), 1, "{arguments}: {message}");
        for part in parts {
            assert!(message.contains(part), "{arguments}: no {part:?} in: {message}");
        }
        assert_eq!(self.files(""), before, "{arguments}: nothing is written");
    }

    /// The bytes of a file of predictions, which is removed.
    pub(crate) fn predicted(&self, arguments: &str) -> Vec<u8> {
        self.done(&format!("predict {arguments} --out found.csv --quiet"));
        let bytes = fs::read(self.path("found.csv")).unwrap();
        fs::remove_file(self.path("found.csv")).unwrap();
        bytes
    }

    /// The clusters in a run folder.
    pub(crate) fn assignments(&self, run: &str) -> Vec<i64> {
        read_integers(&self.path(run).join("assignments.npy")).unwrap().into_iter().collect()
    }

    /// Names of all files, with their folders, in order.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let root = self.path(folder);
        let mut files = Vec::new();
        collect(&root, &root, &mut files);
        files.sort();
        files
    }
}

/// A run of four models on the twelve samples of `points.npy`, as far as it is read back. Three clusters, of which the
/// last has one pseudo-label; the samples are called by files in two folders.
pub(crate) fn write_run(sandbox: &Sandbox, name: &str) {
    fs::create_dir(sandbox.path(name)).unwrap();
    let points = Array2::from_shape_fn((12, 2), |(row, column)| {
        f32::from(u8::try_from(row + 12 * column).unwrap()) / 8.0
    });
    npy(&sandbox.path("points.npy"), points.view()).unwrap();
    let config = "[run]\ndata = ['points.npy']\nlabels = []\ndevice = 'cpu'\n";
    sandbox.file(&format!("{name}/config.toml"), config);
    let metrics =
        "{\"n_clusters\": 3, \"n_features\": 2, \"rounds\": [{\"models\": [1, 2, 3, 4]}]}";
    sandbox.file(&format!("{name}/metrics.json"), metrics);
    let mut assigned = "sample,id,cluster,confidence\n".to_owned();
    for sample in 0..12 {
        assigned += &format!("{sample},{},{},0.5\n", id(sample), sample % 3);
    }
    sandbox.file(&format!("{name}/assignments.csv"), assigned);
    let labels = LABELS.join("\n");
    let labels = format!("sample,id,label,agreement,margin,confidence\n{labels}\n");
    sandbox.file(&format!("{name}/pseudo_labels.csv"), labels);
}

/// What a sample of [`write_run`] is called.
pub(crate) fn id(sample: usize) -> String {
    format!("{}/{}.png", ["a", "b"][sample % 2], sample / 2)
}

/// The pseudo-labels of [`write_run`].
pub(crate) const LABELS: [&str; 7] = [
    "0,a/0.png,0,4,4,0.9",
    "1,b/0.png,1,4,2,0.75",
    "3,b/1.png,0,3,1,0.9",
    "4,a/2.png,1,4,3,0.5",
    "5,b/2.png,2,4,4,1.0",
    "6,a/3.png,0,4,4,0.95",
    "7,b/3.png,1,4,2,0.8",
];

fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            files.push(path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"));
        }
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
