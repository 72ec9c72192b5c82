//! Votes in an array of numbers: `.npy`, `.npz` and IDX here, HDF5 in [`super::h5`].

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use ndarray::Array2;

use super::models::Models;
use super::part::{Blocks, MAX_MODELS, TRANSPOSED, VotesChunk, VotesInfo, turned};
use crate::DataError;
use crate::read::numbers::{
    Encoding, Kind, Number, count_values, decode, expect_end, fill, reserve,
};
use crate::read::source::unreadable;

/// Bytes read and converted at a time, about.
const BUFFER: usize = 1 << 18;

/// How an array holds votes.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    /// The file, and the member or dataset in it.
    pub(super) source_name: String,
    pub(super) kind: Kind,
    pub(super) n_models: usize,
    pub(super) n_samples: usize,
    /// The axis of the samples.
    pub(super) axis: usize,
    /// Whether the axis is the one that fits the other files, and not the one that it would be by itself.
    pub(super) is_turned: bool,
}

impl Grid {
    /// Takes (n_samples), (n_models, n_samples) or, if there are more rows than columns, (n_samples, n_models).
    ///
    /// `samples`: their number in the other files, which decides if one axis alone is as long.
    pub(super) fn new(
        source_name: &str,
        kind: Kind,
        shape: &[usize],
        samples: Option<usize>,
    ) -> Result<Self, DataError> {
        let source_name = source_name.to_owned();
        if shape.contains(&0) {
            return Err(DataError::Empty { source_name });
        }
        let (n_models, n_samples, axis, is_turned) = match *shape {
            [samples] => (1, samples, 0, false),
            [rows, columns] => {
                let long = rows > columns;
                let fits = |length| Some(length) == samples;
                let in_rows = if fits(rows) == fits(columns) { long } else { fits(rows) };
                let is_turned = in_rows != long;
                if in_rows { (columns, rows, 0, is_turned) } else { (rows, columns, 1, is_turned) }
            }
            _ => {
                let (found, expected) =
                    (shape.to_vec(), "votes: (n_models, n_samples) or one model's");
                return Err(DataError::Dimensions { source_name, found, expected });
            }
        };
        if n_models > MAX_MODELS {
            // Before each has a name.
            return Err(DataError::TooManyModels { models: n_models });
        }
        Ok(Self { source_name, kind, n_models, n_samples, axis, is_turned })
    }

    /// Numbers of samples that an array of this shape can be on.
    pub(super) fn fits(shape: &[usize]) -> &[usize] {
        if shape.len() > 2 { &[] } else { shape }
    }

    /// Whether there are several models, in columns.
    pub(super) fn is_transposed(&self) -> bool {
        self.axis == 0 && self.n_models > 1
    }

    /// Whether each model's votes are neighbours in C order (one model's are in any order).
    pub(super) fn by_model(&self) -> bool {
        self.axis == 1
    }

    /// Appends the clusters of samples from `start` on: for each, one model of `range` after the other.
    pub(super) fn number(
        &self,
        votes: &[Number],
        start: usize,
        range: Range<usize>,
        models: &mut Models,
        clusters: &mut Vec<u16>,
    ) -> Result<(), DataError> {
        for (votes, sample) in votes.chunks_exact(range.len()).zip(start..) {
            for (&vote, model) in votes.iter().zip(range.clone()) {
                let id = id(vote, self.kind).ok_or_else(|| self.no_id(vote, model, sample))?;
                clusters.push(models.cluster(model, id)?);
            }
        }
        Ok(())
    }

    #[cold]
    fn no_id(&self, vote: Number, model: usize, sample: usize) -> DataError {
        let index = if self.by_model() {
            model * self.n_samples + sample
        } else {
            sample * self.n_models + model
        };
        let source_name = self.source_name.clone();
        let value = match vote {
            Number::Signed(value) => value.to_string(),
            Number::Unsigned(value) => value.to_string(),
            Number::Float(value) if value.fract() == 0.0 => format!("{value:e}"),
            Number::Float(value) => return DataError::NotWhole { source_name, index, value },
        };
        DataError::IdTooLarge { source_name, index, value }
    }
}

impl VotesInfo {
    pub(super) fn of_array(path: &Path, format: String, grid: &Grid) -> Self {
        Self {
            path: path.into(),
            format,
            n_models: grid.n_models,
            n_samples: Some(grid.n_samples),
            is_transposed: grid.is_transposed(),
            member: None,
            has_confidences: false,
            notes: if grid.is_turned {
                vec![turned(grid.n_models, grid.n_samples)]
            } else if grid.is_transposed() {
                vec![TRANSPOSED.into()]
            } else {
                vec![]
            },
        }
    }
}

/// The id that a number is, negative if the vote is missing.
fn id(vote: Number, kind: Kind) -> Option<i64> {
    match vote.whole() {
        // What our own files have for a missing vote.
        Ok(0xffff) if kind == Kind::U16 => Some(-1),
        Err(value) if value.is_nan() => Some(-1),
        id => id.ok(),
    }
}

/// Where the bytes of an array come from.
pub(super) enum Bytes<'a> {
    /// A file, in any order.
    File(File),
    /// An unpacker, from the first to the last.
    Packed(Box<dyn Read + 'a>),
}

/// An array as NumPy and IDX store it.
pub(super) struct Array<'a> {
    grid: Grid,
    encoding: Encoding,
    /// Whether each model's votes are stored one after the other.
    by_model: bool,
    /// Where the values start in the file.
    offset: u64,
    bytes: Bytes<'a>,
    /// The first sample that hasn't been read.
    next: usize,
}

impl<'a> Array<'a> {
    /// Checks that `bytes` can hold the array.
    ///
    /// `offset`: bytes before the values. `available`: bytes that there can be, with those.
    pub(super) fn new(
        grid: Grid,
        encoding: Encoding,
        fortran_order: bool,
        offset: u64,
        available: u64,
        mut bytes: Bytes<'a>,
    ) -> Result<Self, DataError> {
        let (name, size) = (&grid.source_name, encoding.kind.size());
        let shape = [grid.n_models, grid.n_samples];
        let count = count_values(&shape, size, offset, available.saturating_sub(offset), name)?;
        if let Bytes::File(file) = &mut bytes {
            let end = offset + (count * size) as u64;
            file.seek(SeekFrom::Start(end)).map_err(|error| unreadable(&error, name))?;
            expect_end(file, end, name)?;
        }
        let by_model = grid.by_model() != fortran_order;
        Ok(Self { grid, encoding, by_model, offset, bytes, next: 0 })
    }

    /// Reads votes of `range` of the models on some samples, stored together from value `position` on.
    fn read(
        &mut self,
        position: usize,
        samples: Range<usize>,
        range: Range<usize>,
        models: &mut Models,
        clusters: &mut Vec<u16>,
    ) -> Result<(), DataError> {
        let (name, size) = (&self.grid.source_name, self.encoding.kind.size());
        let mut byte = self.offset + (position * size) as u64;
        let reader: &mut dyn Read = match &mut self.bytes {
            Bytes::File(file) => {
                file.seek(SeekFrom::Start(byte)).map_err(|error| unreadable(&error, name))?;
                file
            }
            Bytes::Packed(reader) => reader,
        };
        let width = range.len() * size;
        let step = (BUFFER / width).max(1);
        let (mut buffer, mut votes) = (Vec::new(), Vec::new());
        for start in samples.clone().step_by(step) {
            buffer.resize(step.min(samples.end - start) * width, 0);
            let filled = fill(reader, &mut buffer, name)?;
            byte += filled as u64;
            if filled < buffer.len() {
                let values = self.grid.n_models as u128 * self.grid.n_samples as u128;
                return Err(DataError::Truncated {
                    source_name: name.clone(),
                    found: byte,
                    expected: u128::from(self.offset) + values * size as u128,
                });
            }
            votes.clear();
            decode(self.encoding, &buffer, &mut votes);
            self.grid.number(&votes, start, range.clone(), models, clusters)?;
        }
        Ok(())
    }
}

impl Blocks for Array<'_> {
    /// A packed array is a single block, as unpackers can't go back and forth between models.
    fn next(&mut self, limit: usize, models: &mut Models) -> Result<Option<VotesChunk>, DataError> {
        let (n_models, n_samples) = (self.grid.n_models, self.grid.n_samples);
        let packed = matches!(self.bytes, Bytes::Packed(_));
        let len = (n_samples - self.next).min(if packed { n_samples } else { limit });
        if len == 0 {
            return Ok(None);
        }
        let samples = self.next..self.next + len;
        let mut clusters = reserve(n_models * len, &self.grid.source_name)?;
        if self.by_model {
            for model in 0..n_models {
                let position = model * n_samples + samples.start;
                let model = model..model + 1;
                self.read(position, samples.clone(), model, models, &mut clusters)?;
            }
        } else {
            let position = samples.start * n_models;
            self.read(position, samples.clone(), 0..n_models, models, &mut clusters)?;
        }
        if let Bytes::Packed(reader) = &mut self.bytes {
            let end = self.offset + (n_models * n_samples * self.encoding.kind.size()) as u64;
            expect_end(reader, end, &self.grid.source_name)?;
        }
        self.next = samples.end;
        Ok(Some(VotesChunk {
            clusters: block(clusters, n_models, self.by_model),
            confidences: None,
        }))
    }
}

/// Values of some samples as (n_models, n_samples), stored model by model or sample by sample.
pub(super) fn block<T>(values: Vec<T>, n_models: usize, by_model: bool) -> Array2<T> {
    let len = values.len() / n_models;
    let array =
        |shape| Array2::from_shape_vec(shape, values).expect("every model votes on every sample");
    if by_model { array((n_models, len)) } else { array((len, n_models)).reversed_axes() }
}
