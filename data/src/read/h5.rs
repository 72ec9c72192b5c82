//! Datasets of HDF5 files.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use hdf5::filters::Filter;
use hdf5::types::{
    FixedAscii, FixedUnicode, FloatSize, IntSize, TypeDescriptor, VarLenAscii, VarLenUnicode,
};
use hdf5::{Dataset, File, Group, Hyperslab, LocationType, SliceOrIndex};
use ndarray::IxDyn;

use super::array::{Blocks, Opened, columns_alone};
use super::h5_links;
use super::numbers::{Kind, Target, Width, count_values, integers, reserve};
use super::source::{Role, inflated_at_most};
use super::strings::Cells;
use crate::DataError;
use crate::records::roles::is_usual_label;
use crate::records::{self, Column, Numbers, PartInfo, Records};

/// Longer strings of fixed length aren't read, in bytes.
const FIXED: usize = 256;
/// Groups in groups are searched this deep.
const MAX_DEPTH: usize = 8;
/// More datasets than this aren't listed.
pub(crate) const MAX_LISTED: usize = 200;
/// Values read and converted at a time, about.
const BLOCK: usize = 1 << 20;

/// Opens a dataset: the one named, else the only 2-D one.
pub(super) fn open_records(path: &Path, dataset: Option<&str>) -> Result<Records, DataError> {
    let file_name = path.display().to_string();
    let dataset = choose(path, dataset, Role::Data)?;
    let name = format!("{file_name}:{}", dataset.name());
    let kind = kind(&dataset, &name)?;
    let mut info = PartInfo::new(&file_name, format(&dataset, kind), &dataset.shape());
    info.member = Some(dataset.name());
    let slabs = Slabs::new(dataset, &name, kind)?;
    Opened::alone(name, info, Box::new(slabs)).records()
}

/// Opens the datasets of one dimension that are in no group as the columns of a table: as many values as the first that is called
/// like labels has, else as the first has.
pub(super) fn open_columns(path: &Path) -> Result<Records, DataError> {
    let (file_name, file) = (path.display().to_string(), open(path)?);
    let mut seen = HashSet::new();
    let mut lists = in_group(&file, false, &mut seen);
    lists.extend(in_group(&file, true, &mut seen));
    lists.retain(|dataset| dataset.ndim() == 1);
    lists.sort_by_key(|dataset| dataset.name());
    let own = |dataset: &Dataset| dataset.name().trim_start_matches('/').to_owned();
    let labels = lists.iter().find(|dataset| is_usual_label(&own(dataset)));
    let n_rows = labels.or(lists.first()).map_or(0, |dataset| dataset.size());
    let kind = |dataset: &Dataset| match dataset.size() == n_rows {
        true => column_kind(dataset),
        false => records::Kind::Other(format!("shape {:?}", dataset.shape())),
    };
    let columns = lists.iter().map(|dataset| Column::new(own(dataset), kind(dataset))).collect();
    let info = PartInfo::new(&file_name, "HDF5".into(), &[n_rows]);
    let name = file_name.clone();
    let beside = Box::new(move |column: usize| {
        let dataset: &Dataset = &lists[column];
        Ok(cells(dataset, &format!("{file_name}:{}", dataset.name()))?.into_words())
    });
    Ok(columns_alone(name, info, (columns, n_rows), beside))
}

/// Reads a dataset as such, its shape and its values: the one named, else the only 2-D one (for labels, the only 1-D one).
pub(super) fn read_cells(
    path: &Path,
    dataset: Option<&str>,
    role: Role,
) -> Result<(Vec<usize>, Cells), DataError> {
    let dataset = choose(path, dataset, role)?;
    let name = format!("{}:{}", path.display(), dataset.name());
    let shape = dataset.shape();
    if shape.is_empty() {
        let (source_name, expected) = (name, "one dimension or more");
        return Err(DataError::Dimensions { source_name, found: shape, expected });
    }
    Ok((shape, cells(&dataset, &name)?))
}

/// What a dataset holds, as a column.
pub(super) fn column_kind(dataset: &Dataset) -> records::Kind {
    let descriptor = dataset.dtype().ok().and_then(|datatype| datatype.to_descriptor().ok());
    match (descriptor, kind(dataset, "")) {
        (
            Some(
                TypeDescriptor::VarLenUnicode
                | TypeDescriptor::VarLenAscii
                | TypeDescriptor::FixedUnicode(_)
                | TypeDescriptor::FixedAscii(_),
            ),
            _,
        ) => records::Kind::Words,
        (_, Ok(Kind::Bool)) => records::Kind::Booleans,
        (_, Ok(_)) => records::Kind::Numbers,
        _ => records::Kind::Other("another type".into()),
    }
}

/// All values of a dataset.
pub(super) fn cells(dataset: &Dataset, name: &str) -> Result<Cells, DataError> {
    let strings = dataset.dtype().ok().and_then(|datatype| datatype.to_descriptor().ok());
    let words = |error: &hdf5::Error| unreadable(error, name);
    macro_rules! words {
        ($type:ty) => {{
            check_size(dataset, 1, name)?;
            let words = dataset.read_raw::<$type>().map_err(|error| words(&error))?;
            Cells::Words(words.iter().map(|word| word.as_str().to_owned()).collect())
        }};
    }
    Ok(match strings {
        Some(TypeDescriptor::VarLenUnicode) => words!(VarLenUnicode),
        Some(TypeDescriptor::VarLenAscii) => words!(VarLenAscii),
        Some(TypeDescriptor::FixedUnicode(0..=FIXED)) => words!(FixedUnicode<FIXED>),
        Some(TypeDescriptor::FixedAscii(0..=FIXED)) => words!(FixedAscii<FIXED>),
        _ => {
            let kind = kind(dataset, name)?;
            let count = check_size(dataset, kind.size(), name)?;
            let mut values = reserve(count, name)?;
            if count > 0 {
                let rows = dataset.shape()[0];
                read_slab(dataset, kind, 0, 0..rows, name, &mut values)?;
            }
            Cells::Numbers(values)
        }
    })
}

/// The dataset named, else the only 2-D one (for labels, the only 1-D one).
fn choose(path: &Path, dataset: Option<&str>, role: Role) -> Result<Dataset, DataError> {
    let (file_name, file) = (path.display().to_string(), open(path)?);
    match dataset {
        Some(name) => named(&file, name, &file_name),
        None => only_one(&file, if role == Role::Labels { 1 } else { 2 }, &file_name),
    }
}

/// The rows of a dataset, read in whole chunks, as each is unpacked every time that a part of it is asked for.
pub(super) struct Slabs {
    dataset: Dataset,
    name: String,
    kind: Kind,
    /// The first row that hasn't been read, and how many are read at a time.
    next: usize,
    step: usize,
}

impl Slabs {
    pub(super) fn new(dataset: Dataset, name: &str, kind: Kind) -> Result<Self, DataError> {
        let count = check_size(&dataset, kind.size(), name)?;
        let width = count / dataset.shape().first().map_or(1, |&rows| rows.max(1));
        let step = whole_chunks(&dataset, 0, (BLOCK / width.max(1)).max(1));
        Ok(Self { dataset, name: name.into(), kind, next: 0, step })
    }
}

impl Blocks for Slabs {
    fn next(&mut self) -> Result<Numbers, DataError> {
        let rows = self.dataset.shape()[0];
        let range = self.next..self.next.saturating_add(self.step).min(rows);
        self.next = range.end;
        macro_rules! read {
            ($values:ident) => {
                read_slab(&self.dataset, self.kind, 0, range, &self.name, &mut $values)?
            };
        }
        Ok(match self.kind.width() {
            Width::F32 => {
                let mut values = Vec::new();
                read!(values);
                Numbers::F32(values)
            }
            Width::F64 => {
                let mut values = Vec::new();
                read!(values);
                Numbers::F64(values)
            }
            Width::I64 => {
                let mut values = Vec::new();
                read!(values);
                integers(&values)
            }
        })
    }
}

/// Opens a file to read it, if no other one would be opened with it.
pub(crate) fn open(path: &Path) -> Result<File, DataError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| corrupt(&error, &name))?;
    match h5_links::to_other_file(&file).map_err(|error| corrupt(&error, &name))? {
        None => Ok(file),
        Some((link, target)) => Err(DataError::Unsupported {
            source_name: format!("{name}:{link}"),
            found: format!("a link to another file ({target})"),
            supported: "what it leads to in the file itself: in h5py, file.copy(group, NEW, expand_external=True)",
        }),
    }
}

/// The dataset `name`, or an error that lists those that there are.
pub(crate) fn named(file: &File, name: &str, file_name: &str) -> Result<Dataset, DataError> {
    file.dataset(name).map_err(|_| DataError::MissingMember {
        source_name: file_name.into(),
        wanted: format!("dataset {name}"),
        found: datasets(file).iter().map(described).collect(),
    })
}

/// Refuses values that are in other files, which a stranger's file could name at will.
fn check_storage(dataset: &Dataset, name: &str) -> Result<(), DataError> {
    let plist = dataset.dcpl().map_err(|error| corrupt(&error, name))?;
    let found = match plist.layout() {
        hdf5::plist::dataset_create::Layout::Virtual => {
            "a virtual dataset, with its values in other files"
        }
        _ if !plist.external().is_empty() => "a dataset with its values in other files (external)",
        _ => return Ok(()),
    };
    Err(DataError::Unsupported {
        source_name: name.into(),
        found: found.into(),
        supported: "values in the file itself: in h5py, copy = file.create_dataset(NAME, data=dataset[:])",
    })
}

/// Number of values of a dataset, if the file is large enough for them to be there.
pub(crate) fn check_size(dataset: &Dataset, size: usize, name: &str) -> Result<usize, DataError> {
    check_storage(dataset, name)?;
    let len = dataset.file().map_err(|error| corrupt(&error, name))?.size();
    let available = if dataset.is_chunked() { inflated_at_most(len) } else { len };
    count_values(&dataset.shape(), size, 0, available, name)
}

/// All datasets of a file, by name: each once, under the name that it has for sure, whatever links lead to it.
pub(crate) fn datasets(file: &File) -> Vec<Dataset> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for soft in [false, true] {
        collect(file, (0, soft), &mut HashSet::new(), &mut seen, &mut found);
    }
    found.sort_by_key(|dataset| dataset.name());
    found
}

/// `groups` and `seen`: groups and datasets that were come to.
fn collect(
    group: &Group,
    (depth, soft): (usize, bool),
    groups: &mut HashSet<String>,
    seen: &mut HashSet<String>,
    found: &mut Vec<Dataset>,
) {
    let is_new = group.loc_info().is_ok_and(|info| groups.insert(h5_links::identity(&info)));
    if !is_new || depth > MAX_DEPTH || found.len() >= MAX_LISTED {
        return;
    }
    found.extend(in_group(group, soft, seen));
    for name in h5_links::names(group, soft) {
        if let Ok(group) = group.group(&name) {
            collect(&group, (depth + 1, soft), groups, seen, found);
        }
    }
}

/// The datasets of a group that weren't `seen`, by hard links or by any.
fn in_group(group: &Group, soft: bool, seen: &mut HashSet<String>) -> Vec<Dataset> {
    let mut found = Vec::new();
    for name in h5_links::names(group, soft) {
        // A link by name may lead nowhere.
        let Ok(info) = group.loc_info_by_name(&name) else { continue };
        if info.loc_type == LocationType::Dataset && seen.insert(h5_links::identity(&info)) {
            found.extend(group.dataset(&name));
        }
    }
    found
}

fn described(dataset: &Dataset) -> String {
    format!("{} {:?}", dataset.name(), dataset.shape())
}

/// The only dataset of so many dimensions.
pub(crate) fn only_one(
    file: &File,
    n_dimensions: usize,
    file_name: &str,
) -> Result<Dataset, DataError> {
    let all = datasets(file);
    let mut fitting = all.iter().filter(|dataset| dataset.ndim() == n_dimensions);
    match (fitting.next(), fitting.next()) {
        (Some(dataset), None) => Ok(dataset.clone()),
        _ => Err(DataError::MissingMember {
            source_name: file_name.into(),
            wanted: format!(
                "{n_dimensions}-D dataset that is the only one; choose one by {file_name}:/NAME"
            ),
            found: all.iter().map(described).collect(),
        }),
    }
}

/// The number type of a dataset.
pub(crate) fn kind(dataset: &Dataset, name: &str) -> Result<Kind, DataError> {
    let datatype = dataset.dtype().map_err(|error| corrupt(&error, name))?;
    let found = match datatype.to_descriptor() {
        Ok(TypeDescriptor::Boolean) => return Ok(Kind::Bool),
        Ok(TypeDescriptor::Unsigned(IntSize::U1)) => return Ok(Kind::U8),
        Ok(TypeDescriptor::Unsigned(IntSize::U2)) => return Ok(Kind::U16),
        Ok(TypeDescriptor::Unsigned(IntSize::U4)) => return Ok(Kind::U32),
        Ok(TypeDescriptor::Unsigned(IntSize::U8)) => return Ok(Kind::U64),
        Ok(TypeDescriptor::Integer(IntSize::U1)) => return Ok(Kind::I8),
        Ok(TypeDescriptor::Integer(IntSize::U2)) => return Ok(Kind::I16),
        Ok(TypeDescriptor::Integer(IntSize::U4)) => return Ok(Kind::I32),
        Ok(TypeDescriptor::Integer(IntSize::U8)) => return Ok(Kind::I64),
        Ok(TypeDescriptor::Float(FloatSize::U4)) => return Ok(Kind::F32),
        Ok(TypeDescriptor::Float(FloatSize::U8)) => return Ok(Kind::F64),
        Ok(descriptor) => descriptor.to_string(),
        // The library has no name for half floats, but HDF5 converts them.
        Err(_) if datatype.size() == 2 => return Ok(Kind::F16),
        Err(error) => error.to_string(),
    };
    Err(DataError::Unsupported {
        source_name: name.into(),
        found: format!("values of HDF5 type {found}"),
        supported: "integers, floats or booleans",
    })
}

/// What a dataset is, in words.
pub(crate) fn format(dataset: &Dataset, kind: Kind) -> String {
    let chunked = if dataset.is_chunked() { ", chunked" } else { "" };
    let filters = dataset.filters();
    let packed = filters.iter().find_map(|filter| match filter {
        Filter::Deflate(_) => Some(", gzip"),
        Filter::LZF => Some(", LZF"),
        _ => None,
    });
    format!("HDF5, {}{chunked}{}", kind.name(), packed.unwrap_or_default())
}

/// `length` rounded up to whole chunks along an axis, as each is unpacked every time that a part of it is asked for.
pub(crate) fn whole_chunks(dataset: &Dataset, axis: usize, length: usize) -> usize {
    let chunk = dataset.chunk().and_then(|chunk| chunk.get(axis).copied()).unwrap_or(1).max(1);
    length.div_ceil(chunk).saturating_mul(chunk)
}

/// Appends the values in `range` of an axis, all of the others, in C order.
pub(crate) fn read_slab<T: Target>(
    dataset: &Dataset,
    kind: Kind,
    axis: usize,
    range: Range<usize>,
    name: &str,
    values: &mut Vec<T>,
) -> Result<(), DataError> {
    macro_rules! read {
        ($type:ty, $convert:expr) => {{
            let mut slices: Vec<SliceOrIndex> =
                dataset.shape().into_iter().map(|length| (0..length).into()).collect();
            slices[axis] = range.into();
            let slab = dataset
                .read_slice::<$type, _, IxDyn>(Hyperslab::from(slices))
                .map_err(|error| unreadable(&error, name))?;
            values.extend(slab.iter().map(|&value| $convert(value)));
        }};
    }
    match kind {
        Kind::Bool => read!(bool, |value: bool| T::from_unsigned(value.into())),
        Kind::U8 => read!(u8, |value: u8| T::from_unsigned(value.into())),
        Kind::U16 => read!(u16, |value: u16| T::from_unsigned(value.into())),
        Kind::U32 => read!(u32, |value: u32| T::from_unsigned(value.into())),
        Kind::U64 => read!(u64, T::from_unsigned),
        Kind::I8 => read!(i8, |value: i8| T::from_signed(value.into())),
        Kind::I16 => read!(i16, |value: i16| T::from_signed(value.into())),
        Kind::I32 => read!(i32, |value: i32| T::from_signed(value.into())),
        Kind::I64 => read!(i64, T::from_signed),
        Kind::F16 | Kind::F32 => read!(f32, |value: f32| T::from_float(value.into())),
        Kind::F64 => read!(f64, T::from_float),
    }
    Ok(())
}

/// An error of reading values: a filter that isn't built in, or damage.
pub(crate) fn unreadable(error: &hdf5::Error, name: &str) -> DataError {
    let message = one_line(error);
    if message.contains("filter") && message.contains("not registered") {
        return DataError::Unsupported {
            source_name: name.into(),
            found: format!("values packed in a way that isn't built in ({message})"),
            supported: "plain values, and those packed with gzip or LZF (h5repack -f GZIP=4 OLD NEW)",
        };
    }
    corrupt(error, name)
}

pub(super) fn corrupt(error: &hdf5::Error, name: &str) -> DataError {
    DataError::Corrupt { source_name: name.into(), problem: one_line(error) }
}

/// HDF5's own words, without line breaks.
pub(crate) fn one_line(error: &hdf5::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use hdf5::File;

    use super::*;

    fn open_error(path: &Path) -> String {
        open_records(path, None).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn values_that_lzf_packs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u2.h5");
        let values: Vec<f64> = (0..27).map(f64::from).collect();
        let array = ndarray::Array2::from_shape_vec((9, 3), values).unwrap();
        let file = File::create(&path).unwrap();
        file.new_dataset_builder().with_data(&array).chunk((3, 3)).lzf().create("X").unwrap();
        drop(file);
        let data = crate::read_dataset(&[path], &[]).unwrap();
        assert_eq!(data.parts[0].format, "HDF5, float64, chunked, LZF");
        assert_eq!(data.features.row(8), [24.0, 25.0, 26.0]);
    }

    #[test]
    fn values_in_other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.h5");
        let file = File::create(&path).unwrap();
        let builder = file.new_dataset::<f32>().shape((2, 2)).external("/etc/passwd", 0, 16);
        builder.create("X").unwrap();
        drop(file);
        assert!(open_error(&path).contains("other files"), "{}", open_error(&path));
    }
}
