//! Sparse matrices, by rows, from each of the formats that SciPy saves.

mod kept;

use std::ops::Range;

use super::array::{Blocks, step};
use super::numbers::{reserve, too_large};
use crate::memory::budget;
use crate::records::{Batch, Numbers, Places, Wanted};
use crate::{DataError, Features};

/// Rows of which more than one value in so many is stored aren't kept sparse: each takes twice the memory that it takes without its column.
const FEW: usize = 4;

/// A matrix of which only the values that aren't zero are stored, row after row. Values stored twice are added up, as SciPy does.
#[derive(Debug, Clone)]
pub(crate) struct Csr {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Where each row starts in `indices` and `data`, length rows + 1, ascending.
    starts: Vec<usize>,
    /// Column of each value.
    indices: Vec<u32>,
    data: Vec<f64>,
}

/// A matrix as a file has it, not yet checked.
pub(crate) enum Stored {
    /// By rows.
    Csr { indptr: Vec<i64>, indices: Vec<i64> },
    /// By columns.
    Csc { indptr: Vec<i64>, indices: Vec<i64> },
    /// Row and column of each value.
    Coo { row: Vec<i64>, column: Vec<i64> },
    /// Diagonals, of `length` values each, at their distance from the main one: the value at `column` is that of this column.
    Dia { offsets: Vec<i64>, length: usize },
    /// Dense blocks of rows x columns, as CSR has values.
    Bsr { indptr: Vec<i64>, indices: Vec<i64>, block: [usize; 2] },
}

impl Csr {
    /// A matrix without rows.
    pub(crate) fn empty(columns: usize) -> Self {
        Self { rows: 0, columns, starts: vec![0], indices: Vec::new(), data: Vec::new() }
    }

    /// Adds a row of columns and their values.
    pub(crate) fn push_row(&mut self, row: impl Iterator<Item = (usize, f64)>) {
        for (column, value) in row {
            self.indices.push(u32::try_from(column).expect("checked to be few"));
            self.data.push(value);
        }
        self.starts.push(self.data.len());
        self.rows += 1;
    }

    /// Checks what a file has, and puts it in the order of rows. O(rows + columns + values).
    ///
    /// # Errors
    ///
    /// [`DataError::BadSparse`] for parts that don't fit each other, and indices that are outside of the matrix.
    pub(crate) fn new(
        [rows, columns]: [usize; 2],
        stored: Stored,
        data: Vec<f64>,
        source_name: &str,
    ) -> Result<Self, DataError> {
        let bad = |problem| DataError::BadSparse { source_name: source_name.into(), problem };
        if rows == 0 || columns == 0 {
            return Err(DataError::Empty { source_name: source_name.into() });
        }
        let few = |length: usize| u32::try_from(length).is_ok();
        // Where rows start is known twice while they are put in order, whatever the number of values.
        let bytes = 2 * size_of::<usize>() as u64 * rows as u64;
        if !few(columns) || !few(rows) || bytes > budget(None) / 4 {
            let bytes = (rows as u128).saturating_mul(columns as u128).saturating_mul(4);
            return Err(too_large(source_name, bytes));
        }
        // Entries of a row each would be far more than there are values in a file that isn't made to fill the memory.
        let mut triples: Vec<(u32, u32, f64)> = Vec::new();
        let mut add = |row: usize, column: usize, value: f64| {
            let place = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
            triples.push((place(row), place(column), value));
        };
        match stored {
            Stored::Csr { indptr, indices } => {
                let starts = starts(&indptr, indices.len(), data.len(), [rows, columns], "rows");
                let starts = starts.map_err(bad)?;
                check_order(&starts, &indices, columns, ["row", "column"]).map_err(bad)?;
                let indices = indices.into_iter().map(|index| u32::try_from(index).unwrap_or(0));
                return Ok(Self { rows, columns, starts, indices: indices.collect(), data });
            }
            Stored::Csc { indptr, indices } => {
                let starts = starts(&indptr, indices.len(), data.len(), [columns, rows], "columns");
                let starts = starts.map_err(bad)?;
                check_order(&starts, &indices, rows, ["column", "row"]).map_err(bad)?;
                for (column, bounds) in starts.windows(2).enumerate() {
                    for entry in bounds[0]..bounds[1] {
                        add(usize::try_from(indices[entry]).unwrap_or(0), column, data[entry]);
                    }
                }
            }
            Stored::Coo { row, column } => {
                if row.len() != data.len() || column.len() != data.len() {
                    let (row, column, data) = (row.len(), column.len(), data.len());
                    return Err(bad(format!("{row} rows and {column} columns for {data} data")));
                }
                for (entry, value) in data.iter().enumerate() {
                    let row = place(row[entry], rows, "row", "value", entry).map_err(bad)?;
                    let column = place(column[entry], columns, "column", "value", entry);
                    add(row, column.map_err(bad)?, *value);
                }
            }
            Stored::Dia { offsets, length } => {
                if offsets.len().checked_mul(length) != Some(data.len()) {
                    let (offsets, data) = (offsets.len(), data.len());
                    return Err(bad(format!("{data} data for {offsets} diagonals of {length}")));
                }
                let diagonals = offsets.iter().zip(data.chunks(length.max(1)));
                for (&offset, diagonal) in diagonals {
                    // What is outside of the matrix is filling.
                    for (column, &value) in diagonal.iter().enumerate().take(columns) {
                        let row = (column as i64).checked_sub(offset);
                        let row = row.and_then(|row| usize::try_from(row).ok());
                        if let Some(row) = row.filter(|&row| row < rows && value != 0.0) {
                            add(row, column, value);
                        }
                    }
                }
            }
            Stored::Bsr { indptr, indices, block: [height, width] } => {
                let size = height.saturating_mul(width);
                if size == 0 || rows % height != 0 || columns % width != 0 {
                    return Err(bad(format!("blocks of {height} x {width} in {rows} x {columns}")));
                }
                let shape = [rows / height, columns / width];
                let n_blocks = data.len() / size;
                let starts = starts(&indptr, indices.len(), n_blocks, shape, "rows of blocks");
                let starts = starts.map_err(bad)?;
                check_order(&starts, &indices, shape[1], ["row", "column"]).map_err(bad)?;
                for (row, bounds) in starts.windows(2).enumerate() {
                    for entry in bounds[0]..bounds[1] {
                        let column = usize::try_from(indices[entry]).unwrap_or(0) * width;
                        let values = &data[entry * size..(entry + 1) * size];
                        for (at, &value) in values.iter().enumerate() {
                            add(row * height + at / width, column + at % width, value);
                        }
                    }
                }
            }
        }
        Self::of_triples([rows, columns], &triples, source_name)
    }

    /// Values by their rows, those of a row in the order in which they are given.
    fn of_triples(
        [rows, columns]: [usize; 2],
        triples: &[(u32, u32, f64)],
        source_name: &str,
    ) -> Result<Self, DataError> {
        let mut starts = reserve(rows + 1, source_name)?;
        starts.resize(rows + 1, 0);
        for &(row, ..) in triples {
            starts[row as usize + 1] += 1;
        }
        for row in 0..rows {
            starts[row + 1] += starts[row];
        }
        let mut next = starts.clone();
        let (mut indices, mut data) = (vec![0; triples.len()], vec![0.0; triples.len()]);
        for &(row, column, value) in triples {
            let place = &mut next[row as usize];
            (indices[*place], data[*place]) = (column, value);
            *place += 1;
        }
        Ok(Self { rows, columns, starts, indices, data })
    }

    /// Calls `tell` with place and value of all that is stored in some rows, the places counted from the first of them.
    fn each(&self, rows: Range<usize>, mut tell: impl FnMut(usize, f64)) {
        for (at, row) in rows.enumerate() {
            for entry in self.starts[row]..self.starts[row + 1] {
                tell(at * self.columns + self.indices[entry] as usize, self.data[entry]);
            }
        }
    }

    /// All values as the nearest 32-bit floats, row after row, length rows x columns.
    pub(crate) fn into_dense(self, source_name: &str) -> Result<Vec<f32>, DataError> {
        self.dense(0..self.rows, source_name)
    }

    /// Rows that are made dense some at a time.
    pub(super) fn blocks(self, source_name: &str) -> Box<dyn Blocks> {
        #[expect(clippy::cast_possible_truncation, reason = "what is asked")]
        let is_narrow = |value: &f64| f64::from(*value as f32) == *value || value.is_nan();
        let is_narrow = self.data.iter().all(is_narrow);
        Box::new(Dense { name: source_name.into(), matrix: self, next: 0, is_narrow })
    }

    /// The values of some rows as the nearest 32-bit floats, shape (n, columns).
    #[expect(clippy::cast_possible_truncation, reason = "features are 32-bit floats by design")]
    fn dense(&self, rows: Range<usize>, source_name: &str) -> Result<Vec<f32>, DataError> {
        let len = rows.len().saturating_mul(self.columns);
        let mut dense = reserve(len, source_name)?;
        dense.resize(len, 0.0);
        self.each(rows, |place, value| dense[place] += value as f32);
        Ok(dense)
    }
}

/// A matrix whose rows are made dense some at a time.
struct Dense {
    name: String,
    matrix: Csr,
    next: usize,
    /// Whether all values are 32-bit floats.
    is_narrow: bool,
}

impl Blocks for Dense {
    fn stays_sparse(&self) -> bool {
        let all = self.matrix.rows.saturating_mul(self.matrix.columns);
        all >= Features::LARGE && self.matrix.data.len() <= all / FEW
    }

    fn all(&mut self, wanted: &Wanted) -> Result<Option<Batch>, DataError> {
        let Some(narrow) = wanted.narrow.clone().filter(|_| wanted.keep_sparse) else {
            return Ok(None);
        };
        let Some((rows, narrow)) = self.matrix.kept(narrow, self.is_narrow, &self.name)? else {
            return Ok(None);
        };
        self.matrix = Csr::empty(self.matrix.columns);
        let none = Numbers::F32(Vec::new());
        let batch = Batch::new(rows.n_samples(), none, Vec::new(), Places::From(0));
        Ok(Some(Batch { narrow: Some(narrow), sparse: Some(rows), ..batch }))
    }

    fn next(&mut self) -> Result<Numbers, DataError> {
        let Self { name, matrix, next, is_narrow } = self;
        let rows = *next..matrix.rows.min(*next + step(matrix.columns));
        *next = rows.end;
        Ok(if *is_narrow {
            Numbers::F32(matrix.dense(rows, name)?)
        } else {
            let len = rows.len() * matrix.columns;
            let mut dense = reserve(len, name)?;
            dense.resize(len, 0.0);
            matrix.each(rows, |place, value| dense[place] += value);
            Numbers::F64(dense)
        })
    }
}

/// Where each row starts, of a matrix of `shape`; `lines` are what rows are called.
fn starts(
    indptr: &[i64],
    n_indices: usize,
    n_data: usize,
    shape: [usize; 2],
    lines: &str,
) -> Result<Vec<usize>, String> {
    let rows = shape[0];
    if n_indices != n_data {
        return Err(format!("{n_indices} indices for {n_data} data"));
    }
    if indptr.len() != rows + 1 {
        let pointers = indptr.len();
        return Err(format!(
            "indptr has {pointers} entries for {rows} {lines}, expected {lines} + 1"
        ));
    }
    let mut starts: Vec<usize> = Vec::with_capacity(rows + 1);
    for (position, &pointer) in indptr.iter().enumerate() {
        let before = starts.last().copied().unwrap_or(0);
        match usize::try_from(pointer).ok().filter(|&pointer| pointer >= before) {
            Some(pointer) => starts.push(pointer),
            None => return Err(format!("indptr is not ascending at position {position}")),
        }
    }
    match (starts[0], starts[rows]) {
        (0, last) if last == n_data => Ok(starts),
        (0, last) => Err(format!("indptr ends at {last}, but there are {n_data} data")),
        (first, _) => Err(format!("indptr starts at {first}, expected 0")),
    }
}

/// Checks that all indices are below `length`.
fn check_order(
    starts: &[usize],
    indices: &[i64],
    length: usize,
    [line, item]: [&str; 2],
) -> Result<(), String> {
    for (number, bounds) in starts.windows(2).enumerate() {
        for &index in &indices[bounds[0]..bounds[1]] {
            place(index, length, item, line, number)?;
        }
    }
    Ok(())
}

fn place(
    index: i64,
    length: usize,
    item: &str,
    line: &str,
    number: usize,
) -> Result<usize, String> {
    let place = usize::try_from(index).ok().filter(|&place| place < length);
    place.ok_or_else(|| {
        format!("{item} index {index} in {line} {number} is outside of the {length} {item}s")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn csr(indptr: &[i64], indices: &[i64], n_data: usize) -> Result<Csr, DataError> {
        let (indptr, indices) = (indptr.to_vec(), indices.to_vec());
        Csr::new([2, 3], Stored::Csr { indptr, indices }, vec![1.0; n_data], "x.npz")
    }

    fn dense(stored: Stored, shape: [usize; 2], data: Vec<f64>) -> Vec<f32> {
        Csr::new(shape, stored, data, "x").unwrap().into_dense("x").unwrap()
    }

    proptest! {
        #[test]
        fn dense_equals_adding_every_triple(
            (rows, columns) in (1..8usize, 1..8usize),
            entries in prop::collection::vec((0..64usize, 0..64usize, -9..9i8), 0..60),
        ) {
            let mut triples: Vec<_> = entries
                .into_iter()
                .map(|(row, column, value)| (row % rows, column % columns, f64::from(value)))
                .collect();
            let mut expected = vec![0.0; rows * columns];
            for &(row, column, value) in &triples {
                #[expect(clippy::cast_possible_truncation, reason = "it was one")]
                let value = value as f32;
                expected[row * columns + column] += value;
            }
            let signed = |values: Vec<usize>| values.iter().map(|&value| value as i64).collect();
            let values = |triples: &[(usize, usize, f64)]| triples.iter().map(|triple| triple.2).collect();
            let of = |at: fn(&(usize, usize, f64)) -> usize, triples: &[(usize, usize, f64)]| {
                signed(triples.iter().map(at).collect())
            };
            let pointers = |at: fn(&(usize, usize, f64)) -> usize, length: usize, triples: &[(usize, usize, f64)]| {
                signed((0..=length).map(|line| triples.iter().filter(|triple| at(triple) < line).count()).collect())
            };
            let coo = Stored::Coo { row: of(|t| t.0, &triples), column: of(|t| t.1, &triples) };
            prop_assert_eq!(&dense(coo, [rows, columns], values(&triples)), &expected);
            triples.sort_by_key(|triple| triple.0);
            let (indptr, indices) = (pointers(|t| t.0, rows, &triples), of(|t| t.1, &triples));
            let stored = Stored::Csr { indptr, indices };
            prop_assert_eq!(&dense(stored, [rows, columns], values(&triples)), &expected);
            triples.sort_by_key(|triple| triple.1);
            let (indptr, indices) = (pointers(|t| t.1, columns, &triples), of(|t| t.0, &triples));
            let stored = Stored::Csc { indptr, indices };
            prop_assert_eq!(&dense(stored, [rows, columns], values(&triples)), &expected);
        }
    }

    /// `scipy.sparse.dia_array(([[1, 2, 3], [4, 5, 6]], [0, 1]), shape=(2, 3)).toarray()` and
    /// `bsr_array((arange(1, 9).reshape(2, 2, 2), [1, 0], [0, 1, 2]), shape=(4, 4)).toarray()`.
    #[test]
    fn diagonals_and_blocks() {
        let data = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let found = dense(Stored::Dia { offsets: vec![0, 1], length: 3 }, [2, 3], data);
        assert_eq!(found, [1.0, 5.0, 0.0, 0.0, 2.0, 6.0]);
        let data = (1..9).map(f64::from).collect();
        let (indptr, indices) = (vec![0, 1, 2], vec![1, 0]);
        let found = dense(Stored::Bsr { indptr, indices, block: [2, 2] }, [4, 4], data);
        let expected = [
            [0.0, 0.0, 1.0, 2.0],
            [0.0, 0.0, 3.0, 4.0],
            [5.0, 6.0, 0.0, 0.0],
            [7.0, 8.0, 0.0, 0.0],
        ];
        assert_eq!(found, expected.concat());
    }

    #[test]
    fn blocks_are_what_is_dense() {
        let matrix = csr(&[0, 1, 3], &[1, 0, 2], 3).unwrap();
        let dense = matrix.clone().into_dense("x").unwrap();
        let Numbers::F32(block) = matrix.blocks("x").next().unwrap() else { panic!("not narrow") };
        assert_eq!(block, dense);
    }

    #[test]
    fn inconsistencies_are_named() {
        for (indptr, indices, n_data, words) in [
            (&[0, 2, 1][..], &[0][..], 1, "indptr is not ascending at position 2"),
            (&[0, -1, 1], &[0], 1, "indptr is not ascending at position 1"),
            (&[1, 1, 1], &[0], 1, "indptr starts at 1"),
            (&[0, 1], &[0], 1, "indptr has 2 entries for 2 rows"),
            (&[0, 1, 3], &[0, 1], 2, "indptr ends at 3, but there are 2 data"),
            (&[0, 1, 2], &[0, 3], 2, "column index 3 in row 1 is outside of the 3 columns"),
            (&[0, 1, 2], &[-1, 2], 2, "column index -1 in row 0"),
            (&[0, 1, 2], &[0, 1], 1, "2 indices for 1 data"),
        ] {
            let message = csr(indptr, indices, n_data).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn a_matrix_beyond_all_memory_is_an_error() {
        let stored = Stored::Csr { indptr: vec![0; 1 << 21], indices: Vec::new() };
        let shape = [(1 << 21) - 1, u32::MAX as usize];
        let matrix = Csr::new(shape, stored, Vec::new(), "x.npz").unwrap();
        let message = matrix.into_dense("x.npz").unwrap_err().to_string();
        assert!(message.contains("do not fit in memory"), "{message}");
    }
}
