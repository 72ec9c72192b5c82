//! What looks wrong in data: features that should be none, and values that should be none.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use consilience::Config;
use consilience::evaluation::Scores;
use consilience_data::{Dataset, Truth};
use consilience_ensembles::{FarCells, Scaling};

use super::style::{count, plural, word};

/// More are told by their number.
const MOST: usize = 8;
/// Values of a column that are told one by one.
const TOLD: usize = 3;
/// Of so many classes, a feature that tells all of them apart is no accident.
const CLASSES: usize = 1000;
/// So many columns are looked at one by one, even if they are numbered as pixels are.
const FEW: usize = 64;
/// A sample that is far off in more than one column in so many is in other units: it is a row of its own kind, not a few wrong cells.
const ROW: usize = 2;

/// All that looks wrong, a line each. `constant`: whether each feature is the same for all samples.
pub(super) fn all(data: &Dataset, constant: &[bool]) -> Vec<String> {
    let features = named(data).map_or(Vec::new(), |names| features(data, names, constant));
    // The number of clusters has no say in how data are scaled.
    let auto = Config::preset_for("auto", &data.features, &data.recipe, 1);
    let values = auto.map_or(Vec::new(), |config| values(data, config.preparation.scaling));
    [few(features, "feature"), values].concat()
}

/// What someone who clusters the data has to know before: features that count the rows, and values that hide all others of their column, if it is
/// standardised.
pub(super) fn before_clustering(data: &Dataset, scaling: Scaling) -> Vec<String> {
    let names = named(data).unwrap_or_default();
    let counting = names.iter().enumerate().filter(|&(feature, _)| counts_rows(data, feature));
    let counting = few(counting.map(|(_, name)| counting_text(name)).collect(), "feature");
    [counting, values(data, scaling)].concat()
}

/// Names of features that can be looked at one by one.
fn named(data: &Dataset) -> Option<&[String]> {
    let recipe = &data.recipe;
    let is_few =
        |names: &&Vec<String>| names.len() <= FEW && recipe.inverse_document_frequencies.is_none();
    // Of large sparse data a column can't be looked at by itself.
    let names = recipe.feature_names.as_ref().filter(|_| data.features.as_sparse().is_none());
    names.filter(|names| recipe.is_named_table() || is_few(names)).map(Vec::as_slice)
}

/// Named features that count rows, are constant, or are as good as the truth.
fn features(data: &Dataset, names: &[String], constant: &[bool]) -> Vec<String> {
    let n_samples = data.features.n_samples();
    let mut doubts = Vec::new();
    for (feature, name) in names.iter().enumerate() {
        if constant.get(feature) == Some(&true) && n_samples > 1 {
            doubts.push(format!("{name} is the same in all rows"));
        } else if counts_rows(data, feature) {
            doubts.push(counting_text(name));
        } else if let Some(truth) = data.truth.as_ref().filter(|it| it.n_classes() <= CLASSES) {
            let values: Vec<String> =
                column(data, feature).map(|value| value.to_string()).collect();
            let distinct = values.iter().collect::<HashSet<_>>().len();
            let same = distinct == truth.n_classes() && distinct > 1 && distinct < n_samples;
            let found = same.then(|| Truth::from_labels(&values).ok()).flatten();
            let scores = found.and_then(|found| Scores::of_labels(truth, &found).ok());
            if scores.is_some_and(|scores| scores.acc == 1.0) {
                doubts.push(format!("{name} says what the labels say: --ignore-column"));
            }
        }
    }
    doubts
}

fn column(data: &Dataset, feature: usize) -> impl Iterator<Item = f32> {
    (0..data.features.n_samples()).map(move |row| data.features.row(row)[feature])
}

fn counts_rows(data: &Dataset, feature: usize) -> bool {
    let mut pairs = column(data, feature).zip(column(data, feature).skip(1));
    data.features.n_samples() > 2 && pairs.all(|(value, next)| next - value == 1.0)
}

fn counting_text(name: &str) -> String {
    format!("{name} counts the rows: --ignore-column, or --id-column")
}

/// Values that are far from all others of their column, where columns are standardised.
fn values(data: &Dataset, scaling: Scaling) -> Vec<String> {
    if scaling != Scaling::Standardise {
        return Vec::new();
    }
    let mut found = FarCells::of(&data.features);
    let mut n_columns: BTreeMap<usize, usize> = BTreeMap::new();
    for sample in found.iter().flat_map(|far| &far.samples) {
        *n_columns.entry(*sample).or_default() += 1;
    }
    // Two columns may both have a wrong value in one row, which is then no row of its own kind yet.
    let width = data.features.n_features().max(2 * ROW);
    let is_row = |sample: &usize| n_columns[sample] * ROW > width;
    let rows = n_columns.keys().filter(|&sample| is_row(sample));
    let rows: Vec<String> = rows.map(|&sample| of_row(data, &found, sample)).collect();
    found.iter_mut().for_each(|far| far.samples.retain(|sample| !is_row(sample)));
    let columns = found.iter().filter(|far| !far.samples.is_empty());
    [few(rows, "sample"), few(columns.map(|far| of_column(data, far)).collect(), "column")].concat()
}

/// Which row of the data a sample is.
fn row(data: &Dataset, sample: usize) -> usize {
    data.rows.as_ref().map_or(sample, |rows| rows[sample])
}

fn of_row(data: &Dataset, found: &[FarCells], sample: usize) -> String {
    let far = found.iter().filter(|far| far.samples.binary_search(&sample).is_ok());
    let cells: Vec<(String, bool)> = far
        .map(|far| {
            let value = data.features.row(sample)[far.feature];
            (original(data, far.feature, value), is_exact(data, far.feature))
        })
        .collect();
    // One number in all these columns stands for something.
    let same = cells.first().filter(|first| first.1 && cells.iter().all(|cell| cell == *first));
    let help = match same {
        Some((value, _)) => format!(
            "{value} in each; if missing: --missing-value {value} --missing drop; if wrong: mend or delete that row"
        ),
        None => "mend or delete that row".into(),
    };
    let n_columns = count(cells.len());
    format!("sample {} is far from all others in {n_columns} columns: {help}", row(data, sample))
}

/// How a shell takes the name of a feature's column for an option: its number where the name has commas, which are between columns. `None` if the feature is no column
/// that could be named.
fn typed(data: &Dataset, name: &str) -> Option<String> {
    let columns = &data.parts.first()?.columns;
    let column = columns.iter().position(|column| column.name == name)?;
    let typed = if name.contains(',') { (column + 1).to_string() } else { name.into() };
    Some(word(Path::new(&typed)))
}

fn of_column(data: &Dataset, far: &FarCells) -> String {
    let names = data.recipe.feature_names.as_ref();
    let name = names.and_then(|names| names.get(far.feature));
    let (n, first) = (far.samples.len(), row(data, far.samples[0]));
    let values: Vec<String> = different(data, far);
    let all = count(data.features.n_samples());
    let (these, place) = match n {
        1 => (format!("1 of {all} values is"), format!("in sample {first}")),
        n => (format!("{} of {all} values are", count(n)), format!("the first in sample {first}")),
    };
    let option = match values.len() <= TOLD && is_exact(data, far.feature) {
        true => format!("--missing-value {} --missing mean (or drop)", values.join(",")),
        false => "leave these cells empty, and --missing mean (or drop)".into(),
    };
    let shown = match values.as_slice() {
        [one, .., last] if values.len() > TOLD => format!("{one} to {last}"),
        all => all.join(", "),
    };
    let (subject, ignore) = match name {
        Some(name) => {
            let ignore = typed(data, name).map(|typed| format!("; or --ignore-column {typed}"));
            (format!("column {name}"), ignore.unwrap_or_default())
        }
        None => (format!("column {}", far.feature + 1), String::new()),
    };
    format!(
        "{subject}: {these} far from all others ({shown}; {place}), which look alike beside {}; if missing: {option}; if wrong: mend {}{ignore}",
        if n == 1 { "it" } else { "them" },
        if n == 1 { "it" } else { "them" },
    )
}

/// The values, ascending, as the files have them.
fn different(data: &Dataset, far: &FarCells) -> Vec<String> {
    let value = |&sample: &usize| data.features.row(sample)[far.feature];
    let mut values: Vec<f32> = far.samples.iter().map(value).collect();
    values.sort_by(f32::total_cmp);
    values.dedup();
    values.into_iter().map(|value| original(data, far.feature, value)).collect()
}

/// A value as the files have it.
fn original(data: &Dataset, feature: usize, value: f32) -> String {
    match &data.recipe.offsets {
        // The shortest number that is this one: -999.9, and not -999.9000244140625.
        None => value.to_string(),
        Some(offsets) => offsets.original(feature, value).to_string(),
    }
}

/// Whether [`original`] is the number of the files, to be typed: nothing was taken off it.
fn is_exact(data: &Dataset, feature: usize) -> bool {
    data.recipe.offsets.as_ref().is_none_or(|offsets| offsets.offsets[feature] == 0.0)
}

/// The first lines, and how many more there are.
fn few(mut lines: Vec<String>, noun: &str) -> Vec<String> {
    let more = lines.len().saturating_sub(MOST);
    lines.truncate(MOST);
    lines.extend((more > 0).then(|| plural(more, &format!("more {noun}"))));
    lines
}
