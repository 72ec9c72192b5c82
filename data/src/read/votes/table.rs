//! Votes as text: a sample a row, a model a column, or the other way round.

use std::collections::VecDeque;

use super::array::block;
use super::models::Models;
use super::open::{TRANSPOSED, Whole, model_names, turned};
use super::{Beside, Blocks, MAX_MODELS, Part, VotesChunk, VotesInfo};
use crate::read::numbers::{Number, Target};
use crate::read::source::Source;
use crate::read::text::{Lines, Row, Start, cells, is_missing, is_number, shown};
use crate::records::{Column, Kind, Place, Schema, VoteRoles, unique};
use crate::{DataError, ReadOptions, Votes};

/// Tables of fewer rows are counted before they are read, to see what the other files have to fit.
const SHORT: usize = 256;
/// Cells of a first line that a note repeats, at most.
const SHOWN: usize = 5;

/// Opens a table. It is transposed if there are more columns than rows, which takes a look at as many rows.
///
/// `samples`: their number in the other files; a table that has as many rows isn't transposed.
pub(super) fn open(
    source: Source,
    short: &str,
    samples: Option<usize>,
    options: &ReadOptions,
) -> Result<Part, DataError> {
    let mut table = Table::open(source)?;
    let name = table.lines.source.name.clone();
    let mut schema = table.schema()?;
    table.roles = VoteRoles::choose(&mut schema, options)?;
    let columns = table.columns;
    let with_roles = table.roles.votes.len() < columns;
    // More rows than there are models at most aren't needed, as they would be models.
    let rows = if with_roles { columns } else { table.look_ahead()? };
    let is_wide = rows < columns;
    let is_transposed = is_wide && samples != Some(rows);
    let n_models = if is_transposed { rows } else { table.roles.votes.len() };
    let note = if is_transposed {
        Some(TRANSPOSED.into())
    } else if is_wide {
        Some(turned(n_models, rows))
    } else {
        table.numbered_columns()?
    };
    let notes = table.roles.notes(&schema).into_iter().chain(note).collect();
    let column = table.roles.votes.first().copied().filter(|_| with_roles && n_models == 1);
    let gzip = table.lines.source.packing();
    let info = VotesInfo {
        path: name.clone().into(),
        format: format!("CSV{gzip}"),
        n_models,
        n_samples: is_transposed.then_some(columns),
        is_transposed,
        member: column.map(|column| table.header[column].clone()),
        has_confidences: false,
        notes,
    };
    let mut names = model_names(short, n_models);
    if column.is_none() && !is_transposed && !table.header.is_empty() {
        for (name, &column) in names.iter_mut().zip(&table.roles.votes) {
            if !table.header[column].is_empty() {
                name.clone_from(&table.header[column]);
            }
        }
    }
    let mut models = Models::new(&name, names);
    if is_transposed {
        let votes = table.transposed(rows, &mut models)?;
        return Ok(Part::new(info, &[rows, columns], models, Box::new(Whole(Some(votes)))));
    }
    let fits = table.count_short()?;
    let columns = table.roles.votes.clone();
    let mut part = Part::new(info, fits.as_slice(), models, Box::new(table));
    part.columns = Some(columns);
    Ok(part)
}

struct Table {
    lines: Lines,
    separator: char,
    /// Number of cells that every row has to have.
    columns: usize,
    roles: VoteRoles,
    beside: Beside,
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
        let (roles, beside) = (VoteRoles::default(), Beside::default());
        Ok(Self { lines, separator, columns, roles, beside, header, line: before })
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

    /// The columns, by their names and their first cells.
    fn schema(&mut self) -> Result<Schema, DataError> {
        let first = self.lines.look_ahead(1)?.front().map(|row| row.1.clone()).unwrap_or_default();
        let kind = |cell: &str| match is_missing(cell) || is_number(cell) {
            true => Kind::Numbers,
            false => Kind::Words,
        };
        let kinds = cells(&first, self.separator).map(kind).chain(std::iter::repeat(Kind::Numbers));
        let has_names = !self.header.is_empty();
        let names = match has_names {
            true => self.header.clone(),
            false => vec![String::new(); self.columns],
        };
        let columns = unique(names).into_iter().zip(kinds);
        let columns = columns.map(|(name, kind)| Column::new(name, kind)).collect();
        let name = self.lines.source.name.clone();
        Ok(Schema {
            name,
            place: Place::Line,
            columns,
            has_names,
            index: Vec::new(),
            array: None,
            about_rows: None,
        })
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
        is_transposed: bool,
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
        let mut votes = self.roles.votes.iter().enumerate().peekable();
        for (column, cell) in cells(row, self.separator).enumerate() {
            // In a transposed table, all cells are votes.
            let index = match votes.next_if(|(_, vote)| **vote == column) {
                Some((index, _)) => index,
                None if is_transposed => column,
                None => continue,
            };
            let id = id(cell).ok_or_else(|| {
                let has_votes = models.n_clusters(model(index)) > 0;
                let is_vote = |at: usize| is_transposed || self.roles.votes.contains(&at);
                let others = cells(row, self.separator).enumerate().filter(|(at, _)| is_vote(*at));
                DataError::NotAnId {
                    source_name: self.lines.source.name.clone(),
                    line: *line,
                    column: column + 1,
                    text: shown(cell),
                    advice: advice(cell, has_votes, others.map(|(_, cell)| cell)),
                }
            })?;
            clusters.push(models.cluster(model(index), id)?);
        }
        Ok(())
    }

    /// Keeps what is beside a row's votes.
    fn keep(&mut self, (line, row): &Row) -> Result<(), DataError> {
        if self.roles.beside().next().is_none() {
            return Ok(());
        }
        let all: Vec<&str> = cells(row, self.separator).collect();
        let cell = |column: Option<usize>| column.map(|column| Some(all[column].to_owned()));
        let VoteRoles { id, sample, label, .. } = self.roles;
        let (id, sample, label) = (cell(id), cell(sample), cell(label));
        self.beside.push(id, sample, label, &self.lines.source.name, *line)
    }

    /// All votes, if a row is a model's.
    fn transposed(mut self, n_models: usize, models: &mut Models) -> Result<VotesChunk, DataError> {
        let mut clusters = Vec::with_capacity(n_models * self.columns);
        for model in 0..n_models {
            let Some(row) = self.lines.next()? else { break };
            self.number(&row, true, |_| model, models, &mut clusters)?;
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
            self.number(&row, false, |index| index, models, &mut clusters)?;
            self.keep(&row)?;
        }
        if clusters.is_empty() {
            return Ok(None);
        }
        Ok(Some(VotesChunk { clusters: block(clusters, n_models, false), confidences: None }))
    }

    fn beside(&mut self) -> Beside {
        std::mem::take(&mut self.beside)
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
