//! From what all paths hold to features.

use std::path::PathBuf;

use ndarray::Array2;

use super::dataset::{Dataset, dataset_name};
use super::images::{self, Images};
use super::labels::read_sample_labels;
use super::numbers;
use super::part::{Content, Part};
use super::path::read_part;
use super::source::Location;
use super::tf_idf::Vocabulary;
use crate::records::{Fitted, LabelsAs, PartInfo, Request};
use crate::{DataError, Features, Recipe, Truth, embedded};

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
    let mut parts: Vec<Part> = Vec::new();
    let mut fitted = Fitted::of(&recipe, follow);
    for path in paths {
        // Columns are found by the names of the recipe, else of the first file.
        let words = recipe.inverse_document_frequencies.is_some();
        let known = recipe.feature_names.as_deref().filter(|_| !words);
        let known = known.or_else(|| parts.first()?.feature_names.as_deref());
        let options = &recipe.options;
        let with_truth = labels.is_empty();
        let request =
            Request { options, wanted: known, lenient: follow, with_truth, fitted: &fitted };
        let part = read_part(path, request)?;
        if parts.is_empty() {
            fitted = part.fitted.clone();
            recipe.offsets = fitted.offsets.clone();
            recipe.means = fitted.means.clone();
        }
        parts.push(part);
    }
    let beside: Option<Vec<Truth>> = parts.iter_mut().map(|part| part.truth.take()).collect();
    let ids: Option<Vec<Vec<String>>> = parts.iter_mut().map(|part| part.ids.take()).collect();
    let mut infos: Vec<PartInfo> = parts.iter().map(|part| part.info.clone()).collect();
    let values = values(parts, &mut infos, &mut recipe, follow)?;
    let features = Features::new(values, &name)?;
    let ids = ids.map(|parts| parts.concat());
    let (truth, paired_by) = if labels.is_empty() {
        (beside.map(|parts| Truth::stack(&parts)).transpose()?, None)
    } else {
        let labels =
            read_sample_labels(labels, &recipe.options.for_labels(), LabelsAs::Truth, true)?;
        let data = joined(paths);
        let (truth, by) = labels.truth_of(&data, features.n_samples(), ids.as_deref())?;
        (Some(truth), Some(by))
    };
    let embedded = |path: &PathBuf| matches!(Location::resolve(path), Location::Embedded(_));
    let n_clusters = paths.iter().all(embedded).then_some(embedded::DIGITS_CLUSTERS);
    Ok(Dataset { name, features, truth, paired_by, ids, recipe, n_clusters, parts: infos })
}

/// How messages call several paths.
pub(super) fn joined(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The features of all parts, shape (n_samples, n_features).
fn values(
    parts: Vec<Part>,
    infos: &mut [PartInfo],
    recipe: &mut Recipe,
    follow: bool,
) -> Result<Array2<f32>, DataError> {
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
        Content::Texts(_) => return weigh(parts, recipe),
        Content::Images(_) => return decode(&parts, infos, recipe),
        Content::Dense(_) => {}
    }
    if !follow {
        let shape = &info.shape;
        let same = infos.iter().all(|other| other.shape.get(1..) == shape.get(1..));
        recipe.image = image(shape).filter(|_| same);
    }
    if recipe.feature_names.is_none() {
        recipe.feature_names = first.feature_names.clone();
    }
    stack(parts)
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
    let texts: Vec<&str> = parts
        .iter()
        .flat_map(|part| match &part.content {
            Content::Texts(texts) => texts.as_slice(),
            _ => &[],
        })
        .map(String::as_str)
        .collect();
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
    let mut pixels = numbers::reserve(len, &name)?;
    pixels.resize(len, 0.0);
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
        let found = part.content.n_features().unwrap_or(0);
        if found != columns {
            return Err(DataError::WidthMismatch {
                first: name,
                first_columns: columns,
                other: part.name,
                other_columns: found,
            });
        }
        match part.content {
            Content::Dense(values) => stacked.extend(values.iter()),
            Content::Texts(_) | Content::Images(_) => {}
        }
    }
    array((rows, columns), stacked)
}

fn array(shape: (usize, usize), values: Vec<f32>) -> Result<Array2<f32>, DataError> {
    let found = values.len();
    Array2::from_shape_vec(shape, values).map_err(|_| DataError::ShapeMismatch {
        what: "stacked files",
        found: vec![found],
        expected: vec![shape.0, shape.1],
    })
}
