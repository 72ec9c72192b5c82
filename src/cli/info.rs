//! `consilience data info`.

use std::process::ExitCode;

use anyhow::Result;
use consilience_data::{Dataset, PartInfo, Truth, read_dataset_with};
use serde::Serialize;

use super::text::{count, percent, plural, table};
use super::{InfoArgs, answer};

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
    /// The number of clusters that an embedded set declares.
    n_clusters: Option<usize>,
}

/// Says what files were understood to be.
pub(super) fn run(args: &InfoArgs) -> Result<ExitCode> {
    let data = read_dataset_with(&args.data, &[], &args.reading.options())?;
    let info = Info::of(&data);
    let text = if args.json { serde_json::to_string_pretty(&info)? + "\n" } else { info.text() };
    answer(&text)?;
    Ok(ExitCode::SUCCESS)
}

impl<'a> Info<'a> {
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    fn of(data: &'a Dataset) -> Self {
        let values = data.features.as_slice();
        let zeros = values.iter().filter(|&&value| value == 0.0).count();
        let first = data.features.row(0);
        let mut constant = vec![true; first.len()];
        for sample in 1..data.features.n_samples() {
            let row = data.features.row(sample).iter().zip(first);
            for (constant, (value, first)) in constant.iter_mut().zip(row) {
                *constant &= value == first;
            }
        }
        Self {
            files: &data.parts,
            n_samples: data.features.n_samples(),
            n_features: data.features.n_features(),
            minimum: values.iter().copied().fold(f32::INFINITY, f32::min),
            maximum: values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
            zeros: zeros as f64 / values.len() as f64,
            constant_features: constant.iter().filter(|&&constant| constant).count(),
            n_classes: data.truth.as_ref().map(Truth::n_classes),
            n_clusters: data.n_clusters,
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
        let classes = self.n_classes.map_or("none beside the data".into(), |classes| {
            format!("{} distinct (used for scores only)", count(classes))
        });
        rows.push(("labels", classes));
        if let Some(k) = self.n_clusters {
            rows.push(("clusters", format!("{k} declared, so -k may be left out")));
        }
        let stacked = if self.files.len() > 1 { "stacked" } else { "as read" };
        format!("{files}{stacked}\n{}", table(&rows))
    }
}

fn file(part: &PartInfo) -> String {
    let shape: Vec<String> = part.shape.iter().map(ToString::to_string).collect();
    let mut rows = vec![("format", part.format.clone()), ("shape", shape.join(" x "))];
    rows.extend(part.member.clone().map(|member| ("member", member)));
    rows.extend(part.delimiter.map(|delimiter| ("delimiter", format!("{delimiter:?}"))));
    let header = part.header.map(|header| if header { "one line" } else { "none" });
    rows.extend(header.map(|header| ("header", header.into())));
    rows.push(("labels", if part.has_truth { "beside the data" } else { "none" }.into()));
    table(&rows)
}
