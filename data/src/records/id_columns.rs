//! Which columns say what samples are called, and which of them is taken.

use super::usual_names::{IDS, LABELS, NAMES, SAMPLE};
use super::{Kind, Schema};

/// Why a column names samples, the best reason first: the order in which they are taken. docs/formats.md has it, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precedence {
    /// It is called `id`.
    Id,
    /// The file says that it names the rows, and it has a name.
    NamedIndex,
    /// It is called as ids are, by its place in [`IDS`].
    Usual(usize),
    /// It is called as names are, by its place in [`NAMES`], and holds words.
    Name(usize),
    /// Its name ends with `_id`.
    Suffix,
    /// It has the names of rows, without a name of its own.
    Index,
    /// It is called `sample`, and there are others to be features.
    Sample,
}

/// Columns that identify samples, the best first, with the reason where it isn't the name.
pub(super) fn id_columns(schema: &Schema) -> Vec<(usize, Option<&'static str>)> {
    let all = 0..schema.columns.len();
    let mut found: Vec<(Precedence, usize)> =
        all.filter_map(|index| Some((precedence(schema, index)?, index))).collect();
    found.sort_unstable();
    let why = |(precedence, index): (Precedence, usize)| match precedence {
        Precedence::NamedIndex | Precedence::Index if schema.index.contains(&index) => {
            (index, Some("the file says that it names the rows"))
        }
        Precedence::Index => (index, Some("as tables have the names of rows")),
        _ => (index, None),
    };
    found.into_iter().map(why).collect()
}

fn precedence(schema: &Schema, index: usize) -> Option<Precedence> {
    let column = &schema.columns[index];
    let is_index = schema.index.contains(&index);
    if !column.kind.is_simple() && !is_index {
        return None;
    }
    let lower = column.name.trim().to_lowercase();
    let place = |names: &[&str]| names.iter().position(|&name| name == lower);
    if lower == IDS[0] {
        return Some(Precedence::Id);
    }
    if is_nameless(schema, index) {
        return Some(Precedence::Index);
    }
    if is_index {
        return Some(Precedence::NamedIndex);
    }
    let name = || place(&NAMES).filter(|_| column.kind == Kind::Words);
    let suffix = || lower.ends_with("_id").then_some(Precedence::Suffix);
    let usual = place(&IDS).map(Precedence::Usual);
    let sample = || (lower == SAMPLE && has_others(schema, index)).then_some(Precedence::Sample);
    usual.or_else(|| name().map(Precedence::Name)).or_else(suffix).or_else(sample)
}

/// Whether there is another column that isn't called like labels or ids.
fn has_others(schema: &Schema, index: usize) -> bool {
    let is_other = |name: &str| !LABELS.contains(&name) && !IDS.contains(&name);
    let mut others = schema.columns.iter().enumerate().filter(|&(other, _)| other != index);
    others.any(|(_, column)| is_other(&column.name.trim().to_lowercase()))
}

/// Whether a column has the names of rows, without a name of its own: what pandas and R make of these in a text file, in one that was read and written again, and
/// in Parquet.
fn is_nameless(schema: &Schema, index: usize) -> bool {
    let name = &schema.columns[index].name;
    is_made_up(name) || (index == 0 && schema.has_names && name == "column 1")
}

fn is_made_up(name: &str) -> bool {
    name.starts_with("Unnamed: ") || name.starts_with("__index_level_")
}

/// Whether a column may just count rows: the names of rows without a name, or `index`, as pandas calls these when it makes them a column.
pub(super) fn may_count(schema: &Schema, index: usize) -> bool {
    is_nameless(schema, index) || may_count_rows(&schema.columns[index].name)
}

/// As far as the name of a column of ids says it.
pub(crate) fn may_count_rows(name: &str) -> bool {
    name.trim().eq_ignore_ascii_case("index") || is_made_up(name) || name == "column 1"
}

/// The column that is called as the ids of other data are, in any case; names of rows without a name of their own are alike, whatever a format makes of them. `exact`: the
/// column of just this name.
pub(super) fn same_ids(schema: &Schema, exact: Option<usize>, name: &str) -> Option<usize> {
    let all = || 0..schema.columns.len();
    let is_alike =
        |index: &usize| schema.columns[*index].name.trim().to_lowercase() == name.to_lowercase();
    let is_numbered = is_made_up(name) || name == "column 1";
    let nameless =
        || all().find(|&index| schema.has_names && is_numbered && is_nameless(schema, index));
    exact.or_else(|| all().find(is_alike)).or_else(nameless)
}
