//! How a source is to be read.

use super::Offsets;
use crate::{ReadOptions, Recipe};

/// What other rows of the same features have decided, or these decide.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fitted {
    /// Whether `offsets` are known; else the first rows decide.
    pub(crate) is_decided: bool,
    pub(crate) offsets: Option<Offsets>,
    /// What replaces missing values, length n_features; `None`: they stay missing.
    pub(crate) means: Option<Vec<f32>>,
    /// The words of each of the one-hot columns.
    pub(crate) words: Vec<Vec<String>>,
    /// Whether a first line of text names the columns.
    pub(crate) header: Option<bool>,
    /// What the column of ids is called, and that of lists.
    pub(crate) id_column: Option<String>,
    pub(crate) vector_column: Option<String>,
}

impl Fitted {
    /// What a recipe says. `follow`: it is that of other data, and so all is decided.
    pub(crate) fn of(recipe: &Recipe, follow: bool) -> Self {
        let (offsets, means) = (recipe.offsets.clone(), recipe.means.clone());
        let (words, header) = (recipe.one_hot_words.clone(), recipe.header);
        let (id_column, vector_column) = (recipe.id_column.clone(), recipe.vector_column.clone());
        Self { is_decided: follow, offsets, means, words, header, id_column, vector_column }
    }
}

/// What other sources say of the first line of one of text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Like {
    /// Columns that have to be there, if columns have names.
    pub(crate) names: Vec<String>,
    /// Whether theirs name the columns.
    pub(crate) header: Option<bool>,
}

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
    /// How numbers become features, as far as other sources have decided it.
    pub(crate) fitted: &'a Fitted,
}

impl Request<'_> {
    pub(crate) fn like(&self) -> Like {
        let fitted = self.fitted;
        let n_words: usize = fitted.words.iter().map(Vec::len).sum();
        let names = self.wanted.unwrap_or_default();
        // Behind the columns come columns and their words.
        let names = names[..names.len().saturating_sub(n_words)].to_vec();
        Like { names, header: fitted.header }
    }
}
