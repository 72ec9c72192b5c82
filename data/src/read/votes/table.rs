//! Votes as text: a sample a row, a model a column, or the other way round.

use std::collections::VecDeque;

use super::array::block;
use super::models::Models;
use super::open::{Whole, model_names};
use super::{Blocks, MAX_MODELS, Part, VotesChunk, VotesInfo};
use crate::read::numbers::{Number, Target};
use crate::read::source::Source;
use crate::read::text::{Lines, cells, delimiter, is_header, shown};
use crate::{DataError, Votes};

/// What other tools write for a missing vote, in lower case.
const MISSING: [&str; 4] = ["na", "nan", "null", "none"];

/// Opens a table. It is transposed if there are more columns than rows, which takes a look at as many rows.
pub(super) fn open(mut source: Source, short: &str) -> Result<Part, DataError> {
    let separator = delimiter(&mut source)?.map_or(',', char::from);
    let mut table = Table::open(source, separator)?;
    let name = table.lines.source.name.clone();
    let column = table.only_column()?;
    if column.is_none() {
        table.look_ahead()?;
    }
    let is_transposed = column.is_none() && table.ahead.len() < table.columns;
    let n_models = match (column, is_transposed) {
        (Some(_), _) => 1,
        (None, true) => table.ahead.len(),
        (None, false) => table.columns,
    };
    table.column = column;
    let gzip = if table.lines.source.gzip { ", gzip" } else { "" };
    let info = VotesInfo {
        path: name.clone().into(),
        format: format!("CSV{gzip}"),
        n_models,
        n_samples: is_transposed.then_some(table.columns),
        is_transposed,
        member: column.map(|column| table.header[column].clone()),
        has_confidences: false,
    };
    let mut names = model_names(short, n_models);
    if column.is_none() && !is_transposed {
        for (name, cell) in names.iter_mut().zip(&table.header) {
            if !cell.is_empty() {
                name.clone_from(cell);
            }
        }
    }
    let mut models = Models::new(&name, names);
    if is_transposed {
        let votes = table.transposed(&mut models)?;
        return Ok(Part::new(info, models, Box::new(Whole(Some(votes)))));
    }
    let mut part = Part::new(info, models, Box::new(table));
    part.first_column = Some(column.unwrap_or_default() + 1);
    Ok(part)
}

/// A line that isn't empty, and its number.
type Row = (u64, String);

struct Table {
    lines: Lines,
    separator: char,
    /// Number of cells that every row has to have.
    columns: usize,
    /// The column that alone has votes.
    column: Option<usize>,
    /// Empty without a header line.
    header: Vec<String>,
    /// Rows that have been looked at.
    ahead: VecDeque<Row>,
    /// Number of the line that was used last.
    line: u64,
}

impl Table {
    fn open(source: Source, separator: char) -> Result<Self, DataError> {
        let mut lines = Lines::new(source);
        let Some(first) = lines.next()? else {
            return Err(DataError::Empty { source_name: lines.source.name });
        };
        let first_line = lines.number;
        let second = lines.next()?.map(|second| (lines.number, second));
        let is_header = second
            .as_ref()
            .is_some_and(|second| is_header(&first, &second.1, separator, is_missing));

        let cells: Vec<&str> = cells(&first, separator).collect();
        let columns = cells.len();
        let header =
            if is_header { cells.into_iter().map(str::to_owned).collect() } else { vec![] };
        let line = if is_header { first_line } else { 0 };
        let first = (!is_header).then_some((first_line, first));
        let ahead = first.into_iter().chain(second).collect();
        Ok(Self { lines, separator, columns, column: None, header, ahead, line })
    }

    /// The column to be taken from a table as our runs write it, with the samples' numbers.
    fn only_column(&self) -> Result<Option<usize>, DataError> {
        let find = |name| self.header.iter().position(|cell| cell.eq_ignore_ascii_case(name));
        match (find("sample"), find("cluster").or(find("label")), find("agreement")) {
            (Some(_), Some(_), Some(_)) => Err(DataError::Unsupported {
                source_name: self.lines.source.name.clone(),
                found: "pseudo-labels, in which not every sample has a row".into(),
                supported: "assignments (or name the run folder)",
            }),
            (Some(_), column, None) => Ok(column),
            _ => Ok(None),
        }
    }

    /// Reads as many rows as there are columns, if there are.
    fn look_ahead(&mut self) -> Result<(), DataError> {
        while self.ahead.len() < self.columns.min(MAX_MODELS + 1) {
            let Some(row) = self.lines.next()? else { break };
            self.ahead.push_back((self.lines.number, row));
        }
        Ok(())
    }

    fn next_row(&mut self) -> Result<Option<Row>, DataError> {
        match self.ahead.pop_front() {
            Some(row) => Ok(Some(row)),
            None => Ok(self.lines.next()?.map(|row| (self.lines.number, row))),
        }
    }

    /// Appends the clusters in a row; `model` is the one that a column belongs to.
    fn number(
        &self,
        (line, row): &Row,
        model: impl Fn(usize) -> usize,
        models: &mut Models,
        clusters: &mut Vec<u16>,
    ) -> Result<(), DataError> {
        let found = cells(row, self.separator).count();
        if found != self.columns {
            return Err(DataError::RaggedRow {
                source_name: self.lines.source.name.clone(),
                line: *line,
                found,
                expected: self.columns,
            });
        }
        let (skipped, taken) = self.column.map_or((0, found), |column| (column, 1));
        for (column, cell) in cells(row, self.separator).enumerate().skip(skipped).take(taken) {
            let id = id(cell).ok_or_else(|| DataError::NotAnId {
                source_name: self.lines.source.name.clone(),
                line: *line,
                column: column + 1,
                text: shown(cell),
            })?;
            clusters.push(models.cluster(model(column - skipped), id)?);
        }
        Ok(())
    }

    /// All votes, if a row is a model's.
    fn transposed(mut self, models: &mut Models) -> Result<VotesChunk, DataError> {
        let mut clusters = Vec::with_capacity(self.ahead.len() * self.columns);
        let n_models = self.ahead.len();
        for model in 0..n_models {
            let Some(row) = self.next_row()? else { break };
            self.number(&row, |_| model, models, &mut clusters)?;
        }
        Ok(VotesChunk { clusters: block(clusters, n_models, true), confidences: None })
    }
}

impl Blocks for Table {
    fn next(&mut self, limit: usize, models: &mut Models) -> Result<Option<VotesChunk>, DataError> {
        let n_models = models.names().len();
        let mut clusters = Vec::with_capacity(limit * n_models);
        while clusters.len() < limit * n_models {
            let Some(row) = self.next_row()? else { break };
            if self.columns == 1 {
                // An empty line is an empty cell.
                clusters.extend((self.line + 1..row.0).map(|_| Votes::MISSING));
            }
            self.line = row.0;
            self.number(&row, |column| column, models, &mut clusters)?;
        }
        if clusters.is_empty() {
            return Ok(None);
        }
        Ok(Some(VotesChunk { clusters: block(clusters, n_models, false), confidences: None }))
    }
}

/// The id in a cell, negative if the vote is missing.
fn id(cell: &str) -> Option<i64> {
    if let Ok(id) = cell.parse() {
        return Some(id);
    }
    if is_missing(cell) {
        return Some(-1);
    }
    Number::from_text(cell)?.whole().ok()
}

fn is_missing(cell: &str) -> bool {
    cell.is_empty() || MISSING.iter().any(|word| cell.eq_ignore_ascii_case(word))
}
