//! What the columns of a table are for: ids, labels, texts, vectors, features.

use super::PartInfo;
use super::part::Request;
use crate::DataError;

/// Columns of these names say what samples are called, whatever they hold.
const IDS: [&str; 8] = ["id", "ids", "uuid", "guid", "sample_id", "row_id", "doc_id", "index"];
/// And these, and all that end with `_id`, if they hold words.
const NAMES: [&str; 8] =
    ["name", "file", "filename", "file_name", "path", "filepath", "key", "url"];
/// Columns of these names are the truth. A `y` beside an `x` is a coordinate.
const LABELS: [&str; 8] =
    ["label", "labels", "class", "classes", "target", "truth", "category", "y"];
/// Of several columns of vectors, the first of these is taken.
const VECTORS: [&str; 5] = ["embedding", "embeddings", "vector", "vectors", "features"];

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Numbers,
    Words,
    /// A list of numbers a row.
    Vectors,
    /// Something that can't be read, in words.
    Other(String),
}

impl Kind {
    pub(super) fn words(&self) -> &str {
        match self {
            Self::Numbers => "numbers",
            Self::Words => "words",
            Self::Vectors => "lists of numbers",
            Self::Other(words) => words,
        }
    }
}

/// A column and what it holds.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// Where the features come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum From {
    /// Columns of numbers, in this order.
    Columns(Vec<usize>),
    /// A column of lists.
    Vectors(usize),
    /// A column of texts.
    Texts(usize),
}

/// What each column is for.
#[derive(Debug, Clone)]
pub(super) struct Roles {
    pub(super) id: Option<usize>,
    pub(super) label: Option<usize>,
    /// Whether the column of labels was named by a person, so that it has to make sense.
    pub(super) label_was_named: bool,
    pub(super) features: From,
    /// Columns that aren't used.
    pub(super) left_aside: Vec<usize>,
}

impl Roles {
    /// Decides by what a person said, else by the columns' names and kinds.
    ///
    /// Columns that are called like labels or ids are never features unless `request.wanted` has them.
    ///
    /// # Errors
    ///
    /// A named column that isn't there, several columns of vectors none of which is called so, and no features.
    pub(super) fn choose(
        columns: &[Column],
        request: Request<'_>,
        source_name: &str,
    ) -> Result<Self, DataError> {
        let options = request.options;
        let optional = |name: &Option<String>| match name {
            Some(name) if request.lenient => Ok(position(columns, name)),
            Some(name) => named(columns, name, source_name).map(Some),
            None => Ok(None),
        };
        let required = |name: &Option<String>| {
            name.as_ref().map(|name| named(columns, name, source_name)).transpose()
        };
        let mut id = optional(&options.id_column)?;
        let mut label = optional(&options.label_column)?;
        let (text, vector) = (required(&options.text_column)?, required(&options.vector_column)?);
        let ignored: Result<Vec<Option<usize>>, DataError> = options
            .ignored_columns
            .iter()
            .map(|name| match request.lenient {
                true => Ok(position(columns, name)),
                false => named(columns, name, source_name).map(Some),
            })
            .collect();
        let ignored: Vec<usize> = ignored?.into_iter().flatten().collect();
        let wanted = request.wanted.filter(|_| text.is_none() && vector.is_none());
        let is_wanted = |index: usize| {
            wanted.is_some_and(|wanted| wanted.contains(&columns[index].name))
                || text == Some(index)
                || vector == Some(index)
        };
        let free =
            (0..columns.len()).filter(|index| !is_wanted(*index) && !ignored.contains(index));
        let free: Vec<usize> = free.collect();
        let ids = id_columns(columns, &free);
        if options.id_column.is_none() {
            id = ids.first().copied().filter(|&index| Some(index) != label);
        }
        let labels = label_columns(columns, &free);
        if options.label_column.is_none() {
            label = labels.iter().copied().find(|&index| Some(index) != id);
        }
        let is_feature = |index: &usize| {
            id != Some(*index)
                && label != Some(*index)
                && !ids.contains(index)
                && !labels.contains(index)
                && !ignored.contains(index)
        };
        let features = if let Some(text) = text {
            From::Texts(text)
        } else if let Some(vector) = vector {
            From::Vectors(vector)
        } else if let Some(wanted) = wanted {
            let positions = wanted.iter().map(|name| named(columns, name, source_name));
            From::Columns(positions.collect::<Result<_, _>>()?)
        } else if let Some(vector) = only_vector(columns, is_feature, source_name)? {
            From::Vectors(vector)
        } else {
            From::Columns((0..columns.len()).filter(is_feature).collect())
        };
        let is_used = |index: usize| match &features {
            From::Columns(used) => used.contains(&index),
            From::Vectors(used) | From::Texts(used) => *used == index,
        };
        if features == From::Columns(Vec::new()) {
            return Err(DataError::NoFeatureColumns {
                source_name: source_name.into(),
                found: names(columns),
            });
        }
        let left_aside = (0..columns.len())
            .filter(|&index| !is_used(index) && id != Some(index) && label != Some(index))
            .collect();
        let label_was_named = options.label_column.is_some();
        Ok(Self { id, label, label_was_named, features, left_aside })
    }

    /// For a table whose columns have no names: all are features.
    ///
    /// # Errors
    ///
    /// If a column was named.
    pub(super) fn unnamed(
        n_columns: usize,
        request: Request<'_>,
        source_name: &str,
    ) -> Result<Self, DataError> {
        let options = request.options;
        let optional = [&options.id_column, &options.label_column].into_iter().flatten();
        let optional = optional.chain(&options.ignored_columns).filter(|_| !request.lenient);
        let required = [&options.vector_column, &options.text_column].into_iter().flatten();
        let mut named = optional.chain(required);
        if let Some(name) = named.next() {
            return Err(DataError::MissingColumn {
                source_name: source_name.into(),
                wanted: name.clone(),
                found: vec![format!("{n_columns} without names, as there is no header line")],
            });
        }
        let features = From::Columns((0..n_columns).collect());
        Ok(Self { id: None, label: None, label_was_named: false, features, left_aside: Vec::new() })
    }

    /// Names of the features, if each has a column of its own.
    pub(super) fn feature_names(&self, columns: &[Column]) -> Option<Vec<String>> {
        match &self.features {
            From::Columns(used) => {
                Some(used.iter().map(|&index| columns[index].name.clone()).collect())
            }
            From::Vectors(_) | From::Texts(_) => None,
        }
    }

    /// Says what each column was taken for.
    pub(super) fn tell(&self, columns: &[Column], info: &mut PartInfo) {
        let column = |index: usize| match columns[index].name.as_str() {
            "" => "the first column, which has no name".into(),
            name => format!("column {name}"),
        };
        info.ids_from = self.id.map(column);
        info.truth_from = self.label.map(column);
        info.has_truth = self.label.is_some();
        info.features_from = match self.features {
            From::Vectors(index) | From::Texts(index) => Some(column(index)),
            From::Columns(_) => None,
        };
        info.left_aside = self.left_aside.iter().map(|&index| column(index)).collect();
    }
}

fn position(columns: &[Column], name: &str) -> Option<usize> {
    columns.iter().position(|column| column.name == name)
}

fn named(columns: &[Column], name: &str, source_name: &str) -> Result<usize, DataError> {
    position(columns, name).ok_or_else(|| DataError::MissingColumn {
        source_name: source_name.into(),
        wanted: name.into(),
        found: names(columns),
    })
}

pub(super) fn names(columns: &[Column]) -> Vec<String> {
    columns.iter().map(|column| column.name.clone()).collect()
}

/// Columns that identify samples, the best first.
fn id_columns(columns: &[Column], free: &[usize]) -> Vec<usize> {
    let called = |index: usize, names: &[&str]| {
        names.contains(&columns[index].name.trim().to_lowercase().as_str())
    };
    let kind = |index: usize| &columns[index].kind;
    let simple = |index: usize| matches!(kind(index), Kind::Numbers | Kind::Words);
    let free = || free.iter().copied().filter(|&index| simple(index));
    let ids = free().filter(|&index| called(index, &IDS));
    let is_name = |index: usize| {
        called(index, &NAMES) || columns[index].name.trim().to_lowercase().ends_with("_id")
    };
    let names = free().filter(|&index| is_name(index) && *kind(index) == Kind::Words);
    // What pandas and R make of the names of rows: in a text file, and in one that was read and written again.
    let is_index = |name: &str| name.starts_with("Unnamed: ") || name.starts_with("__index_level_");
    let index = free().filter(|&index| {
        let name = &columns[index].name;
        is_index(name) || (index == 0 && name.is_empty())
    });
    ids.chain(names).chain(index).collect()
}

/// Columns that are called like labels, the best first.
fn label_columns(columns: &[Column], free: &[usize]) -> Vec<usize> {
    let name = |index: usize| columns[index].name.trim().to_lowercase();
    let is_plane = (0..columns.len()).any(|index| name(index) == "x");
    let free = free.iter().copied();
    let simple = free.filter(|&index| matches!(columns[index].kind, Kind::Numbers | Kind::Words));
    let mut found: Vec<(usize, usize)> = simple
        .filter_map(|index| {
            let rank = LABELS.iter().position(|&label| label == name(index))?;
            (LABELS[rank] != "y" || !is_plane).then_some((rank, index))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, index)| index).collect()
}

/// The column of vectors, if there are any.
fn only_vector(
    columns: &[Column],
    is_feature: impl Fn(&usize) -> bool,
    source_name: &str,
) -> Result<Option<usize>, DataError> {
    let is_vector = |index: &usize| columns[*index].kind == Kind::Vectors && is_feature(index);
    let vectors: Vec<usize> = (0..columns.len()).filter(is_vector).collect();
    if vectors.len() < 2 {
        return Ok(vectors.first().copied());
    }
    let lower = |index: usize| columns[index].name.to_lowercase();
    let usual = VECTORS
        .iter()
        .find_map(|&name| vectors.iter().copied().find(|&index| lower(index) == name));
    if usual.is_some() {
        return Ok(usual);
    }
    Err(DataError::SeveralVectors {
        source_name: source_name.into(),
        found: vectors.iter().map(|&index| columns[index].name.clone()).collect(),
    })
}
