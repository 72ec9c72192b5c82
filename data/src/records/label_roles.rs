//! Which columns of a source of labels are what. What decides it is in [`super::roles`].

use super::id_columns::{id_columns, may_count, same_ids};
use super::roles::{Finder, label_columns};
use super::usual_names::{IDS, LABELS, SAMPLE};
use super::{Column, Kind, Role, Schema, Wanted};
use crate::{DataError, ReadOptions};

/// Columns of these names are clusters that were found.
const CLUSTERS: [&str; 4] = ["cluster", "clusters", "cluster_id", "prediction"];
/// Columns that runs write beside the clusters: of these names, or that begin so.
const BESIDE: [&str; 2] = ["confidence", "stray"];
const LAYER: &str = "layer_";
/// Beside the labels in files of pseudo-labels, which don't have every sample.
const PARTIAL: &str = "agreement";

/// What labels are read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelsAs {
    /// The true classes: every sample has one.
    Truth,
    /// Clusters that were found: some samples may have none.
    Found,
    /// Classes to train on: most samples have none.
    Given,
}

/// What is read of a source of labels.
#[derive(Debug, Clone)]
pub(crate) struct LabelRoles {
    pub(crate) label: usize,
    pub(crate) id: Option<usize>,
    /// Numbers of rows, from 0.
    pub(crate) sample: Option<usize>,
    /// Whether it is a file of pseudo-labels, which don't have every sample.
    pub(crate) is_partial: bool,
    /// Where the data's ids are in a column with a name, which this source hasn't got, while its own ids may just count its rows: that name.
    pub(crate) lost_ids: Option<String>,
}

impl LabelRoles {
    /// Decides by what a person said, else by names: the labels are in a column that is called so, else in the only one that
    /// holds no ids. Writes it into the schema. O(columns).
    ///
    /// `lenient`: columns that a person named may be missing, as they are another file's; always, the one that data have their ids in.
    ///
    /// # Errors
    ///
    /// A named column that isn't there or can't be labels or ids, and several that may be the labels.
    pub(crate) fn choose(
        schema: &mut Schema,
        options: &ReadOptions,
        purpose: LabelsAs,
        lenient: bool,
    ) -> Result<Self, DataError> {
        let find = Finder::new(schema);
        let named = |name: &Option<String>| match name {
            // A number names a column of the file that it was said of alone.
            Some(name) if lenient => Ok(find.by_name(name)),
            Some(name) => find.said(name).map(Some),
            None => Ok(None),
        };
        let of_data = match lenient {
            true => options.id_column.as_ref(),
            false => options.ids_of_data.as_ref().filter(|_| options.id_column.is_none()),
        };
        let id = match of_data {
            Some(name) => same_ids(schema, find.by_name(name), name),
            None => named(&options.id_column)?,
        };
        let lost_ids = of_data.filter(|_| id.is_none());
        let label = match &options.labels_column {
            Some(name) => Some(find.said(name)?),
            None => named(&options.label_column)?,
        };
        let ignored = options.ignored_columns.iter().filter_map(|name| match lenient {
            true => find.by_name(name),
            false => find.position(name),
        });
        let ignored: Vec<usize> = ignored.collect();
        let lower: Vec<String> =
            schema.columns.iter().map(|column| column.name.trim().to_lowercase()).collect();
        let of_name = |wanted: &str| lower.iter().position(|name| name == wanted);
        let free = |index: &usize| !ignored.contains(index) && Some(*index) != label;
        let is_single = schema.columns.len() == 1;
        // Where the data's ids are in a column `sample`, a run has them in `id`, beside the rows. Other files with both columns aren't such.
        let has_clusters = of_name(CLUSTERS[0]).or_else(|| of_name(PARTIAL)).is_some();
        let is_run = of_data.is_some() && of_name(IDS[0]).is_some() && has_clusters;
        let id = id.filter(|&index| !is_run || lower[index] != SAMPLE);
        let sample =
            of_name(SAMPLE).filter(|index| free(index) && !is_single && Some(*index) != id);
        // Of other tools, it holds names.
        let (named, sample) = match sample.map(|index| (index, &schema.columns[index].kind)) {
            Some((index, Kind::Words)) => (Some(index), None),
            _ => (None, sample),
        };
        let id = id.or(named).or_else(|| {
            let by_name = id_columns(schema).into_iter().map(|(index, _)| index);
            let is_cluster = |index: &usize| CLUSTERS.contains(&lower[*index].as_str());
            let is_row = |index: &usize| Some(*index) == sample;
            by_name.filter(free).find(|index| !is_single && !is_cluster(index) && !is_row(index))
        });
        // Ids of another number would be those of other samples.
        let uneven = |index: &usize| {
            IDS.contains(&lower[*index].as_str())
                && matches!(schema.columns[*index].kind, Kind::Other(_))
        };
        let id = id.or_else(|| (0..lower.len()).find(uneven));
        let is_key = |index: &usize| Some(*index) == id || Some(*index) == sample;
        let rest = |index: &usize| free(index) && !is_key(index);
        let label = match label {
            Some(label) => label,
            None => by_name(schema, &lower, (purpose, lenient), rest)?,
        };
        for (index, role) in [(Some(label), Role::Truth), (id, Role::Id), (sample, Role::Id)] {
            if let Some(index) = index {
                check(schema, index, if role == Role::Id { "ids" } else { "labels" })?;
                schema.columns[index].role = role;
            }
        }
        let is_partial = sample.is_some() && of_name(PARTIAL).is_some();
        let lost_ids = lost_ids.filter(|_| id.is_some_and(|index| may_count(schema, index)));
        let lost_ids = lost_ids.cloned();
        Ok(Self { label, id, sample, is_partial, lost_ids })
    }

    /// What a source is asked for: labels, then ids, then numbers of rows.
    pub(crate) fn wanted(&self) -> Wanted {
        let words = [Some(self.label), self.id, self.sample].into_iter().flatten().collect();
        Wanted { words, ..Wanted::default() }
    }
}

/// The column of labels that nobody named.
fn by_name(
    schema: &Schema,
    lower: &[String],
    (purpose, lenient): (LabelsAs, bool),
    rest: impl Fn(&usize) -> bool,
) -> Result<usize, DataError> {
    let classes = label_columns(schema).into_iter().map(|(index, _)| index).find(&rest);
    let clusters =
        (0..lower.len()).filter(|&index| CLUSTERS.contains(&lower[index].as_str())).find(&rest);
    let usual = match purpose {
        LabelsAs::Truth | LabelsAs::Given => classes.or(clusters),
        LabelsAs::Found => clusters.or(classes),
    };
    if let Some(usual) = usual {
        return Ok(usual);
    }
    let others: Vec<usize> = (0..lower.len()).filter(&rest).collect();
    match others[..] {
        [only] => Ok(only),
        _ => Err(DataError::SeveralLabels {
            source_name: schema.name.clone(),
            found: others.iter().map(|&index| schema.columns[index].name.clone()).collect(),
            flag: match (purpose, lenient) {
                (LabelsAs::Found, _) => "--cluster-column",
                (LabelsAs::Given, _) => "the name label in its header",
                (LabelsAs::Truth, true) => "--labels-column",
                (LabelsAs::Truth, false) => "--label-column",
            },
        }),
    }
}

/// What is read of a table of votes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct VoteRoles {
    /// A column a model.
    pub(crate) votes: Vec<usize>,
    pub(crate) id: Option<usize>,
    /// Numbers of rows, from 0.
    pub(crate) sample: Option<usize>,
    pub(crate) label: Option<usize>,
}

impl VoteRoles {
    /// Decides by what a person said, else by names: of a table with a column `sample`, as runs write them, the clusters; of
    /// others all columns but ids and labels. Writes it into the schema. O(columns).
    ///
    /// # Errors
    ///
    /// A named column that isn't there, and pseudo-labels.
    pub(crate) fn choose(schema: &mut Schema, options: &ReadOptions) -> Result<Self, DataError> {
        let all: Vec<usize> = (0..schema.columns.len()).collect();
        let find = Finder::new(schema);
        let named = |name: &Option<String>| name.as_ref().map(|name| find.said(name)).transpose();
        let (id, label) = (named(&options.id_column)?, named(&options.label_column)?);
        let ignored: Vec<usize> =
            options.ignored_columns.iter().map(|name| find.said(name)).collect::<Result<_, _>>()?;
        let mut roles = Self { id, label, ..Self::default() };
        let used = |roles: &Self, index: usize| {
            ignored.contains(&index) || [roles.id, roles.sample, roles.label].contains(&Some(index))
        };
        if schema.has_names && all.len() > 1 {
            let lower: Vec<String> =
                schema.columns.iter().map(|column| column.name.trim().to_lowercase()).collect();
            let of_name = |wanted: &str| lower.iter().position(|name| name == wanted);
            roles.sample = of_name(SAMPLE).filter(|&index| !used(&roles, index));
            let is_run = roles.sample.is_some();
            if roles.sample.is_some() && of_name(PARTIAL).is_some() {
                return Err(DataError::Unsupported {
                    source_name: schema.name.clone(),
                    found: "pseudo-labels, in which not every sample has a row".into(),
                    supported: "assignments (or name the run folder)",
                });
            }
            if roles.sample.is_some_and(|index| schema.columns[index].kind == Kind::Words) {
                // Of other tools, it holds names.
                let sample = roles.sample.take();
                roles.id = roles.id.or(sample);
            }
            // What ends with _id is often a model's clusters.
            let is_id = |index: &usize| {
                !lower[*index].ends_with("_id") || IDS.contains(&lower[*index].as_str())
            };
            let mut ids = id_columns(schema).into_iter().map(|(index, _)| index).filter(is_id);
            roles.id = roles.id.or_else(|| ids.find(|&index| !used(&roles, index)));
            let clusters = of_name(CLUSTERS[0]).or_else(|| of_name(LABELS[0]));
            if let Some(clusters) = clusters.filter(|&index| is_run && !used(&roles, index)) {
                let others = all.iter().filter(|&&index| index != clusters && !used(&roles, index));
                let is_beside = |name: &str| BESIDE.contains(&name) || name.starts_with(LAYER);
                if others.clone().all(|&index| is_beside(&lower[index])) {
                    roles.votes = vec![clusters];
                }
            }
            let labels = label_columns(schema).into_iter().map(|(index, _)| index);
            let mut labels =
                labels.filter(|&index| !used(&roles, index) && !roles.votes.contains(&index));
            let rest = all.iter().filter(|&&index| !used(&roles, index)).count();
            // The only column is a model's.
            roles.label = roles.label.or_else(|| labels.next().filter(|_| rest > 1));
        }
        if roles.votes.is_empty() {
            roles.votes = all.into_iter().filter(|&index| !used(&roles, index)).collect();
        }
        Ok(roles)
    }

    /// What is asked for beside the votes, in this order: ids, numbers of rows, labels.
    pub(crate) fn beside(&self) -> impl Iterator<Item = usize> {
        [self.id, self.sample, self.label].into_iter().flatten()
    }

    /// What a person should know.
    pub(crate) fn notes(&self, schema: &Schema) -> Vec<String> {
        let name = |index: usize| schema.columns[index].name.clone();
        let label = self.label.map(|index| {
            format!("column {} is taken for the truth, for scores only, not for votes", name(index))
        });
        let id =
            self.id.map(|index| format!("column {} says what samples are called", name(index)));
        label.into_iter().chain(id).collect()
    }
}

pub(super) fn check(schema: &Schema, index: usize, as_what: &'static str) -> Result<(), DataError> {
    let Column { name, kind, .. } = &schema.columns[index];
    if kind.is_simple() {
        return Ok(());
    }
    Err(DataError::ColumnKind {
        source_name: schema.name.clone(),
        column: name.clone(),
        found: kind.words().into(),
        as_what,
    })
}
