//! What a path holds, before all that were given become features together.

use std::path::PathBuf;

use ndarray::Array2;
use serde::Serialize;

use super::csr::Csr;
use super::images::Images;
use crate::{DataError, Features, ReadOptions, Truth};

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
}

impl PartInfo {
    pub(super) fn new(path: &str, format: String, shape: &[usize]) -> Self {
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

/// How paths are to be read.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) options: &'a ReadOptions,
    /// Names of columns that are the features, in this order, wherever a file names its columns.
    pub(super) wanted: Option<&'a [String]>,
    /// Whether columns of ids and labels may be missing although they are named: in files that are read as others were.
    pub(super) lenient: bool,
    /// Whether labels beside the data are wanted.
    pub(super) with_truth: bool,
}

/// What one path holds, its numbers and its truth checked.
pub(super) struct Part {
    pub(super) info: PartInfo,
    /// How messages name it.
    pub(super) name: String,
    pub(super) content: Content,
    pub(super) truth: Option<Truth>,
    /// Length n_samples.
    pub(super) ids: Option<Vec<String>>,
    /// Length n_features.
    pub(super) feature_names: Option<Vec<String>>,
}

/// What features are made of.
pub(super) enum Content {
    Dense(Array2<f32>),
    Sparse(Csr),
    /// A text a sample.
    Texts(Vec<String>),
    Images(Images),
}

impl Content {
    pub(super) fn n_samples(&self) -> usize {
        match self {
            Self::Dense(values) => values.nrows(),
            Self::Sparse(matrix) => matrix.rows,
            Self::Texts(texts) => texts.len(),
            Self::Images(images) => images.len(),
        }
    }

    /// Number of features, where it is known before all paths have been seen.
    pub(super) fn n_features(&self) -> Option<usize> {
        match self {
            Self::Dense(values) => Some(values.ncols()),
            Self::Sparse(matrix) => Some(matrix.columns),
            Self::Texts(_) | Self::Images(_) => None,
        }
    }

    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Dense(_) | Self::Sparse(_) => "numbers",
            Self::Texts(_) => "texts",
            Self::Images(_) => "images",
        }
    }
}

impl Part {
    /// Checks what can be said of a part alone: that there are samples, that numbers are finite, and that labels, ids and names
    /// are as many as they have to be.
    pub(super) fn check(&self) -> Result<(), DataError> {
        match &self.content {
            Content::Dense(values) => Features::check(&values.view(), &self.name)?,
            Content::Sparse(matrix) => matrix.check(&self.name)?,
            content if content.n_samples() == 0 => {
                return Err(DataError::Empty { source_name: self.name.clone() });
            }
            _ => {}
        }
        let samples = self.content.n_samples();
        if let Some(truth) = &self.truth {
            check_count(truth, samples, &format!("{}, labels beside the data", self.name))?;
        }
        if let Some(ids) = self.ids.as_ref().filter(|ids| ids.len() != samples) {
            return Err(DataError::ShapeMismatch {
                what: "ids beside the data",
                found: vec![ids.len()],
                expected: vec![samples],
            });
        }
        Ok(())
    }
}

pub(super) fn check_count(
    truth: &Truth,
    samples: usize,
    source_name: &str,
) -> Result<(), DataError> {
    if truth.n_samples() == samples {
        return Ok(());
    }
    let source_name = source_name.into();
    Err(DataError::LabelCount { source_name, labels: truth.n_samples(), samples })
}
