//! Flags that say how to read files.

use clap::Args;
use consilience_data::ReadOptions;

/// How to read the data.
#[derive(Debug, Args)]
pub(super) struct ReadingArgs {
    /// Column (or field) with the samples' ids [default: one called id, name, file... if there is one]
    #[arg(long, value_name = "NAME")]
    id_column: Option<String>,
    /// Column of a table with the true classes, for scores only [default: one called label, class, target... if there is one]
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,
    /// Column of a table with each sample's features as a list [default: the only one with lists]
    #[arg(long, value_name = "NAME")]
    vector_column: Option<String>,
    /// Column of a table with texts; they become TF-IDF of the 2,000 commonest words
    #[arg(long, value_name = "NAME", conflicts_with = "vector_column")]
    text_column: Option<String>,
    /// Column of a table to leave out, such as a date or a text beside embeddings; may be given several times
    #[arg(long, value_name = "NAME")]
    ignore_column: Vec<String>,
    /// Rows and columns that images are resized to [default: unchanged if all have one size of at most 64x64, else 32x32]
    #[arg(long, value_name = "HxW", value_parser = image_size)]
    image_size: Option<[usize; 2]>,
}

impl ReadingArgs {
    /// What was said.
    pub(super) fn options(&self) -> ReadOptions {
        ReadOptions {
            id_column: self.id_column.clone(),
            label_column: self.label_column.clone(),
            vector_column: self.vector_column.clone(),
            text_column: self.text_column.clone(),
            ignored_columns: self.ignore_column.clone(),
            image_size: self.image_size,
            ..ReadOptions::default()
        }
    }
}

/// Reads `28x28`, or `28` for both.
fn image_size(text: &str) -> Result<[usize; 2], String> {
    /// Larger images are more features than a network can learn from.
    const LARGEST: usize = 4096;
    let (rows, columns) = text.split_once(['x', 'X']).unwrap_or((text, text));
    let side =
        |side: &str| {
            side.trim().parse().ok().filter(|side| (1..=LARGEST).contains(side)).ok_or_else(|| {
                format!("need rows x columns such as 28x28, each from 1 to {LARGEST}")
            })
        };
    Ok([side(rows)?, side(columns)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rows_and_columns() {
        assert_eq!((image_size("28x14"), image_size("32")), (Ok([28, 14]), Ok([32, 32])));
        for wrong in ["", "0x8", "8x", "8x8x3", "-1x8", "9999"] {
            assert!(image_size(wrong).is_err(), "{wrong}");
        }
    }
}
