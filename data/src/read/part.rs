//! What a path holds, before all that were given become features together.

use ndarray::Array2;

use super::images::Images;
use crate::records::{Fitted, PartInfo};
use crate::{DataError, Features, SparseRows, Truth};

/// What one path holds, its numbers and its truth checked.
pub(super) struct Part {
    pub(super) info: PartInfo,
    /// How messages name it.
    pub(super) name: String,
    pub(super) content: Content,
    pub(super) truth: Option<Truth>,
    /// Length n_samples.
    pub(super) ids: Option<Vec<String>>,
    /// Which row of the source each is, length n_samples, where some may have been left out.
    pub(super) rows: Option<Vec<usize>>,
    /// Rows of the source, those included that were left out.
    pub(super) n_rows: usize,
    /// Length n_features.
    pub(super) feature_names: Option<Vec<String>>,
    pub(super) fitted: Fitted,
}

/// What features are made of.
pub(super) enum Content {
    Dense(Array2<f32>),
    /// The same, of which only the values that aren't zero are in memory.
    Sparse(SparseRows),
    /// A text a sample.
    Texts(Vec<String>),
    Images(Images),
}

impl Content {
    pub(super) fn n_samples(&self) -> usize {
        match self {
            Self::Dense(values) => values.nrows(),
            Self::Sparse(rows) => rows.n_samples(),
            Self::Texts(texts) => texts.len(),
            Self::Images(images) => images.len(),
        }
    }

    /// Number of features, where it is known before all paths have been seen.
    pub(super) fn n_features(&self) -> Option<usize> {
        match self {
            Self::Dense(values) => Some(values.ncols()),
            Self::Sparse(rows) => Some(rows.n_features()),
            Self::Texts(_) | Self::Images(_) => None,
        }
    }

    pub(super) fn numbers(&self) -> Option<&Array2<f32>> {
        match self {
            Self::Dense(values) => Some(values),
            Self::Sparse(_) | Self::Texts(_) | Self::Images(_) => None,
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
    /// What is neither a table nor an array.
    pub(super) fn new(info: PartInfo, content: Content) -> Self {
        Self {
            name: info.path.display().to_string(),
            n_rows: content.n_samples(),
            info,
            content,
            truth: None,
            ids: None,
            rows: None,
            feature_names: None,
            fitted: Fitted::default(),
        }
    }

    /// Checks what can be said of a part alone: that there are samples, that numbers are finite, and that labels, ids and names
    /// are as many as they have to be.
    pub(super) fn check(&self) -> Result<(), DataError> {
        match &self.content {
            Content::Dense(values) => Features::check(&values.view(), &self.name)?,
            Content::Sparse(rows) => Features::check_sparse(rows, &self.name)?,
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
