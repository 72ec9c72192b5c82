//! The bytes of a zip archive, of a file or of the program itself.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::source::reopen;
use crate::DataError;

/// Where an archive is.
#[derive(Debug, Clone)]
pub(super) enum Bytes {
    File(PathBuf),
    Embedded(&'static [u8]),
}

/// An archive's bytes.
pub(super) enum Opener {
    File(BufReader<File>),
    Embedded(Cursor<&'static [u8]>),
}

impl Read for Opener {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Embedded(bytes) => bytes.read(buffer),
        }
    }
}

impl Seek for Opener {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(position),
            Self::Embedded(bytes) => bytes.seek(position),
        }
    }
}

impl Bytes {
    pub(super) fn open(&self) -> Result<Opener, DataError> {
        Ok(match self {
            Self::File(path) => Opener::File(reopen(path)?),
            Self::Embedded(bytes) => Opener::Embedded(Cursor::new(bytes)),
        })
    }
}
