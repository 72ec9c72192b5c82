//! What is taken off numbers before they become 32-bit floats, so that rounding takes nothing that tells samples apart.
//!
//! A 32-bit float has 24 significant bits. Times in milliseconds have 41, of which the last 16 tell those of a minute apart: as
//! 32-bit floats all of them are equal. Of such a column its first value is taken off, in 64 bits. Columns that lose little are
//! left as they are. Which columns these are, the first rows say: what comes later can make a column wider, and so only less in
//! need of it.

use serde::{Deserialize, Serialize};

/// Rows that decide.
pub(crate) const ROWS: usize = 1000;
/// Bits that a column may lose at its top: values at most this many times as large as their span are left as they are.
const LOST: f64 = 256.0;
/// Whole numbers up to here are 32-bit floats.
pub(crate) const EXACT: f64 = 16_777_216.0;
/// Whole numbers of 64 bits are smaller.
const INTEGERS: f64 = 18_446_744_073_709_551_616.0;
/// Spans from the first to the second are left as they are: products of their squares are still numbers.
const SCALES: [f64; 2] = [1e-18, 1e18];

/// A feature's value is `offset + scale * value`, where `value` is the 32-bit float that is clustered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offsets {
    /// Length n_features; 0: nothing is taken off.
    pub offsets: Vec<f64>,
    /// Length n_features, powers of two; 1: not scaled.
    pub scales: Vec<f64>,
}

impl Offsets {
    /// Looks at the first rows, shape (n, width). `None` if all columns are left as they are.
    pub(crate) fn of(values: &[f64], width: usize) -> Option<Self> {
        let columns = (0..width).map(|column| of_column(values.iter().skip(column).step_by(width)));
        let (offsets, scales): (Vec<f64>, Vec<f64>) = columns.unzip();
        let as_is =
            offsets.iter().all(|&offset| offset == 0.0) && scales.iter().all(|&scale| scale == 1.0);
        (!as_is).then_some(Self { offsets, scales })
    }

    /// Whether 32-bit floats, shape (n, width), have a column that has to be scaled: nothing is taken off what is exact.
    pub(crate) fn of_narrow(values: &[f32], width: usize) -> Option<Self> {
        let first = &values[..values.len().min(ROWS * width)];
        // Zero fits any scale, and most data have nothing else outside.
        let size = |value: &f32| f64::from(value.abs());
        let fits = |value| value == 0.0 || (SCALES[0]..=SCALES[1]).contains(&value);
        if first.iter().map(size).all(fits) {
            return None;
        }
        Self::of(&first.iter().copied().map(f64::from).collect::<Vec<_>>(), width)
    }

    /// The value in the file.
    #[must_use]
    pub fn original(&self, feature: usize, value: f32) -> f64 {
        if self.offsets[feature] == 0.0 && self.scales[feature] == 1.0 {
            // The shortest number that is this one: 5.1, and not 5.099999904632568.
            return value.to_string().parse().unwrap_or(f64::from(value));
        }
        self.scales[feature].mul_add(f64::from(value), self.offsets[feature])
    }

    /// The 32-bit float.
    #[expect(clippy::cast_possible_truncation, reason = "features are 32-bit floats by design")]
    pub(crate) fn narrow(&self, feature: usize, value: f64) -> f32 {
        ((value - self.offsets[feature]) / self.scales[feature]) as f32
    }
}

fn of_column<'a>(values: impl Iterator<Item = &'a f64>) -> (f64, f64) {
    let (mut least, mut most, mut exact) = (f64::INFINITY, f64::NEG_INFINITY, true);
    let mut first = None;
    for &value in values.filter(|value| value.is_finite()) {
        first.get_or_insert(value);
        (least, most) = (least.min(value), most.max(value));
        #[expect(clippy::cast_possible_truncation, reason = "to see what it takes")]
        let narrow = f64::from(value as f32);
        exact &= narrow == value;
    }
    let Some(first) = first else { return (0.0, 1.0) };
    let (largest, span) = (least.abs().max(most.abs()), most - least);
    let needs = !exact
        && match span > 0.0 {
            true => largest > LOST * span,
            // The same in all rows that were looked at, and may be an integer that counts on.
            false => (EXACT..INTEGERS).contains(&largest),
        };
    let (offset, size) = if needs { (first, span) } else { (0.0, largest) };
    let fits = size == 0.0 || !size.is_finite() || (SCALES[0]..=SCALES[1]).contains(&size);
    (offset, if fits { 1.0 } else { size.log2().round().exp2() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_lost_is_taken_off() {
        let times = [1_700_000_000_000.0, 1_700_000_001_000.0, 1_700_000_060_000.0];
        let huge = [1e300, 2e300, 3e300];
        let rows = times.into_iter().zip(huge);
        let values: Vec<f64> = rows.flat_map(|(time, huge)| [time, 0.1, huge]).collect();
        let offsets = Offsets::of(&values, 3).unwrap();
        assert_eq!(offsets.offsets, [times[0], 0.0, 0.0]);
        assert_eq!(offsets.narrow(0, times[2]), 60_000.0);
        assert_eq!(offsets.original(0, 60_000.0), times[2]);
        assert!(offsets.narrow(2, 1e300).is_finite());
        let rounded = offsets.original(2, offsets.narrow(2, 1e300));
        assert!((rounded / 1e300 - 1.0).abs() < 1e-7);
    }

    #[test]
    fn numbers_near_the_smallest_are_scaled_without_loss() {
        let values = [1e-42_f32, 0.5, -3e-42, 0.0];
        let offsets = Offsets::of_narrow(&values, 2).unwrap();
        assert_eq!((&offsets.offsets[..], offsets.scales[1]), (&[0.0, 0.0][..], 1.0));
        for value in [values[0], values[2]] {
            let narrow = offsets.narrow(0, f64::from(value));
            assert!((0.1..10.0).contains(&narrow.abs()));
            assert_eq!(offsets.original(0, narrow), f64::from(value));
        }
        assert_eq!(Offsets::of_narrow(&[0.0, 1e-3, 5e8, -0.0], 2), None);
    }

    #[test]
    fn what_loses_little_is_left_as_it_is() {
        // A constant, halves, numbers that are 32-bit floats, a span as large as the values.
        let rows = [[5.1, 1000.5, 1e10, 0.1], [5.1, 1001.0, 1e10 + 1024.0, 0.2]];
        assert_eq!(Offsets::of(rows.as_flattened(), 4), None);
    }
}
