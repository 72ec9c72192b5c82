//! How files become features, written down, so that other files become features in the same way.

use serde::{Deserialize, Serialize};

use crate::records::Offsets;

/// What a person says of files that the files don't say themselves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// The column of a table that says what samples are called.
    pub id_column: Option<String>,
    /// The column of a table with the true classes, which is no feature.
    pub label_column: Option<String>,
    /// The column (or field) of a table that holds each sample's features as a list.
    pub vector_column: Option<String>,
    /// The column (or field) of a table that holds texts.
    pub text_column: Option<String>,
    /// Columns of a table that aren't used, whatever they hold.
    pub ignored_columns: Vec<String>,
    /// Rows and columns that images are resized to.
    pub image_size: Option<[usize; 2]>,
    /// Whether the first line of a text table names the columns; `None`: by a look at it.
    pub header: Option<bool>,
    /// Whether a text table has `1,5` for 1.5.
    pub decimal_comma: bool,
    /// How text is encoded, by its name on the web, such as `windows-1252`; `None`: UTF-8, else by a look at it.
    pub encoding: Option<String>,
    /// Of texts, the number of words that a sequence has at most, if they are to be sequences of words and not weighted words.
    pub words: Option<usize>,
    /// What becomes of missing values.
    pub missing: Missing,
    /// Numbers that stand for a missing value, such as -9999.
    #[serde(skip_serializing_if = "MissingValues::is_empty")]
    pub missing_values: MissingValues,
    /// Columns of words, each of which becomes a feature that is 1 where the column has it, else 0.
    pub one_hot_columns: Vec<String>,
    /// The column of files of labels that has the labels. Nothing of the data, and so not kept.
    #[serde(skip)]
    pub labels_column: Option<String>,
    /// Of files of labels, the column in which the data have their ids, if these have it, too. Nothing of the data, and so not kept.
    #[serde(skip)]
    pub ids_of_data: Option<String>,
    /// Bytes that what is read may unpack to; `None`: three quarters of the memory that is free. Nothing of the data, and so not
    /// kept.
    #[serde(skip)]
    pub max_memory: Option<u64>,
    /// Whether rows of a sparse matrix that is [large](crate::Features::LARGE), and has no values missing, stay sparse if not more than a quarter of their values are
    /// stored: [`Features::as_sparse`](crate::Features::as_sparse). Chunks of very wide rows that are read one after the other are then sparse, too. Nothing of the data, and so not kept.
    #[serde(skip)]
    pub keep_sparse: bool,
}

/// What pandas calls an index without a name, once it is read again: no other column is called so.
const NAMELESS: &str = "Unnamed: 0";

/// What becomes of samples in which values are missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Missing {
    /// They are an error.
    #[default]
    Refuse,
    /// They are left out.
    Drop,
    /// The values become their feature's mean.
    Mean,
}

/// Numbers that stand for a missing value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MissingValues(pub Vec<f64>);

impl MissingValues {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a number is one of them, to the last bit: others that are near are measurements.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.0.contains(&value)
    }

    /// Whether a number of a file of 32-bit floats is one of them, as such a file would have it: 0.1 is another number in 64 bits.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "as the file has it")]
    pub fn contains_narrow(&self, value: f32) -> bool {
        self.0.iter().any(|&missing| {
            let narrow = missing as f32;
            // What 32 bits don't hold would stand for everything too large, or too small.
            let is_held = narrow.is_finite() && (narrow != 0.0 || missing == 0.0);
            is_held && narrow == value
        })
    }
}

impl ReadOptions {
    /// What holds of files of labels beside the data, too: names of columns, if they have such.
    #[must_use]
    pub fn for_labels(&self) -> Self {
        Self {
            id_column: self.id_column.clone(),
            label_column: self.label_column.clone(),
            ignored_columns: self.ignored_columns.clone(),
            labels_column: self.labels_column.clone(),
            ..Self::default()
        }
    }

    /// All columns that a person named.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        let each = [&self.id_column, &self.label_column, &self.vector_column, &self.text_column];
        let several = self.ignored_columns.iter().chain(&self.one_hot_columns);
        each.into_iter().flatten().chain(several).map(String::as_str)
    }
}

/// How files became features.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// What a person said of the files.
    pub options: ReadOptions,
    /// The column that samples' ids were taken from, if any: other files' ids are in the column of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_column: Option<String>,
    /// The column of a table that the features were taken from, as lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vector_column: Option<String>,
    /// Whether the files are text whose first line names the columns, where all of them are alike.
    pub header: Option<bool>,
    /// Rows, columns and channels of images whose pixels are the features: row by row, the channels of a pixel side by side.
    pub image: Option<[usize; 3]>,
    /// What the features are called, length n_features: columns of a table, words of a vocabulary.
    pub feature_names: Option<Vec<String>>,
    /// What was taken off numbers before they became 32-bit floats, if anything.
    pub offsets: Option<Offsets>,
    /// What replaces missing values, length n_features, if any were missing.
    pub means: Option<Vec<f32>>,
    /// The words of each of the one-hot columns, in the order of their features, which come behind all others.
    pub one_hot_words: Vec<Vec<String>>,
    /// What the count of each word is multiplied by, length n_features: features are TF-IDF of texts.
    pub inverse_document_frequencies: Option<Vec<f32>>,
    /// The words of texts that are sequences: features are the numbers of a text's words, in order. 0 is none, behind the last; 1 a word that isn't here;
    /// from 2 on the words as they stand here.
    pub vocabulary: Option<Vec<String>>,
}

impl Recipe {
    /// What holds of files of labels beside the data, too: above all, where ids are.
    #[must_use]
    pub fn for_labels(&self) -> ReadOptions {
        let options = self.options.for_labels();
        let mut id_column = self.id_column.clone();
        // An index without a name, which nobody named: in a file without names, the first column is called so, too.
        if options.id_column.is_none() && id_column.as_deref() == Some("column 1") {
            id_column = Some(NAMELESS.into());
        }
        ReadOptions { id_column: id_column.or(options.id_column), ..options }
    }

    /// Whether the features are columns of a table that have names of their own, and so units of their own: not words of texts,
    /// and not numbered as pixels (`pixel0`, `12x7`) and coordinates of embeddings (`dim_3`) are.
    #[must_use]
    pub fn is_named_table(&self) -> bool {
        let names = self.feature_names.as_deref().unwrap_or_default();
        let numbered = |name: &&String| name.ends_with(|letter: char| letter.is_ascii_digit());
        let n_numbered = names.iter().filter(numbered).count();
        self.inverse_document_frequencies.is_none() && 2 * n_numbered < names.len()
    }

    /// A feature's value as the files have it.
    #[must_use]
    pub fn original(&self, feature: usize, value: f32) -> f64 {
        let offsets = self.offsets.as_ref();
        offsets.map_or(f64::from(value), |offsets| offsets.original(feature, value))
    }

    /// As [`Recipe::original`], of a mean of several values.
    #[must_use]
    pub fn original_mean(&self, feature: usize, mean: f64) -> f64 {
        let offsets = self.offsets.as_ref();
        offsets.map_or(mean, |it| it.scales[feature].mul_add(mean, it.offsets[feature]))
    }
}

#[cfg(test)]
mod tests {
    use super::{MissingValues, ReadOptions, Recipe};

    #[test]
    fn what_stands_for_a_missing_value_is_no_other_number() {
        let missing = MissingValues(vec![999_999_999.0, 0.1, 1e-50, 1e39]);
        for value in [999_999_999.0, 0.1, 1e-50, 1e39] {
            assert!(missing.contains(value), "{value}");
        }
        for value in [1e9, 1_000_000_010.0, f64::from(0.1_f32), 0.0, 2e39, f64::INFINITY] {
            assert!(!missing.contains(value), "{value}");
        }
        assert!(missing.contains_narrow(0.1) && missing.contains_narrow(1e9));
        assert!(!missing.contains_narrow(0.0) && !missing.contains_narrow(f32::INFINITY));
        assert!(MissingValues(vec![0.0]).contains_narrow(0.0));
    }

    #[test]
    fn an_index_without_a_name_is_no_first_column_of_labels() {
        let of = |said: Option<&str>, taken: &str| {
            let options = ReadOptions { id_column: said.map(Into::into), ..ReadOptions::default() };
            let recipe = Recipe { options, id_column: Some(taken.into()), ..Recipe::default() };
            recipe.for_labels().id_column.unwrap_or_default()
        };
        assert_eq!(of(None, "column 1"), "Unnamed: 0");
        assert_eq!(of(Some("1"), "column 1"), "column 1");
        assert_eq!(of(None, "key"), "key");
    }

    #[test]
    fn a_table_has_names_and_not_just_numbers() {
        let is_table = |names: &[&str]| {
            let names = names.iter().map(|&name| name.into()).collect();
            Recipe { feature_names: Some(names), ..Recipe::default() }.is_named_table()
        };
        assert!(is_table(&["spend_jan", "spend_feb", "calls", "q4"]));
        for numbered in [&["pixel0", "pixel1"][..], &["1x1", "1x2"], &["dim_0", "dim_1"], &[]] {
            assert!(!is_table(numbered), "{numbered:?}");
        }
    }
}
