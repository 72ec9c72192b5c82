//! Normal random numbers by place: what is drawn depends on where it is used, not on what was drawn before.
//!
//! So noise can be made in the pass that adds it, in any order, on any number of threads and on any device. The
//! generator is Philox4x32-10 (Salmon et al., *Parallel random numbers: as easy as 1, 2, 3*, SC 2011); Box and Muller's
//! transform makes its numbers normal.

use consilience_data::Rng;

use crate::numerics::elementary::{cos_sin, ln};

/// Columns that are drawn together: 16 counters of 4 numbers. A kernel's blocks of columns begin at multiples of it.
pub(crate) const BLOCK: usize = 64;
const LANES: usize = 16;

/// One epoch's normal numbers of one kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    pub(crate) key: [u32; 2],
}

/// What in an epoch the numbers are for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Counted within the epoch.
    pub(crate) step: u32,
    /// Of a network's layers, or whatever else tells a step's matrices apart.
    pub(crate) layer: u32,
}

impl Place {
    /// Noise on a layer, the input being layer 0: of the batch, or of the labelled samples beside it.
    pub(crate) fn corrupted(step: u32, layer: usize, labelled: bool) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "few layers")]
        let layer = 2 * layer as u32 + u32::from(labelled);
        Self { step, layer }
    }

    /// Directions in which samples are moved.
    pub(crate) fn direction(step: u32) -> Self {
        Self { step, layer: 0 }
    }
}

impl Noise {
    /// The numbers of one stream.
    #[expect(clippy::cast_possible_truncation, reason = "two halves")]
    pub(crate) fn new(mut stream: Rng) -> Self {
        let bits = stream.bits();
        Self { key: [bits as u32, (bits >> 32) as u32] }
    }

    /// Draws columns `first..first + out.len()` of a matrix's row, `first` a multiple of [`BLOCK`].
    ///
    /// Column c is number c / 16 % 4 of counter (c / 64 * 16 + c % 16, row, step, layer).
    #[inline(always)]
    pub(crate) fn draw(&self, place: Place, row: usize, first: usize, out: &mut [f32]) {
        debug_assert!(first.is_multiple_of(BLOCK));
        #[expect(clippy::cast_possible_truncation, reason = "rows and columns of a batch")]
        let (row, first, lanes) = (row as u32, (first / BLOCK * LANES) as u32, LANES as u32);
        for (block, out) in (0u32..).zip(out.chunks_mut(BLOCK)) {
            let numbers = self.block([first + block * lanes, row, place.step, place.layer]);
            if let Ok(out) = <&mut [f32; BLOCK]>::try_from(&mut *out) {
                *out = numbers;
            } else {
                out.copy_from_slice(&numbers[..out.len()]);
            }
        }
    }

    /// Adds to columns 0.. of a matrix's row what is drawn for them, times `std`.
    #[inline(always)]
    pub(crate) fn add(&self, place: Place, row: usize, std: f32, values: &mut [f32]) {
        for (block, values) in values.chunks_mut(BLOCK).enumerate() {
            let mut noise = [0.0; BLOCK];
            self.draw(place, row, block * BLOCK, &mut noise);
            values.iter_mut().zip(noise).for_each(|(value, noise)| *value += noise * std);
        }
    }

    /// The numbers of 16 counters, from `first` on.
    #[inline(always)]
    fn block(&self, first: [u32; 4]) -> [f32; BLOCK] {
        let mut numbers = [0.0; BLOCK];
        for lane in 0..LANES {
            #[expect(clippy::cast_possible_truncation, reason = "16 lanes")]
            let counter = [first[0].wrapping_add(lane as u32), first[1], first[2], first[3]];
            let words = philox(counter, self.key);
            let (a, b) = normal_pair(words[0], words[1]);
            let (c, d) = normal_pair(words[2], words[3]);
            numbers[lane] = a;
            numbers[LANES + lane] = b;
            numbers[2 * LANES + lane] = c;
            numbers[3 * LANES + lane] = d;
        }
        numbers
    }
}

/// 128 random bits for a counter and a key.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the halves of a product")]
fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let ([mut a, mut b, mut c, mut d], mut key) = (counter, key);
    for _ in 0..10 {
        let (of_a, of_c) = (u64::from(a) * 0xd251_1f53, u64::from(c) * 0xcd9e_8d57);
        (a, c) = ((of_c >> 32) as u32 ^ b ^ key[0], (of_a >> 32) as u32 ^ d ^ key[1]);
        (b, d) = (of_c as u32, of_a as u32);
        key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
    }
    [a, b, c, d]
}

/// Two normal numbers from 64 random bits (Box and Muller, 1958): one word is the length, the other the direction, whose
/// quadrant is its first two bits.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "24 bits")]
fn normal_pair(length: u32, direction: u32) -> (f32, f32) {
    const UNIT: f32 = 1.0 / 16_777_216.0;
    // In (0, 1]: the largest sum rounds up.
    let uniform = ((length >> 8) as f32 + 0.5) * UNIT;
    let length = (-2.0 * ln(uniform)).sqrt();
    let quarter = (((direction >> 6) & 0x00ff_ffff) as f32 + 0.5) * UNIT - 0.5;
    let (cos, sin) = cos_sin(quarter);
    let swapped = direction >> 31 == 1;
    let (x, y) = if swapped { (sin, cos) } else { (cos, sin) };
    let length = if (direction >> 30) & 1 == 1 { -length } else { length };
    (length * x, length * y)
}

#[cfg(test)]
mod tests {
    use consilience_data::{Seed, Stream};

    use super::*;
    use crate::numerics::elementary::vectorised;

    /// Known answers of the authors' implementation (Random123, `kat_vectors`, philox4x32 10).
    #[test]
    fn words_equal_the_authors() {
        let zeros = [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8];
        assert_eq!(philox([0; 4], [0; 2]), zeros);
        let ones = [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd];
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), ones);
    }

    #[test]
    fn numbers_are_normal_and_independent_of_how_a_row_is_cut() {
        let noise = Noise::new(Seed(1).rng(Stream::Noise { model: 0, epoch: 0 }));
        let place = Place { step: 3, layer: 1 };
        let mut values = vec![0.0; 200_000];
        for (row, values) in values.chunks_exact_mut(1000).enumerate() {
            vectorised(
                #[inline(always)]
                || noise.draw(place, row, 0, values),
            );
            let mut part = [0.0; 100];
            vectorised(
                #[inline(always)]
                || noise.draw(place, row, 128, &mut part),
            );
            assert_eq!(part, values[128..228]);
        }
        let moment = |power: i32| {
            values.iter().map(|&x| f64::from(x).powi(power)).sum::<f64>() / values.len() as f64
        };
        for (power, expected, bound) in
            [(1, 0.0, 0.01), (2, 1.0, 0.015), (3, 0.0, 0.04), (4, 3.0, 0.1), (6, 15.0, 2.0)]
        {
            let found = moment(power);
            assert!((found - expected).abs() < bound, "moment {power}: {found}");
        }
        values.sort_by(f32::total_cmp);
        let share =
            |bound: f32| values.partition_point(|&x| x < bound) as f64 / values.len() as f64;
        for (bound, expected) in
            [(-1.96, 0.025), (-1.0, 0.158_66), (0.5, 0.691_46), (2.0, 0.977_25)]
        {
            assert!((share(bound) - expected).abs() < 0.004, "{bound}: {}", share(bound));
        }
    }

    #[test]
    fn places_differ() {
        let draw = |key, step, layer, row| {
            let mut out = [0.0; 4];
            Noise { key }.draw(Place { step, layer }, row, 0, &mut out);
            out
        };
        let base = draw([1, 2], 3, 4, 5);
        for other in [
            draw([1, 3], 3, 4, 5),
            draw([1, 2], 4, 4, 5),
            draw([1, 2], 3, 5, 5),
            draw([1, 2], 3, 4, 6),
        ] {
            assert_ne!(base, other);
        }
    }
}
