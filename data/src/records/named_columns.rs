//! Columns that a program asks for by their names.

use super::label_roles::check;
use super::roles::Finder;
use super::{Batch, Records, Role, Wanted};
use crate::DataError;

/// Columns of a source, found.
pub(crate) struct NamedColumns {
    records: Records,
    wanted: Wanted,
}

impl NamedColumns {
    /// # Errors
    ///
    /// Columns that aren't there, and such that hold lists or what can't be read.
    pub(crate) fn find(mut records: Records, names: &[&str]) -> Result<Self, DataError> {
        let find = Finder::new(&records.schema);
        let words = names.iter().map(|name| find.said(name)).collect::<Result<Vec<_>, _>>()?;
        for &index in &words {
            check(&records.schema, index, "single values")?;
            records.schema.columns[index].role = Role::Id;
        }
        Ok(Self { records, wanted: Wanted { words, ..Wanted::default() } })
    }

    /// All rows, shape (n_names, n_rows). O(n_names * n_rows).
    pub(crate) fn read(mut self) -> Result<Vec<Vec<Option<String>>>, DataError> {
        let mut columns = vec![Vec::new(); self.wanted.words.len()];
        while let Some(Batch { words, .. }) =
            self.records.rows.next(&self.records.schema, &self.wanted)?
        {
            for (column, words) in columns.iter_mut().zip(words) {
                column.extend(words.into_iter().map(|word| word.filter(|word| !word.is_empty())));
            }
        }
        Ok(columns)
    }
}
