//! Finding, opening and recognising files.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use flate2::bufread::MultiGzDecoder;

use crate::{DataError, embedded};

/// What an array is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Data,
    Labels,
}

/// Bytes by which text is recognised.
const START: usize = 1 << 12;

/// What an argument on the command line names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// An embedded set, by its name.
    Embedded(&'static str),
    /// A file, and the dataset or member inside it if the argument names one (`file.h5:/dataset`, `file.npz:member`).
    File { path: PathBuf, dataset: Option<String> },
}

impl Location {
    /// Resolves an argument. What exists on disk comes first, then embedded sets, then `file:dataset`.
    pub(crate) fn resolve(argument: &Path) -> Self {
        let file = |path: &Path, dataset| Self::File { path: path.into(), dataset };
        if argument.symlink_metadata().is_ok() {
            return file(argument, None);
        }
        let Some(text) = argument.to_str() else {
            return file(argument, None);
        };
        if let Some(name) = embedded::NAMES.into_iter().find(|&name| name == text) {
            return Self::Embedded(name);
        }
        for (colon, _) in text.rmatch_indices(':') {
            let path = Path::new(&text[..colon]);
            let with_several = matches!(by_extension(path), Some(Format::Hdf5 | Format::Npz));
            if with_several || path.is_file() {
                return file(path, Some(text[colon + 1..].into()));
            }
        }
        file(argument, None)
    }

    /// How messages name it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Embedded(name) => (*name).into(),
            Self::File { path, dataset: None } => path.display().to_string(),
            Self::File { path, dataset: Some(dataset) } => format!("{}:{dataset}", path.display()),
        }
    }
}

/// The formats that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Npy,
    Npz,
    Idx,
    Text,
    Hdf5,
    Parquet,
    /// Arrow's own, a file or a stream.
    Arrow,
    JsonLines,
}

/// A file that was opened, unpacked on the fly if gzip.
pub(crate) struct Source {
    pub(crate) name: String,
    /// What it is packed with, if it is.
    pub(crate) packed: Option<&'static str>,
    /// The file's size in bytes.
    pub(crate) len: u64,
    /// How many bytes `reader` can give at most.
    pub(crate) available: u64,
    pub(crate) reader: Box<dyn BufRead>,
}

impl Source {
    /// Opens a file.
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        let name = path.display().to_string();
        let (file, len) = open_file(path)?;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let start = reader.fill_buf().map_err(|error| unreadable(&error, &name))?;
        let (packed, available, reader): (_, _, Box<dyn Read>) = match start {
            [0x1f, 0x8b, ..] => {
                (Some("gzip"), inflated_at_most(len), Box::new(MultiGzDecoder::new(reader)))
            }
            [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                let decoder = zstd::Decoder::with_buffer(reader);
                let decoder = decoder.map_err(|error| unreadable(&error, &name))?;
                // A run of one byte of any length is a few bytes.
                (Some("zstd"), u64::MAX, Box::new(decoder))
            }
            _ => {
                let reader = Box::new(reader);
                return Ok(Self { name, packed: None, len, available: len, reader });
            }
        };
        let reader = Box::new(BufReader::with_capacity(1 << 16, reader));
        Ok(Self { name, packed, len, available, reader })
    }

    /// What it is packed with, behind a format's name.
    pub(crate) fn packing(&self) -> String {
        self.packed.map(|packed| format!(", {packed}")).unwrap_or_default()
    }

    /// The first bytes, unpacked; fewer than asked for only if the file is shorter. They stay unread.
    pub(crate) fn peek(&mut self, count: usize) -> Result<&[u8], DataError> {
        let start = self.reader.fill_buf().map_err(|error| unreadable(&error, &self.name))?;
        if start.len() < count {
            // A decoder may start with less than there is: gather, and put it back.
            let mut gathered = Vec::new();
            let mut reader = std::mem::replace(&mut self.reader, Box::new(io::empty()));
            let mut limited = (&mut reader).take(count as u64);
            limited.read_to_end(&mut gathered).map_err(|error| unreadable(&error, &self.name))?;
            self.reader = Box::new(BufReader::with_capacity(
                1 << 16,
                io::Cursor::new(gathered).chain(reader),
            ));
        }
        let start = self.reader.fill_buf().map_err(|error| unreadable(&error, &self.name))?;
        Ok(&start[..count.min(start.len())])
    }

    /// Refuses lines that are longer than an eighth of `budget`, in bytes, as these are in memory several times.
    pub(crate) fn with_lines(self, budget: u64) -> Self {
        let reader = Lines { inner: self.reader, since: 0, max: budget / 8, all: false };
        Self { reader: Box::new(reader), ..self }
    }

    /// Refuses text that is longer than a quarter of `budget`, in bytes, as it is in memory several times.
    pub(crate) fn with_end(self, budget: u64) -> Self {
        let reader = Lines { inner: self.reader, since: 0, max: budget / 4, all: true };
        Self { reader: Box::new(reader), ..self }
    }

    /// Recognises the format by extension, else by the first bytes.
    pub(crate) fn format(&mut self, path: &Path) -> Result<Format, DataError> {
        if let Some(format) = by_extension(path) {
            return Ok(format);
        }
        let start = self.peek(8)?;
        if is_spreadsheet(path) && (start.starts_with(b"PK") || start.starts_with(b"\xd0\xcf")) {
            return Err(DataError::Unsupported {
                source_name: self.name.clone(),
                found: "a spreadsheet".into(),
                supported: "the sheet as CSV (Save As in the program that made it) or as Parquet",
            });
        }
        if let Some(format) = by_magic(start) {
            return Ok(format);
        }
        let source_name = self.name.clone();
        by_text(self.peek(START)?).ok_or(DataError::UnknownFormat { source_name })
    }

    /// Checks the first bytes against what a format has to start with.
    pub(crate) fn expect_magic(
        &mut self,
        format: Format,
        format_name: &'static str,
    ) -> Result<(), DataError> {
        let start = self.peek(8)?;
        if by_magic(start) == Some(format) {
            return Ok(());
        }
        let found = start.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
        Err(DataError::BadMagic { source_name: self.name.clone(), format: format_name, found })
    }

    /// Refuses a packed file of a format that is packed inside, and read from its end.
    pub(crate) fn expect_no_gzip(&self, what: &str) -> Result<(), DataError> {
        let Some(packed) = self.packed else { return Ok(()) };
        Err(DataError::Unsupported {
            source_name: self.name.clone(),
            found: format!("{what} inside {packed}"),
            supported: "the unpacked file (gunzip, unzstd)",
        })
    }
}

fn is_spreadsheet(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
    let known = ["xlsx", "xlsm", "xls", "ods"];
    extension.is_some_and(|extension| known.iter().any(|known| extension == *known))
}

/// Text whose lines have an end: gives an error in the place of a line that would fill the memory.
struct Lines<R> {
    inner: R,
    /// Bytes since the last end of a line, and how many there may be.
    since: u64,
    max: u64,
    /// Whether it is all lines together that have an end.
    all: bool,
}

impl<R: BufRead> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut start = self.fill_buf()?;
        let read = start.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Lines<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.since > self.max {
            let what = if self.all { "text" } else { "a line" };
            let problem = format!("{what} of more than {} MB (see --max-memory)", self.max >> 20);
            return Err(io::Error::new(ErrorKind::InvalidData, problem));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        if let Ok(bytes) = self.inner.fill_buf() {
            let bytes = &bytes[..count.min(bytes.len())];
            self.since = match bytes.iter().rposition(|&byte| byte == b'\n' || byte == b'\r') {
                Some(last) if !self.all => (bytes.len() - last) as u64,
                _ => self.since + bytes.len() as u64,
            };
        }
        self.inner.consume(count);
    }
}

/// When a file was changed, to see whether it is while it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(Option<(u64, SystemTime)>);

impl Stamp {
    /// Of a file; nothing can be said of others.
    pub(crate) fn of(location: &Location) -> Self {
        let Location::File { path, .. } = location else { return Self(None) };
        let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file);
        Self(metadata.and_then(|metadata| Some((metadata.len(), metadata.modified().ok()?))))
    }

    /// Refuses a file that isn't what it was.
    pub(crate) fn check(&self, location: &Location) -> Result<(), DataError> {
        if *self == Self::of(location) {
            return Ok(());
        }
        Err(DataError::Changed { source_name: location.name() })
    }
}

/// Opens a regular file that isn't empty; also gives its size in bytes.
fn open_file(path: &Path) -> Result<(File, u64), DataError> {
    let source_name = path.display().to_string();
    // Looked at before: opening a pipe waits for somebody who writes.
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(&error, &source_name))?;
    if !metadata.is_file() {
        let directory = metadata.is_dir();
        return Err(DataError::NotAFile { source_name, directory });
    }
    let file = File::open(path).map_err(|error| unreadable(&error, &source_name))?;
    if metadata.len() == 0 {
        return Err(DataError::EmptyFile { source_name });
    }
    Ok((file, metadata.len()))
}

/// Opens a file that has been opened before, for a format that has to seek.
pub(crate) fn reopen(path: &Path) -> Result<BufReader<File>, DataError> {
    Ok(BufReader::new(open_file(path)?.0))
}

/// An upper bound of what `len` bytes of deflate unpack to: no stream does better than 1 to 1,032.
pub(crate) fn inflated_at_most(len: u64) -> u64 {
    len.saturating_mul(1032)
}

/// What an error of reading means to the one who gave the file.
pub(crate) fn unreadable(error: &io::Error, source_name: &str) -> DataError {
    let source_name = source_name.to_owned();
    match error.kind() {
        ErrorKind::NotFound => DataError::NotFound { source_name },
        ErrorKind::PermissionDenied => DataError::PermissionDenied { source_name },
        ErrorKind::IsADirectory => DataError::NotAFile { source_name, directory: true },
        ErrorKind::UnexpectedEof => DataError::Corrupt {
            source_name,
            problem: "truncated: the packed data end too early".into(),
        },
        ErrorKind::InvalidData | ErrorKind::InvalidInput => {
            DataError::Corrupt { source_name, problem: error.to_string() }
        }
        _ => DataError::Unreadable { source_name, reason: error.to_string() },
    }
}

/// What another library says of a problem, without its line breaks.
pub(crate) fn one_line(problem: &dyn Display) -> String {
    problem.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A file's name without what it is packed with.
pub(crate) fn unpacked_name(name: &str) -> &str {
    [".gz", ".zst"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

fn by_extension(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let name = unpacked_name(&name);
    if name.ends_with("-ubyte") {
        return Some(Format::Idx);
    }
    match name.rsplit_once('.')?.1 {
        "npy" => Some(Format::Npy),
        "npz" => Some(Format::Npz),
        "idx" | "idx1" | "idx2" | "idx3" => Some(Format::Idx),
        // The last are refused as text, with what to do.
        "csv" | "tsv" | "txt" | "svm" | "libsvm" | "svmlight" => Some(Format::Text),
        "h5" | "hdf5" | "hdf" | "h5ad" => Some(Format::Hdf5),
        "parquet" | "pq" => Some(Format::Parquet),
        "arrow" | "arrows" | "feather" | "ipc" => Some(Format::Arrow),
        "jsonl" | "ndjson" | "json" => Some(Format::JsonLines),
        _ => None,
    }
}

fn by_magic(start: &[u8]) -> Option<Format> {
    match start {
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Some(Format::Npy),
        // The second is an archive of nothing.
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Format::Npz),
        [0x89, b'H', b'D', b'F', b'\r', b'\n', 0x1a, b'\n'] => Some(Format::Hdf5),
        [0, 0, 8 | 9 | 11..=14, 1..=8, ..] => Some(Format::Idx),
        [b'P', b'A', b'R', b'1', ..] => Some(Format::Parquet),
        // The second is a stream, whose first message holds the schema.
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] | [0xff, 0xff, 0xff, 0xff, _, _, 0, 0] => {
            Some(Format::Arrow)
        }
        _ => None,
    }
}

/// Whether bytes without a format's mark are a table of text: their first line has a delimiter, or is an object.
fn by_text(start: &[u8]) -> Option<Format> {
    let is_control = |byte: &u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    let first = start.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let first = first.into_iter().find(|line| !line.is_empty())?;
    if start.iter().any(is_control) {
        None
    } else if first.starts_with(b"{") {
        Some(Format::JsonLines)
    } else {
        first.iter().any(|byte| b",;\t".contains(byte)).then_some(Format::Text)
    }
}

/// A path's name without its extensions, such as `train` for `a/train.csv.gz`.
pub(crate) fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let name = unpacked_name(&name);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    if stem.is_empty() { name.into() } else { stem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_can_name_a_dataset_in_a_file() {
        let location = Location::resolve(Path::new("a:b/run.h5:/votes"));
        let path = "a:b/run.h5".into();
        assert_eq!(location, Location::File { path, dataset: Some("/votes".into()) });
        assert_eq!(Location::resolve(Path::new("digits")), Location::Embedded("digits"));
    }

    #[test]
    fn names_lose_their_extensions() {
        assert_eq!(stem(Path::new("a/train.csv.gz")), "train");
        assert_eq!(stem(Path::new("train-images-idx3-ubyte.gz")), "train-images-idx3-ubyte");
    }
}
