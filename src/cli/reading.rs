//! Flags that say how to read files.

use std::collections::HashMap;
use std::path::PathBuf;

use clap::Args;
use consilience::run_folder::RunFolder;
use consilience_data::{
    DataError, Dataset, Missing, MissingValues, PartInfo, ReadOptions, read_dataset_as,
    read_dataset_with,
};

use super::output::tell;
use super::style::{plural, word};

/// Columns left aside that are told.
const TOLD: usize = 12;

/// How to read the data. Columns are named, or numbered from 1; -1 is the last.
#[derive(Debug, Args)]
pub(super) struct ReadingArgs {
    /// Column (or field) with the samples' ids [default: one called id, name, file... if there is one]
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    id_column: Option<String>,
    /// Column of a table with the true classes, for scores only [default: one called label, class, target... if there is one]
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    label_column: Option<String>,
    /// Column of a table with each sample's features as a list [default: the only one with lists]
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    vector_column: Option<String>,
    /// Column of a table with texts; they become TF-IDF of the 2,000 commonest words
    #[arg(
        long,
        value_name = "COLUMN",
        allow_hyphen_values = true,
        conflicts_with_all = ["vector_column", "one_hot"]
    )]
    text_column: Option<String>,
    /// Columns of a table to leave out, such as a date or a text beside embeddings: a,b; may be given several times
    #[arg(long, value_name = "COLUMNS", allow_hyphen_values = true)]
    ignore_column: Vec<String>,
    /// Columns of words, each of which becomes a feature that is 1 where the column has it, else 0: a,b
    #[arg(long, value_name = "COLUMNS", allow_hyphen_values = true)]
    one_hot: Vec<String>,
    /// Samples with missing values: refuse, drop (and say how many), or mean (of the feature)
    #[arg(long, value_name = "HOW", value_parser = missing, default_value = "refuse")]
    missing: Missing,
    /// Numbers that stand for a missing value: -9999,999999; may be given several times
    #[arg(
        long,
        value_name = "NUMBERS",
        allow_hyphen_values = true,
        value_delimiter = ',',
        value_parser = number
    )]
    missing_value: Vec<f64>,
    /// Whether the first line of a text table names its columns: yes or no [default: by a look at it]
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    header: Option<bool>,
    /// The decimal mark of a text table: . or ,
    #[arg(long, value_name = "MARK", value_parser = decimal_comma, default_value = ".")]
    decimal: Mark,
    /// How text is encoded, such as windows-1252 [default: UTF-8, else by a look at it]
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// Rows and columns that images are resized to [default: as they are if all have one size of at most 64x64, else 32x32]
    #[arg(long, value_name = "HxW", value_parser = image_size)]
    image_size: Option<[usize; 2]>,
    /// What the data may unpack to, and a run may take, such as 4G or 500M [default: three quarters of the memory that is free]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    max_memory: Option<u64>,
}

/// A decimal mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Point,
    Comma,
}

/// Says that a run has samples that came later, which a command is not about.
pub(super) fn tell_appended(run: &RunFolder, quiet: bool) {
    if let Some(appended) = run.appended.as_ref().filter(|_| !quiet) {
        let samples = plural(appended.n_samples(), "sample");
        tell(&format!("{}: without the {samples} that were added to it", word(&run.path)));
    }
}

impl ReadingArgs {
    /// How much memory there is, if a person said it.
    pub(super) fn max_memory(&self) -> Option<u64> {
        self.max_memory
    }

    /// What was said.
    pub(super) fn options(&self) -> ReadOptions {
        let split = |columns: &[String]| -> Vec<String> {
            let names = columns.iter().flat_map(|names| names.split(','));
            names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
        };
        let mut options = ReadOptions::default();
        options.id_column.clone_from(&self.id_column);
        options.label_column.clone_from(&self.label_column);
        options.vector_column.clone_from(&self.vector_column);
        options.text_column.clone_from(&self.text_column);
        options.ignored_columns = split(&self.ignore_column);
        options.one_hot_columns = split(&self.one_hot);
        options.missing = self.missing;
        options.missing_values = MissingValues(self.missing_value.clone());
        options.header = self.header;
        options.decimal_comma = self.decimal == Mark::Comma;
        options.encoding.clone_from(&self.encoding);
        options.image_size = self.image_size;
        options.max_memory = self.max_memory;
        options
    }
}

/// What columns were taken for that are no features, a line for each file that has such.
pub(super) fn roles(data: &Dataset) -> impl Iterator<Item = String> {
    let of_part = |part: &'_ PartInfo| {
        let ids = part.ids_from.as_ref().map(|from| format!("ids: {from}"));
        let labels =
            part.truth_from.as_ref().map(|from| format!("labels, for scores only: {from}"));
        let aside = match part.left_aside.len().saturating_sub(TOLD) {
            0 => part.left_aside.join(", "),
            more => format!("{} and {more} more", part.left_aside[..TOLD].join(", ")),
        };
        let aside = (!aside.is_empty()).then(|| format!("left aside: {aside}"));
        let told: Vec<String> = ids.into_iter().chain(labels).chain(aside).collect();
        (!told.is_empty()).then(|| format!("{}: {}", part.path.display(), told.join("; ")))
    };
    data.parts.iter().filter_map(of_part)
}

/// The data of a run, read again.
pub(super) fn again(run: &RunFolder, paths: &[PathBuf]) -> Result<Dataset, DataError> {
    with_labels(run, paths, &[])
}

/// The same, with true labels from files. Data that stayed sparse in the run stay so.
pub(super) fn with_labels(
    run: &RunFolder,
    paths: &[PathBuf],
    labels: &[PathBuf],
) -> Result<Dataset, DataError> {
    // Of the votes of other tools, nothing says how data became features.
    let mut recipe = run.recipe.clone();
    let n_features = run.metrics["n_features"].as_u64().and_then(|it| usize::try_from(it).ok());
    let preparation = run.settings().ok().map(|settings| settings.preparation);
    recipe.options.keep_sparse =
        preparation.zip(n_features).is_some_and(|(it, width)| it.keeps_sparse(width));
    match run.metrics["n_features"].is_null() && run.source.data_hash.is_none() {
        true => read_dataset_with(paths, labels, &recipe.options),
        false => read_dataset_as(paths, labels, &recipe),
    }
}

/// What a person has to know of how files were read, a line each.
pub(super) fn notes(data: &Dataset) -> impl Iterator<Item = String> {
    let of_part = |part: &'_ PartInfo| {
        let path = part.path.display().to_string();
        part.notes.clone().into_iter().map(move |note| format!("{path}: {note}"))
    };
    data.parts.iter().flat_map(of_part).chain(repeated(data))
}

/// That samples are called the same, if any are.
fn repeated(data: &Dataset) -> Option<String> {
    let ids = data.ids.as_ref()?;
    let mut first = HashMap::new();
    let mut again = ids.iter().enumerate().filter_map(|(row, id)| {
        let before = *first.entry(id).or_insert(row);
        (before < row).then_some((id, before, row))
    });
    let (id, before, row) = again.next()?;
    let more = match again.count() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    Some(format!(
        "{}: samples {before} and {row}, counted from 0, are both called '{id}'{more}: nothing can be joined by such ids (--id-column)",
        data.name
    ))
}

fn missing(text: &str) -> Result<Missing, String> {
    match text {
        "refuse" => Ok(Missing::Refuse),
        "drop" => Ok(Missing::Drop),
        "mean" => Ok(Missing::Mean),
        _ => Err("need refuse, drop or mean".into()),
    }
}

fn number(text: &str) -> Result<f64, String> {
    let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| "need numbers such as -9999".into())
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("need yes or no".into()),
    }
}

fn decimal_comma(text: &str) -> Result<Mark, String> {
    match text {
        "." => Ok(Mark::Point),
        "," => Ok(Mark::Comma),
        _ => Err("need . or ,".into()),
    }
}

/// Reads `4G`, `500M`, `64K` or a number of bytes.
fn bytes(text: &str) -> Result<u64, String> {
    let upper = text.trim().to_uppercase();
    let upper = upper.trim_end_matches('B').trim_end_matches('I');
    let units = [('K', 10), ('M', 20), ('G', 30), ('T', 40)];
    let (number, shift) = units
        .into_iter()
        .find_map(|(unit, shift)| Some((upper.strip_suffix(unit)?, shift)))
        .unwrap_or((upper, 0));
    let number = number.trim().parse().ok().filter(|&number: &u64| number > 0);
    let bytes = number.and_then(|number| number.checked_mul(1 << shift));
    bytes.ok_or_else(|| "need a size such as 4G or 500M".into())
}

/// Reads `28x28`, or `28` for both.
fn image_size(text: &str) -> Result<[usize; 2], String> {
    /// Larger images are more features than a network can learn from.
    const LARGEST: usize = 4096;
    let (rows, columns) = text.split_once(['x', 'X']).unwrap_or((text, text));
    let side =
        |side: &str| {
            side.trim().parse().ok().filter(|side| (1..=LARGEST).contains(side)).ok_or_else(|| {
                format!("need rows x columns such as 28x28, each from 1 to {LARGEST}")
            })
        };
    Ok([side(rows)?, side(columns)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!((bytes("4G"), bytes("1 MiB"), bytes("7")), (Ok(4 << 30), Ok(1 << 20), Ok(7)));
        for wrong in ["", "0", "-1G", "G", "1E9", "99999999999T"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_stands_for_a_missing_value_is_a_number() {
        assert_eq!((number(" -9999"), number("1e9")), (Ok(-9999.0), Ok(1e9)));
        for wrong in ["", "nan", "-inf", "NA", "1,5"] {
            assert!(number(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_rows_and_columns() {
        assert_eq!((image_size("28x14"), image_size("32")), (Ok([28, 14]), Ok([32, 32])));
        for wrong in ["", "0x8", "8x", "8x8x3", "-1x8", "9999"] {
            assert!(image_size(wrong).is_err(), "{wrong}");
        }
    }
}
