//! A table as it is read, whatever the format: features, texts, ids and labels, row after row.

use ndarray::Array2;

use super::PartInfo;
use super::columns::{Column, From, Kind, Roles, names};
use super::labels;
use super::part::{Content, Part, Request};
use crate::DataError;

/// What has been read of a table.
#[derive(Default)]
pub(super) struct Table {
    /// Row after row.
    pub(super) values: Vec<f32>,
    pub(super) texts: Vec<String>,
    pub(super) ids: Vec<String>,
    /// Labels, with their lines or rows.
    pub(super) labels: Vec<(String, u64)>,
    pub(super) n_rows: usize,
}

impl Table {
    /// Checks that the row whose vector was just added to the values has as many as those above.
    ///
    /// `before`: number of values without it.
    pub(super) fn check_width(
        &self,
        before: usize,
        name: &str,
        place: &'static str,
        at: u64,
    ) -> Result<(), DataError> {
        let found = self.values.len() - before;
        let expected = before.checked_div(self.n_rows).unwrap_or(found);
        if found == expected {
            return Ok(());
        }
        Err(DataError::RaggedVector { source_name: name.into(), place, at, found, expected })
    }

    /// The part that this is, all rows read.
    ///
    /// `place`: what the labels' numbers count.
    pub(super) fn into_part(
        self,
        mut info: PartInfo,
        roles: &Roles,
        columns: Option<&[Column]>,
        request: Request<'_>,
        place: &'static str,
    ) -> Result<Part, DataError> {
        let name = info.path.display().to_string();
        if let Some(columns) = columns {
            roles.tell(columns, &mut info);
        }
        let truth = labels::beside(&self.labels, place, roles, request, &name, &mut info)?;
        let content = match &roles.features {
            From::Texts(_) => Content::Texts(self.texts),
            From::Vectors(_) | From::Columns(_) => {
                let width = self.values.len().checked_div(self.n_rows).unwrap_or(0);
                let values = Array2::from_shape_vec((self.n_rows, width), self.values);
                Content::Dense(values.map_err(|error| DataError::Corrupt {
                    source_name: name.clone(),
                    problem: error.to_string(),
                })?)
            }
        };
        let feature_names = columns.and_then(|columns| roles.feature_names(columns));
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

/// Number of columns, for the shape of a table that isn't one of numbers alone.
pub(super) fn shape(table: &Table, roles: &Roles, columns: &[Column]) -> Vec<usize> {
    match roles.features {
        From::Texts(_) => vec![table.n_rows],
        From::Vectors(_) => {
            vec![table.n_rows, table.values.len().checked_div(table.n_rows).unwrap_or(0)]
        }
        From::Columns(_) => vec![table.n_rows, names(columns).len()],
    }
}
