//! Export of pseudo-labels to files that other tools train on.
//!
//! [`Subset`] chooses, [`Export`] holds what is chosen with all that belongs to it, [`Export::write`] and [`Export::link`]
//! write it. Samples stay in the order of the data.
//!
//! | format | content |
//! | --- | --- |
//! | CSV | sample, id, label, name, agreement, margin, confidence, then a column a feature |
//! | JSON Lines | the same, a sample a line, the features as an array `features` |
//! | Parquet | the same, the features as a list `features` of fixed size |
//! | `.npz` | `X`, `y` (the labels), `sample`, `id`, `agreement`, `margin`, `confidence`, `names`, `feature_names` |
//! | HDF5 | the same, each with attributes that say what it is |
//! | folders | a folder a label, with links to the images |
//!
//! `id` is there if the data has ids, `name` and `names` if labels were given names, and features if they were read.
//! The same export has the same bytes.

mod all_samples;
mod arrays;
mod cells;
mod folders;
mod labelled;
mod lines;
mod names;
#[cfg(feature = "parquet")]
mod parquet;
mod subset;

use std::path::Path;

use consilience_data::DataError;

pub use self::all_samples::{AllSamples, label_errors};
pub use self::cells::Cells;
pub use self::labelled::{Export, FeatureTable};
pub use self::names::LabelNames;
#[cfg(feature = "parquet")]
pub(crate) use self::parquet::{list_type, lists};
pub use self::subset::Subset;
use crate::run_folder::unwritable;

/// What a file is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A table as text.
    Csv,
    /// A table by columns.
    Parquet,
    /// NumPy's archive.
    Npz,
    /// An HDF5 file, if the program was built with it.
    Hdf5,
    /// A JSON object a line.
    JsonLines,
}

impl Format {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [Self::Csv, Self::Parquet, Self::Npz, Self::Hdf5, Self::JsonLines];

    /// What it is called, such as `csv`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Npz => "npz",
            Self::Hdf5 => "hdf5",
            Self::JsonLines => "jsonl",
        }
    }

    /// What files of this name hold; `None` if their extension doesn't say it.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match extension.as_str() {
            "csv" => Self::Csv,
            "parquet" | "pq" => Self::Parquet,
            "npz" => Self::Npz,
            "h5" | "hdf5" => Self::Hdf5,
            "jsonl" | "ndjson" => Self::JsonLines,
            _ => return None,
        })
    }

    /// The end of its files' names, with the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => ".csv",
            Self::Parquet => ".parquet",
            Self::Npz => ".npz",
            Self::Hdf5 => ".h5",
            Self::JsonLines => ".jsonl",
        }
    }

    /// Whether it is made for features and labels together.
    #[must_use]
    pub fn is_for_features(self) -> bool {
        matches!(self, Self::Npz | Self::Hdf5)
    }
}

impl Export<'_> {
    /// Writes a file. It replaces one that is there. Rows are written as they are found, so that
    /// features aren't copied. O(n d).
    ///
    /// # Errors
    ///
    /// [`DataError::Unwritable`]; [`DataError::Unsupported`] for features that 32-bit floats can't hold, in a format that has
    /// these; [`DataError::WithoutFeature`] in a program that was built without the format.
    pub fn write(&self, format: Format, path: &Path) -> Result<(), DataError> {
        let is_text = matches!(format, Format::Csv | Format::JsonLines);
        if !is_text && self.table.is_some_and(|table| table.offsets.is_some()) {
            return Err(DataError::Unsupported {
                source_name: path.display().to_string(),
                found: "32-bit floats, which would round these features".into(),
                supported: "a .csv or .jsonl file",
            });
        }
        match format {
            Format::Csv => lines::csv(self, path).map_err(|error| unwritable(path, &error)),
            Format::JsonLines => {
                lines::json_lines(self, path).map_err(|error| unwritable(path, &error))
            }
            #[cfg(feature = "parquet")]
            Format::Parquet => parquet::write(self, path),
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => Err(without(path, "Parquet", "parquet")),
            Format::Npz => arrays::npz(self, path),
            #[cfg(feature = "hdf5")]
            Format::Hdf5 => arrays::hdf5(self, path),
            #[cfg(not(feature = "hdf5"))]
            Format::Hdf5 => Err(without(path, "HDF5", "hdf5")),
        }
    }
}

/// What a program without a feature says of files that need it.
#[cfg(not(all(feature = "hdf5", feature = "parquet")))]
fn without(path: &Path, format: &'static str, feature: &'static str) -> DataError {
    DataError::WithoutFeature { source_name: path.display().to_string(), format, feature }
}
