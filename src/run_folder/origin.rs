//! What a checkpoint is of: the command, its settings and its data. Only the same run goes on with it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::RunError;

/// What a run is made of, as far as it decides the result; and how it was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Version of the program.
    pub version: String,
    /// The content of `config.toml`: settings, and a hash of the data.
    pub settings: String,
    /// The words of the command line, the program's name left out.
    pub command: Vec<String>,
    /// Where it was typed.
    pub folder: PathBuf,
}

/// What may differ: names of files, of which hashes tell more, and labels that are for scores alone.
const MAY_DIFFER: [&str; 4] = ["run.data", "run.labels", "run.labels_partial", "run.init"];

/// How the data are known again.
const DATA: &str = "run.data_hash";

impl Origin {
    /// Checks that the checkpoint in `folder`, which is of `self`, is of a run that is made of `other`.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] with the first thing that differs, and both values.
    pub(super) fn check(&self, other: &Self, folder: &Path) -> Result<(), RunError> {
        let refused = |problem: String| Err(RunError::folder(folder, &problem));
        let way_out = "go on with what it was, or remove that folder to start anew";
        if self.version != other.version {
            let (old, new) = (&self.version, &other.version);
            return refused(format!(
                "the checkpoint was written by version {old}, and this is {new}: {way_out}"
            ));
        }
        let (old, new) = (flat(&self.settings), flat(&other.settings));
        let of = |table: &[(String, Value)], name: &str| {
            let found = table.iter().find(|(key, _)| key == name);
            found.map_or("nothing".into(), |(_, value)| value.to_string())
        };
        if of(&old, DATA) != of(&new, DATA) {
            return refused(format!("the checkpoint is of other data: {way_out}"));
        }
        let names = old.iter().chain(&new).map(|(name, _)| name.as_str());
        for name in names.filter(|name| !MAY_DIFFER.contains(name)) {
            let (old, new) = (of(&old, name), of(&new, name));
            if old != new {
                return refused(format!(
                    "setting {name} is {old} in the checkpoint, and {new} now: {way_out}"
                ));
            }
        }
        Ok(())
    }
}

/// All settings by their whole names, in the order of the file.
fn flat(settings: &str) -> Vec<(String, Value)> {
    fn collect(table: &Table, prefix: &str, all: &mut Vec<(String, Value)>) {
        for (key, value) in table {
            match value {
                Value::Table(inner) => collect(inner, &format!("{prefix}{key}."), all),
                value => all.push((format!("{prefix}{key}"), value.clone())),
            }
        }
    }
    let mut all = Vec::new();
    collect(&settings.parse().unwrap_or_default(), "", &mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(settings: &str) -> Origin {
        Origin {
            version: "0.1.0".into(),
            settings: settings.into(),
            command: vec!["cluster".into(), "digits".into()],
            folder: "/data".into(),
        }
    }

    #[test]
    fn the_first_difference_is_named_with_both_values() {
        let run = "[run]\ndata = ['a.npy']\nlabels = []\ndata_hash = 'x'\n";
        let old = origin(&format!("seed = 1\n[network]\nhidden = [3]\n{run}"));
        let problem = |new: Origin| old.check(&new, Path::new("r")).err().map(|e| e.to_string());
        let same = run.replace("a.npy", "b.npy").replace("labels = []", "labels = ['t']");
        assert_eq!(problem(origin(&format!("seed = 1\n[network]\nhidden = [3]\n{same}"))), None);
        let seed = problem(origin(&format!("seed = 2\n[network]\nhidden = [3]\n{run}"))).unwrap();
        assert!(seed.contains("setting seed is 1 in the checkpoint, and 2 now"), "{seed}");
        let more = problem(origin(&format!("seed = 1\n[network]\nhidden = [3]\nlr = 1\n{run}")));
        assert!(more.unwrap().contains("network.lr is nothing in the checkpoint, and 1 now"));
        let data = run.replace("'x'", "'y'");
        let data = problem(origin(&format!("seed = 2\n[network]\nhidden = [3]\n{data}"))).unwrap();
        assert!(data.contains("other data"), "{data}");
        let version = problem(Origin { version: "0.2.0".into(), ..old.clone() }).unwrap();
        assert!(version.contains("written by version 0.1.0, and this is 0.2.0"), "{version}");
    }
}
