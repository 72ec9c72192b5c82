//! `consilience data info`.

use std::collections::HashSet;
use std::process::ExitCode;

use anyhow::Result;
use consilience_data::{
    ColumnInfo, DataError, Dataset, Features, Missing, PartInfo, Role, SparseRows, Truth,
    read_dataset_with,
};
use serde::Serialize;

use super::style::{self, count, percent, plural, table};
use super::{InfoArgs, answer, doubts};

/// Ids that are told, and half as many as names.
const TOLD: usize = 3;
/// Columns of a table that are told.
const COLUMNS: usize = 40;

/// What is in a set of data.
#[derive(Serialize)]
struct Info<'a> {
    files: &'a [PartInfo],
    n_samples: usize,
    n_features: usize,
    /// The smallest value of all.
    minimum: f32,
    /// The largest value of all.
    maximum: f32,
    /// Share of values that are 0.
    zeros: f64,
    /// Features that are the same for all samples.
    constant_features: usize,
    /// Distinct labels beside the data, if every file has some.
    n_classes: Option<usize>,
    /// Their names.
    classes: Option<&'a [String]>,
    /// What the first samples are called.
    first_ids: Option<&'a [String]>,
    /// Samples that are called as another one before them is.
    repeated_ids: Option<usize>,
    /// What the features are called: columns of a table, or words.
    feature_names: Option<&'a [String]>,
    /// Whether the features are TF-IDF of texts.
    tf_idf: bool,
    /// Samples whose features are all 0.
    empty_samples: usize,
    /// Rows, columns and channels of images.
    image: Option<[usize; 3]>,
    /// The number of clusters that an embedded set declares.
    n_clusters: Option<usize>,
    /// Features that look as if they should be none.
    warnings: Vec<String>,
    /// What keeps the data from being clustered as they are, if anything does.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_the_way: Option<InTheWay>,
}

/// Says what files were understood to be.
pub(super) fn run(args: &InfoArgs) -> Result<ExitCode> {
    let (data, in_the_way) = read(args)?;
    let info = Info { in_the_way, ..Info::of(&data) };
    let text = if args.json { serde_json::to_string_pretty(&info)? + "\n" } else { info.text() };
    answer(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The data; without what is in the way of clustering them, if anything is, and then what that is.
fn read(args: &InfoArgs) -> Result<(Dataset, Option<InTheWay>)> {
    let mut options = args.reading.options();
    options.keep_sparse = true;
    let error = match read_dataset_with(&args.data, &[], &options) {
        Ok(data) => return Ok((data, None)),
        Err(error) => error,
    };
    let DataError::InTheWay { columns, .. } = &error else { return Err(error.into()) };
    let mut flags = Vec::new();
    if !columns.is_empty() {
        flags.push(format!("--ignore-column {}", columns.join(",")));
        options.ignored_columns.extend(columns.iter().cloned());
    }
    if options.missing == Missing::Refuse {
        flags.push("--missing mean".into());
        options.missing = Missing::Mean;
    }
    // What can't be read like that, either, is refused for its first reason.
    let Ok(data) = read_dataset_with(&args.data, &[], &options) else { return Err(error.into()) };
    Ok((data, Some(InTheWay { problem: error.to_string(), described_with: flags.join(" ") })))
}

/// What keeps data from being clustered as they are.
#[derive(Serialize)]
struct InTheWay {
    problem: String,
    /// The flags with which the rest is described.
    described_with: String,
}

/// What is seen of all values.
struct Seen {
    /// The least and the greatest.
    range: (f32, f32),
    n_zeros: usize,
    /// Samples of zeros alone.
    n_empty: usize,
    /// Whether each feature is the same for all samples.
    constant: Vec<bool>,
}

impl Seen {
    fn none(n_features: usize) -> Self {
        let range = (f32::INFINITY, f32::NEG_INFINITY);
        Self { range, n_zeros: 0, n_empty: 0, constant: vec![true; n_features] }
    }

    /// Of dense features.
    fn of(features: &Features) -> Self {
        let mut seen = Self::none(features.n_features());
        let first = features.row(0);
        for sample in 0..features.n_samples() {
            let row = features.row(sample);
            for (constant, (value, first)) in seen.constant.iter_mut().zip(row.iter().zip(first)) {
                *constant &= value == first;
            }
            seen.count(row.iter().copied(), row.len());
        }
        seen
    }

    /// The same of sparse ones.
    fn of_sparse(rows: &SparseRows) -> Self {
        let mut seen = Self::none(rows.n_features());
        let mut first = vec![0.0; rows.n_features()];
        rows.put(0, &mut first);
        let mut n_values = vec![0; rows.n_features()];
        for sample in 0..rows.n_samples() {
            for (feature, value) in rows.entries(sample) {
                seen.constant[feature] &= value == first[feature];
                n_values[feature] += 1;
            }
            seen.count(rows.entries(sample).map(|(_, value)| value), rows.n_features());
        }
        for (constant, n_values) in seen.constant.iter_mut().zip(n_values) {
            *constant &= n_values == 0 || n_values == rows.n_samples();
        }
        seen
    }

    /// A row, of which zeros may have been left out.
    fn count(&mut self, values: impl Iterator<Item = f32>, n_features: usize) {
        let mut n_others = 0;
        let (mut least, mut most) = self.range;
        for value in values {
            n_others += usize::from(value != 0.0);
            (least, most) = (least.min(value), most.max(value));
        }
        if n_others < n_features {
            (least, most) = (least.min(0.0), most.max(0.0));
        }
        self.range = (least, most);
        self.n_zeros += n_features - n_others;
        self.n_empty += usize::from(n_others == 0);
    }
}

impl<'a> Info<'a> {
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    fn of(data: &'a Dataset) -> Self {
        let seen = match data.features.as_sparse() {
            Some(rows) => Seen::of_sparse(rows),
            None => Seen::of(&data.features),
        };
        let n_values = data.features.n_samples() * data.features.n_features();
        let ids = data.ids.as_deref();
        Self {
            files: &data.parts,
            n_samples: data.features.n_samples(),
            n_features: data.features.n_features(),
            minimum: seen.range.0,
            maximum: seen.range.1,
            zeros: seen.n_zeros as f64 / n_values as f64,
            constant_features: seen.constant.iter().filter(|&&constant| constant).count(),
            n_classes: data.truth.as_ref().map(Truth::n_classes),
            classes: data.truth.as_ref().map(Truth::names),
            first_ids: ids.map(|ids| &ids[..ids.len().min(TOLD)]),
            repeated_ids: ids.map(|ids| ids.len() - ids.iter().collect::<HashSet<_>>().len()),
            feature_names: data.recipe.feature_names.as_deref(),
            tf_idf: data.recipe.inverse_document_frequencies.is_some(),
            empty_samples: seen.n_empty,
            image: data.recipe.image,
            n_clusters: data.n_clusters,
            warnings: doubts::all(data, &seen.constant),
            in_the_way: None,
        }
    }

    fn text(&self) -> String {
        let files: String = self
            .files
            .iter()
            .map(|part| format!("{}\n{}\n", part.path.display(), file(part)))
            .collect();
        let constant = match self.constant_features {
            0 => String::new(),
            constant => format!(", {} constant", count(constant)),
        };
        let (samples, features) =
            (plural(self.n_samples, "sample"), plural(self.n_features, "feature"));
        let mut rows = vec![
            ("shape", format!("{samples} x {features}{constant}")),
            (
                "values",
                format!("{} to {}, {} zeros", self.minimum, self.maximum, percent(self.zeros)),
            ),
        ];
        if let Some([height, width, channels]) = self.image {
            let channels = plural(channels, "channel");
            rows.push(("images", format!("{height} x {width} pixels, {channels}, row by row")));
        }
        if let Some(names) = self.feature_names {
            rows.push((if self.tf_idf { "words" } else { "features" }, some(names)));
        }
        if self.tf_idf {
            let weights = "TF-IDF, rows of length 1";
            let empty = plural(self.empty_samples, "text");
            rows.push(("weights", format!("{weights}; {empty} with none of these words")));
        }
        if let Some(ids) = self.first_ids {
            let repeated = match self.repeated_ids {
                None | Some(0) => String::new(),
                Some(repeated) => format!("; {} repeated", count(repeated)),
            };
            let more = if ids.len() < self.n_samples { ", ..." } else { "" };
            rows.push(("ids", format!("{}{more}{repeated}", ids.join(", "))));
        }
        let classes = self.classes.map_or("none beside the data".into(), |names| {
            let distinct = count(names.len());
            format!("{distinct} distinct: {} (used for scores only)", some(names))
        });
        rows.push(("labels", classes));
        rows.extend(self.warnings.iter().map(|warning| ("look at", warning.clone())));
        if let Some(k) = self.n_clusters {
            rows.push(("clusters", format!("{k}, so -k is not needed")));
        }
        let in_the_way = self.in_the_way.as_ref().map_or(String::new(), |found| {
            let InTheWay { problem, described_with } = found;
            format!("In the way of clustering: {problem}\n\nAs with {described_with}:\n\n")
        });
        let stacked = if self.files.len() > 1 { "stacked" } else { "as read" };
        format!("{in_the_way}{files}{stacked}\n{}", table(&rows))
    }
}

fn file(part: &PartInfo) -> String {
    let shape: Vec<String> = part.shape.iter().map(ToString::to_string).collect();
    let mut rows = vec![("format", part.format.clone()), ("shape", shape.join(" x "))];
    rows.extend(part.member.clone().map(|member| ("member", member)));
    rows.extend(part.delimiter.map(|delimiter| ("delimiter", format!("{delimiter:?}"))));
    let header = part.header.map(|header| if header { "one line" } else { "none" });
    rows.extend(header.map(|header| ("header", header.into())));
    rows.extend(part.features_from.clone().map(|from| ("features", from)));
    if let Some(images) = &part.images {
        rows.push((
            "images",
            format!("{} grey, {} in colour", count(images.grey), count(images.colour)),
        ));
        let size = |([rows, columns], images): &([usize; 2], usize)| {
            format!("{rows} x {columns} ({})", count(*images))
        };
        let sizes: Vec<String> = images.sizes.iter().map(size).collect();
        let [height, width, _] = images.read_as;
        let resized = match images.sizes.as_slice() {
            [(only, _)] if *only == [height, width] => "not resized".into(),
            _ => format!("stretched to {height} x {width} (--image-size)"),
        };
        rows.push(("sizes", format!("{}; {resized}", some(&sizes))));
    }
    rows.extend(part.ids_from.clone().map(|from| ("ids", from)));
    let labels = match &part.truth_from {
        Some(from) => format!("beside the data, {from} (used for scores only)"),
        None if part.has_truth => "beside the data".into(),
        None => "none".into(),
    };
    rows.push(("labels", labels));
    if !part.left_aside.is_empty() {
        rows.push(("left aside", some(&part.left_aside)));
    }
    rows.extend(part.encoding.clone().map(|encoding| ("encoding", encoding)));
    rows.extend(part.notes.iter().map(|note| ("note", note.clone())));
    let columns = columns(part);
    format!("{}{columns}", table(&rows))
}

/// What each column of a table was taken for, and why; of those that are taken for the same, one after the other, the first.
fn columns(part: &PartInfo) -> String {
    if part.columns.is_empty() {
        return String::new();
    }
    let all: usize = part.shape.first().copied().unwrap_or(1).max(1);
    let line = |column: &ColumnInfo| {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let missing = match column.n_missing {
            None => "-".into(),
            Some(missing) => percent(missing as f64 / all as f64),
        };
        let role = match column.role {
            Role::Feature => "feature",
            Role::Id => "ids",
            Role::Truth => "labels",
            Role::Text => "texts",
            Role::Vote => "votes",
            _ => "left aside",
        };
        vec![column.name.clone(), column.holds.clone(), role.into(), missing, column.why.clone()]
    };
    let told = part.columns.iter().take(COLUMNS).map(line);
    let more = match part.columns.len().saturating_sub(COLUMNS) {
        0 => String::new(),
        more => format!("{} more columns are in --json\n", count(more)),
    };
    format!("\n{}{more}", style::columns(&["column", "holds", "taken for", "missing", "why"], told))
}

/// The first of many names.
fn some(names: &[String]) -> String {
    match names.len().saturating_sub(2 * TOLD) {
        0 => names.join(", "),
        more => format!("{} and {} more", names[..2 * TOLD].join(", "), count(more)),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn sparse_rows_are_seen_as_dense_ones() {
        let values = array![[0.0, 2.0, 5.0, 1.0], [0.0, 2.0, 0.0, 1.5], [0.0, 0.0, 0.0, 0.0]];
        for n_rows in 1..4 {
            let mut rows = SparseRows::with_capacity(3, 5, 4);
            for row in values.rows().into_iter().take(n_rows) {
                rows.push((0..).zip(row.iter().copied()));
            }
            let dense = values.slice(ndarray::s![..n_rows, ..]).to_owned();
            let dense = Seen::of(&Features::new(dense, "x").unwrap());
            let sparse = Seen::of_sparse(&rows);
            assert_eq!((sparse.range, sparse.n_zeros), (dense.range, dense.n_zeros));
            assert_eq!((sparse.n_empty, sparse.constant), (dense.n_empty, dense.constant));
        }
    }
}
