//! The files of an embedding in the making: complete or absent.

use std::io;
use std::path::{Path, PathBuf};

use consilience_data::DataError;
use consilience_data::write::{Member, npy, npz};
use consilience_ensembles::Encoder;
use serde::Serialize;

use super::table::Embedding;
use crate::RunError;
use crate::output::{Aside, need_space, replace};
use crate::run_folder::unwritable;

/// How the names of files beside an embedding end.
const SAMPLES: &str = "samples.csv";
const ENCODER: &str = "encoder.safetensors";

/// What an embedding is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Npy,
    Npz,
    #[cfg(feature = "parquet")]
    Parquet,
}

/// The files of an embedding in the making. Dropped before [`Files::publish`], they are removed.
#[derive(Debug)]
pub struct Files {
    out: PathBuf,
    format: Format,
    aside: Aside,
}

/// Where they are.
#[derive(Debug, Clone, Serialize)]
pub struct Published {
    /// The embedding.
    pub out: PathBuf,
    /// What samples are called, where that is a file of its own.
    pub samples: Option<PathBuf>,
    /// The encoder, if it is new.
    pub encoder: Option<PathBuf>,
}

/// A line of the file of samples.
#[derive(Serialize)]
struct Sample<'a> {
    sample: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

impl Files {
    /// Holds `out`, whose name says the format, and checks that nothing is there, nor beside it under the names of the other files; `with_encoder`, whether that
    /// is one of them.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] for another format, for a file that is there or that another process is writing, and for a folder that can't be written.
    pub fn create(out: &Path, with_encoder: bool) -> Result<Self, RunError> {
        let format = match out.extension().and_then(|extension| extension.to_str()) {
            Some("npy") => Format::Npy,
            Some("npz") => Format::Npz,
            #[cfg(feature = "parquet")]
            Some("parquet") => Format::Parquet,
            _ => {
                return Err(RunError::folder(
                    out,
                    &"name a .npy, .npz or .parquet file with --out",
                ));
            }
        };
        let samples = (format == Format::Npy).then(|| beside(out, SAMPLES));
        let encoder = with_encoder.then(|| beside(out, ENCODER));
        for path in [out.to_path_buf()].into_iter().chain(samples).chain(encoder) {
            if path.symlink_metadata().is_ok() {
                return Err(taken(&path));
            }
        }
        Ok(Self { out: out.into(), format, aside: Aside::new(out)? })
    }

    /// The file that is written aside.
    #[must_use]
    pub fn aside(&self) -> &Aside {
        &self.aside
    }

    /// Refuses to write so many rows where there isn't room for them.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`].
    pub fn need_space(&self, n_samples: usize, width: usize) -> Result<(), RunError> {
        let bytes = n_samples.saturating_mul(width).saturating_mul(size_of::<f32>());
        need_space(&self.out, bytes as u64)
    }

    /// Writes all files, and gives them their names: the embedding last.
    ///
    /// # Errors
    ///
    /// [`RunError::Data`] or [`RunError::Ensemble`] if one can't be written; then none is left.
    pub fn publish(
        self,
        embedding: &Embedding<'_>,
        encoder: Option<&Encoder>,
    ) -> Result<Published, RunError> {
        let path = self.aside.path();
        match self.format {
            Format::Npy => npy(path, embedding.features.view())?,
            Format::Npz => {
                let mut arrays: Vec<(&str, Member<'_>)> =
                    vec![("X", embedding.features.view().into())];
                let ids = embedding.ids.map(|ids| ids.iter().map(String::as_str).collect());
                arrays.extend(ids.map(|ids| ("id", Member::Texts(ids))));
                npz(path, &arrays)?;
            }
            #[cfg(feature = "parquet")]
            Format::Parquet => super::parquet::write(embedding, path)?,
        }
        let mut published = Published { out: self.out.clone(), samples: None, encoder: None };
        let done = self.beside(embedding, encoder, &mut published);
        let done = done.and_then(|()| {
            self.aside.publish(false).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => taken(&self.out),
                io::ErrorKind::Interrupted => RunError::Cancelled,
                _ => unwritable(&self.out, &error).into(),
            })
        });
        if let Err(error) = done {
            for path in published.samples.iter().chain(&published.encoder) {
                let _ = std::fs::remove_file(path);
            }
            return Err(error);
        }
        Ok(published)
    }

    fn beside(
        &self,
        embedding: &Embedding<'_>,
        encoder: Option<&Encoder>,
        published: &mut Published,
    ) -> Result<(), RunError> {
        let named = embedding.ids.is_some() || embedding.rows.is_some();
        if self.format == Format::Npy && named {
            let path = beside(&self.out, SAMPLES);
            replace(&path, &samples(embedding, &path)?)?;
            published.samples = Some(path);
        }
        if let Some(encoder) = encoder {
            let path = beside(&self.out, ENCODER);
            let aside = Aside::new(&path)?;
            let saved = encoder.save(aside.path()).map_err(RunError::from);
            let saved = saved.and_then(|()| {
                aside.publish(false).map_err(|error| unwritable(&path, &error).into())
            });
            aside.remove();
            saved?;
            published.encoder = Some(path);
        }
        Ok(())
    }
}

impl Drop for Files {
    /// What wasn't published isn't left behind.
    fn drop(&mut self) {
        self.aside.remove();
    }
}

fn samples(embedding: &Embedding<'_>, path: &Path) -> Result<Vec<u8>, DataError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let id = |sample: usize| embedding.ids.map(|ids| ids[sample].as_str());
    (0..embedding.features.n_samples())
        .try_for_each(|sample| {
            writer.serialize(Sample { sample: embedding.row(sample), id: id(sample) })
        })
        .map_err(|error| unwritable(path, &error))?;
    writer.into_inner().map_err(|error| unwritable(path, &error))
}

/// `F-<name>` beside `F.npy`.
fn beside(out: &Path, name: &str) -> PathBuf {
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!("{stem}-{name}"))
}

fn taken(path: &Path) -> RunError {
    RunError::folder(path, &"exists already; name another file with --out, or remove it")
}
