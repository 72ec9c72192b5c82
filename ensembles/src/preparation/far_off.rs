//! Samples so far off that they would hide all others.
//!
//! One row in other units, or a few with a code such as 999999 for what is missing: mean and variance are then those of these rows, and
//! for models all others are one point. So scales are found without them. Heavy tails are left alone: what is taken out is few samples,
//! far from all others, with most of the variance.

use ndarray::{ArrayView1, ArrayView2};

use crate::preparation::moments::moments_without;

/// The share of samples that may be far off, at least one.
const FEW: f64 = 0.01;
/// The share of the variance that these have, or none is far off.
const MOST: f64 = 0.5;
/// How far off: a multiple of the median squared distance from the mean, so a hundred times as far.
const FAR: f64 = 1e4;

/// Which samples are far off, ascending, of `values` of shape (n_samples, n_features). `standardised`: every feature counts by its own
/// variance. Among samples that are far off, others are hidden that are less so, so they are sought again without those found. O(n d) for each time.
pub(crate) fn far_off(values: &ArrayView2<'_, f32>, standardised: bool) -> Vec<usize> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a share of samples"
    )]
    let most = (FEW * values.nrows() as f64).ceil() as usize;
    let mut found = Vec::new();
    loop {
        let further = further(values, &found, standardised, most);
        if further.is_empty() {
            return found;
        }
        found.extend(further);
        if found.len() > most {
            // They are no exceptions: it is how these data are spread.
            return Vec::new();
        }
        found.sort_unstable();
    }
}

/// Those among the `most` farthest samples that are far off, without those `found` already.
fn further(
    values: &ArrayView2<'_, f32>,
    found: &[usize],
    standardised: bool,
    most: usize,
) -> Vec<usize> {
    let (mean, variance) = moments_without(values, found);
    let weights: Vec<f64> = variance
        .iter()
        .map(|&variance| match (standardised, variance > 0.0) {
            (true, true) => variance.recip(),
            (true, false) => 0.0,
            (false, _) => 1.0,
        })
        .collect();
    let squared = |row: ArrayView1<'_, f32>| -> f64 {
        let parts = row.iter().zip(&mean).zip(&weights);
        parts.map(|((&value, mean), weight)| weight * (f64::from(value) - mean).powi(2)).sum()
    };
    let others = (0..values.nrows()).filter(|row| found.binary_search(row).is_err());
    let mut distances: Vec<(f64, usize)> =
        others.map(|row| (squared(values.row(row)), row)).collect();
    if distances.len() <= 2 * most {
        return Vec::new();
    }
    let sum =
        |distances: &[(f64, usize)]| distances.iter().map(|&(squared, _)| squared).sum::<f64>();
    let all = sum(&distances);
    let falling = |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    distances.select_nth_unstable_by(most - 1, falling);
    if sum(&distances[..most]) < MOST * all {
        return Vec::new();
    }
    let mut farthest = distances[..most].to_vec();
    let middle = distances.len() / 2;
    let (_, &mut (median, _), _) = distances.select_nth_unstable_by(middle, falling);
    farthest.retain(|&(squared, _)| squared > FAR * median);
    farthest.into_iter().map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use consilience_data::{Seed, Stream};
    use ndarray::Array2;

    use super::*;

    const NONE: [[usize; 0]; 2] = [[], []];

    fn normal(rows: usize, columns: usize) -> Array2<f32> {
        let mut rng = Seed(3).rng(Stream::Projection);
        Array2::from_shape_vec((rows, columns), rng.normal(rows * columns)).unwrap()
    }

    fn both(values: &Array2<f32>) -> [Vec<usize>; 2] {
        [true, false].map(|standardised| far_off(&values.view(), standardised))
    }

    #[test]
    fn one_hides_the_next_and_both_are_found() {
        let mut values = normal(600, 5);
        values.row_mut(7).mapv_inplace(|value| value * 1e6);
        values.row_mut(20).mapv_inplace(|value| value * 1e3);
        assert_eq!(both(&values), [vec![7, 20], vec![7, 20]]);
    }

    #[test]
    fn data_as_they_are_have_none() {
        let values = normal(600, 5);
        assert_eq!(both(&values), NONE);
        // Heavy tails in all features, and a feature that few samples have.
        assert_eq!(both(&values.mapv(|value| (2.0 * value).exp()))[0], NONE[0]);
        let mut rare = values.clone();
        rare.column_mut(0).fill(0.0);
        rare[[3, 0]] = 1.0;
        assert_eq!(both(&rare), NONE);
        assert_eq!(both(&normal(2, 5)), NONE);
        assert_eq!(both(&Array2::zeros((600, 5))), NONE);
    }

    #[test]
    fn two_kinds_one_of_which_is_far_off_are_two_kinds() {
        let mut values = normal(600, 5);
        values.rows_mut().into_iter().take(20).for_each(|mut row| row += 1e4);
        assert_eq!(both(&values), NONE);
    }
}
