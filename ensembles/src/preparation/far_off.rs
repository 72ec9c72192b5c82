//! Samples so far off that they would hide all others.
//!
//! One row in other units, or a few that say 999999 for whatever is missing: mean and variance are then those of these rows, and
//! for models all others are one point. So scales are found without them. Heavy tails are left alone: what is taken out is few samples,
//! far from all others, with most of the variance.

use std::cmp::Ordering;

use ndarray::{ArrayView1, ArrayView2};

use crate::preparation::moments::moments_without;

/// The share of samples that may be far off, at least one.
const FEW: f64 = 0.01;
/// The share of the variance that these have, or none is far off.
const MOST: f64 = 0.5;
/// How far off: the squared distance from the mean, as a multiple of that of the farthest of the others; ten times as far. Heavy tails have no
/// such gap.
const FAR: f64 = 100.0;

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
    let mut distances = distances(values, found, found, standardised);
    if distances.len() <= 2 * most {
        return Vec::new();
    }
    let sum =
        |distances: &[(f64, usize)]| distances.iter().map(|&(squared, _)| squared).sum::<f64>();
    let all = sum(&distances);
    distances.select_nth_unstable_by(most - 1, falling);
    if sum(&distances[..most]) < MOST * all {
        return Vec::new();
    }
    // Held against the others' mean: that of all is drawn to them.
    let farthest: Vec<usize> = distances[..most].iter().map(|&(_, row)| row).collect();
    let mut left_out = [found, &farthest].concat();
    left_out.sort_unstable();
    let mut distances = self::distances(values, found, &left_out, standardised);
    distances.select_nth_unstable_by(most, falling);
    distances[..most].sort_unstable_by(falling);
    // The last that is far from the next.
    let is_far =
        |&at: &usize| distances[at + 1].0 > 0.0 && distances[at].0 > FAR * distances[at + 1].0;
    let n_far = (0..most).rev().find(is_far).map_or(0, |last| last + 1);
    distances[..n_far].iter().map(|&(_, row)| row).collect()
}

/// Squared distances of all rows but those `found`, each with its row, from the mean of all but those `left_out`.
fn distances(
    values: &ArrayView2<'_, f32>,
    found: &[usize],
    left_out: &[usize],
    standardised: bool,
) -> Vec<(f64, usize)> {
    let (mean, variance) = moments_without(values, left_out);
    let weight = |&variance: &f64| match (standardised, variance > 0.0) {
        (true, true) => variance.recip(),
        (true, false) => 0.0,
        (false, _) => 1.0,
    };
    let weights: Vec<f64> = variance.iter().map(weight).collect();
    let squared = |row: ArrayView1<'_, f32>| -> f64 {
        let parts = row.iter().zip(&mean).zip(&weights);
        parts.map(|((&value, mean), weight)| weight * (f64::from(value) - mean).powi(2)).sum()
    };
    let others = (0..values.nrows()).filter(|row| found.binary_search(row).is_err());
    others.map(|row| (squared(values.row(row)), row)).collect()
}

fn falling(a: &(f64, usize), b: &(f64, usize)) -> Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
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

    /// They draw the mean to themselves, the more so the fewer the others are.
    #[test]
    fn one_of_a_few_and_a_hundredth_of_all_are_found() {
        let mut few = normal(50, 5);
        few.row_mut(7).fill(1e6);
        assert_eq!(both(&few), [vec![7], vec![7]]);
        let mut hundredth = normal(600, 5);
        hundredth.rows_mut().into_iter().take(6).for_each(|mut row| row.fill(999_999.0));
        let six: Vec<usize> = (0..6).collect();
        assert_eq!(
            both(&hundredth).map(|mut found| {
                found.sort_unstable();
                found
            }),
            [six.clone(), six]
        );
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
