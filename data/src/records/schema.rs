//! What a source is: its columns, what they hold, and what each is for.

use serde::Serialize;

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Numbers,
    Words,
    /// True or false, which can be read as 1 or 0.
    Booleans,
    /// A list of numbers a row, or a row of an array.
    Lists,
    /// Days or times.
    Dates,
    /// Nothing in all rows that were looked at.
    Nothing,
    /// Something that can't be read, in words.
    Other(String),
}

impl Kind {
    pub(crate) fn words(&self) -> &str {
        match self {
            Self::Numbers => "numbers",
            Self::Words => "words",
            Self::Booleans => "booleans",
            Self::Lists => "lists of numbers",
            Self::Dates => "dates",
            Self::Nothing => "nothing",
            Self::Other(words) => words,
        }
    }

    /// Whether a cell is one value that can name a class or a sample.
    pub(crate) fn is_simple(&self) -> bool {
        matches!(self, Self::Numbers | Self::Words | Self::Booleans | Self::Dates | Self::Nothing)
    }

    /// Whether a cell can be read as a number.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Numbers | Self::Booleans | Self::Nothing)
    }
}

/// What a column is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// Numbers that are clustered.
    Feature,
    /// Names of samples.
    Id,
    /// True classes, for scores only.
    Truth,
    /// Texts, which become features together.
    Text,
    /// Clusters that a model found.
    Vote,
    /// Not used.
    #[default]
    LeftAside,
}

/// A column: what it holds, and what it was taken for.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// Unique in its source; a column without a name is called by its number.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) role: Role,
    /// Why it has this role.
    pub(crate) why: &'static str,
}

impl Column {
    /// A column whose role isn't decided.
    pub(crate) fn new(name: String, kind: Kind) -> Self {
        Self { name, kind, role: Role::LeftAside, why: "" }
    }
}

/// What messages count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Lines of a text file, from 1.
    Line,
    /// Rows, from 0.
    Row,
}

impl Place {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Row => "row",
        }
    }
}

/// What an array is, of which each row is a sample.
#[derive(Debug, Clone)]
pub(crate) struct Array {
    /// The column that has its rows, as lists.
    pub(crate) column: usize,
    pub(crate) n_rows: usize,
    /// Numbers in a row.
    pub(crate) width: usize,
    /// What they are called, length width.
    pub(crate) item_names: Option<Vec<String>>,
    /// How many labels are beside it, if that isn't one a row.
    pub(crate) uneven_labels: Option<usize>,
    /// Whether it is large, and most of it are zeros that nobody has stored.
    pub(crate) stays_sparse: bool,
}

/// What there is to know of a source before its rows are read.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    /// How messages name the source.
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) columns: Vec<Column>,
    /// Whether columns have names of their own, and not just numbers.
    pub(crate) has_names: bool,
    /// Columns of which the file says that they name the rows.
    pub(crate) index: Vec<usize>,
    /// The features, where the source is an array with other arrays beside it, and not a table.
    pub(crate) array: Option<Array>,
    /// About how many rows there are (of an array, exactly), if something says it, so that memory is taken once.
    pub(crate) about_rows: Option<usize>,
}

impl Schema {
    pub(crate) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }
}

/// Names that are unique: what comes again is called by its number, too, and what has no name by its number alone.
pub(crate) fn unique(names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let numbered = names.iter().enumerate().map(|(index, name)| match name.trim() {
        "" => format!("column {}", index + 1),
        name => name.to_owned(),
    });
    let mut numbered: Vec<String> = numbered.collect();
    for (index, name) in numbered.iter_mut().enumerate() {
        while !seen.insert(name.clone()) {
            *name = format!("{name} (column {})", index + 1);
        }
    }
    numbered
}

/// The first of many, as a message tells them.
pub(crate) fn some(columns: &[String]) -> String {
    /// More aren't told.
    const TOLD: usize = 12;
    match columns.len().saturating_sub(TOLD) {
        0 => columns.join(", "),
        more => format!("{} and {more} more", columns[..TOLD].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::unique;

    #[test]
    fn names_are_made_unique_by_their_numbers() {
        let names = ["v", "", "v", " w "].map(String::from).to_vec();
        assert_eq!(unique(names), ["v", "column 2", "v (column 3)", "w"]);
    }
}
