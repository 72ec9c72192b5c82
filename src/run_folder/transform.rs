//! `scaling.npz`: how features become what models see.

use std::path::Path;

use consilience_data::read_npz;
use consilience_data::write::npz;
use consilience_ensembles::Transform;
use ndarray::{ArrayD, ArrayView1, Ix2};

use super::damaged;
use crate::RunError;

/// Writes how features became what models see.
pub(super) fn write_transform(path: &Path, transform: &Transform) -> Result<(), RunError> {
    let (shift, scale) = (ArrayView1::from(&transform.shift), ArrayView1::from(&transform.scale));
    let rows = [u8::from(transform.rows)];
    let mut arrays = vec![
        ("shift", shift.into()),
        ("scale", scale.into()),
        ("rows", ArrayView1::from(&rows).into()),
    ];
    if let Some(reach) = &transform.reach {
        arrays.push(("reach", ArrayView1::from(std::slice::from_ref(reach)).into()));
    }
    let sparse = [u8::from(transform.sparse)];
    if transform.sparse {
        arrays.push(("sparse", ArrayView1::from(&sparse).into()));
    }
    if let Some(projection) = &transform.projection {
        arrays.push(("projection", projection.view().into()));
    }
    Ok(npz(path, &arrays)?)
}

/// Reads it back.
pub(super) fn read_transform(path: &Path) -> Result<Transform, RunError> {
    let mut arrays = read_npz(path)?;
    let all_finite = |array: &ArrayD<f32>| array.iter().all(|value| value.is_finite());
    if !arrays.values().all(all_finite) {
        return Err(damaged(path, "values that aren't finite"));
    }
    let mut vector = |name: &str| match arrays.remove(name) {
        Some(array) if array.ndim() == 1 => Ok(array.into_raw_vec_and_offset().0),
        _ => Err(damaged(path, &format!("no array {name} of one dimension"))),
    };
    let (shift, scale, rows) = (vector("shift")?, vector("scale")?, vector("rows")?);
    let reach = arrays.remove("reach").map(|array| array.into_raw_vec_and_offset().0);
    let sparse = arrays.remove("sparse").is_some_and(|array| array.iter().any(|&it| it != 0.0));
    let projection = arrays.remove("projection").map(ArrayD::into_dimensionality::<Ix2>);
    let projection = projection.transpose().map_err(|error| damaged(path, &error.to_string()))?;
    let fits = |rows: usize, columns: usize| rows == shift.len() && columns > 0;
    let is_length =
        reach.as_ref().is_none_or(|reach| matches!(reach[..], [length] if length > 0.0));
    let fitting = is_length && projection.as_ref().is_none_or(|p| fits(p.nrows(), p.ncols()));
    if shift.is_empty() || scale.len() != shift.len() || rows.len() != 1 || !fitting {
        return Err(damaged(path, "shapes that don't fit together"));
    }
    Ok(Transform {
        shift,
        scale,
        reach: reach.map(|reach| reach[0]),
        rows: rows[0] != 0.0,
        projection,
        sparse,
    })
}
