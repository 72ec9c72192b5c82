//! Tables as text with more than features in them: ids, labels, texts.

use super::PartInfo;
use super::columns::{Column, From, Kind, Roles};
use super::part::Request;
use super::source::Source;
use super::table::{Blocks, Layout, OpenTable, Table};
use super::text::{Lines, Row, Start, cells, is_missing, is_number, not_a_number};
use crate::DataError;

/// Rows that are looked at to see whether a column holds numbers.
const LOOKED_AT: usize = 50;

/// Opens a table. Columns are known by the names in its header line.
pub(super) fn open(source: Source, request: Request<'_>) -> Result<OpenTable, DataError> {
    let options = request.options;
    let named: Vec<&str> = options.columns().collect();
    // Texts, used or not, may have line breaks in quotes.
    let with_texts = options.text_column.is_some() || !options.ignored_columns.is_empty();
    let start = Start::read_named(source, |cell| list(cell).is_some(), &named, with_texts)?;
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

    let gzip = if lines.source.gzip { ", gzip" } else { "" };
    let mut info = PartInfo::new(&name, format!("CSV{gzip}"), &[]);
    info.delimiter = delimiter.map(char::from);
    info.header = Some(has_header);
    let is_plain = roles.features == From::Columns((0..n_columns).collect());
    let layout = Layout { name, n_columns, columns, roles, place: "line" };
    Ok(OpenTable { info, layout, blocks: Box::new(Rows { lines, separator, is_plain }) })
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

/// The rows behind the header.
struct Rows {
    lines: Lines,
    separator: char,
    /// Whether the features are all columns in their order.
    is_plain: bool,
}

impl Blocks for Rows {
    fn next(&mut self, layout: &Layout, table: &mut Table) -> Result<bool, DataError> {
        let Some(row) = self.lines.next()? else { return Ok(false) };
        self.push(&row, layout, table)?;
        Ok(true)
    }
}

impl Rows {
    fn push(
        &self,
        (number, line): &Row,
        layout: &Layout,
        table: &mut Table,
    ) -> Result<(), DataError> {
        let found = cells(line, self.separator).count();
        if found != layout.n_columns {
            return Err(DataError::RaggedRow {
                source_name: layout.name.clone(),
                line: *number,
                found,
                expected: layout.n_columns,
            });
        }
        if self.is_plain {
            for (column, cell) in cells(line, self.separator).enumerate() {
                table.values.push(self::number(cell, *number, column, layout)?);
            }
            table.n_rows += 1;
            return Ok(());
        }
        let cells: Vec<&str> = cells(line, self.separator).collect();
        match &layout.roles.features {
            From::Columns(used) => {
                for &column in used {
                    table.values.push(self::number(cells[column], *number, column, layout)?);
                }
            }
            From::Vectors(column) => push_list(cells[*column], *number, *column, layout, table)?,
            From::Texts(column) => table.texts.push(unescaped(cells[*column])),
        }
        if let Some(column) = layout.roles.id {
            table.ids.push(unescaped(cells[column]));
        }
        if let Some(column) = layout.roles.label {
            table.labels.push(unescaped(cells[column]), *number);
        }
        table.n_rows += 1;
        Ok(())
    }
}

/// Adds the numbers of a list such as `[0.1, 0.2]`, as Python writes it.
fn push_list(
    cell: &str,
    line: u64,
    column: usize,
    layout: &Layout,
    table: &mut Table,
) -> Result<(), DataError> {
    let before = table.values.len();
    for item in list(cell).unwrap_or(cell).split([',', ' ']).filter(|item| !item.is_empty()) {
        table.values.push(number(item, line, column, layout)?);
    }
    table.check_width(before, &layout.name, "line", line)
}

fn number(cell: &str, line: u64, column: usize, layout: &Layout) -> Result<f32, DataError> {
    let header = layout.columns.as_ref().map(|columns| columns[column].name.as_str());
    cell.parse().map_err(|_| not_a_number(&layout.name, line, column, header, cell))
}

/// What is between a list's brackets.
fn list(cell: &str) -> Option<&str> {
    cell.strip_prefix('[')?.strip_suffix(']')
}

/// A cell with its doubled quotes made single.
fn unescaped(cell: &str) -> String {
    if cell.contains("\"\"") { cell.replace("\"\"", "\"") } else { cell.into() }
}
