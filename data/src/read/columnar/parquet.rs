//! Parquet, some rows at a time, and some columns at a time where there are many.
//!
//! Who reads a column holds its dictionary and a page, unpacked. A dictionary of floats has nearly as many entries as there are rows,
//! up to a megabyte: those of hundreds of columns take as much memory as the numbers themselves. So of a large row group a few columns
//! are read at a time, and written side by side. If all rows are going to be in memory and are one row group, this goes through the
//! file once. Else a dictionary is unpacked again for every so many rows; pages before these are skipped as they are.

use std::fmt::Display;
use std::fs::File;
use std::ops::Range;
use std::path::Path;

use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};

use super::batches::records;
use super::cells::fits_f32;
use super::opened::{As, Batches, Opened, Tiles};
use crate::DataError;
use crate::read::source::{Format, Source, one_line, unreadable};
use crate::records::{ROWS as DECIDING, Records, Wanted};

/// What messages call it.
pub(super) const WHAT: &str = "Parquet file";
/// Rows that are decoded at a time.
const BATCH: usize = 4096;
/// Unpacked bytes of a row group's wanted columns above which a few of them are read at a time; less where little is kept.
const LARGE: u64 = 32 << 20;
/// Unpacked bytes of those few.
const GROUP: u64 = 16 << 20;
/// The same where all rows are kept: this part of them, between these. The more columns, the fewer times a line of a cache is written.
const KEPT_PART: u64 = 12;
const KEPT_GROUP: [u64; 2] = [4 << 20, 64 << 20];
/// Bytes of numbers that are written side by side before they are handed on.
const TILE: u64 = 64 << 20;
/// Of rows that are all kept these are this part, and no less than so many bytes: beside the others they take that much more.
const PARTS: u64 = 6;
const LEAST: u64 = 8 << 20;
/// Numbers may be so many times as large as what they are unpacked from, before not all of them are written side by side at a time.
const FULL: u64 = 64;
/// What claims to unpack to more than so many times its size is read as it comes, and found out.
const RATIO: u64 = 1000;

/// Opens a file.
pub(super) fn open(mut source: Source, path: &Path) -> Result<Records, DataError> {
    source.expect_magic(Format::Parquet, "Parquet")?;
    source.expect_no_gzip("a Parquet file")?;
    let name = source.name;
    let file = File::open(path).map_err(|error| unreadable(&error, &name))?;
    let metadata = ArrowReaderMetadata::load(&file, Default::default());
    let metadata = metadata.map_err(|error| corrupt(&error, &name))?;
    let schema = metadata.schema().clone();
    let n_rows = usize::try_from(metadata.metadata().file_metadata().num_rows()).ok();
    let source_name = name.clone();
    let open = move |wanted: &Wanted| -> Result<Opened, DataError> {
        let whole = Whole { file, metadata, name, batch: BATCH };
        match Plan::of(&whole, wanted) {
            Some((plan, kind)) => {
                let row_groups = RowGroups { whole, plan, group: 0, rows: 0..0 };
                Ok(Opened::Tiles(Box::new(row_groups), kind))
            }
            None => whole.read(&wanted.columns(), None).map(Opened::Batches),
        }
    };
    Ok(records(source_name, &schema, "Parquet", WHAT, n_rows, Box::new(open)))
}

/// A file, with what its footer says.
struct Whole {
    file: File,
    metadata: ArrowReaderMetadata,
    name: String,
    /// Rows that are decoded at a time.
    batch: usize,
}

impl Whole {
    /// All rows of these columns, or some of a row group.
    fn read(
        &self,
        columns: &[usize],
        rows: Option<(usize, Range<usize>)>,
    ) -> Result<Batches, DataError> {
        let file = self.file.try_clone().map_err(|error| unreadable(&error, &self.name))?;
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let mask = ProjectionMask::roots(builder.parquet_schema(), columns.iter().copied());
        let mut builder = builder.with_projection(mask).with_batch_size(self.batch);
        if let Some((group, rows)) = rows {
            builder = builder.with_row_groups(vec![group]);
            builder = builder.with_offset(rows.start).with_limit(rows.len());
        }
        let name = self.name.clone();
        let batches = builder.build().map_err(|error| corrupt(&error, &name))?;
        let batches = batches.map(move |batch| batch.map_err(|error| corrupt(&error, &name)));
        Ok(Box::new(batches.fuse()))
    }

    fn rows_of(&self, group: usize) -> Option<usize> {
        let group = self.metadata.metadata().row_groups().get(group)?;
        Some(usize::try_from(group.num_rows()).unwrap_or(0))
    }
}

/// What is read at a time.
struct Plan {
    /// Wanted columns of numbers.
    columns: Vec<Range<usize>>,
    /// Rows of a row group.
    step: usize,
}

impl Plan {
    /// `None` if all columns can be read side by side: there are few, or row groups are small, or it isn't numbers that are wanted.
    fn of(whole: &Whole, wanted: &Wanted) -> Option<(Self, As)> {
        let metadata = &whole.metadata;
        let types = || wanted.numbers.iter().map(|&at| metadata.schema().field(at).data_type());
        let is_plain = !types().any(DataType::is_nested);
        // Whole numbers of 64 bits have a type of their own, unless they become features.
        let are_whole = wanted.narrow.is_none() && types().all(|of| *of == DataType::Int64);
        if wanted.numbers.len() < 2 || !is_plain || are_whole {
            return None;
        }
        let row_groups = metadata.metadata().row_groups();
        let mut sizes = vec![0; metadata.schema().fields().len()];
        for group in row_groups {
            for (leaf, chunk) in group.columns().iter().enumerate() {
                let size = &mut sizes[metadata.parquet_schema().get_column_root_idx(leaf)];
                *size = u64::try_from(chunk.uncompressed_size()).unwrap_or(0).max(*size);
            }
        }
        let sizes = wanted.numbers.iter().map(|&column| sizes[column]);
        let unpacked = sizes.clone().fold(0, u64::saturating_add);
        let packed = whole.file.metadata().map_or(0, |file| file.len());
        let rows = || (0..row_groups.len()).map_while(|group| whole.rows_of(group));
        let n_rows = rows().fold(0, usize::saturating_add);
        let (first, largest) = (rows().next()?, rows().max()?);
        let width = wanted.numbers.len() as u64;
        let bytes = |rows: usize, size: usize| (rows as u64).saturating_mul(width * size as u64);
        let kept = bytes(n_rows, size_of::<f32>());
        let part = kept / KEPT_PART;
        let (large, group) = match wanted.are_kept {
            true => (part.clamp(LEAST, LARGE), part.clamp(KEPT_GROUP[0], KEPT_GROUP[1])),
            false => (LARGE, GROUP),
        };
        if unpacked <= large || unpacked > packed.saturating_mul(RATIO) {
            return None;
        }
        let columns = groups(sizes, group);
        let step = |size: usize| {
            let at_most = match wanted.are_kept {
                // They become what is kept.
                true if row_groups.len() == 1 && size == size_of::<f32>() => kept,
                true => LEAST.max(kept / PARTS),
                false => TILE,
            };
            // A number of rows is easily claimed.
            let at_most = at_most.min(unpacked.saturating_mul(FULL)).max(LEAST);
            let parts = bytes(largest, size).div_ceil(at_most);
            largest.div_ceil(usize::try_from(parts).unwrap_or(usize::MAX).max(1)).max(1)
        };
        let narrow = step(size_of::<f32>());
        if types().all(fits_f32) {
            return Some((Self { columns, step: narrow }, As::F32));
        }
        // The first rows decide how numbers become features, and have to be there together.
        match &wanted.narrow {
            Some(how) if narrow.min(first) >= n_rows.min(DECIDING) => {
                Some((Self { columns, step: narrow }, As::Features(how.clone())))
            }
            _ => Some((Self { columns, step: step(size_of::<f64>()) }, As::F64)),
        }
    }
}

/// Cuts columns of these sizes into ranges of at most `group`, if one alone isn't larger.
fn groups(sizes: impl Iterator<Item = u64>, group: u64) -> Vec<Range<usize>> {
    let (mut groups, mut size_of_last) = (Vec::<Range<usize>>::new(), u64::MAX);
    for (column, size) in sizes.enumerate() {
        match groups.last_mut() {
            Some(last) if size_of_last.saturating_add(size) <= group => {
                last.end = column + 1;
                size_of_last += size;
            }
            _ => {
                groups.push(column..column + 1);
                size_of_last = size;
            }
        }
    }
    groups
}

/// A file whose row groups are read some rows and some columns at a time.
struct RowGroups {
    whole: Whole,
    plan: Plan,
    group: usize,
    /// Which of the group's rows are chosen.
    rows: Range<usize>,
}

impl Tiles for RowGroups {
    fn next_rows(&mut self) -> Option<usize> {
        loop {
            let (rows, start) = (self.whole.rows_of(self.group)?, self.rows.end);
            if start < rows {
                self.rows = start..rows.min(start.saturating_add(self.plan.step));
                return Some(self.rows.len());
            }
            (self.group, self.rows) = (self.group + 1, 0..0);
        }
    }

    fn groups(&self) -> &[Range<usize>] {
        &self.plan.columns
    }

    fn read(&self, columns: &[usize]) -> Result<Batches, DataError> {
        self.whole.read(columns, Some((self.group, self.rows.clone())))
    }
}

fn corrupt(error: &dyn Display, name: &str) -> DataError {
    DataError::Corrupt {
        source_name: name.into(),
        problem: format!("no valid {WHAT} ({})", one_line(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, BooleanArray, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    };
    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::WriterProperties;

    use super::*;
    use crate::read::columnar::tiles;
    use crate::records::{Batch, Wanted};

    const ROWS: usize = 1000;

    /// Row groups of 300, 300, 300 and 100 rows; pages of 64.
    fn file() -> tempfile::NamedTempFile {
        let there = |row: usize| row % 7 != 3;
        let narrow = (0..ROWS).map(|row| there(row).then_some((row % 90) as f32 / 8.0));
        let wide = (0..ROWS).map(|row| there(row).then_some(row as f64 / 7.0));
        let columns: [(&str, ArrayRef); 5] = [
            ("id", Arc::new(StringArray::from_iter_values((0..ROWS).map(|row| format!("s{row}"))))),
            ("a", Arc::new(narrow.collect::<Float32Array>())),
            ("b", Arc::new((0..ROWS).map(|row| Some(row % 3 == 0)).collect::<BooleanArray>())),
            ("c", Arc::new(wide.collect::<Float64Array>())),
            (
                "d",
                Arc::new(Int64Array::from_iter_values((0..ROWS).map(|row| (1 << 60) + row as i64))),
            ),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let sizes = WriterProperties::builder()
            .set_max_row_group_row_count(Some(300))
            .set_data_page_row_count_limit(64)
            .set_write_batch_size(64)
            .build();
        let file = tempfile::Builder::new().suffix(".parquet").tempfile().unwrap();
        let mut writer =
            ArrowWriter::try_new(file.reopen().unwrap(), batch.schema(), Some(sizes)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        file
    }

    /// Numbers in 64 bits (NaN as `None`), words, and what was rounded, of all rows.
    type All = (Vec<Option<f64>>, Vec<Option<String>>, Vec<usize>);

    fn all(mut next: impl FnMut(usize) -> Option<Batch>, width: usize) -> All {
        let (mut numbers, mut words, mut inexact, mut rows) = (vec![], vec![], vec![], 0);
        while let Some(batch) = next(rows) {
            assert!(batch.n_rows > 0 && batch.places.at(0) == rows as u64);
            inexact.extend(batch.inexact.iter().map(|place| rows * width + place));
            numbers.extend(
                batch.numbers.into_f64().into_iter().map(|it| (!it.is_nan()).then_some(it)),
            );
            words.extend(batch.words.into_iter().flatten());
            rows += batch.n_rows;
        }
        inexact.sort_unstable();
        (numbers, words, inexact)
    }

    #[test]
    fn some_columns_and_rows_at_a_time_are_the_same_as_all_at_once() {
        let file = file();
        for numbers in [vec![1, 2, 3, 4], vec![4, 2, 1], vec![2, 1]] {
            let wanted = Wanted { numbers, words: vec![0], ..Wanted::default() };
            let open = || open(Source::open(file.path()).unwrap(), file.path()).unwrap();
            let Records { schema, mut rows, .. } = open();
            let width = wanted.numbers.len();
            let expected = all(|_| rows.next(&schema, &wanted).unwrap(), width);
            assert_eq!(expected.0.len(), ROWS * width);
            assert_eq!(expected.2.is_empty(), !wanted.numbers.contains(&4));
            for step in [1, 64, 99, 300, 5000] {
                for cut in 1..=width {
                    let handle = File::open(file.path()).unwrap();
                    let metadata = ArrowReaderMetadata::load(&handle, Default::default()).unwrap();
                    let whole = Whole { file: handle, metadata, name: "x".into(), batch: 70 };
                    let mut kind = if wanted.numbers == [2, 1] { As::F32 } else { As::F64 };
                    let columns = vec![0..cut, cut..width];
                    let plan = Plan {
                        columns: columns.into_iter().filter(|it| !it.is_empty()).collect(),
                        step,
                    };
                    let mut tiles = RowGroups { whole, plan, group: 0, rows: 0..0 };
                    let next =
                        |rows| tiles::next(&mut tiles, &mut kind, &schema, &wanted, rows).unwrap();
                    assert_eq!(all(next, width), expected, "{step} rows, {cut} columns");
                }
            }
        }
    }

    #[test]
    fn columns_are_grouped_by_size() {
        let of = |sizes: &[u64]| groups(sizes.iter().map(|size| size << 20), 16 << 20);
        assert_eq!(of(&[4, 4, 8, 1, 40, 16, 1]), [0..3, 3..4, 4..5, 5..6, 6..7]);
        assert_eq!(of(&[]), []);
    }
}
