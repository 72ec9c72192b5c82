//! Votes as text: a sample a row, a model a column, or the other way round.

use std::collections::VecDeque;

use super::array::block;
use super::models::Models;
use super::open::{TRANSPOSED, Whole, model_names, turned};
use super::{Blocks, MAX_MODELS, Part, VotesChunk, VotesInfo};
use crate::read::numbers::{Number, Target};
use crate::read::source::Source;
use crate::read::text::{Lines, Row, Start, cells, is_missing, is_number, shown};
use crate::{DataError, Votes};

/// Tables of fewer rows are counted before they are read, to see what the other files have to fit.
const SHORT: usize = 256;
/// Cells of a first line that a note repeats, at most.
const SHOWN: usize = 5;

/// Opens a table. It is transposed if there are more columns than rows, which takes a look at as many rows.
///
/// `samples`: their number in the other files; a table that has as many rows isn't transposed.
pub(super) fn open(source: Source, short: &str, samples: Option<usize>) -> Result<Part, DataError> {
    let mut table = Table::open(source)?;
    let name = table.lines.source.name.clone();
    let column = table.only_column()?;
    let columns = table.columns;
    // More rows than there are models at most aren't needed, as they would be models.
    let rows = if column.is_some() { columns } else { table.look_ahead()? };
    let is_wide = rows < columns;
    let is_transposed = is_wide && samples != Some(rows);
    let n_models = match (column, is_transposed) {
        (Some(_), _) => 1,
        (None, true) => rows,
        (None, false) => columns,
    };
    table.column = column;
    let note = if is_transposed {
        Some(TRANSPOSED.into())
    } else if is_wide {
        Some(turned(n_models, rows))
    } else {
        table.numbered_columns()?
    };
    let gzip = table.lines.source.packing();
    let info = VotesInfo {
        path: name.clone().into(),
        format: format!("CSV{gzip}"),
        n_models,
        n_samples: is_transposed.then_some(columns),
        is_transposed,
        member: column.map(|column| table.header[column].clone()),
        has_confidences: false,
        notes: note.into_iter().collect(),
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
        let votes = table.transposed(rows, &mut models)?;
        return Ok(Part::new(info, &[rows, columns], models, Box::new(Whole(Some(votes)))));
    }
    let fits = table.count_short()?;
    let mut part = Part::new(info, fits.as_slice(), models, Box::new(table));
    part.first_column = Some(column.unwrap_or_default() + 1);
    Ok(part)
}

struct Table {
    lines: Lines,
    separator: char,
    /// Number of cells that every row has to have.
    columns: usize,
    /// The column that alone has votes.
    column: Option<usize>,
    /// Empty without a header line.
    header: Vec<String>,
    /// Number of the line that was used last.
    line: u64,
}

impl Table {
    fn open(source: Source) -> Result<Self, DataError> {
        let Start { mut lines, separator, columns, header, before, .. } =
            Start::read(source, is_missing)?;
        let header = header.unwrap_or_default();
        if header.is_empty()
            && let Some((line, column, text)) = word(lines.look_ahead(2)?, separator)
        {
            let (source_name, advice) = (lines.source.name, WORDS);
            return Err(DataError::NotAnId { source_name, line, column, text, advice });
        }
        Ok(Self { lines, separator, columns, column: None, header, line: before })
    }

    /// A note on a first line `0,1,2`, such as pandas writes it above columns without names.
    fn numbered_columns(&mut self) -> Result<Option<String>, DataError> {
        let first = self.lines.look_ahead(1)?.front().filter(|_| self.header.is_empty());
        let Some((_, first)) = first.filter(|_| self.columns > 1) else { return Ok(None) };
        let numbered = |(column, cell): (usize, &str)| cell.parse() == Ok(column);
        if !cells(first, self.separator).enumerate().all(numbered) {
            return Ok(None);
        }
        let numbers: Vec<_> =
            (0..self.columns.min(SHOWN)).map(|number| number.to_string()).collect();
        let more = if self.columns > SHOWN { ",..." } else { "" };
        Ok(Some(format!(
            "the first line, {}{more}, was taken as votes; if it names the columns, remove it",
            numbers.join(",")
        )))
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
            // As our runs write it, or with one column beside the numbers; else all columns are models.
            (Some(_), column, None)
                if self.columns == 2 || (self.columns == 3 && find("confidence").is_some()) =>
            {
                Ok(column)
            }
            _ => Ok(None),
        }
    }

    /// Number of rows, if there are fewer than columns.
    fn look_ahead(&mut self) -> Result<usize, DataError> {
        Ok(self.lines.look_ahead(self.columns.min(MAX_MODELS + 1))?.len())
    }

    /// Number of samples of a short table.
    fn count_short(&mut self) -> Result<Option<usize>, DataError> {
        let rows = self.lines.look_ahead(SHORT)?;
        let count = match rows.back() {
            // Empty lines are samples.
            Some((last, _)) if self.columns == 1 => usize::try_from(last - self.line).ok(),
            _ => Some(rows.len()),
        };
        Ok(count.filter(|_| rows.len() < SHORT))
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
            let id = id(cell).ok_or_else(|| {
                let has_votes = models.n_clusters(model(column - skipped)) > 0;
                let others = cells(row, self.separator).skip(skipped).take(taken);
                DataError::NotAnId {
                    source_name: self.lines.source.name.clone(),
                    line: *line,
                    column: column + 1,
                    text: shown(cell),
                    advice: advice(cell, has_votes, others),
                }
            })?;
            clusters.push(models.cluster(model(column - skipped), id)?);
        }
        Ok(())
    }

    /// All votes, if a row is a model's.
    fn transposed(mut self, n_models: usize, models: &mut Models) -> Result<VotesChunk, DataError> {
        let mut clusters = Vec::with_capacity(n_models * self.columns);
        for model in 0..n_models {
            let Some(row) = self.lines.next()? else { break };
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
            let Some(row) = self.lines.next()? else { break };
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

/// Line, column and text of the first word in a second row, if there is no number in two. The first may name the columns.
fn word(rows: &VecDeque<Row>, separator: char) -> Option<(u64, usize, String)> {
    let (first, (line, second)) = (rows.front()?, rows.get(1)?);
    if [&first.1, second].into_iter().any(|row| cells(row, separator).any(is_number)) {
        return None;
    }
    let (column, cell) =
        cells(second, separator).enumerate().find(|(_, cell)| !is_missing(cell))?;
    Some((*line, column + 1, shown(cell)))
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

const IDS: &str = "ids are whole numbers, and a missing vote is an empty cell or NA";
const NAMES: &str = "drop the column if it names the samples; ids are whole numbers, and a missing vote is an empty cell or NA";
const WORDS: &str = "give whole numbers; drop columns of names";
const TOO_LARGE: &str = "it is too large for one, so number the clusters from 0";

/// What to do about a cell that isn't an id; `others`: the cells of its row.
fn advice<'a>(
    cell: &str,
    has_votes: bool,
    mut others: impl Iterator<Item = &'a str>,
) -> &'static str {
    match cell.parse::<f64>() {
        Ok(value) if value.fract() == 0.0 => TOO_LARGE,
        Err(_) if !has_votes && others.any(is_number) => NAMES,
        Err(_) if !has_votes => WORDS,
        _ => IDS,
    }
}
