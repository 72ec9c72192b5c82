//! `layers.npz`: the clusterings that the tree of votes shows, from coarse to fine.

use std::path::Path;

use consilience_data::write::npz;
use ndarray::{Array2, ArrayView1};

use crate::RunError;
use crate::granularity::Granularity;

/// Writes what was found of how many clusters there are: `layers.npz` and `granularity.npz`.
///
/// # Errors
///
/// [`DataError::Unwritable`](consilience_data::DataError::Unwritable).
pub fn write_layers(folder: &Path, found: &Granularity) -> Result<(), RunError> {
    let n = found.layers.first().map_or(0, |layer| layer.assignments.n_samples());
    let mut clusters = Array2::<i32>::zeros((found.layers.len(), n));
    for (mut row, layer) in clusters.rows_mut().into_iter().zip(&found.layers) {
        let ids = layer.assignments.clusters().iter();
        row.iter_mut().zip(ids).for_each(|(place, cluster)| *place = i32::from(cluster.0));
    }
    let evidence = || found.layers.iter().map(|layer| layer.evidence);
    let numbers = evidence().map(|it| i64::try_from(it.k).unwrap_or(i64::MAX)).collect::<Vec<_>>();
    let persistence: Vec<f64> = evidence().map(|it| it.persistence).collect();
    let found_again: Vec<f64> = evidence().map(|it| it.found_again).collect();
    let members = [
        ("clusters", clusters.view().into()),
        ("n_clusters", ArrayView1::from(&numbers).into()),
        ("persistence", ArrayView1::from(&persistence).into()),
        ("found_again", ArrayView1::from(&found_again).into()),
    ];
    npz(&folder.join("layers.npz"), &members)?;
    Ok(super::write::write_tree(&folder.join("granularity.npz"), &found.tree)?)
}
