//! A file that is open to be read.

use arrow_array::RecordBatch;

use crate::DataError;
use crate::records::Narrow;

/// Batches of rows as a format's own library gives them.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, DataError>>>;

/// How a file's rows come.
pub(super) enum Opened {
    /// All wanted columns side by side, ascending.
    Batches(Batches),
    /// Some columns at a time.
    Tiles(Box<dyn Tiles>, As),
}

/// What numbers become that are read some columns at a time.
pub(super) enum As {
    /// All of them fit.
    F32,
    F64,
    Features(Narrow),
}

/// A file of which some rows are chosen, and then read some columns at a time.
pub(super) trait Tiles {
    /// Goes on to the next rows; how many they are, `None` after the last.
    fn next_rows(&mut self) -> Option<usize>;

    /// Columns of numbers that are read at a time: ranges of those that are wanted.
    fn groups(&self) -> &[std::ops::Range<usize>];

    /// The chosen rows of these columns, which ascend.
    fn read(&self, columns: &[usize]) -> Result<Batches, DataError>;
}
