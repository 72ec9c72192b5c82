//! Votes in a table whose columns have types: Parquet, Arrow, JSON Lines. A sample a row, a model a column.

use super::array::block;
use super::models::Models;
use super::open::{Request, model_names};
use super::{Beside, Blocks, Part, VotesChunk, VotesInfo};
use crate::read::path::open_records;
use crate::read::source::Location;
use crate::records::{Batch, Numbers, Records, VoteRoles, Wanted};
use crate::{DataError, ReadOptions};

/// Below it every whole number is a 64-bit float.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Opens a table.
pub(super) fn open(request: &Request<'_>, options: &ReadOptions) -> Result<Part, DataError> {
    let location = Location::File { path: request.path.into(), dataset: None };
    let Records { info, mut schema, rows } = open_records(&location, options)?;
    let name = schema.name.clone();
    let roles = VoteRoles::choose(&mut schema, options)?;
    if let Some(&index) = roles.votes.iter().find(|&&index| !schema.columns[index].kind.is_number())
    {
        return Err(DataError::ColumnKind {
            source_name: name,
            column: schema.columns[index].name.clone(),
            found: schema.columns[index].kind.words().into(),
            as_what: "votes",
        });
    }
    let n_models = roles.votes.len();
    let mut names = model_names(request.short, n_models);
    if n_models > 1 {
        names = roles.votes.iter().map(|&index| schema.columns[index].name.clone()).collect();
    }
    let info = VotesInfo {
        path: request.path.into(),
        format: info.format,
        n_models,
        n_samples: None,
        is_transposed: false,
        member: None,
        has_confidences: false,
        notes: roles.notes(&schema),
    };
    let models = Models::new(&name, names);
    let wanted = Wanted { numbers: roles.votes.clone(), words: roles.beside().collect() };
    let columns = Some(roles.votes.clone());
    let records = Records { info: crate::PartInfo::default(), schema, rows };
    let table = Table { records, roles, wanted, read: 0, beside: Beside::default() };
    Ok(Part { columns, ..Part::new(info, &[], models, Box::new(table)) })
}

struct Table {
    records: Records,
    roles: VoteRoles,
    wanted: Wanted,
    /// Rows read so far.
    read: usize,
    beside: Beside,
}

impl Blocks for Table {
    fn next(&mut self, _: usize, models: &mut Models) -> Result<Option<VotesChunk>, DataError> {
        let n_models = self.wanted.numbers.len();
        let Records { schema, rows, .. } = &mut self.records;
        let batch = loop {
            match rows.next(schema, &self.wanted)? {
                None => return Ok(None),
                Some(batch) if batch.n_rows == 0 => {}
                Some(batch) => break batch,
            }
        };
        let Batch { n_rows, numbers, words, places } = batch;
        let mut clusters = Vec::with_capacity(n_rows * n_models);
        let mut push = |index: usize, id: Result<i64, f64>| {
            let id = id.map_err(|value| DataError::NotWhole {
                source_name: schema.name.clone(),
                index: self.read * n_models + index,
                value,
            })?;
            clusters.push(models.cluster(index % n_models, id)?);
            Ok::<(), DataError>(())
        };
        match numbers {
            Numbers::I64(ids) => {
                ids.iter().enumerate().try_for_each(|(index, &id)| push(index, Ok(id)))?;
            }
            Numbers::F32(ids) => {
                let mut ids = ids.iter().enumerate();
                ids.try_for_each(|(index, &id)| push(index, whole(id.into())))?;
            }
            Numbers::F64(ids) => {
                ids.iter().enumerate().try_for_each(|(index, &id)| push(index, whole(id)))?;
            }
        }
        let mut words = words.into_iter().map(Vec::into_iter);
        let VoteRoles { id, sample, label, .. } = self.roles;
        let mut column = |column: Option<usize>| column.and_then(|_| words.next());
        let (mut ids, mut samples, mut labels) = (column(id), column(sample), column(label));
        let cell = |words: &mut Option<std::vec::IntoIter<Option<String>>>| {
            words.as_mut().map(|words| words.next().flatten())
        };
        for row in 0..n_rows {
            let (id, sample) = (cell(&mut ids), cell(&mut samples));
            self.beside.push(id, sample, cell(&mut labels), &schema.name, places.at(row))?;
        }
        self.read += n_rows;
        Ok(Some(VotesChunk { clusters: block(clusters, n_models, false), confidences: None }))
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
