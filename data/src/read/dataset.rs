//! What reading gives.

use std::path::Path;

use super::source::{Location, stem};
use crate::records::{
    PairedBy, PartInfo, SampleKeys, SampleLabels, are_rows, may_count_rows, pair, pair_ids,
};
use crate::{DataError, Features, Recipe, Truth};

/// Samples to be clustered, with what their files say about them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Dataset {
    /// Name of the first file without its extensions, or of the embedded set.
    pub name: String,
    /// The features of all files, one file's rows after the other's.
    pub features: Features,
    /// The classes, if known. For scores only.
    pub truth: Option<Truth>,
    /// How labels of other files were paired with the samples, if there are such.
    pub paired_by: Option<PairedBy>,
    /// What samples are called, length n_samples, if files say it; else a sample is its row.
    pub ids: Option<Vec<String>>,
    /// Which row each sample is, counted from 0 over all files, length n_samples, if some were left out as values are missing.
    pub rows: Option<Vec<usize>>,
    /// How the files became features.
    pub recipe: Recipe,
    /// Number of clusters that an embedded set declares.
    pub n_clusters: Option<usize>,
    /// What each file is, in order.
    pub parts: Vec<PartInfo>,
}

impl Dataset {
    /// What tells the samples apart.
    #[must_use]
    pub fn keys(&self) -> SampleKeys<'_> {
        SampleKeys::new(self.features.n_samples(), self.ids.as_deref(), self.rows.as_deref())
    }

    /// These features as another view of the samples of `data`, in their order, and how they were joined: by ids if both have them; else by numbers of rows, if some of
    /// the data were left out; else in order. `name`: how messages call this.
    ///
    /// # Errors
    ///
    /// [`DataError::IdTwice`] and [`DataError::IdAlone`] for the first sample that isn't in both once, [`DataError::ViewRows`] for another number of rows,
    /// [`DataError::RowsOrIds`] for ids that may as well be numbers of rows, where the data have theirs in another column.
    pub fn as_view_of(mut self, data: &Self, name: &str) -> Result<(Self, PairedBy), DataError> {
        self.check_ids(data, name)?;
        let (first, second) = (data.keys(), self.keys());
        let paired = pair(&first, &second, [&data.name, name], [first.is_part, false]);
        let (rows, by) = paired.map_err(|error| match error {
            DataError::PairedLengths { first, first_rows, second, second_rows } => {
                DataError::ViewRows {
                    view: second,
                    view_rows: second_rows,
                    data: first,
                    rows: first_rows,
                }
            }
            error => error,
        })?;
        let rows: Vec<usize> = rows.into_iter().flatten().collect();
        self.features = self.features.select(&rows);
        self.truth = None;
        (self.ids, self.rows) = (data.ids.clone(), data.rows.clone());
        Ok((self, by))
    }

    /// Refuses ids that may be numbers of rows, where those of `data` are in a column that isn't here.
    fn check_ids(&self, data: &Self, name: &str) -> Result<(), DataError> {
        let [own, wanted] = [self, data].map(|it| it.recipe.id_column.as_deref());
        let (Some(own), Some(wanted), Some(ids)) = (own, wanted, &self.ids) else { return Ok(()) };
        let is_same = may_count_rows(wanted) || own.eq_ignore_ascii_case(wanted);
        if is_same || !may_count_rows(own) || !are_rows(ids, data.features.n_samples()) {
            return Ok(());
        }
        let (source_name, column, data) = (name.into(), wanted.into(), data.name.clone());
        Err(DataError::RowsOrIds { source_name, column, data })
    }

    /// The same samples in the order of `ids`, if both are called anything and the orders differ.
    ///
    /// `name`: how messages call what has the ids.
    ///
    /// # Errors
    ///
    /// [`DataError::IdTwice`] and [`DataError::IdAlone`] for the first sample that isn't in both once.
    pub fn in_order_of(mut self, ids: Option<&[String]>, name: &str) -> Result<Self, DataError> {
        let (Some(wanted), Some(own)) = (ids, &self.ids) else { return Ok(self) };
        if wanted == own.as_slice() {
            return Ok(self);
        }
        let rows = pair_ids(wanted, own, [name, &self.name])?;
        if let Some(truth) = &self.truth {
            let labels = SampleLabels::beside(&self.name, truth, self.ids.clone());
            let samples = SampleKeys::new(wanted.len(), Some(wanted), None);
            self.truth = Some(labels.truth_of(name, &samples)?.0);
        }
        let own = self.rows.take();
        self.rows = own.map(|own| rows.iter().map(|&row| own[row]).collect());
        self.features = self.features.select(&rows);
        self.ids = Some(wanted.to_vec());
        Ok(self)
    }
}

/// What data of this path are called.
pub(super) fn dataset_name(path: &Path) -> String {
    match Location::resolve(path) {
        Location::Embedded(name) => name.into(),
        // `.` has a name, too, and a folder no extension.
        Location::File { path, .. } if path.is_dir() => {
            let path = path.canonicalize().unwrap_or(path);
            path.file_name().map_or("data".into(), |name| name.to_string_lossy().into())
        }
        Location::File { path, .. } => stem(&path),
    }
}
