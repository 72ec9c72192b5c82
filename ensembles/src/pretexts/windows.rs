//! Series cut into overlapping windows.

use candle_core::Result as TensorResult;
use candle_core::Tensor;
use consilience_data::Features;

use super::batch::tensor;

/// Added to a variance, so that a series that stands still isn't divided by 0.
const EPSILON: f64 = 1e-6;

/// How series of (length, channels) values are cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Windows {
    /// Values in time of a window, an even number.
    pub(crate) window: usize,
    /// Values at a time.
    pub(crate) channels: usize,
    /// Values in time of a series.
    pub(crate) length: usize,
}

impl Windows {
    /// Each window begins a quarter of one behind the one before it; the last ends where the series does.
    pub(crate) fn starts(self) -> Vec<usize> {
        let last = self.length - self.window;
        let mut starts: Vec<usize> = (0..last).step_by((self.window / 4).max(1)).collect();
        starts.push(last);
        starts
    }

    /// Values of half a window.
    pub(crate) fn half(self) -> usize {
        self.window / 2 * self.channels
    }

    /// Windows, each given by its series and its start: first halves, second halves, each of shape (1, n, half). Each channel is brought to mean 0 and
    /// variance 1 in the first half, so that levels and units are told apart from how a series goes on (as Kim et al., *RevIN*, ICLR 2022).
    pub(crate) fn halves(
        self,
        series: &Features,
        windows: impl Iterator<Item = (usize, usize)>,
    ) -> TensorResult<(Tensor, Tensor)> {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (row, start) in windows {
            let place = start * self.channels;
            let mut window = series.row(row)[place..place + 2 * self.half()].to_vec();
            for channel in 0..self.channels {
                self.scale(&mut window, channel);
            }
            second.extend_from_slice(&window[self.half()..]);
            first.extend_from_slice(&window[..self.half()]);
        }
        Ok((tensor(first, self.half())?, tensor(second, self.half())?))
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a length; f32 storage"
    )]
    fn scale(self, window: &mut [f32], channel: usize) {
        let n = (self.window / 2) as f64;
        let of_half = || {
            window[..self.half()].iter().skip(channel).step_by(self.channels).map(|&x| f64::from(x))
        };
        let mean = of_half().sum::<f64>() / n;
        let variance = of_half().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        let scale = (variance + EPSILON).sqrt().recip();
        for value in window.iter_mut().skip(channel).step_by(self.channels) {
            *value = ((f64::from(*value) - mean) * scale) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn windows_overlap_and_reach_the_end() {
        let windows = |length, window| Windows { window, channels: 1, length };
        assert_eq!(windows(20, 8).starts(), [0, 2, 4, 6, 8, 10, 12]);
        assert_eq!(windows(9, 8).starts(), [0, 1]);
        assert_eq!(windows(8, 8).starts(), [0]);
    }

    #[test]
    fn levels_and_units_are_left_out() {
        let values = |scale: f32, level: f32| {
            let wave = |time: usize| f32::from(u8::try_from(time * time % 7).unwrap());
            Array2::from_shape_fn((1, 24), |(_, i)| {
                if i % 2 == 0 { scale * wave(i / 2) + level } else { wave(i / 2 + 3) }
            })
        };
        let windows = Windows { window: 8, channels: 2, length: 12 };
        let halves = |values| {
            let series = Features::new(values, "x").unwrap();
            let (first, second) = windows.halves(&series, [(0, 2)].into_iter()).unwrap();
            let both = [first, second].map(|x| x.flatten_all().unwrap().to_vec1::<f32>().unwrap());
            both.concat()
        };
        let (one, other) = (halves(values(1.0, 0.0)), halves(values(50.0, 300.0)));
        assert_eq!(one.len(), 16);
        assert!(one.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-3), "{one:?} {other:?}");
        let mean: f32 = one[..8].iter().step_by(2).sum();
        assert!(mean.abs() < 1e-5, "{one:?}");
    }
}
