//! Opening a file to read some rows at a time.

use std::io::Read;
use std::path::Path;

use super::rows::{Array, Rows, Selected, TableRows, Values, Whole, check, has_numbers};
use crate::read::assemble::places;
use crate::read::npz::Streamed;
use crate::read::numbers::count_values;
use crate::read::part::check_count;
use crate::read::path::{is_zip_of_files, may_be_texts, not_a_table, open, open_table};
use crate::read::source::{Format, Location, Source};
use crate::read::{idx, npy, npz, read_dataset_as, texts};
use crate::records::{Request, Table};
use crate::{DataError, Missing, Recipe, Truth};

/// A file that was opened.
pub(super) struct Part {
    pub(super) name: String,
    /// `None` where the first row decides.
    pub(super) width: Option<usize>,
    /// `None` if only the end tells.
    pub(super) n_rows: Option<usize>,
    pub(super) rows: Box<dyn Rows>,
    /// From beside the data; the rows may have another.
    truth: Option<Truth>,
    pub(super) may_have_truth: bool,
    /// What all rows are called, from beside the data; the rows may say it themselves.
    ids: Option<std::vec::IntoIter<String>>,
    pub(super) has_ids: bool,
    pub(super) feature_names: Option<Vec<String>>,
    /// Rows given so far.
    pub(super) given: usize,
}

impl Part {
    /// Opens a file that can be read piece by piece; `None` for one that can't.
    pub(super) fn open(path: &Path, request: Request<'_>) -> Result<Option<Self>, DataError> {
        let Location::File { path, dataset } = Location::resolve(path) else { return Ok(None) };
        if path.is_dir() {
            return Ok(None);
        }
        let (mut source, format) = open(&path, dataset.as_deref())?;
        match format {
            Format::Npy => Self::of_npy(source),
            Format::Idx => Self::of_idx(source),
            Format::Npz if dataset.is_none() && is_zip_of_files(&path)? => Ok(None),
            Format::Npz => Self::of_npz(&path, dataset.as_deref(), request),
            Format::Hdf5 => Self::of_hdf5(&path, dataset.as_deref()),
            Format::Text if may_be_texts(&path) && texts::is_texts(&mut source, request)? => {
                Ok(None)
            }
            format => {
                let table = open_table(format, &path, request)?;
                Ok(table.filter(has_numbers).map(|table| Self::of_table(table, request)))
            }
        }
    }

    /// Reads a whole file.
    pub(super) fn whole(path: &Path, recipe: &Recipe) -> Result<Self, DataError> {
        let name = Location::resolve(path).name();
        let data = read_dataset_as(&[path.into()], &[], recipe)?;
        let (n_rows, width) = (data.features.n_samples(), data.features.n_features());
        let rows = Box::new(Whole { features: data.features, next: 0 });
        let part = Self::of_rows(name, Some(width), Some(n_rows), rows);
        Ok(part.with_names(data.truth, data.ids, data.recipe.feature_names))
    }

    /// Rows with nothing beside them.
    fn of_rows(
        name: String,
        width: Option<usize>,
        n_rows: Option<usize>,
        rows: Box<dyn Rows>,
    ) -> Self {
        Self {
            name,
            width,
            n_rows,
            rows,
            truth: None,
            may_have_truth: false,
            ids: None,
            has_ids: false,
            feature_names: None,
            given: 0,
        }
    }

    /// With what is beside the rows.
    fn with_names(
        self,
        truth: Option<Truth>,
        ids: Option<Vec<String>>,
        feature_names: Option<Vec<String>>,
    ) -> Self {
        let (may_have_truth, has_ids) = (truth.is_some(), ids.is_some());
        let ids = ids.map(Vec::into_iter);
        Self { truth, may_have_truth, ids, has_ids, feature_names, ..self }
    }

    /// The next rows, as [`Rows::next`] gives them, their values and their ids checked.
    pub(super) fn next(
        &mut self,
        limit: usize,
        values: &mut Vec<f32>,
        ids: &mut Option<Vec<String>>,
    ) -> Result<usize, DataError> {
        let before = values.len();
        let read = self.rows.next(limit, values, ids)?;
        if read == 0 {
            return Ok(0);
        }
        let added = &values[before..];
        check(added, added.len() / read, self.given, &self.name)?;
        if let Some(all) = &mut self.ids {
            *ids = Some(all.take(read).collect());
        }
        self.given += read;
        Ok(read)
    }

    /// Number of features; reads the first row if that decides.
    pub(super) fn find_width(&mut self) -> Result<usize, DataError> {
        if self.width.is_none() {
            self.width = self.rows.width()?;
        }
        let width = self.width.filter(|&width| width > 0);
        width.ok_or_else(|| DataError::Empty { source_name: self.name.clone() })
    }

    /// The classes of all rows, after the last.
    pub(super) fn truth(&mut self) -> Result<Option<Truth>, DataError> {
        Ok(self.rows.truth()?.or(self.truth.take()))
    }

    fn of_table(table: Table, request: Request<'_>) -> Self {
        let (name, width) = (table.schema.name.clone(), table.roles.n_features());
        let id = table.roles.id.is_some() || request.options.missing == Missing::Drop;
        let label = table.roles.label.is_some();
        let feature_names = table.feature_names();
        let rows = Box::new(TableRows::new(table, request));
        let part = Self::of_rows(name, width, None, rows);
        Self { may_have_truth: label && request.with_truth, has_ids: id, feature_names, ..part }
    }

    fn of_npy(mut source: Source) -> Result<Option<Self>, DataError> {
        source.expect_magic(Format::Npy, ".npy")?;
        let header = npy::Header::read(&mut source.reader, &source.name)?;
        Self::of_array(source.name, header, source.available, source.reader)
    }

    fn of_idx(mut source: Source) -> Result<Option<Self>, DataError> {
        let idx::Header { encoding, shape, len } = idx::Header::read(&mut source)?;
        let values = Values { reader: source.reader, encoding, position: len, expected: 0 };
        Self::of_values(source.name, &shape, source.available, values)
    }

    fn of_npz(
        path: &Path,
        member: Option<&str>,
        request: Request<'_>,
    ) -> Result<Option<Self>, DataError> {
        let streamed = npz::stream(path, member, request.with_truth)?;
        let Some(Streamed { name, mut reader, available, truth, ids, feature_names }) = streamed
        else {
            return Ok(None);
        };
        let header = npy::Header::read(&mut reader, &name)?;
        let Some(mut part) = Self::of_array(name, header, available, reader)? else {
            return Ok(None);
        };
        if let (Some(truth), Some(rows)) = (&truth, part.n_rows) {
            check_count(truth, rows, &format!("{}, labels beside the data", path.display()))?;
        }
        if let (Some(names), Some(wanted)) = (&feature_names, request.wanted)
            && names != wanted
        {
            part = part.select(places(names, wanted, &path.display().to_string())?);
        }
        Ok(Some(part.with_names(truth, ids, feature_names)))
    }

    /// Columns of an array in another order.
    fn select(self, order: Vec<usize>) -> Self {
        let Some(width) = self.width else { return self };
        let (name, rows, wanted) = (self.name.clone(), self.rows, order.len());
        let selected = Selected { name, rows, width, order, given: 0, buffer: Vec::new() };
        Self { width: Some(wanted), rows: Box::new(selected), ..self }
    }

    fn of_array(
        name: String,
        header: npy::Header,
        available: u64,
        reader: Box<dyn Read>,
    ) -> Result<Option<Self>, DataError> {
        if header.fortran_order {
            return Ok(None);
        }
        let (encoding, position) = (header.encoding(&name)?, header.len);
        let values = Values { reader, encoding, position, expected: 0 };
        Self::of_values(name, &header.shape, available, values)
    }

    /// `available`: bytes that there can be, those before the values included.
    fn of_values<R: Read + 'static>(
        name: String,
        shape: &[usize],
        available: u64,
        mut values: Values<R>,
    ) -> Result<Option<Self>, DataError> {
        let (n_rows, width) = table(shape, &name)?;
        let (size, before) = (values.encoding.kind.size(), values.position);
        let room = available.saturating_sub(before);
        let count = count_values(shape, size, before, room, &name)?;
        values.expected = before + (count * size) as u64;
        let rows = Box::new(Array { name: name.clone(), width, left: n_rows, values });
        Ok(Some(Self::of_rows(name, Some(width), Some(n_rows), rows)))
    }

    #[cfg(feature = "hdf5")]
    fn of_hdf5(path: &Path, dataset: Option<&str>) -> Result<Option<Self>, DataError> {
        let slabs = crate::read::h5::Slabs::open(path, dataset)?;
        let (n_rows, width) = table(&slabs.shape(), slabs.name())?;
        let name = slabs.name().to_owned();
        let rows = Box::new(super::rows::Hdf5 { slabs, width, block: Vec::new(), used: 0 });
        Ok(Some(Self::of_rows(name, Some(width), Some(n_rows), rows)))
    }

    #[cfg(not(feature = "hdf5"))]
    fn of_hdf5(path: &Path, _dataset: Option<&str>) -> Result<Option<Self>, DataError> {
        Err(DataError::WithoutHdf5 { source_name: path.display().to_string() })
    }
}

/// Rows and columns of an array whose first axis is that of the samples.
fn table(shape: &[usize], name: &str) -> Result<(usize, usize), DataError> {
    let [rows, rest @ ..] = shape else { return Err(not_a_table(name, shape)) };
    if rest.is_empty() {
        return Err(not_a_table(name, shape));
    }
    let width = rest.iter().fold(1_usize, |width, &length| width.saturating_mul(length));
    if *rows == 0 || width == 0 {
        return Err(DataError::Empty { source_name: name.into() });
    }
    Ok((*rows, width))
}
