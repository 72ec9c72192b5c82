//! Values so far from the others of their column that its spread is theirs.
//!
//! A number that stands for a missing value (-9999), or a typo: once the column is standardised, all others are alike in it. In one column of many the rest of
//! the row is ordinary, so that [`far_off`](super::far_off) doesn't see it. Nothing is done about it here; whoever knows the data is told.

use std::collections::BTreeSet;

use consilience_data::Features;
use ndarray::ArrayView2;

use crate::preparation::moments::moments;

/// The share of a column's values that may be far off, at least one; more are how the column is spread.
const FEW: f64 = 0.05;
/// The share of the values that may be so, and differ from each other, at least three: a number that stands for something is there again and again.
const DIFFERENT: f64 = 0.01;
const DIFFERENT_AT_LEAST: usize = 3;
/// The share of the squared distances from the median that is theirs.
const MOST: f64 = 0.5;
/// How many times as far as the next.
const FAR: f64 = 10.0;
/// How probable a gap like that is in a tail like that of the others, over all columns of a table, and all places of a gap.
const CHANCE: f64 = 1e-3;
/// The share of the others that are the tail, and the fewest.
const TAIL: f64 = 0.1;
const TAIL_AT_LEAST: usize = 10;

/// Values of one column that are far from all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FarCells {
    /// The column.
    pub feature: usize,
    /// Where they are: samples, ascending.
    pub samples: Vec<usize>,
}

impl FarCells {
    /// Those of every column that has some, ascending; none of sparse features.
    ///
    /// A few values are far off if most of the column's spread is theirs, if they are ten times as far from the median as the next, and if a gap like that is
    /// no accident of a heavy tail: over the logarithms of distances, a tail that falls as a power has gaps that are exponential, and their mean is
    /// that of the others' excess (B. M. Hill, A simple general approach to inference about the tail of a distribution, Annals of Statistics 3, 1975). Values
    /// that equal the median say nothing of how the others are spread: of a column that is mostly one value, the others count alone.
    ///
    /// O(n d).
    #[must_use]
    pub fn of(features: &Features) -> Vec<Self> {
        if features.as_sparse().is_some() {
            return Vec::new();
        }
        let view = features.view();
        #[expect(clippy::cast_precision_loss, reason = "a number of columns")]
        let chance = CHANCE / view.ncols().max(1) as f64;
        let tailed = tailed(&view);
        let of = |feature: usize| {
            let samples = far_values(view.column(feature).to_vec(), chance);
            (!samples.is_empty()).then_some(Self { feature, samples })
        };
        (0..view.ncols()).filter(|&feature| tailed[feature]).filter_map(of).collect()
    }
}

/// Whether each column has as heavy a tail as with far values in it, and has to be sorted to know: if a twentieth of the values have half of the spread, the fourth moment is
/// five times the squared second; of Gaussian values three times. O(n d), without a copy.
#[expect(clippy::cast_precision_loss, reason = "a number of samples")]
fn tailed(values: &ArrayView2<'_, f32>) -> Vec<bool> {
    /// Less than five, as the mean isn't the median.
    const HEAVY: f64 = 4.0;
    let (mean, variance) = moments(values);
    let mut fourth = vec![0.0; values.ncols()];
    for row in values.rows() {
        for ((sum, &value), mean) in fourth.iter_mut().zip(row).zip(&mean) {
            *sum += (f64::from(value) - mean).powi(4);
        }
    }
    let n = values.nrows() as f64;
    fourth
        .iter()
        .zip(&variance)
        .map(|(sum, variance)| sum / n >= HEAVY * variance.powi(2))
        .collect()
}

/// Where the values of a column are that are far from all others, ascending. O(n).
fn far_values(values: Vec<f32>, chance: f64) -> Vec<usize> {
    let mut ordered = values.clone();
    let middle = ordered.len() / 2;
    if ordered.is_empty() {
        return Vec::new();
    }
    let median = f64::from(*ordered.select_nth_unstable_by(middle, f32::total_cmp).1);
    let distance = |(row, value): (usize, f32)| ((f64::from(value) - median).abs(), row);
    let mut all: Vec<(f64, usize)> = values.iter().copied().enumerate().map(distance).collect();
    all.retain(|&(distance, _)| distance > 0.0);
    let most = share(FEW, all.len()).max(1);
    let tail = share(TAIL, all.len()).max(TAIL_AT_LEAST);
    if all.len() <= most + tail {
        return Vec::new();
    }
    // As many places of a gap are looked at.
    #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
    let chance = chance / most as f64;
    let whole: f64 = all.iter().map(|(distance, _)| distance.powi(2)).sum();
    let falling = |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    all.select_nth_unstable_by(most + tail, falling);
    all.truncate(most + tail + 1);
    all.sort_unstable_by(falling);
    let distances: Vec<f64> = all.iter().map(|&(distance, _)| distance).collect();
    let is_far = |&n: &usize| {
        let spread: f64 = distances[..n].iter().map(|distance| distance.powi(2)).sum();
        let gap = distances[n - 1] / distances[n];
        spread >= MOST * whole
            && gap > FAR
            && is_no_tail(gap.ln(), &distances[n..=n + tail], chance)
    };
    let n_far = (1..=most).rev().find(is_far).unwrap_or(0);
    let mut far: Vec<usize> = all[..n_far].iter().map(|&(_, row)| row).collect();
    let n = values.len();
    let different: BTreeSet<u32> = far.iter().map(|&row| values[row].to_bits()).collect();
    if different.len() > share(DIFFERENT, n).max(DIFFERENT_AT_LEAST) {
        return Vec::new();
    }
    far.sort_unstable();
    far
}

/// Whether the logarithm of a gap above these distances, which fall, is too large for a tail like theirs: the mean of k exponential excesses is known to about
/// their k-th part, so that the ratio has an F distribution of 2 and 2 k degrees of freedom.
#[expect(clippy::cast_precision_loss, reason = "a number of samples")]
fn is_no_tail(gap: f64, falling: &[f64], chance: f64) -> bool {
    let Some((last, tail)) = falling.split_last() else { return false };
    let excess: f64 = tail.iter().map(|distance| (distance / last).ln()).sum();
    excess <= 0.0 || (1.0 + gap / excess).powf(-(tail.len() as f64)) < chance
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a share of samples"
)]
fn share(share: f64, n: usize) -> usize {
    (share * n as f64).ceil() as usize
}

#[cfg(test)]
mod tests {
    use consilience_data::{Rng, Seed, Stream};
    use ndarray::Array2;

    use super::*;

    fn rng(seed: u64) -> Rng {
        Seed(seed).rng(Stream::Projection)
    }

    fn normal(n: usize) -> Vec<f32> {
        rng(3).normal(n)
    }

    fn far(values: &[f32]) -> Vec<usize> {
        let found = far_values(values.to_vec(), CHANCE);
        let column = ArrayView2::from_shape((values.len(), 1), values).unwrap();
        assert!(found.is_empty() || tailed(&column)[0], "it wouldn't have been looked at");
        found
    }

    #[test]
    fn numbers_that_stand_for_nothing_are_found() {
        for n in [50, 200, 5000] {
            let mut values = normal(n);
            assert!(far(&values).is_empty());
            values[7] = -9999.0;
            assert_eq!(far(&values), [7], "{n}");
            values[30] = 1e9;
            assert_eq!(far(&values), [7, 30], "one hides the other: {n}");
        }
        let mut many = normal(1000);
        (0..40).for_each(|row| many[25 * row] = 999_999.0);
        assert_eq!(far(&many).len(), 40);
        // Whole numbers with many ties, a sentinel among mostly zeros, and a point that was forgotten.
        let mut ratings: Vec<f32> = (0..300_u16).map(|row| f32::from(row % 5)).collect();
        ratings[4] = 99.0;
        assert_eq!(far(&ratings), [4]);
        let mut rare: Vec<f32> = normal(900).iter().map(|value| (value - 1.0).max(0.0)).collect();
        rare[11] = -999.0;
        assert_eq!(far(&rare), [11]);
        let mut heights: Vec<f32> = normal(300).iter().map(|value| 1.7 + 0.1 * value).collect();
        heights[100] = 178.0;
        assert_eq!(far(&heights), [100]);
    }

    #[test]
    fn columns_as_they_are_have_none() {
        let n = 2000;
        let never = |values: Vec<f32>, what: &str| {
            assert!(far(&values).is_empty(), "{what}: {:?}", far(&values));
        };
        never(vec![1.0; n], "constant");
        never((0..n).map(|row| f32::from(u8::from(row == 3))).collect(), "one of two");
        never((0..n).map(|row| f32::from(u8::from(row % 100 == 3))).collect(), "one-hot");
        never(
            (0..n).map(|row| if row % 40 == 3 { 1e4 } else { 0.0 }).collect(),
            "mostly one value",
        );
        never((0..n).map(|row| row as f32).collect(), "numbers of rows");
        let mut kinds = normal(n);
        kinds.iter_mut().take(60).for_each(|value| *value += 1e4);
        never(kinds, "a kind of three in a hundred that is far away");
        never(vec![0.0, 1.0, 1e9], "three");
        never(Vec::new(), "nothing");
    }

    /// By chance in at most one of a thousand tables.
    #[test]
    fn heavy_tails_have_none() {
        let n = 400;
        let mut found = 0;
        for seed in 0..200 {
            let uniform: Vec<f64> =
                rng(seed).normal(2 * n).iter().map(|&value| f64::from(value)).collect();
            let (first, second) = uniform.split_at(n);
            let columns: [Vec<f64>; 4] = [
                first.iter().map(|value| (3.0 * value).exp()).collect(),
                first.iter().zip(second).map(|(a, b)| a / b).collect(),
                first.iter().map(|value| value.powi(7)).collect(),
                // Counts.
                first.iter().map(|value| (2.0 * value).exp().floor()).collect(),
            ];
            #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
            let narrow = |column: &Vec<f64>| column.iter().map(|&value| value as f32).collect();
            let all = columns
                .iter()
                .filter(|column| !far_values(narrow(column), CHANCE / 4.0).is_empty());
            found += all.count();
        }
        assert!(found <= 1, "{found} of 800");
    }

    #[test]
    fn each_column_is_looked_at_by_itself() {
        let mut values = Array2::from_shape_vec((200, 4), normal(800)).unwrap();
        (values[[5, 1]], values[[150, 1]], values[[9, 3]]) = (-9999.0, -9999.0, 1e7);
        let found = FarCells::of(&Features::new(values, "x").unwrap());
        let expected = [(1, vec![5, 150]), (3, vec![9])];
        let expected = expected.map(|(feature, samples)| FarCells { feature, samples });
        assert_eq!(found, expected);
    }
}
