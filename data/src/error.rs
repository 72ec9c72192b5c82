//! What can be wrong with data.

use thiserror::Error;

/// What is wrong with data, where, and what to do about it, in one line.
///
/// `source_name` is a file's path, with the member or dataset inside it where there is one.
#[derive(Debug, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum DataError {
    // What any data can be, wherever it came from.
    #[error(
        "{source_name}: no samples or no features; give a file with at least one row and one column"
    )]
    Empty { source_name: String },

    #[error("{source_name}: {rows} samples; at most 4,294,967,295 are supported")]
    TooManySamples { source_name: String, rows: usize },

    #[error(
        "{source_name}: row {row}, column {column} is {value} as a 32-bit float, counted from 0; replace or drop values that are not finite{}",
        if value.is_nan() { ", or let --missing drop (or mean) do it" } else { "" }
    )]
    NotFinite { source_name: String, row: usize, column: usize, value: f32 },

    #[error(
        "{source_name}: row {row}, column {column}, counted from 0, is {value}, which --missing-value says is missing; add --missing mean (or drop)"
    )]
    StandsForMissing { source_name: String, row: u64, column: usize, value: f64 },

    #[error(
        "{source_name}: the file was changed while it was read; read it again when nobody writes to it"
    )]
    Changed { source_name: String },

    #[error("{what}: shape {found:?}, expected {expected:?}")]
    ShapeMismatch { what: &'static str, found: Vec<usize>, expected: Vec<usize> },

    #[error(
        "{source_name}: {labels} labels for {samples} samples; give one label a sample, in the same order"
    )]
    LabelCount { source_name: String, labels: usize, samples: usize },

    #[error(
        "{other}: {other_columns} columns, but {first} has {first_columns}; only files of equal width can be stacked"
    )]
    WidthMismatch { first: String, first_columns: usize, other: String, other_columns: usize },

    // Files as such.
    #[error("no data given; name a file or an embedded set: {}", crate::embedded::NAMES.join(", "))]
    NoFiles,

    #[error("{source_name}: no such file; check the path (embedded sets: {})", crate::embedded::NAMES.join(", "))]
    NotFound { source_name: String },

    #[error("{source_name}: not a regular file{}; name the data files themselves", if *.directory { " but a directory" } else { "" })]
    NotAFile { source_name: String, directory: bool },

    #[error("{source_name}: permission denied; make the file readable")]
    PermissionDenied { source_name: String },

    #[error("{source_name}: cannot be read: {reason}; check the disk or copy the file again")]
    Unreadable { source_name: String, reason: String },

    #[error("{source_name}: cannot be written: {reason}; check the folder and the free space")]
    Unwritable { source_name: String, reason: String },

    #[error("{source_name}: the file is empty (0 bytes); copy or download it again")]
    EmptyFile { source_name: String },

    #[error(
        "{source_name}: no dataset or member can be chosen, as only HDF5 and .npz files have several; name the file alone"
    )]
    NothingToChoose { source_name: String },

    #[error(
        "{source_name}: unknown format, by name and by first bytes; supported: .npy, .npz, IDX, .csv, .tsv, .txt, .jsonl (each also .gz, except .npz), HDF5 (.h5, .hdf5), .parquet, .arrow, .feather, .zip of images"
    )]
    UnknownFormat { source_name: String },

    #[error(
        "{source_name}: this program was built without {format}; build it with `--features {feature}`, or convert the data to .npy"
    )]
    WithoutFeature { source_name: String, format: &'static str, feature: &'static str },

    // Binary formats.
    #[error(
        "{source_name}: does not start like {format} (first bytes: {found}); check what the file is, or give it the right extension"
    )]
    BadMagic { source_name: String, format: &'static str, found: String },

    #[error(
        "{source_name}: truncated at byte {found}, {expected} are declared; copy or download the file again"
    )]
    Truncated { source_name: String, found: u64, expected: u128 },

    #[error("{source_name}: damaged: {problem}; copy or download the file again")]
    Corrupt { source_name: String, problem: String },

    #[error("{source_name}: holds {found}, which is not supported; store {supported} instead")]
    Unsupported { source_name: String, found: String, supported: &'static str },

    #[error("{source_name}: shape {found:?}, expected {expected}")]
    Dimensions { source_name: String, found: Vec<usize>, expected: &'static str },

    #[error(
        "{source_name}: {} do not fit in memory; use fewer rows or columns (--max-memory says how much there is)", size(.gibibytes)
    )]
    TooLarge { source_name: String, gibibytes: f64 },

    #[error("{source_name}: no {wanted}; it holds {}", listed(.found))]
    MissingMember { source_name: String, wanted: String, found: Vec<String> },

    #[error(
        "{source_name}: not a valid sparse matrix: {problem}; save it again with scipy.sparse.save_npz"
    )]
    BadSparse { source_name: String, problem: String },

    // Text.
    #[error(
        "{source_name}: line {line}: a quote is not closed up to the end of the file; close it, or double quotes inside a cell"
    )]
    OpenQuote { source_name: String, line: u64 },

    #[error("{first} has ids, and {other} has none; give both ids, or neither")]
    IdsOfOne { first: String, other: String },

    #[error(
        "{source_name}: has no column {column}, by which {data} calls its samples, and its index may be ids or numbers of rows; add the column {column}, or leave the index out to pair row by row"
    )]
    RowsOrIds { source_name: String, column: String, data: String },

    #[error("{source_name}: not {encoding} text; say by --encoding which encoding it has")]
    BadText { source_name: String, encoding: &'static str },

    #[error("{source_name}: no rows below the names of the columns; give at least one")]
    NoRows { source_name: String },

    #[error(
        "{source_name}: line {line} has {found} columns, the lines above have {expected}; make all lines equally long"
    )]
    RaggedRow { source_name: String, line: u64, found: usize, expected: usize },

    #[error(
        "{source_name}: line {line}, column {column}{header}, counted from 1, is {text:?}, not a number; replace it, drop the column, or say that it holds ids, labels or texts, or is of no use (--id-column, --label-column, --text-column, --ignore-column)"
    )]
    NotANumber { source_name: String, line: u64, column: usize, header: String, text: String },

    #[error(
        "{source_name}: line {line}, column {column}, counted from 1, is {text:?}, not a cluster's id; {advice}"
    )]
    NotAnId { source_name: String, line: u64, column: usize, text: String, advice: &'static str },

    // Tables with named columns.
    #[error("{source_name}: no column {wanted}; it has {}", some_of(.found))]
    MissingColumn { source_name: String, wanted: String, found: Vec<String> },

    #[error(
        "{source_name}: {column} is the name of columns {first} and {second}; name the one that is meant by its number"
    )]
    NamedTwice { source_name: String, column: String, first: usize, second: usize },

    #[error(
        "{source_name}: no columns with features; it has {}, which are taken for ids and labels",
        some_of(.found)
    )]
    NoFeatureColumns { source_name: String, found: Vec<String> },

    #[error(
        "{source_name}: column {column} holds {found}, which cannot be {as_what}; drop it, or choose others by --id-column, --label-column, --vector-column or --text-column"
    )]
    ColumnKind { source_name: String, column: String, found: String, as_what: &'static str },

    #[error(
        "{source_name}: {place} {at}, counted from {}, has nothing in column {column}; fill or drop it",
        u8::from(*place == "line")
    )]
    Null { source_name: String, place: &'static str, at: u64, column: String },

    #[error(
        "{source_name}: line {line} is not {encoding}, as the text before it is; mend it, or say which encoding all of it has by --encoding"
    )]
    NotUtf8 { source_name: String, line: u64, encoding: &'static str },

    #[error(
        "{source_name}: no encoding is called {name:?}; give a name such as windows-1252, gbk or shift_jis"
    )]
    UnknownEncoding { source_name: String, name: String },

    #[error("{source_name}: {problems}; add to the command: {advice}")]
    InTheWay { source_name: String, problems: String, advice: String, columns: Vec<String> },

    #[error(
        "{source_name}: column {column} has no value in any row; leave it out by --ignore-column"
    )]
    NothingIn { source_name: String, column: String },

    #[error(
        "{source_name}: column {column} has over {most} words, too many to make a feature of each; leave it out, or take it as texts (--text-column)"
    )]
    TooManyWords { source_name: String, column: String, most: usize },

    #[error(
        "{source_name}: {place} {at}, column {column} has {word:?}, which the run's own data don't have; leave the row out"
    )]
    UnknownWord { source_name: String, place: &'static str, at: u64, column: String, word: String },

    #[error(
        "{source_name}: line {line} has a field {field}, which the first {looked_at} lines lack; give it there, too (null if it has nothing), or leave it out"
    )]
    NewField { source_name: String, line: u64, field: String, looked_at: usize },

    #[error("{source_name}: line {line} has the field {field} twice; give it once")]
    RepeatedField { source_name: String, line: u64, field: String },

    #[error("{source_name}: line {line} is not JSON: {problem}; write one object a line")]
    BadJson { source_name: String, line: u64, problem: String },

    #[error("{source_name}: line {line}, field {field}: need {wanted}; fill or drop it")]
    BadField { source_name: String, line: u64, field: String, wanted: &'static str },

    #[error("{source_name}: several columns hold vectors: {}; choose one by --vector-column", some_of(.found))]
    SeveralVectors { source_name: String, found: Vec<String> },

    #[error(
        "{source_name}: {place} {at} has a vector of {found} numbers, those above have {expected}; make all equally long"
    )]
    RaggedVector {
        source_name: String,
        place: &'static str,
        at: u64,
        found: usize,
        expected: usize,
    },

    #[error(
        "{source_name}: {place} {at} has no label; give every sample a class, or choose another --label-column"
    )]
    NoLabelAt { source_name: String, place: &'static str, at: u64 },

    // Texts and images.
    #[error(
        "{source_name}: no images (PNG, JPEG) and no texts (.txt) among its {files} files; name the folder that has them, or the data files themselves"
    )]
    NoImages { source_name: String, files: usize },

    #[error("{source_name}: not an image that can be read: {problem}; repair or remove the file")]
    BadImage { source_name: String, problem: String },

    #[error(
        "{source_name}: images are read with 1 or 3 channels, but the recipe has {channels}; give arrays of that shape"
    )]
    Channels { source_name: String, channels: usize },

    #[error("{other} holds {other_holds}, but {first} holds {first_holds}; give files of one kind")]
    MixedContent {
        first: String,
        first_holds: &'static str,
        other: String,
        other_holds: &'static str,
    },

    #[error(
        "{source_name}: no words of two letters or more but stop words; give texts that say something"
    )]
    NoWords { source_name: String },

    // Votes.
    #[error("no votes given; name at least one file of votes or a run folder")]
    NoVotesFiles,

    #[error(
        "{source_name}: no votes; all are missing (negative ids, NaN or empty cells), so check what the file is"
    )]
    NoVotes { source_name: String },

    #[error(
        "{other}: {other_samples} samples, but {first} has {first_samples}; give votes on the same samples, in the same order"
    )]
    SampleMismatch { first: String, first_samples: usize, other: String, other_samples: usize },

    #[error(
        "{source_name}: model {model} has over 65,535 clusters, the most that are supported; leave it out if it numbers the samples"
    )]
    TooManyClusters { source_name: String, model: String },

    #[error(
        "{models} models in all, at most 65,535 are supported; check that the files hold votes and not features"
    )]
    TooManyModels { models: usize },

    #[error(
        "{source_name}: no votes.npz, as the run was made by an older version without HDF5, which kept none; run 'consilience cluster' again, or name its assignments.npy as one model"
    )]
    RunWithoutVotes { source_name: String },

    #[error("{source_name}: written by a newer version of consilience; update this one")]
    NewerVotes { source_name: String },

    #[error("{source_name}: {model} has no votes; leave it out")]
    ModelWithoutVotes { source_name: String, model: String },

    #[error("{source_name}: {model} gives every sample a cluster of its own; leave it out")]
    NumbersSamples { source_name: String, model: String },

    #[error(
        "{source_name}: value {index}, counted from 0 row by row, is {value}, which is too large for an id; number the clusters from 0"
    )]
    IdTooLarge { source_name: String, index: usize, value: String },

    #[error(
        "model {model} gives probabilities of {found} samples, where there are {expected}; a model has to answer for every sample"
    )]
    ModelSamples { model: usize, found: usize, expected: usize },

    // Samples of two sources.
    #[error(
        "{source_name}: '{id}' is there twice, so it can't be told which row is meant; give every sample a name of its own"
    )]
    IdTwice { source_name: String, id: String },

    #[error(
        "{source_name}: the sample in row (or line) {at} has no id; give every sample one, or drop the column"
    )]
    NoId { source_name: String, at: u64 },

    #[error(
        "{other}: row {row}, counted from 0, is sample '{found}', but in {first} '{expected}'; sort both in the same way"
    )]
    OtherOrder { first: String, expected: String, other: String, found: String, row: usize },

    #[error("{source_name}: '{id}' is not in {other}; give both the same samples, in any order")]
    IdAlone { source_name: String, id: String, other: String },

    #[error(
        "{source_name}: {word} {at}: {n_words} {} where two samples are expected; give two a {word}",
        if *n_words == 1 { "word" } else { "words" }
    )]
    NoPair { source_name: String, word: &'static str, at: u64, n_words: usize },

    #[error(
        "{source_name}: {word} {at}: '{id}' is not in {other}; name samples by their {keys}, and leave out those whose rows were left out"
    )]
    PairOfUnknown {
        source_name: String,
        word: &'static str,
        at: u64,
        id: String,
        other: String,
        keys: &'static str,
    },

    #[error("{source_name}: {word} {at}: '{id}' is paired with itself; give two samples a {word}")]
    PairOfOne { source_name: String, word: &'static str, at: u64, id: String },

    #[error("{source_name}: no pairs of samples; give two a line")]
    NoPairs { source_name: String },

    #[error(
        "{source_name}: its column sample leaves out rows, so those of the next file can't be counted on; give ids, or one file"
    )]
    RowsLeftOut { source_name: String },

    #[error(
        "{second}: {second_rows} labels for {first_rows} samples of {first}; give one label a sample, in the same order, or ids in both"
    )]
    PairedLengths { first: String, first_rows: usize, second: String, second_rows: usize },

    #[error(
        "{view}: {view_rows} rows for {rows} samples of {data}; give a row for each, in the same order, or ids in both"
    )]
    ViewRows { view: String, view_rows: usize, data: String, rows: usize },

    #[error(
        "{source_name}: row {row}, counted from 0, has {found:?} in column sample; these are numbers of rows, from 0"
    )]
    NotARow { source_name: String, row: usize, found: String },

    // Labels.
    #[error("{source_name}: no column is called like labels; choose one by {flag}: {}", some_of(.found))]
    SeveralLabels { source_name: String, found: Vec<String>, flag: &'static str },

    #[error(
        "{source_name}: not a run folder: it has no assignments.csv; name one that a run has written, or a file of labels"
    )]
    NoRunFolder { source_name: String },

    #[error("{source_name}: no labels; give one label a sample")]
    NoLabels { source_name: String },

    #[error(
        "{source_name}: no sample has a label, so there is nothing to learn from; give one of each class at least"
    )]
    NoneGiven { source_name: String },

    #[error("{source_name}: {classes} classes; at most 65,534 are supported")]
    TooManyClasses { source_name: String, classes: usize },

    #[error(
        "{source_name}: '{id}' is there twice, as {first:?} and as {second:?}; leave the right one"
    )]
    Contradiction { source_name: String, id: String, first: String, second: String },

    #[error("{source_name}: line {line} is empty; give every sample a label")]
    EmptyLabel { source_name: String, line: usize },

    #[error(
        "{source_name}: label {index}, counted from 0, is {value}; labels must be whole numbers below 2^53 or, in text files, words"
    )]
    LabelNotWhole { source_name: String, index: usize, value: f64 },

    #[error(
        "{source_name}: value {index}, counted from 0 row by row, is {value}; integers are expected"
    )]
    NotWhole { source_name: String, index: usize, value: f64 },
}

impl From<consilience_truth::NoLabels> for DataError {
    fn from(_: consilience_truth::NoLabels) -> Self {
        Self::NoLabels { source_name: "labels".into() }
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".into();
    }
    names.join(", ")
}

/// The first of many names.
fn some_of(names: &[String]) -> String {
    /// More aren't told.
    const TOLD: usize = 12;
    match names.len().saturating_sub(TOLD) {
        0 => listed(names),
        more => format!("{} and {more} more", names[..TOLD].join(", ")),
    }
}

/// A size in memory, in words.
fn size(gibibytes: &f64) -> String {
    match *gibibytes {
        1.0.. => format!("{gibibytes:.0} GiB"),
        _ => format!("{:.1} MiB", *gibibytes * 1024.0),
    }
}
