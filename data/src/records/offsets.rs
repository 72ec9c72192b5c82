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
        let (offsets, scales) = columns.unzip();
        Self::unless_as_is(Self { offsets, scales })
    }

    fn unless_as_is(self) -> Option<Self> {
        let as_is = self.offsets.iter().all(|&offset| offset == 0.0)
            && self.scales.iter().all(|&scale| scale == 1.0);
        (!as_is).then_some(self)
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

/// Whether a value is a whole number that its 32-bit float isn't. `taken`: the feature's offset and scale.
pub(crate) fn is_rounded(value: f64, narrow: f32, taken: (f64, f64)) -> bool {
    value.abs() > EXACT
        && value.fract() == 0.0
        && taken.1.mul_add(f64::from(narrow), taken.0) != value
}

/// How 64-bit numbers become features, for a reader that has columns rather than rows, and writes them side by side itself: so
/// they are in memory once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Narrow {
    /// Of each feature, as far as they are decided.
    taken: Offsets,
    is_decided: bool,
    /// Whole numbers of each feature that were rounded to 32-bit floats.
    pub(crate) n_rounded: Vec<u64>,
}

impl Narrow {
    /// `decided`: what others have decided.
    pub(crate) fn new(width: usize, decided: Option<Option<&Offsets>>) -> Self {
        let as_is = || Offsets { offsets: vec![0.0; width], scales: vec![1.0; width] };
        let taken = decided.flatten().cloned().unwrap_or_else(as_is);
        Self { taken, is_decided: decided.is_some(), n_rounded: vec![0; width] }
    }

    /// Looks at the first rows of a feature, unless others have decided.
    pub(crate) fn look(&mut self, feature: usize, first: &[f64]) {
        if !self.is_decided {
            let taken = of_column(first.iter().take(ROWS));
            (self.taken.offsets[feature], self.taken.scales[feature]) = taken;
        }
    }

    /// Makes values of a feature 32-bit floats.
    pub(crate) fn put<'a>(
        &mut self,
        feature: usize,
        values: &[f64],
        to: impl Iterator<Item = &'a mut f32>,
    ) {
        let taken = (self.taken.offsets[feature], self.taken.scales[feature]);
        let mut rounded = 0;
        for (to, &value) in to.zip(values) {
            *to = self.taken.narrow(feature, value);
            rounded += u64::from(is_rounded(value, *to, taken));
        }
        self.n_rounded[feature] += rounded;
    }

    /// Whether zeros stay zeros.
    pub(crate) fn keeps_zeros(&self) -> bool {
        self.taken.offsets.iter().all(|&offset| offset == 0.0)
    }

    /// Whether 32-bit floats, shape (n, width), of which these are the first, become features as they are.
    pub(crate) fn leaves(&self, first: &[f32], width: usize) -> bool {
        self.offsets().is_none() && (self.is_decided || Offsets::of_narrow(first, width).is_none())
    }

    /// What was taken off, if anything.
    pub(crate) fn offsets(&self) -> Option<Offsets> {
        Offsets::unless_as_is(self.taken.clone())
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
    fn columns_become_features_as_rows_do() {
        let row = |row: u32| {
            let row = f64::from(row);
            [
                1.7e12 + row * row,
                row / 7.0,
                1e300 * row,
                if row == 3.0 { f64::NAN } else { 1e9 + row },
            ]
        };
        let rows: Vec<f64> = (0..3000).flat_map(row).collect();
        let expected = Offsets::of(&rows[..4 * ROWS], 4);
        for decided in [None, Some(None), Some(expected.as_ref())] {
            let mut narrow = Narrow::new(4, decided);
            for feature in 0..4 {
                let column: Vec<f64> = rows.iter().skip(feature).step_by(4).copied().collect();
                narrow.look(feature, &column);
                let mut found = vec![0.0; column.len()];
                narrow.put(feature, &column, found.iter_mut());
                let taken = match decided {
                    Some(None) => None,
                    _ => expected.as_ref(),
                };
                #[expect(clippy::cast_possible_truncation, reason = "what is taken off nothing")]
                let of = |value: f64| taken.map_or(value as f32, |it| it.narrow(feature, value));
                let same = |(found, value): (&f32, &f64)| found.to_bits() == of(*value).to_bits();
                assert!(found.iter().zip(&column).all(same), "{decided:?}, {feature}");
            }
            assert_eq!(narrow.offsets(), decided.unwrap_or(expected.as_ref()).cloned());
            assert_eq!(narrow.n_rounded[0] > 0, decided == Some(None));
        }
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
