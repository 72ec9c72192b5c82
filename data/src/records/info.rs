//! What a file was understood to be, for people.

use std::path::PathBuf;

use serde::Serialize;

use super::Role;

/// What a file was understood to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PartInfo {
    /// The file, the folder, or the name of an embedded set.
    pub path: PathBuf,
    /// In words, such as `IDX, gzip, uint8`.
    pub format: String,
    /// As stored, samples first; of texts and of images that are resized, the number of samples alone.
    pub shape: Vec<usize>,
    /// The member of an `.npz` or the dataset of an HDF5 file that was read.
    pub member: Option<String>,
    /// What separates the cells of a text file; `None` if there is one column.
    pub delimiter: Option<char>,
    /// Whether a text file starts with a header line; `None` for other formats.
    pub header: Option<bool>,
    /// Whether the file has labels beside the features.
    pub has_truth: bool,
    /// Where the truth is, such as `column label` or `folders`.
    pub truth_from: Option<String>,
    /// Where the ids are, such as `column id` or `paths`.
    pub ids_from: Option<String>,
    /// Where the features are, if in one column of several: `column embedding`.
    pub features_from: Option<String>,
    /// Columns and files that are not used, with the reason where it isn't plain.
    pub left_aside: Vec<String>,
    /// Of images, how large they are.
    pub images: Option<ImagesInfo>,
    /// How text is encoded, if not as UTF-8.
    pub encoding: Option<String>,
    /// Of tables, what each column was taken for, and why.
    pub columns: Vec<ColumnInfo>,
    /// What a person should know about how the file was understood, if anything.
    pub notes: Vec<String>,
}

/// What a column of a table was taken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ColumnInfo {
    /// Its name; one without a name is called by its number.
    pub name: String,
    /// In words, such as `numbers`.
    pub holds: String,
    /// What it was taken for.
    pub role: Role,
    /// Why.
    pub why: String,
    /// Rows in which it has nothing; `None` if it isn't read.
    pub n_missing: Option<u64>,
}

impl PartInfo {
    pub(crate) fn new(path: &str, format: String, shape: &[usize]) -> Self {
        Self { path: path.into(), format, shape: shape.to_vec(), ..Self::default() }
    }
}

/// What image files were understood to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ImagesInfo {
    /// Images stored without colours.
    pub grey: usize,
    /// Images stored with colours.
    pub colour: usize,
    /// Rows, columns and how many images have them, the commonest first.
    pub sizes: Vec<([usize; 2], usize)>,
    /// Rows, columns and channels that all of them were brought to.
    pub read_as: [usize; 3],
}
