//! From what all paths hold to features.

use std::path::PathBuf;

use ndarray::Array2;

use super::dataset::{Dataset, dataset_name};
use super::images::{self, Images};
use super::labels::read_sample_labels;
use super::numbers;
use super::part::{Content, Part};
use super::path::{open_records, read_part};
use super::source::Location;
use super::tf_idf::{Vocabulary, are_unseparated};
use super::word_numbers;
use crate::records::{Fitted, LabelsAs, PartInfo, Request, SampleKeys, one_hot};
use crate::{DataError, Features, Missing, Recipe, SparseRows, Truth, embedded};

/// What is said of texts whose words can't be told apart.
const UNSEPARATED: &str = "has hardly any blanks between words, which are found by them: separate the words (jieba, MeCab, PyThaiNLP), or give embeddings of the texts";

/// Reads all paths and makes them features by a recipe, which is completed by what it leaves open.
///
/// `follow`: the recipe is that of other data, which these have to be like.
pub(super) fn dataset(
    paths: &[PathBuf],
    labels: &[PathBuf],
    mut recipe: Recipe,
    follow: bool,
) -> Result<Dataset, DataError> {
    let first = paths.first().ok_or(DataError::NoFiles)?;
    let name = dataset_name(first);
    complete_words(paths, &mut recipe)?;
    let mut parts = parts(paths, &mut recipe, labels.is_empty(), follow)?;
    let n_rows: usize = parts.iter().map(|part| part.n_rows).sum();
    let rows = rows(&parts).filter(|rows| rows.len() < n_rows);
    let beside: Option<Vec<Truth>> = parts.iter_mut().map(|part| part.truth.take()).collect();
    let ids: Option<Vec<Vec<String>>> = parts.iter_mut().map(|part| part.ids.take()).collect();
    let mut infos: Vec<PartInfo> = parts.iter().map(|part| part.info.clone()).collect();
    tell_labels(&mut infos);
    let features = features(parts, &mut infos, &mut recipe, follow, &name)?;
    if !follow {
        let header = infos.first().and_then(|info| info.header);
        let is_same = infos.iter().all(|info| info.header == header);
        recipe.header = header.filter(|_| is_same);
    }
    let ids = ids.map(|parts| parts.concat());
    let (truth, paired_by) = if labels.is_empty() {
        (beside.map(|parts| Truth::stack(&parts)).transpose()?, None)
    } else {
        let labels = read_sample_labels(labels, &recipe.for_labels(), LabelsAs::Truth, true)?;
        let samples = SampleKeys::new(features.n_samples(), ids.as_deref(), rows.as_deref());
        let (truth, by) = labels.truth_of(&joined(paths), &samples)?;
        (Some(truth), Some(by))
    };
    let embedded = |path: &PathBuf| matches!(Location::resolve(path), Location::Embedded(_));
    let n_clusters = paths.iter().all(embedded).then_some(embedded::DIGITS_CLUSTERS);
    Ok(Dataset { name, features, truth, paired_by, ids, rows, recipe, n_clusters, parts: infos })
}

/// Finds the words of one-hot columns, of all paths together, unless the recipe has them.
///
/// # Errors
///
/// As reading the paths, and a recipe with words of other columns than it has.
pub(super) fn complete_words(paths: &[PathBuf], recipe: &mut Recipe) -> Result<(), DataError> {
    let (options, words) = (&recipe.options, &recipe.one_hot_words);
    let names = &options.one_hot_columns;
    if words.is_empty() && !names.is_empty() {
        let open = |path: &PathBuf| open_records(&Location::resolve(path), options);
        recipe.one_hot_words = one_hot::words(paths.iter().map(open), options)?;
        return Ok(());
    }
    if words.len() == names.len() {
        return Ok(());
    }
    let (what, found) = ("words of the recipe's one-hot columns", vec![words.len()]);
    Err(DataError::ShapeMismatch { what, found, expected: vec![names.len()] })
}

/// What all paths hold, each checked by itself.
fn parts(
    paths: &[PathBuf],
    recipe: &mut Recipe,
    with_truth: bool,
    follow: bool,
) -> Result<Vec<Part>, DataError> {
    let mut parts: Vec<Part> = Vec::new();
    let mut fitted = Fitted::of(recipe, follow);
    let needs_means = recipe.options.missing == Missing::Mean && recipe.means.is_none();
    for path in paths {
        // Columns are found by the names of the recipe, else of the first file.
        let words = recipe.inverse_document_frequencies.is_some();
        let known = recipe.feature_names.as_deref().filter(|_| !words);
        let known = known.or_else(|| parts.first()?.feature_names.as_deref());
        let (options, lenient) = (&recipe.options, follow);
        let request = Request { options, wanted: known, lenient, with_truth, fitted: &fitted };
        let part = read_part(path, request)?;
        if parts.is_empty() {
            fitted = part.fitted.clone();
            recipe.offsets.clone_from(&fitted.offsets);
            if !follow {
                recipe.id_column.clone_from(&fitted.id_column);
                recipe.vector_column.clone_from(&fitted.vector_column);
            }
        }
        if !needs_means {
            part.check()?;
        }
        parts.push(part);
        check_ids(parts.iter().map(|part| (part.name.as_str(), part.ids.is_some())))?;
    }
    if needs_means {
        recipe.means = fill_in_means(&mut parts)?;
        parts.iter().try_for_each(Part::check)?;
    }
    Ok(parts)
}

/// Refuses files of which some say what their samples are called, and others don't.
pub(super) fn check_ids<'a>(files: impl Iterator<Item = (&'a str, bool)>) -> Result<(), DataError> {
    let (with, without): (Vec<_>, Vec<_>) = files.partition(|(_, has_ids)| *has_ids);
    match (with.first(), without.first()) {
        (Some((first, _)), Some((other, _))) => {
            Err(DataError::IdsOfOne { first: (*first).into(), other: (*other).into() })
        }
        _ => Ok(()),
    }
}

/// Says that labels beside some files aren't used, as others have none.
fn tell_labels(infos: &mut [PartInfo]) {
    let without = infos.iter().find(|info| !info.has_truth).map(|info| info.path.clone());
    let Some(without) = without else { return };
    for info in infos.iter_mut().filter(|info| info.has_truth) {
        let note = format!("its labels aren't used, as {} has none", without.display());
        info.notes.push(note);
    }
}

/// Which row of all files each sample is, if rows may have been left out.
fn rows(parts: &[Part]) -> Option<Vec<usize>> {
    let mut rows = Vec::new();
    let mut before = 0;
    for part in parts {
        rows.extend(part.rows.as_ref()?.iter().map(|row| before + row));
        before += part.n_rows;
    }
    Some(rows)
}

/// Replaces missing values by their feature's mean over all parts; `None` where the features aren't numbers.
///
/// # Errors
///
/// A feature without any value.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a mean")]
fn fill_in_means(parts: &mut [Part]) -> Result<Option<Vec<f32>>, DataError> {
    let Some(width) = parts.first().and_then(|part| part.content.n_features()) else {
        return Ok(None);
    };
    let mut sums = vec![(0.0, 0_u64); width];
    for row in parts.iter().filter_map(|part| part.content.numbers()).flat_map(|it| it.rows()) {
        for ((sum, count), &value) in sums.iter_mut().zip(row) {
            if !value.is_nan() {
                *sum += f64::from(value);
                *count += 1;
            }
        }
    }
    if let Some(feature) = sums.iter().position(|(_, count)| *count == 0) {
        let names = parts[0].feature_names.as_ref();
        let name = names.and_then(|names| names.get(feature)).cloned();
        let column = name.unwrap_or_else(|| (feature + 1).to_string());
        return Err(DataError::NothingIn { source_name: parts[0].name.clone(), column });
    }
    let means: Vec<f32> =
        sums.into_iter().map(|(sum, count)| (sum / count as f64) as f32).collect();
    for part in parts {
        if let Content::Dense(values) = &mut part.content {
            for mut row in values.rows_mut() {
                for (value, mean) in row.iter_mut().zip(&means) {
                    if value.is_nan() {
                        *value = *mean;
                    }
                }
            }
        }
    }
    Ok(Some(means))
}

/// How messages call several paths.
pub(super) fn joined(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The features of all parts. `name`: how messages call them.
fn features(
    parts: Vec<Part>,
    infos: &mut [PartInfo],
    recipe: &mut Recipe,
    follow: bool,
    name: &str,
) -> Result<Features, DataError> {
    let (Some(first), Some(info)) = (parts.first(), infos.first()) else {
        return Err(DataError::NoFiles);
    };
    let what = first.content.what();
    if let Some(other) = parts.iter().find(|part| part.content.what() != what) {
        return Err(DataError::MixedContent {
            first: first.name.clone(),
            first_holds: what,
            other: other.name.clone(),
            other_holds: other.content.what(),
        });
    }
    match &first.content {
        Content::Texts(_) => {
            for (part, info) in parts.iter().zip(infos.iter_mut()) {
                if are_unseparated(texts(std::slice::from_ref(part))) {
                    info.notes.push(UNSEPARATED.into());
                }
            }
            let values = match recipe.options.words {
                Some(length) => number(&parts, length, recipe),
                None => weigh(parts, recipe),
            };
            return Features::new(values?, name);
        }
        Content::Images(_) => return Features::new(decode(&parts, infos, recipe)?, name),
        Content::Dense(_) | Content::Sparse(_) => {}
    }
    if !follow {
        let shape = &info.shape;
        let same = infos.iter().all(|other| other.shape.get(1..) == shape.get(1..));
        recipe.image = image(shape).filter(|_| same);
    }
    if recipe.feature_names.is_none() {
        recipe.feature_names = first.feature_names.clone();
    }
    check_widths(&parts)?;
    match parts.iter().any(|part| matches!(part.content, Content::Sparse(_))) {
        true => Features::sparse(stack_sparse(parts), name),
        false => Features::new(stack(parts)?, name),
    }
}

/// Rows, columns and channels, if an array's shape is that of images.
fn image(shape: &[usize]) -> Option<[usize; 3]> {
    match *shape {
        [_, rows, columns] => Some([rows, columns, 1]),
        [_, rows, columns, channels @ 1..=4] => Some([rows, columns, channels]),
        _ => None,
    }
}

/// TF-IDF of all texts, by the words of the recipe if it has any, else by the commonest of these texts.
fn weigh(parts: Vec<Part>, recipe: &mut Recipe) -> Result<Array2<f32>, DataError> {
    let name = parts.first().map(|part| part.name.clone()).unwrap_or_default();
    let texts: Vec<&str> = texts(&parts).collect();
    let vocabulary = match (recipe.feature_names.take(), recipe.inverse_document_frequencies.take())
    {
        (Some(words), Some(idf)) if words.len() == idf.len() => Vocabulary::new(words, idf),
        (Some(words), Some(idf)) => {
            return Err(DataError::ShapeMismatch {
                what: "inverse document frequencies of the recipe",
                found: vec![idf.len()],
                expected: vec![words.len()],
            });
        }
        _ => Vocabulary::learn(texts.iter().copied()),
    };
    if vocabulary.len() == 0 {
        return Err(DataError::NoWords { source_name: name });
    }
    let matrix = vocabulary.weigh(texts.into_iter());
    drop(parts);
    let (words, idf) = vocabulary.into_parts();
    recipe.feature_names = Some(words);
    recipe.inverse_document_frequencies = Some(idf);
    let shape = (matrix.rows, matrix.columns);
    array(shape, matrix.into_dense(&name)?)
}

/// The texts of all parts.
fn texts(parts: &[Part]) -> impl Iterator<Item = &str> {
    let of_parts = parts.iter().filter_map(|part| match &part.content {
        Content::Texts(texts) => Some(texts),
        _ => None,
    });
    of_parts.flatten().map(String::as_str)
}

/// The numbers of the first `length` words of all texts, by the vocabulary of the recipe if it has one, else by the commonest of these texts.
fn number(parts: &[Part], length: usize, recipe: &mut Recipe) -> Result<Array2<f32>, DataError> {
    let vocabulary = recipe.vocabulary.take().unwrap_or_else(|| word_numbers::learn(texts(parts)));
    if vocabulary.is_empty() || length == 0 {
        let source_name = parts.first().map(|part| part.name.clone()).unwrap_or_default();
        return Err(DataError::NoWords { source_name });
    }
    let values = word_numbers::number(texts(parts), &vocabulary, length);
    recipe.vocabulary = Some(vocabulary);
    array((values.len() / length, length), values)
}

/// The pixels of all images, of the size and channels of the recipe if it has any.
fn decode(
    parts: &[Part],
    infos: &mut [PartInfo],
    recipe: &mut Recipe,
) -> Result<Array2<f32>, DataError> {
    let all: Vec<&Images> = parts
        .iter()
        .filter_map(|part| match &part.content {
            Content::Images(images) => Some(images),
            _ => None,
        })
        .collect();
    let name = parts.first().map(|part| part.name.clone()).unwrap_or_default();
    let read_as = recipe.image.unwrap_or_else(|| images::read_as(&all, recipe.options.image_size));
    if ![1, 3].contains(&read_as[2]) {
        return Err(DataError::Channels { source_name: name, channels: read_as[2] });
    }
    recipe.image = Some(read_as);
    recipe.options.image_size = Some([read_as[0], read_as[1]]);
    let rows: usize = all.iter().map(|images| images.len()).sum();
    let width = read_as.iter().fold(1, |width: usize, &side| width.saturating_mul(side));
    let len = rows.saturating_mul(width);
    let mut pixels = numbers::zeros(len, &name)?;
    let mut rest = pixels.as_mut_slice();
    for (images, info) in all.iter().zip(infos) {
        let (own, others) = rest.split_at_mut(images.len() * width);
        images.decode(read_as, own)?;
        info.images = Some(images.info(read_as));
        info.shape.truncate(1);
        info.shape.extend(read_as);
        rest = others;
    }
    array((rows, width), pixels)
}

/// Stacks numbers by rows. Each part is made dense and dropped in its turn; a single dense one isn't copied at all.
fn stack(mut parts: Vec<Part>) -> Result<Array2<f32>, DataError> {
    if let [Part { content: Content::Dense(_), .. }] = parts.as_slice()
        && let Some(Part { content: Content::Dense(values), .. }) = parts.pop()
    {
        return Ok(values);
    }
    let rows: usize = parts.iter().map(|part| part.content.n_samples()).sum();
    let name = parts.first().map(|part| part.name.clone()).unwrap_or_default();
    let columns = parts.first().and_then(|part| part.content.n_features()).unwrap_or(0);
    let len = rows.saturating_mul(columns);
    let mut stacked: Vec<f32> = numbers::reserve(len, &name)?;
    for part in parts {
        if let Content::Dense(values) = part.content {
            stacked.extend(values.iter());
        }
    }
    array((rows, columns), stacked)
}

/// Refuses numbers of another width than the first.
fn check_widths(parts: &[Part]) -> Result<(), DataError> {
    let columns = |part: &Part| part.content.n_features().unwrap_or(0);
    let Some(first) = parts.first() else { return Ok(()) };
    match parts.iter().find(|part| columns(part) != columns(first)) {
        None => Ok(()),
        Some(other) => Err(DataError::WidthMismatch {
            first: first.name.clone(),
            first_columns: columns(first),
            other: other.name.clone(),
            other_columns: columns(other),
        }),
    }
}

/// Stacks numbers by rows, of which some are sparse: so all stay so. A single one isn't copied.
fn stack_sparse(mut parts: Vec<Part>) -> SparseRows {
    if let [Part { content: Content::Sparse(_), .. }] = parts.as_slice()
        && let Some(Part { content: Content::Sparse(rows), .. }) = parts.pop()
    {
        return rows;
    }
    let columns = parts.first().and_then(|part| part.content.n_features()).unwrap_or(0);
    let n_values = |part: &Part| match &part.content {
        Content::Sparse(rows) => rows.n_values(),
        _ => 0,
    };
    let n_rows = parts.iter().map(|part| part.content.n_samples()).sum();
    let n_values = parts.iter().map(n_values).sum();
    let mut stacked = SparseRows::with_capacity(n_rows, n_values, columns);
    for part in parts {
        match part.content {
            Content::Dense(values) => {
                let rows = values.rows();
                rows.into_iter().for_each(|row| stacked.push((0..).zip(row.iter().copied())));
            }
            Content::Sparse(rows) => (0..rows.n_samples()).for_each(|row| {
                let (columns, values) = rows.row(row);
                stacked.push(columns.iter().copied().zip(values.iter().copied()));
            }),
            Content::Texts(_) | Content::Images(_) => {}
        }
    }
    stacked
}

fn array(shape: (usize, usize), values: Vec<f32>) -> Result<Array2<f32>, DataError> {
    let found = values.len();
    Array2::from_shape_vec(shape, values).map_err(|_| DataError::ShapeMismatch {
        what: "stacked files",
        found: vec![found],
        expected: vec![shape.0, shape.1],
    })
}
