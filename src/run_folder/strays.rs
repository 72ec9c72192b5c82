//! How little samples belong anywhere: `strays.npz`, the scores of a run's samples, and `models/strays.npz`, what new ones are told by.
//!
//! | member | what |
//! | --- | --- |
//! | `score` | `float32`, shape (n_samples): how far out each is, 0 to 1 |
//! | `threshold` | the score from which on samples are left without a cluster; above 1: none is |
//!
//! | member | what, all `float32` |
//! | --- | --- |
//! | `rows` | samples of the run, as models see them, shape (n_kept, n_features) |
//! | `scales`, `middle`, `steps`, `bound` | [`StrayParts`] |

use std::path::Path;

use consilience_data::write::npz;
use consilience_data::{DataError, read_npz};
use consilience_ensembles::Density;
use ndarray::{ArrayD, ArrayView1, Ix2};

use super::damaged;
use crate::RunError;
use crate::strays::{StrayParts, Strays, StraysFound};

/// The name of both files.
pub(super) const STRAYS: &str = "strays.npz";

/// Writes the scores of a run's samples.
pub(super) fn write_scores(folder: &Path, found: &StraysFound) -> Result<(), DataError> {
    let scores: Vec<f32> = found.samples.iter().map(|sample| sample.score).collect();
    let threshold = [found.rule.threshold()];
    let members = [
        ("score", ArrayView1::from(&scores).into()),
        ("threshold", ArrayView1::from(&threshold).into()),
    ];
    npz(&folder.join(STRAYS), &members)
}

/// Writes what tells strays among new samples.
pub(super) fn write_rule(models: &Path, rule: &Strays) -> Result<(), DataError> {
    let StrayParts { scales, middle, steps, bound } = rule.parts();
    let members = [
        ("rows", rule.rows().into()),
        ("scales", ArrayView1::from(scales).into()),
        ("middle", ArrayView1::from(middle).into()),
        ("steps", ArrayView1::from(steps).into()),
        ("bound", ArrayView1::from(std::slice::from_ref(bound)).into()),
    ];
    npz(&models.join(STRAYS), &members)
}

/// Reads what tells strays among new samples, of so many features and clusters; `None` of a run that sought none.
pub(super) fn read_rule(
    models: &Path,
    n_features: usize,
    n_clusters: usize,
) -> Result<Option<Strays>, RunError> {
    let path = models.join(STRAYS);
    if !path.exists() {
        return Ok(None);
    }
    let mut arrays = read_npz(&path)?;
    let missing = |name: &str| damaged(&path, &format!("no array {name} of the right shape"));
    let rows = arrays.remove("rows").and_then(|it| it.into_dimensionality::<Ix2>().ok());
    let rows = rows.filter(|rows| rows.ncols() == n_features).ok_or_else(|| missing("rows"))?;
    let mut vector = |name: &str, len: usize| -> Result<Vec<f32>, RunError> {
        let array: Option<ArrayD<f32>> = arrays.remove(name);
        let values = array.map(|array| array.into_raw_vec_and_offset().0);
        values.filter(|values| values.len() == len).ok_or_else(|| missing(name))
    };
    let (scales, middle) = (vector("scales", n_clusters)?, vector("middle", 2)?);
    let (steps, bound) = (vector("steps", 2)?, vector("bound", 1)?);
    let parts = StrayParts {
        scales,
        middle: [middle[0], middle[1]],
        steps: [steps[0], steps[1]],
        bound: bound[0],
    };
    let is_finite = rows.iter().all(|value| value.is_finite());
    let density = Density::from_rows(rows).filter(|_| is_finite);
    let rule = density.and_then(|density| Strays::from_parts(density, parts));
    rule.map(Some).ok_or_else(|| damaged(&path, "numbers that can't be"))
}
