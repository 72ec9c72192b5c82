//! Tables as text with more than features in them: ids, labels, texts.

use super::PartInfo;
use super::columns::{Column, From, Kind, Roles};
use super::part::{Part, Request};
use super::source::Source;
use super::table::Table;
use super::text::{Row, Start, cells, is_missing, is_number, not_a_number};
use crate::DataError;

/// Rows that are looked at to see whether a column holds numbers.
const LOOKED_AT: usize = 50;

/// Reads a table. Columns are known by the names in its header line.
pub(super) fn read(source: Source, request: Request<'_>) -> Result<Part, DataError> {
    let options = request.options;
    let named =
        [&options.id_column, &options.label_column, &options.text_column, &options.vector_column];
    let named: Vec<&str> = named.into_iter().flatten().map(String::as_str).collect();
    let start = Start::read_named(
        source,
        |cell| list(cell).is_some(),
        &named,
        options.text_column.is_some(),
    )?;
    let Start { mut lines, delimiter, separator, columns: n_columns, header, .. } = start;
    let name = lines.source.name.clone();
    let has_header = header.is_some();
    let columns = header.map(|names| {
        let ahead = lines.look_ahead(LOOKED_AT)?;
        Ok::<_, DataError>(kinds(names, ahead.iter(), separator))
    });
    let columns: Option<Vec<Column>> = columns.transpose()?;
    let roles = match &columns {
        Some(columns) => Roles::choose(columns, request, &name)?,
        None => Roles::unnamed(n_columns, request, &name)?,
    };

    let columns = columns.as_deref();
    let mut rows = Rows::new(&name, separator, n_columns, &roles, columns);
    while let Some(row) = lines.next()? {
        rows.push(&row)?;
    }
    let table = rows.table;

    let gzip = if lines.source.gzip { ", gzip" } else { "" };
    let mut info = PartInfo::new(&name, format!("CSV{gzip}"), &[table.n_rows, n_columns]);
    info.delimiter = delimiter.map(char::from);
    info.header = Some(has_header);
    table.into_part(info, &roles, columns, request, "line")
}

/// What the columns hold, from their first rows.
fn kinds<'a>(
    names: Vec<String>,
    rows: impl Iterator<Item = &'a Row>,
    separator: char,
) -> Vec<Column> {
    let mut numbers = vec![true; names.len()];
    let mut lists = vec![true; names.len()];
    for (_, row) in rows {
        for (column, cell) in cells(row, separator).enumerate().take(names.len()) {
            numbers[column] &= is_number(cell) || is_missing(cell);
            lists[column] &= list(cell).is_some();
        }
    }
    let kind = |column: usize| match (numbers[column], lists[column]) {
        (true, _) => Kind::Numbers,
        (_, true) => Kind::Vectors,
        _ => Kind::Words,
    };
    let columns = names.into_iter().enumerate();
    columns.map(|(column, name)| Column { name, kind: kind(column) }).collect()
}

/// The rows that have been read so far.
struct Rows<'a> {
    name: &'a str,
    separator: char,
    /// Number of cells that every line has to have.
    n_columns: usize,
    roles: &'a Roles,
    columns: Option<&'a [Column]>,
    /// Whether the features are all columns in their order.
    is_plain: bool,
    table: Table,
}

impl<'a> Rows<'a> {
    fn new(
        name: &'a str,
        separator: char,
        n_columns: usize,
        roles: &'a Roles,
        columns: Option<&'a [Column]>,
    ) -> Self {
        let is_plain = roles.features == From::Columns((0..n_columns).collect());
        Self { name, separator, n_columns, roles, columns, is_plain, table: Table::default() }
    }

    fn push(&mut self, (number, line): &Row) -> Result<(), DataError> {
        let found = cells(line, self.separator).count();
        if found != self.n_columns {
            return Err(DataError::RaggedRow {
                source_name: self.name.into(),
                line: *number,
                found,
                expected: self.n_columns,
            });
        }
        if self.is_plain {
            for (column, cell) in cells(line, self.separator).enumerate() {
                let value = self.number(cell, *number, column)?;
                self.table.values.push(value);
            }
            self.table.n_rows += 1;
            return Ok(());
        }
        let cells: Vec<&str> = cells(line, self.separator).collect();
        match &self.roles.features {
            From::Columns(used) => {
                for &column in used {
                    let value = self.number(cells[column], *number, column)?;
                    self.table.values.push(value);
                }
            }
            From::Vectors(column) => self.push_list(cells[*column], *number, *column)?,
            From::Texts(column) => self.table.texts.push(unescaped(cells[*column])),
        }
        if let Some(column) = self.roles.id {
            self.table.ids.push(unescaped(cells[column]));
        }
        if let Some(column) = self.roles.label {
            self.table.labels.push((unescaped(cells[column]), *number));
        }
        self.table.n_rows += 1;
        Ok(())
    }

    /// Adds the numbers of a list such as `[0.1, 0.2]`, as Python writes it.
    fn push_list(&mut self, cell: &str, line: u64, column: usize) -> Result<(), DataError> {
        let before = self.table.values.len();
        for item in list(cell).unwrap_or(cell).split([',', ' ']).filter(|item| !item.is_empty()) {
            let value = self.number(item, line, column)?;
            self.table.values.push(value);
        }
        self.table.check_width(before, self.name, "line", line)
    }

    fn number(&self, cell: &str, line: u64, column: usize) -> Result<f32, DataError> {
        let header = self.columns.map(|columns| columns[column].name.as_str());
        cell.parse().map_err(|_| not_a_number(self.name, line, column, header, cell))
    }
}

/// What is between a list's brackets.
fn list(cell: &str) -> Option<&str> {
    cell.strip_prefix('[')?.strip_suffix(']')
}

/// A cell with its doubled quotes made single.
fn unescaped(cell: &str) -> String {
    if cell.contains("\"\"") { cell.replace("\"\"", "\"") } else { cell.into() }
}
