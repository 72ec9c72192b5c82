//! Reading data and labels, whatever the format.
//!
//! A table or an array is opened as [`crate::records::Records`]; images and texts are read whole. [`assemble`] stacks files.

#[cfg(feature = "hdf5")]
mod anndata;
mod archive_bytes;
mod array;
mod assemble;
mod collection;
#[cfg(feature = "parquet")]
mod columnar;
mod columns;
mod dataset;
mod delimited;
mod encoding;
mod fortran;
#[cfg(feature = "hdf5")]
pub(crate) mod h5;
#[cfg(feature = "hdf5")]
mod h5_links;
mod idx;
mod images;
mod json_lines;
mod labels;
mod no_panic;
mod npy;
mod npz;
pub(crate) mod numbers;
mod pairs;
mod part;
mod path;
mod source;
mod sparse;
mod stop_words;
mod store;
mod stream;
mod strings;
mod texts;
mod tf_idf;
mod votes;
mod word_numbers;
mod zip_names;

use std::path::{Path, PathBuf};

use ndarray::{ArrayD, IxDyn};

pub use self::columns::read_columns;
pub use self::dataset::Dataset;
pub use self::labels::{read_given_labels, read_labels, read_sample_labels, recipe_of_run};
pub use self::no_panic::panics_are_caught;
pub use self::npz::read_npz;
pub use self::pairs::{SamplePair, read_pairs};
#[cfg(feature = "hdf5")]
pub(crate) use self::path::check_hdf5;
use self::path::read_cells;
use self::source::{Location, Role};
pub use self::stream::{FeaturesChunk, FeaturesReader};
use self::strings::Cells;
pub use self::votes::{Numbering, VotesChunk, VotesInfo, VotesReader};
use crate::records::PartInfo;
use crate::{DataError, ReadOptions, Recipe};

/// Reads data and stacks them by rows.
///
/// A path is a file (`.npy`, `.npz`, IDX, CSV, HDF5, Parquet, Arrow, JSON Lines, texts), one of its arrays (`file.h5:/dataset`,
/// `file.npz:member`), a folder or `.zip` of images or texts, or the name of an embedded set where no such file exists. Arrays of more than two dimensions are flattened to samples x
/// features. Values are converted to `f32` as they are, without scaling.
///
/// The truth comes from the files `labels` if there are any, else from beside the data if it is there for
/// every path. Nothing is beside an array that was chosen.
///
/// # Errors
///
/// [`DataError`] for a file that can't be read or understood, values that aren't finite (rows counted within
/// their file), widths that differ, and another number of labels than samples.
pub fn read_dataset(paths: &[PathBuf], labels: &[PathBuf]) -> Result<Dataset, DataError> {
    read_dataset_with(paths, labels, &ReadOptions::default())
}

/// As [`read_dataset`], for files that don't say everything themselves.
///
/// # Errors
///
/// As [`read_dataset`].
pub fn read_dataset_with(
    paths: &[PathBuf],
    labels: &[PathBuf],
    options: &ReadOptions,
) -> Result<Dataset, DataError> {
    let recipe = Recipe { options: options.clone(), ..Recipe::default() };
    assemble::dataset(paths, labels, recipe, false)
}

/// Reads data as other data were read: the same columns (found by name where there are names), the same words with the same
/// weights, images of the same size and channels. Columns of ids and labels may be missing.
///
/// # Errors
///
/// As [`read_dataset`]; and [`DataError::MissingColumn`] for a feature that isn't there.
pub fn read_dataset_as(
    paths: &[PathBuf],
    labels: &[PathBuf],
    recipe: &Recipe,
) -> Result<Dataset, DataError> {
    assemble::dataset(paths, labels, recipe.clone(), true)
}

/// Reads an array of whole numbers (`.npy`, `.npz`, IDX, HDF5), of its own shape.
///
/// # Errors
///
/// [`DataError`] for a file that can't be read or understood, and for values that aren't whole numbers.
pub fn read_integers(path: &Path) -> Result<ArrayD<i64>, DataError> {
    let location = Location::resolve(path);
    let source_name = location.name();
    let (shape, cells) = read_cells(&location, Role::Data)?;
    let Cells::Numbers(numbers) = cells else {
        return Err(DataError::Unsupported {
            source_name,
            found: "strings".into(),
            supported: "integers",
        });
    };
    let values = numbers::whole_numbers(&numbers).map_err(|(index, value)| {
        let source_name = source_name.clone();
        DataError::NotWhole { source_name, index, value }
    })?;
    ArrayD::from_shape_vec(IxDyn(&shape), values)
        .map_err(|error| DataError::Corrupt { source_name, problem: error.to_string() })
}

/// Reads every file as [`read_dataset`] does, and says what it is. Widths may differ.
///
/// # Errors
///
/// [`DataError`] for the first file that can't be read or understood.
pub fn describe(paths: &[PathBuf]) -> Result<Vec<PartInfo>, DataError> {
    let mut parts = Vec::new();
    for path in paths {
        parts.extend(read_dataset(std::slice::from_ref(path), &[])?.parts);
    }
    Ok(parts)
}
