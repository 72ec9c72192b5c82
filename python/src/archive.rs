//! A run folder in memory: what a fitted estimator keeps, and what is pickled.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use consilience::run_folder::{CONFIG, Source};
use pyo3::PyErr;
use pyo3::exceptions::PyValueError;

use crate::errors::of_io;

/// The files of a run by their paths with `/`, but for the report and the manifest, which are made when they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Archive(pub(crate) BTreeMap<String, Vec<u8>>);

/// What is made anew.
const MADE: [&str; 2] = ["manifest.json", "report.html"];
/// The table of `config.toml` that says what a run was made of; the last one.
const SOURCE: &str = "[run]\n";

impl Archive {
    /// Reads all files in `folder`.
    pub(crate) fn read(folder: &Path) -> Result<Self, PyErr> {
        let mut archive = Self::default();
        archive.collect(folder, "")?;
        Ok(archive)
    }

    fn collect(&mut self, folder: &Path, prefix: &str) -> Result<(), PyErr> {
        let failed = |error: std::io::Error| of_io(folder, &error);
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().map_err(failed)?.is_dir() {
                self.collect(&entry.path(), &format!("{name}/"))?;
            } else if !MADE.contains(&name.as_str()) {
                let content = fs::read(entry.path());
                let content = content.map_err(|error| of_io(&entry.path(), &error))?;
                self.0.insert(name, content);
            }
        }
        Ok(())
    }

    /// Writes the files whose names begin with one of `names` into `folder`, which exists.
    pub(crate) fn write(&self, folder: &Path, names: &[&str]) -> Result<(), PyErr> {
        for (name, content) in &self.0 {
            if !names.iter().any(|start| name.starts_with(start)) {
                continue;
            }
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(folder);
            let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, content));
            written.map_err(|error| of_io(&path, &error))?;
        }
        Ok(())
    }

    /// The same run, made of data that are called so.
    pub(crate) fn with_data(&self, data: Vec<String>) -> Result<Self, PyErr> {
        let damaged = || PyValueError::new_err("the model's config.toml is damaged; fit again");
        let config = self.0.get(CONFIG).and_then(|text| std::str::from_utf8(text).ok());
        let (settings, source) =
            config.and_then(|text| text.split_once(SOURCE)).ok_or_else(damaged)?;
        let mut source: Source = toml::from_str(source).map_err(|_| damaged())?;
        source.data = data;
        let source = toml::to_string(&source).map_err(|_| damaged())?;
        let mut changed = self.clone();
        changed.0.insert(CONFIG.into(), format!("{settings}{SOURCE}{source}").into_bytes());
        Ok(changed)
    }
}
