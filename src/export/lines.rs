//! CSV and JSON Lines.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use consilience_data::ClusterId;
use serde::Serialize;

use super::cells::Cells;
use super::labelled::{Export, Values};
use crate::run_folder::PSEUDO_LABELS;

/// A line.
#[derive(Serialize)]
struct Row<'a> {
    sample: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    label: ClusterId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Cow<'a, str>>,
    agreement: u16,
    margin: i32,
    confidence: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<Values<'a>>,
}

fn rows<'a>(export: &'a Export<'_>, cells: Cells) -> impl Iterator<Item = Row<'a>> {
    export.entries().iter().map(move |entry| Row {
        sample: export.row(entry),
        id: export.id(entry).map(|id| cells.write(id)),
        label: entry.label,
        name: export.name(entry).map(|name| cells.write(name)),
        agreement: entry.agreement,
        margin: entry.margin,
        confidence: entry.confidence,
        features: export.features(entry),
    })
}

/// Writes a header, then a line a sample.
pub(super) fn csv(export: &Export<'_>, path: &Path) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_path(path)?;
    writer.write_record(header(export))?;
    for row in rows(export, export.cells) {
        writer.serialize(row)?;
    }
    writer.flush()
}

/// Names of columns, no two the same: a feature that is called like one of ours, or like another feature, has its number
/// put before its name.
fn header(export: &Export<'_>) -> Vec<String> {
    let mut header: Vec<String> = PSEUDO_LABELS.iter().map(ToString::to_string).collect();
    if export.names.is_some() {
        header.insert(2, "name".into());
    }
    if export.ids.is_some() {
        header.insert(1, "id".into());
    }
    let Some(table) = export.table else { return header };
    let mut taken: std::collections::BTreeSet<String> = header.iter().cloned().collect();
    for feature in 0..table.features.n_features() {
        let numbered = format!("x{feature}");
        let name = match table.names {
            Some(names) if taken.contains(&names[feature]) => {
                format!("{numbered}_{}", names[feature])
            }
            Some(names) => names[feature].clone(),
            None => numbered,
        };
        taken.insert(name.clone());
        header.push(name);
    }
    header
}

/// Writes a JSON object a line.
pub(super) fn json_lines(export: &Export<'_>, path: &Path) -> io::Result<()> {
    let mut writer = BufWriter::new(File::create(path)?);
    for row in rows(export, Cells::AsTheyAre) {
        serde_json::to_writer(&mut writer, &row)?;
        writer.write_all(b"\n")?;
    }
    writer.flush()
}
