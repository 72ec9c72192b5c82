//! Votes in a table (text, Parquet, Arrow, JSON Lines): a sample a row and a model a column, or, as text, the other way round.

use std::collections::VecDeque;

use super::array::block;
use super::beside::Beside;
use super::models::Models;
use super::part::{Blocks, MAX_MODELS, Part, TRANSPOSED, VotesChunk, VotesInfo, turned};
use super::request::{Request, model_names};
use crate::read::delimited::COUNTED;
use crate::read::path::open_records;
use crate::read::source::Location;
use crate::records::{Batch, Kind, Numbers, Records, Rows, Schema, VoteRoles, Wanted};
use crate::{DataError, ReadOptions};

/// Shorter tables are counted before they are read, to see what the other files have to fit.
const SHORT: usize = 256;
/// Cells of a first line that a note repeats, at most.
const SHOWN: usize = 5;
/// Below it every whole number is a 64-bit float.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Opens a table. One of text is transposed if there are more columns than rows, and if these aren't as many as the samples of
/// the other files.
pub(super) fn open(
    request: &Request<'_>,
    is_text: bool,
    options: &ReadOptions,
) -> Result<Part, DataError> {
    let location = Location::File { path: request.path.into(), dataset: None };
    let mut records = open_records(&location, options)?;
    let mut note = None;
    if records.info.notes.iter().any(|note| note == COUNTED) {
        // As the first line of votes it is as probably the first sample.
        let without = ReadOptions { header: Some(false), ..options.clone() };
        records = open_records(&location, &without)?;
        note = Some(numbered(records.schema.columns.len()));
    }
    let Records { info, mut schema, rows } = records;
    let roles = VoteRoles::choose(&mut schema, options)?;
    if roles.votes.is_empty() {
        return Err(DataError::NoVotes { source_name: schema.name });
    }
    // Of text, words are told with their line when they are read.
    let is_vote = |kind: &Kind| kind.is_number() || (is_text && kind.is_simple());
    if let Some(column) =
        roles.votes.iter().map(|&it| &schema.columns[it]).find(|it| !is_vote(&it.kind))
    {
        return Err(DataError::ColumnKind {
            source_name: schema.name.clone(),
            column: column.name.clone(),
            found: column.kind.words().into(),
            as_what: "votes",
        });
    }
    let n_columns = schema.columns.len();
    let with_roles = roles.votes.len() < n_columns;
    let has_only = with_roles && roles.votes.len() == 1;
    let mut table = Table::new(schema, rows, roles, is_text);
    let counted = table.look_ahead(n_columns.clamp(SHORT, MAX_MODELS + 1));
    // Without rows there are no models in them either, which is told when they are read.
    let may_be_wide = is_text && !with_roles;
    let wide = counted.filter(|&rows| may_be_wide && (1..n_columns).contains(&rows));
    table.models_in_rows = wide.filter(|&rows| request.samples != Some(rows));
    let Table { schema, roles, .. } = &table;
    let n_models = table.models_in_rows.unwrap_or(roles.votes.len());
    note = match (wide, table.models_in_rows) {
        (_, Some(_)) => Some(TRANSPOSED.into()),
        (Some(rows), None) => Some(turned(n_models, rows)),
        (None, None) => note,
    };
    let info = VotesInfo {
        path: request.path.into(),
        format: info.format,
        n_models,
        n_samples: table.models_in_rows.map(|_| n_columns),
        is_transposed: table.models_in_rows.is_some(),
        member: has_only.then(|| schema.columns[roles.votes[0]].name.clone()),
        has_confidences: false,
        notes: roles.notes(schema).into_iter().chain(note).collect(),
    };
    let mut names = model_names(request.short, n_models);
    if table.models_in_rows.is_none() && schema.has_names && !has_only {
        for (name, &index) in names.iter_mut().zip(&roles.votes) {
            let own = &schema.columns[index].name;
            if *own != format!("column {}", index + 1) {
                name.clone_from(own);
            }
        }
    }
    let models = Models::new(&schema.name, names);
    let fits: Vec<usize> = counted.into_iter().chain(wide.map(|_| n_columns)).collect();
    let columns = table.models_in_rows.is_none().then(|| roles.votes.clone());
    Ok(Part { columns, ..Part::new(info, &fits, models, Box::new(table)) })
}

fn numbered(n_columns: usize) -> String {
    let numbers: Vec<_> = (0..n_columns.min(SHOWN)).map(|number| number.to_string()).collect();
    let more = if n_columns > SHOWN { ",..." } else { "" };
    format!(
        "the first line, {}{more}, was taken as votes; if it names the columns, say --header yes",
        numbers.join(",")
    )
}

struct Table {
    schema: Schema,
    rows: Box<dyn Rows>,
    roles: VoteRoles,
    wanted: Wanted,
    is_text: bool,
    /// Number of models, if they are in rows.
    models_in_rows: Option<usize>,
    /// Rows that have been looked at, and the error behind them.
    ahead: VecDeque<Batch>,
    failed: Option<DataError>,
    /// Rows read so far.
    read: usize,
    beside: Beside,
}

impl Table {
    fn new(schema: Schema, rows: Box<dyn Rows>, roles: VoteRoles, is_text: bool) -> Self {
        let wanted = Wanted {
            numbers: roles.votes.clone(),
            words: roles.beside().collect(),
            ..Wanted::default()
        };
        let (models_in_rows, ahead, failed) = (None, VecDeque::new(), None);
        let beside = Beside::default();
        Self {
            schema,
            rows,
            roles,
            wanted,
            is_text,
            models_in_rows,
            ahead,
            failed,
            read: 0,
            beside,
        }
    }

    /// Number of rows, if there are fewer than `count` and all can be read.
    fn look_ahead(&mut self, count: usize) -> Option<usize> {
        let mut found = 0;
        while found < count {
            match self.rows.next(&self.schema, &self.wanted) {
                Ok(Some(batch)) => {
                    found += batch.n_rows;
                    self.ahead.push_back(batch);
                }
                Ok(None) => return Some(found),
                Err(error) => {
                    self.failed = Some(error);
                    return None;
                }
            }
        }
        None
    }

    fn next_batch(&mut self) -> Result<Option<Batch>, DataError> {
        loop {
            let batch = match (self.ahead.pop_front(), self.failed.take()) {
                (Some(batch), failed) => {
                    self.failed = failed;
                    Some(batch)
                }
                (None, Some(error)) => return Err(error),
                (None, None) => self.rows.next(&self.schema, &self.wanted)?,
            };
            if batch.as_ref().is_none_or(|batch| batch.n_rows > 0) {
                return Ok(batch);
            }
        }
    }

    /// Appends the clusters of a batch, row after row.
    fn number(
        &mut self,
        batch: &Batch,
        models: &mut Models,
        clusters: &mut Vec<u16>,
    ) -> Result<(), DataError> {
        let width = self.wanted.numbers.len();
        let id = |index: usize| match &batch.numbers {
            Numbers::I64(ids) => Ok(ids[index]),
            #[expect(clippy::cast_precision_loss, reason = "for a message")]
            Numbers::U64(ids) => i64::try_from(ids[index]).map_err(|_| ids[index] as f64),
            Numbers::F64(ids) => whole(ids[index]),
            Numbers::F32(ids) => whole(ids[index].into()),
        };
        for row in 0..batch.n_rows {
            for column in 0..width {
                let id = id(row * width + column)
                    .map_err(|value| self.not_whole(batch, row, column, value))?;
                let model = self.models_in_rows.map_or(column, |_| self.read + row);
                clusters.push(models.cluster(model, id)?);
            }
        }
        self.read += batch.n_rows;
        Ok(())
    }

    #[cold]
    fn not_whole(&self, batch: &Batch, row: usize, column: usize, value: f64) -> DataError {
        let source_name = self.schema.name.clone();
        if !self.is_text {
            let index = (self.read + row) * self.wanted.numbers.len() + column;
            return DataError::NotWhole { source_name, index, value };
        }
        let advice = if value.fract() == 0.0 { TOO_LARGE } else { IDS };
        let (line, column) = (batch.places.at(row), self.roles.votes[column] + 1);
        DataError::NotAnId { source_name, line, column, text: value.to_string(), advice }
    }

    /// What to do about a word.
    fn explain(&self, error: DataError, models: &Models) -> DataError {
        let DataError::NotANumber { source_name, line, column, text, .. } = error else {
            return error;
        };
        let model = self.roles.votes.iter().position(|&index| index + 1 == column);
        let has_votes = self.models_in_rows.is_some()
            || model.is_some_and(|model| models.n_clusters(model) > 0);
        let is_number = |&index: &usize| self.schema.columns[index].kind == Kind::Numbers;
        let advice = match has_votes {
            true => IDS,
            false if self.roles.votes.iter().any(is_number) => NAMES,
            false => WORDS,
        };
        DataError::NotAnId { source_name, line, column, text, advice }
    }
}

impl Blocks for Table {
    fn next(&mut self, limit: usize, models: &mut Models) -> Result<Option<VotesChunk>, DataError> {
        let n_models = models.names().len();
        // All of it, if a row is a model's.
        let limit = self.models_in_rows.unwrap_or(limit);
        let (start, mut clusters) = (self.read, Vec::new());
        while self.read - start < limit {
            let batch = self.next_batch().map_err(|error| self.explain(error, models))?;
            let Some(batch) = batch else { break };
            self.number(&batch, models, &mut clusters)?;
            self.beside.extend(batch, &self.roles, &self.schema.name)?;
        }
        let is_transposed = self.models_in_rows.is_some();
        Ok((!clusters.is_empty()).then(|| VotesChunk {
            clusters: block(clusters, n_models, is_transposed),
            confidences: None,
        }))
    }

    fn beside(&mut self) -> Beside {
        std::mem::take(&mut self.beside)
    }
}

/// The id that a number is, negative if it is missing.
fn whole(value: f64) -> Result<i64, f64> {
    if value.is_nan() {
        return Ok(-1);
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
    if value.fract() == 0.0 && value.abs() <= EXACT { Ok(value as i64) } else { Err(value) }
}

const IDS: &str = "ids are whole numbers, and a missing vote is an empty cell or NA";
const NAMES: &str = "drop the column if it names the samples; ids are whole numbers, and a missing vote is an empty cell or NA";
const WORDS: &str = "give whole numbers; drop columns of names";
const TOO_LARGE: &str = "it is too large for one, so number the clusters from 0";
