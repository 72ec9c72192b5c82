//! A table as it is read, whatever the format: features, texts, ids and labels, some rows after the other.

use ndarray::Array2;

use super::PartInfo;
use super::columns::{Column, From, Kind, Roles};
use super::labels::{self, Labels};
use super::part::{Content, Part};
use crate::DataError;

/// What the columns of a table are for.
pub(super) struct Layout {
    /// How messages name the table.
    pub(super) name: String,
    pub(super) n_columns: usize,
    /// `None` if they have no names.
    pub(super) columns: Option<Vec<Column>>,
    pub(super) roles: Roles,
    /// What messages count: `line` or `row`.
    pub(super) place: &'static str,
}

/// The rows of a table.
pub(super) trait Blocks {
    /// Adds the next rows, one or some; false after the last.
    fn next(&mut self, layout: &Layout, table: &mut Table) -> Result<bool, DataError>;
}

/// A table that was opened.
pub(super) struct OpenTable {
    /// What can be said before rows are read.
    pub(super) info: PartInfo,
    pub(super) layout: Layout,
    pub(super) blocks: Box<dyn Blocks>,
}

impl OpenTable {
    /// Adds the next rows to `table`; false after the last.
    pub(super) fn next(&mut self, table: &mut Table) -> Result<bool, DataError> {
        self.blocks.next(&self.layout, table)
    }

    /// Reads all rows.
    pub(super) fn read(mut self, with_truth: bool) -> Result<Part, DataError> {
        let mut table = Table::default();
        while self.next(&mut table)? {}
        table.into_part(self.info, self.layout, with_truth)
    }
}

impl Layout {
    /// Number of features, if it is known before the first row.
    pub(super) fn n_features(&self) -> Option<usize> {
        match &self.roles.features {
            From::Columns(used) => Some(used.len()),
            From::Vectors(_) | From::Texts(_) => None,
        }
    }

    /// Names of the features, if each has a column of its own.
    pub(super) fn feature_names(&self) -> Option<Vec<String>> {
        self.columns.as_ref().and_then(|columns| self.roles.feature_names(columns))
    }
}

/// What has been read of a table.
#[derive(Default)]
pub(super) struct Table {
    /// Row after row.
    pub(super) values: Vec<f32>,
    pub(super) texts: Vec<String>,
    pub(super) ids: Vec<String>,
    pub(super) labels: Labels,
    /// All rows so far, those included whose values were taken away.
    pub(super) n_rows: usize,
    /// Length of the first vector.
    width: Option<usize>,
}

impl Table {
    /// Checks that the row whose vector was just added to the values has as many as those above.
    ///
    /// `before`: number of values without it.
    pub(super) fn check_width(
        &mut self,
        before: usize,
        name: &str,
        place: &'static str,
        at: u64,
    ) -> Result<(), DataError> {
        let found = self.values.len() - before;
        let expected = *self.width.get_or_insert(found);
        if found == expected {
            return Ok(());
        }
        Err(DataError::RaggedVector { source_name: name.into(), place, at, found, expected })
    }

    /// The part that this is, all rows read.
    fn into_part(
        self,
        mut info: PartInfo,
        layout: Layout,
        with_truth: bool,
    ) -> Result<Part, DataError> {
        let width = self.values.len().checked_div(self.n_rows).unwrap_or(0);
        info.shape = match layout.roles.features {
            From::Texts(_) => vec![self.n_rows],
            From::Vectors(_) => vec![self.n_rows, width],
            From::Columns(_) => vec![self.n_rows, layout.n_columns],
        };
        let feature_names = layout.feature_names();
        let Layout { name, columns, roles, place, .. } = layout;
        if let Some(columns) = &columns {
            roles.tell(columns, &mut info);
        }
        let truth = labels::beside(&self.labels, place, &roles, with_truth, &name, &mut info)?;
        let content = match &roles.features {
            From::Texts(_) => Content::Texts(self.texts),
            From::Vectors(_) | From::Columns(_) => {
                let values = Array2::from_shape_vec((self.n_rows, width), self.values);
                Content::Dense(values.map_err(|error| DataError::Corrupt {
                    source_name: name.clone(),
                    problem: error.to_string(),
                })?)
            }
        };
        let ids = roles.id.map(|_| self.ids);
        Ok(Part { info, name, content, truth, ids, feature_names })
    }
}

/// Refuses columns that are chosen for what they can't be, of formats that know what a column holds.
pub(super) fn check_kinds(
    columns: &[Column],
    roles: &Roles,
    source_name: &str,
) -> Result<(), DataError> {
    let check = |index: usize, wanted: &[Kind], as_what: &'static str| {
        let Column { name, kind } = &columns[index];
        if wanted.contains(kind) {
            return Ok(());
        }
        Err(DataError::ColumnKind {
            source_name: source_name.into(),
            column: name.clone(),
            found: kind.words().into(),
            as_what,
        })
    };
    let simple = [Kind::Numbers, Kind::Words];
    roles.id.map_or(Ok(()), |index| check(index, &simple, "ids"))?;
    roles.label.map_or(Ok(()), |index| check(index, &simple, "labels"))?;
    match &roles.features {
        From::Texts(index) => check(*index, &[Kind::Words], "texts"),
        From::Vectors(index) => check(*index, &[Kind::Vectors], "vectors"),
        From::Columns(used) => {
            used.iter().try_for_each(|&index| check(index, &[Kind::Numbers], "features"))
        }
    }
}
