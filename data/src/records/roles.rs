//! What the columns of a source are for: the one place that decides it.

use std::collections::{HashMap, HashSet};

use super::{Column, Kind, PartInfo, Role, Schema, Wanted};
use crate::{DataError, ReadOptions};

/// Columns of these names say what samples are called, whatever they hold; and those that end with `_id`.
const IDS: [&str; 8] = ["id", "ids", "uuid", "guid", "sample_id", "row_id", "doc_id", "index"];
/// And these, if they hold words.
const NAMES: [&str; 8] =
    ["name", "file", "filename", "file_name", "path", "filepath", "key", "url"];
/// Columns of these names are the truth. A `y` beside an `x` is a coordinate.
const LABELS: [&str; 8] =
    ["label", "labels", "class", "classes", "target", "truth", "category", "y"];
/// Of several columns of lists, the first of these is taken.
const LISTS: [&str; 5] = ["embedding", "embeddings", "vector", "vectors", "features"];

/// How sources are to be read.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) options: &'a ReadOptions,
    /// Names of columns that are the features, in this order, wherever a source names its columns.
    pub(crate) wanted: Option<&'a [String]>,
    /// Whether columns of ids and labels may be missing although they are named: in sources that are read as others were.
    pub(crate) lenient: bool,
    /// Whether labels beside the data are wanted.
    pub(crate) with_truth: bool,
}

/// Where the features come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Features {
    /// Columns of numbers, in this order.
    Columns(Vec<usize>),
    /// A column of lists.
    List(usize),
    /// A column of texts.
    Text(usize),
}

/// What is read of a source.
#[derive(Debug, Clone)]
pub(crate) struct Roles {
    pub(crate) id: Option<usize>,
    pub(crate) label: Option<usize>,
    /// Whether the column of labels was named by a person, so that it has to make sense.
    pub(crate) label_was_named: bool,
    pub(crate) features: Features,
}

impl Roles {
    /// Decides by what a person said, else by the columns' names and kinds, and writes it into the schema, with the reason.
    ///
    /// Columns that are called like labels or ids are never features unless `request.wanted` has them. O(columns).
    ///
    /// # Errors
    ///
    /// A named column that isn't there, several columns of lists none of which is called so, no features, and a column that
    /// can't be what it was named for.
    pub(crate) fn choose(schema: &mut Schema, request: Request<'_>) -> Result<Self, DataError> {
        let find = Finder::new(schema);
        let options = request.options;
        let optional = |name: &Option<String>| match name {
            Some(name) if request.lenient => Ok(find.position(name)),
            Some(name) => find.named(name).map(Some),
            None => Ok(None),
        };
        let required =
            |name: &Option<String>| name.as_ref().map(|name| find.named(name)).transpose();
        let (id, label) = (optional(&options.id_column)?, optional(&options.label_column)?);
        let (text, list) = (required(&options.text_column)?, required(&options.vector_column)?);
        let ignored = options.ignored_columns.iter().map(|name| match request.lenient {
            true => Ok(find.position(name)),
            false => find.named(name).map(Some),
        });
        let ignored: HashSet<usize> =
            ignored.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        let by_recipe = request.wanted.filter(|_| text.is_none() && list.is_none());
        let by_recipe = by_recipe.filter(|_| schema.has_names);
        let by_recipe: Option<Vec<usize>> = by_recipe
            .map(|wanted| wanted.iter().map(|name| find.named(name)).collect())
            .transpose()?;
        let given: HashSet<usize> =
            by_recipe.iter().flatten().copied().chain(text).chain(list).collect();
        let said = [
            (id, Role::Id, "--id-column"),
            (label, Role::Truth, "--label-column"),
            (text, Role::Text, "--text-column"),
            (list, Role::Feature, "--vector-column"),
        ];
        for &index in &ignored {
            schema.columns[index].why = "--ignore-column";
        }
        for (index, role, why) in said {
            if let Some(index) = index {
                (schema.columns[index].role, schema.columns[index].why) = (role, why);
            }
        }
        let free = |index: &usize| !given.contains(index) && !ignored.contains(index);
        let id = by_name(schema, free, id, options.id_column.is_some(), label, Role::Id);
        let label = by_name(schema, free, label, options.label_column.is_some(), id, Role::Truth);
        let rest = |index: &usize| free(index) && schema.columns[*index].why.is_empty();
        let features = match (text, list, by_recipe) {
            (Some(text), ..) => Features::Text(text),
            (_, Some(list), _) => Features::List(list),
            (_, _, Some(columns)) => Features::Columns(columns),
            _ => match only_list(schema, rest)? {
                Some(list) => Features::List(list),
                None => Features::Columns((0..schema.columns.len()).filter(rest).collect()),
            },
        };
        mark(schema, &features)?;
        let roles = Self { id, label, label_was_named: options.label_column.is_some(), features };
        roles.check(schema)?;
        Ok(roles)
    }

    /// What a source is asked for: the features as numbers; ids, labels and texts as words, in this order.
    pub(crate) fn wanted(&self) -> Wanted {
        let (numbers, text) = match &self.features {
            Features::Columns(columns) => (columns.clone(), None),
            Features::List(list) => (vec![*list], None),
            Features::Text(text) => (Vec::new(), Some(*text)),
        };
        Wanted { numbers, words: self.id.into_iter().chain(self.label).chain(text).collect() }
    }

    /// Number of features, if it is known before the first row.
    pub(crate) fn n_features(&self) -> Option<usize> {
        match &self.features {
            Features::Columns(columns) => Some(columns.len()),
            Features::List(_) | Features::Text(_) => None,
        }
    }

    /// Names of the features, if each has a column with a name of its own.
    pub(crate) fn feature_names(&self, schema: &Schema) -> Option<Vec<String>> {
        match &self.features {
            Features::Columns(columns) if schema.has_names => {
                Some(columns.iter().map(|&index| schema.columns[index].name.clone()).collect())
            }
            _ => None,
        }
    }

    /// Says what each column was taken for.
    pub(crate) fn tell(&self, schema: &Schema, info: &mut PartInfo) {
        let column = |index: usize| {
            let name = &schema.columns[index].name;
            match name.starts_with("column ") {
                true => name.clone(),
                false => format!("column {name}"),
            }
        };
        info.ids_from = self.id.map(column);
        info.truth_from = self.label.map(column);
        info.has_truth = self.label.is_some();
        info.features_from = match self.features {
            Features::List(index) | Features::Text(index) => Some(column(index)),
            Features::Columns(_) => None,
        };
        let aside = (0..schema.columns.len())
            .filter(|&index| schema.columns[index].role == Role::LeftAside);
        info.left_aside = aside.map(column).collect();
    }

    /// Refuses columns that are chosen for what they can't be.
    fn check(&self, schema: &Schema) -> Result<(), DataError> {
        let check = |index: usize, fits: bool, as_what: &'static str| {
            if fits {
                return Ok(());
            }
            let Column { name, kind, .. } = &schema.columns[index];
            Err(DataError::ColumnKind {
                source_name: schema.name.clone(),
                column: name.clone(),
                found: kind.words().into(),
                as_what,
            })
        };
        let kind = |index: usize| &schema.columns[index].kind;
        self.id.map_or(Ok(()), |index| check(index, kind(index).is_simple(), "ids"))?;
        self.label.map_or(Ok(()), |index| check(index, kind(index).is_simple(), "labels"))?;
        match &self.features {
            Features::Text(index) => check(*index, kind(*index).is_simple(), "texts"),
            Features::List(index) => check(*index, *kind(*index) == Kind::Lists, "vectors"),
            Features::Columns(columns) => columns.iter().try_for_each(|&index| {
                // A text file is sure of what a cell is only when it is read.
                let fits = kind(index).is_number()
                    || (schema.place == super::Place::Line && *kind(index) == Kind::Words);
                check(index, fits, "features")
            }),
        }
    }
}

/// Finds columns by name, else by number: from 1, and -1 is the last.
struct Finder {
    positions: HashMap<String, usize>,
    n_columns: usize,
    schema_name: String,
    found: Vec<String>,
}

impl Finder {
    fn new(schema: &Schema) -> Self {
        let names = schema.names();
        let positions = names.iter().cloned().zip(0..).collect();
        let n_columns = names.len();
        let found = match schema.has_names {
            true => names,
            false => vec![format!("{n_columns} without names, as there is no header line")],
        };
        Self { positions, n_columns, schema_name: schema.name.clone(), found }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name.trim()).copied().or_else(|| self.by_number(name))
    }

    fn by_number(&self, name: &str) -> Option<usize> {
        let number: isize = name.trim().parse().ok()?;
        let index = match number {
            1.. => number.checked_sub(1)?,
            _ => number.checked_add_unsigned(self.n_columns)?,
        };
        usize::try_from(index).ok().filter(|&index| number != 0 && index < self.n_columns)
    }

    fn named(&self, name: &str) -> Result<usize, DataError> {
        self.position(name).ok_or_else(|| DataError::MissingColumn {
            source_name: self.schema_name.clone(),
            wanted: name.into(),
            found: self.found.clone(),
        })
    }
}

/// The column for ids or labels: the one that a person named, else the first that is called so. Others that are called so are
/// no features, either.
///
/// `other`: the column that is taken for the other of the two.
fn by_name(
    schema: &mut Schema,
    free: impl Fn(&usize) -> bool,
    given: Option<usize>,
    is_given: bool,
    other: Option<usize>,
    role: Role,
) -> Option<usize> {
    let (mut found, why) = match role {
        Role::Id => (id_columns(schema), "it is called like an id"),
        _ => (label_columns(schema), "it is called like a label"),
    };
    found.retain(|(index, _)| free(index) && Some(*index) != other && Some(*index) != given);
    let chosen = match is_given {
        true => given,
        false => found.first().map(|(index, _)| *index),
    };
    for (index, better) in found {
        let column = &mut schema.columns[index];
        if Some(index) == chosen {
            (column.role, column.why) = (role, better.unwrap_or(why));
        } else if column.why.is_empty() {
            column.why = why;
        }
    }
    chosen
}

/// Columns that identify samples, the best first, with the reason where it isn't the name.
fn id_columns(schema: &Schema) -> Vec<(usize, Option<&'static str>)> {
    let columns = &schema.columns;
    let lower: Vec<String> =
        columns.iter().map(|column| column.name.trim().to_lowercase()).collect();
    let simple = || (0..columns.len()).filter(|&index| columns[index].kind.is_simple());
    let ids = simple().filter(|&index| IDS.contains(&lower[index].as_str()));
    let suffixed = simple()
        .filter(|&index| lower[index].ends_with("_id") && !IDS.contains(&lower[index].as_str()));
    let is_word = |index: usize| columns[index].kind == Kind::Words;
    let names = simple().filter(|&index| NAMES.contains(&lower[index].as_str()) && is_word(index));
    // What pandas and R make of the names of rows: in a text file, and in one that was read and written again.
    let is_index = |index: usize| {
        let name = &columns[index].name;
        name.starts_with("Unnamed: ")
            || name.starts_with("__index_level_")
            || (index == 0 && schema.has_names && name == "column 1")
    };
    let index = simple().filter(|&index| is_index(index));
    let by_file = schema.index.into_iter();
    let by_file = by_file.map(|index| (index, Some("the file says that it names the rows")));
    let named = ids.chain(names).chain(suffixed).map(|index| (index, None));
    let index = index.map(|index| (index, Some("as tables have the names of rows")));
    let mut seen = HashSet::new();
    by_file.chain(named).chain(index).filter(|(index, _)| seen.insert(*index)).collect()
}

/// Columns that are called like labels, the best first.
fn label_columns(schema: &Schema) -> Vec<(usize, Option<&'static str>)> {
    let lower: Vec<String> =
        schema.columns.iter().map(|column| column.name.trim().to_lowercase()).collect();
    let is_plane = lower.iter().any(|name| name == "x");
    let simple = (0..lower.len()).filter(|&index| schema.columns[index].kind.is_simple());
    let mut found: Vec<(usize, usize)> = simple
        .filter_map(|index| {
            let rank = LABELS.iter().position(|&label| label == lower[index])?;
            (LABELS[rank] != "y" || !is_plane).then_some((rank, index))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, index)| (index, None)).collect()
}

/// The column of lists, if there are any.
fn only_list(schema: &Schema, rest: impl Fn(&usize) -> bool) -> Result<Option<usize>, DataError> {
    let columns = &schema.columns;
    let is_list = |index: &usize| columns[*index].kind == Kind::Lists && rest(index);
    let lists: Vec<usize> = (0..columns.len()).filter(is_list).collect();
    if lists.len() < 2 {
        return Ok(lists.first().copied());
    }
    let lower = |index: usize| columns[index].name.to_lowercase();
    let usual =
        LISTS.iter().find_map(|&name| lists.iter().copied().find(|&index| lower(index) == name));
    if usual.is_some() {
        return Ok(usual);
    }
    Err(DataError::SeveralVectors {
        source_name: schema.name.clone(),
        found: lists.iter().map(|&index| columns[index].name.clone()).collect(),
    })
}

/// Marks the columns of features, and says why others are left aside.
fn mark(schema: &mut Schema, features: &Features) -> Result<(), DataError> {
    let why = match features {
        Features::Columns(columns) if columns.is_empty() => {
            return Err(DataError::NoFeatureColumns {
                source_name: schema.name.clone(),
                found: schema.names(),
            });
        }
        Features::Columns(columns) => {
            for &index in columns {
                let column = &mut schema.columns[index];
                (column.role, column.why) = (Role::Feature, "numbers");
            }
            "it is none of the features"
        }
        Features::List(list) => {
            let column = &mut schema.columns[*list];
            column.role = Role::Feature;
            if column.why.is_empty() {
                column.why = "lists of numbers";
            }
            "the features are lists"
        }
        Features::Text(text) => {
            schema.columns[*text].role = Role::Text;
            "the features are texts"
        }
    };
    for column in &mut schema.columns {
        if column.why.is_empty() {
            column.why = why;
        }
    }
    Ok(())
}
