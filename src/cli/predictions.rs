//! Predicted clusters as a file: written aside, and complete or absent.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Error, Result, anyhow, bail};
use consilience::export::LabelNames;
use consilience::output::Aside;
use consilience::{Prediction, Voted};
use consilience_data::{ClusterId, FeaturesChunk};

/// Bytes of an `.npy` header, whatever it says.
const HEADER: usize = 128;

/// A file of clusters in the making.
pub(super) struct Predictions {
    destination: Option<(PathBuf, Aside)>,
    format: Format,
    written: usize,
    /// What clusters are called, in a run that learnt from labels.
    names: Option<LabelNames>,
}

type CsvWriter = csv::Writer<Box<dyn Write + Send>>;

enum Format {
    /// `sample,id,cluster,name,confidence,stray` (without id, name and stray where there are none), where `sample` is the row in the data, and with votes `lowest_confidence,signature`; the header is
    /// written with the first rows.
    Csv(Box<CsvWriter>),
    /// The clusters alone, int32, -1 for none.
    Npy(BufWriter<File>),
}

impl Predictions {
    /// Checks that `out` is free and can be written, and of a format that can be; `None` is standard output. `with_votes`: whether it is
    /// going to hold votes, too. `names`: of the clusters, if they have any.
    pub(super) fn create(
        out: Option<&Path>,
        with_votes: bool,
        names: Option<LabelNames>,
    ) -> Result<Self> {
        let Some(out) = out else {
            let stdout: Box<dyn Write + Send> = Box::new(io::stdout());
            let format = Format::Csv(Box::new(csv_writer(stdout)));
            return Ok(Self { destination: None, format, written: 0, names });
        };
        let is_npy = match out.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => false,
            Some("npy") if with_votes => {
                bail!(
                    "{}: an array has no room for --votes; name a .csv file with --out",
                    out.display()
                )
            }
            Some("npy") => true,
            _ => bail!("{}: name a .csv or .npy file with --out", out.display()),
        };
        if out.symlink_metadata().is_ok() {
            return Err(taken(out));
        }
        let file = Aside::new(out)?;
        let writer = file.writer().map_err(|error| unwritable(out, &error))?;
        let format = if is_npy {
            let mut writer = BufWriter::new(writer);
            writer.write_all(&[0; HEADER]).map_err(|error| unwritable(out, &error))?;
            Format::Npy(writer)
        } else {
            Format::Csv(Box::new(csv_writer(Box::new(writer))))
        };
        Ok(Self { destination: Some((out.into(), file)), format, written: 0, names })
    }

    /// The file that is written aside.
    pub(super) fn aside(&self) -> Option<&Aside> {
        self.destination.as_ref().map(|(_, aside)| aside)
    }

    /// Appends samples, with ids if there are any.
    pub(super) fn write(
        &mut self,
        samples: &FeaturesChunk,
        clusters: &[Option<ClusterId>],
        prediction: &Prediction,
        voted: Option<&Voted>,
    ) -> Result<()> {
        let first = self.written;
        self.written += clusters.len();
        let written = match &mut self.format {
            Format::Csv(writer) => {
                rows(writer, first, samples, (clusters, prediction), (self.names.as_ref(), voted))
            }
            Format::Npy(writer) => clusters.iter().try_for_each(|cluster| {
                let id = cluster.map_or(-1, |ClusterId(id)| i32::from(id));
                writer.write_all(&id.to_le_bytes())
            }),
        };
        written.map_err(|error| self.failed(&error))
    }

    /// Gives the file its name; where it is, if it isn't standard output.
    pub(super) fn publish(mut self) -> Result<Option<PathBuf>> {
        let written = self.written;
        let done = match &mut self.format {
            Format::Csv(writer) => writer.flush(),
            Format::Npy(writer) => complete(writer, written),
        };
        done.map_err(|error| self.failed(&error))?;
        let Some((out, aside)) = self.destination.take() else { return Ok(None) };
        let published = aside.publish(false).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => taken(&out),
            _ => unwritable(&out, &error),
        });
        aside.remove();
        published.map(|()| Some(out))
    }

    /// Whether `error` is that the reader of standard output has closed it.
    pub(super) fn is_unread(error: &Error) -> bool {
        let error = error.downcast_ref::<io::Error>();
        error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }

    fn failed(&self, error: &io::Error) -> Error {
        match &self.destination {
            Some((out, _)) => unwritable(out, error),
            None => Error::new(io::Error::from(error.kind()))
                .context("standard output can't be written"),
        }
    }
}

impl Drop for Predictions {
    /// What wasn't published isn't left behind.
    fn drop(&mut self) {
        if let Some((_, aside)) = &self.destination {
            aside.remove();
        }
    }
}

/// The header is written by hand, as it depends on the first rows.
fn csv_writer(writer: Box<dyn Write + Send>) -> CsvWriter {
    csv::WriterBuilder::new().has_headers(false).from_writer(writer)
}

fn rows(
    writer: &mut CsvWriter,
    first: usize,
    samples: &FeaturesChunk,
    (clusters, prediction): (&[Option<ClusterId>], &Prediction),
    (names, voted): (Option<&LabelNames>, Option<&Voted>),
) -> io::Result<()> {
    let ids = samples.ids.as_deref();
    let strays = prediction.strays.as_deref();
    if first == 0 {
        let id = ids.map(|_| "id");
        let votes: &[&str] =
            if voted.is_some() { &["lowest_confidence", "signature"] } else { &[] };
        let name = names.map(|_| "name");
        let columns = ["sample"].into_iter().chain(id).chain(["cluster"]).chain(name);
        let columns = columns.chain(["confidence"]).chain(strays.map(|_| "stray"));
        writer.write_record(columns.chain(votes.iter().copied()))?;
    }
    for (row, (cluster, confidence)) in clusters.iter().zip(&prediction.confidences).enumerate() {
        let sample = samples.rows.as_ref().map_or(first + row, |rows| rows[row]);
        // No cell of what isn't there.
        let id = ids.map_or(&[][..], |ids| &ids[row..=row]);
        let called = names.map(|names| [cluster.map_or("", |cluster| names.of(cluster))]);
        let name = called.as_ref().map_or(&[][..], |name| name);
        let stray = strays.map(|strays| [strays[row].score]);
        let stray = stray.as_ref().map_or(&[][..], |stray| stray);
        let answer = (id, cluster, name, confidence, stray);
        match voted {
            None => writer.serialize((sample, answer))?,
            Some(voted) => {
                let votes = (voted.lowest_confidences[row], voted.signatures.text(row));
                writer.serialize((sample, answer, votes))?;
            }
        }
    }
    Ok(())
}

/// Writes the header of an array of `len` values, now that their number is known.
fn complete(writer: &mut BufWriter<File>, len: usize) -> io::Result<()> {
    let dictionary = format!("{{'descr': '<i4', 'fortran_order': False, 'shape': ({len},), }}");
    let (magic, length) = (b"\x93NUMPY\x01\x00", HEADER - 10);
    writer.seek(SeekFrom::Start(0))?;
    writer.write_all(magic)?;
    writer.write_all(&[u8::try_from(length).expect("a short header"), 0])?;
    writeln!(writer, "{dictionary:0$}", length - 1)?;
    writer.flush()
}

fn taken(out: &Path) -> Error {
    anyhow!("{}: exists already; name another with --out, or remove it", out.display())
}

fn unwritable(out: &Path, error: &io::Error) -> Error {
    anyhow!("{}: can't be written: {error}; name another file with --out", out.display())
}
