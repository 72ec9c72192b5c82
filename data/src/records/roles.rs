//! What the columns of a source are for: the one place that decides it.

use std::collections::{HashMap, HashSet};

use super::id_columns::{id_columns, same_ids};
use super::usual_names::{IDS, LABELS};
use super::{Column, Fitted, Kind, PartInfo, Request, Role, Schema, Wanted};
use crate::DataError;

/// Of several columns of lists, the first of these is taken.
const LISTS: [&str; 5] = ["embedding", "embeddings", "vector", "vectors", "features"];

/// Whether a column of this name holds ids or labels, and no cell of data is likely to say the same.
pub(crate) fn is_usual_name(name: &str) -> bool {
    let name = name.to_lowercase();
    name.len() > 1 && (IDS.contains(&name.as_str()) || LABELS.contains(&name.as_str()))
}

/// Whether a column of this name holds labels.
#[cfg_attr(not(feature = "hdf5"), expect(dead_code, reason = "of HDF5 alone"))]
pub(crate) fn is_usual_label(name: &str) -> bool {
    LABELS.contains(&name.to_lowercase().as_str())
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

/// A column of words, and those that have a feature each, in alphabetical order or that of a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OneHot {
    pub(crate) column: usize,
    pub(crate) words: Vec<String>,
}

/// What is read of a source.
#[derive(Debug, Clone)]
pub(crate) struct Roles {
    pub(crate) id: Option<usize>,
    pub(crate) label: Option<usize>,
    /// Whether the column of labels was named by a person, so that it has to make sense.
    pub(crate) label_was_named: bool,
    pub(crate) features: Features,
    /// Columns of words that are features behind those.
    pub(crate) one_hot: Vec<OneHot>,
    /// The column that has the ids of other data, where this source hasn't got it.
    lost_ids: Option<String>,
}

impl Roles {
    /// Decides by what a person said, else by the columns' names and kinds, and writes it into the schema, with the reason.
    ///
    /// Columns that are called like labels or ids are never features unless `request.wanted` has them. O(columns).
    ///
    /// # Errors
    ///
    /// A named column that isn't there, several columns of lists none of which is called so, or others than the one that other
    /// sources have, no features, and a column that can't be what it was named for.
    pub(crate) fn choose(schema: &mut Schema, request: Request<'_>) -> Result<Self, DataError> {
        let find = Finder::new(schema);
        let options = request.options;
        let optional = |name: &Option<String>| match name {
            Some(name) if request.lenient => Ok(find.position(name)),
            Some(name) => find.said(name).map(Some),
            None => Ok(None),
        };
        let required =
            |name: &Option<String>| name.as_ref().map(|name| find.said(name)).transpose();
        // What other sources have is found by its name, in the place of a number that a person gave, too.
        let Fitted { id_column, vector_column, .. } = request.fitted;
        let is_number = |name: &String| name.parse::<i64>().is_ok();
        let is_of_others = id_column.as_ref().is_some_and(|name| !name.starts_with("column "));
        // Where columns have no names, the first is called `column 1`, as an index without a name is elsewhere.
        let is_name = |name: &&String| schema.has_names || !name.starts_with("column ");
        let known = id_column.as_ref().filter(is_name);
        let id = match known.and_then(|name| same_ids(schema, find.by_name(name), name)) {
            Some(id) => Some(id),
            None if is_of_others && options.id_column.as_ref().is_some_and(is_number) => None,
            None => optional(&options.id_column)?,
        };
        let ids_are_known = options.id_column.is_some() || id_column.is_some();
        let label = optional(&options.label_column)?;
        let has_lists = schema.columns.iter().any(|column| column.kind == Kind::Lists);
        let vector_column = vector_column.as_ref().filter(|_| schema.array.is_none() && has_lists);
        let text = required(&options.text_column)?;
        let list = match vector_column {
            Some(name) => Some(find.named(name)?),
            None => required(&options.vector_column)?,
        };
        let ignored = options.ignored_columns.iter().map(|name| match request.lenient {
            true => Ok(find.position(name)),
            false => find.said(name).map(Some),
        });
        let ignored: HashSet<usize> =
            ignored.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        let by_recipe = request.wanted.filter(|_| text.is_none() && list.is_none());
        let by_recipe = by_recipe.filter(|_| schema.has_names && schema.array.is_none());
        let columns = positions(schema, &find, &options.one_hot_columns)?;
        let words = request.fitted.words.iter().cloned();
        let one_hot: Vec<OneHot> = columns
            .into_iter()
            .zip(words)
            .map(|(column, words)| OneHot { column, words })
            .collect();
        let by_recipe: Option<Vec<usize>> = by_recipe
            .map(|wanted| {
                numbers_of(&one_hot, wanted).iter().map(|name| find.named(name)).collect()
            })
            .transpose()?;
        let given: HashSet<usize> =
            by_recipe.iter().flatten().copied().chain(text).chain(list).collect();
        let why_id =
            options.id_column.as_ref().map_or("it has the other data's ids", |_| "--id-column");
        let why_list = options.vector_column.as_ref();
        let why_list = why_list.map_or("it has the other data's features", |_| "--vector-column");
        let said = [
            (id, Role::Id, why_id),
            (label, Role::Truth, "--label-column"),
            (text, Role::Text, "--text-column"),
            (list, Role::Feature, why_list),
        ];
        for &index in &ignored {
            schema.columns[index].why = "--ignore-column";
        }
        for (index, role, why) in said {
            if let Some(index) = index {
                (schema.columns[index].role, schema.columns[index].why) = (role, why);
            }
        }
        for OneHot { column, .. } in &one_hot {
            let column = &mut schema.columns[*column];
            (column.role, column.why) = (Role::Feature, "--one-hot");
        }
        let free = |index: &usize| !given.contains(index) && !ignored.contains(index);
        let lost_ids = id_column.as_ref().or(options.id_column.as_ref());
        let may_have = schema.has_names && schema.array.is_none() || !id_columns(schema).is_empty();
        let lost_ids = lost_ids.filter(|_| id.is_none() && may_have).cloned();
        let id = by_name(schema, free, id, ids_are_known, label, Role::Id);
        let label = by_name(schema, free, label, options.label_column.is_some(), id, Role::Truth);
        let rest = |index: &usize| free(index) && schema.columns[*index].why.is_empty();
        let array = schema.array.as_ref().map(|array| array.column);
        let features = match (text, list, by_recipe) {
            (Some(text), ..) => Features::Text(text),
            (_, Some(list), _) => Features::List(list),
            (_, _, Some(columns)) => Features::Columns(columns),
            _ => match array.map_or_else(|| only_list(schema, rest), |array| Ok(Some(array)))? {
                Some(list) => Features::List(list),
                None => Features::Columns((0..schema.columns.len()).filter(rest).collect()),
            },
        };
        mark(schema, &features, !one_hot.is_empty())?;
        let label_was_named = options.label_column.is_some();
        let roles = Self { id, label, label_was_named, features, one_hot, lost_ids };
        roles.check(schema)?;
        Ok(roles)
    }

    /// What other sources of the same data have to have: the column of ids, and that of lists, if these are taken.
    pub(crate) fn names_for_others(&self, schema: &Schema) -> [Option<String>; 2] {
        let name = |index: usize| schema.columns[index].name.clone();
        let list = match self.features {
            Features::List(list) if schema.array.is_none() => Some(name(list)),
            _ => None,
        };
        [self.id.map(name), list]
    }

    /// What a source is asked for: the features as numbers; ids, labels, texts and words that become features as words, in
    /// this order.
    pub(crate) fn wanted(&self) -> Wanted {
        let (numbers, text) = match &self.features {
            Features::Columns(columns) => (columns.clone(), None),
            Features::List(list) => (vec![*list], None),
            Features::Text(text) => (Vec::new(), Some(*text)),
        };
        let words = self.id.into_iter().chain(self.label).chain(text);
        let one_hot = self.one_hot.iter().map(|one_hot| one_hot.column);
        Wanted { numbers, words: words.chain(one_hot).collect(), ..Wanted::default() }
    }

    /// Number of features, if it is known before the first row.
    pub(crate) fn n_features(&self, schema: &Schema) -> Option<usize> {
        match &self.features {
            Features::Columns(columns) => Some(columns.len()),
            Features::List(_) => schema.array.as_ref().map(|array| array.width),
            Features::Text(_) => None,
        }
        .map(|numbers| numbers + n_words(&self.one_hot))
    }

    /// Of the names of features, those of numbers: behind them come columns and their words.
    pub(crate) fn numbers_of<'a>(&self, names: &'a [String]) -> &'a [String] {
        numbers_of(&self.one_hot, names)
    }

    /// The column that a feature is made of.
    pub(crate) fn column_of(&self, feature: usize) -> Option<usize> {
        let columns = match &self.features {
            Features::Columns(columns) => columns.as_slice(),
            Features::List(column) | Features::Text(column) => return Some(*column),
        };
        let words = self.one_hot.iter().flat_map(|it| it.words.iter().map(|_| it.column));
        columns.iter().copied().chain(words).nth(feature)
    }

    /// Names of the features, if each has a column with a name of its own.
    pub(crate) fn feature_names(&self, schema: &Schema) -> Option<Vec<String>> {
        let name = |index: usize| schema.columns[index].name.clone();
        let numbers: Vec<String> = match &self.features {
            Features::Columns(columns) if schema.has_names => {
                columns.iter().map(|&index| name(index)).collect()
            }
            Features::List(_) => schema.array.as_ref()?.item_names.clone()?,
            _ => return None,
        };
        let words = self.one_hot.iter().flat_map(|OneHot { column, words }| {
            words.iter().map(move |word| format!("{}={word}", name(*column)))
        });
        Some(numbers.into_iter().chain(words).collect())
    }

    /// Says what each column was taken for.
    pub(crate) fn tell(&self, schema: &Schema, info: &mut PartInfo) {
        let what = if schema.array.is_some() { "member" } else { "column" };
        let column = |index: usize| {
            let name = &schema.columns[index].name;
            match name.starts_with("column ") {
                true => name.clone(),
                false => format!("{what} {name}"),
            }
        };
        info.ids_from = self.id.map(column);
        info.notes.extend(self.lost_ids.as_ref().map(|name| {
            format!("no column {name}, by which the other data call their samples, so these have no ids; call the column of their ids so")
        }));
        info.truth_from = self.label.map(column);
        info.has_truth = self.label.is_some();
        info.features_from = match self.features {
            Features::List(index) | Features::Text(index) if schema.array.is_none() => {
                Some(column(index))
            }
            _ => None,
        };
        let aside = (0..schema.columns.len())
            .filter(|&index| schema.columns[index].role == Role::LeftAside);
        let told = |index: usize| match (&schema.columns[index].kind, &schema.array) {
            (Kind::Other(words), Some(_)) => format!("{} ({words})", column(index)),
            _ => column(index),
        };
        info.left_aside = aside.map(told).collect();
    }

    /// Whether no column of features is known to hold something else than numbers.
    pub(crate) fn are_numbers(&self, schema: &Schema) -> bool {
        match &self.features {
            Features::Columns(columns) => {
                columns.iter().all(|&index| schema.columns[index].kind.is_number())
            }
            Features::List(_) | Features::Text(_) => true,
        }
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
            // What is wrong with columns of features is told of all of them at once.
            Features::Columns(_) => Ok(()),
        }
    }
}

fn n_words(one_hot: &[OneHot]) -> usize {
    one_hot.iter().map(|one_hot| one_hot.words.len()).sum()
}

fn numbers_of<'a>(one_hot: &[OneHot], names: &'a [String]) -> &'a [String] {
    &names[..names.len().saturating_sub(n_words(one_hot))]
}

fn positions(schema: &Schema, find: &Finder, names: &[String]) -> Result<Vec<usize>, DataError> {
    let columns = names.iter().map(|name| {
        let column = find.named(name)?;
        let Column { name, kind, .. } = &schema.columns[column];
        if kind.is_simple() {
            return Ok(column);
        }
        Err(DataError::ColumnKind {
            source_name: schema.name.clone(),
            column: name.clone(),
            found: kind.words().into(),
            as_what: "words",
        })
    });
    columns.collect()
}

/// Where the columns of these names, or numbers, are, whose words can become features.
pub(crate) fn columns_of_words(schema: &Schema, names: &[String]) -> Result<Vec<usize>, DataError> {
    positions(schema, &Finder::new(schema), names)
}

/// Finds columns by name, else by number: from 1, and -1 is the last.
pub(super) struct Finder {
    positions: HashMap<String, usize>,
    /// The first two columns that a file calls by one name.
    twice: HashMap<String, [usize; 2]>,
    n_columns: usize,
    schema_name: String,
    found: Vec<String>,
}

impl Finder {
    pub(super) fn new(schema: &Schema) -> Self {
        let names = schema.names();
        let positions: HashMap<String, usize> = names.iter().cloned().zip(0..).collect();
        let again = names.iter().zip(0..).filter_map(|(name, second)| {
            let first = name.strip_suffix(')')?.rsplit_once(" (column ")?.0;
            Some((first.to_owned(), [*positions.get(first)?, second]))
        });
        let twice = again.collect();
        let n_columns = names.len();
        let found = match schema.has_names {
            true => names,
            false => vec![format!("{n_columns} without names, as there is no header line")],
        };
        Self { positions, twice, n_columns, schema_name: schema.name.clone(), found }
    }

    pub(super) fn by_name(&self, name: &str) -> Option<usize> {
        self.positions.get(name.trim()).copied()
    }

    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.by_name(name).or_else(|| self.by_number(name))
    }

    fn by_number(&self, name: &str) -> Option<usize> {
        let number: isize = name.trim().parse().ok()?;
        let index = match number {
            1.. => number.checked_sub(1)?,
            _ => number.checked_add_unsigned(self.n_columns)?,
        };
        usize::try_from(index).ok().filter(|&index| number != 0 && index < self.n_columns)
    }

    /// The column that a person named.
    pub(super) fn said(&self, name: &str) -> Result<usize, DataError> {
        if let Some(&[first, second]) = self.twice.get(name.trim()) {
            return Err(DataError::NamedTwice {
                source_name: self.schema_name.clone(),
                column: name.into(),
                first: first + 1,
                second: second + 1,
            });
        }
        self.named(name)
    }

    pub(super) fn named(&self, name: &str) -> Result<usize, DataError> {
        self.position(name).ok_or_else(|| {
            let lower = name.to_lowercase();
            let near = self
                .positions
                .keys()
                .map(|other| (strsim::damerau_levenshtein(&other.to_lowercase(), &lower), other));
            let near = near.min().filter(|(distance, _)| *distance <= 2 && name.len() > 2);
            let wanted = near.map_or(name.into(), |(_, other)| format!("{name} (or {other}?)"));
            let (source_name, found) = (self.schema_name.clone(), self.found.clone());
            DataError::MissingColumn { source_name, wanted, found }
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
    // Several columns that name the rows do so together.
    let is_whole =
        |index: &usize| schema.index.len() < 2 || role != Role::Id || !schema.index.contains(index);
    let chosen = match is_given {
        true => given,
        false => found.iter().map(|(index, _)| *index).find(is_whole),
    };
    let together: &'static str = "it names the rows only with others (--id-column)";
    let parts: Vec<usize> =
        found.iter().map(|(index, _)| *index).filter(|index| !is_whole(index)).collect();
    for index in parts {
        let column = &mut schema.columns[index];
        if column.why.is_empty() {
            column.why = together;
        }
    }
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

/// Columns that are called like labels, the best first.
pub(super) fn label_columns(schema: &Schema) -> Vec<(usize, Option<&'static str>)> {
    let lower: Vec<String> =
        schema.columns.iter().map(|column| column.name.trim().to_lowercase()).collect();
    let is_simple = |index: usize| schema.columns[index].kind.is_simple();
    let is_plane = (0..lower.len()).any(|index| lower[index] == "x" && is_simple(index));
    let simple = (0..lower.len()).filter(|&index| is_simple(index));
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
fn mark(schema: &mut Schema, features: &Features, others: bool) -> Result<(), DataError> {
    let why = match features {
        Features::Columns(columns) if columns.is_empty() && !others => {
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
