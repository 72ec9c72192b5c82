//! Oracles for kernels.

use consilience_data::{Seed, Stream};
use ndarray::Array2;

/// Normal random numbers.
pub(crate) fn random(seed: u64, rows: usize, columns: usize) -> Array2<f32> {
    let values = Seed(seed).rng(Stream::Subset).normal(rows * columns);
    Array2::from_shape_vec((rows, columns), values).unwrap()
}

/// Same shape, and every value within `tolerance`, absolute or relative.
pub(crate) fn assert_close(found: &Array2<f32>, expected: &Array2<f32>, tolerance: f32) {
    assert_eq!(found.dim(), expected.dim());
    for (place, &expected) in expected.indexed_iter() {
        let (found, bound) = (found[place], tolerance * expected.abs().max(1.0));
        assert!((found - expected).abs() <= bound, "{place:?}: found {found}, expected {expected}");
    }
}
