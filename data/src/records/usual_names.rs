//! What columns are usually called that are no features.

/// Columns of these names say what samples are called, whatever they hold; and those that end with `_id`.
pub(super) const IDS: [&str; 8] =
    ["id", "ids", "uuid", "guid", "sample_id", "row_id", "doc_id", "index"];
/// And these, if they hold words.
pub(super) const NAMES: [&str; 8] =
    ["name", "file", "filename", "file_name", "path", "filepath", "key", "url"];
/// The column that says which sample a row is. In data, what it is called; in files of labels and votes, where the data's ids are elsewhere, the row of the data, as
/// runs write it.
pub(super) const SAMPLE: &str = "sample";
/// Columns of these names are the truth. A `y` beside an `x` is a coordinate.
pub(super) const LABELS: [&str; 8] =
    ["label", "labels", "class", "classes", "target", "truth", "category", "y"];
