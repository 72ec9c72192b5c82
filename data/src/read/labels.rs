//! Labels of any source: a column of a table, an array, lines of text, a folder of folders, or what a run left.

use std::path::{Path, PathBuf};

#[cfg(feature = "hdf5")]
use super::anndata;
use super::archive_bytes::Bytes;
use super::encoding::{Text, decode, read_to_end};
#[cfg(feature = "hdf5")]
use super::h5;
use super::npz;
use super::numbers::{Number, Target};
use super::path::{is_zip_of_files, open_records, read_cells, read_part};
use super::source::{Format, Location, Role, Source};
use super::strings::Cells;
use crate::records::{Fitted, LabelRoles, LabelsAs, Request, SampleLabels};
use crate::{DataError, Dataset, GivenLabels, Missing, PairedBy, ReadOptions, Recipe, Truth};

/// First lines that name the column rather than the first sample's class.
const HEADERS: [&str; 10] = [
    "label", "labels", "class", "classes", "cluster", "target", "truth", "category", "y", "species",
];
/// What a run folder says in how its data were read.
const RECIPE: &str = "recipe.json";
/// What a run folder has its clusters in.
const ASSIGNMENTS: &str = "assignments.csv";

/// Reads labels, with what the files call their samples, and stacks them: a column of a table, whole numbers or strings of shape
/// (n), (n, 1) or (1, n) in an array, a line each of a text file, names of folders, or the clusters of a run folder.
///
/// # Arguments
///
/// * `lenient`: columns that `options` name needn't be there, as they are another file's.
///
/// # Errors
///
/// [`DataError`] for a file that can't be read or understood, and columns that aren't there or of which several may be the labels.
pub fn read_sample_labels(
    paths: &[PathBuf],
    options: &ReadOptions,
    purpose: LabelsAs,
    lenient: bool,
) -> Result<SampleLabels, DataError> {
    let request = LabelRequest { options, purpose, lenient };
    let mut all: Option<SampleLabels> = None;
    for path in paths {
        let mut read = read(path, request)?;
        // Rows with missing values were left out.
        if recipe_of_run(path).is_some_and(|recipe| recipe.options.missing == Missing::Drop) {
            read = read.of_part();
        }
        match &mut all {
            None => all = Some(read),
            Some(all) => all.extend(&read)?,
        }
    }
    all.ok_or(DataError::NoFiles)
}

/// As [`read_sample_labels`], as the truth of samples in the files' own order.
///
/// # Errors
///
/// As [`read_sample_labels`], and labels that are missing or not whole.
pub fn read_labels(paths: &[PathBuf]) -> Result<Truth, DataError> {
    read_sample_labels(paths, &ReadOptions::default(), LabelsAs::Truth, false)?.truth()
}

/// Reads labels to train on, as [`read_sample_labels`] reads others, and pairs them with the samples of `data`, by ids if both have them.
///
/// # Errors
///
/// As [`read_sample_labels`] and [`SampleLabels::given_of`].
pub fn read_given_labels(
    paths: &[PathBuf],
    options: &ReadOptions,
    data: &Dataset,
) -> Result<(GivenLabels, PairedBy), DataError> {
    let options = options.for_labels();
    let id_column = data.recipe.for_labels().id_column.or(options.id_column);
    let options = ReadOptions { id_column, ..options };
    let labels = read_sample_labels(paths, &options, LabelsAs::Given, true)?;
    labels.given_of(&data.name, &data.keys())
}

/// How the data of a run were read, of its folder or a file in it; `None` for other files.
#[must_use]
pub fn recipe_of_run(path: &Path) -> Option<Recipe> {
    let recipe = if path.is_dir() { path.join(RECIPE) } else { path.with_file_name(RECIPE) };
    serde_json::from_str(&std::fs::read_to_string(recipe).ok()?).ok()
}

/// How labels are to be read.
#[derive(Clone, Copy)]
struct LabelRequest<'a> {
    options: &'a ReadOptions,
    purpose: LabelsAs,
    lenient: bool,
}

fn read(path: &Path, request: LabelRequest<'_>) -> Result<SampleLabels, DataError> {
    let location = Location::resolve(path);
    let name = location.name();
    let Location::File { path, dataset: None } = &location else { return of_array(&location) };
    if path.is_dir() {
        let assignments = path.join(ASSIGNMENTS);
        return match assignments.is_file() {
            true => read(&assignments, request),
            false => beside(path, name, request),
        };
    }
    let mut source = Source::open(path)?;
    let is_lines = path.extension().is_some_and(|extension| extension == "txt");
    match source.format(path)? {
        Format::Text if is_lines => of_lines(source, request),
        Format::Npz if is_zip_of_files(path)? => beside(path, name, request),
        Format::Npy | Format::Idx => of_array(&location),
        Format::Npz | Format::Hdf5 => of_arrays(&location, path, request),
        Format::Text | Format::Parquet | Format::Arrow | Format::JsonLines => {
            of_table(&location, request)
        }
    }
}

/// Arrays beside one another, of which one may say what samples are called, or which rows of the data they are.
fn of_arrays(
    location: &Location,
    path: &Path,
    request: LabelRequest<'_>,
) -> Result<SampleLabels, DataError> {
    let LabelRequest { options, purpose, lenient } = request;
    let mut records = match Source::open(path)?.format(path)? {
        Format::Npz => npz::open_columns(Bytes::File(path.into()), &location.name())?,
        #[cfg(feature = "hdf5")]
        _ => match anndata::open_records(path, None)? {
            Some(records) => records,
            None => h5::open_columns(path)?,
        },
        #[cfg(not(feature = "hdf5"))]
        _ => return of_array(location),
    };
    match LabelRoles::choose(&mut records.schema, options, purpose, lenient) {
        Ok(roles) => SampleLabels::read(records, &roles),
        // Where nothing says which rows they are, an array is taken by its form, too.
        Err(DataError::SeveralLabels { .. }) => of_array(location),
        Err(error) => Err(error),
    }
}

/// A column of labels.
fn of_table(location: &Location, request: LabelRequest<'_>) -> Result<SampleLabels, DataError> {
    let LabelRequest { options, purpose, lenient } = request;
    let mut records = open_records(location, options).map_err(no_labels)?;
    // An empty line is a label that is missing, and a comma is part of one.
    if let Location::File { path, .. } = location
        && records.schema.columns.len() == 1
        && Source::open(path)?.format(path)? == Format::Text
    {
        return of_lines(Source::open(path)?, request);
    }
    let roles = LabelRoles::choose(&mut records.schema, options, purpose, lenient)?;
    SampleLabels::read(records, &roles)
}

/// A table without rows is one without labels.
fn no_labels(error: DataError) -> DataError {
    match error {
        DataError::NoRows { source_name } | DataError::Empty { source_name } => {
            DataError::NoLabels { source_name }
        }
        error => error,
    }
}

/// The classes that folders are.
fn beside(
    path: &Path,
    source_name: String,
    request: LabelRequest<'_>,
) -> Result<SampleLabels, DataError> {
    let options = request.options;
    let fitted = Fitted::default();
    let request =
        Request { options, wanted: None, lenient: true, with_truth: true, fitted: &fitted };
    let part = match read_part(path, request) {
        Err(DataError::NoImages { .. }) if path.is_dir() => {
            return Err(DataError::NoRunFolder { source_name });
        }
        part => part?,
    };
    let Some(truth) = part.truth else {
        return Err(match path.is_dir() {
            true => DataError::NoRunFolder { source_name },
            false => DataError::NoLabels { source_name },
        });
    };
    Ok(SampleLabels::beside(&source_name, &truth, part.ids))
}

/// Strings or whole numbers.
fn of_array(location: &Location) -> Result<SampleLabels, DataError> {
    let name = location.name();
    let (shape, cells) = read_cells(location, Role::Labels)?;
    of_cells(&shape, cells, &name)
}

fn of_cells(shape: &[usize], cells: Cells, name: &str) -> Result<SampleLabels, DataError> {
    check_shape(shape, name)?;
    if shape.contains(&0) {
        return Err(DataError::NoLabels { source_name: name.into() });
    }
    let words = cells.into_words().into_iter().map(Option::unwrap_or_default);
    Ok(SampleLabels::in_order(name, words))
}

fn check_shape(shape: &[usize], name: &str) -> Result<(), DataError> {
    if !shape.is_empty() && shape.iter().filter(|&&length| length != 1).count() <= 1 {
        return Ok(());
    }
    Err(DataError::Dimensions {
        source_name: name.into(),
        found: shape.to_vec(),
        expected: "one label a sample: (n), (n, 1) or (1, n)",
    })
}

/// Labels of a text file, one a line, whatever is in it.
///
/// Empty lines are an error, as they would shift the labels; those at the end are not. Where most samples have no label, an empty
/// line is such a sample.
fn of_lines(source: Source, request: LabelRequest<'_>) -> Result<SampleLabels, DataError> {
    let may_be_empty = request.purpose == LabelsAs::Given;
    let Text { mut source, encoding } = decode(source, request.options.encoding.as_deref())?;
    let text = read_to_end(&mut source, encoding)?;
    let lines = text.trim_start_matches('\u{feff}');
    let lines = if may_be_empty { lines } else { lines.trim_end() }.lines();
    let labels: Vec<String> = lines.map(unquoted).collect();
    if labels.iter().all(String::is_empty) {
        return Err(DataError::NoLabels { source_name: source.name });
    }
    if let Some(empty) = labels.iter().position(String::is_empty).filter(|_| !may_be_empty) {
        return Err(DataError::EmptyLabel { source_name: source.name, line: empty + 1 });
    }
    let labels = &labels[usize::from(is_header(&labels))..];
    if labels.is_empty() {
        return Err(DataError::NoLabels { source_name: source.name });
    }
    Ok(SampleLabels::in_order(&source.name, labels.iter().cloned()))
}

fn number(text: &str) -> Option<Number> {
    Number::from_text(text)
}

/// Whether a first line names the column: a word above numbers, or one of the usual names above other words.
fn is_header(labels: &[String]) -> bool {
    let Some((first, rest)) = labels.split_first() else {
        return false;
    };
    if number(first).is_some() {
        return false;
    }
    let mut rest_of_them = rest.iter().filter(|label| !label.is_empty()).peekable();
    let above_numbers =
        rest_of_them.peek().is_some() && rest_of_them.all(|label| number(label).is_some());
    let usual = HEADERS.contains(&first.to_lowercase().as_str()) && !rest.contains(first);
    above_numbers || usual
}

fn unquoted(line: &str) -> String {
    let line = line.trim();
    let inside = line.strip_prefix('"').and_then(|line| line.strip_suffix('"'));
    inside.map_or_else(|| line.into(), |inside| inside.replace("\"\"", "\""))
}
